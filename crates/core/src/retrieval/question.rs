//! What is understood of a question.

use std::collections::BTreeSet;

use super::index::Index;
use super::locations::{Location, places};
use super::phrase::Phrases;
use super::query::{MOST_WORDS, Query, QueryMention, Word, mentions};
use super::weights::CORRECTED;

/// What is understood of a question.
pub(super) struct Question {
    pub(super) words: Vec<Word>,
    pub(super) symbols: Vec<QueryMention>,
    /// Whether it is nothing but a symbol.
    pub(super) only_symbol: bool,
    pub(super) places: Vec<Location>,
    pub(super) phrases: Phrases,
    pub(super) asks_for_tests: bool,
    pub(super) asks_for_truth: bool,
    pub(super) asks_about_raising: bool,
}

impl Question {
    pub(super) fn of(indexes: &[&Index], query: &Query) -> Question {
        let (symbols, only_symbol) = mentions(&query.text);
        let mut words = query.words();
        // A word that nothing in the indexes has may be one that is written wrongly.
        for at in 0..words.len() {
            if !words[at].whole && !indexes.iter().any(|index| index.lexical().has_any(&words[at].tokens)) {
                let nearest: BTreeSet<String> =
                    indexes.iter().flat_map(|index| index.lexical().nearest(&words[at].tokens[0])).collect();
                words.extend(nearest.iter().flat_map(|word| Word::all_of(word, CORRECTED)));
            }
        }
        words.truncate(MOST_WORDS);
        let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let bare: Vec<String> = query.text.split_whitespace().map(bare).collect();
        let asks = |some: &[&str]| bare.iter().any(|word| some.contains(&&**word));
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
