//! Source text to a tree-sitter tree, within a bound on the work.
//!
//! Well-formed text takes the parser a step or two for each token, however deep it is nested. Two things take more: errors,
//! for each of which all that could follow is tried, and places that the grammar can read in many ways at once, such as a sum
//! of thousands. [`ParseBudget`] counts it, and takes no times, so that the same text always gives the same answer.

use std::ops::ControlFlow;

use tree_sitter::{Language, Node, Parser, Range, Tree};

use super::parse_budget::{PART, ParseBudget, Sampling, WHOLE, WORK_OF_PART};
use crate::source::Span;

/// Parses `text` by the grammar of a language. `None` when errors, or the many ways to read it, cost too much.
pub(super) fn parse(language: impl Into<Language>, text: impl AsRef<[u8]>) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&language.into()).ok()?;
    let text = text.as_ref();
    ParseBudget::new(WHOLE, 0, u64::MAX).parse(&mut parser, text, 0..text.len())
}

/// All parts of a file together may take so much work, and one unit more for each byte: a second, for thousands of errors.
const WORK_OF_ALL_PARTS: u64 = 2_000_000;

/// Parses parts of a text, one after another.
pub(super) struct PartParser {
    parser: Parser,
    /// The work that may still be done on what is not well-formed.
    left: u64,
    stretches: u64,
}

impl PartParser {
    /// For the parts of a text of so many bytes. `None` if tree-sitter does not know the version of the grammar.
    pub(super) fn of(language: impl Into<Language>, length: usize) -> Option<Self> {
        let mut parser = Parser::new();
        parser.set_language(&language.into()).ok()?;
        Some(PartParser { parser, left: WORK_OF_ALL_PARTS + length as u64, stretches: 0 })
    }

    /// Parses a part of `text`. `None` when that costs too much, or too much has been spent on other parts.
    pub(super) fn parse(&mut self, text: &[u8], part: Range) -> Option<Tree> {
        self.parse_within(PART, self.stretches, text, &[part])
    }

    /// The same for a part that may well be whole, and is parsed again if it is not.
    pub(super) fn parse_hopefully(&mut self, text: &[u8], part: Range) -> Option<Tree> {
        self.parse_within(WHOLE, 0, text, &[part])
    }

    /// The same for several parts that follow one another, as if there were nothing between them.
    pub(super) fn parse_joined(&mut self, text: &[u8], parts: &[Range]) -> Option<Tree> {
        self.parse_within(PART, self.stretches, text, parts)
    }

    fn parse_within(
        &mut self,
        sampling: Sampling,
        before: u64,
        text: &[u8],
        parts: &[Range],
    ) -> Option<Tree> {
        let (first, last) = (parts.first()?, parts.last()?);
        if self.is_spent() || self.parser.set_included_ranges(parts).is_err() {
            return None;
        }
        let mut budget = ParseBudget::new(sampling, before, self.left);
        let tree = budget.parse(&mut self.parser, text, first.start_byte..last.end_byte);
        self.left = self.left.saturating_sub(budget.excess() + WORK_OF_PART);
        self.stretches += budget.stretches() - before;
        tree
    }

    /// Whether nothing more is parsed.
    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }
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

#[cfg(test)]
mod tests {
    use tree_sitter::Point;

    use super::*;

    fn part(from: usize, to: usize) -> Range {
        Range {
            start_byte: from,
            end_byte: to,
            start_point: Point::new(0, from),
            end_point: Point::new(0, to),
        }
    }

    #[test]
    fn parts_are_parsed_by_themselves() {
        let mut parts = PartParser::of(tree_sitter_elixir::LANGUAGE, 9).unwrap();
        let tree = parts.parse(b") [a, b] )", part(2, 8)).unwrap();
        assert!(!tree.root_node().has_error() && tree.root_node().byte_range() == (2..8));
        assert!(parts.parse(b") [a, b] )", part(0, 10)).unwrap().root_node().has_error());
    }

    #[test]
    fn what_is_broken_is_parsed_until_too_much_is_spent() {
        let text = "a b c 1 2 ".repeat(10);
        let mut parts = PartParser::of(tree_sitter_elixir::LANGUAGE, text.len()).unwrap();
        let parsed = (0..1_000_000)
            .take_while(|_| parts.parse(text.as_bytes(), part(0, text.len())).is_some())
            .count();
        assert!((100..100_000).contains(&parsed) && parts.is_spent(), "{parsed}");
        assert!(parts.parse(b"a", part(0, 1)).is_none());
    }
}
