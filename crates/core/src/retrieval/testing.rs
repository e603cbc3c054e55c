//! Made-up entries for the tests of this module.

use std::cell::RefCell;
use std::sync::Arc;

use proptest::prelude::*;

use super::entry::Entry;
use super::{Embedder, Index, embed_all};
use crate::project::ProjectFile;
pub(crate) use crate::project::testing::project;
use crate::project::testing::snapshot_of;
use crate::source::{ContentHash, File, Span};
use crate::syntax::{Chunk, FileFacts};
use crate::{Cancel, Result};

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
    Arc::new(Entry::new(Arc::new(ProjectFile::new(File::new(path, text), facts))))
}

/// A file as it is read.
pub(crate) fn analysed(path: &str, text: &str) -> Arc<Entry> {
    Arc::new(Entry::new(Arc::new(ProjectFile::read(File::new(path, text)))))
}

/// An index of these files, which need not be on the disk.
pub(crate) fn index_of(entries: Vec<Arc<Entry>>) -> Index {
    let files = entries.iter().map(|entry| entry.source().clone()).collect();
    Index::of(snapshot_of(files), &Cancel::new()).unwrap()
}

/// A few short texts of few words, so that the same ones come again.
pub(crate) fn texts() -> impl Strategy<Value = Vec<String>> {
    let word = prop::sample::select(vec!["alpha", "beta", "gamma", "delta", "Alpha.beta/2", "def"]);
    let text = prop::collection::vec(word, 0..6).prop_map(|words| words.join(" "));
    prop::collection::vec(text, 0..4)
}

/// A made-up encoder: four numbers from the hash of the text.
pub(crate) struct HashEmbedder(pub(crate) u8);

impl Embedder for HashEmbedder {
    fn dimensions(&self) -> usize {
        4
    }

    fn fingerprint(&self) -> ContentHash {
        ContentHash([self.0; 16])
    }

    fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>> {
        cancel.check()?;
        let vector = |text: &&str| {
            ContentHash::of(text.as_bytes()).0[..4].iter().map(|b| f32::from(*b) - 127.0).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}

/// The index with all vectors.
pub(crate) fn embedded(index: &Index) -> Index {
    let cell = RefCell::new(index.clone());
    embed_all(
        &|| cell.borrow().clone(),
        &HashEmbedder(1),
        3,
        &mut |batch, _| {
            let next = cell.borrow().with_vectors(batch)?;
            cell.replace(next);
            Ok(())
        },
        &Cancel::new(),
    )
    .unwrap();
    cell.into_inner()
}
