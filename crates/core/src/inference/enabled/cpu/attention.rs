//! Attention on the processor.

use super::super::backend::Heads;
use super::array::Array;
use super::linear::filled;
use super::math::{self, MatrixView};
use super::panels::{self, PANEL, Rows, Target};
use super::threads::Cpu;
use crate::{Error, ErrorKind, Result};

/// Rows of queries that attend together: their scores for a text of usual length fit into the first cache.
const ROWS_AT_ONCE: usize = 24;

/// The keys and values of one head of a text in panels, and the scores of some rows.
#[derive(Default)]
struct Scratch {
    keys: Vec<f32>,
    values: Vec<f32>,
    scores: Vec<f32>,
}

/// The keys and values of one layer, for each head token after token. Taken once for a session and written in place.
pub(in super::super) struct Keys {
    heads: Heads,
    capacity: usize,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Keys {
    pub(super) fn new(heads: Heads, capacity: usize) -> Result<Self> {
        let zeros = || {
            let len = heads.key * heads.size * capacity;
            let mut zeros = Vec::new();
            zeros.try_reserve_exact(len).map_err(|error| {
                let message = format!("there is no memory for a session of {capacity} tokens; ask for fewer");
                Error::new(ErrorKind::Limit, message).with_source(error)
            })?;
            zeros.resize(len, 0f32);
            Ok(zeros)
        };
        Ok(Keys { heads, capacity, keys: zeros()?, values: zeros()? })
    }

    /// Heads, and columns of each.
    pub(in super::super) fn shape(&self) -> (usize, usize) {
        (self.heads.key, self.heads.size)
    }

    pub(super) fn write(&mut self, position: usize, k: &Array, v: &Array) {
        let (size, columns) = (self.heads.size, self.heads.key * self.heads.size);
        for (to, from) in [(&mut self.keys, k), (&mut self.values, v)] {
            for (row, from) in from.data.chunks_exact(columns).enumerate() {
                for (head, from) in from.chunks_exact(size).enumerate() {
                    to[(head * self.capacity + position + row) * size..][..size].copy_from_slice(from);
                }
            }
        }
    }
}

impl Cpu {
    /// Attention of `q`, whose first row stands at `position`, to everything up to each row.
    pub(super) fn attend_to(&self, cache: &Keys, position: usize, q: &Array, heads: Heads) -> Array {
        let (rows, size) = (q.rows(), heads.size);
        let length = position + rows;
        let group = heads.query / heads.key;
        let scale = 1.0 / (size as f32).sqrt();
        self.by_head(rows, heads, length, |head, out| {
            let start = head / group * cache.capacity * size;
            let (keys, values) =
                (&cache.keys[start..][..length * size], &cache.values[start..][..length * size]);
            let q = MatrixView { data: &q.data[head * size..], row: q.columns, column: 1 };
            let mut weights = vec![0f32; rows * length];
            if rows == 1 {
                for (weight, key) in weights.iter_mut().zip(keys.chunks_exact(size)) {
                    *weight = math::dot(&q.data[..size], key);
                }
                math::softmax(&mut weights, scale);
                for (weight, value) in weights.iter().zip(values.chunks_exact(size)) {
                    math::add_scaled(out, *weight, value);
                }
                return;
            }
            math::multiply(
                (rows, length, size),
                q,
                MatrixView { data: keys, row: 1, column: size },
                &mut weights,
                length,
                1,
            );
            for (row, weights) in weights.chunks_exact_mut(length).enumerate() {
                let (seen, ahead) = weights.split_at_mut(position + row + 1);
                math::softmax(seen, scale);
                ahead.fill(0.0);
            }
            let weights = MatrixView { data: &weights, row: length, column: 1 };
            math::multiply(
                (rows, size, length),
                weights,
                MatrixView { data: values, row: size, column: 1 },
                out,
                size,
                1,
            );
        })
    }

    /// Attention within each text, in both directions. Keys and values of a head are put into panels once; then some rows after the
    /// other go through scores and softmax to their sums of values, without leaving the first cache.
    pub(super) fn attend_to_texts(&self, lengths: &[usize], x: &Array, heads: Heads) -> Array {
        let (size, width) = (heads.size, heads.query * heads.size);
        let rows = x.rows();
        assert_eq!(lengths.iter().sum::<usize>(), rows, "the texts have other tokens");
        let data = filled(rows, width, |target| {
            let mut start = 0;
            for &length in lengths {
                let text = &x.data[start * x.columns..][..length * x.columns];
                // SAFETY: texts have no row in common.
                let target = unsafe { target.part(start..start + length, 0..width) };
                self.pieces(heads.query, 2 * length * length * width, |numbers| {
                    let mut scratch = Scratch::default();
                    for head in numbers {
                        let columns = head * size..(head + 1) * size;
                        // SAFETY: heads have no column in common.
                        let target = unsafe { target.part(0..length, columns.clone()) };
                        let [q, k, v] =
                            [0, 1, 2].map(|part| text.get(part * width + columns.start..).unwrap_or(&[]));
                        panels::pack(k, x.columns, length, size, &mut scratch.keys);
                        panels::pack_columns(v, x.columns, length, size, &mut scratch.values);
                        let q = Rows { data: q, stride: x.columns, count: length };
                        self.attend_by_rows(q, &mut scratch, target);
                    }
                });
                start += length;
            }
        });
        Array { columns: width, data }
    }

    /// Fills `target` with the attention of `q` to the keys and values in `scratch`, of which there are as many as rows.
    fn attend_by_rows(&self, q: Rows<'_>, scratch: &mut Scratch, target: Target<'_>) {
        let Scratch { keys, values, scores } = scratch;
        let (length, size) = (q.count, target.columns());
        let stride = length.next_multiple_of(PANEL);
        for first in (0..length).step_by(ROWS_AT_ONCE) {
            let rows = first..length.min(first + ROWS_AT_ONCE);
            let count = rows.len();
            let q = Rows { data: &q.data[first * q.stride..], stride: q.stride, count };
            scores.clear();
            scores.reserve(count * stride);
            let memory = &mut scores.spare_capacity_mut()[..count * stride];
            panels::multiply(self.level, q, size, keys, None, Target::new(memory, stride));
            // SAFETY: the product filled them.
            unsafe { scores.set_len(count * stride) };
            let mut factors = [0f32; ROWS_AT_ONCE];
            for (scores, factor) in scores.chunks_exact_mut(stride).zip(&mut factors) {
                *factor = 1.0 / math::exponentials(&mut scores[..length]);
            }
            // SAFETY: the rows are those of this round.
            let mut target = unsafe { target.part(rows, 0..size) };
            panels::multiply(self.level, Rows { data: scores, stride, count }, length, values, None, target);
            for (row, factor) in factors[..count].iter().enumerate() {
                // SAFETY: the product filled it.
                math::scale(unsafe { target.row(row) }, *factor);
            }
        }
    }

    /// Computes each head's `rows` × `size` output on some thread and puts them side by side.
    fn by_head(
        &self,
        rows: usize,
        heads: Heads,
        length: usize,
        work: impl Fn(usize, &mut [f32]) + Send + Sync,
    ) -> Array {
        let (size, columns) = (heads.size, heads.query * heads.size);
        let mut by_head = vec![0f32; rows * columns];
        self.split(&mut by_head, rows * size, 4 * rows * length * columns, work);
        if rows == 1 {
            return Array { columns, data: by_head };
        }
        let mut data = vec![0f32; rows * columns];
        for (head, from) in by_head.chunks_exact(rows * size).enumerate() {
            for (row, from) in from.chunks_exact(size).enumerate() {
                data[row * columns + head * size..][..size].copy_from_slice(from);
            }
        }
        Array { columns, data }
    }
}
