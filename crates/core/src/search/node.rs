//! What a search is told and tells: tasks, thoughts, verdicts and nodes.

use serde::{Deserialize, Serialize};

/// A node's number: the root is 0, the others count up in the order in which they were told.
pub type NodeId = u32;

/// Something for the caller to do. Each is handed out once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Task {
    /// Try the node out, then [`super::Tree::tell_verdict`].
    Evaluate(NodeId),
    /// Think of next steps after the node, then [`super::Tree::tell_children`].
    Expand(NodeId),
}

impl Task {
    /// The node concerned.
    pub fn node(self) -> NodeId {
        match self {
            Task::Evaluate(node) | Task::Expand(node) => node,
        }
    }
}

/// A next step, before it is tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thought {
    /// What stands for it with the caller, such as the hash of the changed file: equal payloads are the same thought, and
    /// only the first is evaluated.
    pub payload: u64,
    /// How promising it looks, from 0 to 1.
    pub prior: f64,
    /// One short line for a person.
    pub label: String,
}

impl Thought {
    /// A thought.
    pub fn new(payload: u64, prior: f64, label: impl Into<String>) -> Self {
        Thought { payload, prior, label: label.into() }
    }
}

/// What something has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Tokens read and written by models.
    pub tokens: u64,
    /// Seconds of work, which may exceed the time that passed when several work at once.
    pub seconds: f64,
}

/// What came of trying a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How good it is, from 0 to 1.
    pub score: f64,
    /// Whether it is a solution.
    pub solved: bool,
    /// Whether nothing good can come of going on from here.
    pub dead: bool,
    /// What trying it has cost.
    pub cost: Cost,
    /// One short line for a person.
    pub note: String,
}

/// How far a node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not yet tried.
    Waiting,
    /// Handed out to be tried.
    Evaluating,
    /// Tried, and worth going on from.
    Open,
    /// Handed out to be expanded.
    Expanding,
    /// Has its children, if there are any.
    Expanded,
    /// Tried, and not gone on from: a dead end, or below what the policy asks for, or as deep as the budget allows.
    Pruned,
    /// The same thought as an earlier one; never tried.
    Duplicate,
    /// A solution.
    Solved,
}

/// A node of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// `None` for the root.
    pub parent: Option<NodeId>,
    /// Thoughts from the root.
    pub depth: u32,
    /// The caller's; 0 for the root.
    pub payload: u64,
    /// As told with the thought.
    pub prior: f64,
    /// As told with the thought.
    pub label: String,
    /// How far it has come.
    pub state: State,
    /// As told with the verdict; the root has none.
    pub score: Option<f64>,
    /// What trying it has cost.
    pub cost: Cost,
    /// As told with the verdict.
    pub note: String,
    /// In the order in which they were told.
    pub children: Vec<NodeId>,
}
