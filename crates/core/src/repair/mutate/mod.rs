//! Candidates by templates and by donor code.

mod class;
mod donor;
mod flaws;
mod function;
mod kind;
mod related;
mod source;
mod templates;
mod vocabulary;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tree_sitter::{Parser, Tree};

pub use function::Function;
pub use kind::Kind;
pub(super) use source::{Source, parse, parser};
pub(super) use templates::Draft;

use self::flaws::{Flaw, Known, flaws};
use self::source::line_scores;
use self::templates::{Context, Sink};
use self::vocabulary::Vocabulary;
use super::Suspect;
use crate::edit::{Edit, Patch, unified_diff};
use crate::syntax::{DefinitionKind, FileFacts};
use crate::{Cancel, Result};

/// What candidates are to be made for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The file to change, relative to the root.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Suspicious lines; those of other files are passed over.
    pub suspects: &'a [Suspect],
    /// Facts of the project's files, this one included, as far as known: which functions there are to call.
    pub facts: &'a [(&'a str, &'a FileFacts)],
    /// Other files of the project, to take words and code from.
    pub donors: &'a [(&'a str, &'a str)],
    /// The failing tests and their messages: their words are hints.
    pub evidence: &'a str,
    /// The most candidates to make.
    pub max: usize,
}

impl<'a> Request<'a> {
    /// A request for at most 5000 candidates, with nothing known but the file and its suspects.
    pub fn new(path: &'a str, text: &'a str, suspects: &'a [Suspect]) -> Self {
        Request { path, text, suspects, facts: &[], donors: &[], evidence: "", max: 5000 }
    }
}

/// A change that may mend the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Relative to the root.
    pub file: Arc<str>,
    /// Against the text that the request had.
    pub edits: Vec<Edit>,
    /// What kind of change it is.
    pub kind: Kind,
    /// Where, from 1.
    pub line: u32,
    /// How likely it is, relative to the others of its list, from 0 to 1.
    pub prior: f64,
    /// One short line for a person: `"comparison: `<` becomes `<=`"`.
    pub label: String,
}

impl Candidate {
    /// The change as a patch.
    pub fn patch(&self) -> Patch {
        Patch::new(self.file.clone(), self.edits.clone())
    }

    /// The change as a unified diff.
    ///
    /// # Errors
    /// As [`Patch::apply`], when `text` is not the text of the request.
    pub fn diff(&self, text: &str) -> Result<String> {
        Ok(unified_diff(&self.file, text, &self.patch().apply(text)?))
    }
}

/// Which ways of making candidates to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ways {
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

/// Some candidates of a longer list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The most likely first.
    pub candidates: Vec<Candidate>,
    /// Where the next page begins, if there may be more.
    pub next: Option<usize>,
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

pub(super) fn by(ways: Ways, requests: &[Request<'_>], cancel: &Cancel) -> Result<Vec<Candidate>> {
    Ok(made(requests, 0, cancel, |ground, request| drafts(ways, ground, request, cancel))?.candidates)
}

/// Drafts with the suspicion of their places, as candidates.
pub(super) fn finish(
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
        let known = Known::new(request.path, source, root, &roots.collect::<Vec<_>>(), request.facts);
        grounds.push((request, known));
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

/// How much a kind with many candidates is held down: 0 not at all, 1 so that every kind gets the same sum.
const EVENNESS: f64 = 0.5;

/// A draft with its final score, and the one edit that all drafts of its text have in common.
struct Ranked {
    /// Of which text.
    file: usize,
    score: f64,
    draft: Draft,
    edit: Edit,
}

/// Distinct drafts of some texts, the best first. Kinds are held down by what they have in all texts.
fn rank(texts: Vec<(&str, Vec<(f64, Draft)>)>) -> Vec<Ranked> {
    let mut ranked = Vec::new();
    for (file, (text, drafts)) in texts.into_iter().enumerate() {
        let mut best: HashMap<Edit, (f64, Draft)> = HashMap::new();
        for (score, draft) in drafts {
            let Some(edit) = canonical(text, &draft.edit) else { continue };
            let score = score * draft.weight;
            let order = |score: f64, kind: Kind| (score * kind.prior(), std::cmp::Reverse(kind));
            let better =
                best.get(&edit).is_none_or(|(known, old)| order(score, draft.kind) > order(*known, old.kind));
            if better {
                best.insert(edit, (score, draft));
            }
        }
        ranked.extend(best.into_iter().map(|(edit, (score, draft))| Ranked { file, score, draft, edit }));
    }
    ranked.sort_by(|a, b| (a.file, &a.edit).cmp(&(b.file, &b.edit)));
    let mut sums: BTreeMap<Kind, f64> = BTreeMap::new();
    ranked.iter().for_each(|one| *sums.entry(one.draft.kind).or_default() += one.score);
    for Ranked { score, draft, .. } in &mut ranked {
        *score *= draft.kind.prior() / sums[&draft.kind].powf(EVENNESS);
    }
    ranked
        .sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| (a.file, &a.edit).cmp(&(b.file, &b.edit))));
    ranked
}

/// The smallest edit that gives the same text, the earliest of those; `None` when it changes nothing.
fn canonical(text: &str, edit: &Edit) -> Option<Edit> {
    let (mut start, mut end) = (edit.start, edit.end);
    let old = text.get(start..end)?;
    let new = edit.replacement.as_str();
    let front: usize =
        old.chars().zip(new.chars()).take_while(|(a, b)| a == b).map(|(sign, _)| sign.len_utf8()).sum();
    let (old, new) = (&old[front..], &new[front..]);
    let back: usize = old
        .chars()
        .rev()
        .zip(new.chars().rev())
        .take_while(|(a, b)| a == b)
        .map(|(sign, _)| sign.len_utf8())
        .sum();
    let mut new = new[..new.len() - back].to_string();
    start += front;
    end -= back;
    if start == end && new.is_empty() {
        return None;
    }
    // What is only inserted or only deleted can slide: as far left as it goes.
    while let Some(before) = text[..start].chars().next_back() {
        let slides = match (start == end, new.is_empty()) {
            (true, false) => new.ends_with(before),
            (false, true) => text[start..end].ends_with(before),
            _ => false,
        };
        if !slides {
            break;
        }
        start -= before.len_utf8();
        end -= before.len_utf8();
        if !new.is_empty() {
            new.pop();
            new.insert(0, before);
        }
    }
    Some(Edit::new(start, end, new))
}

/// Turns drafts into candidates, from the one at `from` on: those that parse and that show no new flaw. Only the statement around a change
/// is looked at again.
fn check(
    grounds: &[(&Request<'_>, Known<'_>)],
    parser: &mut Parser,
    ranked: Vec<Ranked>,
    from: usize,
    cancel: &Cancel,
) -> Result<Page> {
    let mut candidates: Vec<Candidate> = Vec::new();
    // The flaws of statements as they are; nothing where a statement does not parse.
    let mut before: HashMap<(usize, Range<usize>), Option<BTreeSet<Flaw>>> = HashMap::new();
    let max = grounds.iter().map(|(request, _)| request.max).min().unwrap_or(0);
    let files: Vec<Arc<str>> = grounds.iter().map(|(request, _)| Arc::from(request.path)).collect();
    let top = ranked.first().map_or(1.0, |one| one.score);
    for (place, Ranked { file, score, draft, edit }) in ranked.into_iter().enumerate().skip(from) {
        if candidates.len() >= max {
            return Ok(Page { candidates, next: Some(place) });
        }
        cancel.check()?;
        let (request, known) = &grounds[file];
        let unit = match &draft.unit {
            // A change of two clauses reaches beyond the one that it begins in.
            Some(unit) => unit.start.min(draft.edit.start)..unit.end.max(draft.edit.end),
            None => 0..request.text.len(),
        };
        let old = &request.text[unit.clone()];
        let mut read = |text: &str| {
            let tree = parse(parser, text).filter(|tree| !tree.root_node().has_error())?;
            Some(flaws(known, text, tree.root_node()))
        };
        if let Some(had) = before.entry((file, unit.clone())).or_insert_with(|| read(old)) {
            let (start, end) = (draft.edit.start - unit.start, draft.edit.end - unit.start);
            let moved = Edit::new(start, end, draft.edit.replacement.as_str());
            match read(&Patch::new(files[file].clone(), vec![moved]).apply(old)?) {
                Some(has) if has.iter().all(|flaw| had.contains(flaw) || known.excuses(flaw)) => {}
                _ => continue,
            }
        }
        let label = label(request.text, draft.kind, &edit);
        let Draft { kind, line, .. } = draft;
        candidates.push(Candidate {
            file: files[file].clone(),
            edits: vec![edit],
            kind,
            line,
            prior: score / top,
            label,
        });
    }
    Ok(Page { candidates, next: None })
}

fn label(text: &str, kind: Kind, edit: &Edit) -> String {
    let (start, end) = widened(text, edit);
    let old = short(&text[start..end]);
    let new = short(&format!("{}{}{}", &text[start..edit.start], edit.replacement, &text[edit.end..end]));
    let kind = kind.as_str().replace('_', " ");
    match (old.is_empty(), new.is_empty()) {
        (true, _) => format!("{kind}: add `{new}`"),
        (_, true) => format!("{kind}: drop `{old}`"),
        _ => format!("{kind}: `{old}` becomes `{new}`"),
    }
}

/// The edit's bytes up to the ends of the words that it cuts.
fn widened(text: &str, edit: &Edit) -> (usize, usize) {
    let word = |sign: &char| {
        sign.is_alphanumeric() || matches!(sign, '_' | '@' | ':' | '?' | '!' | '<' | '>' | '=' | '&' | '|')
    };
    let before: usize = text[..edit.start].chars().rev().take_while(word).map(char::len_utf8).sum();
    let after: usize = text[edit.end..].chars().take_while(word).map(char::len_utf8).sum();
    (edit.start - before, edit.end + after)
}

fn short(text: &str) -> String {
    const SIGNS: usize = 40;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SIGNS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
