//! How candidates are made: drafts for suspicious places, in one order, checked.

use std::collections::BTreeMap;

use tree_sitter::Tree;

use super::candidate::{Candidate, Page, Request};
use super::check::check;
use super::donor;
use super::flaws::FileFlaws;
use super::order::rank;
use super::source::{Source, line_scores, parse, parser};
use super::templates::{self, Context, Draft, Sink};
use super::vocabulary::Vocabulary;
use crate::syntax::{DefinitionKind, FileFacts};
use crate::{Cancel, Result};

/// Which ways of making candidates to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::repair) enum Ways {
    Templates,
    Donors,
    Both,
}

/// At most [`Request::max`] candidates, the most likely first. All parse, no two give the same text, none leaves it
/// as it was; a file that does not parse gives candidates too, as long as they make nothing worse. What the compiler
/// would refuse for certain is left out.
///
/// The order is that of suspicion x prior of the kind x fit, where the kinds with many candidates are held down, so that
/// the first few hundred show every kind and every suspicious place.
///
/// # Errors
/// [`crate::ErrorKind::Cancelled`] and [`crate::ErrorKind::Timeout`].
pub fn candidates(request: &Request<'_>, cancel: &Cancel) -> Result<Vec<Candidate>> {
    candidates_of(&[*request], cancel)
}

/// Candidates for several files in one list, as [`candidates`] makes them for one: at most as many as the most modest
/// request asks for, each prior relative to the best of all.
///
/// # Errors
/// As [`candidates`].
pub fn candidates_of(requests: &[Request<'_>], cancel: &Cancel) -> Result<Vec<Candidate>> {
    by(Ways::Both, requests, cancel)
}

/// The candidates of [`candidates_of`] page by page, each of as many as the most modest request asks for. To check a
/// candidate costs more than to think of it, so that a page costs little beside the whole list. `from` is 0, or what
/// the page before gave as the next one for the same requests.
///
/// # Errors
/// As [`candidates`].
pub fn page_of(requests: &[Request<'_>], from: usize, cancel: &Cancel) -> Result<Page> {
    made(requests, from, cancel, |ground, request| drafts(Ways::Both, ground, request, cancel))
}

pub(in crate::repair) fn by(ways: Ways, requests: &[Request<'_>], cancel: &Cancel) -> Result<Vec<Candidate>> {
    Ok(made(requests, 0, cancel, |ground, request| drafts(ways, ground, request, cancel))?.candidates)
}

/// Drafts with the suspicion of their places, as candidates.
pub(in crate::repair) fn finish(
    request: &Request<'_>,
    drafts: Vec<(f64, Draft)>,
    cancel: &Cancel,
) -> Result<Vec<Candidate>> {
    let mut drafts = Some(drafts);
    Ok(made(&[*request], 0, cancel, |_, _| Ok(drafts.take().unwrap_or_default()))?.candidates)
}

/// A file and its donors, parsed.
struct Ground<'s, 't> {
    source: &'s Source<'t>,
    donors: Vec<&'s Source<'t>>,
    functions: &'s [(&'t str, &'t str, usize)],
}

/// Candidates of the drafts that `draft` makes for each request.
fn made<'a>(
    requests: &[Request<'a>],
    from: usize,
    cancel: &Cancel,
    mut draft: impl FnMut(&Ground<'_, '_>, &Request<'a>) -> Result<Vec<(f64, Draft)>>,
) -> Result<Page> {
    let mut parser = parser()?;
    // Requests for files of one project have most of their donors in common.
    let mut trees: BTreeMap<(&str, &str), Tree> = BTreeMap::new();
    for file in requests.iter().flat_map(|request| {
        let asked = is_suspected(request).then_some((request.path, request.text));
        asked.into_iter().chain(request.donors.iter().copied().filter(move |_| asked.is_some()))
    }) {
        cancel.check()?;
        if !trees.contains_key(&file)
            && let Some(tree) = parse(&mut parser, file.1)
        {
            trees.insert(file, tree);
        }
    }
    let sources: BTreeMap<(&str, &str), Source<'_>> =
        trees.iter().map(|(file, tree)| (*file, Source::new(file.1, tree))).collect();
    let mut all = Vec::new();
    let mut grounds = Vec::new();
    for request in requests {
        let Some(source) = sources.get(&(request.path, request.text)).filter(|_| is_suspected(request))
        else {
            continue;
        };
        cancel.check()?;
        let others = || {
            let files = request.donors.iter().filter(|(path, _)| *path != request.path);
            files.filter_map(|file| Some((file, sources.get(file)?)))
        };
        let functions = functions(request.facts);
        let ground =
            Ground { source, donors: others().map(|(_, donor)| donor).collect(), functions: &functions };
        all.push((request.text, draft(&ground, request)?));
        let roots = others().map(|(file, donor)| (file.0, donor, trees[file].root_node()));
        let root = trees[&(request.path, request.text)].root_node();
        let flaws = FileFlaws::new(request.path, source, root, &roots.collect::<Vec<_>>(), request.facts);
        grounds.push((request, flaws));
    }
    check(&grounds, &mut parser, rank(all), from, cancel)
}

fn is_suspected(request: &Request<'_>) -> bool {
    request.suspects.iter().any(|suspect| *suspect.file == *request.path)
}

fn drafts(
    ways: Ways,
    ground: &Ground<'_, '_>,
    request: &Request<'_>,
    cancel: &Cancel,
) -> Result<Vec<(f64, Draft)>> {
    let exact: BTreeMap<u32, f64> = request
        .suspects
        .iter()
        .filter(|suspect| *suspect.file == *request.path)
        .fold(BTreeMap::new(), |mut lines, suspect| {
            let score: &mut f64 = lines.entry(suspect.line).or_default();
            *score = score.max(suspect.score);
            lines
        });
    let Ground { source, donors, functions } = ground;
    let vocabulary = Vocabulary::new(source, donors, request.evidence);
    let context = Context { source, vocabulary, functions };
    let scores = line_scores(source, &exact);

    let mut drafts = Vec::new();
    for place in &source.places {
        let line = place.node.start_position().row as u32 + 1;
        let Some(score) = scores.get(&line).filter(|score| **score > 0.0) else { continue };
        cancel.check()?;
        let mut sink = Sink { drafts: Vec::new(), place: *place };
        if ways != Ways::Donors {
            templates::apply(&context, place, &mut sink);
        }
        drafts.extend(sink.drafts.into_iter().map(|draft| (*score, draft)));
    }
    if ways != Ways::Templates {
        drafts.extend(donor::drafts(&context, donors, &scores, cancel)?);
    }
    Ok(drafts)
}

/// Functions that other modules can call.
fn functions<'a>(facts: &[(&'a str, &'a FileFacts)]) -> Vec<(&'a str, &'a str, usize)> {
    let mut functions = Vec::new();
    for definition in facts.iter().flat_map(|(_, facts)| &facts.definitions) {
        let callable = matches!(
            definition.kind,
            DefinitionKind::Function | DefinitionKind::Macro | DefinitionKind::Delegate
        );
        if let (true, true, Some(arity)) = (callable, definition.public, definition.arity) {
            for arity in arity.saturating_sub(definition.defaults)..=arity {
                functions.push((&*definition.module, &*definition.name, usize::from(arity)));
            }
        }
    }
    functions.sort_unstable();
    functions.dedup();
    functions
}
