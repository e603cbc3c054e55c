//! A file in the index, and the files of one version of the index.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::grep::trigrams::{Bits, Trigrams};
use crate::source::{ContentHash, File, Span};
use crate::syntax::{Chunk, Definition, FileFacts};

/// What is around a chunk is looked for among so many definitions before it.
const AROUND: usize = 32;

/// A file, what is known of it, and the names of its chunks' contents. It never changes, and versions of the index share it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) file: File,
    pub(crate) facts: Arc<FileFacts>,
    /// Of each chunk, the hash of what an encoder is given: equal texts share one vector.
    pub(crate) keys: Vec<ContentHash>,
    #[serde(skip)]
    trigrams: Trigrams,
}

impl Entry {
    pub(crate) fn new(file: File, mut facts: FileFacts) -> Self {
        // What comes from outside this crate's own reader may say anything; a span that is no place in the text would
        // be a panic later.
        facts.chunks.retain(|chunk| file.text.get(range(chunk)).is_some());
        let mut entry =
            Entry { file, facts: Arc::new(facts), keys: Vec::new(), trigrams: Trigrams::default() };
        entry.keys = (0..entry.facts.chunks.len())
            .map(|at| ContentHash::of(entry.embedding_text(at).as_bytes()))
            .collect();
        entry
    }

    pub(crate) fn chunk_text(&self, at: usize) -> &str {
        &self.file.text[range(&self.facts.chunks[at])]
    }

    /// Which trigrams the text has.
    pub(crate) fn trigrams(&self) -> Bits<'_> {
        self.trigrams.of(&self.file.text)
    }

    /// The bytes that the set of trigrams takes, if there was a need for it.
    pub(crate) fn trigram_bytes(&self) -> usize {
        self.trigrams.bytes()
    }

    /// What an encoder is given for a chunk.
    pub(crate) fn embedding_text(&self, at: usize) -> String {
        let header = &self.facts.chunks[at].header;
        let text = self.chunk_text(at);
        format!("{header}\n{text}")
    }

    /// The definitions that begin in a chunk.
    pub(crate) fn definitions_in(&self, at: usize) -> impl Iterator<Item = &Definition> {
        let Span { start, end, .. } = self.facts.chunks[at].span;
        let first = self.facts.definitions.partition_point(|definition| definition.span.start < start);
        self.facts.definitions[first..].iter().take_while(move |definition| definition.span.start < end)
    }

    /// What a chunk is a later piece of.
    pub(crate) fn definition_around(&self, at: usize) -> Option<&Definition> {
        let Chunk { span, symbol, .. } = &self.facts.chunks[at];
        let before = self.facts.definitions.partition_point(|definition| definition.span.start < span.start);
        let around =
            |definition: &&Definition| definition.span.end >= span.end && definition.qualified() == **symbol;
        self.facts.definitions[before.saturating_sub(AROUND)..before].iter().rev().find(around)
    }

    /// Whether every chunk is a place in the text and has a key: what [`Entry::new`] makes true, and a stored entry must be.
    pub(crate) fn is_sound(&self) -> bool {
        self.keys.len() == self.facts.chunks.len()
            && self.facts.chunks.iter().all(|chunk| self.file.text.get(range(chunk)).is_some())
    }
}

fn range(chunk: &Chunk) -> std::ops::Range<usize> {
    chunk.span.start as usize..chunk.span.end as usize
}

/// The files of one version, sorted by path. Chunks are numbered through all files in this order, so that a smaller number
/// is an earlier path or an earlier place: the order that breaks ties.
#[derive(Debug, Default)]
pub(crate) struct Files {
    entries: Vec<Arc<Entry>>,
    /// The number of each file's first chunk, and at the end the number of all chunks.
    first: Vec<u32>,
    /// The content key of each chunk.
    keys: Vec<ContentHash>,
}

impl Files {
    pub(crate) fn new(mut entries: Vec<Arc<Entry>>) -> Self {
        entries.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        let mut first = Vec::with_capacity(entries.len() + 1);
        let mut total = 0u32;
        for entry in &entries {
            first.push(total);
            total += entry.facts.chunks.len() as u32;
        }
        first.push(total);
        let keys = entries.iter().flat_map(|entry| entry.keys.iter().copied()).collect();
        Files { entries, first, keys }
    }

    pub(crate) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Arc<Entry>> {
        Some(&self.entries[self.place(path)?])
    }

    /// The place of the file at `path`.
    pub(crate) fn place(&self, path: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| (*entry.file.path).cmp(path)).ok()
    }

    /// How many chunks there are.
    pub(crate) fn chunks(&self) -> usize {
        self.first.last().copied().unwrap_or(0) as usize
    }

    /// The numbers of the chunks of the file at `at`.
    pub(crate) fn numbers(&self, at: usize) -> std::ops::Range<u32> {
        self.first[at]..self.first[at + 1]
    }

    /// The place of the file of chunk `number`, and which of its chunks it is.
    pub(crate) fn locate(&self, number: u32) -> (usize, usize) {
        let at = self.first.partition_point(|first| *first <= number) - 1;
        (at, (number - self.first[at]) as usize)
    }

    /// The content key of each chunk, by its number.
    pub(crate) fn keys(&self) -> &[ContentHash] {
        &self.keys
    }
}
