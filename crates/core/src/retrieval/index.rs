//! The index: a snapshot and the tables to search it with.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::bm25::Lexical;
use super::entry::{ChunkTable, Entry};
use super::filter::Filter;
use super::names::Names;
use super::vectors::{Allowed, Batch, Embedder, Placed, Vectors};
use crate::graph::CodeGraph;
use crate::job::Progress;
use crate::project::{BuildOptions, Changes, Observations, Snapshot, too_much};
use crate::source::{ContentHash, Diagnostic, File, Stamps};
use crate::syntax::{Chunk, FileFacts};
use crate::{Cancel, Result};

/// So many filters are remembered: those of a few callers that ask in turn.
const FILTERS: usize = 8;

/// Filters and what they let pass.
type Filtered = Vec<(Filter, Arc<Allowed>)>;

/// A snapshot of a project, and what is needed to search it.
///
/// An index is a value: it never changes, a clone is cheap and may be read from any thread, and each change makes a new
/// version that shares with the old one what did not change. After any history of updates it answers as a fresh build of
/// the same files does, up to a million vectors; of more, a search by meaning may miss one in fifty, and not the same ones.
#[derive(Clone, Debug)]
pub struct Index {
    snapshot: Snapshot,
    chunks: Arc<ChunkTable>,
    lexical: Arc<Lexical>,
    names: Arc<Names>,
    vectors: Arc<Vectors>,
    /// Where the chunks' vectors are: looked up when it is first needed, once for each version.
    placed: Arc<OnceLock<Placed>>,
    /// What the last filters let pass in this version.
    filtered: Arc<Mutex<Filtered>>,
    /// How many bytes of memory it may take.
    pub(super) max_memory: Option<u64>,
    /// What gives new chunks their vectors.
    pub(super) resident: Option<Resident>,
}

/// The encoder that an index carries.
#[derive(Clone)]
pub(super) struct Resident(pub(super) Arc<dyn Embedder + Send + Sync>);

impl std::fmt::Debug for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resident({})", self.0.dimensions())
    }
}

/// The tables of an index, as far as they were stored.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) chunks: ChunkTable,
    pub(super) lexical: Lexical,
    pub(super) names: Names,
    pub(super) vectors: Vectors,
}

/// How much an index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Files.
    pub files: usize,
    /// Bytes of text in them.
    pub bytes: usize,
    /// Chunks, the units of search.
    pub chunks: usize,
    /// Definitions: modules, functions and so on.
    pub definitions: usize,
    /// References to definitions, the project's own and others.
    pub references: usize,
    /// Things that could not be read.
    pub diagnostics: usize,
    /// Chunks that have a vector.
    pub vectors: usize,
}

/// A chunk whose content has no vector yet.
#[derive(Clone, Debug)]
pub struct Missing {
    entry: Arc<Entry>,
    chunk: usize,
}

impl Missing {
    /// Names the content, to be given back with its vector.
    pub fn key(&self) -> ContentHash {
        self.entry.outline.keys[self.chunk]
    }

    /// What is to be encoded: a line that says where the chunk stands, and its text.
    pub fn text(&self) -> String {
        self.entry.embedding_text(self.chunk)
    }

    /// The length of [`Missing::text`] in bytes, about.
    pub fn size(&self) -> usize {
        self.entry.chunk_text(self.chunk).len()
    }
}

impl Index {
    /// Reads the project in the folder `root`. What cannot be read is left out, with a diagnostic.
    ///
    /// `progress` hears of the phases of [`Snapshot::build`] and of `"lexical"`.
    ///
    /// # Errors
    /// Those of [`Snapshot::build`].
    pub fn build(
        root: &Path,
        options: &BuildOptions,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Index> {
        let snapshot = Snapshot::build(root, options, progress, cancel)?;
        progress(Progress { phase: "lexical", done: 0, total: 1 });
        Index::of(snapshot, cancel)?.with_ceiling(options.max_memory, cancel)
    }

    /// The index of a snapshot.
    ///
    /// # Errors
    /// Those of [`Cancel::check`].
    pub fn of(snapshot: Snapshot, cancel: &Cancel) -> Result<Index> {
        let chunks = ChunkTable::default();
        let chunks = chunks.updated(chunks.entries_of(snapshot.table(), cancel)?);
        let lexical = Lexical::default().updated(&chunks);
        let names = Names::default().updated(&chunks);
        let vectors = Vectors::default();
        Ok(Index::with_tables(snapshot, Tables { chunks, lexical, names, vectors }))
    }

    pub(super) fn with_tables(snapshot: Snapshot, tables: Tables) -> Index {
        let Tables { chunks, lexical, names, vectors } = tables;
        Index {
            snapshot,
            chunks: Arc::new(chunks),
            lexical: Arc::new(lexical),
            names: Arc::new(names),
            vectors: Arc::new(vectors),
            placed: Arc::default(),
            filtered: Arc::default(),
            max_memory: None,
            resident: None,
        }
    }

    /// The index of the root as it is now, and what is different. Only files with another content are analysed again; chunks
    /// whose content is known keep their vectors, also in another place.
    ///
    /// # Errors
    /// As [`Index::build`].
    pub fn update(
        &self,
        options: &BuildOptions,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Index, Changes)> {
        let options = self.within(options);
        let (snapshot, changes) = self.snapshot.update(&options, progress, cancel)?;
        Ok((self.over(snapshot, progress, cancel)?, changes))
    }

    /// Likewise, but only what lies at or below `paths` is looked at: as fast as what changed is small, for callers who know
    /// what changed. Paths are relative to the root; those of files that are no more are fine.
    ///
    /// # Errors
    /// As [`Index::update`], and [`crate::ErrorKind::InvalidArgument`] for a path that leads out of the root.
    pub fn update_paths(
        &self,
        paths: &BTreeSet<String>,
        options: &BuildOptions,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Index, Changes)> {
        let options = self.within(options);
        let (snapshot, changes) = self.snapshot.update_paths(paths, &options, progress, cancel)?;
        Ok((self.over(snapshot, progress, cancel)?, changes))
    }

    /// The index in which `texts` count instead of what is on the disk ([`Snapshot::with_overlays`]).
    ///
    /// # Errors
    /// As [`Index::update_paths`].
    pub fn with_overlays(
        &self,
        texts: BTreeMap<String, Option<Arc<str>>>,
        options: &BuildOptions,
        cancel: &Cancel,
    ) -> Result<(Index, Changes)> {
        let (snapshot, changes) = self.snapshot.with_overlays(texts, &self.within(options), cancel)?;
        Ok((self.over(snapshot, &mut |_| {}, cancel)?, changes))
    }

    /// This index with what the compiler said ([`Snapshot::with_compiled`]).
    ///
    /// # Errors
    /// As [`Snapshot::with_compiled`].
    pub fn with_compiled(
        &self,
        folders: &[PathBuf],
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Index, Observations)> {
        let (snapshot, observations) = self.snapshot.with_compiled(folders, progress, cancel)?;
        Ok((Index { snapshot, ..self.clone() }, observations))
    }

    /// The ceiling of this index holds for what it reads, too.
    fn within(&self, options: &BuildOptions) -> BuildOptions {
        let max_memory = self.max_memory.or(options.max_memory);
        BuildOptions { max_memory, ..options.clone() }
    }

    /// The index of a later snapshot of the same root.
    fn over(&self, snapshot: Snapshot, progress: &mut dyn FnMut(Progress), cancel: &Cancel) -> Result<Index> {
        if snapshot.shares_files(&self.snapshot) {
            let same = snapshot.shares_times(&self.snapshot);
            let filtered = if same { self.filtered.clone() } else { Arc::default() };
            return Ok(Index { snapshot, filtered, ..self.clone() });
        }
        progress(Progress { phase: "lexical", done: 0, total: 1 });
        let entries = self.chunks.entries_of(snapshot.table(), cancel)?;
        // Where all chunks had a vector, only new ones can lack one.
        let had_all = self.placed.get().is_some_and(|placed| placed.count == self.chunks.chunks());
        let new = (had_all && self.speaks()).then(|| self.chunks.lacking(&entries));
        let chunks = self.chunks.updated(entries);
        // To find out which vectors no chunk has any more takes longer than to read a file, and is done when they may be many.
        let vectors = match self.vectors.rows() * 2 > chunks.chunks() * 3 {
            true => {
                let used: HashSet<&ContentHash> = chunks.keys().iter().collect();
                Arc::new(self.vectors.swept(|key| used.contains(key)))
            }
            false => self.vectors.clone(),
        };
        let next = Index {
            snapshot,
            lexical: Arc::new(self.lexical.updated(&chunks)),
            names: Arc::new(self.names.updated(&chunks)),
            vectors,
            chunks: Arc::new(chunks),
            placed: Arc::default(),
            filtered: Arc::default(),
            max_memory: self.max_memory,
            resident: self.resident.clone(),
        };
        let next = match new {
            Some(new) => next.embedded_in(new.iter(), cancel)?,
            None => next.embedded(cancel)?,
        };
        next.fitting(cancel)
    }

    /// What the index was made from.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// This index with a snapshot of the same files.
    pub(super) fn with_snapshot(&self, snapshot: Snapshot) -> Index {
        Index { snapshot, filtered: Arc::default(), ..self.clone() }
    }

    /// The folder that was read.
    pub fn root(&self) -> &Path {
        self.snapshot.root()
    }

    /// The files, sorted by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &File> {
        self.snapshot.files()
    }

    /// What is known of the file at `path`, relative to the root.
    pub fn facts(&self, path: &str) -> Option<&FileFacts> {
        self.snapshot.facts(path)
    }

    /// The text of the file at `path`, as it was read.
    pub fn text(&self, path: &str) -> Option<&Arc<str>> {
        self.snapshot.text(path)
    }

    /// When the file at `path` was written before it was read, in milliseconds since 1970, if the system told.
    pub fn modified(&self, path: &str) -> Option<u64> {
        self.snapshot.modified(path)
    }

    /// The graph of the code ([`Snapshot::graph`]).
    pub fn graph(&self) -> &CodeGraph {
        self.snapshot.graph()
    }

    /// The graph of the code, if it was built: then [`Index::graph`] takes no time.
    pub fn graph_if_made(&self) -> Option<&CodeGraph> {
        self.snapshot.graph_if_made()
    }

    /// What could not be read, files as a whole first.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.snapshot.diagnostics()
    }

    /// The paths whose content on the disk differs from this index ([`Snapshot::differences`]).
    ///
    /// # Errors
    /// As [`Snapshot::differences`].
    pub fn differences(
        &self,
        stamps: &mut Stamps,
        options: &BuildOptions,
        cancel: &Cancel,
    ) -> Result<BTreeSet<String>> {
        self.snapshot.differences(stamps, options, cancel)
    }

    /// All chunks with their files, in order of path and position.
    pub fn chunks(&self) -> impl Iterator<Item = (&File, &Chunk)> {
        let entries = self.chunks.entries().iter();
        entries.flat_map(|entry| entry.chunks().iter().map(|chunk| (&entry.file, chunk)))
    }

    /// The chunk of this number, which counts from 0 in order of path and position.
    pub fn nth_chunk(&self, number: usize) -> Option<(&File, &Chunk)> {
        let number = u32::try_from(number).ok().filter(|_| number < self.chunks.chunks())?;
        let (file, chunk) = self.chunks.locate(number);
        let entry = &self.chunks.entries()[file];
        Some((&entry.file, &entry.facts.chunks[chunk]))
    }

    /// How much the index holds.
    pub fn stats(&self) -> Stats {
        let entries = self.chunks.entries();
        Stats {
            files: entries.len(),
            bytes: entries.iter().map(|entry| entry.file.text.len()).sum(),
            chunks: self.chunks.chunks(),
            definitions: entries.iter().map(|entry| entry.summary.definitions as usize).sum(),
            references: entries.iter().map(|entry| entry.summary.references as usize).sum(),
            diagnostics: self.diagnostics().count(),
            vectors: self.placed().count,
        }
    }

    /// The chunks without a vector of the encoder `fingerprint`, one for each content, in order of path and position.
    pub fn missing_vectors(&self, fingerprint: ContentHash) -> Vec<Missing> {
        self.missing_in(self.chunks.entries().iter(), fingerprint)
    }

    /// Likewise, in some files.
    pub(super) fn missing_in<'e>(
        &self,
        entries: impl Iterator<Item = &'e Arc<Entry>>,
        fingerprint: ContentHash,
    ) -> Vec<Missing> {
        let known = fingerprint == self.vectors.fingerprint();
        let mut seen = HashSet::new();
        let mut missing = Vec::new();
        for entry in entries {
            for (chunk, key) in entry.outline.keys.iter().enumerate() {
                if !(known && self.vectors.contains(key)) && seen.insert(*key) {
                    missing.push(Missing { entry: entry.clone(), chunk });
                }
            }
        }
        missing
    }

    /// This index with these vectors too. An index holds the vectors of one encoder: those of another one are replaced.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for vectors of another length than the encoder's earlier ones;
    /// [`crate::ErrorKind::Limit`] if they lead over the ceiling of memory.
    pub fn with_vectors(&self, batch: Batch) -> Result<Index> {
        let next = self.with_other_vectors(self.vectors.with(&batch)?);
        match next.max_memory {
            Some(most) if next.memory().total() > most => Err(too_much(most)),
            _ => Ok(next),
        }
    }

    /// This index with these vectors instead of its own.
    pub(super) fn with_other_vectors(&self, vectors: Vectors) -> Index {
        let (placed, filtered) = Default::default();
        Index { vectors: Arc::new(vectors), placed, filtered, ..self.clone() }
    }

    /// The encoder of the vectors, if there are any.
    pub fn encoder(&self) -> Option<ContentHash> {
        (!self.vectors.blocks().is_empty()).then(|| self.vectors.fingerprint())
    }

    /// Where the chunks' vectors are.
    pub(crate) fn placed(&self) -> &Placed {
        self.placed.get_or_init(|| {
            self.vectors.begin_cells(|bytes| self.has_room_for(bytes as u64));
            self.vectors.placed(self.chunks.keys())
        })
    }

    /// What `filter` lets pass; `None` if that is everything.
    pub(crate) fn allowed(&self, filter: &Filter) -> Result<Option<Arc<Allowed>>> {
        if filter.is_empty() {
            return Ok(None);
        }
        let known = |filtered: &Filtered| {
            filtered.iter().find(|(known, _)| known == filter).map(|(_, allowed)| allowed.clone())
        };
        if let Some(allowed) = known(&self.filtered.lock()) {
            return Ok(Some(allowed));
        }
        let chunks = filter.chunks(&self.chunks, &|path| self.modified(path))?;
        let allowed = Arc::new(Allowed::new(chunks, self.placed()));
        let mut filtered = self.filtered.lock();
        if filtered.len() == FILTERS {
            filtered.remove(0);
        }
        filtered.push((filter.clone(), allowed.clone()));
        Ok(Some(allowed))
    }

    /// The file at `path` with all that is known of it.
    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        self.chunks.get(path).map(|entry| &**entry)
    }

    pub(crate) fn chunk_table(&self) -> &ChunkTable {
        &self.chunks
    }

    pub(crate) fn lexical(&self) -> &Lexical {
        &self.lexical
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn vectors(&self) -> &Vectors {
        &self.vectors
    }
}
