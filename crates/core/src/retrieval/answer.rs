//! From a question to ranked places: candidates of both sides, fused, then what their names and paths say.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::Index;
use super::names::key::lowered;
use super::query::{Mention, Mode, Query, mentions};
use super::vectors::normalised;
use crate::source::Span;
use crate::syntax::{Definition, DefinitionKind};
use crate::{Cancel, Error, Result};

/// Each side names so many candidates, or [`CANDIDATES_PER_RESULT`] for each place that is wanted.
const CANDIDATES: usize = 60;
const CANDIDATES_PER_RESULT: usize = 5;
/// The part of the semantic side in the sum, for a question that is a symbol and for one of words.
const SEMANTIC_FOR_SYMBOL: f32 = 0.3;
const SEMANTIC_FOR_WORDS: f32 = 0.5;
/// What the place that defines a symbol gets on top, for a question that is this symbol and for one that mentions it.
const DEFINES_QUESTION: f32 = 2.0;
const DEFINES_MENTION: f32 = 0.25;
/// For tests, examples and what is kept for old times' sake.
const ASIDE: f32 = 0.2;
/// For each place of the same file that is better.
const SAME_FILE: f32 = 0.97;

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
    definition: f32,
}

impl Index {
    /// The places that answer `query`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a question without text, a limit of 0, [`Mode::Semantic`] without a vector, or a
    /// vector that does not fit those of the index; and those of [`Cancel::check`].
    pub fn search(&self, query: &Query, cancel: &Cancel) -> Result<Answer> {
        if query.text.trim().is_empty() {
            return Err(Error::invalid("the question is empty; ask with a few words or a symbol"));
        }
        if query.limit == 0 {
            return Err(Error::invalid("the limit of results must be at least 1"));
        }
        if query.mode == Mode::Semantic && query.vector.is_none() {
            return Err(Error::invalid("a semantic search needs the question's vector; load an encoder"));
        }
        let chunks = self.inner_files().chunks();
        let vectors = self.placed().count;
        let wanted = CANDIDATES.max(query.limit.saturating_mul(CANDIDATES_PER_RESULT));

        let by_words = match query.mode {
            Mode::Semantic => Vec::new(),
            Mode::Lexical | Mode::Hybrid => self.lexical().scores(&query.terms(), chunks),
        };
        cancel.check()?;
        let by_vectors = match &query.vector {
            Some(vector) if query.mode != Mode::Lexical && vectors > 0 => self.similarities(vector)?,
            _ => Vec::new(),
        };
        cancel.check()?;

        let mut candidates: BTreeMap<u32, Candidate> = BTreeMap::new();
        let words = best(by_words.iter().map(|score| (*score > 0.0).then_some(*score)), wanted);
        for (rank, number) in (1..).zip(&words) {
            candidates.entry(*number).or_default().lexical_rank = Some(rank);
        }
        let similar = best(by_vectors.iter().copied(), wanted);
        for (rank, number) in (1..).zip(&similar) {
            candidates.entry(*number).or_default().semantic_rank = Some(rank);
        }
        let (symbols, only_symbol) = mentions(&query.text);
        let mut named: BTreeMap<u32, &Definition> = BTreeMap::new();
        if query.mode != Mode::Semantic {
            let factor = if only_symbol { DEFINES_QUESTION } else { DEFINES_MENTION };
            for (number, definition, fit) in self.definitions_of(&symbols) {
                let candidate = candidates.entry(number).or_default();
                if fit * factor > candidate.definition {
                    candidate.definition = fit * factor;
                    named.insert(number, definition);
                }
            }
        }

        let share = match query.mode {
            Mode::Semantic => 1.0,
            _ if by_vectors.is_empty() => 0.0,
            // As long as vectors are missing, they count for less: what has none must not lose by it.
            _ => {
                let full = if only_symbol { SEMANTIC_FOR_SYMBOL } else { SEMANTIC_FOR_WORDS };
                full * vectors as f32 / chunks.max(1) as f32
            }
        };
        let lexical = scaled(&candidates, |number| by_words.get(number as usize).copied());
        let semantic = scaled(&candidates, |number| by_vectors.get(number as usize).copied().flatten());
        let asks_for_tests = query.terms().iter().any(|term| term == "test" || term == "example");
        let ranked = candidates.iter().zip(lexical.iter().zip(&semantic)).map(
            |((number, candidate), (words, meaning))| {
                let (file, _) = self.inner_files().locate(*number);
                let sum = share * meaning + (1.0 - share) * words + candidate.definition;
                let aside = !asks_for_tests && is_aside(&self.inner_files().entries()[file].file.path);
                (*number, file, if aside { sum * ASIDE } else { sum })
            },
        );
        let results = damped(ranked.collect(), query.limit)
            .into_iter()
            .map(|(number, score)| self.hit(number, score, &candidates, &named))
            .collect();
        let made_from = MadeFrom {
            lexical: query.mode != Mode::Semantic,
            semantic: !by_vectors.is_empty(),
            vectors,
            chunks,
        };
        Ok(Answer { results, made_from })
    }

    fn similarities(&self, vector: &[f32]) -> Result<Vec<Option<f32>>> {
        let expected = self.vectors().dimensions();
        if vector.len() != expected {
            return Err(Error::invalid(format!(
                "the question's vector has {} numbers, the index's have {expected}; use the same encoder for both",
                vector.len()
            )));
        }
        Ok(self.vectors().scores(&normalised(vector)?, self.placed()))
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
        }
    }
}

/// Better first; of equals the one that stands first.
fn by_rank(a: &(u32, f32), b: &(u32, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The numbers of the `count` best, best first.
fn best(scores: impl Iterator<Item = Option<f32>>, count: usize) -> Vec<u32> {
    let mut found: Vec<(u32, f32)> =
        (0..).zip(scores).filter_map(|(number, score)| Some((number, score?))).collect();
    if found.len() > count {
        found.select_nth_unstable_by(count, by_rank);
        found.truncate(count);
    }
    found.sort_unstable_by(by_rank);
    found.into_iter().map(|(number, _)| number).collect()
}

/// The score of each candidate on a scale from the least, 0, to the best, 1. What has no score gets 0.
fn scaled(candidates: &BTreeMap<u32, Candidate>, score: impl Fn(u32) -> Option<f32>) -> Vec<f32> {
    let scores: Vec<Option<f32>> = candidates.keys().map(|number| score(*number)).collect();
    let least = scores.iter().flatten().copied().fold(f32::INFINITY, f32::min);
    let most = scores.iter().flatten().copied().fold(f32::NEG_INFINITY, f32::max);
    let width = most - least;
    scores
        .into_iter()
        .map(|score| match score {
            Some(score) if width > 0.0 => (score - least) / width,
            Some(_) => 1.0,
            None => 0.0,
        })
        .collect()
}

/// Whether a path holds tests, examples or old things, which answer few questions.
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
    path.ends_with("_test.exs") || path.rsplit('/').skip(1).any(|folder| FOLDERS.contains(&folder))
}

/// The `limit` best of `(chunk, file, score)`, where each place counts for less the more of its file are better.
fn damped(mut ranked: Vec<(u32, usize, f32)>, limit: usize) -> Vec<(u32, f32)> {
    ranked.sort_unstable_by(|a, b| by_rank(&(a.0, a.2), &(b.0, b.2)));
    let mut of_file: BTreeMap<usize, i32> = BTreeMap::new();
    let mut damped: Vec<(u32, f32)> = ranked
        .into_iter()
        .map(|(number, file, score)| {
            let before = of_file.entry(file).or_default();
            *before += 1;
            (number, score * SAME_FILE.powi(*before - 1))
        })
        .collect();
    damped.sort_unstable_by(by_rank);
    damped.truncate(limit);
    damped
}
