//! What the layout of Elixir code tells, as `mix format` lays it out, where the parser found no structure.

use tree_sitter::{Point, Range};

use super::check::long_strings;
use crate::source::Span;

/// A line that holds something, with the lines on which a string of it goes on.
pub(super) struct Line<'t> {
    pub(super) start: usize,
    pub(super) row: usize,
    pub(super) indent: usize,
    /// The first of these lines, without the white space around it.
    pub(super) text: &'t str,
    /// Where the last of them ends, without the white space behind it.
    end: usize,
    end_point: Point,
}

impl<'t> Line<'t> {
    /// Whether it goes on with what began above it at the same indentation, or deeper.
    fn goes_on(&self) -> bool {
        self.text.starts_with(['|', ')', ']', '}'])
    }

    fn goes_on_in_block(&self) -> bool {
        matches!(self.text, "rescue" | "catch" | "else" | "after")
    }

    pub(super) fn closes(&self) -> bool {
        let behind = self.text.strip_prefix("end");
        behind.is_some_and(|behind| behind.is_empty() || behind.starts_with([')', ']', '}', ',', ' ', '.']))
    }

    /// The first word.
    pub(super) fn word(&self) -> &'t str {
        self.text.split([' ', '(']).next().unwrap_or_default()
    }

    /// Whether it ends with a `do`.
    pub(super) fn opens_block(&self) -> bool {
        let code = self.text.split(" #").next().unwrap_or_default().trim_end();
        code == "do" || code.ends_with(" do") || code.ends_with(")do")
    }

    /// Whether an `end` below it at the same indentation belongs to it.
    fn awaits_end(&self) -> bool {
        self.opens_block() || self.text.contains("fn ") || self.text.contains("fn->")
    }

    /// Whether what it begins goes on with `next`, as a head of several lines does.
    pub(super) fn leads_to(&self, next: &Line) -> bool {
        self.text.ends_with([',', '(', '[', '{', '|', '='])
            || self.text.ends_with(" when")
            || next.text.starts_with([')', ']', '}'])
            || next.text.starts_with("when ")
    }

    /// From the beginning of `first` to what stands before the `do` at the end of this line.
    pub(super) fn before_do(&self, first: &Line) -> Option<Range> {
        let code = self.text.split(" #").next().unwrap_or_default().trim_end();
        let length = code.strip_suffix("do")?.len();
        Some(Range {
            start_byte: first.start,
            end_byte: self.start + length,
            start_point: Point::new(first.row, first.indent),
            end_point: Point::new(self.row, self.indent + length),
        })
    }

    /// What stands before `, do:`.
    pub(super) fn before_keyword(&self) -> Option<Range> {
        let length = self.text.find(", do:")?;
        Some(Range {
            start_byte: self.start,
            end_byte: self.start + length,
            start_point: Point::new(self.row, self.indent),
            end_point: Point::new(self.row, self.indent + length),
        })
    }

    /// The place of the `end` with which it begins.
    pub(super) fn end_word(&self) -> Range {
        Range {
            start_byte: self.start,
            end_byte: self.start + 3,
            start_point: Point::new(self.row, self.indent),
            end_point: Point::new(self.row, self.indent + 3),
        }
    }
}

/// The lines that hold something.
pub(super) fn lines(source: &str) -> Vec<Line<'_>> {
    let mut strings = long_strings(source).into_iter().peekable();
    let mut start = 0;
    let mut lines: Vec<Line> = Vec::new();
    // Where the string ends that began on the line before.
    let mut inside = 0;
    for (row, line) in source.split_inclusive('\n').enumerate() {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        if !text.is_empty() {
            let end = start + indent + text.len();
            let end_point = Point::new(row, indent + text.len());
            match lines.last_mut().filter(|_| inside > start) {
                Some(open) => (open.end, open.end_point) = (end, end_point),
                None => lines.push(Line { start: start + indent, row, indent, text, end, end_point }),
            }
        }
        start += line.len();
        while let Some(string) = strings.next_if(|string| string.start < start) {
            inside = string.end;
        }
    }
    lines
}

/// Whether modules are indented: if not, layout tells nothing.
pub(super) fn is_laid_out(lines: &[Line]) -> bool {
    lines.windows(2).all(|pair| {
        let [module, next] = pair else { return true };
        module.word() != "defmodule" || !module.opens_block() || next.indent > module.indent || next.closes()
    })
}

/// The lines of the form that begins on the first line, and the lines behind it.
pub(super) fn form<'l, 't>(lines: &'l [Line<'t>]) -> Option<(&'l [Line<'t>], &'l [Line<'t>])> {
    let first = lines.first()?;
    if first.closes() {
        return Some(lines.split_at(1));
    }
    let (mut awaits_end, mut length) = (first.awaits_end(), 1);
    for line in &lines[1..] {
        let closes = awaits_end && line.indent == first.indent && line.closes();
        let goes_on = line.indent > first.indent
            || line.goes_on()
            || (line.indent == first.indent && line.goes_on_in_block())
            || closes;
        if !goes_on {
            break;
        }
        awaits_end = match closes {
            true => line.awaits_end(),
            false => awaits_end || (line.indent == first.indent && line.awaits_end()),
        };
        length += 1;
    }
    Some(lines.split_at(length))
}

/// From the beginning of one line to the end of another.
pub(super) fn range(first: &Line, last: &Line) -> Range {
    Range {
        start_byte: first.start,
        end_byte: last.end,
        start_point: Point::new(first.row, first.indent),
        end_point: last.end_point,
    }
}

/// The same as a span.
pub(super) fn span(first: &Line, last: &Line) -> Span {
    let Range { start_byte, end_byte, .. } = range(first, last);
    Span {
        start: start_byte as u32,
        end: end_byte as u32,
        line_start: first.row as u32 + 1,
        line_end: last.end_point.row as u32 + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(text: &str) -> Vec<(String, String)> {
        let lines = lines(text);
        let mut rest = &lines[..];
        let mut found = Vec::new();
        while let Some((form, behind)) = form(rest) {
            let last = form.last().map_or("", |line| line.text);
            found.push((form[0].text.to_owned(), last.to_owned()));
            rest = behind;
        }
        found
    }

    #[test]
    fn a_form_ends_with_its_end_or_before_what_is_not_deeper() {
        let text = "def a do\n  b\nrescue\n  c\nend\nend\ndef d(\n  e\n) do\n  f\ndef g, do: h\nend\n\ndef i do\n  def j\n@doc \"\"\"\nk\n\"\"\"\nl";
        let pairs = [
            ("def a do", "end"),
            ("end", "end"),
            ("def d(", "f"),
            ("def g, do: h", "def g, do: h"),
            ("end", "end"),
            ("def i do", "def j"),
            ("@doc \"\"\"", "@doc \"\"\""),
            ("l", "l"),
        ];
        assert_eq!(forms(text), pairs.map(|(first, last)| (first.to_owned(), last.to_owned())));
    }

    #[test]
    fn modules_that_are_not_indented_tell_nothing() {
        assert!(is_laid_out(&lines("defmodule A do\n  def a, do: 1\nend\ndefmodule B do\nend")));
        assert!(!is_laid_out(&lines("defmodule A do\ndef a, do: 1\nend")));
    }
}
