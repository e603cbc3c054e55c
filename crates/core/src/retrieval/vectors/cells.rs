//! Rows put together with those near them, so that a search among very many need not look at all.
//!
//! Centres are found by k-means in a sample, and each row is in the cell of the centre nearest to it: the inverted file of Jégou,
//! Douze and Schmid ("Product quantization for nearest neighbor search", PAMI 2011). A search looks at the cells in the order of
//! their centres until it has seen enough rows that may be found; so rows that no chunk has any more, or that a filter keeps
//! out, cost time and never a place in the answer. Rows that came after the cells were made are in none, and are all looked at.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::block::{Block, Rows, rounded};
use super::estimates::Estimates;
use super::kernels::GROUP;
use super::probe::Probe;
use super::signs::Signs;
use crate::source::ContentHash;

/// There are so many times the root of the number of rows. More make a search look at fewer rows and at more centres.
const CELLS_PER_ROOT: f64 = 2.0;

/// So many rows are sampled for each centre, and each is so many times moved to the middle of those nearest to it.
const SAMPLED: usize = 24;
const ROUNDS: usize = 5;

/// How much higher than by its middle a cell stands for each bit that its rows are spread: what is far from all, as words of a
/// question are from code, finds its nearest rows at the edges of loose cells. Measured by `--bin neighbours`.
const SPREAD: f32 = 0.3;

/// The rows of the first blocks of some version, in cells.
#[derive(Debug)]
pub(super) struct Cells {
    blocks: Vec<Arc<Block>>,
    centres: Block,
    cells: Vec<Cell>,
}

/// The rows that are nearer to one centre than to the others.
#[derive(Debug)]
pub(super) struct Cell {
    /// Their numbers, ascending.
    pub(super) rows: Vec<u32>,
    pub(super) signs: Signs,
    /// The mean of their cosines with the centre, which is the length of their mean.
    mean: f32,
}

impl Cells {
    /// The rows of all `blocks` but the last, which may still grow; `starts` are the numbers of their first rows. `None` if
    /// `is_over` before they are made, or there are none.
    pub(super) fn new(blocks: &[Arc<Block>], starts: &[u32], is_over: impl Fn() -> bool) -> Option<Cells> {
        let (last, whole) = blocks.split_last()?;
        let dimensions = last.dimensions();
        let rows: usize = whole.iter().map(|block| block.keys().len()).sum();
        let count = ((rows as f64).sqrt() * CELLS_PER_ROOT) as usize;
        if count == 0 {
            return None;
        }
        let centres = centres(dimensions, whole, count, &is_over)?;
        let mut members = vec![(Vec::new(), 0.0); centres.keys().len()];
        for (block, start) in whole.iter().zip(starts) {
            if is_over() {
                return None;
            }
            for row in 0..block.keys().len() {
                let near = nearest_centre(&centres, &direction(block, row));
                let (rows, sum) = &mut members[near.at];
                rows.push(start + row as u32);
                *sum += near.score;
            }
        }
        let cell = |(rows, sum): (Vec<u32>, f32)| {
            let mut signs = Signs::new(dimensions);
            for group in rows.chunks(GROUP) {
                let lines = group.iter().map(|row| {
                    let at = starts.partition_point(|start| start <= row) - 1;
                    whole[at].row((row - starts[at]) as usize)
                });
                signs.push(lines, |_| ());
            }
            Cell { mean: sum / rows.len().max(1) as f32, rows, signs }
        };
        Some(Cells { blocks: whole.to_vec(), centres, cells: members.into_iter().map(cell).collect() })
    }

    /// How many of the first of `blocks` are those whose rows are in cells.
    pub(super) fn shared(&self, blocks: &[Arc<Block>]) -> usize {
        let pairs = self.blocks.iter().zip(blocks);
        pairs.take_while(|(own, other)| Arc::ptr_eq(own, other)).count()
    }

    /// Whether all their blocks are among the `shared` ones.
    pub(super) fn is_part_of(&self, shared: usize) -> bool {
        shared == self.blocks.len()
    }

    /// How many rows of `blocks` are in cells.
    pub(super) fn rows_of(&self, blocks: &[Arc<Block>]) -> usize {
        blocks[..self.shared(blocks)].iter().map(|block| block.keys().len()).sum()
    }

    /// All cells, that of the nearest centre first.
    pub(super) fn by_nearness(&self, probe: &Probe) -> impl Iterator<Item = &Cell> {
        let near = |at| {
            let (near, mean) = (score(&self.centres, at, probe), self.cells[at].mean);
            Near { score: near * mean + SPREAD * (1.0 - mean * mean).max(0.0).sqrt(), at }
        };
        let mut all: BinaryHeap<Near> = (0..self.cells.len()).map(near).collect();
        std::iter::from_fn(move || all.pop().map(|near| &self.cells[near.at]))
    }

    /// How much memory they take beside the blocks.
    pub(super) fn bytes(&self) -> usize {
        let cell = |cell: &Cell| size_of::<Cell>() + size_of_val(&*cell.rows) + cell.signs.bytes();
        self.cells.iter().map(cell).sum::<usize>() + self.centres.bytes() + size_of_val(&*self.blocks)
    }
}

/// A centre and how near it is; nearer is more, of equals the first.
#[derive(PartialEq)]
struct Near {
    score: f32,
    at: usize,
}

impl Eq for Near {}

impl Ord for Near {
    fn cmp(&self, other: &Near) -> Ordering {
        self.score.total_cmp(&other.score).then(other.at.cmp(&self.at))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Near) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The turned numbers of a row, of length 1.
fn direction(block: &Block, row: usize) -> Vec<f32> {
    let scale = block.scales()[row];
    let bytes = block.row(row).iter().flat_map(|line| line.0).take(block.dimensions());
    bytes.map(|byte| f32::from(byte) * scale).collect()
}

fn centres(
    dimensions: usize,
    blocks: &[Arc<Block>],
    count: usize,
    is_over: impl Fn() -> bool,
) -> Option<Block> {
    let rows: usize = blocks.iter().map(|block| block.keys().len()).sum();
    let step = (rows / (count * SAMPLED)).max(1);
    let all = blocks.iter().flat_map(|block| (0..block.keys().len()).map(move |row| (block, row)));
    let sample: Vec<Vec<f32>> = all.step_by(step).map(|(block, row)| direction(block, row)).collect();
    let first = sample.iter().step_by((sample.len() / count).max(1)).take(count);
    let mut centres = block(dimensions, first.map(Vec::as_slice));
    for _ in 0..ROUNDS {
        let mut sums = vec![vec![0.0; dimensions]; centres.keys().len()];
        for (at, row) in sample.iter().enumerate() {
            if at % 1024 == 0 && is_over() {
                return None;
            }
            let sum = &mut sums[nearest_centre(&centres, row).at];
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        // One that no row is nearest to stays where it is.
        for (at, sum) in sums.iter_mut().enumerate().filter(|(_, sum)| sum.iter().all(|value| *value == 0.0))
        {
            *sum = direction(&centres, at);
        }
        centres = block(dimensions, sums.iter().map(Vec::as_slice));
    }
    Some(centres)
}

fn block<'v>(dimensions: usize, turned: impl Iterator<Item = &'v [f32]>) -> Block {
    let mut rows = Rows::default();
    for vector in turned {
        rows.keys.push(ContentHash::default());
        rows.lines.extend(rounded(vector));
    }
    Block::new(dimensions, rows)
}

fn score(block: &Block, row: usize, probe: &Probe) -> f32 {
    probe.score(block.row(row), block.scales()[row])
}

/// Which of `centres` a turned vector is nearest to.
fn nearest_centre(centres: &Block, turned: &[f32]) -> Near {
    let probe = Probe::of_turned(turned);
    let mut estimates = Estimates::new(1);
    let rows = centres.keys().len();
    for group in 0..centres.signs().groups() {
        let first = group * GROUP;
        let mask = u32::MAX >> (GROUP - GROUP.min(rows - first));
        estimates.add(&probe, centres.signs(), group, mask, |row| (first + row) as u32);
    }
    let near = estimates.promising().into_iter().map(|(row, _)| {
        let at = row as usize;
        Near { score: score(centres, at, &probe), at }
    });
    near.max().unwrap_or(Near { score: 0.0, at: 0 })
}
