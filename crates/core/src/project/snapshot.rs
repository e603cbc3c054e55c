//! One version of a source tree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::artifacts::CompiledFacts;
use super::dependencies::DependencyFacts;
use super::file::ProjectFile;
use super::table::FileTable;
use crate::graph::{CodeGraph, GraphInput};
use crate::source::{Diagnostic, File, Stamps, WalkOptions};
use crate::syntax::FileFacts;

/// How a snapshot or an index is built.
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// Which files are read.
    pub walk: WalkOptions,
    /// How many bytes of memory it may take.
    pub max_memory: Option<u64>,
}

/// The files of a source tree and what is known of them.
///
/// A snapshot never changes, a clone is cheap, and any thread may read it. An update makes a new version, which shares with the
/// old one what did not change. After any history of updates it equals a fresh build of the same files.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) root: Arc<Path>,
    pub(super) files: Arc<FileTable>,
    /// Unsaved texts by path. They count instead of what is on the disk.
    pub(super) overlays: Arc<BTreeMap<Arc<str>, Arc<str>>>,
    /// When files were written, in milliseconds since 1970, by path.
    pub(super) modified: Arc<BTreeMap<Arc<str>, u64>>,
    /// What the files looked like when they were read: those that look the same are not read again.
    pub(super) stamps: Arc<Stamps>,
    /// What could not be read.
    pub(super) unread: Arc<[Diagnostic]>,
    pub(super) dependencies: Arc<DependencyFacts>,
    pub(super) compiled: Arc<CompiledFacts>,
    /// One for all versions with these files.
    pub(super) graph: Arc<OnceLock<CodeGraph>>,
}

/// What a snapshot is made of, before there is one.
pub(crate) struct Parts {
    pub(crate) files: Vec<Arc<ProjectFile>>,
    pub(crate) unread: Vec<Diagnostic>,
    pub(crate) dependencies: DependencyFacts,
    pub(crate) modified: BTreeMap<Arc<str>, u64>,
    pub(crate) stamps: Stamps,
    pub(crate) compiled: CompiledFacts,
}

impl Snapshot {
    pub(crate) fn of(root: PathBuf, parts: Parts) -> Snapshot {
        let Parts { files, unread, dependencies, modified, stamps, compiled } = parts;
        Snapshot {
            root: root.into(),
            files: Arc::new(FileTable::new(files)),
            overlays: Arc::default(),
            modified: Arc::new(modified),
            stamps: Arc::new(stamps),
            unread: unread.into(),
            dependencies: Arc::new(dependencies),
            compiled: Arc::new(compiled),
            graph: Arc::default(),
        }
    }

    /// This snapshot as that of another folder, whose files may look different.
    pub(crate) fn with_root(&self, root: PathBuf) -> Snapshot {
        let (modified, stamps) = Default::default();
        Snapshot { root: root.into(), modified, stamps, ..self.clone() }
    }

    /// The folder that was read.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files, sorted by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &File> {
        self.files.iter().map(|file| &file.file)
    }

    /// The facts of the file at `path`, relative to the root.
    pub fn facts(&self, path: &str) -> Option<&FileFacts> {
        self.files.get(path).map(|file| &**file.facts.shared())
    }

    /// The text of the file at `path`, as it was read.
    pub fn text(&self, path: &str) -> Option<&Arc<str>> {
        self.files.get(path).map(|file| &file.file.text)
    }

    /// When the file at `path` was written before it was read, in milliseconds since 1970, if the system told.
    pub fn modified(&self, path: &str) -> Option<u64> {
        self.modified.get(path).copied()
    }

    /// What could not be read, files as a whole first.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.unread.iter().chain(self.files.iter().flat_map(|file| &file.summary.diagnostics))
    }

    /// The graph of the code. It is built at the first call, once for each state of the files; an update of a snapshot whose
    /// graph was built brings the graph up to date too.
    pub fn graph(&self) -> &CodeGraph {
        self.graph.get_or_init(|| {
            let inside = self.files.iter().map(|file| {
                let compiled = self.compiled.files().get(&file.file.path).cloned();
                let source = GraphInput { facts: file.facts.shared().clone(), compiled, outside: false };
                (file.file.path.clone(), source)
            });
            CodeGraph::build(inside.chain(self.dependencies.sources()))
        })
    }

    /// The graph of the code, if it was built: then [`Snapshot::graph`] takes no time.
    pub fn graph_if_made(&self) -> Option<&CodeGraph> {
        self.graph.get()
    }

    pub(crate) fn table(&self) -> &FileTable {
        &self.files
    }

    /// What the compiler said.
    #[cfg(test)]
    pub(crate) fn compiled(&self) -> &CompiledFacts {
        &self.compiled
    }

    /// What the files looked like when they were read.
    pub(crate) fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// Whether both have the very same files, so that what was made from them need not be made again.
    pub(crate) fn shares_files(&self, other: &Snapshot) -> bool {
        Arc::ptr_eq(&self.files, &other.files)
    }

    /// Whether both have the very same times of files.
    pub(crate) fn shares_times(&self, other: &Snapshot) -> bool {
        Arc::ptr_eq(&self.modified, &other.modified)
    }
}
