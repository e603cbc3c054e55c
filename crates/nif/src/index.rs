//! Indexes: `Aludel.Index`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aludel_core::context::{self, Section};
use aludel_core::retrieval::{
    self, Answer, BuildOptions, CachedEmbedder, Index, MadeFrom, Mode, Query,
    store::{self, SaveOptions},
};
use aludel_core::source::{Diagnostic, Severity, WalkOptions};
use aludel_core::syntax::DefinitionKind;
use aludel_core::{Cancel, Error, ErrorKind, Result};
use parking_lot::{Mutex, RwLock};
use rustler::{Atom, Env, NifMap, Resource, ResourceArc, Term};

use crate::embedding_cache::CacheRef;
use crate::guard::guard;
use crate::job;
use crate::live::{Kind, Live};
use crate::model::{EncoderRef, ModelRef};

mod atoms {
    rustler::atoms! { hybrid, lexical, semantic, error, warning }
}

/// Chunks that are encoded between two publications: often enough to see progress, seldom enough to cost nothing.
const EMBED_BATCH: usize = 64;

/// The handle of an index: the current version of a value, and a lock for those who make the next one.
pub struct IndexRef {
    current: RwLock<Arc<Index>>,
    writer: Mutex<()>,
    options: BuildOptions,
    _live: Live,
}

#[rustler::resource_impl]
impl Resource for IndexRef {}

impl Drop for IndexRef {
    fn drop(&mut self) {
        // Its own reference goes right after this, so that the job thread's is the last.
        job::drop_later(self.current());
    }
}

impl IndexRef {
    fn new(index: Index, options: BuildOptions) -> ResourceArc<IndexRef> {
        ResourceArc::new(IndexRef {
            current: RwLock::new(Arc::new(index)),
            writer: Mutex::new(()),
            options,
            _live: Live::new(Kind::Index),
        })
    }

    /// The version that is current now; it stays whole however long the caller holds it.
    pub fn current(&self) -> Arc<Index> {
        self.current.read().clone()
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
    edges: usize,
    vectors: usize,
    diagnostics: usize,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExObservations {
    modules: usize,
    files: usize,
    stale: usize,
    foreign: usize,
    diagnostics: Vec<String>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExChanges {
    added: usize,
    changed: usize,
    removed: usize,
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

#[derive(NifMap)]
#[rustler(encode)]
struct ExResult {
    file: String,
    line_start: u32,
    line_end: u32,
    symbol: String,
    kind: Option<&'static str>,
    score: f32,
    text: String,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExMadeFrom {
    lexical: bool,
    semantic: bool,
    vectors: usize,
    chunks: usize,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExAnswer {
    results: Vec<ExResult>,
    made_from: ExMadeFrom,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExContext {
    text: String,
    tokens: usize,
    sections: Vec<ExSection>,
    omitted: usize,
    note: Option<&'static str>,
    made_from: ExMadeFrom,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExSection {
    title: String,
    file: String,
    line_start: u32,
    line_end: u32,
    text: String,
    trimmed: bool,
    tokens: usize,
}

impl From<MadeFrom> for ExMadeFrom {
    fn from(from: MadeFrom) -> Self {
        ExMadeFrom {
            lexical: from.lexical,
            semantic: from.semantic,
            vectors: from.vectors,
            chunks: from.chunks,
        }
    }
}

#[rustler::nif]
// normal: starts a job
fn index_build<'a>(env: Env<'a>, reference: Term<'a>, root: String, max_file_bytes: u64) -> Term<'a> {
    job::start(env, reference, move |reporter| {
        let options = BuildOptions { walk: WalkOptions { max_file_bytes, ..WalkOptions::default() } };
        let mut progress = |progress| reporter.progress(progress);
        let root = PathBuf::from(root);
        let index = job::install(|| Index::build(&root, &options, &mut progress, reporter.cancel()))?;
        let root = index.root().to_string_lossy().into_owned();
        Ok((IndexRef::new(index, options), root))
    })
}

#[rustler::nif]
// normal: starts a job
fn index_open<'a>(env: Env<'a>, reference: Term<'a>, path: String) -> Term<'a> {
    job::start(env, reference, move |reporter| {
        let index = job::install(|| store::open(Path::new(&path), reporter.cancel()))?;
        let root = index.root().to_string_lossy().into_owned();
        Ok((IndexRef::new(index, BuildOptions::default()), root))
    })
}

#[rustler::nif]
// normal: starts a job
fn index_update<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    paths: Option<Vec<String>>,
) -> Term<'a> {
    job::start(env, reference, move |reporter| {
        let mut progress = |progress| reporter.progress(progress);
        let paths: Option<BTreeSet<String>> = paths.map(|paths| paths.into_iter().collect());
        let changes = job::install(|| {
            index.change(|current| match &paths {
                Some(paths) => current.update_paths(paths, &index.options, &mut progress, reporter.cancel()),
                None => current.update(&index.options, &mut progress, reporter.cancel()),
            })
        })?;
        Ok(ExChanges {
            added: changes.added.len(),
            changed: changes.changed.len(),
            removed: changes.removed.len(),
            unchanged: changes.unchanged,
            dependencies: changes.dependencies,
        })
    })
}

#[rustler::nif]
// normal: starts a job
fn index_observe<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    folders: Vec<String>,
) -> Term<'a> {
    job::start(env, reference, move |reporter| {
        let mut progress = |progress| reporter.progress(progress);
        let folders: Vec<PathBuf> = folders.into_iter().map(PathBuf::from).collect();
        let observations = job::install(|| {
            index.change(|current| current.with_compiled(&folders, &mut progress, reporter.cancel()))
        })?;
        Ok(ExObservations {
            modules: observations.modules,
            files: observations.files,
            stale: observations.stale,
            foreign: observations.foreign,
            diagnostics: observations
                .diagnostics
                .iter()
                .map(|d| format!("{}: {}", d.path, d.message))
                .collect(),
        })
    })
}

#[rustler::nif]
// normal: starts a job
fn index_save<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    path: String,
    wait: u64,
) -> Term<'a> {
    job::start(env, reference, move |reporter| {
        let options = SaveOptions { wait: Duration::from_millis(wait) };
        job::install(|| store::save(&index.current(), Path::new(&path), &options, reporter.cancel()))
            .map(|_| true)
    })
}

#[rustler::nif]
// normal: starts a job
fn index_embed<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    encoder: ResourceArc<EncoderRef>,
    cache: Option<ResourceArc<CacheRef>>,
) -> Term<'a> {
    job::start(env, reference, move |reporter| {
        let cached =
            cache.as_ref().map(|cache| CachedEmbedder { embedder: encoder.encoder(), cache: &cache.0 });
        let embedder = cached.as_ref().map_or_else(|| encoder.encoder(), |cached| cached);
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

#[rustler::nif(schedule = "DirtyCpu")]
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
            edges: index.graph().edges().count(),
            vectors: stats.vectors,
            diagnostics: stats.diagnostics,
        })
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
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

#[rustler::nif(schedule = "DirtyCpu")]
fn index_text(env: Env<'_>, index: ResourceArc<IndexRef>, file: String) -> Term<'_> {
    guard(env, || match index.current().text(&file) {
        Some(text) => Ok(text.to_string()),
        None => Err(Error::new(ErrorKind::NotFound, format!("the index has no file {file}"))),
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn index_search<'a>(
    env: Env<'a>,
    index: ResourceArc<IndexRef>,
    query: String,
    limit: usize,
    mode: Atom,
    encoder: Option<ResourceArc<EncoderRef>>,
) -> Term<'a> {
    guard(env, || {
        let index = index.current();
        let answer = answer(&index, query, limit, mode, encoder.as_deref())?;
        let result = |hit: &retrieval::Hit| ExResult {
            file: hit.file.to_string(),
            line_start: hit.span.line_start,
            line_end: hit.span.line_end,
            symbol: hit.symbol.to_string(),
            kind: hit.kind.map(DefinitionKind::as_str),
            score: hit.score,
            text: slice(&index, hit),
        };
        Ok(ExAnswer {
            results: answer.results.iter().map(result).collect(),
            made_from: answer.made_from.into(),
        })
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
#[allow(clippy::too_many_arguments, reason = "each is a term that Elixir passes")]
fn index_context<'a>(
    env: Env<'a>,
    index: ResourceArc<IndexRef>,
    query: String,
    limit: usize,
    mode: Atom,
    encoder: Option<ResourceArc<EncoderRef>>,
    tokens: usize,
    model: Option<ResourceArc<ModelRef>>,
) -> Term<'a> {
    guard(env, || {
        let index = index.current();
        let answer = answer(&index, query, limit, mode, encoder.as_deref())?;
        let count = |text: &str| tokens_of(text, model.as_deref());
        let context = context::pack(&index, &answer, tokens, &count);
        let section = |section: Section| ExSection {
            title: section.title,
            file: section.file.to_string(),
            line_start: section.span.line_start,
            line_end: section.span.line_end,
            text: section.text,
            trimmed: section.trimmed,
            tokens: section.tokens,
        };
        Ok(ExContext {
            text: context.text,
            tokens: context.tokens,
            sections: context.sections.into_iter().map(section).collect(),
            omitted: context.omitted,
            note: context.note,
            made_from: answer.made_from.into(),
        })
    })
}

/// How many tokens a text is. Without a tokenizer two bytes count as one, which is more than any tokenizer makes of code.
pub fn tokens_of(text: &str, model: Option<&ModelRef>) -> usize {
    match model {
        Some(model) => model.count_tokens(text),
        None => text.len().div_ceil(2),
    }
}

fn answer(
    index: &Index,
    text: String,
    limit: usize,
    mode: Atom,
    encoder: Option<&EncoderRef>,
) -> Result<Answer> {
    let mode = if mode == atoms::lexical() {
        Mode::Lexical
    } else if mode == atoms::semantic() {
        Mode::Semantic
    } else if mode == atoms::hybrid() {
        Mode::Hybrid
    } else {
        return Err(Error::invalid("the mode is one of :hybrid, :lexical and :semantic"));
    };
    let cancel = Cancel::new();
    // An encoder whose vectors the index does not hold yet can tell nothing about it.
    let vector = match encoder {
        Some(encoder) if mode != Mode::Lexical && index.encoder() == Some(encoder.fingerprint()) => {
            Some(encoder.embed_one(&text, &cancel)?)
        }
        _ => None,
    };
    index.search(&Query { text, limit, mode, vector }, &cancel)
}

fn slice(index: &Index, hit: &retrieval::Hit) -> String {
    let text = index.text(&hit.file);
    let part = text.and_then(|text| text.get(hit.span.start as usize..hit.span.end as usize));
    part.unwrap_or_default().to_string()
}
