//! The words of a question, and how often a text has them.

use rustc_hash::FxHashMap;

use super::related::related;
use super::section::IndexSource;
use crate::retrieval::{Query, Token, Word, rarities, words};

/// The words of a question that are looked for, with how much each says.
pub(super) struct QuestionWords {
    pub(super) all: Vec<Word>,
    rarities: Vec<f32>,
    /// Which of them a token is of.
    by_token: FxHashMap<String, Vec<usize>>,
    /// Which of them a token is related to.
    by_related: FxHashMap<&'static str, Vec<usize>>,
}

/// How often a text has each of the words, and what is related to it, and how many words it has at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) each: Vec<u32>,
    pub(super) related: Vec<u32>,
    pub(super) all: u32,
}

impl QuestionWords {
    pub(super) fn of(question: &str, sources: &[IndexSource]) -> QuestionWords {
        let all: Vec<Word> = Query::new(question).words().into_iter().filter(|word| !word.whole).collect();
        let rarities = rarities(sources.iter().map(|source| source.index.lexical()), &all);
        let mut by_token: FxHashMap<String, Vec<usize>> = FxHashMap::default();
        for (at, word) in all.iter().enumerate() {
            for token in &word.tokens {
                by_token.entry(token.clone()).or_default().push(at);
            }
        }
        let mut by_related: FxHashMap<&'static str, Vec<usize>> = FxHashMap::default();
        for (at, word) in all.iter().enumerate() {
            for token in related(&word.tokens) {
                by_related.entry(token).or_default().push(at);
            }
        }
        QuestionWords { all, rarities, by_token, by_related }
    }

    /// The counts of a text without words.
    pub(super) fn none(&self) -> Counts {
        Counts { each: vec![0; self.all.len()], related: vec![0; self.all.len()], all: 0 }
    }

    /// Each word of the text counts once, by itself or by its stem.
    pub(super) fn count(&self, text: &str) -> Counts {
        let mut counts = self.none();
        let (mut counted, mut also_related): (Vec<usize>, Vec<usize>) = Default::default();
        words(text, &mut |kind, token| {
            if kind != Token::Stem {
                counted.clear();
                also_related.clear();
                counts.all += u32::from(kind == Token::Word);
            }
            if kind == Token::Whole {
                return;
            }
            count_new(self.by_token.get(token), &mut counted, &mut counts.each);
            count_new(self.by_related.get(token), &mut also_related, &mut counts.related);
        });
        counts
    }

    /// How much of the question, by rarity, the words say that `has` knows: between 0 and 1.
    pub(super) fn share(&self, has: impl Fn(usize) -> bool) -> f32 {
        let all: f32 = self.rarities.iter().sum();
        let some: f32 = (0..self.all.len()).filter(|at| has(*at)).map(|at| self.rarities[at]).sum();
        if all > 0.0 { some / all } else { 0.0 }
    }

    /// The sum over the words of how rare each is and of `weight`.
    pub(super) fn sum(&self, weight: impl Fn(usize) -> f32) -> f32 {
        self.rarities.iter().enumerate().map(|(at, rarity)| rarity * weight(at)).sum()
    }
}

fn count_new(found: Option<&Vec<usize>>, counted: &mut Vec<usize>, counts: &mut [u32]) {
    for at in found.into_iter().flatten() {
        if !counted.contains(at) {
            counted.push(*at);
            counts[*at] += 1;
        }
    }
}
