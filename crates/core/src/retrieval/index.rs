//! The index: an immutable value that a caller asks, and new versions of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rayon::prelude::*;

use super::bm25::{Lexical, Segment};
use super::ceiling::too_much;
use super::compiled::Compiled;
use super::entry::{Entry, Files};
use super::filter::Filter;
use super::names::{Group, Names};
use super::outside::Outside;
use super::resident::Resident;
use super::vectors::{Allowed, Batch, Placed, Vectors};
use crate::graph::{CodeGraph, Source};
use crate::job::Progress;
use crate::source::{self, ContentHash, Diagnostic, File, Looked, Stamps, WalkOptions};
use crate::syntax::{self, Chunk, FileFacts};
use crate::{Cancel, Error, Result};

/// So many files are analysed between two looks at the token that cancels.
const FILES_AT_ONCE: usize = 64;

/// So many filters are remembered: those of a few callers that ask in turn.
const FILTERS: usize = 8;

/// How an index is built.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// Which files are read.
    pub walk: WalkOptions,
    /// How many bytes of memory the index may take ([`Index::with_ceiling`]).
    pub max_memory: Option<u64>,
}

/// Filters and what they let pass.
type Filtered = Vec<(Filter, Arc<Allowed>)>;

/// The files of a project, what is known of them, and what is needed to search them.
///
/// An index is a value: it never changes, a clone is cheap and may be read from any thread, and each change makes a new
/// version that shares with the old one what did not change. After any history of updates it answers as a fresh build of
/// the same files does.
#[derive(Clone, Debug)]
pub struct Index {
    root: Arc<Path>,
    files: Arc<Files>,
    lexical: Arc<Lexical>,
    names: Arc<Names>,
    vectors: Arc<Vectors>,
    /// Where the chunks' vectors are: looked up when it is first needed, once for each version.
    placed: Arc<OnceLock<Placed>>,
    /// What the last filters let pass in this version.
    filtered: Arc<Mutex<Filtered>>,
    /// When files were written, in milliseconds since 1970, by path. It is no part of a file's content.
    modified: Arc<BTreeMap<Arc<str>, u64>>,
    /// What the files looked like when they were read, so that those are not read again that look the same.
    stamps: Arc<Stamps>,
    unread: Arc<[Diagnostic]>,
    /// How many bytes of memory it may take.
    pub(super) max_memory: Option<u64>,
    /// What gives new chunks their vectors.
    pub(super) resident: Option<Resident>,
    /// What dependencies bring in.
    outside: Arc<Outside>,
    /// What the compiler said.
    compiled: Arc<Compiled>,
    /// One for all versions with these files.
    graph: Arc<OnceLock<CodeGraph>>,
}

/// What an index is made of.
pub(super) struct Parts {
    /// What is made from the entries, as far as it was stored.
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) names: Vec<(ContentHash, Group)>,
    pub(super) entries: Vec<Arc<Entry>>,
    pub(super) unread: Vec<Diagnostic>,
    pub(super) vectors: Vectors,
    pub(super) outside: Outside,
    pub(super) modified: BTreeMap<Arc<str>, u64>,
    pub(super) stamps: Stamps,
    pub(super) compiled: Compiled,
}

impl Parts {
    /// Files, what could not be read and what dependencies bring in, and nothing else.
    pub(super) fn new(entries: Vec<Arc<Entry>>, unread: Vec<Diagnostic>, outside: Outside) -> Parts {
        let (segments, names, vectors, modified, stamps, compiled) = Default::default();
        Parts { segments, names, entries, unread, vectors, outside, modified, stamps, compiled }
    }
}

/// What an update found, by path relative to the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that are new.
    pub added: Vec<Arc<str>>,
    /// Files whose text is different.
    pub changed: Vec<Arc<str>>,
    /// Files that are no more.
    pub removed: Vec<Arc<str>>,
    /// How many files are as they were.
    pub unchanged: usize,
    /// Whether something else is known of the dependencies.
    pub dependencies: bool,
}

impl Changes {
    /// Whether there was no change at all.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty() && !self.dependencies
    }
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
    /// `progress` hears of the phases `"walk"` (of unknown length: the total is 0), `"analyse"` (files) and `"lexical"`.
    ///
    /// # Errors
    /// Those of [`source::walk`] and of [`Cancel::check`].
    pub fn build(
        root: &Path,
        options: &BuildOptions,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Index> {
        cancel.check()?;
        progress(Progress { phase: "walk", done: 0, total: 0 });
        let Looked { mut files, diagnostics: unread, stamps } =
            source::walk_known(root, None, &walk(options), &Stamps::default(), &|_| None, cancel)?;
        let modified = times(&mut files);
        let root = root.canonicalize().map_err(|error| Error::io(root, "find", error))?;
        let entries = analyse(files, options.max_memory, progress, cancel)?;
        progress(Progress { phase: "lexical", done: 0, total: 1 });
        let facts = entries.iter().map(|entry| &**entry.facts.shared());
        let outside = Outside::default().updated(&root, facts).unwrap_or_default();
        let parts = Parts { modified, stamps, ..Parts::new(entries, unread, outside) };
        Index::of(root, parts).with_ceiling(options.max_memory, cancel)
    }

    /// An index of what was read before.
    pub(super) fn of(root: PathBuf, parts: Parts) -> Index {
        let Parts { segments, names, entries, unread, vectors, outside, modified, stamps, compiled } = parts;
        let files = Files::new(entries);
        Index {
            root: root.into(),
            lexical: Arc::new(Lexical::stored(segments, &files)),
            names: Arc::new(Names::stored(names, &files)),
            files: Arc::new(files),
            vectors: Arc::new(vectors),
            unread: unread.into(),
            modified: Arc::new(modified),
            stamps: Arc::new(stamps),
            max_memory: None,
            resident: None,
            outside: Arc::new(outside),
            compiled: Arc::new(compiled),
            graph: Arc::default(),
            placed: Arc::default(),
            filtered: Arc::default(),
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
        cancel.check()?;
        progress(Progress { phase: "walk", done: 0, total: 0 });
        let read = self.read(None, options, cancel)?;
        self.updated(read, &|_| true, progress, cancel)
    }

    /// Reads what may have changed, and takes everything else to be as it was.
    fn read(
        &self,
        wanted: Option<&BTreeSet<String>>,
        options: &BuildOptions,
        cancel: &Cancel,
    ) -> Result<Looked> {
        // What was said of a file when it was read has to be said again.
        let told: HashSet<&str> = self.unread.iter().map(|diagnostic| &*diagnostic.path).collect();
        let fits = |file: &File| file.text.len() as u64 <= options.walk.max_file_bytes;
        let known = |path: &str| {
            let entry = self.files.get(path).filter(|_| !told.contains(path))?;
            Some(File { modified: self.modified(path), ..entry.file.clone() }).filter(fits)
        };
        source::walk_known(&self.root, wanted, &walk(options), &self.stamps, &known, cancel)
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
        let mut read = self.read(Some(paths), options, cancel)?;
        // Which files are beyond the limit is not to be told from some of them.
        let is_cut = |diagnostic: &Diagnostic| diagnostic.code == source::TOO_MANY;
        if self.files.entries().len() + read.files.len() > options.walk.max_files
            || self.unread.iter().chain(&read.diagnostics).any(is_cut)
        {
            return self.update(options, progress, cancel);
        }
        let covers = |path: &str| source::lies_in(path, paths);
        let kept = self.unread.iter().filter(|diagnostic| !covers(&diagnostic.path)).cloned();
        read.diagnostics.extend(kept);
        read.diagnostics.sort_by(|a, b| a.path.cmp(&b.path));
        self.updated(read, &covers, progress, cancel)
    }

    /// The index after reading again the files whose path is `covered`.
    fn updated(
        &self,
        read: Looked,
        covered: &dyn Fn(&str) -> bool,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Index, Changes)> {
        let Looked { files: mut read, diagnostics: unread, stamps } = read;
        let stamps = Arc::new(self.stamps.replaced(covered, stamps));
        let mut changes = Changes::default();
        let mut kept: Vec<Arc<Entry>> = Vec::new();
        let mut new = Vec::new();
        let mut present: HashSet<Arc<str>> = HashSet::with_capacity(read.len());
        let mut modified = times(&mut read);
        let outside_of_it = self.modified.iter().filter(|(path, _)| !covered(path));
        modified.extend(outside_of_it.map(|(path, time)| (path.clone(), *time)));
        let modified = if modified == *self.modified { self.modified.clone() } else { Arc::new(modified) };
        for file in read {
            present.insert(file.path.clone());
            match self.files.get(&file.path) {
                Some(entry) if entry.file.hash == file.hash => kept.push(entry.clone()),
                Some(_) => {
                    changes.changed.push(file.path.clone());
                    new.push(file);
                }
                None => {
                    changes.added.push(file.path.clone());
                    new.push(file);
                }
            }
        }
        for entry in self.files.entries() {
            if !covered(&entry.file.path) {
                kept.push(entry.clone());
            } else if !present.contains(&entry.file.path) {
                changes.removed.push(entry.file.path.clone());
            }
        }
        changes.unchanged = kept.len();
        let new = analyse(new, self.max_memory, progress, cancel)?;
        let outside = self.outside.updated(&self.root, new.iter().map(|entry| &**entry.facts.shared()));
        changes.dependencies = outside.is_some();
        if changes.is_empty() {
            let filtered =
                if Arc::ptr_eq(&modified, &self.modified) { self.filtered.clone() } else { Arc::default() };
            let unread = unread.into();
            return Ok((Index { unread, modified, stamps, filtered, ..self.clone() }, changes));
        }
        // The compiler has not seen the new texts.
        let compiled = self.compiled.without(changes.changed.iter().chain(&changes.removed));
        let graph = OnceLock::new();
        if let Some(before) = self.graph.get() {
            let gone = changes.removed.iter().map(|path| (path.clone(), None::<Source>));
            let new =
                new.iter().map(|entry| (entry.file.path.clone(), Some(entry.facts.shared().clone().into())));
            let left = self.outside.files.keys().filter(|_| outside.is_some());
            let left = left.map(|path| (path.clone(), None::<Source>));
            let brought = outside.iter().flat_map(outside_sources).map(|(path, source)| (path, Some(source)));
            // Of two changes of one path the later one counts.
            let _ = graph.set(before.updated(left.chain(brought).chain(new).chain(gone)));
        }
        // Where all chunks had a vector, only new ones can lack one.
        let had_all = self.placed.get().is_some_and(|placed| placed.count == self.files.chunks());
        let unembedded = (had_all && self.speaks()).then(|| new.clone());
        kept.extend(new);
        progress(Progress { phase: "lexical", done: 0, total: 1 });
        let files = self.files.updated(kept);
        // To find out which vectors no chunk has any more takes longer than to read a file, and is done when they may be many.
        let vectors = match self.vectors.rows() * 2 > files.chunks() * 3 {
            true => {
                let used: HashSet<&ContentHash> = files.keys().iter().collect();
                Arc::new(self.vectors.swept(|key| used.contains(key)))
            }
            false => self.vectors.clone(),
        };
        let next = Index {
            root: self.root.clone(),
            lexical: Arc::new(self.lexical.updated(&files)),
            names: Arc::new(self.names.updated(&files)),
            vectors,
            files: Arc::new(files),
            unread: unread.into(),
            modified,
            stamps,
            max_memory: self.max_memory,
            resident: self.resident.clone(),
            outside: outside.map_or_else(|| self.outside.clone(), Arc::new),
            compiled: compiled.map_or_else(|| self.compiled.clone(), Arc::new),
            graph: Arc::new(graph),
            placed: Arc::default(),
            filtered: Arc::default(),
        };
        let next = match unembedded {
            Some(new) => next.embedded_in(new.iter(), cancel)?,
            None => next.embedded(cancel)?,
        };
        Ok((next.fitting(cancel)?, changes))
    }

    /// This index as that of another folder, whose files may look different.
    pub(super) fn with_root(&self, root: PathBuf) -> Index {
        let (modified, stamps, filtered) = Default::default();
        Index { root: root.into(), modified, stamps, filtered, ..self.clone() }
    }

    /// This index as that of no folder.
    pub(super) fn without_place(&self) -> Index {
        self.with_root(PathBuf::new())
    }

    /// The folder that was read.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files, sorted by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &File> {
        self.files.entries().iter().map(|entry| &entry.file)
    }

    /// What is known of the file at `path`, relative to the root.
    pub fn facts(&self, path: &str) -> Option<&FileFacts> {
        self.files.get(path).map(|entry| &**entry.facts.shared())
    }

    /// The text of the file at `path`, as it was read.
    pub fn text(&self, path: &str) -> Option<&Arc<str>> {
        self.files.get(path).map(|entry| &entry.file.text)
    }

    /// All chunks with their files, in order of path and position.
    pub fn chunks(&self) -> impl Iterator<Item = (&File, &Chunk)> {
        self.files.entries().iter().flat_map(|entry| entry.chunks().iter().map(|chunk| (&entry.file, chunk)))
    }

    /// The chunk of this number, which counts from 0 in order of path and position.
    pub fn nth_chunk(&self, number: usize) -> Option<(&File, &Chunk)> {
        let number = u32::try_from(number).ok().filter(|_| number < self.files.chunks())?;
        let (file, chunk) = self.files.locate(number);
        let entry = &self.files.entries()[file];
        Some((&entry.file, &entry.facts.chunks[chunk]))
    }

    /// The graph of the code. It is made when it is first asked for, once for each state of the files; an update of an
    /// index whose graph is made brings that up to date too.
    pub fn graph(&self) -> &CodeGraph {
        self.graph.get_or_init(|| {
            let entries = self.files.entries();
            let inside = entries.iter().map(|entry| {
                let compiled = self.compiled.files().get(&entry.file.path).cloned();
                (
                    entry.file.path.clone(),
                    Source { facts: entry.facts.shared().clone(), compiled, outside: false },
                )
            });
            CodeGraph::build(inside.chain(outside_sources(&self.outside)))
        })
    }

    /// The graph of the code, if it was made: then [`Index::graph`] takes no time.
    pub fn graph_if_made(&self) -> Option<&CodeGraph> {
        self.graph.get()
    }

    /// What could not be read, files as a whole first.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.unread.iter().chain(self.files.entries().iter().flat_map(|entry| &entry.outline.diagnostics))
    }

    /// How much the index holds.
    pub fn stats(&self) -> Stats {
        let entries = self.files.entries();
        Stats {
            files: entries.len(),
            bytes: entries.iter().map(|entry| entry.file.text.len()).sum(),
            chunks: self.files.chunks(),
            definitions: entries.iter().map(|entry| entry.outline.definitions as usize).sum(),
            references: entries.iter().map(|entry| entry.outline.references as usize).sum(),
            diagnostics: self.diagnostics().count(),
            vectors: self.placed().count,
        }
    }

    /// The chunks without a vector of the encoder `fingerprint`, one for each content, in order of path and position.
    pub fn missing_vectors(&self, fingerprint: ContentHash) -> Vec<Missing> {
        self.missing_in(self.files.entries().iter(), fingerprint)
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
        self.placed.get_or_init(|| self.vectors.placed(self.files.keys()))
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
        let chunks = filter.chunks(&self.files, &|path| self.modified(path))?;
        let allowed = Arc::new(Allowed::new(chunks, self.placed()));
        let mut filtered = self.filtered.lock();
        if filtered.len() == FILTERS {
            filtered.remove(0);
        }
        filtered.push((filter.clone(), allowed.clone()));
        Ok(Some(allowed))
    }

    /// When the file at `path` was written before it was read, in milliseconds since 1970, if the system told.
    pub fn modified(&self, path: &str) -> Option<u64> {
        self.modified.get(path).copied()
    }

    /// The file at `path` with all that is known of it.
    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        self.files.get(path).map(|entry| &**entry)
    }

    /// What the files looked like when they were read.
    pub(super) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    pub(crate) fn inner_files(&self) -> &Files {
        &self.files
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

    /// What the compiler said.
    pub(super) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// This index with what the compiler said instead of what it said before, and with the graph of that, if it is made.
    pub(super) fn with_observed(&self, compiled: Compiled, graph: Arc<OnceLock<CodeGraph>>) -> Index {
        Index { compiled: Arc::new(compiled), graph, ..self.clone() }
    }

    pub(crate) fn outside(&self) -> &Outside {
        &self.outside
    }

    pub(crate) fn unread(&self) -> &[Diagnostic] {
        &self.unread
    }
}

fn outside_sources(outside: &Outside) -> impl Iterator<Item = (Arc<str>, Source)> {
    let source = |facts: &Arc<FileFacts>| Source { facts: facts.clone(), compiled: None, outside: true };
    outside.files.iter().map(move |(path, facts)| (path.clone(), source(facts)))
}

/// When the files were written. An index keeps this apart from them: what was read again and is the same stays as it is.
fn times(files: &mut [File]) -> BTreeMap<Arc<str>, u64> {
    files.iter_mut().filter_map(|file| Some((file.path.clone(), file.modified.take()?))).collect()
}

/// What is read: texts that alone take more than the index may are not read to their end.
fn walk(options: &BuildOptions) -> WalkOptions {
    let most = options.max_memory.unwrap_or(u64::MAX);
    WalkOptions { max_bytes: options.walk.max_bytes.min(most), ..options.walk.clone() }
}

fn analyse(
    files: Vec<File>,
    max_memory: Option<u64>,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Vec<Arc<Entry>>> {
    let total = files.len() as u64;
    let mut entries: Vec<Arc<Entry>> = Vec::with_capacity(files.len());
    let mut files = files.into_iter();
    let mut bytes = 0;
    loop {
        cancel.check()?;
        progress(Progress { phase: "analyse", done: entries.len() as u64, total });
        let some: Vec<File> = files.by_ref().take(FILES_AT_ONCE).collect();
        if some.is_empty() {
            return Ok(entries);
        }
        let before = entries.len();
        entries.par_extend(some.into_par_iter().map(|file| {
            let facts = syntax::analyse(&file);
            Arc::new(Entry::new(file, facts))
        }));
        bytes += entries[before..].iter().map(|entry| entry.bytes()).sum::<u64>();
        if let Some(most) = max_memory.filter(|most| bytes > *most) {
            return Err(too_much(most));
        }
    }
}
