use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::node::{Cost, Node, NodeId, State, Task, Thought, Verdict};
use super::policy::{Budget, Policy, Waiting};
use super::queue::Queue;
use crate::{Error, Result};

/// Why a search ended without a solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing is left to try.
    Space,
    /// All evaluations are spent.
    Nodes,
    /// All tokens are spent.
    Tokens,
    /// The time is over.
    Seconds,
}

/// Where a search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Tasks wait or are being done.
    Running,
    /// Ended; the best solution.
    Solved(NodeId),
    /// Ended without a solution.
    Exhausted(Reason),
}

/// The whole search as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// As given.
    pub policy: Policy,
    /// As given.
    pub budget: Budget,
    /// As given.
    pub seed: u64,
    /// Evaluations that were handed out.
    pub evaluations: u64,
    /// Sum over all verdicts.
    pub cost: Cost,
    /// As last told.
    pub elapsed: f64,
    /// When the trace was taken.
    pub status: Status,
    /// By number.
    pub nodes: Vec<Node>,
}

/// The state machine. See the [module](super).
#[derive(Clone, Debug)]
pub struct Tree {
    policy: Policy,
    budget: Budget,
    seed: u64,
    nodes: Vec<Node>,
    waiting: Queue,
    evaluating: usize,
    expanding: usize,
    seen: BTreeSet<u64>,
    solutions: Vec<NodeId>,
    evaluations: u64,
    cost: Cost,
    elapsed: f64,
    /// Beam only: tried nodes of the level that is being tried, and how many more of it may be tried.
    level: Vec<NodeId>,
    level_left: u64,
}

impl Tree {
    /// A tree of nothing but its root, the problem itself, which waits to be expanded. Seed 0 treats equally promising
    /// tasks by age; any other shuffles them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a policy or a budget that makes no sense.
    pub fn new(policy: Policy, budget: Budget, seed: u64) -> Result<Self> {
        policy.check()?;
        budget.check()?;
        let root = Node {
            parent: None,
            depth: 0,
            payload: 0,
            prior: 1.0,
            label: String::new(),
            state: State::Open,
            score: None,
            cost: Cost::default(),
            note: String::new(),
            children: Vec::new(),
        };
        let mut tree = Tree {
            policy,
            budget,
            seed,
            nodes: vec![root],
            waiting: Queue::new(policy),
            evaluating: 0,
            expanding: 0,
            seen: BTreeSet::new(),
            solutions: Vec::new(),
            evaluations: 0,
            cost: Cost::default(),
            elapsed: 0.0,
            level: Vec::new(),
            level_left: 0,
        };
        tree.share(0);
        tree.open(0);
        Ok(tree)
    }

    /// Up to `n` tasks to do now, at once if the caller can. Fewer, also none, when others must be told first or when
    /// the search has ended: see [`Tree::status`].
    pub fn ask(&mut self, n: usize) -> Vec<Task> {
        let mut tasks = Vec::new();
        while tasks.len() < n && !self.enough() && self.spent().is_none() {
            let Some(task) = self.waiting.peek() else {
                if self.in_flight() > 0 || !self.next_level() {
                    break;
                }
                continue;
            };
            let node = &mut self.nodes[task.node() as usize];
            match (task, self.policy) {
                (Task::Evaluate(_), Policy::Beam { .. }) if self.expanding > 0 => break,
                (Task::Evaluate(_), Policy::Beam { .. }) if self.level_left == 0 => {
                    if self.evaluating > 0 || !self.next_level() {
                        break;
                    }
                    continue;
                }
                (Task::Evaluate(_), _) => {
                    node.state = State::Evaluating;
                    self.evaluating += 1;
                    self.evaluations += 1;
                    self.level_left = self.level_left.saturating_sub(1);
                }
                (Task::Expand(_), _) => {
                    node.state = State::Expanding;
                    self.expanding += 1;
                }
            }
            self.waiting.pop();
            tasks.push(task);
        }
        tasks
    }

    /// The next steps after a node that was to be expanded; none when there is nothing to think of.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] when the node does not wait for children, or a prior is not from 0 to 1.
    /// Nothing changes then.
    pub fn tell_children(&mut self, node: NodeId, thoughts: Vec<Thought>) -> Result<()> {
        self.expect(node, State::Expanding, "children")?;
        self.add(node, thoughts)?;
        self.expanding -= 1;
        self.nodes[node as usize].state = State::Expanded;
        Ok(())
    }

    /// More children of a node that has been given some: who makes them in portions need not make all to begin with.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] when the node has not been expanded, or a prior is not from 0 to 1.
    /// Nothing changes then.
    pub fn tell_more(&mut self, node: NodeId, thoughts: Vec<Thought>) -> Result<()> {
        self.expect(node, State::Expanded, "more children")?;
        self.add(node, thoughts)
    }

    fn add(&mut self, node: NodeId, thoughts: Vec<Thought>) -> Result<()> {
        if let Some(odd) = thoughts.iter().find(|thought| !(0.0..=1.0).contains(&thought.prior)) {
            return Err(Error::invalid(format!("the prior {} is not from 0 to 1", odd.prior)));
        }
        if self.nodes.len() + thoughts.len() > NodeId::MAX as usize {
            return Err(Error::new(
                crate::ErrorKind::Limit,
                "the tree has no numbers left for so many nodes",
            ));
        }
        let depth = self.nodes[node as usize].depth + 1;
        let parent_score = self.nodes[node as usize].score.unwrap_or(0.0);
        for Thought { payload, prior, label } in thoughts {
            let id = self.nodes.len() as NodeId;
            let state = if self.seen.insert(payload) { State::Waiting } else { State::Duplicate };
            let child = Node {
                parent: Some(node),
                depth,
                payload,
                prior,
                label,
                state,
                score: None,
                cost: Cost::default(),
                note: String::new(),
                children: Vec::new(),
            };
            if state == State::Waiting {
                let task = Task::Evaluate(id);
                self.waiting.push(Waiting::new(self.policy, task, &child, parent_score, self.seed), depth);
            }
            self.nodes.push(child);
            self.nodes[node as usize].children.push(id);
        }
        Ok(())
    }

    /// What came of trying a node.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] when the node does not wait for a verdict, or the score is not from 0 to 1,
    /// or the cost is not a number. Nothing changes then.
    pub fn tell_verdict(&mut self, node: NodeId, verdict: Verdict) -> Result<()> {
        self.expect(node, State::Evaluating, "a verdict")?;
        if !(0.0..=1.0).contains(&verdict.score) {
            return Err(Error::invalid(format!("the score {} is not from 0 to 1", verdict.score)));
        }
        if !(verdict.cost.seconds.is_finite() && verdict.cost.seconds >= 0.0) {
            return Err(Error::invalid("a cost in seconds must be a number that is not negative"));
        }
        self.evaluating -= 1;
        self.cost.tokens = self.cost.tokens.saturating_add(verdict.cost.tokens);
        self.cost.seconds += verdict.cost.seconds;
        let pruned = match self.policy {
            Policy::DepthFirst { prune_below } => verdict.score < prune_below,
            _ => false,
        };
        let tried = &mut self.nodes[node as usize];
        tried.score = Some(verdict.score);
        tried.cost = verdict.cost;
        tried.note = verdict.note;
        if verdict.solved {
            tried.state = State::Solved;
            self.solutions.push(node);
        } else if verdict.dead || pruned || tried.depth >= self.budget.depth {
            tried.state = State::Pruned;
        } else if let Policy::Beam { .. } = self.policy {
            tried.state = State::Open;
            self.level.push(node);
        } else {
            self.open(node);
        }
        Ok(())
    }

    /// Takes back a node that was handed out to be tried and was not: it waits again, and its evaluation is not spent.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] when the node does not wait for a verdict. Nothing changes then.
    pub fn tell_untried(&mut self, node: NodeId) -> Result<()> {
        self.expect(node, State::Evaluating, "a verdict")?;
        self.evaluating -= 1;
        self.evaluations -= 1;
        self.level_left += 1;
        self.nodes[node as usize].state = State::Waiting;
        let untried = &self.nodes[node as usize];
        let parent_score = untried.parent.and_then(|parent| self.nodes[parent as usize].score).unwrap_or(0.0);
        let task = Task::Evaluate(node);
        let waiting = Waiting::new(self.policy, task, untried, parent_score, self.seed);
        self.waiting.push(waiting, untried.depth);
        Ok(())
    }

    /// The time since the search began, by the caller's clock. It never runs back.
    pub fn tell_elapsed(&mut self, seconds: f64) {
        if seconds > self.elapsed {
            self.elapsed = seconds;
        }
    }

    /// Where the search stands.
    pub fn status(&self) -> Status {
        let ended = self.enough() || self.in_flight() == 0 && (self.spent().is_some() || !self.can_go_on());
        match (ended, self.best_solution()) {
            (false, _) => Status::Running,
            (true, Some(node)) => Status::Solved(node),
            (true, None) => Status::Exhausted(self.spent().unwrap_or(Reason::Space)),
        }
    }

    /// The best node so far: a solution if there is one, else the one with the highest score, the older of equals.
    pub fn best(&self) -> Option<NodeId> {
        let tried = 1..self.nodes.len() as NodeId;
        self.best_solution()
            .or_else(|| self.highest(tried.filter(|&id| self.nodes[id as usize].score.is_some())))
    }

    /// All solutions, in the order in which they were found.
    pub fn solutions(&self) -> &[NodeId] {
        &self.solutions
    }

    /// Evaluations that were handed out so far.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// A node, if there is one of that number.
    pub fn node(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(node as usize)
    }

    /// The nodes from the root to `node`, both included; empty when there is no such node.
    pub fn path(&self, node: NodeId) -> Vec<NodeId> {
        let mut path: Vec<NodeId> =
            std::iter::successors(self.node(node).map(|_| node), |&id| self.nodes[id as usize].parent)
                .collect();
        path.reverse();
        path
    }

    /// The whole search so far, as data.
    pub fn trace(&self) -> Trace {
        Trace {
            policy: self.policy,
            budget: self.budget,
            seed: self.seed,
            evaluations: self.evaluations,
            cost: self.cost,
            elapsed: self.elapsed,
            status: self.status(),
            nodes: self.nodes.clone(),
        }
    }

    fn expect(&self, node: NodeId, state: State, what: &str) -> Result<()> {
        match self.node(node) {
            None => Err(Error::invalid(format!("the tree has no node {node}"))),
            Some(known) if known.state != state => {
                Err(Error::invalid(format!("node {node} does not wait for {what}: it is {:?}", known.state)))
            }
            Some(_) => Ok(()),
        }
    }

    /// Lets a node be expanded, if the budget allows it to have children.
    fn open(&mut self, id: NodeId) {
        let node = &mut self.nodes[id as usize];
        if node.depth >= self.budget.depth {
            node.state = State::Pruned;
            return;
        }
        node.state = State::Open;
        let waiting = Waiting::new(self.policy, Task::Expand(id), node, 0.0, self.seed);
        self.waiting.push(waiting, node.depth.saturating_add(1));
    }

    fn enough(&self) -> bool {
        self.solutions.len() >= self.budget.solutions as usize
    }

    fn spent(&self) -> Option<Reason> {
        if self.evaluations >= self.budget.nodes {
            Some(Reason::Nodes)
        } else if self.budget.tokens.is_some_and(|tokens| self.cost.tokens >= tokens) {
            Some(Reason::Tokens)
        } else if self.budget.seconds.is_some_and(|seconds| self.elapsed >= seconds) {
            Some(Reason::Seconds)
        } else {
            None
        }
    }

    fn in_flight(&self) -> usize {
        self.evaluating + self.expanding
    }

    fn can_go_on(&self) -> bool {
        !self.level.is_empty() || !self.waiting.is_empty()
    }

    /// Beam only: ends a level. The best of it are opened, the others pruned; if nothing of it is left, more of it is
    /// tried. False when there is nothing more.
    fn next_level(&mut self) -> bool {
        let Policy::Beam { width } = self.policy else { return false };
        let mut tried = std::mem::take(&mut self.level);
        if tried.is_empty() {
            let depth = self.waiting.peek().map(|task| self.nodes[task.node() as usize].depth);
            self.share(depth.unwrap_or(1) - 1);
            return depth.is_some();
        }
        tried.sort_by(|&a, &b| self.score(b).total_cmp(&self.score(a)).then(a.cmp(&b)));
        // Thoughts of the level that were not tried are given up with it.
        for task in self.waiting.drain() {
            self.nodes[task.node() as usize].state = State::Pruned;
        }
        for (place, &id) in tried.iter().enumerate() {
            match place < width {
                true => self.open(id),
                false => self.nodes[id as usize].state = State::Pruned,
            }
        }
        self.share(self.nodes[tried[0] as usize].depth);
        true
    }

    /// Gives the level below `depth` an equal share of the evaluations that are left.
    fn share(&mut self, depth: u32) {
        let levels = u64::from(self.budget.depth.saturating_sub(depth)).clamp(1, LEVELS_AHEAD);
        self.level_left = (self.budget.nodes - self.evaluations).div_ceil(levels);
    }

    fn score(&self, id: NodeId) -> f64 {
        self.nodes[id as usize].score.unwrap_or(0.0)
    }

    fn best_solution(&self) -> Option<NodeId> {
        self.highest(self.solutions.iter().copied())
    }

    fn highest(&self, ids: impl Iterator<Item = NodeId>) -> Option<NodeId> {
        ids.max_by(|&a, &b| self.score(a).total_cmp(&self.score(b)).then(b.cmp(&a)))
    }
}

/// A beam without a limit of depth shares its evaluations as if this many levels were to come.
const LEVELS_AHEAD: u64 = 4;
