//! Tree of thought as a state machine: ask what to do next, tell what came of it.
//!
//! Yao et al., "Tree of Thoughts" (arXiv 2305.10601), with execution instead of a model's opinion as the value of a
//! thought. [`Tree`] does no work itself, holds no clock and draws no random numbers but from its seed, so any number of
//! workers in any process can serve it, and the same answers give the same tree.
//!
//! ```
//! use ambix_core::search::{Budget, Policy, Task, Thought, Tree, Verdict};
//!
//! let mut tree = Tree::new(Policy::BestFirst, Budget::default(), 0).unwrap();
//! while let [task, ..] = tree.ask(1)[..] {
//!     match task {
//!         Task::Expand(node) => {
//!             let thoughts = (0..3).map(|payload| Thought::new(payload, 0.5, "guess"));
//!             tree.tell_children(node, thoughts.collect()).unwrap()
//!         }
//!         Task::Evaluate(node) => {
//!             let right = tree.node(node).unwrap().payload == 2;
//!             tree.tell_verdict(node, Verdict { solved: right, dead: !right, ..Verdict::default() }).unwrap()
//!         }
//!     }
//! }
//! assert_eq!(tree.best().map(|node| tree.node(node).unwrap().payload), Some(2));
//! ```

mod node;
mod policy;
mod queue;
mod render;
mod tree;

pub use node::{Cost, Node, NodeId, State, Task, Thought, Verdict};
pub use policy::{Budget, Policy};
pub use tree::{Reason, Status, Trace, Tree};

#[cfg(test)]
mod tests;
