//! Source text to a tree-sitter tree, within a bound on the work.

use std::ops::ControlFlow;

use tree_sitter::{Language, Node, ParseOptions, ParseState, Parser, Range, Tree};

use crate::source::Span;

/// Parser operations for every byte of text. Well-formed Elixir takes about one, and so does Erlang; no file of Erlang/OTP
/// takes three. Only error recovery on text that is nothing like the language takes many, and its cost can grow with the
/// square of the length.
pub(super) const OPERATIONS_PER_BYTE: u64 = 10;

/// The parser reports once in so many operations (a constant in tree-sitter's C code).
const OPERATIONS_PER_REPORT: u64 = 100;

/// Parses `text`, or only `part` of it, by the grammar of a language. `None` when that takes more work than any source code should; the bound counts
/// operations, not time, so that the same text always gives the same answer.
pub(super) fn parse(
    language: impl Into<Language>,
    text: impl AsRef<[u8]>,
    part: Option<Range>,
) -> Option<Tree> {
    let text = text.as_ref();
    let length = part.map_or(text.len(), |part| part.end_byte - part.start_byte);
    parse_bounded(language, text, part, length as u64 * OPERATIONS_PER_BYTE)
}

/// Parses `text`, or only `part` of it, in about so many operations and what any text may take.
pub(super) fn parse_bounded(
    language: impl Into<Language>,
    text: &[u8],
    part: Option<Range>,
    operations: u64,
) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&language.into()).ok()?;
    parser.set_included_ranges(part.as_slice()).ok()?;
    let mut reports = 1000 + operations / OPERATIONS_PER_REPORT;
    let mut bound = |_: &ParseState| {
        reports = reports.saturating_sub(1);
        if reports == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut read = |offset: usize, _| text.get(offset..).unwrap_or_default();
    parser.parse_with_options(&mut read, None, Some(ParseOptions::new().progress_callback(&mut bound)))
}

/// Where a node is.
pub(super) fn span(node: Node) -> Span {
    let (start, end) = (node.start_position().row, node.end_position().row);
    Span {
        start: node.start_byte() as u32,
        end: node.end_byte() as u32,
        line_start: start as u32 + 1,
        line_end: end as u32 + 1,
    }
}

/// The smallest span that holds both.
pub(super) fn join(a: Span, b: Span) -> Span {
    Span {
        start: a.start.min(b.start),
        end: a.end.max(b.end),
        line_start: a.line_start.min(b.line_start),
        line_end: a.line_end.max(b.line_end),
    }
}

/// Calls `found` with every node that stands for a syntax error, in order, until it says stop.
pub(super) fn errors<'t>(tree: &'t Tree, mut found: impl FnMut(Node<'t>) -> ControlFlow<()>) {
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        let broken = node.is_error() || node.is_missing();
        if broken && found(node).is_break() {
            return;
        }
        if !broken && node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}
