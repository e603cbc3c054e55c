//! From a graph to layers: every edge leads from a layer to the next one.

use std::collections::BTreeSet;

use crate::graph::ask::dense::Adjacency;
use crate::{Error, ErrorKind, Result};

/// More places in layers than this are not laid out.
const MOST_PLACES: usize = 20_000;

/// A graph in layers. Its first nodes are those of the graph it was made from, the others are dummies: the places where
/// edges cross layers.
pub(super) struct Layered {
    /// The layer of each node, from 0.
    pub(super) layer_of: Vec<usize>,
    /// How many nodes are not dummies.
    pub(super) real: usize,
    /// From nodes to nodes of the next layer.
    pub(super) next: Adjacency,
    /// The same, from nodes to nodes of the layer before.
    pub(super) previous: Adjacency,
    /// For each edge of the graph its nodes from left to right, dummies included, and whether the edge leads from right to
    /// left.
    pub(super) chains: Vec<(Vec<usize>, bool)>,
}

impl Layered {
    /// The layers of a graph of `count` nodes, with each edge once and none from a node to itself.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] when the edges cross too many layers.
    pub(super) fn new(count: usize, edges: &[(usize, usize)]) -> Result<Self> {
        let position = sequence(count, edges);
        let forward = |&(from, to): &(usize, usize)| {
            if position[from] < position[to] { (from, to, false) } else { (to, from, true) }
        };
        let edges: Vec<(usize, usize, bool)> = edges.iter().map(forward).collect();
        let successors = Adjacency::new(count, edges.iter().map(|(from, to, _)| (*from, *to)));
        let mut layer_of = layers(&successors, &position);
        let mut chains = Vec::with_capacity(edges.len());
        for (from, to, is_back) in edges {
            let mut chain = vec![from];
            for layer in layer_of[from] + 1..layer_of[to] {
                chain.push(layer_of.len());
                layer_of.push(layer);
                if layer_of.len() > MOST_PLACES {
                    let message = "the edges of the picture cross too many layers; ask for fewer symbols or kinds of links";
                    return Err(Error::new(ErrorKind::Limit, message));
                }
            }
            chain.push(to);
            chains.push((chain, is_back));
        }
        let steps = chains.iter().flat_map(|(chain, _)| chain.windows(2).map(|step| (step[0], step[1])));
        let next = Adjacency::new(layer_of.len(), steps);
        let previous = next.reversed();
        Ok(Layered { layer_of, real: count, next, previous, chains })
    }

    pub(super) fn is_dummy(&self, node: usize) -> bool {
        node >= self.real
    }
}

/// For each node its position in a sequence in which few edges lead backwards: sinks are put to its end, sources to its
/// beginning, and otherwise the node with the most edges out over those in.
fn sequence(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let successors = Adjacency::new(count, edges.iter().copied());
    let predecessors = successors.reversed();
    let mut outward: Vec<usize> = (0..count).map(|node| successors.of(node).len()).collect();
    let mut inward: Vec<usize> = (0..count).map(|node| predecessors.of(node).len()).collect();
    let key = |node: usize, outward: &[usize], inward: &[usize]| {
        let class = match (outward[node], inward[node]) {
            (0, _) => 0,
            (_, 0) => 1,
            _ => 2,
        };
        (class, inward[node] as isize - outward[node] as isize, node)
    };
    let mut left: BTreeSet<_> = (0..count).map(|node| key(node, &outward, &inward)).collect();
    let mut position = vec![0; count];
    let (mut first, mut last) = (0, count);
    let mut is_left = vec![true; count];
    while let Some((class, _, node)) = left.pop_first() {
        is_left[node] = false;
        if class == 0 {
            last -= 1;
            position[node] = last;
        } else {
            position[node] = first;
            first += 1;
        }
        for &other in successors.of(node).iter().filter(|other| is_left[**other]) {
            left.remove(&key(other, &outward, &inward));
            inward[other] -= 1;
            left.insert(key(other, &outward, &inward));
        }
        for &other in predecessors.of(node).iter().filter(|other| is_left[**other]) {
            left.remove(&key(other, &outward, &inward));
            outward[other] -= 1;
            left.insert(key(other, &outward, &inward));
        }
    }
    position
}

/// The layer of each node of an acyclic graph whose edges lead forward in `position`.
fn layers(successors: &Adjacency, position: &[usize]) -> Vec<usize> {
    let predecessors = successors.reversed();
    let mut order: Vec<usize> = successors.nodes().collect();
    order.sort_unstable_by_key(|node| position[*node]);
    let mut layer_of = vec![0; successors.len()];
    for &node in &order {
        for &next in successors.of(node) {
            layer_of[next] = layer_of[next].max(layer_of[node] + 1);
        }
    }
    // The sum of the lengths of a node's edges changes evenly as it is moved, so it goes as far as it can to the side where
    // it has more of them. Each move shortens the sum; the bound is for graphs without end in sight.
    for _ in 0..successors.len().min(64) {
        let mut moved = false;
        for &node in order.iter().rev() {
            let (inward, outward) = (predecessors.of(node), successors.of(node));
            let nearest = if outward.len() > inward.len() {
                outward.iter().map(|next| layer_of[*next] - 1).min()
            } else if inward.len() > outward.len() {
                inward.iter().map(|before| layer_of[*before] + 1).max()
            } else {
                None
            };
            if let Some(nearest) = nearest.filter(|nearest| *nearest != layer_of[node]) {
                layer_of[node] = nearest;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let first = layer_of.iter().min().copied().unwrap_or(0);
    layer_of.iter_mut().for_each(|layer| *layer -= first);
    layer_of
}
