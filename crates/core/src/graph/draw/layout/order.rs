//! The order of nodes within layers, with few crossings of edges.

use super::layers::Layered;
use crate::graph::ask::dense::Adjacency;
use crate::{Cancel, Result};

/// How many sweeps over all layers are made, to the right and to the left by turns.
const SWEEPS: usize = 24;

/// The nodes of each layer in order. At first, nodes stand as a search in depth meets them that takes `rank`ed nodes in
/// order of their ranks.
pub(super) fn order(layered: &Layered, rank: &[usize], cancel: &Cancel) -> Result<Vec<Vec<usize>>> {
    let mut layers = initial(layered, rank);
    let mut best = layers.clone();
    let mut fewest = crossings(layered, &layers);
    for sweep in 0..SWEEPS {
        cancel.check()?;
        if fewest == 0 {
            break;
        }
        let to_the_right = sweep % 2 == 0;
        // Equal medians keep their order in one half of the sweeps, and change it in the other.
        by_medians(layered, &mut layers, to_the_right, sweep % 4 < 2);
        transpose(layered, &mut layers, cancel)?;
        let count = crossings(layered, &layers);
        if count < fewest {
            (best, fewest) = (layers.clone(), count);
        }
    }
    Ok(best)
}

fn initial(layered: &Layered, rank: &[usize]) -> Vec<Vec<usize>> {
    let count = layered.layer_of.len();
    let layers = layered.layer_of.iter().max().map_or(0, |most| most + 1);
    let mut order = vec![Vec::new(); layers];
    let mut seen = vec![false; count];
    let rank_of = |node: &usize| rank.get(*node).copied().unwrap_or(usize::MAX);
    let mut starts: Vec<usize> = (0..count).filter(|node| layered.previous.of(*node).is_empty()).collect();
    starts.sort_by_key(rank_of);
    let mut open: Vec<usize> = starts.into_iter().rev().collect();
    while let Some(node) = open.pop() {
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        order[layered.layer_of[node]].push(node);
        let mut next: Vec<usize> =
            layered.next.of(node).iter().copied().filter(|next| !seen[*next]).collect();
        next.sort_by_key(rank_of);
        open.extend(next.into_iter().rev());
    }
    order
}

fn positions(layers: &[Vec<usize>], count: usize) -> Vec<usize> {
    let mut position = vec![0; count];
    for layer in layers {
        layer.iter().enumerate().for_each(|(at, node)| position[*node] = at);
    }
    position
}

/// How many pairs of edges cross.
pub(super) fn crossings(layered: &Layered, layers: &[Vec<usize>]) -> usize {
    let position = positions(layers, layered.layer_of.len());
    layers.windows(2).map(|pair| between(&layered.next, &position, &pair[0], pair[1].len())).sum()
}

/// The crossings between two layers: for each edge, from top to bottom, those before it that end below it.
fn between(next: &Adjacency, position: &[usize], layer: &[usize], size: usize) -> usize {
    // A tree of sums over positions (Fenwick, 1994).
    let mut tree = vec![0_usize; size + 1];
    let (mut count, mut edges) = (0, 0);
    for &node in layer {
        let mut ends: Vec<usize> = next.of(node).iter().map(|end| position[*end]).collect();
        ends.sort_unstable();
        for &end in &ends {
            let mut above = 0;
            let mut at = end + 1;
            while at > 0 {
                above += tree[at];
                at &= at - 1;
            }
            count += edges - above;
        }
        for end in ends {
            edges += 1;
            let mut at = end + 1;
            while at <= size {
                tree[at] += 1;
                at += at & at.wrapping_neg();
            }
        }
    }
    count
}

/// Sorts each layer by the medians of the neighbours in the layer that was sorted before it. A node without neighbours
/// there stays where it is.
fn by_medians(layered: &Layered, layers: &mut [Vec<usize>], to_the_right: bool, stable: bool) {
    let mut position = positions(layers, layered.layer_of.len());
    let order: Vec<usize> =
        if to_the_right { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
    let neighbours = if to_the_right { &layered.previous } else { &layered.next };
    for at in order {
        let layer = &mut layers[at];
        let medians: Vec<Option<f64>> =
            layer.iter().map(|node| median(neighbours.of(*node), &position)).collect();
        let mut movable: Vec<(f64, usize, usize)> = layer
            .iter()
            .zip(&medians)
            .enumerate()
            .filter_map(|(place, (node, median))| Some(((*median)?, place, *node)))
            .collect();
        let tie = |place: usize| if stable { place as isize } else { -(place as isize) };
        movable.sort_by(|a, b| a.0.total_cmp(&b.0).then(tie(a.1).cmp(&tie(b.1))));
        let mut sorted = movable.into_iter().map(|(_, _, node)| node);
        for (node, median) in layer.iter_mut().zip(&medians) {
            if median.is_some() {
                *node = sorted.next().unwrap_or(*node);
            }
        }
        layer.iter().enumerate().for_each(|(at, node)| position[*node] = at);
    }
}

/// The weighted median of the neighbours' positions: with an even number of them it leans to the side where they are
/// closer together.
fn median(neighbours: &[usize], position: &[usize]) -> Option<f64> {
    let mut places: Vec<f64> = neighbours.iter().map(|node| position[*node] as f64).collect();
    places.sort_by(f64::total_cmp);
    let middle = places.len() / 2;
    match places[..] {
        [] => None,
        [only] => Some(only),
        [a, b] => Some((a + b) / 2.0),
        _ if places.len() % 2 == 1 => Some(places[middle]),
        _ => {
            let (a, b) = (places[middle - 1], places[middle]);
            let (left, right) = (a - places[0], places[places.len() - 1] - b);
            Some(if left + right > 0.0 { (a * right + b * left) / (left + right) } else { (a + b) / 2.0 })
        }
    }
}

/// Swaps neighbours in a layer as long as that saves crossings.
fn transpose(layered: &Layered, layers: &mut [Vec<usize>], cancel: &Cancel) -> Result<()> {
    let mut position = positions(layers, layered.layer_of.len());
    for _ in 0..8 {
        let mut swapped = false;
        for layer in layers.iter_mut() {
            cancel.check()?;
            for at in 1..layer.len() {
                let (a, b) = (layer[at - 1], layer[at]);
                let cost = |a: usize, b: usize| {
                    inversions(layered.previous.of(a), layered.previous.of(b), &position)
                        + inversions(layered.next.of(a), layered.next.of(b), &position)
                };
                if cost(b, a) < cost(a, b) {
                    layer.swap(at - 1, at);
                    (position[a], position[b]) = (at, at - 1);
                    swapped = true;
                }
            }
        }
        if !swapped {
            break;
        }
    }
    Ok(())
}

/// How many pairs of edges of two nodes cross when the first of them stands above the second.
fn inversions(above: &[usize], below: &[usize], position: &[usize]) -> usize {
    let sorted = |nodes: &[usize]| {
        let mut places: Vec<usize> = nodes.iter().map(|node| position[*node]).collect();
        places.sort_unstable();
        places
    };
    let (above, below) = (sorted(above), sorted(below));
    let (mut count, mut less) = (0, 0);
    for place in above {
        while less < below.len() && below[less] < place {
            less += 1;
        }
        count += less;
    }
    count
}
