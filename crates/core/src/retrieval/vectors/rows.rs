//! The vectors of one version of an index, and the chunks that have them.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::batch::Batch;
use super::block::{Block, Rows};
use super::cell_cache::CellCache;
use super::kernels::GROUP;
use crate::source::ContentHash;
use crate::{Error, Result};

/// Small blocks are joined up to so many rows, so that there are few.
const ROWS_PER_BLOCK: usize = 1024;

/// A change copies only the parts of the table that it touches.
const SHARDS: usize = 256;

/// Of fewer rows no cells are made: they would save no more than two milliseconds of a search. Measured by `--bin neighbours`.
const CELLS_FROM: usize = 1_000_000;

/// A chunk without a vector.
const NONE: u32 = u32::MAX;

/// The vectors of one version, all of one encoder. Rows are numbered through all blocks; each block begins a new group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vectors {
    fingerprint: ContentHash,
    dimensions: usize,
    blocks: Vec<Arc<Block>>,
    /// The number of each block's first row.
    starts: Vec<u32>,
    /// The row of each content, by the first byte of its key.
    shards: Vec<Arc<FxHashMap<ContentHash, u32>>>,
    /// Shared with the versions that begin with the same blocks.
    cell_cache: Arc<CellCache>,
}

impl Vectors {
    pub(crate) fn new(fingerprint: ContentHash, dimensions: usize, blocks: Vec<Arc<Block>>) -> Vectors {
        let mut shards = vec![FxHashMap::default(); SHARDS];
        let mut starts = Vec::with_capacity(blocks.len());
        let mut start = 0;
        for block in &blocks {
            starts.push(start);
            for (row, key) in (start..).zip(block.keys()) {
                shards[usize::from(key.0[0])].entry(*key).or_insert(row);
            }
            start += groups(block) * GROUP as u32;
        }
        let shards = shards.into_iter().map(Arc::new).collect();
        Vectors { fingerprint, dimensions, blocks, starts, shards, cell_cache: Arc::default() }
    }

    pub(crate) fn fingerprint(&self) -> ContentHash {
        self.fingerprint
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(crate) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    pub(super) fn cell_cache(&self) -> &Arc<CellCache> {
        &self.cell_cache
    }

    /// The same vectors, of which nothing is in cells, here or in what becomes of them.
    pub(crate) fn without_cells(&self) -> Vectors {
        Vectors { cell_cache: Arc::default(), ..self.clone() }
    }

    /// Begins to put rows into cells in the background, if they are many, too many are in none, and there is `room` for so many bytes.
    pub(crate) fn begin_cells(&self, room: impl Fn(usize) -> bool) {
        self.begin_cells_from(CELLS_FROM, room);
    }

    pub(super) fn begin_cells_from(&self, from: usize, room: impl Fn(usize) -> bool) {
        if self.rows() >= from {
            self.cell_cache.begin(&self.blocks, &self.starts, room);
        }
    }

    /// Puts rows into cells now.
    pub(crate) fn make_cells(&self) {
        self.cell_cache.make(&self.blocks, &self.starts);
    }

    /// The bytes that they take, with the table of their keys and the cells that there are or will be.
    pub(crate) fn bytes(&self) -> usize {
        let table = self.rows() * 2 * (size_of::<ContentHash>() + size_of::<u32>());
        self.blocks.iter().map(|block| block.bytes()).sum::<usize>() + table + self.cell_cache.bytes()
    }

    pub(crate) fn contains(&self, key: &ContentHash) -> bool {
        self.row_of(key).is_some()
    }

    fn row_of(&self, key: &ContentHash) -> Option<u32> {
        self.shards.get(usize::from(key.0[0]))?.get(key).copied()
    }

    /// A block and the number of its first row.
    pub(super) fn block(&self, at: usize) -> (&Block, u32) {
        (&self.blocks[at], self.starts[at])
    }

    /// The block that a row is in, and which of its rows it is.
    pub(super) fn locate(&self, row: u32) -> (&Block, usize) {
        let at = self.starts.partition_point(|start| *start <= row) - 1;
        (&self.blocks[at], (row - self.starts[at]) as usize)
    }

    pub(crate) fn rows(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// How many groups all rows are.
    fn groups(&self) -> u32 {
        match (self.starts.last(), self.blocks.last()) {
            (Some(start), Some(block)) => start / GROUP as u32 + groups(block),
            _ => 0,
        }
    }

    /// Which chunks have which of these vectors; `keys` are the chunks' contents, by their numbers.
    pub(crate) fn placed(&self, keys: &[ContentHash]) -> Placed {
        let rows: Vec<u32> = keys.iter().map(|key| self.row_of(key).unwrap_or(NONE)).collect();
        let groups = self.groups() as usize;
        let mut ends = vec![0u32; groups * GROUP + 1];
        let mut masks = vec![0u32; groups];
        let mut count = 0;
        for row in rows.iter().filter(|row| **row != NONE).map(|row| *row as usize) {
            ends[row + 1] += 1;
            masks[row / GROUP] |= 1 << (row % GROUP);
            count += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += *end;
            *end = sum;
        }
        let mut next = ends.clone();
        let mut chunks = vec![0; count];
        for (number, row) in (0..).zip(&rows).filter(|(_, row)| **row != NONE) {
            let at = &mut next[*row as usize];
            chunks[*at as usize] = number;
            *at += 1;
        }
        let living: usize = masks.iter().map(|mask| mask.count_ones() as usize).sum();
        let is_full = living == self.blocks.iter().map(|block| block.keys().len()).sum::<usize>();
        Placed { count, living, is_full, rows, ends, chunks, masks }
    }

    /// These vectors and those of `batch`. Those of another encoder are dropped.
    pub(crate) fn with(&self, batch: &Batch) -> Result<Vectors> {
        if batch.is_empty() {
            return Ok(self.clone());
        }
        let dimensions = batch.dimensions();
        if batch.fingerprint() != self.fingerprint || self.blocks.is_empty() {
            return Ok(Vectors::new(batch.fingerprint(), dimensions, Vec::new()).extended(batch.rows()));
        }
        if dimensions != self.dimensions {
            return Err(Error::invalid(format!(
                "the vectors have {dimensions} numbers each, those in the index {}",
                self.dimensions
            )));
        }
        Ok(self.extended(batch.rows()))
    }

    fn extended(&self, rows: &Rows) -> Vectors {
        let mut next = self.clone();
        let mut new = Rows::default();
        let width = rows.lines.len() / rows.keys.len().max(1);
        for (key, row) in rows.keys.iter().zip(rows.lines.chunks(width.max(1))) {
            if next.contains(key) {
                continue;
            }
            if new.keys.len() == ROWS_PER_BLOCK {
                next.push(std::mem::take(&mut new));
            }
            // Where it will be is known only when it is clear which block it joins.
            Arc::make_mut(&mut next.shards[usize::from(key.0[0])]).insert(*key, NONE);
            new.keys.push(*key);
            new.lines.extend_from_slice(row);
        }
        next.push(new);
        next
    }

    /// Adds rows whose keys are in the table: to the last block if there is room for all, else as another one.
    fn push(&mut self, rows: Rows) {
        if rows.keys.is_empty() {
            return;
        }
        let last = self.blocks.pop_if(|last| last.keys().len() + rows.keys.len() <= ROWS_PER_BLOCK);
        let first = match &last {
            Some(last) => self.starts.last().map_or(0, |start| start + last.keys().len() as u32),
            None => {
                let start = self.groups() * GROUP as u32;
                self.starts.push(start);
                start
            }
        };
        for (row, key) in (first..).zip(&rows.keys) {
            Arc::make_mut(&mut self.shards[usize::from(key.0[0])]).insert(*key, row);
        }
        let block = match last {
            Some(last) => Arc::unwrap_or_clone(last).with(rows),
            None => Block::new(self.dimensions, rows),
        };
        self.blocks.push(Arc::new(block));
    }

    /// These vectors without those that `is_used` does not want, once they are more than half of all. Until then they stay:
    /// an undone change finds its vector again.
    pub(crate) fn swept(&self, is_used: impl Fn(&ContentHash) -> bool) -> Vectors {
        let keys = || self.blocks.iter().flat_map(|block| block.keys());
        if keys().filter(|key| is_used(key)).count() * 2 >= self.rows() {
            return self.clone();
        }
        self.without(is_used)
    }

    /// These vectors without all that `is_used` does not want.
    pub(crate) fn without(&self, is_used: impl Fn(&ContentHash) -> bool) -> Vectors {
        let mut kept = Rows::default();
        for block in &self.blocks {
            let used = block.keys().iter().enumerate().filter(|(_, key)| is_used(key));
            for (row, key) in used {
                kept.keys.push(*key);
                kept.lines.extend_from_slice(block.row(row));
            }
        }
        Vectors::new(self.fingerprint, self.dimensions, Vec::new()).extended(&kept)
    }
}

fn groups(block: &Block) -> u32 {
    block.keys().len().div_ceil(GROUP) as u32
}

/// Which chunks have which vectors. Chunks with the same content share one; a vector may have no chunk any more.
#[derive(Debug)]
pub(crate) struct Placed {
    /// How many chunks have one.
    pub(crate) count: usize,
    /// How many rows have a chunk.
    pub(super) living: usize,
    /// Whether these are all rows.
    pub(super) is_full: bool,
    /// Of each chunk its row, or [`NONE`].
    rows: Vec<u32>,
    /// Of each row, where its chunks end in `chunks`; they begin where those of the row before end, and the first entry is 0.
    ends: Vec<u32>,
    chunks: Vec<u32>,
    /// Of each group, which rows have a chunk.
    masks: Vec<u32>,
}

impl Placed {
    /// The row of a chunk.
    pub(super) fn row(&self, chunk: u32) -> Option<u32> {
        self.rows.get(chunk as usize).copied().filter(|row| *row != NONE)
    }

    /// The chunks of a row, the first one first.
    pub(super) fn chunks(&self, row: u32) -> &[u32] {
        &self.chunks[self.ends[row as usize] as usize..self.ends[row as usize + 1] as usize]
    }

    /// Of each group, which rows have a chunk.
    pub(super) fn masks(&self) -> &[u32] {
        &self.masks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::vectors::kernels::Line;

    fn key(n: u32) -> ContentHash {
        ContentHash::of(&n.to_le_bytes())
    }

    fn batch(fingerprint: u32, numbers: std::ops::Range<u32>) -> Batch {
        let keys: Vec<_> = numbers.clone().map(key).collect();
        let rows: Vec<_> = numbers.map(|n| vec![n as f32, 1.0, 0.5]).collect();
        Batch::new(key(fingerprint), &keys, &rows).unwrap()
    }

    fn bytes(vectors: &Vectors, n: u32) -> Vec<Line> {
        let (block, row) = vectors.locate(vectors.row_of(&key(n)).unwrap());
        assert_eq!(block.keys()[row], key(n));
        block.row(row).to_vec()
    }

    #[test]
    fn batches_add_up_and_blocks_stay_few() {
        let mut vectors = Vectors::default();
        for step in 0..100 {
            vectors = vectors.with(&batch(9, step * 32..step * 32 + 40)).unwrap();
        }
        assert_eq!(vectors.rows(), 3208);
        assert!(vectors.blocks.len() <= 5, "{}", vectors.blocks.len());
        for n in 0..3208 {
            let alone = Vectors::default().with(&batch(9, n..n + 1)).unwrap();
            assert_eq!(bytes(&vectors, n), bytes(&alone, n));
        }
        let kept = vectors.swept(|candidate| (0..100).any(|n| key(n) == *candidate));
        assert_eq!(kept.rows(), 100);
        assert_eq!(bytes(&kept, 42), bytes(&vectors, 42));
        assert!(!kept.contains(&key(100)));
    }

    #[test]
    fn a_batch_that_brings_nothing_new_changes_nothing() {
        let large = Vectors::default().with(&batch(9, 0..1500)).unwrap();
        let same = large.with(&batch(9, 200..400)).unwrap();
        assert_eq!((same.rows(), same.blocks.len()), (1500, 2));
        assert!(Arc::ptr_eq(&same.blocks[0], &large.blocks[0]));
    }

    #[test]
    fn a_change_shares_what_it_does_not_touch() {
        let large = Vectors::default().with(&batch(9, 0..5000)).unwrap();
        let next = large.with(&batch(9, 5000..5010)).unwrap();
        assert!(Arc::ptr_eq(&next.blocks[0], &large.blocks[0]));
        let copied = next.shards.iter().zip(&large.shards).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
        assert!(copied <= 10, "{copied} parts of the table were copied");
    }

    #[test]
    fn another_encoder_starts_anew_and_bad_batches_are_refused() {
        let vectors = Vectors::default().with(&batch(1, 0..5)).unwrap();
        let other = vectors.with(&batch(2, 3..4)).unwrap();
        assert_eq!((other.rows(), other.fingerprint()), (1, key(2)));
        let short = Batch::new(key(1), &[key(7)], &[vec![1.0]]).unwrap();
        assert!(vectors.with(&short).is_err());
        assert!(Batch::new(key(1), &[key(7)], &[]).is_err());
        assert!(Batch::new(key(1), &[key(7)], &[vec![f32::NAN]]).is_err());
        assert!(Batch::new(key(1), &[key(7), key(8)], &[vec![1.0], vec![1.0, 2.0]]).is_err());
    }
}
