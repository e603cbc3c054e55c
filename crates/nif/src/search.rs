//! Search trees: `Ambix.Search`.

use std::collections::HashMap;

use ambix_core::search::{Budget, Cost, NodeId, Policy, Reason, State, Status, Task, Thought, Tree, Verdict};
use ambix_core::{Error, Result};
use ambix_macros::nif;
use parking_lot::Mutex;
use rustler::{Atom, Binary, Encoder, Env, NewBinary, NifMap, Resource, ResourceArc, Term};

use crate::guard::guard;
use crate::live::{Kind, Live};

mod atoms {
    rustler::atoms! {
        best_first, beam, depth_first,
        expand, evaluate,
        running, solved, exhausted,
        text, mermaid, data,
    }
}

/// The handle of a tree.
pub struct TreeRef {
    search: Mutex<Search>,
    _live: Live,
}

/// A tree, and what its thoughts stand for.
struct Search {
    tree: Tree,
    payloads: Payloads,
}

/// Terms of the caller in external format, numbered from 1; equal ones have one number.
#[derive(Default)]
struct Payloads {
    numbers: HashMap<Vec<u8>, u64>,
    terms: Vec<Vec<u8>>,
}

impl Payloads {
    fn number(&mut self, term: &[u8]) -> u64 {
        if let Some(number) = self.numbers.get(term) {
            return *number;
        }
        self.terms.push(term.to_vec());
        let number = self.terms.len() as u64;
        self.numbers.insert(term.to_vec(), number);
        number
    }

    /// The term of a number; nothing for the root.
    fn term<'a>(&self, env: Env<'a>, number: u64) -> Option<Binary<'a>> {
        let term = self.terms.get((number as usize).checked_sub(1)?)?;
        let mut binary = NewBinary::new(env, term.len());
        binary.as_mut_slice().copy_from_slice(term);
        Some(binary.into())
    }
}

#[rustler::resource_impl]
impl Resource for TreeRef {}

#[derive(NifMap)]
struct ExOptions {
    policy: Atom,
    width: usize,
    prune_below: f64,
    max_nodes: u64,
    max_tokens: Option<u64>,
    max_seconds: Option<f64>,
    max_depth: u32,
    max_solutions: u32,
    seed: u64,
}

#[derive(NifMap)]
struct ExVerdict {
    score: f64,
    solved: bool,
    dead: bool,
    tokens: u64,
    seconds: f64,
    note: String,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExStatus {
    state: Atom,
    reason: &'static str,
    evaluated: u64,
    best: Option<NodeId>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExNode<'a> {
    id: NodeId,
    parent: Option<NodeId>,
    depth: u32,
    payload: Option<Binary<'a>>,
    prior: f64,
    label: String,
    state: &'static str,
    score: Option<f64>,
    seconds: f64,
    tokens: u64,
    note: String,
}

#[nif]
// normal: allocates an empty tree
fn tree_new(env: Env<'_>, options: ExOptions) -> Term<'_> {
    guard(env, || {
        let policy = if options.policy == atoms::best_first() {
            Policy::BestFirst
        } else if options.policy == atoms::beam() {
            Policy::Beam { width: options.width }
        } else if options.policy == atoms::depth_first() {
            Policy::DepthFirst { prune_below: options.prune_below }
        } else {
            return Err(Error::invalid("the policy is one of :best_first, :beam and :depth_first"));
        };
        let budget = Budget {
            nodes: options.max_nodes,
            tokens: options.max_tokens,
            seconds: options.max_seconds,
            depth: options.max_depth,
            solutions: options.max_solutions,
        };
        let tree = Tree::new(policy, budget, options.seed)?;
        let search = Mutex::new(Search { tree, payloads: Payloads::default() });
        Ok(ResourceArc::new(TreeRef { search, _live: Live::new(Kind::Tree) }))
    })
}

#[nif(schedule = "DirtyCpu")]
fn tree_ask(env: Env<'_>, tree: ResourceArc<TreeRef>, count: usize) -> Term<'_> {
    guard(env, || {
        let Search { tree, payloads } = &mut *tree.search.lock();
        let mut tasks = Vec::new();
        for task in tree.ask(count) {
            let kind = match task {
                Task::Expand(_) => atoms::expand(),
                Task::Evaluate(_) => atoms::evaluate(),
            };
            let payload = tree.node(task.node()).map(|node| node.payload).unwrap_or_default();
            tasks.push((kind, task.node(), payloads.term(env, payload)));
        }
        Ok(tasks)
    })
}

type ExThought<'a> = (Binary<'a>, f64, String);

#[nif(schedule = "DirtyCpu")]
fn tree_children<'a>(
    env: Env<'a>,
    tree: ResourceArc<TreeRef>,
    node: NodeId,
    thoughts: Vec<ExThought<'a>>,
) -> Term<'a> {
    tell(env, &tree, thoughts, |tree, thoughts| tree.tell_children(node, thoughts))
}

#[nif(schedule = "DirtyCpu")]
fn tree_more<'a>(
    env: Env<'a>,
    tree: ResourceArc<TreeRef>,
    node: NodeId,
    thoughts: Vec<ExThought<'a>>,
) -> Term<'a> {
    tell(env, &tree, thoughts, |tree, thoughts| tree.tell_more(node, thoughts))
}

fn tell<'a>(
    env: Env<'a>,
    tree: &TreeRef,
    thoughts: Vec<ExThought<'a>>,
    told: impl FnOnce(&mut Tree, Vec<Thought>) -> Result<()>,
) -> Term<'a> {
    guard(env, || {
        let Search { tree, payloads } = &mut *tree.search.lock();
        let mut thought =
            |(payload, prior, label): ExThought<'a>| Thought::new(payloads.number(&payload), prior, label);
        let thoughts = thoughts.into_iter().map(&mut thought).collect();
        told(tree, thoughts).map(|()| true)
    })
}

#[nif(schedule = "DirtyCpu")]
fn tree_verdict<'a>(env: Env<'a>, tree: ResourceArc<TreeRef>, node: NodeId, verdict: ExVerdict) -> Term<'a> {
    guard(env, || {
        let verdict = Verdict {
            score: verdict.score,
            solved: verdict.solved,
            dead: verdict.dead,
            cost: Cost { tokens: verdict.tokens, seconds: verdict.seconds },
            note: verdict.note,
        };
        tree.search.lock().tree.tell_verdict(node, verdict).map(|()| true)
    })
}

#[nif]
// normal: puts one node back
fn tree_untried(env: Env<'_>, tree: ResourceArc<TreeRef>, node: NodeId) -> Term<'_> {
    guard(env, || tree.search.lock().tree.tell_untried(node).map(|()| true))
}

#[nif]
// normal: stores a number
fn tree_tick(env: Env<'_>, tree: ResourceArc<TreeRef>, seconds: f64) -> Term<'_> {
    guard(env, || {
        tree.search.lock().tree.tell_elapsed(seconds);
        Ok(true)
    })
}

#[nif(schedule = "DirtyCpu")]
fn tree_status(env: Env<'_>, tree: ResourceArc<TreeRef>) -> Term<'_> {
    guard(env, || {
        let tree = &tree.search.lock().tree;
        let (state, reason) = match tree.status() {
            Status::Running => (atoms::running(), "it goes on"),
            Status::Solved(_) => (atoms::solved(), "a solution was found"),
            Status::Exhausted(Reason::Space) => (atoms::exhausted(), "nothing is left to try"),
            Status::Exhausted(Reason::Nodes) => {
                (atoms::exhausted(), "as many candidates were tried as allowed")
            }
            Status::Exhausted(Reason::Tokens) => (atoms::exhausted(), "the budget of tokens is used up"),
            Status::Exhausted(Reason::Seconds) => (atoms::exhausted(), "the time is over"),
        };
        Ok(ExStatus { state, reason, evaluated: tree.evaluations(), best: tree.best() })
    })
}

/// `children` of a node are shown at the most; a line counts the others.
#[nif(schedule = "DirtyCpu")]
fn tree_trace<'a>(env: Env<'a>, tree: ResourceArc<TreeRef>, form: Atom, children: usize) -> Term<'a> {
    guard(env, || -> Result<Term<'a>> {
        let Search { tree, payloads } = &*tree.search.lock();
        let trace = tree.trace();
        if form == atoms::text() {
            Ok(trace.to_text(children).encode(env))
        } else if form == atoms::mermaid() {
            Ok(trace.to_mermaid(children).encode(env))
        } else if form == atoms::data() {
            let nodes = trace.nodes.into_iter().enumerate().map(|(id, node)| ExNode {
                id: id as NodeId,
                parent: node.parent,
                depth: node.depth,
                payload: payloads.term(env, node.payload),
                prior: node.prior,
                label: node.label,
                state: state_name(node.state),
                score: node.score,
                seconds: node.cost.seconds,
                tokens: node.cost.tokens,
                note: node.note,
            });
            Ok(nodes.collect::<Vec<_>>().encode(env))
        } else {
            Err(Error::invalid("a trace is given as :text, :mermaid or :data"))
        }
    })
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Evaluating => "evaluating",
        State::Open => "open",
        State::Expanding => "expanding",
        State::Expanded => "expanded",
        State::Pruned => "pruned",
        State::Duplicate => "duplicate",
        State::Solved => "solved",
    }
}
