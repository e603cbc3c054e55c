use proptest::prelude::*;

use super::layers::Layered;
use super::order;
use super::*;
use crate::graph::ask::dense::Adjacency;
use crate::{Cancel, ErrorKind};

fn graphs() -> impl Strategy<Value = (Vec<Size>, Vec<(usize, usize)>)> {
    (1..24_usize).prop_flat_map(|count| {
        let size = (20..200_u16, 20..80_u16)
            .prop_map(|(width, height)| Size { width: width.into(), height: height.into() });
        let edges = prop::collection::btree_set((0..count, 0..count), 0..40)
            .prop_map(|edges| edges.into_iter().filter(|(from, to)| from != to).collect());
        (prop::collection::vec(size, count), edges)
    })
}

fn overlap(a: &Rect, b: &Rect, least: f64) -> bool {
    a.x < b.x + b.width + least
        && b.x < a.x + a.width + least
        && a.y < b.y + b.height + least
        && b.y < a.y + a.height + least
}

#[test]
fn a_path_is_a_row_and_a_cycle_has_one_edge_back() {
    let sizes = [Size { width: 50.0, height: 20.0 }; 4];
    let path = arrange(&sizes, &[(3, 2), (2, 1), (1, 0)], &Cancel::new()).unwrap();
    let order: Vec<f64> = path.boxes.iter().map(|rect| rect.x).collect();
    assert!(order.is_sorted_by(|a, b| a > b), "{order:?}");
    assert!(path.boxes.iter().all(|rect| rect.y == 0.0) && path.height == 20.0);
    assert!(path.routes.iter().all(|route| !route.is_back));

    let cycle = arrange(&sizes, &[(0, 1), (1, 2), (2, 3), (3, 0)], &Cancel::new()).unwrap();
    assert_eq!(cycle.routes.iter().filter(|route| route.is_back).count(), 1);
    assert_eq!(arrange(&[], &[], &Cancel::new()).unwrap(), Layout::default());
}

#[test]
fn what_need_not_cross_does_not() {
    // Two trees with their leaves mixed up.
    let edges = [(0, 2), (0, 4), (0, 6), (1, 3), (1, 5), (1, 7)];
    let layered = Layered::new(8, &edges).unwrap();
    let layers = order::order(&layered, &[0, 1, 2, 3, 4, 5, 6, 7], &Cancel::new()).unwrap();
    assert_eq!(order::crossings(&layered, &layers), 0);
    // With three sources for three sinks, each for each, there are nine at least.
    let edges: Vec<_> = (0..3).flat_map(|from| (3..6).map(move |to| (from, to))).collect();
    let layered = Layered::new(6, &edges).unwrap();
    let layers = order::order(&layered, &[0, 1, 2, 3, 4, 5], &Cancel::new()).unwrap();
    assert_eq!(order::crossings(&layered, &layers), 9);
}

#[test]
fn a_picture_that_would_be_a_thicket_is_refused() {
    let edges: Vec<_> = (0..60).flat_map(|from| (from + 1..60).map(move |to| (from, to))).collect();
    let error = Layered::new(60, &edges).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    let sizes = [Size { width: 50.0, height: 20.0 }; 3];
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(arrange(&sizes, &[(0, 1), (1, 2)], &cancel).is_err());
}

proptest! {
    #[test]
    fn boxes_do_not_overlap_and_edges_end_at_them((sizes, edges) in graphs()) {
        let layout = arrange(&sizes, &edges, &Cancel::new()).unwrap();
        prop_assert_eq!(&layout, &arrange(&sizes, &edges, &Cancel::new()).unwrap());
        for (at, rect) in layout.boxes.iter().enumerate() {
            prop_assert!(rect.x >= 0.0 && rect.y >= -1e-6);
            prop_assert!(rect.x + rect.width <= layout.width + 1e-6 && rect.y + rect.height <= layout.height + 1e-6);
            for other in &layout.boxes[at + 1..] {
                prop_assert!(!overlap(rect, other, 17.9), "{:?} {:?}", rect, other);
            }
        }
        for ((from, to), route) in edges.iter().zip(&layout.routes) {
            let (left, right) = if route.is_back { (*to, *from) } else { (*from, *to) };
            let mut points = route.points.clone();
            if route.is_back {
                points.reverse();
            }
            let (left, right) = (&layout.boxes[left], &layout.boxes[right]);
            prop_assert_eq!(points[0].0, left.x + left.width);
            prop_assert_eq!(points[points.len() - 1].0, right.x);
            for (rect, y) in [(left, points[0].1), (right, points[points.len() - 1].1)] {
                prop_assert!(rect.y < y && y < rect.y + rect.height);
            }
            prop_assert!(points.is_sorted_by(|a, b| a.0 <= b.0));
            // Level stretches pass no box.
            for level in points.chunks(2).skip(1) {
                for rect in &layout.boxes {
                    let across = level[0].0 < rect.x + rect.width && rect.x < level[1].0;
                    prop_assert!(!across || level[0].1 < rect.y || rect.y + rect.height < level[0].1);
                }
            }
        }
    }

    #[test]
    fn layers_hold_each_node_once_and_edges_lead_to_the_next((sizes, edges) in graphs()) {
        let layered = Layered::new(sizes.len(), &edges).unwrap();
        for (at, next) in layered.next.pairs() {
            prop_assert_eq!(layered.layer_of[at] + 1, layered.layer_of[next]);
        }
        for ((from, to), (chain, is_back)) in edges.iter().zip(&layered.chains) {
            let ends = (chain[0], chain[chain.len() - 1]);
            prop_assert_eq!(ends, if *is_back { (*to, *from) } else { (*from, *to) });
            prop_assert!(chain[1..chain.len() - 1].iter().all(|node| layered.is_dummy(*node)));
        }
        let has_cycle = petgraph::algo::is_cyclic_directed(&petgraph::graph::DiGraph::<(), ()>::from_edges(
            edges.iter().map(|(from, to)| (*from as u32, *to as u32)),
        ));
        prop_assert_eq!(has_cycle, layered.chains.iter().any(|(_, is_back)| *is_back));

        let rank: Vec<usize> = (0..sizes.len()).collect();
        let layers = order::order(&layered, &rank, &Cancel::new()).unwrap();
        let mut all: Vec<usize> = layers.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..layered.layer_of.len()).collect::<Vec<_>>());
        let mut crossings = 0;
        for pair in layers.windows(2) {
            let place = |layer: &[usize], node: usize| layer.iter().position(|other| *other == node);
            let steps: Vec<_> = pair[0]
                .iter()
                .flat_map(|from| layered.next.of(*from).iter().map(|to| (place(&pair[0], *from), place(&pair[1], *to))))
                .collect();
            for a in &steps {
                crossings += steps.iter().filter(|b| a.0 < b.0 && a.1 > b.1).count();
            }
        }
        prop_assert_eq!(order::crossings(&layered, &layers), crossings);
    }

    #[test]
    fn edges_are_no_longer_than_by_longest_paths((sizes, edges) in graphs()) {
        let layered = Layered::new(sizes.len(), &edges).unwrap();
        let forward: Vec<_> =
            layered.chains.iter().map(|(chain, _)| (chain[0], chain[chain.len() - 1])).collect();
        let length: usize = layered.chains.iter().map(|(chain, _)| chain.len() - 1).sum();
        let successors = Adjacency::new(sizes.len(), forward.iter().copied());
        let mut longest = vec![0; sizes.len()];
        for _ in 0..sizes.len() {
            for (from, to) in successors.pairs() {
                longest[to] = longest[to].max(longest[from] + 1);
            }
        }
        prop_assert!(length <= forward.iter().map(|(from, to)| longest[*to] - longest[*from]).sum());
    }
}
