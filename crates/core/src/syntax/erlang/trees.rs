//! From text to trees: one for a file without errors, else one for each form that stands by itself, so that an error
//! reaches no further than its form.

use std::borrow::Cow;

use tree_sitter::{Point, Range, Tree};

use crate::source::{Diagnostic, File, Span};
use crate::syntax::diagnose;
use crate::syntax::parse::{PartParser, parse};

/// The trees of a file, in order of position.
pub(super) fn trees(file: &File, diagnostics: &mut Vec<Diagnostic>) -> Vec<Tree> {
    let mut text = Cow::Borrowed(&*file.text);
    let mut whole = tree(&text);
    if whole.as_ref().is_none_or(|tree| tree.root_node().has_error())
        && let Some(plain) = without_maybe(&text)
    {
        text = Cow::Owned(plain);
        whole = tree(&text);
    }
    if let Some(tree) = whole.take_if(|tree| !tree.root_node().has_error()) {
        return vec![tree];
    }
    let mut told = Vec::new();
    if let Some(tree) = &whole {
        diagnose::syntax(file, "Erlang", tree, &mut told);
    }
    let parts = parts(&text, whole.as_ref());
    drop(whole);
    let mut trees = Vec::new();
    let Some(mut parser) = PartParser::of(tree_sitter_erlang::LANGUAGE, text.len()) else { return trees };
    for part in parts {
        if parser.is_spent() {
            let rest = Span { end: text.len() as u32, line_end: last_line(&text), ..span(part) };
            diagnose::given_up(file, "Erlang", Some(rest), diagnostics);
            break;
        }
        match parser.parse(text.as_bytes(), part) {
            Some(tree) => {
                diagnose::syntax(file, "Erlang", &tree, diagnostics);
                trees.push(tree);
            }
            None => diagnose::given_up(file, "Erlang", Some(span(part)), diagnostics),
        }
    }
    // A part by itself may be an expression, which is no error to the grammar.
    if diagnostics.is_empty() {
        *diagnostics = told;
    }
    trees
}

/// Until Erlang/OTP 27 `maybe` was an atom like others, and for the grammar it is a keyword. In a file that does not use it as
/// a keyword another atom of the same length takes its place; what is read is the text as it was.
fn without_maybe(text: &str) -> Option<String> {
    (text.contains("maybe") && !text.contains("?=")).then(|| text.replace("maybe", "may_e"))
}

fn tree(text: &str) -> Option<Tree> {
    parse(tree_sitter_erlang::LANGUAGE, text)
}

fn last_line(text: &str) -> u32 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1
}

fn span(part: Range) -> Span {
    Span {
        start: part.start_byte as u32,
        end: part.end_byte as u32,
        line_start: part.start_point.row as u32 + 1,
        line_end: part.end_point.row as u32 + 1,
    }
}

/// The parts of a text that hold one form or one clause each, as its layout shows them: they begin at the beginning of a
/// line that looks like it, or that comes after a dot. What the grammar has understood as a form is not cut.
fn parts(text: &str, tree: Option<&Tree>) -> Vec<Range> {
    let mut whole = Vec::new();
    if let Some(tree) = tree {
        let mut cursor = tree.walk();
        let forms = tree.root_node().named_children(&mut cursor);
        whole.extend(forms.filter(|form| !form.has_error()).map(|form| form.byte_range()));
    }
    let mut whole = whole.into_iter().peekable();
    let mut parts: Vec<Range> = Vec::new();
    let (mut begin, mut at) = ((0, Point::new(0, 0)), 0);
    // Comments and empty lines go with what follows.
    let (mut lead, mut is_ended) = (None, false);
    for (row, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        while whole.next_if(|form| form.end <= start).is_some() {}
        let here = (start, Point::new(row, 0));
        let is_lead = line.starts_with('%') || line.trim().is_empty();
        let is_first = begins_form(line) || (is_ended && !is_lead && !line.starts_with(char::is_whitespace));
        let is_cut = is_first && whole.peek().is_none_or(|form| form.start >= start);
        if is_cut {
            let cut = lead.take().unwrap_or(here);
            parts.push(range(begin, cut));
            begin = cut;
        }
        match (is_lead, lead) {
            (true, None) => lead = Some(here),
            (false, _) => lead = None,
            _ => {}
        }
        is_ended = if is_lead { is_ended } else { line.trim_end().ends_with('.') };
    }
    let end = text.trim_end_matches('\n').len();
    let rows = text[..end].bytes().filter(|byte| *byte == b'\n').count();
    let last = text[..end].rfind('\n').map_or(0, |line| line + 1);
    if begin.0 < end {
        parts.push(range(begin, (end, Point::new(rows, end - last))));
    }
    parts.retain(|part| part.start_byte < part.end_byte);
    parts
}

fn range(from: (usize, Point), to: (usize, Point)) -> Range {
    Range { start_byte: from.0, end_byte: to.0, start_point: from.1, end_point: to.1 }
}

/// Whether a line looks like the first of a form: `-word`, or a name and its arguments.
fn begins_form(line: &str) -> bool {
    if let Some(attribute) = line.strip_prefix('-') {
        return attribute.starts_with(|first: char| first.is_ascii_lowercase());
    }
    let name = match line.strip_prefix('\'') {
        Some(quoted) => quoted.find('\'').map(|end| end + 2),
        None if line.starts_with(char::is_lowercase) => {
            line.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '@')))
        }
        None => None,
    };
    name.and_then(|end| line.get(end..)).is_some_and(|rest| rest.trim_start().starts_with('('))
}
