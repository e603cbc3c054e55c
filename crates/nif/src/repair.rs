//! Repairs as handles: what is suspected, and candidates by their numbers. `Ambix.Fix`.

use std::collections::HashMap;
use std::sync::Arc;

use ambix_core::lanes::Lane;
use ambix_core::repair::{
    CandidateSummary, ChangedFunction, FilePatch, Frame, Mutant, RepairSession, Suspect, SuspectScope,
    TestReport, TestRun,
};
use ambix_core::{Error, ErrorKind};
use ambix_macros::nif;
use rustler::{Env, NifMap, Resource, ResourceArc, Term};

use crate::guard::guard;
use crate::index::IndexRef;
use crate::job;
use crate::live::{Kind, Live};
use crate::model::ModelRef;
use crate::pool;

/// Candidates whose texts are made at once.
const MAX_BATCH: usize = 1024;

/// The handle of a repair.
pub struct RepairRef {
    session: Arc<RepairSession>,
    _live: Live,
}

#[rustler::resource_impl]
impl Resource for RepairRef {}

impl Drop for RepairRef {
    fn drop(&mut self) {
        // Its own reference goes right after this, so that the job thread's is the last.
        pool::drop_later(self.session.clone());
    }
}

#[derive(NifMap)]
#[rustler(decode)]
struct ExTestRun {
    id: String,
    passed: bool,
    covered: Vec<(String, Vec<u32>)>,
    frames: Vec<(String, u32)>,
    text: String,
}

/// What the tests said.
#[derive(NifMap)]
#[rustler(decode)]
struct ExReport {
    runs: Vec<ExTestRun>,
    messages: String,
    /// File and line of each failing test.
    failing: Vec<(String, u32)>,
}

#[derive(NifMap)]
#[rustler(decode)]
struct ExScope {
    file: Option<String>,
    line: Option<u32>,
    outside: Vec<String>,
}

#[derive(NifMap)]
#[rustler(decode)]
struct ExPageOptions {
    /// The candidate that those of the page are built on.
    parent: Option<usize>,
    /// Where the page begins: 0, or what the page before said.
    from: usize,
    /// The most candidates of the page.
    max: usize,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExSuspect {
    file: String,
    line: u32,
    score: f64,
    why: String,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExCandidate {
    id: usize,
    parent: Option<usize>,
    file: String,
    line: u32,
    kind: &'static str,
    label: String,
    prior: f64,
    size: usize,
    within: bool,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExPage {
    candidates: Vec<ExCandidate>,
    next: Option<usize>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExMutant {
    id: usize,
    changes: ExTexts,
    within: Option<ExFunction>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExFunction {
    file: String,
    first: u32,
    last: u32,
    start: usize,
    stop: usize,
    text: String,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExPatch {
    file: String,
    diff: String,
    text: String,
    original: String,
}

/// Files with their text.
type ExTexts = HashMap<String, String>;

impl ExReport {
    fn into_core(self) -> TestReport {
        let mut names: HashMap<String, Arc<str>> = HashMap::new();
        let mut name =
            |file: String| names.entry(file).or_insert_with_key(|file| file.as_str().into()).clone();
        let mut runs = Vec::with_capacity(self.runs.len());
        for run in self.runs {
            let mut covered = Vec::new();
            for (file, lines) in run.covered {
                let file = name(file);
                covered.extend(lines.into_iter().map(|line| (file.clone(), line)));
            }
            let frames =
                run.frames.into_iter().map(|(file, line)| Frame { file: name(file), line }).collect();
            runs.push(TestRun { name: run.id, passed: run.passed, covered, frames, text: run.text });
        }
        TestReport { runs, messages: self.messages, failing: self.failing }
    }
}

impl From<&Suspect> for ExSuspect {
    fn from(suspect: &Suspect) -> Self {
        let Suspect { file, line, score, why } = suspect;
        ExSuspect { file: file.to_string(), line: *line, score: *score, why: why.clone() }
    }
}

impl From<CandidateSummary> for ExCandidate {
    fn from(summary: CandidateSummary) -> Self {
        let CandidateSummary { number, parent, file, line, kind, prior, size, within, label } = summary;
        let (file, kind) = (file.to_string(), kind.as_str());
        ExCandidate { id: number, parent, file, line, kind, label, prior, size, within }
    }
}

impl From<Mutant> for ExMutant {
    fn from(mutant: Mutant) -> Self {
        ExMutant {
            id: mutant.number,
            changes: texts(mutant.changes),
            within: mutant.within.map(ExFunction::from),
        }
    }
}

impl From<ChangedFunction> for ExFunction {
    fn from(function: ChangedFunction) -> Self {
        let ChangedFunction { file, start, end, first_line, last_line, text } = function;
        ExFunction { file: file.to_string(), first: first_line, last: last_line, start, stop: end, text }
    }
}

impl From<FilePatch> for ExPatch {
    fn from(patch: FilePatch) -> Self {
        let FilePatch { file, diff, text, original } = patch;
        ExPatch { file: file.to_string(), diff, text, original: original.to_string() }
    }
}

fn texts(texts: impl IntoIterator<Item = (Arc<str>, String)>) -> ExTexts {
    texts.into_iter().map(|(file, text)| (file.to_string(), text)).collect()
}

/// A repair of the index's files as they are now, and the lines that it suspects, the most suspicious first.
#[nif(schedule = "DirtyCpu")]
fn repair_start<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    report: ExReport,
    scope: ExScope,
    limit: usize,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |_| {
        let project = index.current().snapshot().clone();
        let ExScope { file, line, outside } = scope;
        let scope = SuspectScope { file, line, outside };
        let session = Arc::new(RepairSession::new(project, &report.into_core(), &scope, limit));
        let suspects: Vec<ExSuspect> = session.suspects().iter().map(ExSuspect::from).collect();
        Ok((ResourceArc::new(RepairRef { session, _live: Live::new(Kind::Repair) }), suspects))
    })
}

/// A page of candidates, the likeliest first.
#[nif]
// normal: starts a job
fn repair_page<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    repair: ResourceArc<RepairRef>,
    options: ExPageOptions,
    model: Option<ResourceArc<ModelRef>>,
) -> Term<'a> {
    job::start(env, reference, Lane::Build, move |reporter| {
        let model = model.as_ref().map(|model| model.model());
        let ExPageOptions { parent, from, max } = options;
        let page = repair.session.page(parent, from, max, model, reporter.cancel())?;
        Ok(ExPage {
            candidates: page.candidates.into_iter().map(ExCandidate::from).collect(),
            next: page.next,
        })
    })
}

/// New candidates, each of which lacks one of the steps of this one.
#[nif(schedule = "DirtyCpu")]
fn repair_reductions(env: Env<'_>, repair: ResourceArc<RepairRef>, candidate: usize) -> Term<'_> {
    guard(env, || {
        let fewer = repair.session.reductions(candidate)?;
        Ok(fewer.into_iter().map(ExCandidate::from).collect::<Vec<_>>())
    })
}

/// Candidates of one parent, each with whether it may be compiled together with others, as a sandbox takes them.
#[nif(schedule = "DirtyCpu")]
fn repair_batch(env: Env<'_>, repair: ResourceArc<RepairRef>, candidates: Vec<(usize, bool)>) -> Term<'_> {
    guard(env, || {
        if candidates.len() > MAX_BATCH {
            return Err(Error::new(ErrorKind::Limit, format!("a batch is at most {MAX_BATCH} candidates")));
        }
        let batch = repair.session.batch(&candidates)?;
        Ok((texts(batch.base), batch.mutants.into_iter().map(ExMutant::from).collect::<Vec<_>>()))
    })
}

/// The files that a candidate changes, with their new texts.
#[nif(schedule = "DirtyCpu")]
fn repair_texts(env: Env<'_>, repair: ResourceArc<RepairRef>, candidate: usize) -> Term<'_> {
    guard(env, || Ok(texts(repair.session.texts(candidate)?)))
}

/// What a candidate changes, file by file.
#[nif(schedule = "DirtyCpu")]
fn repair_patches(env: Env<'_>, repair: ResourceArc<RepairRef>, candidate: usize) -> Term<'_> {
    guard(env, || {
        let patches = repair.session.patches(candidate)?;
        Ok(patches.into_iter().map(ExPatch::from).collect::<Vec<_>>())
    })
}
