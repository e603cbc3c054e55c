//! The code of templates as Elixir that can be parsed, without moving a byte of it.

use std::borrow::Cow;
use std::ops::Range;

use tree_sitter::{Node, Point, Tree, TreeCursor};

use super::scan::{Component, Dialect, PieceKind, Problem, TemplatePiece, TemplateScan, scan};
use crate::source::Span;
use crate::syntax::FileFacts;
use crate::syntax::lines::LineNumbers;
use crate::syntax::parse::PartParser;

/// A file's text, in which the templates have given way to their code.
pub(in crate::syntax) struct Overlay<'s> {
    text: Cow<'s, str>,
    templates: Vec<EmbeddedTemplate>,
}

/// A template that has been parsed.
pub(in crate::syntax) struct EmbeddedTemplate {
    /// Where the sigil or string begins that holds it; for a file that is one, 0.
    pub(super) at: usize,
    pub(in crate::syntax) range: Range<usize>,
    /// Of its code; places in it are those of the file, but for the lines. `None` if it is nothing like Elixir.
    pub(in crate::syntax) tree: Option<Tree>,
    pub(super) components: Vec<Component>,
    pub(in crate::syntax) problems: Vec<Problem>,
}

struct TemplateRange {
    at: usize,
    range: Range<usize>,
    dialect: Dialect,
}

impl<'s> Overlay<'s> {
    /// Of a file that is a template.
    pub(in crate::syntax) fn of_template(text: &'s str, dialect: Dialect) -> Self {
        Self::new(text, vec![TemplateRange { at: 0, range: 0..text.len(), dialect }])
    }

    /// Of a file of Elixir code, where `trees` have the templates.
    pub(in crate::syntax) fn of_code<'t>(text: &'s str, trees: impl Iterator<Item = &'t Tree>) -> Self {
        let hints = hints(text);
        let mut places = Vec::new();
        if !hints.is_empty() {
            trees.for_each(|tree| find(text, tree, &hints, &mut places));
        }
        places.sort_by_key(|place| (place.at, place.range.end));
        let mut end = 0;
        places.retain(|place| {
            let is_apart = place.at >= end;
            end = if is_apart { place.range.end } else { end };
            is_apart
        });
        Self::new(text, places)
    }

    fn new(text: &'s str, places: Vec<TemplateRange>) -> Self {
        if places.is_empty() {
            return Overlay { text: text.into(), templates: Vec::new() };
        }
        let Some(mut parts) = PartParser::of(tree_sitter_elixir::LANGUAGE, text.len()) else {
            return Overlay { text: text.into(), templates: Vec::new() };
        };
        let mut code = text.as_bytes().to_vec();
        let templates =
            places.into_iter().map(|place| template(text, &mut code, place, &mut parts)).collect();
        match String::from_utf8(code) {
            Ok(code) => Overlay { text: code.into(), templates },
            Err(_) => Overlay { text: text.into(), templates: Vec::new() },
        }
    }

    /// As long as the file, and the same outside of templates.
    pub(in crate::syntax) fn text(&self) -> &str {
        &self.text
    }

    /// In order of position.
    pub(in crate::syntax) fn templates(&self) -> &[EmbeddedTemplate] {
        &self.templates
    }
}

/// Puts the code of a template into `code` in place of its text, and parses it there.
fn template(
    text: &str,
    code: &mut [u8],
    TemplateRange { at, range, dialect }: TemplateRange,
    parts: &mut PartParser,
) -> EmbeddedTemplate {
    let TemplateScan { pieces, components, mut problems } = scan(text, range.clone(), dialect);
    code[range.clone()].fill(b' ');
    pieces.iter().for_each(|piece| put(text, code, piece));
    let mut tree = parts.parse_hopefully(code, extent(text, code, &pieces));
    if is_broken(&tree) {
        drop(tree);
        // One piece that is not Elixir must not spoil what the others say: it is left out.
        for piece in pieces.iter().filter(|piece| is_whole(text, piece)) {
            let part = extent(text, code, std::slice::from_ref(piece));
            if is_broken(&parts.parse(code, part)) {
                if parts.is_spent() {
                    break;
                }
                code[covered(text, piece)].fill(b' ');
                problems.push((piece.code.clone(), "this is not Elixir"));
            }
        }
        tree = parts.parse(code, extent(text, code, &pieces));
    }
    EmbeddedTemplate { at, range, tree, components, problems }
}

fn is_broken(tree: &Option<Tree>) -> bool {
    tree.as_ref().is_none_or(|tree| tree.root_node().has_error())
}

/// What a piece takes up in the code: the end of a line before it, and its tail.
fn covered(text: &str, piece: &TemplatePiece) -> Range<usize> {
    piece.code.start - 1..piece.code.end + tail(text, piece).len()
}

/// What takes the place of a piece's closing mark: a clause gets a body, which is text or the pieces that follow.
fn tail(text: &str, piece: &TemplatePiece) -> &'static [u8] {
    let code = text.get(piece.code.clone()).unwrap_or_default();
    if piece.kind == PieceKind::Tag && code.trim_end().ends_with("->") { b"0" } else { b"" }
}

/// Writes a piece to its place. What opened it becomes the end of a line, so that it begins an expression.
fn put(text: &str, code: &mut [u8], piece: &TemplatePiece) {
    let Range { start, end } = piece.code;
    code[start..end].copy_from_slice(&text.as_bytes()[start..end]);
    code[start - 1] = b'\n';
    // The parser looks from each end of a line at all the white space behind it, so of empty lines one is kept.
    let mut empty = Some(start - 1);
    for at in start..end {
        match code[at] {
            b'\n' => {
                if let Some(before) = empty.replace(at) {
                    code[before] = b' ';
                }
            }
            b' ' | b'\t' | b'\r' => {}
            _ => empty = None,
        }
    }
    let tail = tail(text, piece);
    code[end..end + tail.len()].copy_from_slice(tail);
}

/// From the first of the pieces to the last.
fn extent(text: &str, code: &[u8], pieces: &[TemplatePiece]) -> tree_sitter::Range {
    let (start, end) = match (pieces.first(), pieces.last()) {
        (Some(first), Some(last)) => (first.code.start, covered(text, last).end.min(code.len())),
        _ => (0, 0),
    };
    let line = code[start..end].rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len);
    let lines = code[start..end].iter().filter(|byte| **byte == b'\n').count();
    let (start_point, end_point) = (Point::new(0, 0), Point::new(lines, line));
    tree_sitter::Range { start_byte: start, end_byte: end, start_point, end_point }
}

/// Whether a piece is an expression by itself, as all are but the parts of blocks.
fn is_whole(text: &str, piece: &TemplatePiece) -> bool {
    let code = text.get(piece.code.clone()).unwrap_or_default().trim();
    let ends_word = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let begins = ["end", "else", "after", "catch", "rescue"]
        .iter()
        .any(|word| code.strip_prefix(word).is_some_and(ends_word));
    let goes_on = code.ends_with("->")
        || code.strip_suffix("do").is_some_and(|before| before.ends_with([' ', ')', '\n']));
    piece.kind != PieceKind::Tag || !(begins || goes_on)
}

/// Calls that have a template as a string.
const FROM_STRING: &str = "EEx.function_from_string";

/// Where templates may begin, in order.
fn hints(text: &str) -> Vec<usize> {
    let sigils = text.match_indices('~').map(|(at, _)| at);
    let mut hints: Vec<usize> = sigils
        .filter(|at| matches!(text.as_bytes().get(at + 1), Some(b'H' | b'L' | b'E')))
        .chain(text.match_indices(FROM_STRING).map(|(at, _)| at))
        .collect();
    hints.sort_unstable();
    hints
}

/// Adds the templates that begin at `hints` in a tree.
fn find(text: &str, tree: &Tree, hints: &[usize], places: &mut Vec<TemplateRange>) {
    let (mut cursor, mut inner) = (tree.walk(), tree.walk());
    let begin = tree.root_node().start_byte();
    let mut next = hints.partition_point(|hint| *hint < begin);
    loop {
        let node = cursor.node();
        while hints.get(next).is_some_and(|hint| *hint < node.start_byte()) {
            next += 1;
        }
        let Some(hint) = hints.get(next) else { return };
        if *hint < node.end_byte() {
            if *hint == node.start_byte()
                && let Some(place) = place(text, node, &mut inner)
            {
                places.push(place);
                next += 1;
            } else if cursor.goto_first_child() {
                continue;
            }
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

/// The template that `node` is, or has as an argument.
fn place<'t>(text: &str, node: Node<'t>, cursor: &mut TreeCursor<'t>) -> Option<TemplateRange> {
    let (holder, dialect) = match node.kind() {
        "sigil" => {
            let dialect = match text.get(node.named_child(0)?.byte_range())? {
                "H" | "LVN" => Dialect::Heex,
                "L" | "E" => Dialect::Eex,
                _ => return None,
            };
            (node, dialect)
        }
        "call" if text.get(node.child_by_field_name("target")?.byte_range())? == FROM_STRING => {
            let arguments = node.named_children(cursor).find(|child| child.kind() == "arguments")?;
            let literal = arguments.named_children(cursor).find(|child| child.kind() == "string")?;
            // Where something is escaped or interpolated the code is not what is written.
            let is_written = literal.named_children(cursor).all(|child| child.kind() == "quoted_content");
            is_written.then_some((literal, Dialect::Eex))?
        }
        _ => return None,
    };
    let start = holder.child_by_field_name("quoted_start")?.end_byte();
    let end = holder.child_by_field_name("quoted_end")?.start_byte();
    Some(TemplateRange { at: holder.start_byte(), range: start..end.max(start), dialect })
}

/// Sets all lines by the places in the file's own text: code that was laid over it has ends of lines of its own.
pub(in crate::syntax) fn renumber(facts: &mut FileFacts, text: &str) {
    let lines = LineNumbers::of(text);
    let line = |at: u32| lines.at(at);
    let set = |span: &mut Span| (span.line_start, span.line_end) = (line(span.start), line(span.end));
    for definition in &mut facts.definitions {
        set(&mut definition.span);
        definition.clauses.iter_mut().for_each(set);
    }
    facts.references.iter_mut().for_each(|reference| set(&mut reference.span));
    facts.imports.iter_mut().for_each(|import| set(&mut import.scope));
    facts.injected_definitions.iter_mut().for_each(|definition| set(&mut definition.span));
    facts.diagnostics.iter_mut().filter_map(|diagnostic| diagnostic.span.as_mut()).for_each(set);
}
