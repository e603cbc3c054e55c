use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::node::{Node, NodeId, Task};
use crate::{Error, Result};

/// In which order the tree grows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Policy {
    /// Level by level: of all nodes of a level the `width` best are expanded. Each level may spend an equal share of the
    /// evaluations that are left, so that a broad first level leaves something for the deeper ones.
    Beam {
        /// Nodes that go on to the next level, at least 1.
        width: usize,
    },
    /// Whatever promises most: a thought by the mean of its prior and its parent's score, a node to be expanded by its
    /// score. Each level of the tree gets half as many turns as the one above it, as long as that has anything.
    BestFirst,
    /// The last node found is followed as long as its score is at least `prune_below`; then back to the next sibling.
    DepthFirst {
        /// Nodes that score less are not expanded.
        prune_below: f64,
    },
}

impl Policy {
    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Policy::Beam { width: 0 } => Err(Error::invalid("a beam needs a width of at least 1")),
            Policy::DepthFirst { prune_below } if !(0.0..=1.0).contains(&prune_below) => {
                Err(Error::invalid("`prune_below` must be a score from 0 to 1"))
            }
            _ => Ok(()),
        }
    }
}

/// What a search may spend. The default is 1000 evaluations and no other limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Evaluations that are handed out.
    pub nodes: u64,
    /// Tokens, as told in verdicts: when they are reached, nothing more is handed out. `None` is no limit.
    pub tokens: Option<u64>,
    /// Seconds, as told by [`super::Tree::tell_elapsed`]: when they are reached, nothing more is handed out. `None` is
    /// no limit.
    pub seconds: Option<f64>,
    /// Greatest number of thoughts from the root to a node.
    pub depth: u32,
    /// Solutions after which the search ends, at least 1; more than 1 allows to choose the smallest.
    pub solutions: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { nodes: 1000, tokens: None, seconds: None, depth: u32::MAX, solutions: 1 }
    }
}

impl Budget {
    pub(super) fn check(&self) -> Result<()> {
        if self.solutions == 0 {
            return Err(Error::invalid("a search needs to look for at least 1 solution"));
        }
        if self.seconds.is_some_and(|seconds| seconds.is_nan() || seconds < 0.0) {
            return Err(Error::invalid("a budget of seconds must not be negative"));
        }
        Ok(())
    }
}

/// A task that waits, ordered by how soon it is to be done. The order is total: equal promise goes by age, or by the
/// seed's shuffle when the seed is not 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Waiting {
    pub task: Task,
    depth: u32,
    promise: f64,
    tie: u64,
}

impl Waiting {
    /// `parent_score` is the score of the node above, for tasks that evaluate.
    pub fn new(policy: Policy, task: Task, node: &Node, parent_score: f64, seed: u64) -> Self {
        let promise = match (policy, task) {
            (Policy::BestFirst, Task::Evaluate(_)) => (node.prior + parent_score) / 2.0,
            (_, Task::Evaluate(_)) => node.prior,
            (_, Task::Expand(_)) => node.score.unwrap_or(0.0),
        };
        // Depth first: an expansion makes children one level down, so it comes before the siblings of its node.
        // Beam: a level is tried when all of it is known.
        let depth = match (policy, task) {
            (Policy::Beam { .. }, Task::Expand(_)) => 1,
            (Policy::DepthFirst { .. }, Task::Expand(_)) => node.depth.saturating_add(1),
            (Policy::DepthFirst { .. }, Task::Evaluate(_)) => node.depth,
            _ => 0,
        };
        Waiting { task, depth, promise, tie: shuffle(seed, task.node()) }
    }
}

impl Eq for Waiting {}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.depth.cmp(&other.depth))
            .then(self.promise.total_cmp(&other.promise))
            .then(other.tie.cmp(&self.tie))
            .then(other.task.cmp(&self.task))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One step of SplitMix64 (Steele et al., 2014), or age for seed 0.
fn shuffle(seed: u64, node: NodeId) -> u64 {
    if seed == 0 {
        return u64::from(node);
    }
    let mut mixed = seed.wrapping_add(u64::from(node).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
