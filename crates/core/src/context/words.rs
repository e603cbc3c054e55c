//! The words of a question, and how often a text has them.

use rustc_hash::FxHashMap;

use super::section::IndexSource;
use crate::retrieval::{Query, Token, Word, rarities, words};

/// The words of a question that are looked for, with how much each says.
pub(super) struct QuestionWords {
    pub(super) all: Vec<Word>,
    rarities: Vec<f32>,
    /// Which of them a token is of.
    by_token: FxHashMap<String, Vec<usize>>,
}

/// How often a text has each of the words, and how many words it has at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) each: Vec<u32>,
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
        QuestionWords { all, rarities, by_token }
    }

    /// Each word of the text counts once, by itself or by its stem.
    pub(super) fn count(&self, text: &str) -> Counts {
        let mut counts = Counts { each: vec![0; self.all.len()], all: 0 };
        let mut counted: Vec<usize> = Vec::new();
        words(text, &mut |kind, token| {
            if kind != Token::Stem {
                counted.clear();
                counts.all += u32::from(kind == Token::Word);
            }
            for at in self.by_token.get(token).into_iter().flatten() {
                if kind != Token::Whole && !counted.contains(at) {
                    counted.push(*at);
                    counts.each[*at] += 1;
                }
            }
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
