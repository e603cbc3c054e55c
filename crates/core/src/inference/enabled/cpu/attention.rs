//! Attention on the processor.

use super::super::backend::Heads;
use super::math::{self, View};
use super::{Array, Cpu};
use crate::{Error, ErrorKind, Result};

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
            let q = View { data: &q.data[head * size..], row: q.columns, column: 1 };
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
                View { data: keys, row: 1, column: size },
                &mut weights,
                length,
                1,
            );
            for (row, weights) in weights.chunks_exact_mut(length).enumerate() {
                let (seen, ahead) = weights.split_at_mut(position + row + 1);
                math::softmax(seen, scale);
                ahead.fill(0.0);
            }
            let weights = View { data: &weights, row: length, column: 1 };
            math::multiply(
                (rows, size, length),
                weights,
                View { data: values, row: size, column: 1 },
                out,
                size,
                1,
            );
        })
    }

    /// Attention within each text, in both directions.
    pub(super) fn attend_to_texts(
        &self,
        lengths: &[usize],
        q: &Array,
        k: &Array,
        v: &Array,
        heads: Heads,
    ) -> Array {
        let (rows, size, columns) = (q.rows(), heads.size, q.columns);
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let scale = 1.0 / (size as f32).sqrt();
        self.by_head(rows, heads, longest, |head, out| {
            let mut weights = vec![0f32; longest * longest];
            let mut start = 0;
            for &length in lengths {
                let at = start * columns + head * size;
                let weights = &mut weights[..length * length];
                let q = View { data: &q.data[at..], row: columns, column: 1 };
                let k = View { data: &k.data[at..], row: 1, column: columns };
                math::multiply((length, length, size), q, k, weights, length, 1);
                for weights in weights.chunks_exact_mut(length) {
                    math::softmax(weights, scale);
                }
                let weights = View { data: weights, row: length, column: 1 };
                let v = View { data: &v.data[at..], row: columns, column: 1 };
                math::multiply((length, size, length), weights, v, &mut out[start * size..], size, 1);
                start += length;
            }
        })
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
