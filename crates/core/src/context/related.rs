//! Words that are likely to be meant by one another: who asks for a pause looks for `backoff`.
//!
//! An analyst's thesaurus, by which a question is expanded (Manning, Raghavan and Schütze, *Introduction to Information Retrieval*,
//! 9.2.2). What it is worth, and how much of that is of the questions it was written with, is in `benches/results/2026-11-30-context.md`.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::retrieval::{Token, words};

const GROUPS: &str = include_str!("related.txt");

#[derive(Default)]
struct Thesaurus {
    /// Of each word itself and its stem.
    groups: Vec<Vec<Vec<String>>>,
    /// The groups that a token is in.
    by_token: FxHashMap<String, Vec<usize>>,
}

static THESAURUS: LazyLock<Thesaurus> = LazyLock::new(|| {
    let mut thesaurus = Thesaurus::default();
    for line in GROUPS.lines().filter(|line| !line.starts_with('#')) {
        let group: Vec<Vec<String>> = line.split_whitespace().map(tokens).collect();
        let in_group: FxHashSet<&String> = group.iter().flatten().collect();
        for token in in_group {
            thesaurus.by_token.entry(token.clone()).or_default().push(thesaurus.groups.len());
        }
        thesaurus.groups.push(group);
    }
    thesaurus
});

fn tokens(word: &str) -> Vec<String> {
    let mut all = Vec::new();
    words(word, &mut |kind, token| {
        if kind != Token::Whole {
            all.push(token.to_owned());
        }
    });
    all
}

/// The tokens of all words that are in a group with a word of these tokens, without those of the word.
pub(super) fn related(word: &[String]) -> FxHashSet<&'static str> {
    let mut found = FxHashSet::default();
    for group in word.iter().flat_map(|token| THESAURUS.by_token.get(token).into_iter().flatten()) {
        for other in &THESAURUS.groups[*group] {
            if !other.iter().any(|token| word.contains(token)) {
                found.extend(other.iter().map(String::as_str));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(word: &str) -> FxHashSet<&'static str> {
        related(&tokens(word))
    }

    #[test]
    fn words_of_a_group_are_related_in_all_their_forms() {
        for (asked, meant) in
            [("pause", "backoff"), ("pauses", "backoff"), ("backoff", "sleep"), ("unpacking", "inflat")]
        {
            assert!(of(asked).contains(meant), "{asked}: {:?}", of(asked));
        }
        assert!(!of("pause").contains("pause") && !of("pauses").contains("paus"));
        assert!(of("zyzzyva").is_empty());
    }

    #[test]
    fn every_group_has_words_to_relate_and_none_twice() {
        let lines: Vec<&str> = GROUPS.lines().filter(|line| !line.starts_with('#')).collect();
        for line in &lines {
            let group: Vec<&str> = line.split(' ').collect();
            let different: FxHashSet<&&str> = group.iter().collect();
            assert!(group.len() > 1 && different.len() == group.len(), "{line}");
            assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_lowercase()), "{line}");
        }
        let different: FxHashSet<&&str> = lines.iter().collect();
        assert_eq!(different.len(), lines.len());
    }
}
