//! Search trees: `Ambix.Search`.

use ambix_core::search::{Budget, Cost, NodeId, Policy, Reason, State, Status, Task, Thought, Tree, Verdict};
use ambix_core::{Error, Result};
use parking_lot::Mutex;
use rustler::{Atom, Encoder, Env, NifMap, Resource, ResourceArc, Term};

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

/// Children of a node that a trace shows; the rest is a line that counts them.
const SHOWN_CHILDREN: usize = 12;

/// The handle of a tree.
pub struct TreeRef {
    tree: Mutex<Tree>,
    _live: Live,
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
struct ExNode {
    id: NodeId,
    parent: Option<NodeId>,
    depth: u32,
    payload: u64,
    prior: f64,
    label: String,
    state: &'static str,
    score: Option<f64>,
    seconds: f64,
    tokens: u64,
    note: String,
}

#[rustler::nif]
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
        let tree = Mutex::new(Tree::new(policy, budget, options.seed)?);
        Ok(ResourceArc::new(TreeRef { tree, _live: Live::new(Kind::Tree) }))
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn tree_ask(env: Env<'_>, tree: ResourceArc<TreeRef>, count: usize) -> Term<'_> {
    guard(env, || {
        let mut tree = tree.tree.lock();
        let mut tasks = Vec::new();
        for task in tree.ask(count) {
            let kind = match task {
                Task::Expand(_) => atoms::expand(),
                Task::Evaluate(_) => atoms::evaluate(),
            };
            let payload = tree.node(task.node()).map(|node| node.payload).unwrap_or_default();
            tasks.push((kind, task.node(), payload));
        }
        Ok(tasks)
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn tree_children<'a>(
    env: Env<'a>,
    tree: ResourceArc<TreeRef>,
    node: NodeId,
    thoughts: Vec<(u64, f64, String)>,
) -> Term<'a> {
    guard(env, || {
        let thoughts =
            thoughts.into_iter().map(|(payload, prior, label)| Thought::new(payload, prior, label)).collect();
        tree.tree.lock().tell_children(node, thoughts).map(|()| true)
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn tree_verdict<'a>(env: Env<'a>, tree: ResourceArc<TreeRef>, node: NodeId, verdict: ExVerdict) -> Term<'a> {
    guard(env, || {
        let verdict = Verdict {
            score: verdict.score,
            solved: verdict.solved,
            dead: verdict.dead,
            cost: Cost { tokens: verdict.tokens, seconds: verdict.seconds },
            note: verdict.note,
        };
        tree.tree.lock().tell_verdict(node, verdict).map(|()| true)
    })
}

#[rustler::nif]
// normal: stores a number
fn tree_tick(env: Env<'_>, tree: ResourceArc<TreeRef>, seconds: f64) -> Term<'_> {
    guard(env, || {
        tree.tree.lock().tell_elapsed(seconds);
        Ok(true)
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn tree_status(env: Env<'_>, tree: ResourceArc<TreeRef>) -> Term<'_> {
    guard(env, || {
        let tree = tree.tree.lock();
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

#[rustler::nif(schedule = "DirtyCpu")]
fn tree_trace<'a>(env: Env<'a>, tree: ResourceArc<TreeRef>, form: Atom) -> Term<'a> {
    guard(env, || -> Result<Term<'a>> {
        let trace = tree.tree.lock().trace();
        if form == atoms::text() {
            Ok(trace.to_text(SHOWN_CHILDREN).encode(env))
        } else if form == atoms::mermaid() {
            Ok(trace.to_mermaid(SHOWN_CHILDREN).encode(env))
        } else if form == atoms::data() {
            let nodes = trace.nodes.into_iter().enumerate().map(|(id, node)| ExNode {
                id: id as NodeId,
                parent: node.parent,
                depth: node.depth,
                payload: node.payload,
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
