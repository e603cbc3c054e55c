//! What can still be read where the parser found no structure: an `end` or a bracket is missing, and a whole file may be
//! one error. Layout then tells where functions begin and end, as `mix format` lays code out, and each is read alone.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use rustc_hash::FxHashSet;
use tree_sitter::Tree;

use super::elixir::Reader;
use super::layout::{self, Line};
use super::literal::as_atom;
use super::parse::{Parts, errors, parse};
use super::{DefinitionKind, ReferenceKind};
use crate::source::Span;

/// What could be parsed of a text.
#[derive(Default)]
pub(super) struct Parsed {
    /// One of the whole text or, where that is too far from Elixir, one of each form; in order of position.
    pub(super) trees: Vec<Tree>,
    pub(super) fragments: Vec<Fragment>,
    /// Where the first part is that was given up.
    pub(super) given_up: Option<Span>,
}

/// A function inside of an error, as its layout shows it.
pub(super) struct Fragment {
    /// Its own tree; spans in it are those of the file.
    pub(super) tree: Tree,
    start: usize,
    modules: Arc<Vec<Outline>>,
}

/// A `defmodule` around a fragment.
#[derive(Clone)]
struct Outline {
    indent: usize,
    name: Arc<str>,
    span: Span,
}

const FUNCTIONS: [&str; 8] =
    ["def", "defp", "defmacro", "defmacrop", "defguard", "defguardp", "defdelegate", "test"];

/// A fragment is in no more modules than these.
const MOST_OUTLINES: usize = 16;

/// Parses a text as a whole, or form by form if that costs too much.
pub(super) fn parsed(source: &str) -> Parsed {
    let whole = parse(tree_sitter_elixir::LANGUAGE, source);
    if let Some(tree) = whole.as_ref().filter(|tree| !tree.root_node().has_error()) {
        return Parsed { trees: vec![tree.clone()], ..Parsed::default() };
    }
    let mut parsed = Parsed::default();
    let Some(mut parts) = Parts::of(tree_sitter_elixir::LANGUAGE, source.len()) else { return parsed };
    let lines = layout::lines(source);
    if let Some(tree) = whole {
        parsed.add_fragments(source, &lines, Some(&tree), &mut parts);
        parsed.trees.push(tree);
        return parsed;
    }
    for form in layout::forms(&lines) {
        parsed.add_form(source, form, &mut parts);
    }
    parsed
}

impl Parsed {
    fn add_form(&mut self, source: &str, form: &[Line], parts: &mut Parts) {
        let (Some(first), Some(last)) = (form.first(), form.last()) else { return };
        let tree = parts.parse(source.as_bytes(), layout::range(first, last));
        if tree.as_ref().is_none_or(|tree| tree.root_node().has_error()) {
            self.add_fragments(source, form, tree.as_ref(), parts);
        }
        if tree.is_none() {
            self.given_up.get_or_insert(layout::span(first, last));
        }
        self.trees.extend(tree);
    }

    /// Adds the functions that begin on these lines inside of `tree`'s errors, or anywhere if there is no tree.
    fn add_fragments(&mut self, source: &str, lines: &[Line], tree: Option<&Tree>, parts: &mut Parts) {
        if parts.is_spent() {
            return;
        }
        let whole = 0..source.len();
        let broken = tree.map_or_else(|| Spots([whole].into()), broken_in);
        let quoted = tree.map_or_else(Spots::default, quoted_in);
        let is_module = |line: &Line| keyword(line).0 == "defmodule";
        let is_function = |line: &Line| FUNCTIONS.contains(&keyword(line).0);
        let ends = layout::ends(lines, |line| is_module(line) || is_function(line));
        // Each is deeper than the one before.
        let (mut modules, mut covered) = (Arc::new(Vec::<Outline>::new()), 0);
        for (line, end) in lines.iter().zip(ends) {
            let is_over = |module: &Outline| {
                module.indent > line.indent || (module.indent == line.indent && line.text != "else")
            };
            while modules.last().is_some_and(is_over) {
                Arc::make_mut(&mut modules).pop();
            }
            if line.start < covered || quoted.hold(line.start) {
                continue;
            }
            let Some(last) = lines.get(end) else { continue };
            if is_module(line) && modules.len() < MOST_OUTLINES {
                let span = layout::span(line, last);
                let outline = module_name(line).map(|name| Outline { indent: line.indent, name, span });
                Arc::make_mut(&mut modules).extend(outline);
            } else if is_function(line) && !modules.is_empty() && broken.hold(line.start) {
                match parts.parse(source.as_bytes(), layout::range(line, last)) {
                    Some(tree) => {
                        covered = last.start + last.text.len();
                        self.fragments.push(Fragment { tree, start: line.start, modules: modules.clone() });
                    }
                    None => {
                        self.given_up.get_or_insert(layout::span(line, last));
                    }
                }
            }
        }
    }
}

/// The name in a line that begins with `defmodule`.
fn module_name(line: &Line) -> Option<Arc<str>> {
    let name = keyword(line).1.trim_start().split([' ', ',', '\t']).next()?;
    let is_name = name.starts_with(|first: char| first.is_ascii_uppercase()) && name == as_atom(name);
    is_name.then(|| name.into())
}

/// The first word of a line, and what follows.
fn keyword<'t>(line: &Line<'t>) -> (&'t str, &'t str) {
    line.text.split_once([' ', '(']).unwrap_or((line.text, ""))
}

/// Ranges of a text, in order and apart.
#[derive(Default)]
struct Spots(Vec<Range<usize>>);

impl Spots {
    fn hold(&self, at: usize) -> bool {
        let before = self.0.partition_point(|range| range.start <= at);
        before > 0 && self.0[before - 1].end > at
    }
}

/// The errors of a tree.
fn broken_in(tree: &Tree) -> Spots {
    let mut broken = Vec::new();
    errors(tree, |node| {
        broken.extend((!node.is_missing()).then(|| node.byte_range()));
        ControlFlow::Continue(())
    });
    Spots(broken)
}

/// The comments of a tree, and the text of strings that are whole.
fn quoted_in(tree: &Tree) -> Spots {
    let mut quoted = Vec::new();
    let mut cursor = tree.walk();
    // Whether the nodes around are whole, outermost first.
    let mut around = Vec::new();
    loop {
        let node = cursor.node();
        if match node.kind() {
            "comment" => true,
            "quoted_content" => around.last().is_some_and(|is_whole| *is_whole),
            _ => false,
        } {
            quoted.push(node.byte_range());
        }
        if cursor.goto_first_child() {
            around.push(!node.is_error() && !node.has_error());
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return Spots(quoted);
            }
            around.pop();
        }
    }
}

impl<'t> Reader<'t> {
    /// Reads the fragments that the pass over the whole tree has not understood.
    pub(super) fn recover(&mut self, fragments: &'t [Fragment]) {
        let clauses = self.facts.definitions.iter().flat_map(|definition| &definition.clauses);
        let known: FxHashSet<_> = clauses.map(|clause| clause.start as usize).collect();
        for fragment in fragments.iter().filter(|fragment| !known.contains(&fragment.start)) {
            let around = self.modules.len();
            for module in fragment.modules.iter() {
                self.enter_outline(&module.name, module.span);
            }
            self.read(fragment.tree.root_node());
            while self.modules.len() > around {
                self.leave_module();
            }
        }
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
