//! Coordinates across the layers, by Brandes and Köpf: nodes are aligned with the medians of their neighbours in four ways,
//! each as far to one side as it goes, and the four are averaged.

use rustc_hash::FxHashSet;

use super::layers::Layered;
use crate::graph::ask::dense::Adjacency;

/// The middle of each node. `heights` are those of the nodes, and `gap` says how much is to be left free between two that
/// are neighbours in a layer.
pub(super) fn place(
    layered: &Layered,
    layers: &[Vec<usize>],
    heights: &[f64],
    gap: &dyn Fn(usize, usize) -> f64,
) -> Vec<f64> {
    let conflicts = conflicts(layered, layers);
    let distance = |a: usize, b: usize| (heights[a] + heights[b]) / 2.0 + gap(a, b);
    let mut ways: Vec<(Vec<f64>, bool)> = Vec::new();
    for to_the_right in [true, false] {
        for mirrored in [false, true] {
            let mut layers = layers.to_vec();
            if !to_the_right {
                layers.reverse();
            }
            if mirrored {
                layers.iter_mut().for_each(|layer| layer.reverse());
            }
            let before = if to_the_right { &layered.previous } else { &layered.next };
            let roots = align(&layers, before, &conflicts, heights.len());
            let mut places = compact(&layers, &roots, &distance);
            if mirrored {
                places.iter_mut().for_each(|place| *place = -*place);
            }
            ways.push((places, mirrored));
        }
    }
    balance(&ways, heights)
}

/// Pairs of nodes whose edge crosses one between two dummies: they are not aligned, so that long edges are straight.
fn conflicts(layered: &Layered, layers: &[Vec<usize>]) -> FxHashSet<(usize, usize)> {
    let mut position = vec![0; layered.layer_of.len()];
    for layer in layers {
        layer.iter().enumerate().for_each(|(at, node)| position[*node] = at);
    }
    let mut conflicts = FxHashSet::default();
    for pair in layers.windows(2) {
        let (left, right) = (&pair[0], &pair[1]);
        // Between two edges of dummies that follow one another, only ends between theirs are free of crossings.
        let mut low = 0;
        let mut scanned = 0;
        for (at, &node) in right.iter().enumerate() {
            let inner = layered
                .previous
                .of(node)
                .first()
                .filter(|before| layered.is_dummy(node) && layered.is_dummy(**before));
            if inner.is_none() && at + 1 < right.len() {
                continue;
            }
            let high = inner.map_or(left.len(), |before| position[*before]);
            for &other in &right[scanned..=at] {
                for &before in layered.previous.of(other) {
                    let crosses = position[before] < low || position[before] > high;
                    if crosses && !(layered.is_dummy(other) && layered.is_dummy(before)) {
                        conflicts.insert((before, other));
                    }
                }
            }
            scanned = at + 1;
            low = high;
        }
    }
    conflicts
}

/// For each node the root of its block: the nodes of a block get the same coordinate.
fn align(
    layers: &[Vec<usize>],
    before: &Adjacency,
    conflicts: &FxHashSet<(usize, usize)>,
    count: usize,
) -> Vec<usize> {
    let mut position = vec![0; count];
    for layer in layers {
        layer.iter().enumerate().for_each(|(at, node)| position[*node] = at);
    }
    let mut root: Vec<usize> = (0..count).collect();
    let mut taken = vec![false; count];
    for layer in layers {
        // The place after the last neighbour that a node of this layer was aligned with.
        let mut free = 0;
        for &node in layer {
            let mut neighbours = before.of(node).to_vec();
            neighbours.sort_by_key(|node| position[*node]);
            if neighbours.is_empty() {
                continue;
            }
            let (low, high) = ((neighbours.len() - 1) / 2, neighbours.len() / 2);
            for &neighbour in &neighbours[low..=high] {
                let is_conflict =
                    conflicts.contains(&(neighbour, node)) || conflicts.contains(&(node, neighbour));
                if root[node] == node && !taken[neighbour] && position[neighbour] >= free && !is_conflict {
                    taken[neighbour] = true;
                    root[node] = root[neighbour];
                    free = position[neighbour] + 1;
                }
            }
        }
    }
    root
}

/// Coordinates for which blocks stand as close as they may: first as far up as possible, then down again to the next one
/// below.
fn compact(layers: &[Vec<usize>], root: &[usize], distance: &dyn Fn(usize, usize) -> f64) -> Vec<f64> {
    let count = root.len();
    // How far apart neighbouring blocks must be at least.
    let mut below: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
    let mut above: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
    for layer in layers {
        for pair in layer.windows(2) {
            let least = distance(pair[0], pair[1]);
            below[root[pair[0]]].push((root[pair[1]], least));
            above[root[pair[1]]].push((root[pair[0]], least));
        }
    }
    let mut waits: Vec<usize> = above.iter().map(Vec::len).collect();
    let mut order: Vec<usize> = (0..count).filter(|node| root[*node] == *node && waits[*node] == 0).collect();
    let mut at = 0;
    let mut places = vec![0.0_f64; count];
    while let Some(&block) = order.get(at) {
        at += 1;
        places[block] = above[block].iter().map(|(other, least)| places[*other] + least).fold(0.0, f64::max);
        for (other, _) in &below[block] {
            waits[*other] -= 1;
            if waits[*other] == 0 {
                order.push(*other);
            }
        }
    }
    for &block in order.iter().rev() {
        let room = below[block].iter().map(|(other, least)| places[*other] - least).fold(f64::MAX, f64::min);
        if room < f64::MAX {
            places[block] = places[block].max(room);
        }
    }
    (0..count).map(|node| places[root[node]]).collect()
}

/// The four ways moved onto the narrowest one, at the side where each is packed, and for each node the mean of the two in
/// the middle.
fn balance(ways: &[(Vec<f64>, bool)], heights: &[f64]) -> Vec<f64> {
    let extent = |places: &[f64]| {
        let ends = places.iter().zip(heights);
        let low = ends.clone().map(|(place, height)| place - height / 2.0).fold(f64::MAX, f64::min);
        let high = ends.map(|(place, height)| place + height / 2.0).fold(f64::MIN, f64::max);
        (low, high)
    };
    let width = |places: &[f64]| extent(places).1 - extent(places).0;
    let narrowest = ways.iter().map(|(places, _)| places).min_by(|a, b| width(a).total_cmp(&width(b)));
    let Some((low, high)) = narrowest.map(|places| extent(places)) else { return Vec::new() };
    let shifts: Vec<f64> = ways
        .iter()
        .map(|(places, mirrored)| {
            let (own_low, own_high) = extent(places);
            if *mirrored { high - own_high } else { low - own_low }
        })
        .collect();
    (0..heights.len())
        .map(|node| {
            let mut four: Vec<f64> =
                ways.iter().zip(&shifts).map(|((places, _), shift)| places[node] + shift).collect();
            four.sort_by(f64::total_cmp);
            match four[..] {
                [_, a, b, _] => (a + b) / 2.0,
                _ => 0.0,
            }
        })
        .collect()
}
