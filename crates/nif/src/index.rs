//! Indexes: `Ambix.Index`.

mod context;
mod query;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ambix_core::lanes::Lane;
use ambix_core::project::BuildOptions;
use ambix_core::project::store::{FileStore, StoreOptions};
use ambix_core::retrieval::{self, CachedEmbedder, Embedder, Index, StaticEncoder, persistence};
use ambix_core::source::{Diagnostic, History, Severity, Stamps, WalkOptions};
use ambix_core::{Error, ErrorKind, Result};
use ambix_macros::nif;
use parking_lot::{Mutex, RwLock};
use rustler::{Atom, Binary, Env, NifMap, Resource, ResourceArc, Term};

pub use self::context::tokens_of;
use crate::embedding_cache::CacheRef;
use crate::guard::guard;
use crate::job;
use crate::live::{Kind, Live};
use crate::model::EncoderRef;
use crate::pool;
use crate::watch::{Followed, freshness};

mod atoms {
    rustler::atoms! { error, warning }
}

/// Chunks that are encoded between two publications: often enough to see progress, seldom enough to cost nothing.
const EMBED_BATCH: usize = 64;

/// The static encoder, read when it is first needed: one for all indexes.
fn shipped_encoder() -> Result<Arc<StaticEncoder>> {
    static SHIPPED: OnceLock<Arc<StaticEncoder>> = OnceLock::new();
    match SHIPPED.get() {
        Some(encoder) => Ok(encoder.clone()),
        None => {
            let encoder = Arc::new(StaticEncoder::shipped()?);
            Ok(SHIPPED.get_or_init(|| encoder).clone())
        }
    }
}

/// The handle of an index: the current version of a value, and a lock for those who make the next one.
pub struct IndexRef {
    current: RwLock<Arc<Index>>,
    writer: Mutex<()>,
    options: BuildOptions,
    /// Where it was opened or saved last: what that store has seen need not be read again when it is saved.
    store: Mutex<Option<FileStore>>,
    /// The watch of its folder, if there is one.
    followed: RwLock<Option<Arc<Followed>>>,
    stamps: Mutex<Stamps>,
    /// Which files changed together, up to the commit of that name, once a caller said at which file it is.
    history: RwLock<Option<(String, Arc<History>)>>,
    _live: Live,
}

#[rustler::resource_impl]
impl Resource for IndexRef {}

impl Drop for IndexRef {
    fn drop(&mut self) {
        // Its own reference goes right after this, so that the job thread's is the last.
        pool::drop_later((self.current(), self.history.get_mut().take()));
    }
}

impl IndexRef {
    fn new(index: Index, options: BuildOptions) -> ResourceArc<IndexRef> {
        ResourceArc::new(IndexRef {
            current: RwLock::new(Arc::new(index)),
            writer: Mutex::new(()),
            options,
            store: Mutex::default(),
            followed: RwLock::default(),
            stamps: Mutex::default(),
            history: RwLock::default(),
            _live: Live::new(Kind::Index),
        })
    }

    /// The version that is current now; it stays whole however long the caller holds it.
    pub fn current(&self) -> Arc<Index> {
        self.current.read().clone()
    }

    fn history(&self) -> Option<Arc<History>> {
        self.history.read().as_ref().map(|(_, history)| history.clone())
    }

    /// A handle of the version that is current now, which stays that one.
    pub fn snapshot(&self) -> ResourceArc<IndexRef> {
        let snapshot = IndexRef::new(Index::clone(&self.current()), self.options.clone());
        *snapshot.history.write() = self.history.read().clone();
        snapshot
    }

    /// From now on it is told what happens in its folder.
    pub fn follow(&self, followed: Followed) {
        *self.followed.write() = Some(Arc::new(followed));
    }

    /// Whether what [`IndexRef::current`] will give tells what is on the disk.
    pub fn freshness(&self) -> Atom {
        freshness(self.followed.read().as_deref())
    }

    /// Makes the next version from the current one. Readers wait for no longer than a pointer is stored.
    fn change<T>(&self, next: impl FnOnce(&Index) -> Result<(Index, T)>) -> Result<T> {
        let _writer = self.writer.lock();
        let (index, value) = next(&self.current())?;
        *self.current.write() = Arc::new(index);
        Ok(value)
    }
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExInfo {
    root: String,
    files: usize,
    bytes: usize,
    chunks: usize,
    definitions: usize,
    references: usize,
    vectors: usize,
    own_vectors: bool,
    diagnostics: usize,
    memory: u64,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExCounts {
    files: usize,
    bytes: usize,
    chunks: usize,
    vectors: usize,
    missing_vectors: usize,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExObservations {
    modules: usize,
    files: usize,
    stale: usize,
    foreign: usize,
    read: usize,
    changed: bool,
    diagnostics: Vec<String>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExChanges {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    unchanged: usize,
    dependencies: bool,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExDiagnostic {
    file: String,
    line: Option<u32>,
    severity: Atom,
    code: String,
    message: String,
}

/// How much an index may take.
#[derive(NifMap)]
#[rustler(decode)]
struct ExCeilings {
    max_file_bytes: Option<u64>,
    max_memory: Option<u64>,
    nested_repositories: bool,
}

impl From<ExCeilings> for BuildOptions {
    fn from(ceilings: ExCeilings) -> Self {
        let standard = WalkOptions::default();
        let max_file_bytes = ceilings.max_file_bytes.unwrap_or(standard.max_file_bytes);
        let nested_repositories = ceilings.nested_repositories;
        let walk = WalkOptions { max_file_bytes, nested_repositories, ..standard };
        BuildOptions { walk, max_memory: ceilings.max_memory }
    }
}

#[derive(NifMap)]
#[rustler(decode)]
struct ExSaving {
    wait: u64,
    max_disk: Option<u64>,
    export: bool,
}

#[nif]
// normal: starts a job
fn index_build<'a>(env: Env<'a>, reference: Term<'a>, root: String, ceilings: ExCeilings) -> Term<'a> {
    job::start(env, reference, Lane::Build, move |reporter| {
        let options = BuildOptions::from(ceilings);
        let mut progress = |progress| reporter.progress(progress);
        let root = PathBuf::from(root);
        let index = pool::install(|| {
            let index = Index::build(&root, &options, &mut progress, reporter.cancel())?;
            index.with_encoder(shipped_encoder()?, reporter.cancel())
        })?;
        let root = index.root().to_string_lossy().into_owned();
        Ok((IndexRef::new(index, options), root))
    })
}

/// `root` is the folder that the index is to be of, nil for that which it was saved with.
#[nif]
// normal: starts a job
fn index_open<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    path: String,
    root: Option<String>,
    ceilings: ExCeilings,
) -> Term<'a> {
    job::start(env, reference, Lane::Build, move |reporter| {
        let options = BuildOptions::from(ceilings);
        let (mut store, cancel) = (FileStore::new(path, StoreOptions::default()), reporter.cancel());
        let index = pool::install(|| {
            let stored = match &root {
                Some(root) => persistence::import(&mut store, Path::new(root), cancel)?,
                None => persistence::open(&mut store, cancel)?,
            };
            stored.with_encoder(shipped_encoder()?, cancel)?.with_ceiling(options.max_memory, cancel)
        })?;
        let root = index.root().to_string_lossy().into_owned();
        let index = IndexRef::new(index, options);
        *index.store.lock() = Some(store);
        Ok((index, root))
    })
}

/// `paths` are what to look at, nil for everything; `seen` says how much of what the watch of the folder has seen they are.
#[nif(schedule = "DirtyCpu")]
fn index_update<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    paths: Option<Vec<String>>,
    seen: Option<u64>,
) -> Term<'a> {
    job::start(env, reference, Lane::Build, move |reporter| {
        let mut progress = |progress| reporter.progress(progress);
        let paths: Option<BTreeSet<String>> = paths.map(|paths| paths.into_iter().collect());
        let followed = index.followed.read().clone();
        // Whoever reads everything reads what was seen before.
        let everything = followed.as_ref().filter(|_| paths.is_none()).map(|followed| followed.seen());
        let changes = pool::install(|| {
            index.change(|current| match &paths {
                Some(paths) => current.update_paths(paths, &index.options, &mut progress, reporter.cancel()),
                None => current.update(&index.options, &mut progress, reporter.cancel()),
            })
        });
        match (&followed, &changes, everything.or(seen)) {
            (Some(followed), Ok(_), Some(seen)) => followed.applied(seen),
            (Some(followed), Err(error), _) if error.kind() != ErrorKind::Cancelled => followed.failed(),
            _ => {}
        }
        let names = |paths: &[Arc<str>]| paths.iter().map(|path| path.to_string()).collect();
        changes.map(|changes| ExChanges {
            added: names(&changes.added),
            changed: names(&changes.changed),
            removed: names(&changes.removed),
            unchanged: changes.unchanged,
            dependencies: changes.dependencies,
        })
    })
}

/// The paths of which the index tells something else than what is on the disk.
#[nif]
// normal: starts a job
fn index_differences<'a>(env: Env<'a>, reference: Term<'a>, index: ResourceArc<IndexRef>) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |reporter| {
        let mut held = index.stamps.lock();
        let (stamps, current) = (&mut *held, index.current());
        let paths = pool::install(|| current.differences(stamps, &index.options, reporter.cancel()))?;
        Ok(paths.into_iter().collect::<Vec<_>>())
    })
}

/// `:fresh`, `:updating`, `:stale` or `:unknown`, as answers say it.
#[nif]
// normal: reads a few numbers
fn index_freshness(env: Env<'_>, index: ResourceArc<IndexRef>) -> Term<'_> {
    guard(env, || Ok(index.freshness()))
}

#[nif(schedule = "DirtyCpu")]
fn index_observe<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    folders: Vec<String>,
) -> Term<'a> {
    job::start(env, reference, Lane::Build, move |reporter| {
        let mut progress = |progress| reporter.progress(progress);
        let folders: Vec<PathBuf> = folders.into_iter().map(PathBuf::from).collect();
        let observations = pool::install(|| {
            index.change(|current| current.with_compiled(&folders, &mut progress, reporter.cancel()))
        })?;
        Ok(ExObservations {
            modules: observations.modules,
            files: observations.files,
            stale: observations.stale,
            foreign: observations.foreign,
            read: observations.read,
            changed: observations.changed,
            diagnostics: observations
                .diagnostics
                .iter()
                .map(|d| format!("{}: {}", d.path, d.message))
                .collect(),
        })
    })
}

#[nif]
// normal: starts a job
fn index_save<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    path: String,
    saving: ExSaving,
) -> Term<'a> {
    job::start(env, reference, Lane::Build, move |reporter| {
        let options = StoreOptions { wait: Duration::from_millis(saving.wait), max_bytes: saving.max_disk };
        let (current, cancel) = (index.current(), reporter.cancel());
        if saving.export {
            let mut store = FileStore::new(path, options);
            return Ok(pool::install(|| persistence::export(&current, &mut store, cancel))?.bytes);
        }
        let mut held = index.store.lock();
        let known = held.take().filter(|store| store.path() == Path::new(&path));
        let store = held.insert(known.unwrap_or_else(|| FileStore::new(path, options)));
        store.set_options(options);
        Ok(pool::install(|| persistence::save(&current, store, cancel))?.bytes)
    })
}

#[nif]
// normal: starts a job
fn index_embed<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    encoder: ResourceArc<EncoderRef>,
    cache: Option<ResourceArc<CacheRef>>,
) -> Term<'a> {
    job::start(env, reference, Lane::Model, move |reporter| {
        let cached =
            cache.as_ref().map(|cache| CachedEmbedder { embedder: encoder.encoder(), cache: &cache.0 });
        let embedder: &dyn Embedder = match &cached {
            Some(cached) => cached,
            None => encoder.encoder(),
        };
        let mut made = 0;
        retrieval::embed_all(
            &|| Index::clone(&index.current()),
            embedder,
            EMBED_BATCH,
            &mut |batch, progress| {
                made += batch.len();
                reporter.progress(progress);
                index.change(|current| Ok((current.with_vectors(batch)?, ())))
            },
            reporter.cancel(),
        )?;
        Ok(made)
    })
}

#[nif(schedule = "DirtyCpu")]
fn index_info(env: Env<'_>, index: ResourceArc<IndexRef>) -> Term<'_> {
    guard(env, || {
        let index = index.current();
        let stats = index.stats();
        Ok(ExInfo {
            root: index.root().to_string_lossy().into_owned(),
            files: stats.files,
            bytes: stats.bytes,
            chunks: stats.chunks,
            definitions: stats.definitions,
            references: stats.references,
            vectors: stats.vectors,
            own_vectors: index.speaks(),
            diagnostics: stats.diagnostics,
            memory: index.memory().total(),
        })
    })
}

/// What is known without the graph, which may not be made yet.
#[nif(schedule = "DirtyCpu")]
fn index_counts(env: Env<'_>, index: ResourceArc<IndexRef>) -> Term<'_> {
    guard(env, || {
        let stats = index.current().stats();
        Ok(ExCounts {
            files: stats.files,
            bytes: stats.bytes,
            chunks: stats.chunks,
            vectors: stats.vectors,
            missing_vectors: stats.chunks - stats.vectors,
        })
    })
}

#[nif(schedule = "DirtyCpu")]
fn index_diagnostics(env: Env<'_>, index: ResourceArc<IndexRef>) -> Term<'_> {
    guard(env, || {
        let index = index.current();
        let row = |diagnostic: &Diagnostic| ExDiagnostic {
            file: diagnostic.path.to_string(),
            line: diagnostic.span.map(|span| span.line_start),
            severity: match diagnostic.severity {
                Severity::Error => atoms::error(),
                Severity::Warning => atoms::warning(),
            },
            code: diagnostic.code.clone(),
            message: diagnostic.message.clone(),
        };
        Ok(index.diagnostics().map(row).collect::<Vec<_>>())
    })
}

#[nif(schedule = "DirtyCpu")]
fn index_text(env: Env<'_>, index: ResourceArc<IndexRef>, file: String) -> Term<'_> {
    guard(env, || match index.current().text(&file) {
        Some(text) => Ok(text.to_string()),
        None => Err(Error::new(ErrorKind::NotFound, format!("the index has no file {file}"))),
    })
}

/// The name of the commit up to which the history of the index's files is known, if it is.
#[nif]
// normal: clones a short text
fn index_history_tip(env: Env<'_>, index: ResourceArc<IndexRef>) -> Term<'_> {
    guard(env, || Ok(index.history.read().as_ref().map(|(tip, _)| tip.clone())))
}

/// What git said of the history up to the commit of that name.
#[nif(schedule = "DirtyCpu")]
fn index_history<'a>(env: Env<'a>, index: ResourceArc<IndexRef>, tip: String, log: Binary<'a>) -> Term<'a> {
    guard(env, || {
        let history = Arc::new(History::parse(log.as_slice()));
        let commits = history.commits();
        let before = index.history.write().replace((tip, history));
        drop(before);
        Ok(commits)
    })
}

/// The arguments with which git says it.
#[nif]
// normal: a constant
fn history_log(env: Env<'_>) -> Term<'_> {
    guard(env, || Ok(History::LOG.to_vec()))
}
