//! What can still be read where the parser found no structure: an `end` or a bracket is missing, and a whole file may be
//! one error. Layout then tells where functions begin and end, as `mix format` lays code out, and each is read alone.

use std::ops::ControlFlow;

use rustc_hash::FxHashSet;
use tree_sitter::{Point, Range, Tree};

use super::elixir::Reader;
use super::parse::{errors, parse};
use super::{DefinitionKind, ReferenceKind};
use crate::source::Span;

/// A function inside of an error, as its layout shows it.
pub(super) struct Fragment {
    /// Its own tree; spans in it are those of the file.
    pub(super) tree: Tree,
    start: usize,
    modules: Vec<Outline>,
}

/// A `defmodule` around a fragment.
#[derive(Clone)]
struct Outline {
    indent: usize,
    name: String,
    span: Span,
}

struct Line<'t> {
    start: usize,
    row: usize,
    indent: usize,
    /// Without the white space around it.
    text: &'t str,
}

const FUNCTIONS: [&str; 8] =
    ["def", "defp", "defmacro", "defmacrop", "defguard", "defguardp", "defdelegate", "test"];

/// The functions that begin inside of `tree`'s errors.
pub(super) fn fragments(source: &str, tree: &Tree) -> Vec<Fragment> {
    let mut broken = Vec::new();
    errors(tree, |node| {
        broken.extend((!node.is_missing()).then(|| node.byte_range()));
        ControlFlow::Continue(())
    });
    let lines = lines(source);
    let (mut fragments, mut modules, mut covered) = (Vec::new(), Vec::<Outline>::new(), 0);
    for (at, line) in lines.iter().enumerate() {
        modules.retain(|module| {
            module.indent < line.indent || (module.indent == line.indent && line.text == "else")
        });
        let (keyword, rest) = line.text.split_once([' ', '(']).unwrap_or((line.text, ""));
        let inside = broken.partition_point(|range| range.start <= line.start);
        let inside = inside > 0 && broken[inside - 1].end > line.start;
        if line.start < covered || is_quoted(tree, line.start) {
            continue;
        }
        let end = end_of(&lines, at);
        let span = Span {
            start: line.start as u32,
            end: (lines[end].start + lines[end].text.len()) as u32,
            line_start: line.row as u32 + 1,
            line_end: lines[end].row as u32 + 1,
        };
        if keyword == "defmodule" {
            let name = rest.trim_start().split([' ', ',', '\t']).next().unwrap_or_default().to_owned();
            if name.starts_with(|first: char| first.is_ascii_uppercase()) {
                modules.push(Outline { indent: line.indent, name, span });
            }
        } else if inside && FUNCTIONS.contains(&keyword) && !modules.is_empty() {
            let range = Range {
                start_byte: line.start,
                end_byte: span.end as usize,
                start_point: Point::new(line.row, line.indent),
                end_point: Point::new(lines[end].row, lines[end].indent + lines[end].text.len()),
            };
            if let Some(tree) = parse(tree_sitter_elixir::LANGUAGE, source, Some(range)) {
                covered = range.end_byte;
                fragments.push(Fragment { tree, start: line.start, modules: modules.clone() });
            }
        }
    }
    fragments
}

/// The lines that hold something.
fn lines(source: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let mut lines = Vec::new();
    for (row, line) in source.split_inclusive('\n').enumerate() {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        if !text.is_empty() {
            lines.push(Line { start: start + indent, row, indent, text });
        }
        start += line.len();
    }
    lines
}

/// The last line of what begins at a line: the `end` below it, or the line before something that is not deeper.
fn end_of(lines: &[Line], at: usize) -> usize {
    let indent = lines[at].indent;
    let mut end = at;
    for (next, line) in lines.iter().enumerate().skip(at + 1) {
        let goes_on = line.text.starts_with(['|', ')', ']', '}'])
            || matches!(line.text, "rescue" | "catch" | "else" | "after") && line.indent == indent;
        if line.indent > indent || goes_on {
            end = next;
        } else {
            let closes = line.indent == indent && (line.text == "end" || line.text.starts_with("end)"));
            return if closes { next } else { end };
        }
    }
    end
}

/// Whether the place is inside of a string or comment that is whole.
fn is_quoted(tree: &Tree, at: usize) -> bool {
    let node = tree.root_node().descendant_for_byte_range(at, at);
    node.is_some_and(|node| match node.kind() {
        "comment" => true,
        "quoted_content" => node.parent().is_some_and(|parent| !parent.is_error() && !parent.has_error()),
        _ => false,
    })
}

impl<'t> Reader<'t> {
    /// Reads the fragments that the pass over the whole tree has not understood.
    pub(super) fn recover(&mut self, fragments: &'t [Fragment]) {
        let clauses = self.facts.definitions.iter().flat_map(|definition| &definition.clauses);
        let known: FxHashSet<_> = clauses.map(|clause| clause.start as usize).collect();
        for fragment in fragments.iter().filter(|fragment| !known.contains(&fragment.start)) {
            let around = self.modules.len();
            for module in &fragment.modules {
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
            let before = &mut self.facts.definitions[pair[0]];
            for span in before.clauses.iter_mut().chain([&mut before.span]) {
                if span.start < next && next < span.end {
                    let kept = source[span.start as usize..next as usize].trim_end();
                    span.end = span.start + kept.len() as u32;
                    span.line_end =
                        span.line_start + kept.bytes().filter(|byte| *byte == b'\n').count() as u32;
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
