//! Chunks: the parts of a file that are searched and shown as one.
//!
//! In code they follow the definitions: a function with its documentation, spec and all clauses is one chunk, and so is what
//! stands in a module before and between them. Sizes are counted without white space, as in cAST (Zhang et al., 2025): what
//! is too large is split where it hurts least, and small neighbours that belong together are joined. Markdown follows its
//! headings, a Livebook its headings and what its cells define, and any other text its indentation and brackets. Each line
//! that holds more than white space is in exactly one chunk, but for the outputs in a Livebook, which are in none.

pub(crate) use aliases::without as without_aliases;
pub(super) use livebook::code as livebook_code;

mod aliases;
mod livebook;
mod markdown;
mod outline;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::facts::{Chunk, Definition, DefinitionKind, FileFacts};
use crate::source::{File, Language, Span};

/// A chunk may hold so many characters that are not white space; only a single line may be longer.
const LARGEST: usize = 1600;
/// Smaller pieces join a neighbour that they belong to.
const SMALL: usize = 120;
/// Each piece of a function names it by so many bytes of its head.
const LONGEST_SIGNATURE: usize = 1000;
/// What small neighbours may become together.
const JOINED: usize = 600;

/// The chunks of `file`, in order of position. `facts` are what is known of it but for the chunks.
pub(super) fn chunks(file: &File, facts: &FileFacts) -> Vec<Chunk> {
    let lines = Lines::of(&file.text);
    let units = match file.language {
        Language::Elixir | Language::Erlang if facts.definitions.iter().any(is_owner) => {
            code_units(file, &lines, &facts.definitions)
        }
        Language::Markdown => markdown::units(file, &lines),
        Language::Livebook => livebook::units(file, &lines, &facts.definitions),
        // What one has written at one sitting to be seen as one.
        Language::Heex | Language::Eex | Language::Erlang => outline::units(file, &lines, LARGEST),
        _ => outline::units(file, &lines, JOINED),
    };
    let mut chunks: Vec<Chunk> = units.iter().flat_map(|unit| split(unit, &lines, facts)).collect();
    aliases::name(file, facts, &mut chunks);
    chunks
}

/// Lines `first..=last` (from 0) that stay together if they are not too large.
struct Unit {
    first: usize,
    last: usize,
    /// The definition that it is, or stands directly in: an index into the facts' definitions.
    owner: Option<usize>,
    symbol: Arc<str>,
    kind: Option<DefinitionKind>,
    header: Arc<str>,
}

/// Where lines begin and how much they hold.
struct Lines {
    /// Of each line, its first byte.
    starts: Vec<usize>,
    /// Of each line, the end of its text, without what ends the line.
    ends: Vec<usize>,
    /// Of each line, the characters before it that are not white space; at the end all of them.
    before: Vec<usize>,
    /// Of each line, the white space before them, in characters.
    indents: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Lines {
        let mut lines = Lines { starts: Vec::new(), ends: Vec::new(), before: vec![0], indents: Vec::new() };
        let (mut start, mut size) = (0, 0);
        for line in text.split_inclusive('\n') {
            let bare = line.strip_suffix('\n').unwrap_or(line);
            let bare = bare.strip_suffix('\r').unwrap_or(bare);
            lines.starts.push(start);
            lines.ends.push(start + bare.len());
            size += bare.chars().filter(|c| !c.is_whitespace()).count();
            lines.before.push(size);
            lines.indents.push(bare.chars().take_while(|c| c.is_whitespace()).count());
            start += line.len();
        }
        lines
    }

    fn count(&self) -> usize {
        self.starts.len()
    }

    fn is_blank(&self, line: usize) -> bool {
        self.size(line, line) == 0
    }

    fn size(&self, first: usize, last: usize) -> usize {
        self.before[last + 1] - self.before[first]
    }

    fn span(&self, first: usize, last: usize) -> Span {
        Span {
            start: self.starts[first] as u32,
            end: self.ends[last] as u32,
            line_start: first as u32 + 1,
            line_end: last as u32 + 1,
        }
    }

    /// `first..=last` without blank lines at either end.
    fn trimmed(&self, first: usize, last: usize) -> Option<(usize, usize)> {
        let first = (first..=last).find(|line| !self.is_blank(*line))?;
        let last = (first..=last).rev().find(|line| !self.is_blank(*line))?;
        Some((first, last))
    }
}

/// Whether a definition is a unit of its own; the others are part of the module that they stand in.
fn stands_alone(kind: DefinitionKind) -> bool {
    use DefinitionKind::{Callback, Delegate, Function, Guard, Macro, Test};
    matches!(kind, Function | Macro | Guard | Delegate | Callback | Test)
}

fn holds_others(kind: DefinitionKind) -> bool {
    use DefinitionKind::{Describe, Implementation, Module, Protocol};
    matches!(kind, Module | Protocol | Implementation | Describe)
}

/// Whether lines can belong to it.
fn is_owner(definition: &Definition) -> bool {
    stands_alone(definition.kind) || holds_others(definition.kind)
}

fn code_units(file: &File, lines: &Lines, definitions: &[Definition]) -> Vec<Unit> {
    let owners = owners(lines, definitions);
    let mut units: Vec<Unit> = Vec::new();
    for line in (0..lines.count()).filter(|line| !lines.is_blank(*line)) {
        match units.last_mut() {
            Some(unit) if unit.owner == owners[line] => unit.last = line,
            _ => units.push(unit(file, definitions, owners[line], line)),
        }
    }
    join(units, file, lines, definitions)
}

/// For each line the innermost definition that is a unit or holds units: of those that reach over it the shortest, and of two
/// on one line the first.
fn owners(lines: &Lines, definitions: &[Definition]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..definitions.len()).filter(|at| is_owner(&definitions[*at])).collect();
    order.sort_by_key(|at| definitions[*at].span.line_start);
    let mut order = order.into_iter().peekable();
    let mut open = BinaryHeap::new();
    let mut owners = Vec::with_capacity(lines.count());
    for line in 1..=lines.count() as u32 {
        while let Some(at) = order.next_if(|at| definitions[*at].span.line_start <= line) {
            let Span { start, end, line_end, .. } = definitions[at].span;
            open.push(Reverse((end.saturating_sub(start), at, line_end)));
        }
        while open.peek().is_some_and(|Reverse((_, _, line_end))| *line_end < line) {
            open.pop();
        }
        owners.push(open.peek().map(|Reverse((_, at, _))| *at));
    }
    owners
}

fn unit(file: &File, definitions: &[Definition], owner: Option<usize>, line: usize) -> Unit {
    let definition = owner.map(|at| &definitions[at]);
    let header = match definition {
        Some(definition) if !definition.module.is_empty() => {
            format!("{} ({})", definition.module, file.path).into()
        }
        _ => file.path.clone(),
    };
    Unit {
        first: line,
        last: line,
        owner,
        symbol: definition.map_or_else(|| Arc::from(""), |definition| definition.qualified().into()),
        kind: definition.map(|definition| definition.kind),
        header,
    }
}

/// Joins what belongs together: comments and attributes with the definition below them, a closing `end` with what it closes,
/// small functions with their likes.
fn join(units: Vec<Unit>, file: &File, lines: &Lines, definitions: &[Definition]) -> Vec<Unit> {
    let mut joined: Vec<Unit> = Vec::new();
    for mut unit in units {
        let Some(before) = joined.last_mut() else {
            joined.push(unit);
            continue;
        };
        let sizes = (lines.size(before.first, before.last), lines.size(unit.first, unit.last));
        if is_closing(file, lines, &unit) || (sizes.1 < SMALL && are_likes(before, &unit, definitions, sizes))
        {
            before.last = unit.last;
        } else if sizes.0 < SMALL && leads_into(before, &unit, definitions, lines) {
            unit.first = before.first;
            *before = unit;
        } else if are_likes(before, &unit, definitions, sizes) {
            before.last = unit.last;
        } else {
            joined.push(unit);
        }
    }
    joined
}

/// Whether there is nothing in it but the ends of blocks.
fn is_closing(file: &File, lines: &Lines, unit: &Unit) -> bool {
    (unit.first..=unit.last).all(|line| {
        let text = file.text[lines.starts[line]..lines.ends[line]].trim();
        matches!(text, "" | "end" | "end)" | "}" | ")" | "]")
    })
}

/// Whether lines of a module, such as a comment, stand directly on top of a definition of this module.
fn leads_into(before: &Unit, unit: &Unit, definitions: &[Definition], lines: &Lines) -> bool {
    let before_is_loose = before.owner.is_none_or(|at| holds_others(definitions[at].kind));
    let is_header =
        before.owner.is_some_and(|at| definitions[at].span.line_start as usize == before.first + 1);
    before_is_loose && !is_header && unit.first == before.last + 1 && !lines.is_blank(unit.first)
}

/// Whether two units are small and say the same kind of thing: functions of one name, or very short ones of one module.
fn are_likes(before: &Unit, unit: &Unit, definitions: &[Definition], sizes: (usize, usize)) -> bool {
    let (Some(one), Some(other)) = (before.owner, unit.owner) else { return false };
    let (one, other) = (&definitions[one], &definitions[other]);
    let same_kind = stands_alone(one.kind) && one.kind == other.kind && one.module == other.module;
    let short = sizes.0.min(sizes.1) < SMALL && sizes.0.max(sizes.1) < JOINED;
    let both_short = sizes.1 < SMALL && sizes.0 < SMALL * 3 && one.doc.is_none() && other.doc.is_none();
    same_kind && sizes.0 + sizes.1 <= JOINED && ((one.name == other.name && short) || both_short)
}

fn text_unit(first: usize, last: usize, header: Arc<str>) -> Unit {
    Unit { first, last, owner: None, symbol: Arc::from(""), kind: None, header }
}

/// The chunks of one unit: itself, or its pieces if it is too large. Pieces after the first name what they belong to.
fn split(unit: &Unit, lines: &Lines, facts: &FileFacts) -> Vec<Chunk> {
    let chunk = |first: usize, last: usize, header: Arc<str>| Chunk {
        span: lines.span(first, last),
        symbol: unit.symbol.clone(),
        kind: unit.kind,
        header,
    };
    if lines.size(unit.first, unit.last) <= LARGEST {
        return vec![chunk(unit.first, unit.last, unit.header.clone())];
    }
    let definition = unit.owner.map(|at| &facts.definitions[at]);
    let signature = definition.and_then(|definition| definition.signature.as_deref());
    let continued: Arc<str> = match signature {
        Some(signature) => {
            let end = signature.floor_char_boundary(LONGEST_SIGNATURE);
            format!("{}, {}", &signature[..end], unit.header).into()
        }
        None => unit.header.clone(),
    };
    let mut clauses: Vec<usize> = definition.map_or_else(Vec::new, |definition| {
        definition.clauses.iter().map(|clause| clause.line_start as usize).collect()
    });
    clauses.sort_unstable();
    let mut pieces = Vec::new();
    let mut first = unit.first;
    while let Some((start, last)) = lines.trimmed(first, unit.last) {
        let end = piece_end(start, last, lines, &clauses);
        // Blank lines at the end of a piece belong to nobody.
        let (_, shown) = lines.trimmed(start, end).unwrap_or((start, end));
        let header = if pieces.is_empty() { unit.header.clone() } else { continued.clone() };
        pieces.push(chunk(start, shown, header));
        first = end + 1;
        if first > unit.last {
            break;
        }
    }
    pieces
}

/// The last line of the piece that begins at `start`: as much as fits, cut at the best place in its second half. Before a
/// clause is better than at a blank line, and that is better than at a line that is little indented. `clauses` are the lines,
/// from 1 and sorted, on which some begin.
fn piece_end(start: usize, last: usize, lines: &Lines, clauses: &[usize]) -> usize {
    let mut size = 0;
    let mut end = start;
    for line in start..=last {
        size += lines.size(line, line);
        if size > LARGEST {
            break;
        }
        end = line;
    }
    if end == last {
        return last;
    }
    let begins_clause = |line: usize| clauses.binary_search(&(line + 1)).is_ok();
    let total = lines.size(start, end);
    let mut best = (end, (3, usize::MAX));
    let mut before = 0;
    for line in start..=end {
        before += lines.size(line, line);
        if before * 2 < total || line == last {
            continue;
        }
        let next = line + 1;
        let class = match () {
            () if begins_clause(next) => 0,
            () if lines.is_blank(line) || lines.is_blank(next) => 1,
            () => 2,
        };
        let indent = if class == 2 { lines.indents[next] } else { 0 };
        // The later of equals, so that pieces are large.
        if (class, indent) <= best.1 {
            best = (line, (class, indent));
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Definitions from annotated lines: `kind name first..last`, lines from 1.
    fn facts(text: &str, definitions: &[(DefinitionKind, &str, usize, usize)]) -> FileFacts {
        let lines = Lines::of(text);
        let definitions = definitions
            .iter()
            .map(|(kind, name, first, last)| Definition {
                kind: *kind,
                module: Arc::from("Shop.Cart"),
                name: Arc::from(*name),
                arity: stands_alone(*kind).then_some(1),
                defaults: 0,
                public: true,
                span: lines.span(first - 1, last - 1),
                clauses: Vec::new(),
                doc: None,
                spec: None,
                fields: Vec::new(),
                signature: Some(format!("{name}(it)").into()),
                guessed: false,
            })
            .collect();
        FileFacts { definitions, ..FileFacts::default() }
    }

    pub(super) fn shown(chunks: &[Chunk]) -> Vec<String> {
        chunks
            .iter()
            .map(|chunk| {
                format!(
                    "{}-{} {} [{}]",
                    chunk.span.line_start, chunk.span.line_end, chunk.symbol, chunk.header
                )
            })
            .collect()
    }

    pub(super) fn check_cover(text: &str, chunks: &[Chunk]) {
        let mut end = 0;
        let mut covered = vec![0; text.split('\n').count() + 1];
        for chunk in chunks {
            let Span { start, end: stop, line_start, line_end } = chunk.span;
            assert!(start >= end && stop >= start, "in order and apart: {chunks:?}");
            end = stop;
            let lines = 1 + text[..start as usize].matches('\n').count();
            assert_eq!(line_start as usize, lines, "the line of the first byte");
            assert_eq!(line_end as usize, lines + text[start as usize..stop as usize].matches('\n').count());
            (line_start..=line_end).for_each(|line| covered[line as usize] += 1);
        }
        for (line, content) in (1..).zip(text.split('\n')) {
            let times = covered[line];
            assert!(
                times <= 1 && (times == 1 || content.trim().is_empty()),
                "line {line} is in {times} chunks"
            );
        }
    }

    #[test]
    fn a_function_is_a_chunk_and_so_is_the_head_of_the_module() {
        let body = "    a_rather_long_call_with_a_name(items, items)\n".repeat(4);
        let text = format!(
            "defmodule Shop.Cart do\n  @moduledoc \"Carts.\"\n  alias Shop.Item\n\n  # Adds.\n  def add(it) do\n{body}  end\n\n  def drop(it) do\n{body}  end\nend\n"
        );
        let file = File::new("lib/cart.ex", text.as_str());
        let facts = facts(
            &text,
            &[
                (DefinitionKind::Module, "Cart", 1, 18),
                (DefinitionKind::Function, "add", 6, 11),
                (DefinitionKind::Function, "drop", 13, 18),
            ],
        );
        let chunks = chunks(&file, &facts);
        check_cover(&text, &chunks);
        assert_eq!(
            shown(&chunks),
            [
                "1-5 Shop.Cart [Shop.Cart (lib/cart.ex)]",
                "6-11 Shop.Cart.add/1 [Shop.Cart (lib/cart.ex)]",
                "13-19 Shop.Cart.drop/1 [Shop.Cart (lib/cart.ex)]",
            ]
        );
    }

    #[test]
    fn comments_between_functions_go_with_the_one_below() {
        let body = "    a_rather_long_call_with_a_name(items, items)\n".repeat(4);
        let text = format!(
            "defmodule Shop.Cart do\n  def add(it) do\n{body}  end\n\n  # Drops.\n  def drop(it) do\n{body}  end\nend\n"
        );
        let file = File::new("lib/cart.ex", text.as_str());
        let facts = facts(
            &text,
            &[
                (DefinitionKind::Module, "Cart", 1, 16),
                (DefinitionKind::Function, "add", 2, 7),
                (DefinitionKind::Function, "drop", 10, 15),
            ],
        );
        let chunks = chunks(&file, &facts);
        check_cover(&text, &chunks);
        assert_eq!(chunks.last().unwrap().span.line_start, 9);
    }

    #[test]
    fn large_functions_are_split_at_blank_lines_and_name_their_head() {
        let paragraph = format!("{}\n", "    step(one, two, three, four)\n".repeat(20));
        let text = format!("  def long(it) do\n{}  end\n", paragraph.repeat(8));
        let file = File::new("lib/long.ex", text.as_str());
        let count = text.lines().count();
        let chunks = chunks(&file, &facts(&text, &[(DefinitionKind::Function, "long", 1, count)]));
        check_cover(&text, &chunks);
        assert!(chunks.len() > 2);
        assert!(chunks[1..].iter().all(|chunk| chunk.header.starts_with("long(it), ")));
        for chunk in &chunks {
            let piece = file.slice(chunk.span);
            assert!(piece.chars().filter(|c| !c.is_whitespace()).count() <= LARGEST);
            let next = text.lines().nth(chunk.span.line_end as usize);
            assert!(next.is_none_or(str::is_empty), "cut at a blank line, not before {next:?}");
        }
    }

    #[test]
    fn markdown_follows_its_headings() {
        let prose = "Some words about this part of the whole. ".repeat(8);
        let text =
            format!("# Guide\n{prose}\n## Setup\n{prose}\n```sh\n# not a heading\n```\n## Use\n{prose}\n");
        let file = File::new("guide.md", text.as_str());
        let chunks = chunks(&file, &FileFacts::default());
        check_cover(&text, &chunks);
        let headers: Vec<_> = chunks.iter().map(|chunk| &*chunk.header).collect();
        assert_eq!(headers, ["Guide (guide.md)", "Guide › Setup (guide.md)", "Guide › Use (guide.md)"]);
    }

    #[test]
    fn nothing_has_no_chunks() {
        for text in ["", "\n", " \n\t\n"] {
            for path in ["a.ex", "a.md", "a.livemd", "a.txt", "a.json"] {
                assert!(chunks(&File::new(path, text), &FileFacts::default()).is_empty());
            }
        }
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            Just("   ".into()),
            Just("# title".into()),
            Just("```".into()),
            Just("  end".into()),
            Just("\u{a0}é\r".into()),
            "[ a-z]{0,40}",
            Just("x".repeat(900)),
            Just("y".repeat(3000)),
            Just("a {".into()),
            Just("  }".into()),
            Just("[b]".into()),
            Just("    c: \"(\"; \\".into()),
            Just("config :d, e: 1".into()),
        ]
    }

    proptest! {
        #[test]
        fn each_line_is_in_exactly_one_chunk(
            lines in prop::collection::vec(line(), 0..60),
            definitions in prop::collection::vec((0..4usize, 0..70usize, 0..30usize), 0..12),
            path in prop::sample::select(vec!["a.ex", "a.md", "a.txt", "a.json", "a.toml", "a.sql", "config.exs"]),
            ends in any::<bool>(),
        ) {
            let mut text = lines.join("\n");
            if ends {
                text.push('\n');
            }
            let count = text.split_inclusive('\n').count();
            let kinds = [DefinitionKind::Module, DefinitionKind::Function, DefinitionKind::Attribute, DefinitionKind::Test];
            let places: Vec<_> = definitions
                .iter()
                .filter(|(_, first, _)| *first < count)
                .map(|(kind, first, length)| (kinds[*kind], "f", first + 1, (first + 1 + length).min(count)))
                .collect();
            let file = File::new(path, text.as_str());
            check_cover(&text, &chunks(&file, &facts(&text, &places)));
        }
    }
}
