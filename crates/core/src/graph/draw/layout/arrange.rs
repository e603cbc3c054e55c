//! Boxes and edges of a whole picture: each connected part is laid out by itself, then the parts are put side by side.

use super::layers::Layered;
use super::{order, place};
use crate::{Cancel, Result};

/// The room between a box and what is above or below it.
const BOX_GAP: f64 = 18.0;

/// The same for edges that pass a layer.
const EDGE_GAP: f64 = 9.0;

/// The least and the most room between layers. Steep edges need more.
const LAYER_GAP: (f64, f64) = (50.0, 120.0);

/// The room between parts that are not connected.
const PART_GAP: f64 = 36.0;

/// How much wider than high a picture of several parts is meant to be.
const ASPECT: f64 = 1.6;

/// The size of a box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::graph) struct Size {
    pub(in crate::graph) width: f64,
    pub(in crate::graph) height: f64,
}

/// Where a box is: `x` and `y` are those of its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::graph) struct Rect {
    pub(in crate::graph) x: f64,
    pub(in crate::graph) y: f64,
    pub(in crate::graph) width: f64,
    pub(in crate::graph) height: f64,
}

/// The way of an edge.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::graph) struct Route {
    /// It runs level from the first point to the second, then by a curve to the third, level to the fourth, and so on.
    pub(in crate::graph) points: Vec<(f64, f64)>,
    /// Whether it leads from right to left, since it closes a cycle.
    pub(in crate::graph) is_back: bool,
}

/// A picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::graph) struct Layout {
    /// Of each node.
    pub(in crate::graph) boxes: Vec<Rect>,
    /// Of each edge.
    pub(in crate::graph) routes: Vec<Route>,
    pub(in crate::graph) width: f64,
    pub(in crate::graph) height: f64,
}

/// Lays out boxes and the edges between them: pairs of different nodes, each once. Boxes with lower numbers stand above
/// others where nothing else decides.
///
/// # Errors
/// [`crate::ErrorKind::Limit`] when edges are too many and too long, and those of [`Cancel::check`].
pub(in crate::graph) fn arrange(sizes: &[Size], edges: &[(usize, usize)], cancel: &Cancel) -> Result<Layout> {
    let mut layout = Layout {
        boxes: sizes
            .iter()
            .map(|size| Rect { x: 0.0, y: 0.0, width: size.width, height: size.height })
            .collect(),
        routes: vec![Route { points: Vec::new(), is_back: false }; edges.len()],
        width: 0.0,
        height: 0.0,
    };
    let mut parts = parts(sizes.len(), edges);
    for part in &mut parts {
        part.arrange(sizes, edges, &mut layout, cancel)?;
    }
    shelve(&mut parts, &mut layout);
    Ok(layout)
}

/// A connected part of the graph.
#[derive(Default)]
struct Part {
    /// Numbers of nodes, sorted.
    nodes: Vec<usize>,
    /// Numbers of edges, sorted.
    edges: Vec<usize>,
    width: f64,
    height: f64,
}

fn parts(count: usize, edges: &[(usize, usize)]) -> Vec<Part> {
    let mut leader: Vec<usize> = (0..count).collect();
    let find = |leader: &mut Vec<usize>, mut node: usize| {
        while leader[node] != node {
            leader[node] = leader[leader[node]];
            node = leader[node];
        }
        node
    };
    for &(from, to) in edges {
        let (a, b) = (find(&mut leader, from), find(&mut leader, to));
        // The first node leads, so that parts are in order of their first nodes.
        leader[a.max(b)] = a.min(b);
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut part_of = vec![0; count];
    for node in 0..count {
        let first = find(&mut leader, node);
        if first == node {
            part_of[node] = parts.len();
            parts.push(Part::default());
        }
        part_of[node] = part_of[first];
        parts[part_of[node]].nodes.push(node);
    }
    edges.iter().enumerate().for_each(|(at, (from, _))| parts[part_of[*from]].edges.push(at));
    parts
}

impl Part {
    fn arrange(
        &mut self,
        sizes: &[Size],
        edges: &[(usize, usize)],
        layout: &mut Layout,
        cancel: &Cancel,
    ) -> Result<()> {
        let number = |node: usize| self.nodes.binary_search(&node).unwrap_or(0);
        let own: Vec<(usize, usize)> =
            self.edges.iter().map(|at| (number(edges[*at].0), number(edges[*at].1))).collect();
        let layered = Layered::new(self.nodes.len(), &own)?;
        let ranks: Vec<usize> = (0..self.nodes.len()).collect();
        let layers = order::order(&layered, &ranks, cancel)?;
        let size = |node: usize| self.nodes.get(node).map(|node| sizes[*node]);
        let heights: Vec<f64> =
            (0..layered.layer_of.len()).map(|node| size(node).map_or(0.0, |size| size.height)).collect();
        let gap = |a: usize, b: usize| {
            if layered.is_dummy(a) && layered.is_dummy(b) { EDGE_GAP } else { BOX_GAP }
        };
        let middles = place::place(&layered, &layers, &heights, &gap);
        let top = middles.iter().zip(&heights).map(|(y, height)| y - height / 2.0).fold(f64::MAX, f64::min);
        let middles: Vec<f64> = middles.iter().map(|y| y - top).collect();
        let columns = columns(&layered, &layers, &middles, |node| size(node).map_or(0.0, |size| size.width));
        for (at, &node) in self.nodes.iter().enumerate() {
            let rect = &mut layout.boxes[node];
            rect.x = columns[layered.layer_of[at]].0;
            rect.y = middles[at] - rect.height / 2.0;
            self.height = self.height.max(rect.y + rect.height);
        }
        self.height = middles.iter().copied().fold(self.height, f64::max);
        self.width = columns.last().map_or(0.0, |(_, right)| *right);
        self.route(&layered, &middles, &columns, layout);
        Ok(())
    }

    fn route(&self, layered: &Layered, middles: &[f64], columns: &[(f64, f64)], layout: &mut Layout) {
        let (mut outs, mut ins) = (vec![Vec::new(); self.nodes.len()], vec![Vec::new(); self.nodes.len()]);
        for (at, (chain, _)) in layered.chains.iter().enumerate() {
            if let [first, second, ..] = chain[..] {
                outs[first].push((middles[second], at));
            }
            if let [.., second, last] = chain[..] {
                ins[last].push((middles[second], at));
            }
        }
        let mut ends = vec![(0.0, 0.0); layered.chains.len()];
        for (node, (outs, ins)) in outs.iter_mut().zip(&mut ins).enumerate() {
            let rect = layout.boxes[self.nodes[node]];
            spread(outs, rect).for_each(|(at, y)| ends[at].0 = y);
            spread(ins, rect).for_each(|(at, y)| ends[at].1 = y);
        }
        for ((chain, is_back), (&edge, (start, end))) in
            layered.chains.iter().zip(self.edges.iter().zip(ends))
        {
            let mut points = Vec::with_capacity(2 * chain.len());
            for (at, &node) in chain.iter().enumerate() {
                let (left, right) = columns[layered.layer_of[node]];
                if at == 0 {
                    let rect = layout.boxes[self.nodes[node]];
                    points.extend([(rect.x + rect.width, start), (right, start)]);
                } else if at + 1 == chain.len() {
                    points.extend([(left, end), (left, end)]);
                } else {
                    points.extend([(left, middles[node]), (right, middles[node])]);
                }
            }
            if *is_back {
                points.reverse();
            }
            layout.routes[edge] = Route { points, is_back: *is_back };
        }
    }

    fn shift(&self, x: f64, y: f64, layout: &mut Layout) {
        for node in &self.nodes {
            layout.boxes[*node].x += x;
            layout.boxes[*node].y += y;
        }
        for edge in &self.edges {
            for point in &mut layout.routes[*edge].points {
                *point = (point.0 + x, point.1 + y);
            }
        }
    }
}

/// Where the edges of one side of a box begin or end: in the order of where they come from, evenly.
fn spread(edges: &mut [(f64, usize)], rect: Rect) -> impl Iterator<Item = (usize, f64)> {
    edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let step = rect.height / (edges.len() + 1) as f64;
    edges.iter().enumerate().map(move |(place, (_, edge))| (*edge, rect.y + step * (place + 1) as f64))
}

/// The left and the right side of each layer. The steeper the edges between two layers, the more room they have.
fn columns(
    layered: &Layered,
    layers: &[Vec<usize>],
    middles: &[f64],
    width: impl Fn(usize) -> f64,
) -> Vec<(f64, f64)> {
    let mut columns = Vec::with_capacity(layers.len());
    let mut left = 0.0;
    for layer in layers {
        let right = left + layer.iter().map(|node| width(*node)).fold(0.0, f64::max);
        columns.push((left, right));
        let climbs = layer.iter().flat_map(|node| {
            layered.next.of(*node).iter().map(|next| (middles[*next] - middles[*node]).abs())
        });
        left = right + (climbs.fold(0.0, f64::max) * 0.2).clamp(LAYER_GAP.0, LAYER_GAP.1);
    }
    columns
}

/// Puts the parts on shelves, the highest first. On a shelf, parts that are less high stand on top of each other.
fn shelve(parts: &mut [Part], layout: &mut Layout) {
    parts.sort_by(|a, b| {
        b.height.total_cmp(&a.height).then(b.width.total_cmp(&a.width)).then(a.nodes.cmp(&b.nodes))
    });
    let area: f64 = parts.iter().map(|part| (part.width + PART_GAP) * (part.height + PART_GAP)).sum();
    let widest = parts.iter().map(|part| part.width).fold(0.0, f64::max);
    let room = widest.max((area * ASPECT).sqrt());
    // The shelf, and on it the column that is filled now: its left side, its width and its lower end.
    let (mut top, mut shelf) = (0.0, 0.0);
    let (mut left, mut width, mut bottom) = (0.0, 0.0, 0.0);
    for part in parts.iter() {
        let fits_below = bottom > top
            && bottom + PART_GAP + part.height <= top + shelf
            && left + part.width <= room.max(left + width);
        if fits_below {
            bottom += PART_GAP;
        } else {
            if bottom > top {
                left += width + PART_GAP;
            }
            (width, bottom) = (0.0, top);
            if left > 0.0 && left + part.width > room {
                top += shelf + PART_GAP;
                (left, bottom, shelf) = (0.0, top, 0.0);
            }
        }
        part.shift(left, bottom, layout);
        bottom += part.height;
        width = part.width.max(width);
        shelf = shelf.max(bottom - top);
        layout.width = layout.width.max(left + part.width);
        layout.height = layout.height.max(bottom);
    }
}
