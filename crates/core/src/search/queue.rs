use std::collections::BinaryHeap;

use super::node::Task;
use super::policy::{Policy, Waiting};

/// What waits to be done. Under [`Policy::BestFirst`] every level of the tree has a queue of its own, so that the children
/// of one thought that looks good cannot starve all others: a level gets half as many turns as the one above it, as long
/// as that has anything (stride scheduling, Waldspurger and Weihl, 1995). The other policies order by level themselves.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    apart: bool,
    levels: Vec<Level>,
    /// The pass of the level that had the last turn.
    now: f64,
}

#[derive(Clone, Debug, Default)]
struct Level {
    waiting: BinaryHeap<Waiting>,
    /// The level with the least pass has the next turn.
    pass: f64,
}

/// Beyond this depth levels get no smaller share.
const DEEPEST: usize = 32;

impl Queue {
    pub fn new(policy: Policy) -> Self {
        Queue { apart: policy == Policy::BestFirst, levels: Vec::new(), now: 0.0 }
    }

    /// `depth` is that of the thought to be evaluated, or of the thoughts that an expansion gives.
    pub fn push(&mut self, waiting: Waiting, depth: u32) {
        let level = if self.apart { (depth.saturating_sub(1) as usize).min(DEEPEST) } else { 0 };
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Level::default);
        }
        let level = &mut self.levels[level];
        if level.waiting.is_empty() {
            // A level that had nothing to do has not saved up turns.
            level.pass = level.pass.max(self.now);
        }
        level.waiting.push(waiting);
    }

    pub fn peek(&self) -> Option<Task> {
        self.next().and_then(|level| self.levels[level].waiting.peek()).map(|waiting| waiting.task)
    }

    pub fn pop(&mut self) {
        if let Some(at) = self.next() {
            let level = &mut self.levels[at];
            level.waiting.pop();
            level.pass += f64::exp2(at as f64);
            self.now = level.pass;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.levels.iter().all(|level| level.waiting.is_empty())
    }

    /// Everything that waits, in no order; nothing waits afterwards.
    pub fn drain(&mut self) -> impl Iterator<Item = Task> {
        self.levels.iter_mut().flat_map(|level| level.waiting.drain()).map(|waiting| waiting.task)
    }

    /// The level whose turn it is: of equals the deepest, which has what was found last.
    fn next(&self) -> Option<usize> {
        let busy = self.levels.iter().enumerate().filter(|(_, level)| !level.waiting.is_empty());
        busy.min_by(|(a, left), (b, right)| left.pass.total_cmp(&right.pass).then(b.cmp(a))).map(|(at, _)| at)
    }
}
