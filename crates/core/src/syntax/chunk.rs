//! Facts to chunks: the places that are searched and shown as one.

use super::{Chunk, Definition, DefinitionKind, FileFacts};
use crate::source::{File, Span};

/// One chunk for each function, macro, test and the like, and one for each stretch of lines between them.
pub(super) fn chunks(file: &File, facts: &FileFacts) -> Vec<Chunk> {
    let header: std::sync::Arc<str> = file.path.clone();
    let chunk = |span: Span, definition: Option<&Definition>| Chunk {
        span,
        symbol: definition.map_or_else(|| "".into(), |d| d.qualified().into()),
        kind: definition.map(|d| d.kind),
        header: header.clone(),
    };
    let mut chunks = Vec::new();
    let mut gap = Gap { text: &file.text, at: 0, line: 1 };
    for definition in facts.definitions.iter().filter(|d| stands_alone(d.kind)) {
        if (definition.span.start as usize) < gap.at {
            continue;
        }
        chunks.extend(gap.until(definition.span.start as usize).map(|span| chunk(span, None)));
        chunks.push(chunk(definition.span, Some(definition)));
        gap.skip(definition.span);
    }
    chunks.extend(gap.until(file.text.len()).map(|span| chunk(span, None)));
    chunks
}

fn stands_alone(kind: DefinitionKind) -> bool {
    use DefinitionKind::{Delegate, Function, Guard, Macro, Test};
    matches!(kind, Function | Macro | Guard | Delegate | Test)
}

/// The text that no chunk holds yet.
struct Gap<'t> {
    text: &'t str,
    at: usize,
    line: u32,
}

impl Gap<'_> {
    fn until(&mut self, end: usize) -> Option<Span> {
        let text = self.text.get(self.at..end)?;
        let inner = text.trim();
        let start = self.at + (text.len() - text.trim_start().len());
        let line_start = self.line + lines(&text[..start - self.at]);
        let line_end = line_start + lines(inner);
        let span = Span { start: start as u32, end: (start + inner.len()) as u32, line_start, line_end };
        (!inner.is_empty()).then_some(span)
    }

    fn skip(&mut self, span: Span) {
        self.at = span.end as usize;
        self.line = span.line_end;
    }
}

fn lines(text: &str) -> u32 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u32
}
