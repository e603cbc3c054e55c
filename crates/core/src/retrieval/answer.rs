//! From a question to ranked places: candidates of both sides, fused, then what their names and paths say.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::bm25::Match;
use super::entry::Entry;
use super::fields::is_module;
use super::index::Index;
use super::names::key::lowered;
use super::places::{Place, places};
use super::query::{Mention, Mode, Query, Word, mentions};
use super::rank::{Feature, Features, Phrases};
use super::vectors::{Allowed, Embedder, Nearest, Probe};
use super::weights::{CANDIDATES, CLOSER, CORRECTED, SAME_FILE};
use crate::source::Span;
use crate::syntax::{Definition, DefinitionKind};
use crate::{Cancel, Error, Result};

/// So many tests, of so many places that have the question's words, are asked what they call.
const TESTS: usize = 60;
const TESTS_AMONG: usize = 400;

/// Places that answer a question, and what they were found by.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Best first; equals in order of path and position.
    pub results: Vec<Hit>,
    /// What the answer was made from.
    pub made_from: MadeFrom,
}

/// A place that answers a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Relative to the root.
    pub file: Arc<str>,
    /// The chunk.
    pub span: Span,
    /// What it defines: the symbol that was asked for if there is one, else that of the chunk; empty for text.
    pub symbol: Arc<str>,
    /// What kind of thing that is.
    pub kind: Option<DefinitionKind>,
    /// Higher is better; comparable within one answer only.
    pub score: f32,
    /// Its rank by words, from 1, if it was a candidate of this side.
    pub lexical_rank: Option<u32>,
    /// Its rank by vectors, from 1, if it was a candidate of this side.
    pub semantic_rank: Option<u32>,
    /// What the score is the sum of: each feature that it has, its value, and what this adds.
    pub features: Vec<(Feature, f32, f32)>,
}

/// What an answer was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeFrom {
    /// Whether words counted.
    pub lexical: bool,
    /// Whether vectors counted.
    pub semantic: bool,
    /// How many chunks have a vector.
    pub vectors: usize,
    /// How many chunks there are.
    pub chunks: usize,
}

#[derive(Clone, Copy, Default)]
struct Candidate {
    lexical_rank: Option<u32>,
    semantic_rank: Option<u32>,
    features: Features,
}

impl Index {
    /// The places that answer `query`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a question without text, a limit of 0, [`Mode::Semantic`] without a vector or a resident
    /// encoder, a vector that does not fit those of the index, or a filter's path that is no pattern; and those of [`Cancel::check`].
    pub fn search(&self, query: &Query, cancel: &Cancel) -> Result<Answer> {
        if query.text.trim().is_empty() {
            return Err(Error::invalid("the question is empty; ask with a few words or a symbol"));
        }
        if query.limit == 0 {
            return Err(Error::invalid("the limit of results must be at least 1"));
        }
        let vector = match &query.vector {
            Some(vector) => Some(Cow::Borrowed(vector)),
            None if query.mode == Mode::Lexical => None,
            None => {
                let encode = |encoder: &dyn Embedder| encoder.embed_query(&query.text, cancel);
                self.speaking().map(encode).transpose()?.map(Cow::Owned)
            }
        };
        if query.mode == Mode::Semantic && vector.is_none() {
            return Err(Error::invalid("a semantic search needs the question's vector; load an encoder"));
        }
        let chunks = self.inner_files().chunks();
        let vectors = self.placed().count;
        let question = Question::of(self, query);
        let (matches, rarity) = self.lexical().matches(&question.words, chunks);
        cancel.check()?;
        let probe = match vector {
            Some(vector) if query.mode != Mode::Lexical && vectors > 0 => Some(self.probe(&vector)?),
            _ => None,
        };
        let allowed = self.allowed(&query.filter)?;
        let nearest = Nearest { vectors: self.vectors(), placed: self.placed(), allowed: allowed.as_deref() };
        let found = Found { matches, rarity, allowed: allowed.as_deref(), nearest, probe };
        let (mut candidates, named) = self.candidates(query, &question, &found);
        self.measure(&mut candidates, query, &question, &found);
        cancel.check()?;

        // As long as vectors are missing, they count for less: what has none must not lose by it.
        let share = match query.mode {
            _ if found.probe.is_none() => 0.0,
            _ => vectors as f32 / chunks.max(1) as f32,
        };
        let score = |candidate: &Candidate| match query.mode {
            Mode::Semantic => candidate.features.get(Feature::Meaning),
            _ => candidate.features.score(share),
        };
        let mut ranked: Vec<(u32, f32)> =
            candidates.iter().map(|(number, candidate)| (*number, score(candidate))).collect();
        ranked.sort_unstable_by(by_rank);
        if query.mode != Mode::Semantic {
            for (number, _) in ranked.iter().take(CLOSER) {
                if let Some(candidate) = candidates.get_mut(number) {
                    let (entry, chunk) = self.chunk(*number);
                    let share = question.phrases.share_in(entry.chunk_text(chunk));
                    candidate.features.set(Feature::Phrase, share);
                }
            }
        }
        let ranked = candidates
            .iter()
            .map(|(number, candidate)| (*number, self.inner_files().locate(*number).0, score(candidate)));
        let results = damped(ranked.collect(), query.limit)
            .into_iter()
            .map(|(number, score)| self.hit(number, score, share, &candidates, &named))
            .collect();
        let made_from = MadeFrom {
            lexical: query.mode != Mode::Semantic,
            semantic: found.probe.is_some(),
            vectors,
            chunks,
        };
        Ok(Answer { results, made_from })
    }

    /// What may answer the question, each with the features that made it a candidate, and what it defines of what is asked for.
    fn candidates(
        &self,
        query: &Query,
        question: &Question,
        found: &Found,
    ) -> (BTreeMap<u32, Candidate>, BTreeMap<u32, &Definition>) {
        let wanted = CANDIDATES.max(query.limit);
        let mut candidates: BTreeMap<u32, Candidate> = BTreeMap::new();
        let mut named: BTreeMap<u32, &Definition> = BTreeMap::new();
        let similar = found.probe.as_ref().map_or_else(Vec::new, |probe| found.nearest.best(probe, wanted));
        for (rank, (number, _)) in (1..).zip(similar) {
            candidates.entry(number).or_default().semantic_rank = Some(rank);
        }
        if query.mode == Mode::Semantic {
            return (candidates, named);
        }
        for (rank, number) in (1..).zip(found.best(|found| found.score, wanted)) {
            candidates.entry(number).or_default().lexical_rank = Some(rank);
        }
        for number in found.best(|found| found.named, wanted) {
            candidates.entry(number).or_default();
        }
        let kind = if question.only_symbol { Feature::Defines } else { Feature::Mentioned };
        for (number, definition, fit) in self.definitions_of(&question.symbols) {
            let features = &mut candidates.entry(number).or_default().features;
            if fit > features.get(kind) {
                features.set(kind, fit);
                named.insert(number, definition);
            }
        }
        for (number, share) in self.tested(question, found) {
            candidates.entry(number).or_default().features.set(Feature::Tested, share);
        }
        for (number, share) in self.located(&question.places) {
            candidates.entry(number).or_default().features.set(Feature::Located, share);
        }
        candidates.retain(|number, _| found.may_be_found(*number));
        (candidates, named)
    }

    /// The chunks in the files that are named.
    fn located(&self, places: &[Place]) -> BTreeMap<u32, f32> {
        let mut located: BTreeMap<u32, f32> = BTreeMap::new();
        if places.is_empty() {
            return located;
        }
        for (file, entry) in self.inner_files().entries().iter().enumerate() {
            for place in places.iter().filter(|place| place.is_in(&entry.file.path)) {
                for (number, chunk) in self.inner_files().numbers(file).zip(&entry.facts.chunks) {
                    let share = match &place.lines {
                        None => 0.5,
                        Some(lines)
                            if *lines.start() <= chunk.span.line_end
                                && chunk.span.line_start <= *lines.end() =>
                        {
                            1.0
                        }
                        Some(_) => 0.2,
                    };
                    let most = located.entry(number).or_default();
                    *most = most.max(share);
                }
            }
        }
        located
    }

    /// What is called by the tests that have the question's words, and how many of them the best test has, as a share.
    fn tested(&self, question: &Question, found: &Found) -> BTreeMap<u32, f32> {
        // By name and module.
        let mut wanted: FxHashMap<&str, FxHashMap<&str, f32>> = FxHashMap::default();
        let mut tests = 0;
        // Tests count also where a filter keeps them out of the answer.
        for number in best(found.scored(|found| found.score), TESTS_AMONG) {
            let (entry, chunk) = self.chunk(number);
            if tests == TESTS || !is_aside(&entry.file.path) || question.asks_for_tests {
                continue;
            }
            tests += 1;
            let Span { start, end, .. } = entry.facts.chunks[chunk].span;
            let references = &entry.facts.references;
            let first = references.partition_point(|reference| reference.span.start < start);
            for reference in references[first..].iter().take_while(|it| it.span.start < end) {
                if let Some(module) = reference.module.as_deref().filter(|_| !reference.name.is_empty()) {
                    let most = wanted.entry(&*reference.name).or_default().entry(module).or_default();
                    *most = most.max(found.matches[number as usize].score);
                }
            }
        }
        let mut tested: BTreeMap<u32, f32> = BTreeMap::new();
        if wanted.is_empty() {
            return tested;
        }
        for (name, modules) in wanted {
            for candidate in self.names().equal(&lowered(name)) {
                let definition = candidate.definition();
                let Some(score) = modules.get(&*definition.module) else { continue };
                let path = &candidate.entry.file.path;
                if *definition.name != *name || definition.arity.is_none() || is_aside(path) {
                    continue;
                }
                if let Some(number) =
                    self.inner_files().place(path).and_then(|file| self.chunk_of(file, definition))
                {
                    let most = tested.entry(number).or_default();
                    *most = most.max(*score);
                }
            }
        }
        let most = tested.values().copied().fold(0.0, f32::max);
        tested.values_mut().for_each(|score| *score /= most);
        tested
    }

    /// Gives each candidate the features that all candidates have.
    fn measure(
        &self,
        candidates: &mut BTreeMap<u32, Candidate>,
        query: &Query,
        question: &Question,
        found: &Found,
    ) {
        let numbers: Vec<u32> = candidates.keys().copied().collect();
        let nearness = scaled(&numbers, |number| found.nearest.score(found.probe.as_ref()?, number));
        let by_words = |number: &u32| found.matches.get(*number as usize).map_or(0.0, |found| found.score);
        let most = numbers.iter().map(by_words).fold(0.0, f32::max);
        let files = self.file_scores(numbers.iter().map(|number| (*number, by_words(number))));
        let meanings = self.file_scores(numbers.iter().copied().zip(nearness.iter().copied()));
        for ((number, candidate), near) in candidates.iter_mut().zip(nearness) {
            let features = &mut candidate.features;
            features.set(Feature::Meaning, near);
            let (file, _) = self.inner_files().locate(*number);
            features.set(Feature::FileMeaning, meanings.get(&file).copied().unwrap_or(0.0));
            if query.mode == Mode::Semantic {
                continue;
            }
            features.set(Feature::File, files.get(&file).copied().unwrap_or(0.0));
            let found = found.matches.get(*number as usize).copied().unwrap_or_default();
            if most > 0.0 {
                features.set(Feature::Words, found.score / most);
            }
            self.describe(*number, features, found, question, query);
        }
        if query.mode != Mode::Semantic && found.rarity > 0.0 {
            for (number, candidate) in candidates {
                let of = found.matches.get(*number as usize).copied().unwrap_or_default();
                candidate.features.set(Feature::Coverage, of.covered / found.rarity);
                candidate.features.set(Feature::QuestionInName, of.named / found.rarity);
            }
        }
    }

    /// The features that a chunk has by what it is.
    fn describe(
        &self,
        number: u32,
        features: &mut Features,
        found: Match,
        question: &Question,
        query: &Query,
    ) {
        use DefinitionKind::{Delegate, Function, Guard, Macro};
        let (entry, at) = self.chunk(number);
        let chunk = &entry.facts.chunks[at];
        let flag = |yes: bool| if yes { 1.0 } else { 0.0 };
        let (mut public, mut callable, mut predicate, mut raising, mut parts) =
            (false, false, false, false, 0);
        let (mut documented, mut head) = (false, false);
        let begun = entry.definitions_in(at);
        let around = entry.definition_around(at).filter(|_| entry.definitions_in(at).next().is_none());
        for definition in begun.chain(around) {
            documented |= definition.doc.is_some();
            head |= is_module(definition.kind);
            if matches!(definition.kind, Function | Macro | Guard | Delegate) {
                callable = true;
                public |= definition.public;
                predicate |= definition.name.ends_with('?') || definition.name.starts_with("is_");
                raising |= definition.name.ends_with('!');
            }
            if !is_module(definition.kind) {
                parts += definition.name.split('_').filter(|part| !part.is_empty()).count();
            }
        }
        features.set(Feature::Public, flag(public));
        features.set(Feature::Callable, flag(callable));
        features.set(Feature::NameInQuestion, (f32::from(found.names) / parts.max(1) as f32).min(1.0));
        features.set(Feature::Documented, flag(documented));
        features.set(Feature::Head, flag(head));
        if is_aside(&entry.file.path) {
            features.set(Feature::Aside, if question.asks_for_tests { 0.4 } else { 1.0 });
        }
        let longest = (8192.0f32).ln();
        let length = (chunk.span.end.saturating_sub(chunk.span.start)) as f32;
        features.set(Feature::Length, ((1.0 + length).ln() / longest).min(1.0));
        if predicate {
            features.set(Feature::Predicate, if question.asks_for_truth { 1.0 } else { -0.3 });
        }
        if raising {
            features.set(Feature::Raising, if question.asks_about_raising { 1.0 } else { -1.0 });
        }
        features.set(Feature::Near, nearness_of_paths(&entry.file.path, &query.near));
    }

    /// How well each file answers by its three best chunks, of which each counts half of the one before, as a share of the best
    /// file.
    fn file_scores(&self, scores: impl Iterator<Item = (u32, f32)>) -> HashMap<usize, f32> {
        let mut of_file: HashMap<usize, [f32; 3]> = HashMap::new();
        for (number, score) in scores {
            let best = of_file.entry(self.inner_files().locate(number).0).or_default();
            if let Some(at) = best.iter().position(|other| score > *other) {
                best[at..].rotate_right(1);
                best[at] = score;
            }
        }
        let sums: HashMap<usize, f32> =
            of_file.into_iter().map(|(file, [a, b, c])| (file, a + b / 2.0 + c / 4.0)).collect();
        let most = sums.values().copied().fold(0.0, f32::max);
        sums.into_iter().map(|(file, sum)| (file, if most > 0.0 { sum / most } else { 0.0 })).collect()
    }

    /// The file of a chunk, and which of its chunks it is.
    fn chunk(&self, number: u32) -> (&Arc<Entry>, usize) {
        let (file, chunk) = self.inner_files().locate(number);
        (&self.inner_files().entries()[file], chunk)
    }

    /// The chunk in which a definition of the file at `file` begins.
    fn chunk_of(&self, file: usize, definition: &Definition) -> Option<u32> {
        let entry = &self.inner_files().entries()[file];
        let line = definition.clauses.first().map_or(definition.span.line_start, |clause| clause.line_start);
        let chunks = &entry.facts.chunks;
        let chunk = chunks.partition_point(|chunk| chunk.span.line_end < line);
        (chunk < chunks.len()).then(|| self.inner_files().numbers(file).start + chunk as u32)
    }

    fn probe(&self, vector: &[f32]) -> Result<Probe> {
        let expected = self.vectors().dimensions();
        if vector.len() != expected {
            return Err(Error::invalid(format!(
                "the question's vector has {} numbers, the index's have {expected}; use the same encoder for both",
                vector.len()
            )));
        }
        Probe::new(vector)
    }

    /// The chunks with a definition that one of `symbols` names, the definition, and how well it fits.
    pub(super) fn definitions_of<'a>(&'a self, symbols: &[Mention]) -> Vec<(u32, &'a Definition, f32)> {
        let files = self.inner_files();
        // In order of path and position.
        let mut fits: BTreeMap<(usize, usize), f32> = BTreeMap::new();
        for symbol in symbols {
            for candidate in self.names().equal(&lowered(symbol.key())) {
                let fit = symbol.fit(candidate.definition());
                if fit > 0.0
                    && let Some(file) = files.place(&candidate.entry.file.path)
                {
                    let best = fits.entry((file, candidate.index)).or_default();
                    *best = fit.max(*best);
                }
            }
        }
        let chunk_of = |((file, index), fit): ((usize, usize), f32)| {
            let facts = &files.entries()[file].facts;
            let definition = &facts.definitions[index];
            let line =
                definition.clauses.first().map_or(definition.span.line_start, |clause| clause.line_start);
            let chunk = facts.chunks.partition_point(|chunk| chunk.span.line_end < line);
            (chunk < facts.chunks.len()).then(|| (files.numbers(file).start + chunk as u32, definition, fit))
        };
        fits.into_iter().filter_map(chunk_of).collect()
    }

    fn hit(
        &self,
        number: u32,
        score: f32,
        share: f32,
        candidates: &BTreeMap<u32, Candidate>,
        named: &BTreeMap<u32, &Definition>,
    ) -> Hit {
        let (file, chunk) = self.inner_files().locate(number);
        let entry = &self.inner_files().entries()[file];
        let chunk = &entry.facts.chunks[chunk];
        let candidate = candidates.get(&number).copied().unwrap_or_default();
        let (symbol, kind) = match named.get(&number) {
            Some(definition) => (definition.qualified().into(), Some(definition.kind)),
            None => (chunk.symbol.clone(), chunk.kind),
        };
        Hit {
            file: entry.file.path.clone(),
            span: chunk.span,
            symbol,
            kind,
            score,
            lexical_rank: candidate.lexical_rank,
            semantic_rank: candidate.semantic_rank,
            features: candidate.features.explained(share),
        }
    }
}

/// Better first; of equals the one that stands first.
fn by_rank(a: &(u32, f32), b: &(u32, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The numbers of the `count` best, best first.
fn best(mut found: Vec<(u32, f32)>, count: usize) -> Vec<u32> {
    if found.len() > count {
        found.select_nth_unstable_by(count, by_rank);
        found.truncate(count);
    }
    found.sort_unstable_by(by_rank);
    found.into_iter().map(|(number, _)| number).collect()
}

/// The score of each number on a scale from the least, 0, to the best, 1. What has no score gets 0.
fn scaled(numbers: &[u32], score: impl Fn(u32) -> Option<f32>) -> Vec<f32> {
    let scores: Vec<Option<f32>> = numbers.iter().map(|number| score(*number)).collect();
    let least = scores.iter().flatten().copied().fold(f32::INFINITY, f32::min);
    let most = scores.iter().flatten().copied().fold(f32::NEG_INFINITY, f32::max);
    let width = most - least;
    let scale = |score: Option<f32>| match score {
        Some(score) if width > 0.0 => (score - least) / width,
        Some(_) => 1.0,
        None => 0.0,
    };
    scores.into_iter().map(scale).collect()
}

/// 1 for one of the paths, 0.5 for a path in the same folder as one.
fn nearness_of_paths(path: &str, near: &[String]) -> f32 {
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let of_one = |other: &String| match () {
        () if other == path => 1.0,
        () if folder(other) == folder(path) => 0.5,
        () => 0.0,
    };
    near.iter().map(of_one).fold(0.0, f32::max)
}

/// Whether a path holds tests, examples, old things or a log of changes, which answer few questions.
pub(super) fn is_aside(path: &str) -> bool {
    const FOLDERS: &[&str] = &[
        "test",
        "tests",
        "spec",
        "fixtures",
        "bench",
        "benches",
        "benchmarks",
        "example",
        "examples",
        "legacy",
        "deprecated",
    ];
    // What changed tells of everything that ever was, and is seldom what is asked for.
    let name = path.rsplit('/').next().unwrap_or(path);
    path.ends_with("_test.exs")
        || name.to_ascii_lowercase().starts_with("changelog")
        || path.rsplit('/').skip(1).any(|folder| FOLDERS.contains(&folder))
}

/// The `limit` best of `(chunk, file, score)`, where each place counts for less the more of its file are better.
fn damped(mut ranked: Vec<(u32, usize, f32)>, limit: usize) -> Vec<(u32, f32)> {
    ranked.sort_unstable_by(|a, b| by_rank(&(a.0, a.2), &(b.0, b.2)));
    let mut of_file: HashMap<usize, f32> = HashMap::new();
    let mut damped: Vec<(u32, f32)> = ranked
        .into_iter()
        .map(|(number, file, score)| {
            let better = of_file.entry(file).or_default();
            let score = score - SAME_FILE * *better;
            *better += 1.0;
            (number, score)
        })
        .collect();
    damped.sort_unstable_by(by_rank);
    damped.truncate(limit);
    damped
}

/// What is understood of a question.
struct Question {
    words: Vec<Word>,
    symbols: Vec<Mention>,
    /// Whether it is nothing but a symbol.
    only_symbol: bool,
    places: Vec<Place>,
    phrases: Phrases,
    asks_for_tests: bool,
    asks_for_truth: bool,
    asks_about_raising: bool,
}

impl Question {
    fn of(index: &Index, query: &Query) -> Question {
        let (symbols, only_symbol) = mentions(&query.text);
        let mut words = query.words();
        // A word that nothing in the index has may be one that is written wrongly.
        for at in 0..words.len() {
            if !words[at].whole && !index.lexical().has_any(&words[at].tokens) {
                let nearest = index.lexical().nearest(&words[at].tokens[0]);
                words.extend(nearest.iter().flat_map(|word| Word::all_of(word, CORRECTED)));
            }
        }
        let asks = |some: &[&str]| {
            let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            query.text.split_whitespace().any(|word| some.contains(&&*bare(word)))
        };
        Question {
            asks_for_tests: asks(&["test", "tests", "testing", "example", "examples", "spec"]),
            asks_for_truth: asks(&[
                "whether",
                "true",
                "check",
                "checks",
                "if",
                "determine",
                "determines",
                "boolean",
            ]),
            asks_about_raising: asks(&["raise", "raises", "raising", "error"]),
            places: places(&query.text),
            phrases: Phrases::of(&query.text),
            words,
            symbols,
            only_symbol,
        }
    }
}

/// What both sides found.
struct Found<'i> {
    matches: Vec<Match>,
    /// Of all the question's words together.
    rarity: f32,
    /// What may be in the answer, if not everything.
    allowed: Option<&'i Allowed>,
    nearest: Nearest<'i>,
    /// The question's vector, if it counts.
    probe: Option<Probe>,
}

impl Found<'_> {
    fn may_be_found(&self, number: u32) -> bool {
        self.allowed.is_none_or(|allowed| allowed.chunks.contains(number as usize))
    }

    /// The chunks that have something by `of`.
    fn scored(&self, of: fn(&Match) -> f32) -> Vec<(u32, f32)> {
        let scored = (0..).zip(&self.matches).map(|(number, found)| (number, of(found)));
        scored.filter(|(_, score)| *score > 0.0).collect()
    }

    /// Of those that may be in the answer, the `count` best, best first.
    fn best(&self, of: fn(&Match) -> f32, count: usize) -> Vec<u32> {
        let mut scored = self.scored(of);
        scored.retain(|(number, _)| self.may_be_found(*number));
        best(scored, count)
    }
}
