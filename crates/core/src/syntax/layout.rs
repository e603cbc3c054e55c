//! What the layout of Elixir code tells, as `mix format` lays it out, where the parser found no structure.

use tree_sitter::{Point, Range};

use crate::source::Span;

/// A line that holds something.
pub(super) struct Line<'t> {
    pub(super) start: usize,
    pub(super) row: usize,
    pub(super) indent: usize,
    /// Without the white space around it.
    pub(super) text: &'t str,
}

impl Line<'_> {
    /// Whether it goes on with what began above it at the same indentation, or deeper.
    fn goes_on(&self) -> bool {
        self.text.starts_with(['|', ')', ']', '}'])
    }

    fn goes_on_in_block(&self) -> bool {
        matches!(self.text, "rescue" | "catch" | "else" | "after")
    }

    fn closes(&self) -> bool {
        self.text == "end" || self.text.starts_with("end)")
    }
}

/// The lines that hold something.
pub(super) fn lines(source: &str) -> Vec<Line<'_>> {
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

/// For each line on which something begins that `wanted` wants, its last line: the `end` below it, or the line before
/// something that is not deeper. Other lines are their own.
pub(super) fn ends(lines: &[Line], wanted: impl Fn(&Line) -> bool) -> Vec<usize> {
    let mut ends: Vec<usize> = (0..lines.len()).collect();
    // What has begun and not ended, each deeper than the one before.
    let mut open: Vec<usize> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        while let Some(begun) = open.last().copied().filter(|_| !line.goes_on()) {
            let indent = lines[begun].indent;
            if line.indent > indent || (line.indent == indent && line.goes_on_in_block()) {
                break;
            }
            open.pop();
            ends[begun] = if line.indent == indent && line.closes() { at } else { at - 1 };
        }
        if !line.goes_on() && !line.goes_on_in_block() && wanted(line) {
            open.push(at);
        }
    }
    for begun in open {
        ends[begun] = lines.len() - 1;
    }
    ends
}

/// The lines of each form that begins at the beginning of a line.
pub(super) fn forms<'l, 't>(lines: &'l [Line<'t>]) -> impl Iterator<Item = &'l [Line<'t>]> {
    lines.chunk_by(|_, next| next.indent > 0 || next.goes_on() || next.goes_on_in_block() || next.closes())
}

/// From the beginning of one line to the end of another.
pub(super) fn range(first: &Line, last: &Line) -> Range {
    Range {
        start_byte: first.start,
        end_byte: last.start + last.text.len(),
        start_point: Point::new(first.row, first.indent),
        end_point: Point::new(last.row, last.indent + last.text.len()),
    }
}

/// The same as a span.
pub(super) fn span(first: &Line, last: &Line) -> Span {
    let Range { start_byte, end_byte, .. } = range(first, last);
    Span {
        start: start_byte as u32,
        end: end_byte as u32,
        line_start: first.row as u32 + 1,
        line_end: last.row as u32 + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_ends_with_its_end_or_before_what_is_not_deeper() {
        let text =
            "def a do\n  b\nrescue\n  c\nend\ndef d(\n  e\n) do\n  f\ndef g, do: h\n\ndef i do\n  def j\n";
        let lines = lines(text);
        let ends = ends(&lines, |line| line.text.starts_with("def"));
        let shown: Vec<_> = lines
            .iter()
            .zip(&ends)
            .filter(|(line, _)| line.text.starts_with("def"))
            .map(|(line, end)| (line.text, lines[*end].text))
            .collect();
        assert_eq!(
            shown,
            [
                ("def a do", "end"),
                ("def d(", "f"),
                ("def g, do: h", "def g, do: h"),
                ("def i do", "def j"),
                ("def j", "def j"),
            ]
        );
        let forms: Vec<_> = forms(&lines).map(|form| form[0].text).collect();
        assert_eq!(forms, ["def a do", "def d(", "def g, do: h", "def i do"]);
    }
}
