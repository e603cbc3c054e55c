//! The processor as a backend: floats in vectors, weights repacked for kernels of our own.

mod level;
mod simd;

mod attention;
mod kernels;
mod linear;
mod math;
mod packed;
mod panels;

use std::ops::Range;

use candle_core::quantized::GgmlDType;
use rayon::prelude::*;

pub(super) use attention::Keys;
pub(super) use math::round_row;
pub(super) use packed::dequantise;

use self::kernels::Kernel;
use self::level::Level;
use self::linear::Linear;
use self::math::View;
use self::packed::{Activations, BLOCK, Blocks, LANES, Packed, packed_block_bytes};
use super::backend::{Activation, Angles, Backend, Heads, RawMatrix, Rotation};
use crate::inference::{LoadOptions, Precision};
use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

/// Products with fewer multiplications than this are not worth waking another thread for.
const WORTH_A_THREAD: usize = 1 << 18;

/// Threads of our own, and the instructions that they may use.
pub(super) struct Cpu {
    pool: rayon::ThreadPool,
    threads: usize,
    level: Level,
    cancel: Cancel,
}

/// A matrix of floats, row by row.
pub(super) struct Array {
    columns: usize,
    data: Vec<f32>,
}

impl Array {
    fn rows(&self) -> usize {
        self.data.len() / self.columns
    }
}

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
    pub(super) fn new(options: &LoadOptions) -> Result<Self> {
        let threads = options.thread_count();
        let mut builder = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("ambix-model-{index}"));
        if let Some(start) = options.on_thread_start.clone() {
            builder = builder.start_handler(move |_| start());
        }
        let pool = builder.build().map_err(|error| {
            Error::new(ErrorKind::Limit, format!("{threads} threads cannot be started: {error}"))
                .with_source(error)
        })?;
        Ok(Cpu { pool, threads, level: Level::detect(), cancel: options.cancel.clone() })
    }

    /// Runs `work` on pieces of `data` of `size` elements, on all threads if it is worth it.
    fn split<T: Send>(
        &self,
        data: &mut [T],
        size: usize,
        cost: usize,
        work: impl Fn(usize, &mut [T]) + Send + Sync,
    ) {
        if self.threads == 1 || cost < WORTH_A_THREAD {
            data.chunks_mut(size).enumerate().for_each(|(index, piece)| work(index, piece));
        } else {
            data.par_chunks_mut(size).enumerate().for_each(|(index, piece)| work(index, piece));
        }
    }

    /// Runs `work` on pieces of `0..count`, on all threads if it is worth it.
    fn pieces(&self, count: usize, cost: usize, work: impl Fn(Range<usize>) + Send + Sync) {
        if self.threads == 1 || cost < WORTH_A_THREAD {
            work(0..count);
            return;
        }
        // As many as threads: a piece goes to another thread only if one has nothing else to do.
        let size = count.div_ceil(self.threads).max(1);
        let pieces = (0..count.div_ceil(size)).into_par_iter();
        pieces.for_each(|piece| work(piece * size..count.min((piece + 1) * size)));
    }

    fn multiply_blocks<B: Kernel>(&self, blocks: &[B], rows: usize, x: &Activations) -> Vec<f32> {
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

    /// Runs an operation on every row or on pieces of rows.
    fn for_rows(&self, x: &mut Array, work: impl Fn(usize, &mut [f32]) + Send + Sync) {
        let rows = x.rows().div_ceil(4 * self.threads).max(1);
        // An element here costs several times what a multiplication in a matrix does.
        let cost = x.data.len() * 8;
        let columns = x.columns;
        self.split(&mut x.data, rows * columns, cost, |index, piece| work(index * rows, piece));
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
                    let transposed = View { data, row: 1, column: *width };
                    let x_view = View { data: &x.data, row: x.columns, column: 1 };
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
