//! From a question to ranked places: candidates of both sides, fused, then what their names and paths say.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::best::{best, by_rank};
use super::bm25::Census;
use super::candidates::{Candidate, Candidates, Found, Scale};
use super::entry::Entry;
use super::features::{Feature, Weights};
use super::index::Index;
use super::query::{Mode, Query};
use super::question::Question;
use super::vectors::{Allowed, Embedder, Nearest, Probe};
use super::weights::{CLOSER, SAME_FILE};
use crate::source::{ContentHash, Span};
use crate::syntax::DefinitionKind;
use crate::{Cancel, Error, Result};

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

impl Index {
    /// The places that answer `query`.
    ///
    /// # Errors
    /// Those of [`search_all`].
    pub fn search(&self, query: &Query, cancel: &Cancel) -> Result<Answer> {
        let answer = search_all(&[self], query, cancel)?;
        let results = answer.results.into_iter().map(|(_, hit)| hit).collect();
        Ok(Answer { results, made_from: answer.made_from })
    }

    /// Gives a query its vector, unless it asks for words alone. An encoder whose vectors the index does not hold yet can tell
    /// nothing about it, and gives none.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn encode(&self, query: &mut Query, encoder: &dyn Embedder, cancel: &Cancel) -> Result<()> {
        if query.mode != Mode::Lexical && self.encoder() == Some(encoder.fingerprint()) {
            query.vector = Some(encoder.embed_query(&query.text, cancel)?);
        }
        Ok(())
    }

    /// The text of a place that was found; empty for one of another index.
    pub fn text_at(&self, hit: &Hit) -> &str {
        let text = self.text(&hit.file);
        let part = text.and_then(|text| text.get(hit.span.start as usize..hit.span.end as usize));
        part.unwrap_or_default()
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

    /// The file of a chunk, and which of its chunks it is.
    fn chunk(&self, number: u32) -> (&Arc<Entry>, usize) {
        let (file, chunk) = self.chunk_table().locate(number);
        (&self.chunk_table().entries()[file], chunk)
    }

    fn hit(&self, number: u32, score: f32, weights: &Weights, candidates: &Candidates<'_>) -> Hit {
        let (entry, chunk) = self.chunk(number);
        let chunk = &entry.chunks()[chunk];
        let candidate = candidates.get(number).copied().unwrap_or_default();
        let (symbol, kind) = match candidates.named.get(&number) {
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
            features: candidate.features.explained(weights),
        }
    }
}

/// Places in several indexes that answer a question, and what they were found by.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonAnswer {
    /// Best first, each with the number of its index; equals in order of index, path and position.
    pub results: Vec<(usize, Hit)>,
    /// What the answer was made from, in all indexes together.
    pub made_from: MadeFrom,
}

/// The places in all of the indexes that answer `query`, measured as if all were one.
///
/// An index of which the vectors were made by an encoder counts by its words alone, unless `query` has a vector, which then is that of
/// the encoder of all.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] for a question without text, a limit of 0, [`Mode::Semantic`] without a vector or a resident
/// encoder, a vector that does not fit those of an index, or a filter's path that is no pattern; and those of [`Cancel::check`].
pub fn search_all(indexes: &[&Index], query: &Query, cancel: &Cancel) -> Result<CommonAnswer> {
    if query.text.trim().is_empty() {
        return Err(Error::invalid("the question is empty; ask with a few words or a symbol"));
    }
    if query.limit == 0 {
        return Err(Error::invalid("the limit of results must be at least 1"));
    }
    let vectors = question_vectors(indexes, query, cancel)?;
    if query.mode == Mode::Semantic && !indexes.is_empty() && vectors.iter().all(Option::is_none) {
        return Err(Error::invalid("a semantic search needs the question's vector; load an encoder"));
    }
    let question = Question::of(indexes, query);
    let mut census = Census::default();
    indexes.iter().for_each(|index| census.add(index.lexical(), &question.words));
    let allowed: Vec<_> = indexes.iter().map(|index| index.allowed(&query.filter)).collect::<Result<_>>()?;
    let mut sides = Vec::with_capacity(indexes.len());
    for ((index, vector), allowed) in indexes.iter().zip(&vectors).zip(&allowed) {
        sides.push(Side::of(index, query, &question, (vector.as_deref(), allowed.as_deref()), &census)?);
        cancel.check()?;
    }
    let measured: Vec<_> =
        sides.iter().map(|side| side.index.measured(&side.candidates, &side.found)).collect();
    let mut scale = Scale::of(&measured, sides.first().map_or(0.0, |side| side.found.matches.rarity));
    let files: Vec<_> = sides
        .iter()
        .zip(&measured)
        .map(|(side, measured)| side.index.files_measured(&side.candidates, measured, &scale))
        .collect();
    files.iter().for_each(|files| scale.add(files));
    let mut ranked = Vec::new();
    for (at, ((side, measured), files)) in sides.iter_mut().zip(&measured).zip(&files).enumerate() {
        side.index.describe(&mut side.candidates, query, &question, measured, (files, &scale));
        side.look_closer(query, &question);
        let best = damped(side.ranked(query), query.limit);
        ranked.extend(best.into_iter().map(|(number, score)| (at, number, score)));
        cancel.check()?;
    }
    ranked.sort_unstable_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    ranked.truncate(query.limit);
    let hit = |(at, number, score)| {
        let Side { index, weights, candidates, .. } = &sides[at];
        (at, index.hit(number, score, weights, candidates))
    };
    let sum = |of: fn(&Index) -> usize| indexes.iter().map(|index| of(index)).sum();
    let made_from = MadeFrom {
        lexical: query.mode != Mode::Semantic,
        semantic: sides.iter().any(|side| side.found.probe.is_some()),
        vectors: sum(|index| index.placed().count),
        chunks: sum(|index| index.chunk_table().chunks()),
    };
    Ok(CommonAnswer { results: ranked.into_iter().map(hit).collect(), made_from })
}

/// The question's vector for each index, made once for all that have the same encoder.
fn question_vectors<'q>(
    indexes: &[&Index],
    query: &'q Query,
    cancel: &Cancel,
) -> Result<Vec<Option<Cow<'q, [f32]>>>> {
    let mut made: Vec<(ContentHash, Vec<f32>)> = Vec::new();
    let vector = |index: &&Index| -> Result<Option<Cow<'q, [f32]>>> {
        match (&query.vector, index.speaking()) {
            (Some(vector), _) => Ok(Some(Cow::Borrowed(vector))),
            (None, Some(encoder)) if query.mode != Mode::Lexical => {
                let print = encoder.fingerprint();
                if let Some((_, vector)) = made.iter().find(|(known, _)| *known == print) {
                    return Ok(Some(Cow::Owned(vector.clone())));
                }
                let vector = encoder.embed_query(&query.text, cancel)?;
                made.push((print, vector.clone()));
                Ok(Some(Cow::Owned(vector)))
            }
            _ => Ok(None),
        }
    };
    indexes.iter().map(vector).collect()
}

/// What an index has for a question.
struct Side<'i> {
    index: &'i Index,
    found: Found<'i>,
    candidates: Candidates<'i>,
    weights: Weights,
}

impl<'i> Side<'i> {
    fn of(
        index: &'i Index,
        query: &Query,
        question: &Question,
        (vector, allowed): (Option<&[f32]>, Option<&'i Allowed>),
        census: &Census,
    ) -> Result<Side<'i>> {
        let (chunks, vectors) = (index.chunk_table().chunks(), index.placed().count);
        let matches = index.lexical().matches(&question.words, chunks, census);
        let probe = match vector {
            Some(vector) if query.mode != Mode::Lexical && vectors > 0 => Some(index.probe(vector)?),
            _ => None,
        };
        let nearest = Nearest { vectors: index.vectors(), placed: index.placed(), allowed };
        let found = Found { matches, allowed, nearest, probe };
        let candidates = index.candidates(query, question, &found);
        // As long as vectors are missing, they count for less: what has none must not lose by it.
        let share = match &found.probe {
            None => 0.0,
            Some(_) => vectors as f32 / chunks.max(1) as f32,
        };
        Ok(Side { index, found, candidates, weights: Weights::of(share) })
    }

    fn score(&self, query: &Query, candidate: &Candidate) -> f32 {
        match query.mode {
            Mode::Semantic => candidate.features.get(Feature::Meaning),
            _ => candidate.features.score(&self.weights),
        }
    }

    /// Adds what costs more to see to the features of the best.
    fn look_closer(&mut self, query: &Query, question: &Question) {
        if query.mode == Mode::Semantic || question.phrases.is_empty() {
            return;
        }
        let scored = self.candidates.iter().map(|(number, candidate)| (number, self.score(query, candidate)));
        for number in best(scored, CLOSER) {
            let (entry, chunk) = self.index.chunk(number);
            if question.phrases.may_be_in(entry.sieve(chunk))
                && let Some(candidate) = self.candidates.get_mut(number)
            {
                candidate.features.set(Feature::Phrase, question.phrases.share_in(entry.chunk_text(chunk)));
            }
        }
    }

    /// The number of each candidate, its file and its score.
    fn ranked(&self, query: &Query) -> Vec<(u32, u32, f32)> {
        let files = self.index.chunk_table();
        let candidates = self.candidates.iter();
        candidates
            .map(|(number, candidate)| (number, files.known(number).file, self.score(query, candidate)))
            .collect()
    }
}

/// The `limit` best of `(chunk, file, score)`, where each place counts for less the more of its file are better.
fn damped(mut ranked: Vec<(u32, u32, f32)>, limit: usize) -> Vec<(u32, f32)> {
    ranked.sort_unstable_by(|a, b| by_rank(&(a.0, a.2), &(b.0, b.2)));
    let mut of_file: FxHashMap<u32, f32> = FxHashMap::default();
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_best_are_the_first_of_all_sorted(
            scores in prop::collection::vec(prop::sample::select(vec![-1.0, -0.0, 0.0, 0.5, 0.5, 2.0, f32::NAN, f32::INFINITY]), 0..400),
            count in 0..90usize,
        ) {
            let found: Vec<(u32, f32)> = (0..).zip(scores).collect();
            let mut sorted = found.clone();
            sorted.sort_by(by_rank);
            let expected: Vec<u32> = sorted.into_iter().take(count).map(|(number, _)| number).collect();
            prop_assert_eq!(best(found.into_iter(), count), expected);
        }
    }
}
