//! The processor as a backend: floats in vectors, weights repacked for kernels of our own.

mod array;
mod level;
mod simd;
mod threads;

mod attention;
mod kernels;
mod linear;
mod math;
mod packed;
mod panels;

use candle_core::quantized::GgmlDType;
use rayon::prelude::*;

pub(super) use attention::Keys;
pub(super) use math::round_row;
pub(super) use packed::dequantise;
pub(super) use threads::Cpu;

use self::array::Array;
use self::kernels::BlockKernel;
use self::linear::Linear;
use self::math::MatrixView;
use self::packed::{Activations, BLOCK, Blocks, LANES, Packed, packed_block_bytes};
use self::threads::WORTH_A_THREAD;
use super::backend::{Activation, Angles, Backend, Heads, RawMatrix, Rotation};
use crate::inference::Precision;
use crate::{Error, Result};

/// A matrix to multiply with.
pub(super) enum Weight {
    Packed(Packed),
    Floats { rows: usize, columns: usize, data: Vec<f32> },
}

impl Weight {
    fn rows(&self) -> usize {
        match self {
            Weight::Packed(packed) => packed.rows,
            Weight::Floats { rows, .. } => *rows,
        }
    }
}

impl Cpu {
    fn multiply_blocks<B: BlockKernel>(&self, blocks: &[B], rows: usize, x: &Activations) -> Vec<f32> {
        let width = x.columns / BLOCK;
        let groups = blocks.len() / width;
        let group_size = x.rows * LANES;
        let cost = x.rows * rows * x.columns;
        // Several pieces for each thread, so that one that is held up does not hold up the others.
        let groups_at_once =
            if self.threads == 1 { groups } else { groups.div_ceil(4 * self.threads).max(1) };
        let mut grouped = vec![0f32; groups * group_size];
        self.split(&mut grouped, groups_at_once * group_size, cost, |index, out| {
            let blocks = &blocks[index * groups_at_once * width..];
            for (group, out) in blocks.chunks_exact(width).zip(out.chunks_exact_mut(group_size)) {
                B::multiply(group, x, out, self.level);
            }
        });
        if x.rows == 1 {
            grouped.truncate(rows);
            return grouped;
        }
        let mut data = vec![0f32; x.rows * rows];
        self.split(&mut data, rows, x.rows * rows, |row, out| {
            for (out, group) in out.chunks_mut(LANES).zip(grouped.chunks_exact(group_size)) {
                out.copy_from_slice(&group[row * LANES..][..out.len()]);
            }
        });
        data
    }
}

impl Backend for Cpu {
    type Array = Array;
    type Vector = Vec<f32>;
    type Weight = Weight;
    type Linear = Linear;
    type Cache = Keys;

    fn weight_bytes(&self, dtype: GgmlDType, rows: usize, columns: usize) -> u64 {
        match packed_block_bytes(dtype, columns) {
            Some(bytes) => (rows.next_multiple_of(LANES) * (columns / BLOCK) * bytes) as u64,
            None => rows as u64 * columns as u64 * size_of::<f32>() as u64,
        }
    }

    fn weight(&self, raw: RawMatrix) -> Result<Weight> {
        let RawMatrix { dtype, rows, columns, bytes } = raw;
        if packed_block_bytes(dtype, columns).is_some() {
            Packed::new(dtype, rows, columns, bytes.as_slice(), &self.cancel).map(Weight::Packed)
        } else {
            Ok(Weight::Floats { rows, columns, data: dequantise(dtype, bytes.as_slice(), rows * columns)? })
        }
    }

    fn vector(&self, floats: Vec<f32>) -> Result<Vec<f32>> {
        Ok(floats)
    }

    fn linear(&self, weights: &[f32], bias: Vec<f32>, precision: Precision) -> Result<Linear> {
        Linear::new(weights, bias, precision)
    }

    fn cache(&self, heads: Heads, capacity: usize) -> Result<Keys> {
        Keys::new(heads, capacity)
    }

    fn array(&self, data: Vec<f32>, columns: usize) -> Result<Array> {
        Ok(Array { columns, data })
    }

    fn embed(&self, table: &Weight, ids: &[u32]) -> Result<Array> {
        let (Weight::Floats { rows, columns, .. } | Weight::Packed(Packed { rows, columns, .. })) = table;
        let mut data = vec![0.0; ids.len() * columns];
        for (&id, out) in ids.iter().zip(data.chunks_exact_mut(*columns)) {
            let id = id as usize;
            if id >= *rows {
                return Err(Error::invalid(format!("{id} is no token: the vocabulary has {rows}")));
            }
            match table {
                Weight::Packed(packed) => packed.row(id, out),
                Weight::Floats { data, columns, .. } => {
                    out.copy_from_slice(&data[id * columns..][..*columns])
                }
            }
        }
        Ok(Array { columns: *columns, data })
    }

    fn multiply<const N: usize>(&self, x: &Array, weights: [&Weight; N]) -> Result<[Array; N]> {
        let any_packed = weights.iter().any(|weight| matches!(weight, Weight::Packed(_)));
        let rounded = any_packed.then(|| Activations::new(&x.data, x.columns));
        let rounded = rounded.unwrap_or_default();
        Ok(weights.map(|weight| {
            let columns = weight.rows();
            let data = match weight {
                Weight::Packed(Packed { blocks: Blocks::Four(blocks), .. }) => {
                    self.multiply_blocks(blocks, columns, &rounded)
                }
                Weight::Packed(Packed { blocks: Blocks::Eight(blocks), .. }) => {
                    self.multiply_blocks(blocks, columns, &rounded)
                }
                Weight::Floats { columns: width, data, .. } => {
                    let mut out = vec![0.0; x.rows() * columns];
                    let transposed = MatrixView { data, row: 1, column: *width };
                    let x_view = MatrixView { data: &x.data, row: x.columns, column: 1 };
                    let threads = if x.rows() * columns * width < WORTH_A_THREAD { 1 } else { self.threads };
                    math::multiply(
                        (x.rows(), columns, *width),
                        x_view,
                        transposed,
                        &mut out,
                        columns,
                        threads,
                    );
                    out
                }
            };
            Array { columns, data }
        }))
    }

    fn add(&self, mut x: Array, y: &Array) -> Result<Array> {
        math::add_scaled(&mut x.data, 1.0, &y.data);
        Ok(x)
    }

    fn add_bias(&self, mut x: Array, bias: &Vec<f32>) -> Result<Array> {
        for row in x.data.chunks_exact_mut(bias.len()) {
            math::add_scaled(row, 1.0, bias);
        }
        Ok(x)
    }

    fn rms_norm(&self, x: &Array, weight: &Vec<f32>, epsilon: f32) -> Result<Array> {
        let mut out = Array { columns: x.columns, data: vec![0.0; x.data.len()] };
        self.for_rows(&mut out, |row, piece| {
            math::rms_norm(&x.data[row * x.columns..][..piece.len()], weight, epsilon, piece);
        });
        Ok(out)
    }

    fn apply(&self, x: &Array, linear: &Linear) -> Result<Array> {
        Ok(self.apply_linear(x, linear))
    }

    fn feed_forward(&self, x: &Array, up: &Linear, activation: Activation, down: &Linear) -> Result<Array> {
        Ok(self.apply_pair(x, up, activation, down))
    }

    fn layer_norm(
        &self,
        mut x: Array,
        y: Option<&Array>,
        weight: &Vec<f32>,
        bias: &Vec<f32>,
        epsilon: f32,
    ) -> Result<Array> {
        let columns = x.columns;
        self.for_rows(&mut x, |row, piece| {
            let y = y.map(|y| &y.data[row * columns..][..piece.len()]);
            math::layer_norm(piece, y.unwrap_or_default(), weight, bias, epsilon);
        });
        Ok(x)
    }

    fn rotate(&self, mut x: Array, angles: &Angles, rotation: Rotation) -> Result<Array> {
        let half = angles.cos.len() / x.rows();
        let columns = x.columns;
        for (row, heads) in x.data.chunks_exact_mut(columns).enumerate() {
            let (cos, sin) = (&angles.cos[row * half..][..half], &angles.sin[row * half..][..half]);
            for head in heads.chunks_exact_mut(2 * half) {
                match rotation {
                    Rotation::Neighbours => math::rotate_neighbours(head, cos, sin),
                    Rotation::Halves => math::rotate_halves(head, cos, sin),
                }
            }
        }
        Ok(x)
    }

    fn gated_silu(&self, mut gate: Array, up: &Array) -> Result<Array> {
        let columns = gate.columns;
        self.for_rows(&mut gate, |row, piece| {
            math::gated_silu(piece, &up.data[row * columns..][..piece.len()])
        });
        Ok(gate)
    }

    fn attend(
        &self,
        cache: &mut Keys,
        position: usize,
        q: &Array,
        k: &Array,
        v: &Array,
        heads: Heads,
    ) -> Result<Array> {
        cache.write(position, k, v);
        Ok(self.attend_to(cache, position, q, heads))
    }

    fn attend_within(&self, lengths: &[usize], x: &Array, heads: Heads) -> Result<Array> {
        Ok(self.attend_to_texts(lengths, x, heads))
    }

    fn last_row(&self, mut x: Array) -> Result<Array> {
        x.data.drain(..x.data.len() - x.columns);
        Ok(x)
    }

    fn floats(&self, x: Array) -> Result<Vec<f32>> {
        Ok(x.data)
    }

    fn each<T: Send>(&self, count: usize, work: impl Fn(usize) -> Result<T> + Send + Sync) -> Result<Vec<T>> {
        if self.threads == 1 {
            (0..count).map(work).collect()
        } else {
            (0..count).into_par_iter().with_max_len(1).map(work).collect()
        }
    }

    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }
}
