//! What a search needs of each file and chunk, and the chunks of one version of an index.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashSet};
use serde::{Deserialize, Serialize};

use super::aside::is_aside;
use super::fields::is_module;
use super::phrase::sieve;
use super::trigrams::{Bits, Trigrams};
use crate::project::{FileTable, ProjectFile};
use crate::source::{ContentHash, Span};
use crate::syntax::DefinitionKind;
use crate::{Cancel, Result};

/// So many files are looked at between two looks at the token that cancels.
const FILES_AT_ONCE: usize = 1024;

/// A file of the project with what a search needs of it. It never changes, and versions of the index share it.
#[derive(Debug)]
pub(crate) struct Entry {
    source: Arc<ProjectFile>,
    pub(crate) outline: Outline,
    trigrams: Trigrams,
    calls: OnceLock<Calls>,
}

impl Deref for Entry {
    type Target = ProjectFile;

    fn deref(&self) -> &ProjectFile {
        &self.source
    }
}

/// What a search needs of each file, beside the chunks: so little that an index can be opened without its facts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outline {
    /// Of each chunk, the hash of what an encoder is given: equal texts share one vector.
    pub(crate) keys: Vec<ContentHash>,
    /// Of each chunk, what it is.
    pub(crate) marks: Vec<Mark>,
    /// Of each chunk, which pairs of words may stand in it, and where that ends.
    #[serde(with = "serde_bytes")]
    sieves: Vec<u8>,
    sieve_ends: Vec<u32>,
}

impl Outline {
    /// The bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let of_chunk = size_of::<ContentHash>() + size_of::<Mark>() + size_of::<u32>();
        self.keys.len() * of_chunk + self.sieves.len()
    }
}

/// What a chunk is, as far as ranking asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// A sum of the flags below.
    pub(crate) flags: u8,
    /// Of how many parts the names are that it defines.
    pub(crate) parts: u16,
}

impl Mark {
    /// It defines something that other modules can call.
    pub(crate) const PUBLIC: u8 = 1;
    /// It defines something that can be called.
    pub(crate) const CALLABLE: u8 = 1 << 1;
    /// It has a name like `valid?`.
    pub(crate) const PREDICATE: u8 = 1 << 2;
    /// It has a name like `fetch!`.
    pub(crate) const RAISING: u8 = 1 << 3;
    /// It has documentation.
    pub(crate) const DOCUMENTED: u8 = 1 << 4;
    /// It is the head of a module.
    pub(crate) const HEAD: u8 = 1 << 5;
    /// Its file holds tests, examples, old things or a log of changes. It follows from the path.
    pub(crate) const ASIDE: u8 = 1 << 7;

    /// Whether it has the flag.
    pub(crate) fn is(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn of(entry: &Entry, at: usize) -> Mark {
        use DefinitionKind::{Delegate, Function, Guard, Macro};
        let (mut flags, mut parts) = (0, 0);
        let begun = entry.definitions_in(at);
        let around = entry.definition_around(at).filter(|_| entry.definitions_in(at).next().is_none());
        for definition in begun.chain(around) {
            let mut flag = |flag, yes: bool| flags |= if yes { flag } else { 0 };
            flag(Mark::DOCUMENTED, definition.doc.is_some());
            flag(Mark::HEAD, is_module(definition.kind));
            if matches!(definition.kind, Function | Macro | Guard | Delegate) {
                flag(Mark::CALLABLE, true);
                flag(Mark::PUBLIC, definition.public);
                flag(Mark::PREDICATE, definition.name.ends_with('?') || definition.name.starts_with("is_"));
                flag(Mark::RAISING, definition.name.ends_with('!'));
            }
            if !is_module(definition.kind) {
                parts += definition.name.split('_').filter(|part| !part.is_empty()).count();
            }
        }
        Mark { flags, parts: u16::try_from(parts).unwrap_or(u16::MAX) }
    }
}

/// What the chunks of a file call by module and name, as hashes.
#[derive(Debug, Default)]
struct Calls {
    /// Where those of each chunk end.
    ends: Vec<u32>,
    hashes: Vec<u64>,
}

impl Entry {
    pub(crate) fn new(source: Arc<ProjectFile>) -> Entry {
        let mut entry = Entry::of(source, Outline::default());
        let chunks = 0..entry.chunks().len();
        entry.outline.keys =
            chunks.clone().map(|at| ContentHash::of(entry.embedding_text(at).as_bytes())).collect();
        let (mut sieves, mut ends) = (Vec::new(), Vec::new());
        for at in chunks.clone() {
            sieve(entry.chunk_text(at), &mut sieves);
            ends.push(sieves.len() as u32);
        }
        (entry.outline.sieves, entry.outline.sieve_ends) = (sieves, ends);
        entry.outline.marks = chunks.map(|at| Mark::of(&entry, at)).collect();
        entry
    }

    fn of(source: Arc<ProjectFile>, outline: Outline) -> Entry {
        let (trigrams, calls) = Default::default();
        Entry { source, outline, trigrams, calls }
    }

    /// An entry whose outline was stored; `None` if that is not one of this file.
    pub(super) fn stored(source: Arc<ProjectFile>, outline: Outline) -> Option<Entry> {
        let chunks = source.chunks().len();
        let is_sound = outline.keys.len() == chunks && outline.marks.len() == chunks;
        is_sound.then(|| Entry::of(source, outline))
    }

    /// The file as the snapshot has it.
    #[cfg(test)]
    pub(crate) fn source(&self) -> &Arc<ProjectFile> {
        &self.source
    }

    /// Whether this is the entry of `file`.
    fn is_of(&self, file: &Arc<ProjectFile>) -> bool {
        Arc::ptr_eq(&self.source, file)
    }

    /// The bytes of memory that it takes, its file's included.
    pub(super) fn bytes(&self) -> u64 {
        size_of::<Entry>() as u64 + self.source.bytes() + self.outline.bytes() as u64
    }

    /// Which pairs of words may stand in a chunk.
    pub(crate) fn sieve(&self, at: usize) -> &[u8] {
        let Outline { sieves, sieve_ends: ends, .. } = &self.outline;
        let start = at.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied());
        let range = start.zip(ends.get(at)).map(|(start, end)| start as usize..*end as usize);
        range.and_then(|range| sieves.get(range)).unwrap_or_default()
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
        let header = &self.chunks()[at].header;
        let text = self.chunk_text(at);
        format!("{header}\n{text}")
    }

    /// What a chunk calls by module and name, each once, as [`called`] has it.
    pub(crate) fn calls(&self, at: usize) -> &[u64] {
        let calls = self.calls.get_or_init(|| {
            let mut calls = Calls::default();
            let mut seen = FxHashSet::with_hasher(FxBuildHasher);
            for chunk in self.chunks() {
                let Span { start, end, .. } = chunk.span;
                let references = &self.facts.references;
                let first = references.partition_point(|reference| reference.span.start < start);
                for reference in references[first..].iter().take_while(|it| it.span.start < end) {
                    if let Some(module) = reference.module.as_deref().filter(|_| !reference.name.is_empty()) {
                        let hash = called(module, &reference.name);
                        if seen.insert(hash) {
                            calls.hashes.push(hash);
                        }
                    }
                }
                seen.clear();
                calls.ends.push(calls.hashes.len() as u32);
            }
            calls
        });
        let start = at.checked_sub(1).map_or(0, |before| calls.ends[before]);
        &calls.hashes[start as usize..calls.ends[at] as usize]
    }
}

/// Names a function by its module and name. Two with the same one of 2^64 hashes are taken for one, which would do little
/// harm. It is not the same on every machine, and is not stored.
pub(crate) fn called(module: &str, name: &str) -> u64 {
    use std::hash::Hasher;
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(module.as_bytes());
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// The files of one version, sorted by path, and their chunks. Chunks are numbered through all files in this order, so that a smaller number
/// is an earlier path or an earlier place: the order that breaks ties.
#[derive(Debug, Default)]
pub(crate) struct ChunkTable {
    entries: Vec<Arc<Entry>>,
    /// The number of each file's first chunk, and at the end the number of all chunks.
    first: Vec<u32>,
    /// The content key of each chunk.
    keys: Vec<ContentHash>,
    /// What is known of each chunk, side by side: who looks at hundreds of them should not have to look for them.
    known: Vec<ChunkStats>,
}

/// A chunk, as far as ranking asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkStats {
    /// The place of its file.
    pub(crate) file: u32,
    pub(crate) mark: Mark,
    /// The logarithm of its length, as a share of that of the longest chunk.
    pub(crate) length: f32,
}

impl ChunkTable {
    #[cfg(test)]
    pub(crate) fn new(entries: Vec<Arc<Entry>>) -> Self {
        let mut entries = entries;
        entries.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        ChunkTable::default().updated(entries)
    }

    /// The next version, of `entries` sorted by path, which takes over what is known of files that are in both.
    pub(crate) fn updated(&self, entries: Vec<Arc<Entry>>) -> ChunkTable {
        let chunks = entries.iter().map(|entry| entry.outline.keys.len()).sum();
        let mut files = ChunkTable {
            first: Vec::with_capacity(entries.len() + 1),
            keys: Vec::with_capacity(chunks),
            known: Vec::with_capacity(chunks),
            ..ChunkTable::default()
        };
        let longest = (8192.0f32).ln();
        let mut before = self.entries.iter().zip(self.first.windows(2)).peekable();
        for (file, entry) in (0..).zip(&entries) {
            files.first.push(files.keys.len() as u32);
            files.keys.extend_from_slice(&entry.outline.keys);
            while before
                .next_if(|(other, _)| !Arc::ptr_eq(other, entry) && other.file.path < entry.file.path)
                .is_some()
            {}
            if let Some((_, bounds)) = before.next_if(|(other, _)| Arc::ptr_eq(other, entry)) {
                let known = &self.known[bounds[0] as usize..bounds[1] as usize];
                files.known.extend(known.iter().map(|known| ChunkStats { file, ..*known }));
                continue;
            }
            let aside = if is_aside(&entry.file.path) { Mark::ASIDE } else { 0 };
            files.known.extend(entry.chunks().iter().zip(&entry.outline.marks).map(|(chunk, mark)| {
                let bytes = chunk.span.end.saturating_sub(chunk.span.start) as f32;
                let length = ((1.0 + bytes).ln() / longest).min(1.0);
                ChunkStats { file, mark: Mark { flags: mark.flags | aside, ..*mark }, length }
            }));
        }
        files.first.push(files.keys.len() as u32);
        ChunkTable { entries, ..files }
    }

    /// The entries of `files`: those of this table, as far as it has the same file, and new ones.
    ///
    /// # Errors
    /// Those of [`Cancel::check`].
    pub(super) fn entries_of(&self, files: &FileTable, cancel: &Cancel) -> Result<Vec<Arc<Entry>>> {
        let mut entries = Vec::with_capacity(files.len());
        let mut new: Vec<(usize, &Arc<ProjectFile>)> = Vec::new();
        // Both are sorted by path, so one pass finds the files that both have.
        let mut known = self.entries.iter().peekable();
        for file in files.iter() {
            let is_before = |entry: &&Arc<Entry>| !entry.is_of(file) && entry.file.path < file.file.path;
            while known.next_if(is_before).is_some() {}
            match known.next_if(|entry| entry.is_of(file)) {
                Some(entry) => entries.push(Some(entry.clone())),
                None => {
                    new.push((entries.len(), file));
                    entries.push(None);
                }
            }
        }
        for some in new.chunks(FILES_AT_ONCE) {
            cancel.check()?;
            let made: Vec<_> =
                some.par_iter().map(|(_, file)| Arc::new(Entry::new(Arc::clone(file)))).collect();
            for ((at, _), entry) in some.iter().zip(made) {
                entries[*at] = Some(entry);
            }
        }
        Ok(entries.into_iter().flatten().collect())
    }

    /// Those of `entries`, sorted by path, that this table does not have.
    pub(super) fn lacking(&self, entries: &[Arc<Entry>]) -> Vec<Arc<Entry>> {
        let mut known = self.entries.iter().peekable();
        let mut has = |entry: &Arc<Entry>| {
            let is_before =
                |other: &&Arc<Entry>| !Arc::ptr_eq(other, entry) && other.file.path < entry.file.path;
            while known.next_if(is_before).is_some() {}
            known.next_if(|other| Arc::ptr_eq(other, entry)).is_some()
        };
        entries.iter().filter(|entry| !has(entry)).cloned().collect()
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
        self.known.len()
    }

    /// The numbers of the chunks of the file at `at`.
    pub(crate) fn numbers(&self, at: usize) -> std::ops::Range<u32> {
        self.first[at]..self.first[at + 1]
    }

    /// The place of the file of chunk `number`, and which of its chunks it is.
    pub(crate) fn locate(&self, number: u32) -> (usize, usize) {
        let file = self.known(number).file as usize;
        (file, (number - self.first[file]) as usize)
    }

    /// What is known of chunk `number`.
    pub(crate) fn known(&self, number: u32) -> ChunkStats {
        self.known[number as usize]
    }

    /// The content key of each chunk, by its number.
    pub(crate) fn keys(&self) -> &[ContentHash] {
        &self.keys
    }
}
