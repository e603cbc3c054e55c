//! Source text to a tree-sitter tree, within a bound on the work.

use std::ops::ControlFlow;

use tree_sitter::{Language, Node, ParseOptions, ParseState, Parser, Range, Tree};

use crate::source::Span;

/// Parser operations for every byte of text. Well-formed Elixir takes about one, and so does Erlang; no file of Erlang/OTP
/// takes two. More takes only text that is nothing like the language, and text that the grammar can read in many ways, such
/// as a sum of thousands.
const OPERATIONS_PER_BYTE: u64 = 2;

/// So much more work may a text take.
#[derive(Clone, Copy)]
pub(super) struct Slack {
    operations: u64,
    /// Operations where the parser knows no way to go on but to skip. What each costs grows with what has been skipped, so
    /// that the cost of all grows with their square.
    in_error: u64,
}

/// For a file or template.
pub(super) const SLACK: Slack = Slack { operations: 100_000, in_error: 30_000 };

/// For a part of one: there may be many.
pub(super) const SLACK_OF_PART: Slack = Slack { operations: 20_000, in_error: 10_000 };

/// What a parser costs before it has read anything.
const OPERATIONS_AT_FIRST: u64 = 100;

/// What an error costs: all that could follow is tried.
const OPERATIONS_OF_ERROR: u64 = 200;

/// The parser reports once in so many operations (a constant in tree-sitter's C code).
const OPERATIONS_PER_REPORT: u64 = 100;

/// The parser operations that may still be spent on the parts of one file. They are counted, and time is not, so that the
/// same text always gives the same answer.
pub(super) struct Budget {
    left: u64,
}

impl Budget {
    /// For the parts of a text of so many bytes: more than well-formed ones take.
    pub(super) fn of(length: usize) -> Self {
        Budget { left: SLACK.operations + length as u64 * OPERATIONS_PER_BYTE }
    }

    /// Whether there is nothing left.
    pub(super) fn is_spent(&self) -> bool {
        self.left == 0
    }
}

/// Parses `text` by the grammar of a language. `None` when that takes more work than any source code should.
pub(super) fn parse(language: impl Into<Language>, text: impl AsRef<[u8]>) -> Option<Tree> {
    parse_within(language, text.as_ref(), None, SLACK, &mut Budget { left: u64::MAX })
}

/// Parses `text`, or only a part of it, with so many operations to spare. `None` when that takes more work than any source
/// code should, or the budget is spent.
pub(super) fn parse_within(
    language: impl Into<Language>,
    text: &[u8],
    part: Option<Range>,
    slack: Slack,
    budget: &mut Budget,
) -> Option<Tree> {
    if budget.left == 0 {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&language.into()).ok()?;
    parser.set_included_ranges(part.as_slice()).ok()?;
    let start = part.map_or(0, |part| part.start_byte);
    let (mut seen, mut in_error) = (0, 0);
    let mut used = OPERATIONS_AT_FIRST;
    let mut bound = |state: &ParseState| {
        used += OPERATIONS_PER_REPORT;
        in_error += if state.has_error() { OPERATIONS_PER_REPORT } else { 0 };
        seen = state.current_byte_offset().saturating_sub(start).max(seen);
        let most = (slack.operations + seen as u64 * OPERATIONS_PER_BYTE).min(budget.left);
        if used > most || in_error > slack.in_error {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let mut read = |offset: usize, _| text.get(offset..).unwrap_or_default();
    let options = ParseOptions::new().progress_callback(&mut bound);
    let tree = parser.parse_with_options(&mut read, None, Some(options));
    let is_broken = tree.as_ref().is_none_or(|tree| tree.root_node().has_error());
    used += if is_broken { OPERATIONS_OF_ERROR } else { 0 };
    budget.left = budget.left.saturating_sub(used);
    tree
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
    use super::*;

    fn spent(text: &str) -> (u64, bool) {
        let mut budget = Budget { left: u64::MAX };
        let tree = parse_within(tree_sitter_elixir::LANGUAGE, text.as_bytes(), None, SLACK, &mut budget);
        (u64::MAX - budget.left, tree.is_some())
    }

    #[test]
    fn well_formed_text_is_read_in_linear_time() {
        let text = |times| "def f(x), do: g(x, [1, 2])\n".repeat(times);
        let ((once, one), (twice, two)) = (spent(&text(2_000)), spent(&text(4_000)));
        assert!(one && two && twice < once * 3, "{once} {twice}");
    }

    #[test]
    fn what_the_grammar_can_read_in_many_ways_is_given_up() {
        let ((once, one), (twice, two)) = (spent(&"a + ".repeat(50_000)), spent(&"a + ".repeat(100_000)));
        assert!(!one && !two && once == twice, "{once} {twice}");
    }

    #[test]
    fn a_spent_budget_parses_nothing() {
        let mut budget = Budget::of(10);
        let mut parse = |text: &str| {
            parse_within(tree_sitter_elixir::LANGUAGE, text.as_bytes(), None, SLACK, &mut budget)
        };
        assert!(parse("a").is_some());
        while parse(")").is_some() {}
        assert!(parse("a").is_none());
    }
}
