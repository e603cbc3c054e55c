//! The search for the nearest vectors.

use std::cmp::Ordering;

use fixedbitset::FixedBitSet;
use rayon::prelude::*;

use super::block::Block;
use super::cells::Cells;
use super::kernels::{GROUP, Scale, Sums};
use super::probe::Probe;
use super::rows::{Placed, Vectors};
use super::signs::Signs;

/// How vectors are searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scan {
    /// As is faster for so many.
    #[default]
    Chosen,
    /// Each is scored.
    Every,
    /// Estimates first, then scores of those that may be among the best.
    Estimated,
}

/// Of fewer vectors each is scored: that is as fast. Measured by `--bin vectors`.
const ESTIMATE_FROM: usize = 2048;

/// Fewer vectors than this are not worth other threads, which have to be woken first.
const PARALLEL_FROM: usize = 250_000;

/// By how many standard deviations an estimate may be wrong before a vector is missed. Those that just belong to the best are
/// estimated lower one time in 44, better ones less often. Measured by `--bin vectors`.
const CAUTION: f32 = 2.0;

/// So many times the rows that are wanted are scored before it is known what the others have to reach.
const PROMISING: usize = 2;

/// Cells are looked at until one of so many rows that may be found was seen, and so many for each that is wanted. Measured by
/// `--bin neighbours`.
const SEEN_SHARE: usize = 5;
const SEEN: usize = 64;

/// A search among the vectors of one version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nearest<'v> {
    pub(crate) vectors: &'v Vectors,
    pub(crate) placed: &'v Placed,
    /// The chunks that may be found; all, if there is none.
    pub(crate) allowed: Option<&'v Allowed>,
}

/// Chunks that a search may find, and their vectors.
#[derive(Debug)]
pub(crate) struct Allowed {
    pub(crate) chunks: FixedBitSet,
    /// Of each group, which rows have such a chunk.
    masks: Vec<u32>,
    /// How many rows that is.
    living: usize,
}

impl Allowed {
    pub(crate) fn new(chunks: FixedBitSet, placed: &Placed) -> Allowed {
        let mut masks = vec![0u32; placed.masks().len()];
        for row in chunks.ones().filter_map(|chunk| placed.row(chunk as u32)) {
            masks[row as usize / GROUP] |= 1 << (row as usize % GROUP);
        }
        let living = masks.iter().map(|mask| mask.count_ones() as usize).sum();
        Allowed { chunks, masks, living }
    }
}

impl Nearest<'_> {
    /// The `count` chunks nearest to `probe` with their cosines, best first, equals in order of their numbers. There are fewer
    /// only if fewer are allowed and have a vector.
    pub(crate) fn best(&self, probe: &Probe, count: usize) -> Vec<(u32, f32)> {
        self.best_by(probe, count, Scan::Chosen)
    }

    pub(super) fn best_by(&self, probe: &Probe, count: usize, scan: Scan) -> Vec<(u32, f32)> {
        let living = self.allowed.map_or(self.placed.living, |allowed| allowed.living);
        let is_few = living < ESTIMATE_FROM.max(count.saturating_mul(16));
        let wanted = (living / SEEN_SHARE).max(count.saturating_mul(SEEN));
        // Where a filter leaves few, these may be in any cell.
        let is_open = living >= self.placed.living / 4 * 3 && wanted <= living / 4;
        let rows = match scan {
            _ if living.min(count) == 0 => Vec::new(),
            Scan::Chosen if is_few => self.scored(probe, count),
            Scan::Every => self.scored(probe, count),
            Scan::Chosen if is_open => match self.vectors.cell_cache().cells() {
                Some(cells) => self.in_cells(&cells, probe, count, wanted),
                None => self.estimated(probe, count, living),
            },
            Scan::Chosen | Scan::Estimated => self.estimated(probe, count, living),
        };
        let chunks =
            |found: &Found| self.chunks(found.row).map(|chunk| (chunk, found.score)).collect::<Vec<_>>();
        let mut best: Vec<(u32, f32)> = rows.iter().flat_map(chunks).collect();
        best.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        best.truncate(count);
        best
    }

    /// The cosine of `probe` and a chunk; `None` if that has no vector.
    pub(crate) fn score(&self, probe: &Probe, chunk: u32) -> Option<f32> {
        let (block, row) = self.vectors.locate(self.placed.row(chunk)?);
        Some(probe.score(block.row(row), block.scales()[row]))
    }

    fn masks(&self) -> &[u32] {
        self.allowed.map_or(self.placed.masks(), |allowed| &allowed.masks)
    }

    /// The chunks of a row that are allowed, in order.
    fn chunks(&self, row: u32) -> impl Iterator<Item = u32> {
        let is_allowed =
            |chunk: &u32| self.allowed.is_none_or(|allowed| allowed.chunks.contains(*chunk as usize));
        self.placed.chunks(row).iter().copied().filter(is_allowed)
    }

    fn found(&self, row: u32, score: f32) -> Found {
        Found { score, chunk: self.chunks(row).next().unwrap_or(u32::MAX), row }
    }

    /// Each block with the number of its first row, and the masks of its groups.
    fn block(&self, at: usize) -> (&Block, u32, &[u32]) {
        let (block, start) = self.vectors.block(at);
        let first = start as usize / GROUP;
        (block, start, &self.masks()[first..first + block.keys().len().div_ceil(GROUP)])
    }

    /// The best rows by their scores.
    fn scored(&self, probe: &Probe, count: usize) -> Vec<Found> {
        let mut best = Best::new(count);
        for (block, start, masks) in (0..self.vectors.blocks().len()).map(|at| self.block(at)) {
            for row in masks.iter().enumerate().flat_map(|(group, mask)| rows(group, *mask)) {
                let score = probe.score(block.row(row), block.scales()[row]);
                if score >= best.least {
                    best.push(self.found(start + row as u32, score));
                }
            }
        }
        best.finish()
    }

    /// Likewise, but only of those rows whose estimates let them be among the best. Which these are depends on nothing but the
    /// vectors that are allowed.
    fn estimated(&self, probe: &Probe, count: usize, living: usize) -> Vec<Found> {
        let blocks = self.vectors.blocks().len();
        let estimate = |mut estimates: Estimates, at| {
            self.estimate(probe, at, &mut estimates);
            estimates
        };
        let estimates = if living < PARALLEL_FROM || rayon::current_num_threads() == 1 {
            (0..blocks).fold(Estimates::new(count), estimate)
        } else {
            let several =
                (0..blocks).into_par_iter().with_min_len(blocks.div_ceil(4 * rayon::current_num_threads()));
            several.fold(|| Estimates::new(count), estimate).reduce(|| Estimates::new(count), Estimates::and)
        };
        self.promising(probe, count, estimates)
    }

    /// The best of those that may be among them by their estimates.
    fn promising(&self, probe: &Probe, count: usize, estimates: Estimates) -> Vec<Found> {
        let needed = estimates.needed();
        let rows: Vec<(u32, f32)> = estimates.high.into_iter().filter(|(_, high)| *high >= needed).collect();
        // The most promising first, to know what the others have to reach.
        let promising =
            nth_best(rows.iter().map(|(_, high)| *high).collect(), count.saturating_mul(PROMISING));
        let (first, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, high)| *high >= promising);
        let mut best = Best::new(count);
        self.score_rows(probe, &first, f32::NEG_INFINITY, &mut best);
        best.trim();
        // This must not depend on the order in which the others are scored, which is that of the history of a version.
        let reached = best.least;
        self.score_rows(probe, &others, reached, &mut best);
        best.finish()
    }

    /// Scores those of `rows` whose scores may be as high as `needed`, in their order, which is that in memory.
    fn score_rows(&self, probe: &Probe, rows: &[(u32, f32)], needed: f32, best: &mut Best) {
        for (row, _) in rows.iter().filter(|(_, high)| *high >= needed) {
            let (block, at) = self.vectors.locate(*row);
            let score = probe.score(block.row(at), block.scales()[at]);
            if score >= best.least {
                best.push(self.found(*row, score));
            }
        }
    }

    fn estimate(&self, probe: &Probe, at: usize, estimates: &mut Estimates) {
        let (block, start, masks) = self.block(at);
        for (group, mask) in masks.iter().enumerate().filter(|(_, mask)| **mask != 0) {
            let first = start + (group * GROUP) as u32;
            estimates.add(probe, block.signs(), group, *mask, |row| first + row as u32);
        }
    }

    /// Likewise, but only of rows in the cells that are nearest, and of those that are in none.
    fn in_cells(&self, cells: &Cells, probe: &Probe, count: usize, wanted: usize) -> Vec<Found> {
        let mut estimates = Estimates::new(count);
        let shared = cells.shared(self.vectors);
        // Cells may have rows of another version, beyond what this one shares with it.
        let end = shared.checked_sub(1).map_or(0, |last| {
            let (block, start, _) = self.block(last);
            start + block.keys().len() as u32
        });
        let masks = self.masks();
        let is_whole = self.allowed.is_none() && self.placed.is_full && cells.is_part_of(shared);
        let may_be_found =
            |row: u32| row < end && masks[row as usize / GROUP] >> (row as usize % GROUP) & 1 == 1;
        let mut seen = 0;
        for cell in cells.by_nearness(probe) {
            if seen >= wanted {
                break;
            }
            for (group, rows) in cell.rows.chunks(GROUP).enumerate() {
                let mask = if is_whole {
                    u32::MAX >> (GROUP - rows.len())
                } else {
                    let bits = rows.iter().enumerate().map(|(at, row)| u32::from(may_be_found(*row)) << at);
                    bits.fold(0, |mask, bit| mask | bit)
                };
                seen += mask.count_ones() as usize;
                if mask != 0 {
                    estimates.add(probe, &cell.signs, group, mask, |row| rows[row]);
                }
            }
        }
        for at in shared..self.vectors.blocks().len() {
            self.estimate(probe, at, &mut estimates);
        }
        // In the order in memory.
        estimates.high.sort_unstable_by_key(|(row, _)| *row);
        self.promising(probe, count, estimates)
    }
}

/// The rows of a group that its mask names.
fn rows(group: usize, mask: u32) -> impl Iterator<Item = usize> {
    let mut left = mask;
    std::iter::from_fn(move || {
        let row = (left != 0).then(|| left.trailing_zeros() as usize)?;
        left &= left - 1;
        Some(group * GROUP + row)
    })
}

/// The value of which so many are as good; less than all, if there are fewer.
pub(super) fn nth_best(mut values: Vec<f32>, count: usize) -> f32 {
    match count.checked_sub(1).filter(|at| *at < values.len()) {
        Some(at) => *values.select_nth_unstable_by(at, |a, b| b.total_cmp(a)).1,
        None => f32::NEG_INFINITY,
    }
}

/// What is known of rows before they are scored.
pub(super) struct Estimates {
    count: usize,
    /// The rows whose scores may be that high, but for those that cannot be among the best.
    high: Vec<(u32, f32)>,
    /// What the scores of the best are at least, and of some more.
    low: Vec<f32>,
    /// What may not be as high as this is not among the best.
    least: f32,
}

impl Estimates {
    pub(super) fn new(count: usize) -> Estimates {
        Estimates { count, high: Vec::new(), low: Vec::new(), least: f32::NEG_INFINITY }
    }

    /// Adds those rows of a group that `mask` names; `number` tells the number of each.
    #[inline]
    pub(super) fn add(
        &mut self,
        probe: &Probe,
        signs: &Signs,
        group: usize,
        mask: u32,
        number: impl Fn(usize) -> u32,
    ) {
        let scale = Scale { step: probe.step, least: probe.least, caution: CAUTION };
        let sums = probe.level.sums(&probe.tables, signs.codes(group));
        let (factors, errors) = (signs.factors(group), signs.errors(group));
        let (high, may_be) = probe.level.highest(&Sums { sums: &sums, factors, errors }, &scale, self.least);
        for row in rows(0, mask & may_be) {
            self.push(number(row), high[row], high[row] - 2.0 * CAUTION * errors[row]);
        }
    }

    /// The rows that may be among the best, and how high their scores may be.
    pub(super) fn high(&self) -> &[(u32, f32)] {
        &self.high
    }

    /// What the best reach at least.
    pub(super) fn low(&self) -> &[f32] {
        &self.low
    }

    /// Adds a row whose score is at least `low` and at most `high`.
    #[inline]
    fn push(&mut self, row: u32, high: f32, low: f32) {
        self.high.push((row, high));
        if low >= self.least {
            self.low.push(low);
            if self.low.len() > self.count.saturating_mul(2).max(64) {
                self.trim();
            }
        }
    }

    fn trim(&mut self) {
        if self.low.len() > self.count {
            self.low.select_nth_unstable_by(self.count - 1, |a, b| b.total_cmp(a));
            self.low.truncate(self.count);
            self.least = self.low[self.count - 1];
        }
    }

    fn and(mut self, other: Estimates) -> Estimates {
        self.high.extend(other.high);
        self.low.extend(other.low);
        self.trim();
        self
    }

    /// What the best reach for sure.
    fn needed(&self) -> f32 {
        nth_best(self.low.clone(), self.count)
    }
}

/// A row with its score, or with an estimate of it.
#[derive(Clone, Copy, Debug)]
struct Found {
    score: f32,
    /// Its first chunk that is allowed, which breaks ties.
    chunk: u32,
    row: u32,
}

impl Found {
    /// Better first; of equals the one that stands first.
    fn by_rank(&self, other: &Found) -> Ordering {
        other.score.total_cmp(&self.score).then(self.chunk.cmp(&other.chunk))
    }
}

/// The best of what was seen so far.
struct Best {
    count: usize,
    /// What is worse than this is not among the best.
    least: f32,
    found: Vec<Found>,
}

impl Best {
    /// `count` is not 0.
    fn new(count: usize) -> Best {
        Best { count, least: f32::NEG_INFINITY, found: Vec::new() }
    }

    fn push(&mut self, found: Found) {
        self.found.push(found);
        if self.found.len() > self.count.saturating_mul(2).max(64) {
            self.trim();
        }
    }

    fn trim(&mut self) {
        if self.found.len() > self.count {
            let (_, last, _) = self.found.select_nth_unstable_by(self.count - 1, Found::by_rank);
            self.least = last.score;
            self.found.truncate(self.count);
        }
    }

    /// At most `count`, best first.
    fn finish(mut self) -> Vec<Found> {
        self.trim();
        self.found.sort_unstable_by(Found::by_rank);
        self.found
    }
}
