use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn verdict(score: f64) -> Verdict {
    Verdict { score, ..Verdict::default() }
}

fn solved() -> Verdict {
    Verdict { score: 1.0, solved: true, ..Verdict::default() }
}

/// Thoughts with the payloads 10, 11, …
fn thoughts(first: u64, priors: &[f64]) -> Vec<Thought> {
    priors
        .iter()
        .enumerate()
        .map(|(n, &prior)| Thought::new(first + n as u64, prior, format!("t{n}")))
        .collect()
}

fn tree(policy: Policy, budget: Budget) -> Tree {
    let mut tree = Tree::new(policy, budget, 0).unwrap();
    assert_eq!(tree.ask(8), [Task::Expand(0)]);
    assert_eq!(tree.ask(8), [], "nothing to do before the root has children");
    tree
}

#[test]
fn best_first_follows_the_promise() {
    let mut tree = tree(Policy::BestFirst, Budget::default());
    tree.tell_children(0, thoughts(10, &[0.2, 0.9, 0.5])).unwrap();
    assert_eq!(tree.ask(2), [Task::Evaluate(2), Task::Evaluate(3)]);
    tree.tell_verdict(3, verdict(0.8)).unwrap();
    tree.tell_verdict(2, verdict(0.05)).unwrap();
    assert_eq!(tree.ask(3), [Task::Expand(3), Task::Evaluate(1), Task::Expand(2)]);
    tree.tell_children(3, thoughts(20, &[0.5])).unwrap();
    assert_eq!(tree.ask(1), [Task::Evaluate(4)]);
    tree.tell_verdict(4, solved()).unwrap();
    assert_eq!(tree.status(), Status::Solved(4));
    assert_eq!(tree.ask(8), [], "a solved search hands out nothing");
    assert_eq!(tree.path(4), [0, 3, 4]);
    // What is still in flight may be told.
    tree.tell_verdict(1, verdict(0.3)).unwrap();
    assert_eq!(tree.best(), Some(4));
}

#[test]
fn children_of_one_thought_do_not_starve_the_others() {
    // 200 first thoughts with little promise each, the right one far behind; the first child promises much and leads nowhere.
    let mut tree = tree(Policy::BestFirst, Budget { depth: 2, ..Budget::default() });
    let priors: Vec<f64> = (0..200).map(|n| 1.0 / f64::from(n + 1)).collect();
    tree.tell_children(0, thoughts(1000, &priors)).unwrap();
    assert_eq!(tree.ask(1), [Task::Evaluate(1)]);
    tree.tell_verdict(1, verdict(0.8)).unwrap();
    assert_eq!(tree.ask(1), [Task::Expand(1)]);
    tree.tell_children(1, thoughts(5000, &[0.9; 700])).unwrap();
    let asked = tree.ask(300);
    let first = asked.iter().filter(|task| task.node() <= 200).count();
    assert!((198..=200).contains(&first), "{first} of 300 go to the first level");
    assert!(asked.contains(&Task::Evaluate(155)));
}

#[test]
fn what_was_not_tried_is_given_back() {
    for policy in [Policy::BestFirst, Policy::Beam { width: 2 }, Policy::DepthFirst { prune_below: 0.5 }] {
        let mut tree = tree(policy, Budget { nodes: 4, depth: 1, ..Budget::default() });
        tree.tell_children(0, thoughts(10, &[0.9, 0.8])).unwrap();
        assert_eq!(tree.ask(2), [Task::Evaluate(1), Task::Evaluate(2)]);
        tree.tell_untried(2).unwrap();
        assert!(tree.tell_untried(2).is_err());
        assert_eq!((tree.node(2).unwrap().state, tree.evaluations()), (State::Waiting, 1));
        assert!(tree.trace().to_text(9).ends_with("└─ … 1 more\n"), "{}", tree.trace().to_text(9));
        assert_eq!(tree.ask(2), [Task::Evaluate(2)]);
    }
}

#[test]
fn children_may_come_in_portions() {
    let mut tree = tree(Policy::BestFirst, Budget::default());
    assert!(tree.tell_more(0, thoughts(10, &[0.9])).is_err(), "nothing was told yet");
    tree.tell_children(0, thoughts(10, &[0.9])).unwrap();
    assert_eq!(tree.ask(2), [Task::Evaluate(1)]);
    tree.tell_more(0, thoughts(10, &[0.9, 0.1])).unwrap();
    assert_eq!(tree.ask(2), [Task::Evaluate(3)], "the same thought is not tried again");
    assert!(tree.tell_more(3, vec![]).is_err());
}

#[test]
fn beam_goes_level_by_level() {
    let mut tree = tree(Policy::Beam { width: 1 }, Budget { depth: 2, ..Budget::default() });
    tree.tell_children(0, thoughts(10, &[0.1, 0.2])).unwrap();
    assert_eq!(tree.ask(8), [Task::Evaluate(2), Task::Evaluate(1)]);
    tree.tell_verdict(1, verdict(0.6)).unwrap();
    assert_eq!(tree.ask(8), [], "the level is not done");
    tree.tell_verdict(2, verdict(0.4)).unwrap();
    assert_eq!(tree.ask(8), [Task::Expand(1)]);
    assert_eq!(tree.node(2).unwrap().state, State::Pruned);
    tree.tell_children(1, thoughts(20, &[0.5])).unwrap();
    assert_eq!(tree.ask(8), [Task::Evaluate(3)]);
    tree.tell_verdict(3, verdict(0.9)).unwrap();
    assert_eq!(tree.status(), Status::Exhausted(Reason::Space));
    assert_eq!(tree.best(), Some(3));
}

#[test]
fn a_broad_level_leaves_evaluations_for_the_next() {
    let mut tree = tree(Policy::Beam { width: 1 }, Budget { nodes: 40, depth: 2, ..Budget::default() });
    tree.tell_children(0, thoughts(10, &[0.5; 100])).unwrap();
    let first = tree.ask(100);
    assert_eq!(first.len(), 20);
    for task in first {
        tree.tell_verdict(task.node(), verdict(0.1)).unwrap();
    }
    assert_eq!(tree.status(), Status::Running);
    assert!(matches!(tree.ask(100)[..], [Task::Expand(_)]));
}

#[test]
fn depth_first_goes_down_and_comes_back() {
    let mut tree = tree(Policy::DepthFirst { prune_below: 0.5 }, Budget::default());
    tree.tell_children(0, thoughts(10, &[0.9, 0.8, 0.7])).unwrap();
    assert_eq!(tree.ask(1), [Task::Evaluate(1)]);
    tree.tell_verdict(1, verdict(0.6)).unwrap();
    assert_eq!(tree.ask(1), [Task::Expand(1)]);
    tree.tell_children(1, thoughts(20, &[0.1])).unwrap();
    assert_eq!(tree.ask(1), [Task::Evaluate(4)], "deeper first, though its prior is lower");
    tree.tell_verdict(4, verdict(0.4)).unwrap();
    assert_eq!(tree.node(4).unwrap().state, State::Pruned);
    assert_eq!(tree.ask(1), [Task::Evaluate(2)], "back to the sibling");
}

#[test]
fn the_same_thought_is_tried_once() {
    let mut tree = tree(Policy::BestFirst, Budget::default());
    tree.tell_children(0, vec![Thought::new(7, 0.5, "a"), Thought::new(7, 0.9, "b")]).unwrap();
    assert_eq!(tree.ask(8), [Task::Evaluate(1)]);
    assert_eq!(tree.node(2).unwrap().state, State::Duplicate);
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    assert!(Tree::new(Policy::Beam { width: 0 }, Budget::default(), 0).is_err());
    assert!(Tree::new(Policy::DepthFirst { prune_below: f64::NAN }, Budget::default(), 0).is_err());
    assert!(Tree::new(Policy::BestFirst, Budget { seconds: Some(-1.0), ..Budget::default() }, 0).is_err());
    let mut tree = tree(Policy::BestFirst, Budget::default());
    let before = tree.trace();
    assert!(tree.tell_children(9, vec![]).is_err());
    assert!(tree.tell_children(0, thoughts(1, &[0.5, f64::NAN])).is_err());
    assert!(tree.tell_verdict(0, verdict(0.5)).is_err());
    assert_eq!(tree.trace(), before);
    tree.tell_children(0, thoughts(10, &[0.5])).unwrap();
    let before = tree.trace();
    assert!(tree.tell_children(0, vec![]).is_err(), "told twice");
    assert!(tree.tell_verdict(1, verdict(0.5)).is_err(), "told before it was asked for");
    assert_eq!(tree.trace(), before);
    assert_eq!(tree.ask(1), [Task::Evaluate(1)]);
    let before = tree.trace();
    assert!(tree.tell_verdict(1, verdict(1.5)).is_err());
    assert_eq!(tree.trace(), before);
}

#[test]
fn each_budget_ends_the_search_by_its_name() {
    let cases = [
        (Budget { nodes: 1, ..Budget::default() }, Reason::Nodes),
        (Budget { tokens: Some(5), ..Budget::default() }, Reason::Tokens),
        (Budget { seconds: Some(2.0), ..Budget::default() }, Reason::Seconds),
    ];
    for (budget, reason) in cases {
        let mut tree = tree(Policy::BestFirst, budget);
        tree.tell_children(0, thoughts(10, &[0.5, 0.4])).unwrap();
        assert_eq!(tree.ask(1), [Task::Evaluate(1)]);
        tree.tell_elapsed(2.0);
        let cost = Cost { tokens: 5, seconds: 0.0 };
        tree.tell_verdict(1, Verdict { cost, ..verdict(0.1) }).unwrap();
        assert_eq!(tree.ask(1), []);
        assert_eq!(tree.status(), Status::Exhausted(reason));
    }
}

#[test]
fn several_solutions_can_be_asked_for() {
    let mut tree = tree(Policy::BestFirst, Budget { solutions: 2, ..Budget::default() });
    tree.tell_children(0, thoughts(10, &[0.9, 0.8])).unwrap();
    tree.ask(1);
    tree.tell_verdict(1, Verdict { score: 0.9, ..solved() }).unwrap();
    assert_eq!(tree.status(), Status::Running);
    assert_eq!(tree.ask(1), [Task::Evaluate(2)]);
    tree.tell_verdict(2, solved()).unwrap();
    assert_eq!((tree.status(), tree.solutions()), (Status::Solved(2), &[1, 2][..]));
}

#[test]
fn the_trace_reads_as_text_as_mermaid_and_as_json() {
    let mut tree = tree(Policy::BestFirst, Budget::default());
    tree.tell_children(0, thoughts(10, &[0.9, 0.8, 0.1])).unwrap();
    tree.ask(2);
    let cost = Cost { tokens: 12, seconds: 0.25 };
    tree.tell_verdict(1, Verdict { note: "1 of 2 \"tests\"".into(), cost, ..verdict(0.5) }).unwrap();
    tree.tell_verdict(2, solved()).unwrap();
    let trace = tree.trace();
    assert_eq!(
        trace.to_text(2),
        "problem\n├─ t1  1.00  solved\n├─ t0  0.50  0.25 s  12 tokens  (1 of 2 \"tests\")\n└─ … 1 more\n"
    );
    let mermaid = trace.to_mermaid(2);
    for part in ["flowchart TD", "n0 --> n2", "n2[\"t1  1.00  solved\"]:::solved", "1 of 2 #quot;tests#quot;"]
    {
        assert!(mermaid.contains(part), "{part} is missing in\n{mermaid}");
    }
    let json = serde_json::to_string(&trace).unwrap();
    assert!(json.contains("\"status\":{\"solved\":2}"), "{json}");
}

fn policies() -> impl Strategy<Value = Policy> {
    prop_oneof![
        (1usize..4).prop_map(|width| Policy::Beam { width }),
        Just(Policy::BestFirst),
        (0u32..64).prop_map(|part| Policy::DepthFirst { prune_below: f64::from(part) / 64.0 }),
    ]
}

/// Answers tasks by a hash of what they are, some of them late, until nothing comes any more.
fn drive(mut tree: Tree, fan: u64, salt: u64) -> (Trace, Vec<Task>) {
    let mix =
        |a: u64, b: u64| (a.wrapping_mul(0x9e37_79b9).wrapping_add(b) ^ salt).wrapping_mul(0x85eb_ca6b) >> 7;
    let (mut pending, mut all) = (Vec::new(), Vec::new());
    loop {
        let tasks = tree.ask(3);
        all.extend(&tasks);
        pending.extend(tasks);
        if pending.is_empty() {
            break;
        }
        let task = pending.remove(mix(all.len() as u64, 1) as usize % pending.len());
        let node = u64::from(task.node());
        match task {
            Task::Expand(id) => {
                let count = mix(node, 2) % (fan + 1);
                let thought = |n| Thought::new(mix(node, n) % 64, (mix(node, n) % 64) as f64 / 64.0, "x");
                tree.tell_children(id, (0..count).map(thought).collect()).unwrap();
            }
            Task::Evaluate(id) => {
                let luck = mix(node, 3) % 64;
                let cost = Cost { tokens: luck, seconds: 0.125 };
                let score = luck as f64 / 64.0;
                let verdict =
                    Verdict { score, solved: luck == 63, dead: luck < 4, cost, note: String::new() };
                tree.tell_verdict(id, verdict).unwrap();
            }
        }
        assert!(all.len() < 10_000, "the search does not end");
    }
    assert_ne!(tree.status(), Status::Running);
    (tree.trace(), all)
}

proptest! {
    #[test]
    fn every_search_ends_within_its_budget_and_asks_nothing_twice(
        policy in policies(), nodes in 0u64..60, depth in 0u32..6, fan in 0u64..6, seed: u64, salt: u64,
    ) {
        let budget = Budget { nodes, depth, tokens: Some(500), solutions: 2, ..Budget::default() };
        let run = || drive(Tree::new(policy, budget, seed).unwrap(), fan, salt);
        let (trace, tasks) = run();
        let distinct: HashSet<Task> = tasks.iter().copied().collect();
        prop_assert_eq!(distinct.len(), tasks.len());
        let evaluated = tasks.iter().filter(|task| matches!(task, Task::Evaluate(_))).count() as u64;
        prop_assert!(evaluated <= nodes && evaluated == trace.evaluations);
        prop_assert!(trace.nodes.iter().all(|node| node.depth <= depth));
        let tried: Vec<u64> =
            trace.nodes.iter().filter(|node| node.score.is_some()).map(|node| node.payload).collect();
        prop_assert_eq!(tried.iter().collect::<HashSet<_>>().len(), tried.len());
        prop_assert_eq!(run().0, trace.clone(), "the same seed gives the same tree");
        let json = serde_json::to_string(&trace).unwrap();
        prop_assert_eq!(serde_json::from_str::<Trace>(&json).unwrap(), trace);
    }
}
