//! From what is on the disk to a snapshot, and from a snapshot to the next one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::artifacts::CompiledFacts;
use super::dependencies::DependencyFacts;
use super::file::{ProjectFile, too_much};
use super::snapshot::{BuildOptions, Parts, Snapshot};
use super::table::FileTable;
use crate::graph::{CodeGraph, GraphInput};
use crate::job::Progress;
use crate::source::{self, Diagnostic, File, Stamps, WalkOptions, WalkResult};
use crate::{Cancel, Error, Result};

/// So many files are analysed between two looks at the token that cancels.
const FILES_AT_ONCE: usize = 64;

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
        self.are_files_as_they_were() && !self.dependencies
    }

    fn are_files_as_they_were(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Snapshot {
    /// Reads the source tree in the folder `root`. What cannot be read is left out, with a diagnostic.
    ///
    /// `progress` hears of the phases `"walk"` (of unknown length: the total is 0) and `"analyse"` (files).
    ///
    /// # Errors
    /// Those of [`source::walk`] and of [`Cancel::check`]; [`crate::ErrorKind::Limit`] for a tree that does not fit into
    /// [`BuildOptions::max_memory`].
    pub fn build(
        root: &Path,
        options: &BuildOptions,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Snapshot> {
        cancel.check()?;
        progress(Progress { phase: "walk", done: 0, total: 0 });
        let WalkResult { mut files, diagnostics: unread, stamps } =
            source::walk_known(root, None, &walk(options), &Stamps::default(), &|_| None, cancel)?;
        let modified = times(&mut files);
        let root = root.canonicalize().map_err(|error| Error::io(root, "find", error))?;
        let files = analyse(files, options.max_memory, progress, cancel)?;
        let facts = files.iter().map(|file| &**file.facts.shared());
        let dependencies = DependencyFacts::default().updated(&root, facts, cancel)?.unwrap_or_default();
        let compiled = CompiledFacts::default();
        Ok(Snapshot::of(root, Parts { files, unread, dependencies, modified, stamps, compiled }))
    }

    /// The snapshot of the root as it is now, and what is different. Only files with another content are analysed again.
    ///
    /// # Errors
    /// As [`Snapshot::build`].
    pub fn update(
        &self,
        options: &BuildOptions,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Snapshot, Changes)> {
        cancel.check()?;
        progress(Progress { phase: "walk", done: 0, total: 0 });
        let read = self.read(None, options, cancel)?;
        self.replaced(read, &|_| true, options.max_memory, progress, cancel)
    }

    /// Likewise, but only what lies at or below `paths` is looked at, for callers who know what changed. Paths are relative to
    /// the root; those of files that are no more are fine.
    ///
    /// # Errors
    /// As [`Snapshot::update`], and [`crate::ErrorKind::InvalidArgument`] for a path that leads out of the root.
    pub fn update_paths(
        &self,
        paths: &BTreeSet<String>,
        options: &BuildOptions,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Snapshot, Changes)> {
        let paths = &paths.iter().map(|path| source::canonical(path)).collect();
        let mut read = self.read(Some(paths), options, cancel)?;
        // Which files are beyond the limit is not to be told from some of them.
        let is_cut = |diagnostic: &Diagnostic| diagnostic.code == source::TOO_MANY;
        if self.files.len() + read.files.len() > options.walk.max_files
            || self.unread.iter().chain(&read.diagnostics).any(is_cut)
        {
            return self.update(options, progress, cancel);
        }
        let covers = |path: &str| source::lies_in(path, paths);
        let kept = self.unread.iter().filter(|diagnostic| !covers(&diagnostic.path)).cloned();
        // The folders above were looked into as well, and what is to be said of them is among those that are kept.
        read.diagnostics.retain(|diagnostic| covers(&diagnostic.path));
        read.diagnostics.extend(kept);
        read.diagnostics.sort_by(|a, b| a.path.cmp(&b.path));
        self.replaced(read, &covers, options.max_memory, progress, cancel)
    }

    /// The snapshot in which `texts` count instead of what is on the disk: the unsaved buffers of an editor, or a change that
    /// was not written. `None` takes an overlay away, and what is on the disk counts again. Overlays outlive updates and are
    /// not saved.
    ///
    /// # Errors
    /// As [`Snapshot::update_paths`].
    pub fn with_overlays(
        &self,
        texts: BTreeMap<String, Option<Arc<str>>>,
        options: &BuildOptions,
        cancel: &Cancel,
    ) -> Result<(Snapshot, Changes)> {
        let texts: BTreeMap<_, _> =
            texts.into_iter().map(|(path, text)| (source::canonical(&path), text)).collect();
        let paths = texts.keys().cloned().collect();
        let mut overlays = BTreeMap::clone(&self.overlays);
        for (path, text) in texts {
            match text {
                Some(text) => drop(overlays.insert(path.into(), text)),
                None => drop(overlays.remove(path.as_str())),
            }
        }
        let next = Snapshot { overlays: Arc::new(overlays), ..self.clone() };
        next.update_paths(&paths, options, &mut |_| {}, cancel)
    }

    /// The paths of files whose text is an overlay.
    pub fn overlays(&self) -> impl Iterator<Item = &str> {
        self.overlays.keys().map(|path| &**path)
    }

    /// Reads what may have changed, and takes everything else to be as it was.
    fn read(
        &self,
        wanted: Option<&BTreeSet<String>>,
        options: &BuildOptions,
        cancel: &Cancel,
    ) -> Result<WalkResult> {
        // What was said of a file when it was read has to be said again.
        let told: HashSet<&str> = self.unread.iter().map(|diagnostic| &*diagnostic.path).collect();
        let fits = |file: &File| file.text.len() as u64 <= options.walk.max_file_bytes;
        let known = |path: &str| {
            let file = self.files.get(path).filter(|_| !told.contains(path))?;
            Some(File { modified: self.modified(path), ..file.file.clone() }).filter(fits)
        };
        let mut read = source::walk_known(&self.root, wanted, &walk(options), &self.stamps, &known, cancel)?;
        let overlaid = |path: &str| self.overlays.contains_key(path);
        if !self.overlays.is_empty() {
            read.files.retain(|file| !overlaid(&file.path));
            read.diagnostics.retain(|diagnostic| !overlaid(&diagnostic.path));
            // Without a stamp the file is read as soon as its overlay is gone.
            read.stamps = read.stamps.replaced(&overlaid, Stamps::default());
            let covered = |path: &str| wanted.is_none_or(|paths| source::lies_in(path, paths));
            let texts = self.overlays.iter().filter(|(path, _)| covered(path));
            read.files.extend(texts.map(|(path, text)| File::new(path.clone(), text.clone())));
            read.files.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(read)
    }

    /// The snapshot with what was `read` instead of the files whose path is `covered`.
    fn replaced(
        &self,
        read: WalkResult,
        covered: &dyn Fn(&str) -> bool,
        max_memory: Option<u64>,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Snapshot, Changes)> {
        let WalkResult { files: mut read, diagnostics: unread, stamps } = read;
        let stamps = Arc::new(self.stamps.replaced(covered, stamps));
        let mut modified = self.modified.clone();
        for file in &mut read {
            let time = file.modified.take();
            if time != modified.get(&file.path).copied() {
                set_time(&mut modified, &file.path, time);
            }
        }
        let (kept, new, mut changes) = self.compared(read, covered);
        changes.removed.iter().for_each(|path| set_time(&mut modified, path, None));
        let new = analyse(new, max_memory, progress, cancel)?;
        let facts = new.iter().map(|file| &**file.facts.shared());
        let dependencies = self.dependencies.updated(&self.root, facts, cancel)?;
        changes.dependencies = dependencies.is_some();
        let same = Snapshot { unread: unread.into(), modified, stamps, ..self.clone() };
        if changes.is_empty() {
            return Ok((same, changes));
        }
        // The compiler has not seen the new texts.
        let compiled = self.compiled.without(changes.changed.iter().chain(&changes.removed));
        let graph = self.graph_after(&new, &changes, dependencies.as_ref());
        let files = if changes.are_files_as_they_were() {
            self.files.clone()
        } else {
            Arc::new(FileTable::merged(&kept, new))
        };
        let next = Snapshot {
            files,
            dependencies: dependencies.map_or_else(|| self.dependencies.clone(), Arc::new),
            compiled: compiled.map_or_else(|| self.compiled.clone(), Arc::new),
            graph: Arc::new(graph),
            ..same
        };
        Ok((next, changes))
    }

    /// The files that stay, sorted by path, those that have to be analysed, and what is different.
    fn compared(
        &self,
        read: Vec<File>,
        covered: &dyn Fn(&str) -> bool,
    ) -> (Vec<Arc<ProjectFile>>, Vec<File>, Changes) {
        let mut kept = Vec::with_capacity(self.files.len());
        let (mut new, mut changes) = (Vec::new(), Changes::default());
        let mut read = read.into_iter().peekable();
        let mut add = |file: File, paths: &mut Vec<Arc<str>>| {
            paths.push(file.path.clone());
            new.push(file);
        };
        for known in self.files.iter() {
            let path = &known.file.path;
            if !covered(path) {
                kept.push(known.clone());
                continue;
            }
            while let Some(file) = read.next_if(|file| file.path < *path) {
                add(file, &mut changes.added);
            }
            match read.next_if(|file| file.path == *path) {
                Some(file) if file.hash == known.file.hash => kept.push(known.clone()),
                Some(file) => add(file, &mut changes.changed),
                None => changes.removed.push(path.clone()),
            }
        }
        read.for_each(|file| add(file, &mut changes.added));
        changes.unchanged = kept.len();
        (kept, new, changes)
    }

    /// The graph after these changes, if there was one before.
    fn graph_after(
        &self,
        new: &[Arc<ProjectFile>],
        changes: &Changes,
        dependencies: Option<&DependencyFacts>,
    ) -> OnceLock<CodeGraph> {
        let graph = OnceLock::new();
        if let Some(before) = self.graph.get() {
            let gone = changes.removed.iter().map(|path| (path.clone(), None::<GraphInput>));
            let new =
                new.iter().map(|file| (file.file.path.clone(), Some(file.facts.shared().clone().into())));
            let left = self.dependencies.files.keys().filter(|_| dependencies.is_some());
            let left = left.map(|path| (path.clone(), None::<GraphInput>));
            let brought = dependencies.into_iter().flat_map(DependencyFacts::sources);
            let brought = brought.map(|(path, source)| (path, Some(source)));
            // Of two changes of one path the later one counts.
            let _ = graph.set(before.updated(left.chain(brought).chain(new).chain(gone)));
        }
        graph
    }
}

/// When the files were written. A snapshot keeps this apart from them: what was read again and is the same stays as it is.
fn times(files: &mut [File]) -> BTreeMap<Arc<str>, u64> {
    files.iter_mut().filter_map(|file| Some((file.path.clone(), file.modified.take()?))).collect()
}

/// Says of one file when it was written. Versions share the times as long as none is different.
fn set_time(modified: &mut Arc<BTreeMap<Arc<str>, u64>>, path: &Arc<str>, time: Option<u64>) {
    match time {
        Some(time) => drop(Arc::make_mut(modified).insert(path.clone(), time)),
        None if modified.contains_key(path) => drop(Arc::make_mut(modified).remove(path)),
        None => {}
    }
}

/// What is read: texts that alone take more than the memory ceiling are not read to their end.
fn walk(options: &BuildOptions) -> WalkOptions {
    let most = options.max_memory.unwrap_or(u64::MAX);
    WalkOptions { max_bytes: options.walk.max_bytes.min(most), ..options.walk.clone() }
}

fn analyse(
    files: Vec<File>,
    max_memory: Option<u64>,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Vec<Arc<ProjectFile>>> {
    let total = files.len() as u64;
    let mut analysed: Vec<Arc<ProjectFile>> = Vec::with_capacity(files.len());
    let mut files = files.into_iter();
    let mut bytes = 0;
    loop {
        cancel.check()?;
        progress(Progress { phase: "analyse", done: analysed.len() as u64, total });
        let some: Vec<File> = files.by_ref().take(FILES_AT_ONCE).collect();
        if some.is_empty() {
            return Ok(analysed);
        }
        let before = analysed.len();
        analysed.par_extend(some.into_par_iter().map(|file| Arc::new(ProjectFile::read(file))));
        bytes += analysed[before..].iter().map(|file| file.bytes()).sum::<u64>();
        if let Some(most) = max_memory.filter(|most| bytes > *most) {
            return Err(too_much(most));
        }
    }
}
