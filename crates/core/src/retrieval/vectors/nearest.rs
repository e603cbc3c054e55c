//! The search for the nearest vectors.

use std::cmp::Ordering;

use fixedbitset::FixedBitSet;
use rayon::prelude::*;

use super::block::Block;
use super::cells::Cells;
use super::estimates::{Estimates, nth_best, rows};
use super::kernels::GROUP;
use super::probe::Probe;
use super::rows::{Placed, Vectors};

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
        let mut rows = estimates.promising();
        // In the order in memory, which that of cells is not.
        if !rows.is_sorted_by_key(|(row, _)| *row) {
            rows.sort_unstable_by_key(|(row, _)| *row);
        }
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
        let shared = cells.shared(self.vectors.blocks());
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
        self.promising(probe, count, estimates)
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
