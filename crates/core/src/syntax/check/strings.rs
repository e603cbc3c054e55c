//! Where the strings over several lines are in a text whose quotes may not match.

use std::ops::Range;

use super::token::{Bracket, Lexer, TokenKind};

/// So many strings are found to have no end of their own.
const MOST_CUTS: usize = 64;

/// Words that begin a line of code, and hardly one of a text.
const CODE: [&str; 12] = [
    "def",
    "defp",
    "defmacro",
    "defmacrop",
    "defmodule",
    "defdelegate",
    "defstruct",
    "@doc",
    "@spec",
    "@impl",
    "@moduledoc",
    "end",
];

/// The strings over several lines, in order and apart. One that holds a line of code no deeper than the line on which it
/// begins lacks its end: it is taken to end before that line.
pub(in super::super) fn long_strings(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut from, mut cuts, mut tries) = (Vec::<Range<usize>>::new(), 0, 0, 0);
    'from: loop {
        let mut lexer = Lexer::new(text, from);
        while let Some(token) = lexer.token() {
            if token.kind == TokenKind::Close(Bracket::Interpolation) {
                lexer.resume();
            }
            let closed = std::mem::take(&mut lexer.long_strings).into_iter().map(|string| (string, true));
            let open = lexer.open_string.take().filter(|_| tries < MOST_CUTS);
            tries += usize::from(open.is_some());
            let open = open.map(|start| (start..text.len(), false));
            for (string, is_closed) in closed.chain(open) {
                match cut(text, &string).filter(|_| cuts < MOST_CUTS) {
                    Some(cut) => {
                        found.push(string.start..cut);
                        (from, cuts) = (cut, cuts + 1);
                        continue 'from;
                    }
                    None if is_closed => found.push(string),
                    // A quote without an end is none: what follows is read as code.
                    None => {}
                }
            }
        }
        break;
    }
    // A string in an interpolation of another is found before that one.
    found.sort_unstable_by_key(|string| (string.start, usize::MAX - string.end));
    let mut end = 0;
    found.retain(|string| {
        let is_apart = string.start >= end;
        end = end.max(string.end);
        is_apart
    });
    found
}

/// Where the first line of code in a string begins.
fn cut(text: &str, string: &Range<usize>) -> Option<usize> {
    let line = text[..string.start].rfind('\n').map_or(0, |line| line + 1);
    let indent = indent(&text[line..string.end]);
    let mut at = string.start;
    for line in text[string.clone()].split_inclusive('\n') {
        let word = line.trim_start().split([' ', '(', '\n', '\r']).next().unwrap_or_default();
        if at > string.start && self::indent(line) <= indent && CODE.contains(&word) {
            return Some(at);
        }
        at += line.len();
    }
    None
}

fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<_> = long_strings(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn strings_over_several_lines_are_found_whatever_the_quotes_are() {
        check("a \"b\"\nc \"d\ne\"\n", &["\"d\ne\""]);
        check("x \"\"\"\n  def a\n  \"\"\"\n", &["\"\"\"\n  def a\n  \"\"\""]);
        check("\"#{~s(\n)}\n\"", &["\"#{~s(\n)}\n\""]);
        check("  @doc \"\"\"\n  Text.\n  def a, do: \"\n  \"\n", &["\"\"\"\n  Text.\n", "\"\n  \""]);
        check("  a = \"b\n  end\n  def c, do: \"d\"\n", &["\"b\n"]);
    }
}
