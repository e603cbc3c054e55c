//! Vectors of chunks, named by what was encoded, and exact search among them.

use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::source::ContentHash;
use crate::{Cancel, Error, Result};

/// Small blocks are joined up to so many rows, so that there are few.
const ROWS_PER_BLOCK: usize = 1024;

/// Fewer rows than this are not worth a second thread.
const PARALLEL_FROM: usize = 4096;

/// What turns texts into vectors.
pub trait Embedder: Sync {
    /// How many numbers a vector has.
    fn dimensions(&self) -> usize;

    /// Names the encoder, its weights and its settings: vectors of different fingerprints are never compared.
    fn fingerprint(&self) -> ContentHash;

    /// One vector for each text, in the same order.
    ///
    /// # Errors
    /// The encoder's own, and those of [`Cancel::check`].
    fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>>;

    /// The vector of a question, to be compared with those of [`Embedder::embed`]: of the same encoder, unless it tells
    /// questions from what they are about.
    ///
    /// # Errors
    /// As [`Embedder::embed`]; [`crate::ErrorKind::Model`] if that gives no vector.
    fn embed_query(&self, text: &str, cancel: &Cancel) -> Result<Vec<f32>> {
        let missing = || Error::new(crate::ErrorKind::Model, "the encoder gave no vector");
        self.embed(&[text], cancel)?.pop().ok_or_else(missing)
    }
}

impl Embedder for crate::inference::Encoder {
    fn dimensions(&self) -> usize {
        self.dimensions()
    }

    fn fingerprint(&self) -> ContentHash {
        ContentHash::of(self.fingerprint().as_bytes())
    }

    fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>> {
        self.embed(texts, cancel)
    }
}

/// Vectors of some chunks' contents, ready to be put into an index.
#[derive(Clone, Debug)]
pub struct Batch {
    fingerprint: ContentHash,
    block: Block,
}

impl Batch {
    /// `rows` are the vectors of the contents that `keys` name, made by the encoder `fingerprint`. They are scaled to length 1.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there is not one row for each key, or rows have different lengths, none,
    /// or hold what is not a number.
    pub fn new(fingerprint: ContentHash, keys: &[ContentHash], rows: &[Vec<f32>]) -> Result<Batch> {
        if keys.len() != rows.len() {
            return Err(Error::invalid(format!(
                "{} vectors were given for {} chunks",
                rows.len(),
                keys.len()
            )));
        }
        let dimensions = rows.first().map_or(0, Vec::len);
        let mut data = Vec::with_capacity(rows.len() * dimensions);
        for row in rows {
            if row.len() != dimensions || dimensions == 0 {
                return Err(Error::invalid("all vectors must have the same length, which is not 0"));
            }
            data.extend(normalised(row)?);
        }
        Ok(Batch { fingerprint, block: Block::new(keys.to_vec(), data) })
    }

    /// How many vectors it has.
    pub fn len(&self) -> usize {
        self.block.keys.len()
    }

    /// Whether it has no vector.
    pub fn is_empty(&self) -> bool {
        self.block.keys.is_empty()
    }

    /// The encoder that made it.
    pub fn fingerprint(&self) -> ContentHash {
        self.fingerprint
    }
}

/// `vector` scaled to length 1; all zeros stay so.
pub(crate) fn normalised(vector: &[f32]) -> Result<Vec<f32>> {
    if vector.iter().any(|value| !value.is_finite()) {
        return Err(Error::invalid("a vector holds something that is not a finite number"));
    }
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    Ok(vector.iter().map(|value| (f64::from(*value) * scale) as f32).collect())
}

/// Rows of numbers and the name of each: what is shared between versions and stored as one record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    /// Of the keys: the content of a key never changes, so neither does the block of this name.
    pub(crate) id: ContentHash,
    pub(crate) keys: Vec<ContentHash>,
    pub(crate) data: Vec<f32>,
}

impl Block {
    fn new(keys: Vec<ContentHash>, data: Vec<f32>) -> Block {
        let bytes: Vec<u8> = keys.iter().flat_map(|key| key.0).collect();
        Block { id: ContentHash::of(&bytes), keys, data }
    }

    /// Whether its parts fit each other: what [`Block::new`] makes true, and a stored block must be.
    pub(crate) fn is_sound(&self, dimensions: usize) -> bool {
        self.data.len() == self.keys.len() * dimensions && self.data.iter().all(|value| value.is_finite())
    }
}

#[derive(Clone, Copy, Debug)]
struct Row {
    block: u32,
    row: u32,
}

/// Where the vectors of all chunks are, by the chunks' numbers.
#[derive(Debug)]
pub(crate) struct Placed {
    rows: Vec<Option<Row>>,
    /// How many chunks have one.
    pub(crate) count: usize,
}

/// The vectors of one version, all of one encoder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vectors {
    fingerprint: ContentHash,
    dimensions: usize,
    blocks: Vec<Arc<Block>>,
    rows: Arc<FxHashMap<ContentHash, Row>>,
}

impl Vectors {
    pub(crate) fn new(fingerprint: ContentHash, dimensions: usize, blocks: Vec<Arc<Block>>) -> Vectors {
        let mut rows = FxHashMap::default();
        for (at, block) in (0..).zip(&blocks) {
            for (row, key) in (0..).zip(&block.keys) {
                rows.entry(*key).or_insert(Row { block: at, row });
            }
        }
        Vectors { fingerprint, dimensions, blocks, rows: Arc::new(rows) }
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

    pub(crate) fn contains(&self, key: &ContentHash) -> bool {
        self.rows.contains_key(key)
    }

    /// Where the vectors of `keys` are.
    pub(crate) fn placed(&self, keys: &[ContentHash]) -> Placed {
        let rows: Vec<Option<Row>> = keys.iter().map(|key| self.rows.get(key).copied()).collect();
        Placed { count: rows.iter().flatten().count(), rows }
    }

    fn get(&self, key: &ContentHash) -> Option<&[f32]> {
        Some(self.row(*self.rows.get(key)?))
    }

    fn row(&self, Row { block, row }: Row) -> &[f32] {
        let start = row as usize * self.dimensions;
        &self.blocks[block as usize].data[start..start + self.dimensions]
    }

    /// These vectors and those of `batch`. Those of another encoder are dropped.
    pub(crate) fn with(&self, batch: Batch) -> Result<Vectors> {
        let Batch { fingerprint, block } = batch;
        if block.keys.is_empty() {
            return Ok(self.clone());
        }
        let dimensions = block.data.len() / block.keys.len();
        if fingerprint != self.fingerprint || self.blocks.is_empty() {
            return Ok(Vectors::new(fingerprint, dimensions, vec![Arc::new(block)]));
        }
        if dimensions != self.dimensions {
            return Err(Error::invalid(format!(
                "the vectors have {dimensions} numbers each, those in the index {}",
                self.dimensions
            )));
        }
        let mut next = self.clone();
        let last = match next.blocks.last() {
            Some(last) if last.keys.len() + block.keys.len() <= ROWS_PER_BLOCK => next.blocks.pop(),
            _ => None,
        };
        let (mut keys, mut data) =
            last.map_or_else(Default::default, |last| (last.keys.clone(), last.data.clone()));
        let at = next.blocks.len() as u32;
        let rows = Arc::make_mut(&mut next.rows);
        for (key, row) in block.keys.iter().zip(block.data.chunks_exact(dimensions)) {
            if rows.contains_key(key) {
                continue;
            }
            rows.insert(*key, Row { block: at, row: keys.len() as u32 });
            keys.push(*key);
            data.extend_from_slice(row);
        }
        next.blocks.push(Arc::new(Block::new(keys, data)));
        Ok(next)
    }

    /// These vectors without those that `is_used` does not want, once they are more than half of all. Until then they stay:
    /// an undone change finds its vector again.
    pub(crate) fn swept(&self, is_used: impl Fn(&ContentHash) -> bool) -> Vectors {
        let used = self.rows.keys().filter(|key| is_used(key)).count();
        if used * 2 >= self.rows.len() {
            return self.clone();
        }
        let mut blocks = Vec::new();
        let (mut keys, mut data) = (Vec::new(), Vec::new());
        for key in self.blocks.iter().flat_map(|block| &block.keys).filter(|key| is_used(key)) {
            if let Some(row) = self.get(key) {
                keys.push(*key);
                data.extend_from_slice(row);
            }
            if keys.len() == ROWS_PER_BLOCK {
                blocks.push(Arc::new(Block::new(std::mem::take(&mut keys), std::mem::take(&mut data))));
            }
        }
        if !keys.is_empty() {
            blocks.push(Arc::new(Block::new(keys, data)));
        }
        Vectors::new(self.fingerprint, self.dimensions, blocks)
    }

    /// The dot product of `query` with each of the vectors; `None` where there is none.
    pub(crate) fn scores(&self, query: &[f32], placed: &Placed) -> Vec<Option<f32>> {
        let score = |row: &Option<Row>| row.map(|row| dot(query, self.row(row)));
        if placed.count < PARALLEL_FROM {
            placed.rows.iter().map(score).collect()
        } else {
            placed.rows.par_iter().with_min_len(PARALLEL_FROM / 4).map(score).collect()
        }
    }
}

/// Sums in eight lanes, always in the same order: the compiler makes SIMD of it, and the result never depends on threads.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> ContentHash {
        ContentHash::of(&n.to_le_bytes())
    }

    fn batch(fingerprint: u32, numbers: std::ops::Range<u32>) -> Batch {
        let keys: Vec<_> = numbers.clone().map(key).collect();
        let rows: Vec<_> = numbers.map(|n| vec![n as f32, 1.0, 0.5]).collect();
        Batch::new(key(fingerprint), &keys, &rows).unwrap()
    }

    #[test]
    fn batches_add_up_and_blocks_stay_few() {
        let mut vectors = Vectors::default();
        for step in 0..100 {
            vectors = vectors.with(batch(9, step * 32..step * 32 + 40)).unwrap();
        }
        assert_eq!(vectors.rows.len(), 3208);
        assert!(vectors.blocks.len() <= 5, "{}", vectors.blocks.len());
        for n in 0..3208 {
            let expected = normalised(&[n as f32, 1.0, 0.5]).unwrap();
            assert_eq!(vectors.get(&key(n)).unwrap(), expected);
        }
        let kept = vectors.swept(|candidate| (0..100).any(|n| key(n) == *candidate));
        assert_eq!(kept.rows.len(), 100);
        assert_eq!(kept.get(&key(42)), vectors.get(&key(42)));
        assert!(!kept.contains(&key(100)));
    }

    #[test]
    fn another_encoder_starts_anew_and_bad_batches_are_refused() {
        let vectors = Vectors::default().with(batch(1, 0..5)).unwrap();
        let other = vectors.with(batch(2, 3..4)).unwrap();
        assert_eq!((other.rows.len(), other.fingerprint()), (1, key(2)));
        let short = Batch::new(key(1), &[key(7)], &[vec![1.0]]).unwrap();
        assert!(vectors.with(short).is_err());
        assert!(Batch::new(key(1), &[key(7)], &[]).is_err());
        assert!(Batch::new(key(1), &[key(7)], &[vec![f32::NAN]]).is_err());
        assert!(Batch::new(key(1), &[key(7), key(8)], &[vec![1.0], vec![1.0, 2.0]]).is_err());
    }

    #[test]
    fn search_is_the_dot_product_of_what_there_is() {
        let vectors = Vectors::default().with(batch(1, 0..3)).unwrap();
        let scores = vectors.scores(&[0.0, 1.0, 0.0], &vectors.placed(&[key(0), key(77), key(2)]));
        assert!(scores[1].is_none());
        assert!(scores[0].unwrap() > scores[2].unwrap());
        let long: Vec<f32> = (0..19).map(|n| n as f32).collect();
        assert_eq!(dot(&long, &long), (0..19).map(|n| (n * n) as f32).sum::<f32>());
    }
}
