//! What can still be read where the parser found no structure: an `end` or a bracket is missing or too much, and a whole file
//! may be one error. Layout then tells where each form begins and ends, as `mix format` lays code out, and each is parsed
//! alone: a module that is broken is entered, and so is a function, until what is broken is one expression.

use tree_sitter::{Node, Range, Tree};

use super::check::check;
use super::layout::{self, Line};
use super::parse::{PartParser, parse};
use super::reader::{ElixirReader, VisitTask};
use super::{DefinitionKind, ReferenceKind};
use crate::source::Span;

/// What could be parsed of a text.
#[derive(Default)]
pub(super) struct Parsed {
    /// In order of position.
    pub(super) pieces: Vec<Piece>,
    /// Where the first part is that was given up.
    pub(super) given_up: Option<Span>,
}

pub(super) enum Piece {
    Tree(Tree),
    /// A call with a block, whose body the pieces are that follow; and where it is.
    Enter(Tree, Span),
    /// The body is over.
    Leave,
}

impl Piece {
    pub(super) fn tree(&self) -> Option<&Tree> {
        match self {
            Piece::Tree(tree) | Piece::Enter(tree, _) => Some(tree),
            Piece::Leave => None,
        }
    }
}

/// Forms in so many others are entered. Each is parsed once more for each around it.
const MOST_AROUND: usize = 12;

/// Calls whose blocks hold clauses, which mean nothing alone.
const NOT_ENTERED: [&str; 6] = ["case", "cond", "fn", "receive", "try", "with"];

/// Parses a text as a whole, or form by form if that costs too much or the text is known to be faulty or found to be.
/// tree-sitter alone does not notice an `end` too much: it takes it for a name.
pub(super) fn parsed(source: &str, is_faulty: bool) -> Parsed {
    let whole = parse(tree_sitter_elixir::LANGUAGE, source);
    if let Some(tree) = whole.as_ref().filter(|tree| !is_faulty && !tree.root_node().has_error()) {
        return Parsed { pieces: vec![Piece::Tree(tree.clone())], given_up: None };
    }
    let lines = layout::lines(source);
    let parts = PartParser::of(tree_sitter_elixir::LANGUAGE, source.len());
    match (whole, parts) {
        (Some(tree), parts) if parts.is_none() || !layout::is_laid_out(&lines) => {
            Parsed { pieces: vec![Piece::Tree(tree)], given_up: None }
        }
        (_, Some(parts)) => by_form(source, &lines, parts),
        _ => Parsed::default(),
    }
}

enum Work<'l, 't> {
    Forms(&'l [Line<'t>], usize),
    Leave,
}

fn by_form(source: &str, lines: &[Line], mut parts: PartParser) -> Parsed {
    let mut parsed = Parsed::default();
    let mut work = vec![Work::Forms(lines, 0)];
    while let Some(next) = work.pop() {
        let Work::Forms(lines, around) = next else {
            parsed.pieces.push(Piece::Leave);
            continue;
        };
        let Some((form, rest)) = layout::form(lines) else { continue };
        work.push(Work::Forms(rest, around));
        let [first, .., last] = form else {
            parsed.add(source, form, &mut parts);
            continue;
        };
        let range = layout::range(first, last);
        let bytes = range.start_byte..range.end_byte;
        let tree = parts.parse(source.as_bytes(), range);
        // Of several expressions all but the first are deeper, and belong into it.
        let is_whole = |tree: &&Tree| is_one_expression(tree) && check(&source[bytes.clone()]).is_none();
        if let Some(tree) = tree.as_ref().filter(is_whole) {
            parsed.pieces.push(Piece::Tree(tree.clone()));
            continue;
        }
        let entered = if around < MOST_AROUND { enter(source, form, &mut parts) } else { None };
        match (entered, tree) {
            (Some((tree, body)), _) => {
                parsed.pieces.push(Piece::Enter(tree, layout::span(first, last)));
                work.extend([Work::Leave, Work::Forms(body, around + 1)]);
            }
            (None, Some(tree)) => parsed.pieces.push(Piece::Tree(tree)),
            (None, None) => drop(parsed.given_up.get_or_insert(layout::span(first, last))),
        }
    }
    parsed
}

impl Parsed {
    /// Adds a form of one line.
    fn add(&mut self, source: &str, form: &[Line], parts: &mut PartParser) {
        let Some(line) = form.first().filter(|line| !line.closes()) else { return };
        match parts.parse(source.as_bytes(), layout::range(line, line)) {
            Some(tree) => self.pieces.push(Piece::Tree(tree)),
            None => drop(self.given_up.get_or_insert(layout::span(line, line))),
        }
    }
}

/// The call that a form is, parsed without its body, and the lines of the body.
fn enter<'l, 't>(
    source: &str,
    form: &'l [Line<'t>],
    parts: &mut PartParser,
) -> Option<(Tree, &'l [Line<'t>])> {
    let first = form.first().filter(|line| !NOT_ENTERED.contains(&line.word()))?;
    let is_definition = first.word().starts_with("def");
    // The `do` of a definition may be what is missing.
    let goes_on =
        form.windows(2).take_while(|pair| !pair[0].opens_block() && pair[0].leads_to(&pair[1])).count();
    let opening = form.get(goes_on).filter(|line| line.opens_block()).map(|_| goes_on);
    let head = opening.or(is_definition.then_some(0))?;
    let body = &form[head + 1..];
    let closing = body.last().filter(|line| line.indent == first.indent && line.closes());
    let body = if closing.is_some() { &body[..body.len() - 1] } else { body };
    let whole = layout::range(first, &form[head]);
    let ranges: Vec<Range> =
        [whole].into_iter().chain(closing.filter(|_| opening.is_some()).map(Line::end_word)).collect();
    // Without its `end`, or with a second `do`, only the head of a definition can be parsed.
    let bare = [form[head].before_do(first), first.before_keyword()];
    let bare = bare.into_iter().flatten().filter(|_| is_definition).map(|head| vec![head]);
    [ranges].into_iter().chain(bare).find_map(|ranges| {
        let tree = parts.parse_joined(source.as_bytes(), &ranges)?;
        let call = call_of(&tree)?;
        let is_named = call.child_by_field_name("target").is_some_and(|target| target.kind() == "identifier");
        let has_block = (0..call.named_child_count() as u32)
            .any(|at| call.named_child(at).is_some_and(|child| child.kind() == "do_block"));
        (is_named && (has_block || is_definition)).then_some((tree, body))
    })
}

fn is_one_expression(tree: &Tree) -> bool {
    let root = tree.root_node();
    let expressions = (0..root.named_child_count() as u32).filter_map(|at| root.named_child(at));
    !root.has_error() && expressions.filter(|child| !child.is_extra()).take(2).count() <= 1
}

fn call_of(tree: &Tree) -> Option<Node<'_>> {
    tree.root_node().named_child(0).filter(|node| node.kind() == "call")
}

impl<'t> ElixirReader<'t> {
    /// Reads all pieces.
    pub(super) fn read_pieces(&mut self, pieces: &'t [Piece]) {
        // How many tasks are left to do when a body is over.
        let mut open = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Tree(tree) => self.read(tree.root_node()),
                Piece::Enter(tree, span) => {
                    let before = self.tasks.len();
                    if let Some(call) = call_of(tree) {
                        self.outline = Some((call.start_byte(), *span));
                        self.statement(call);
                    }
                    let leaving = |task: &&VisitTask| !matches!(task, VisitTask::Visit(..));
                    let after = before + self.tasks[before..].iter().take_while(leaving).count();
                    self.run_until(after);
                    self.outline = None;
                    open.push(before);
                }
                Piece::Leave => {
                    let before = open.pop().unwrap_or_default();
                    self.run_until(before);
                }
            }
        }
        self.run_until(0);
    }

    /// Functions cannot hold functions: where one seems to, its `end` is missing and it ends before the next begins.
    pub(super) fn part(&mut self) {
        let source = self.source;
        let functions: Vec<usize> = (0..self.facts.definitions.len())
            .filter(|index| self.facts.definitions[*index].kind == DefinitionKind::Function)
            .collect();
        for pair in functions.windows(2) {
            let next = self.facts.definitions[pair[1]].span.start;
            let end = source[..next as usize].trim_end().len() as u32;
            let before = &mut self.facts.definitions[pair[0]];
            for span in before.clauses.iter_mut().chain([&mut before.span]) {
                if span.start < next && next < span.end {
                    span.end = end.max(span.start);
                    span.line_end = self.lines.at(span.end);
                }
            }
        }
    }

    /// Puts the definitions in order of position again, and drops what was read twice.
    pub(super) fn settle(&mut self) {
        let facts = &mut self.facts;
        let mut order: Vec<u32> = (0..facts.definitions.len() as u32).collect();
        order.sort_by_key(|index| {
            let span = facts.definitions[*index as usize].span;
            (span.start, u32::MAX - span.end)
        });
        let mut moved = vec![0; order.len()];
        for (to, from) in order.iter().enumerate() {
            moved[*from as usize] = to as u32;
        }
        let mut definitions: Vec<_> = std::mem::take(&mut facts.definitions).into_iter().map(Some).collect();
        facts.definitions = order.iter().filter_map(|from| definitions[*from as usize].take()).collect();
        let references = facts.references.iter_mut().filter_map(|reference| reference.from.as_mut());
        let imports = facts.imports.iter_mut().filter_map(|import| import.injected_by.as_mut());
        let aliases = facts.injected_aliases.iter_mut().map(|alias| &mut alias.injected_by);
        let injected = facts.injected_definitions.iter_mut().map(|definition| &mut definition.injected_by);
        let receivers = facts.receivers.iter_mut().map(|receiver| &mut receiver.of);
        references
            .chain(imports)
            .chain(aliases)
            .chain(injected)
            .chain(receivers)
            .for_each(|index| *index = moved[*index as usize]);
        // What was read within its function goes before the same read outside of all.
        facts.references.sort_by_key(|r| (r.span.start, r.span.end, r.kind, r.from.is_none()));
        facts.references.dedup_by(|b, a| {
            // One place may name several modules, but only from one definition; `resources` makes two routes to one action.
            let twice = a.from != b.from && a.kind == ReferenceKind::Route;
            let same = (a.span, a.kind, &a.name) == (b.span, b.kind, &b.name);
            same && (a.module == b.module || a.from != b.from) && !twice
        });
        self.settle_messages();
    }
}

#[cfg(test)]
mod tests {
    use crate::source::File;
    use crate::syntax::analyse;

    const SHELF: &str = "\
defmodule Shelf do
  @moduledoc \"\"\"
  Shelves:

      def not_this, do: 1
  \"\"\"
  alias Shop.Scale

  @doc \"Counts.\"
  def count(x) do
    weigh(x)
  end

  def sort(x) do
    case x do
      1 -> Scale.sort(1)
      _ -> weigh(2)
    end
  end

  def last(x), do: weigh(x)

  defp weigh(x), do: x
end
";

    /// Whether all functions are found with their calls, and somebody is told.
    fn check(text: &str) {
        let facts = analyse(&File::new("lib/a.ex", text));
        let functions = facts.definitions.iter().filter(|definition| definition.arity.is_some());
        let names: Vec<_> = functions.map(|definition| definition.qualified()).collect();
        let all = ["Shelf.count/1", "Shelf.sort/1", "Shelf.last/1", "Shelf.weigh/1"];
        assert_eq!(names, all, "of\n{text}");
        assert!(!facts.diagnostics.is_empty(), "nothing is said of\n{text}");
        for (from, module, name) in [
            ("count", None, "weigh"),
            ("sort", Some("Shop.Scale"), "sort"),
            ("sort", None, "weigh"),
            ("last", None, "weigh"),
        ] {
            let found = facts.references.iter().any(|r| {
                let caller = r.from.map(|from| &facts.definitions[from as usize]);
                caller.is_some_and(|caller| &*caller.name == from)
                    && r.module.as_deref() == module
                    && &*r.name == name
            });
            assert!(found, "{from} calls no {name} in\n{text}");
        }
    }

    #[test]
    fn an_end_too_much_costs_nothing_wherever_it_stands() {
        let lines: Vec<_> = SHELF.lines().collect();
        for at in
            (7..=lines.len()).filter(|at| !lines.get(at - 1).is_some_and(|line| line.starts_with("  @doc")))
        {
            let before = lines[at - 1];
            let indent = &before[..before.len() - before.trim_start().len()];
            let text = [&lines[..at], &[&format!("{indent}end")[..]], &lines[at..]].concat().join("\n");
            check(&text);
        }
    }

    #[test]
    fn what_is_missing_or_doubled_costs_nothing() {
        for word in ["end", " do"] {
            for (at, _) in SHELF.match_indices(&format!("{word}\n")) {
                let (before, after) = (&SHELF[..at], &SHELF[at + word.len()..]);
                check(&format!("{before}{after}"));
                check(&format!("{before}{word} {}{after}", word.trim()));
            }
        }
        for (from, to) in [
            ("weigh(2)", "weigh(2"),
            ("weigh(2)", "weigh(2)]"),
            ("weigh(2)", "[weigh(2), {1"),
            ("weigh(2)", "weigh(2) && \"open"),
            ("  @doc \"Counts.\"", "  @doc \"Counts."),
            ("Counts.\"\n", "Counts.\"\n  @note \"\"\"\n  Open\n"),
            ("count(x) do", "count(x), do: do"),
            ("def last(x), do: weigh(x)", "def last(x), do: weigh(x) end"),
            ("    weigh(x)\n", "    if x, do: weigh(x)\n    end\n    weigh(x)\n"),
        ] {
            assert!(SHELF.contains(from));
            check(&SHELF.replacen(from, to, 1));
        }
    }
}
