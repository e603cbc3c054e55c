//! Every number that ranking depends on. `scripts/learn_ranking.py` learns those of the features from the development
//! questions and writes them between the marks below; what else is here was set by hand, and says why.

use super::fields::FIELDS;

/// How many features there are.
pub(super) const FEATURES: usize = 22;

/// How much a word in a field counts, in the order of [`super::fields::Field`]: name, module, path, documentation, comment, body.
pub(super) const FIELD_WEIGHTS: [f32; FIELDS] = [4.0, 1.0, 1.0, 1.5, 1.0, 1.0];
/// How much a field's length counts against it.
pub(super) const B: [f32; FIELDS] = [0.6, 0.6, 0.6, 0.75, 0.9, 0.9];
/// How soon more of the same word adds nothing. More than for prose, where 1.2 is usual: what code is about, it repeats.
pub(super) const K1: f32 = 4.0;

/// Each side names so many candidates at least.
pub(super) const CANDIDATES: usize = 150;
/// So many of the best are looked at once more, for what costs more to see.
pub(super) const CLOSER: usize = 100;
/// How near a file is that changed in all commits with one that the caller is at, uses it or is used by it, or is in its folder.
pub(super) const NEAR_BY_HISTORY: f32 = 0.8;
pub(super) const NEAR_BY_USE: f32 = 0.6;
pub(super) const NEAR_BY_FOLDER: f32 = 0.5;
/// So many of the best are judged by a model, if the caller has one for that.
pub(super) const RERANKED: usize = 20;
/// A word that is found nowhere counts so much in the spelling that is nearest to it.
pub(super) const CORRECTED: f32 = 0.8;
/// What each better place of the same file takes from a place: a file should not crowd out the others.
pub(super) const SAME_FILE: f32 = 0.25;

/// The weights of the features where meaning does not count, and where it counts fully.
pub(super) const WEIGHTS: [[f32; FEATURES]; 2] = [
    // learnt: begin
    [
        3.68, 0.00, 0.35, 1.22, 3.97, 1.97, 0.00, 1.02, 2.22, -2.96, -0.85, 1.77, 0.13, 0.80, 3.28, 0.00,
        4.00, 5.19, 0.50, 1.21, 1.27, 0.60,
    ],
    [
        2.55, 4.49, 0.03, 0.48, 3.31, 1.00, 1.58, 1.08, 1.90, -2.63, -0.39, 1.47, 0.04, 0.57, 3.44, 0.00,
        4.00, 4.81, 0.50, 1.21, 1.28, 0.60,
    ],
    // learnt: end
];
