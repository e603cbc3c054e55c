//! Made-up entries for the tests of this module.

use std::sync::Arc;

use proptest::prelude::*;

use super::entry::Entry;
use crate::source::{File, Span};
use crate::syntax::{Chunk, FileFacts};

/// A file whose chunks are the lines of `chunks`, each with its symbol.
pub(crate) fn entry(path: &str, chunks: &[(&str, &str)]) -> Arc<Entry> {
    let mut text = String::new();
    let mut facts = FileFacts::default();
    for (line, (symbol, body)) in (1..).zip(chunks) {
        let start = text.len() as u32;
        text.push_str(body);
        facts.chunks.push(Chunk {
            span: Span { start, end: text.len() as u32, line_start: line, line_end: line },
            symbol: Arc::from(*symbol),
            kind: None,
            header: Arc::from(path),
        });
        text.push('\n');
    }
    Arc::new(Entry::new(File::new(path, text), facts))
}

/// A few short texts of few words, so that the same ones come again.
pub(crate) fn texts() -> impl Strategy<Value = Vec<String>> {
    let word = prop::sample::select(vec!["alpha", "beta", "gamma", "delta", "Alpha.beta/2", "def"]);
    let text = prop::collection::vec(word, 0..6).prop_map(|words| words.join(" "));
    prop::collection::vec(text, 0..4)
}
