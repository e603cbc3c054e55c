//! Where a fault may be and what to try there: `Ambix.Fix`.

mod model;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ambix_core::edit::{Edit, Patch, unified_diff};
use ambix_core::inference::Model;
use ambix_core::repair::{self, Candidate, Frame, Function, Suspect, TestRun};
use ambix_core::retrieval::Index;
use ambix_core::source::File;
use ambix_core::syntax::{self, Definition, DefinitionKind, FileFacts};
use ambix_core::{Cancel, Error, ErrorKind, Result};
use ambix_macros::nif;
use rustler::{Env, NifMap, ResourceArc, Term};

use crate::guard::guard;
use crate::index::IndexRef;
use crate::job;
use crate::lanes::Lane;
use crate::model::ModelRef;

/// Files that candidates are made for: those with the most suspicious lines.
const MAX_FILES: usize = 12;

/// Files that words and code are taken from.
const MAX_DONORS: usize = 60;

#[derive(NifMap)]
struct ExTestRun {
    id: String,
    passed: bool,
    covered: Vec<(String, Vec<u32>)>,
    frames: Vec<(String, u32)>,
    text: String,
}

#[derive(NifMap)]
struct ExSuspect {
    file: String,
    line: u32,
    score: f64,
    why: String,
}

#[derive(NifMap)]
struct ExOptions {
    /// The most candidates of a page.
    max: usize,
    /// Where the page begins: 0, or what the page before said.
    from: usize,
    /// What the failing tests said.
    messages: String,
    /// File and line of each.
    failing: Vec<(String, u32)>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExCandidate {
    file: String,
    line: u32,
    kind: &'static str,
    label: String,
    prior: f64,
    size: usize,
    edits: Vec<ExEdit>,
    /// The function that the edits lie in: the first and one past the last byte of its clauses, and their lines.
    within: Option<(usize, usize, u32, u32)>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExPage {
    candidates: Vec<ExCandidate>,
    next: Option<usize>,
}

/// First byte, one past the last byte, and what takes their place.
type ExEdit = (usize, usize, String);

/// The lines of the project that may hold the fault, the most suspicious first, at most `limit`. Test files are no suspects.
#[nif(schedule = "DirtyCpu")]
fn repair_localise<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    tests: Vec<ExTestRun>,
    limit: usize,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |_| {
        let index = index.current();
        let mut names: HashMap<String, Arc<str>> = HashMap::new();
        let mut name =
            |file: String| names.entry(file).or_insert_with_key(|file| file.as_str().into()).clone();
        let mut runs = Vec::with_capacity(tests.len());
        for test in tests {
            let mut covered = Vec::new();
            for (file, lines) in test.covered {
                let file = name(file);
                covered.extend(lines.into_iter().map(|line| (file.clone(), line)));
            }
            let frames =
                test.frames.into_iter().map(|(file, line)| Frame { file: name(file), line }).collect();
            runs.push(TestRun { name: test.id, passed: test.passed, covered, frames, text: test.text });
        }
        let mut suspects = repair::localise(&runs, &changeable(&index));
        suspects.truncate(limit);
        let row = |suspect: Suspect| ExSuspect {
            file: suspect.file.to_string(),
            line: suspect.line,
            score: suspect.score,
            why: suspect.why,
        };
        Ok(suspects.into_iter().map(row).collect::<Vec<_>>())
    })
}

/// A page of the changes to try at the suspected lines, the likeliest first. `sources` holds files whose text is not that
/// of the index. A model adds its own and helps to order the likeliest, on the first page.
#[nif(schedule = "DirtyCpu")]
fn repair_candidates<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    sources: HashMap<String, String>,
    suspects: Vec<ExSuspect>,
    options: ExOptions,
    model: Option<ResourceArc<ModelRef>>,
) -> Term<'a> {
    job::start(env, reference, Lane::Build, move |reporter| {
        let index = index.current();
        let model = model.as_ref().map(|model| model.model());
        let sources: BTreeMap<String, (String, FileFacts)> = sources
            .into_iter()
            .map(|(path, text)| {
                let facts = syntax::analyse(&File::new(path.as_str(), text.as_str()));
                (path, (text, facts))
            })
            .collect();
        let suspects: Vec<Suspect> = suspects
            .into_iter()
            .map(|suspect| Suspect {
                file: suspect.file.into(),
                line: suspect.line,
                score: suspect.score,
                why: suspect.why,
            })
            .collect();
        candidates(&index, &sources, &suspects, &options, model, reporter.cancel())
    })
}

fn candidates(
    index: &Index,
    sources: &BTreeMap<String, (String, FileFacts)>,
    suspects: &[Suspect],
    options: &ExOptions,
    model: Option<&Model>,
    cancel: &Cancel,
) -> Result<ExPage> {
    let mut facts = changeable(index);
    let mut texts: Vec<(&str, &str)> =
        facts.iter().filter_map(|(path, _)| Some((*path, &**index.text(path)?))).collect();
    for (path, text) in &mut texts {
        if let Some((changed, _)) = sources.get(*path) {
            *text = changed;
        }
    }
    for (path, known) in &mut facts {
        if let Some((_, changed)) = sources.get(*path) {
            *known = changed;
        }
    }
    let mut evidence = options.messages.clone();
    for (file, line) in &options.failing {
        evidence.push('\n');
        evidence.push_str(test_source(index, file, *line));
    }
    let files = files(suspects);
    // Every file is compared with every donor: in a large project those with suspects serve, and some more.
    let mut donors = texts.clone();
    donors.sort_by_key(|(path, _)| !files.contains(path));
    donors.truncate(MAX_DONORS);
    let request = |file: &&str| {
        let (path, text) = texts.iter().find(|(path, _)| path == file)?;
        Some(repair::Request {
            path,
            text,
            suspects,
            facts: &facts,
            donors: &donors,
            evidence: &evidence,
            max: options.max,
        })
    };
    let requests: Vec<repair::Request<'_>> = files.iter().filter_map(request).collect();
    let repair::Page { mut candidates, next } = repair::page_of(&requests, options.from, cancel)?;
    if let Some(model) = model
        && options.from == 0
    {
        candidates = assisted(model, &requests, candidates, cancel)?;
    }
    let texts: BTreeMap<&str, &str> = texts.into_iter().collect();
    let mut functions = BTreeMap::new();
    for request in &requests {
        functions.insert(request.path, Function::all(request.text)?);
    }
    let encoded = candidates.into_iter().map(|candidate| {
        let text = texts.get(&*candidate.file).copied().unwrap_or_default();
        let functions = functions.get(&*candidate.file).map(Vec::as_slice).unwrap_or_default();
        encode(candidate, text, functions)
    });
    Ok(ExPage { candidates: encoded.collect::<Result<_>>()?, next })
}

/// The candidates with what a model adds and prefers, file by file: it sees one text at a time. The best of each file
/// stays where it was among those of the others.
fn assisted(
    model: &Model,
    requests: &[repair::Request<'_>],
    candidates: Vec<Candidate>,
    cancel: &Cancel,
) -> Result<Vec<Candidate>> {
    let mut by_file: BTreeMap<Arc<str>, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_file.entry(candidate.file.clone()).or_default().push(candidate);
    }
    let mut lists = Vec::new();
    for request in requests {
        cancel.check()?;
        let Some(own) = by_file.remove(request.path) else { continue };
        let highest = own.first().map_or(1.0, |first| first.prior).max(f64::MIN_POSITIVE);
        let relative = |one: Candidate| Candidate { prior: one.prior / highest, ..one };
        let own = model::assist(model, request, own.into_iter().map(relative).collect(), cancel)?;
        lists.push(own.into_iter().map(|one| Candidate { prior: one.prior * highest, ..one }).collect());
    }
    Ok(repair::merge(lists))
}

/// The source of the test that begins at `line` of `file`; empty where there is none.
fn test_source<'a>(index: &'a Index, file: &str, line: u32) -> &'a str {
    let is_it = |definition: &&Definition| {
        definition.kind == DefinitionKind::Test
            && definition.span.line_start <= line
            && line <= definition.span.line_end
    };
    let span = index.facts(file).and_then(|facts| facts.definitions.iter().find(is_it)).map(|test| test.span);
    let text = index.text(file).zip(span);
    text.and_then(|(text, span)| text.get(span.start as usize..span.end as usize)).unwrap_or_default()
}

/// Files by their most suspicious line.
fn files(suspects: &[Suspect]) -> Vec<&str> {
    let mut files: Vec<(&str, f64)> = Vec::new();
    for suspect in suspects {
        match files.iter_mut().find(|(file, _)| *file == &*suspect.file) {
            Some((_, score)) => *score = score.max(suspect.score),
            None => files.push((&suspect.file, suspect.score)),
        }
    }
    files.sort_by(|left, right| right.1.total_cmp(&left.1));
    files.truncate(MAX_FILES);
    files.into_iter().map(|(file, _)| file).collect()
}

fn encode(candidate: Candidate, text: &str, functions: &[Function]) -> Result<ExCandidate> {
    let patch = candidate.patch();
    let within = Function::around(functions, text, &candidate.edits)
        .map(|(function, start, end)| (start, end, function.first_line, function.last_line));
    Ok(ExCandidate {
        file: candidate.file.to_string(),
        line: candidate.line,
        kind: candidate.kind.as_str(),
        label: candidate.label,
        prior: candidate.prior.clamp(0.0, 1.0),
        size: patch.size(text)?.tokens,
        within,
        edits: candidate.edits.into_iter().map(|edit| (edit.start, edit.end, edit.replacement)).collect(),
    })
}

/// The files that a fix may change: Elixir code outside of tests, dependencies and scripts.
fn changeable(index: &Index) -> Vec<(&str, &FileFacts)> {
    let code = |path: &str| path.ends_with(".ex") && !path.starts_with("test/") && !path.contains("/test/");
    let paths = index.files().map(|file| &*file.path).filter(|path| code(path));
    paths.filter_map(|path| Some((path, index.facts(path)?))).collect()
}

/// The text after edits, whose places are bytes of `text`.
#[nif(schedule = "DirtyCpu")]
fn edit_apply(env: Env<'_>, text: String, edits: Vec<ExEdit>) -> Term<'_> {
    guard(env, || {
        let edits = edits.into_iter().map(|(start, end, new)| Edit::new(start, end, new)).collect();
        Patch::new("text", edits).apply(&text)
    })
}

/// The unified diff from `old` to `new`, as `patch -p1` takes it.
#[nif(schedule = "DirtyCpu")]
fn edit_diff(env: Env<'_>, path: String, old: String, new: String) -> Term<'_> {
    guard(env, || {
        if path.is_empty() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a diff needs the name of a file"));
        }
        Ok(unified_diff(&path, &old, &new))
    })
}
