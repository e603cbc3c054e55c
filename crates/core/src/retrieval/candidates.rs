//! What may answer a question, and what speaks for each.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::bm25::{Match, Matches};
use super::entry::Mark;
use super::features::{Feature, Features};
use super::index::Index;
use super::locations::Location;
use super::names::key::lowered;
use super::nearness::Nearness;
use super::query::{Mode, Query, QueryMention};
use super::question::Question;
use super::vectors::{Allowed, Nearest, Probe};
use super::weights::CANDIDATES;
use crate::syntax::Definition;

/// So many tests, of so many places that have the question's words, are asked what they call.
const TESTS: usize = 60;
const TESTS_AMONG: usize = 400;

/// What both sides found.
pub(super) struct Found<'i> {
    pub(super) matches: Matches,
    /// What may be in the answer, if not everything.
    pub(super) allowed: Option<&'i Allowed>,
    pub(super) nearest: Nearest<'i>,
    /// The question's vector, if it counts.
    pub(super) probe: Option<Probe>,
}

impl Found<'_> {
    fn may_be_found(&self, number: u32) -> bool {
        self.allowed.is_none_or(|allowed| allowed.chunks.contains(number as usize))
    }
}

/// A chunk that may answer the question.
#[derive(Clone, Copy, Default)]
pub(super) struct Candidate {
    pub(super) lexical_rank: Option<u32>,
    pub(super) semantic_rank: Option<u32>,
    /// The cosine of its vector and the question's, if it is known.
    near: Option<f32>,
    pub(super) features: Features,
}

/// All of them, in order of their numbers.
pub(super) struct Candidates<'i> {
    numbers: Vec<u32>,
    each: Vec<Candidate>,
    /// What those define that is asked for.
    pub(super) named: BTreeMap<u32, &'i Definition>,
}

impl<'i> Candidates<'i> {
    fn of(mut numbers: Vec<u32>) -> Candidates<'i> {
        numbers.sort_unstable();
        numbers.dedup();
        let each = vec![Candidate::default(); numbers.len()];
        Candidates { numbers, each, named: BTreeMap::new() }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Candidate> {
        self.each.get(self.numbers.binary_search(&number).ok()?)
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Candidate> {
        self.each.get_mut(self.numbers.binary_search(&number).ok()?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Candidate)> {
        self.numbers.iter().copied().zip(&self.each)
    }
}

impl Index {
    /// What may answer the question, each with the features that made it a candidate, and what it defines of what is asked for.
    pub(super) fn candidates(&self, query: &Query, question: &Question, found: &Found<'_>) -> Candidates<'_> {
        let wanted = CANDIDATES.max(query.limit);
        let similar = found.probe.as_ref().map_or_else(Vec::new, |probe| found.nearest.best(probe, wanted));
        let by_words = query.mode != Mode::Semantic;
        let (mut lexical, mut numbers) = (Vec::new(), Vec::new());
        let (mut defined, mut tested, mut located) = (Vec::new(), Vec::new(), BTreeMap::new());
        if by_words {
            // Tests count also where a filter keeps them out of the answer.
            let anywhere = found.matches.best(TESTS_AMONG.max(wanted), |_| true);
            tested = self.tested(question, found, &anywhere[..anywhere.len().min(TESTS_AMONG)]);
            lexical = match found.allowed {
                None => anywhere,
                Some(_) => found.matches.best(wanted, |number| found.may_be_found(number)),
            };
            lexical.truncate(wanted);
            numbers = found.matches.best_named(wanted, |number| found.may_be_found(number));
            defined = self.definitions_of(&question.symbols);
            located = self.located(&question.places);
        }
        numbers.extend(similar.iter().map(|(number, _)| number));
        numbers.extend(&lexical);
        numbers.extend(defined.iter().map(|(number, _, _)| number));
        numbers.extend(tested.iter().map(|(number, _)| number));
        numbers.extend(located.keys());
        if found.allowed.is_some() {
            numbers.retain(|number| found.may_be_found(*number));
        }
        let mut candidates = Candidates::of(numbers);
        for (rank, (number, near)) in (1..).zip(similar) {
            if let Some(candidate) = candidates.get_mut(number) {
                (candidate.semantic_rank, candidate.near) = (Some(rank), Some(near));
            }
        }
        for (rank, number) in (1..).zip(lexical) {
            if let Some(candidate) = candidates.get_mut(number) {
                candidate.lexical_rank = Some(rank);
            }
        }
        let kind = if question.only_symbol { Feature::Defines } else { Feature::Mentioned };
        for (number, definition, fit) in defined {
            let Some(candidate) = candidates.get_mut(number) else { continue };
            if fit > candidate.features.get(kind) {
                candidate.features.set(kind, fit);
                candidates.named.insert(number, definition);
            }
        }
        for (feature, number, share) in tested
            .into_iter()
            .map(|(number, share)| (Feature::Tested, number, share))
            .chain(located.into_iter().map(|(number, share)| (Feature::Located, number, share)))
        {
            if let Some(candidate) = candidates.get_mut(number) {
                candidate.features.set(feature, share);
            }
        }
        candidates
    }

    /// The chunks in the files that are named.
    fn located(&self, places: &[Location]) -> BTreeMap<u32, f32> {
        let mut located: BTreeMap<u32, f32> = BTreeMap::new();
        if places.is_empty() {
            return located;
        }
        for (file, entry) in self.chunk_table().entries().iter().enumerate() {
            for place in places.iter().filter(|place| place.is_in(&entry.file.path)) {
                for (number, chunk) in self.chunk_table().numbers(file).zip(entry.chunks()) {
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

    /// What is called by the tests among those chunks that have the question's words, which are best first, and how many of them the
    /// best test has, as a share.
    fn tested(&self, question: &Question, found: &Found<'_>, among: &[u32]) -> Vec<(u32, f32)> {
        if question.asks_for_tests {
            return Vec::new();
        }
        let files = self.chunk_table();
        let mut called: FxHashMap<u64, f32> = FxHashMap::default();
        for number in among.iter().filter(|number| files.known(**number).mark.is(Mark::ASIDE)).take(TESTS) {
            let (file, chunk) = files.locate(*number);
            let score = found.matches.of(*number).score;
            for call in files.entries()[file].calls(chunk) {
                let most = called.entry(*call).or_default();
                *most = most.max(score);
            }
        }
        let mut tested: FxHashMap<u32, f32> = FxHashMap::default();
        for (call, score) in called {
            for number in self.lexical().defining(call) {
                if !files.known(number).mark.is(Mark::ASIDE) {
                    let most = tested.entry(number).or_default();
                    *most = most.max(score);
                }
            }
        }
        let most = tested.values().copied().fold(0.0, f32::max);
        tested.into_iter().map(|(number, score)| (number, score / most)).collect()
    }

    /// The chunks with a definition that one of `symbols` names, the definition, and how well it fits.
    pub(super) fn definitions_of<'a>(&'a self, symbols: &[QueryMention]) -> Vec<(u32, &'a Definition, f32)> {
        let files = self.chunk_table();
        // In order of path and position.
        let mut fits: BTreeMap<(usize, usize), f32> = BTreeMap::new();
        for symbol in symbols {
            for candidate in self.names().equal(&lowered(symbol.key())) {
                let fit = candidate.definition().map_or(0.0, |definition| symbol.fit(definition));
                if fit > 0.0
                    && let Some(file) = files.place(&candidate.entry.file.path)
                {
                    let best = fits.entry((file, candidate.index)).or_default();
                    *best = fit.max(*best);
                }
            }
        }
        let chunk_of = |((file, index), fit): ((usize, usize), f32)| {
            let entry = &files.entries()[file];
            let definition = entry.facts.definitions.get(index)?;
            Some((files.numbers(file).start + entry.chunk_of(definition)? as u32, definition, fit))
        };
        fits.into_iter().filter_map(chunk_of).collect()
    }

    /// What of each candidate is measured against that of all others.
    pub(super) fn measured(&self, candidates: &Candidates<'_>, found: &Found<'_>) -> Measured {
        let near = |(number, candidate): (u32, &Candidate)| {
            candidate.near.or_else(|| found.nearest.score(found.probe.as_ref()?, number))
        };
        Measured {
            near: candidates.iter().map(near).collect(),
            matches: candidates.iter().map(|(number, _)| found.matches.of(number)).collect(),
        }
    }

    /// How well the candidates' files answer by words and by meaning.
    pub(super) fn files_measured(
        &self,
        candidates: &Candidates<'_>,
        measured: &Measured,
        scale: &Scale,
    ) -> [Vec<f32>; 2] {
        let words: Vec<f32> = measured.matches.iter().map(|of| of.score).collect();
        let meaning: Vec<f32> = measured.near.iter().map(|near| scale.near(*near)).collect();
        [self.file_scores(&candidates.numbers, &words), self.file_scores(&candidates.numbers, &meaning)]
    }

    /// Gives each candidate the features that all candidates have.
    pub(super) fn describe(
        &self,
        candidates: &mut Candidates<'_>,
        query: &Query,
        question: &Question,
        measured: &Measured,
        (files, scale): (&[Vec<f32>; 2], &Scale),
    ) {
        let mut nearness = Nearness::of(self, query);
        let Candidates { numbers, each, .. } = candidates;
        for (at, Candidate { features, .. }) in each.iter_mut().enumerate() {
            features.set(Feature::Meaning, scale.near(measured.near[at]));
            features.set(Feature::FileMeaning, share(files[1][at], scale.file_meaning));
            if query.mode == Mode::Semantic {
                continue;
            }
            let of = measured.matches[at];
            features.set(Feature::File, share(files[0][at], scale.file_words));
            features.set(Feature::Words, share(of.score, scale.words));
            features.set(Feature::Coverage, share(of.covered, scale.rarity));
            features.set(Feature::QuestionInName, share(of.named, scale.rarity));
            let known = self.chunk_table().known(numbers[at]);
            features.set(Feature::Length, known.length);
            describe(features, known.mark, of, question);
            if let Some(nearness) = &mut nearness {
                features.set(Feature::Near, nearness.to(self, known.file));
            }
        }
    }

    /// How well the file of each of `numbers`, which are in order, answers by its three best chunks, of which each counts half of
    /// the one before.
    fn file_scores(&self, numbers: &[u32], scores: &[f32]) -> Vec<f32> {
        let file = |at: usize| self.chunk_table().known(numbers[at]).file;
        let mut sums = vec![0.0; numbers.len()];
        let mut start = 0;
        while start < numbers.len() {
            let end = start + (start..numbers.len()).take_while(|at| file(*at) == file(start)).count();
            let mut best = [0.0; 3];
            for score in &scores[start..end] {
                if let Some(at) = best.iter().position(|other| score > other) {
                    best[at..].rotate_right(1);
                    best[at] = *score;
                }
            }
            sums[start..end].fill(best[0] + best[1] / 2.0 + best[2] / 4.0);
            start = end;
        }
        sums
    }
}

/// What of each candidate of an index is measured against that of all others, in their order.
pub(super) struct Measured {
    /// The cosine of its vector and the question's.
    near: Vec<Option<f32>>,
    matches: Vec<Match>,
}

/// The measures of all candidates, of whichever index.
pub(super) struct Scale {
    least: f32,
    most: f32,
    words: f32,
    rarity: f32,
    file_words: f32,
    file_meaning: f32,
}

impl Scale {
    /// For candidates of which these are measured; `rarity` is that of the question's words together.
    pub(super) fn of(all: &[Measured], rarity: f32) -> Scale {
        let near = || all.iter().flat_map(|measured| measured.near.iter().flatten().copied());
        let words = all.iter().flat_map(|measured| measured.matches.iter().map(|of| of.score));
        Scale {
            least: near().fold(f32::INFINITY, f32::min),
            most: near().fold(f32::NEG_INFINITY, f32::max),
            words: words.fold(0.0, f32::max),
            rarity,
            file_words: 0.0,
            file_meaning: 0.0,
        }
    }

    /// Takes the files of an index into account.
    pub(super) fn add(&mut self, [by_words, by_meaning]: &[Vec<f32>; 2]) {
        self.file_words = by_words.iter().copied().fold(self.file_words, f32::max);
        self.file_meaning = by_meaning.iter().copied().fold(self.file_meaning, f32::max);
    }

    /// Nearness on a scale from the least, 0, to the best, 1. What has none gets 0.
    fn near(&self, near: Option<f32>) -> f32 {
        let width = self.most - self.least;
        match near {
            Some(near) if width > 0.0 => (near - self.least) / width,
            Some(_) => 1.0,
            None => 0.0,
        }
    }
}

fn share(of: f32, most: f32) -> f32 {
    if most > 0.0 { of / most } else { 0.0 }
}

/// The features that a chunk has by what it is.
fn describe(features: &mut Features, mark: Mark, found: Match, question: &Question) {
    let flag = |flag: u8| if mark.is(flag) { 1.0 } else { 0.0 };
    features.set(Feature::Public, flag(Mark::PUBLIC));
    features.set(Feature::Callable, flag(Mark::CALLABLE));
    features.set(Feature::Documented, flag(Mark::DOCUMENTED));
    features.set(Feature::Head, flag(Mark::HEAD));
    let parts = f32::from(mark.parts.max(1));
    features.set(Feature::NameInQuestion, (f32::from(found.names) / parts).min(1.0));
    if mark.is(Mark::ASIDE) {
        features.set(Feature::Aside, if question.asks_for_tests { 0.4 } else { 1.0 });
    }
    if mark.is(Mark::PREDICATE) {
        features.set(Feature::Predicate, if question.asks_for_truth { 1.0 } else { -0.3 });
    }
    if mark.is(Mark::RAISING) {
        features.set(Feature::Raising, if question.asks_about_raising { 1.0 } else { -1.0 });
    }
}
