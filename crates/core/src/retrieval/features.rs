//! The features of a candidate.

use super::weights::{FEATURES, WEIGHTS};

/// Something that speaks for or against a place. Its value is between 0 and 1 unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Feature {
    /// The question's words in it: BM25F, as a share of the best.
    Words,
    /// Nearness of its vector to the question's, on a scale from the least of the candidates to the best.
    Meaning,
    /// How much of the question, by rarity, is in the names that it defines.
    QuestionInName,
    /// How much of these names is in the question.
    NameInQuestion,
    /// How much of the question, by rarity, is in it at all.
    Coverage,
    /// How well its file answers as a whole: its three best places, as a share of the best file.
    File,
    /// The same by nearness of vectors.
    FileMeaning,
    /// It defines something that other modules can call.
    Public,
    /// It defines something that can be called.
    Callable,
    /// It is a test, an example, or kept for old times' sake (1; 0.4 if the question speaks of tests or examples).
    Aside,
    /// The logarithm of its length, as a share of that of the longest chunk.
    Length,
    /// A name like `valid?`, where the question is for a truth value (1) or is not (-0.3).
    Predicate,
    /// A name like `fetch!`, where the question is about raising (1) or is not (-1).
    Raising,
    /// Tests that call it have the question's words: the best of them, as a share.
    Tested,
    /// It defines the symbol that the question consists of: 1 by the end of its name, 1.5 by all of it.
    Defines,
    /// It defines a symbol that the question mentions.
    Mentioned,
    /// The question names its lines (1), its file (0.5), or other lines of its file (0.2).
    Located,
    /// How many of the question's runs of three words stand in it as they are.
    Phrase,
    /// It is in a file that the caller is at (1), in one that changed with it (0.8 for always), that uses it or is used by it (0.6),
    /// or in the folder of one (0.5).
    Near,
    /// It has documentation.
    Documented,
    /// It is the head of a module.
    Head,
    /// What a [`super::Reranker`] says of it, in standard deviations from the mean of all that were judged.
    Reranked,
}

impl Feature {
    /// All, in the order of their weights.
    pub const ALL: [Feature; FEATURES] = [
        Feature::Words,
        Feature::Meaning,
        Feature::QuestionInName,
        Feature::NameInQuestion,
        Feature::Coverage,
        Feature::File,
        Feature::FileMeaning,
        Feature::Public,
        Feature::Callable,
        Feature::Aside,
        Feature::Length,
        Feature::Predicate,
        Feature::Raising,
        Feature::Tested,
        Feature::Defines,
        Feature::Mentioned,
        Feature::Located,
        Feature::Phrase,
        Feature::Near,
        Feature::Documented,
        Feature::Head,
        Feature::Reranked,
    ];

    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Feature::Words => "words",
            Feature::Meaning => "meaning",
            Feature::QuestionInName => "question_in_name",
            Feature::NameInQuestion => "name_in_question",
            Feature::Coverage => "coverage",
            Feature::File => "file",
            Feature::FileMeaning => "file_meaning",
            Feature::Public => "public",
            Feature::Callable => "callable",
            Feature::Aside => "aside",
            Feature::Length => "length",
            Feature::Predicate => "predicate",
            Feature::Raising => "raising",
            Feature::Tested => "tested",
            Feature::Defines => "defines",
            Feature::Mentioned => "mentioned",
            Feature::Located => "located",
            Feature::Phrase => "phrase",
            Feature::Near => "near",
            Feature::Documented => "documented",
            Feature::Head => "head",
            Feature::Reranked => "reranked",
        }
    }
}

/// The values of all features of one place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Features([f32; FEATURES]);

impl Features {
    /// The value of one.
    pub fn get(&self, feature: Feature) -> f32 {
        self.0[feature as usize]
    }

    pub(crate) fn set(&mut self, feature: Feature, value: f32) {
        self.0[feature as usize] = value;
    }

    /// What all of them count together.
    pub(crate) fn score(&self, weights: &Weights) -> f32 {
        (0..FEATURES).map(|at| self.0[at] * weights.0[at]).sum()
    }

    /// Each feature that is not 0, its value, and what it adds to the score.
    pub(crate) fn explained(&self, weights: &Weights) -> Vec<(Feature, f32, f32)> {
        let all = Feature::ALL.iter().zip(self.0).zip(weights.0);
        all.filter(|((_, value), _)| *value != 0.0)
            .map(|((feature, value), weight)| (*feature, value, value * weight))
            .collect()
    }
}

/// What each feature counts.
pub(crate) struct Weights([f32; FEATURES]);

impl Weights {
    /// Where meaning counts for `share` of what it counts if all chunks have a vector.
    pub(crate) fn of(share: f32) -> Weights {
        Weights(std::array::from_fn(|at| WEIGHTS[0][at] * (1.0 - share) + WEIGHTS[1][at] * share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_stand_in_the_order_of_their_weights() {
        for (at, feature) in Feature::ALL.iter().enumerate() {
            assert_eq!(*feature as usize, at, "{}", feature.as_str());
        }
    }

    #[test]
    fn what_is_explained_adds_up() {
        let mut features = Features::default();
        features.set(Feature::Words, 0.7);
        features.set(Feature::Aside, 1.0);
        for share in [0.0, 0.5, 1.0] {
            let weights = Weights::of(share);
            let explained = features.explained(&weights);
            assert_eq!(explained.len(), 2);
            let sum: f32 = explained.iter().map(|(_, _, part)| part).sum();
            assert!((sum - features.score(&weights)).abs() < 1e-5);
        }
    }
}
