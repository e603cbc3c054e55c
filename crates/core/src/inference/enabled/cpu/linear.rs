//! The linear layers of an encoder, in panels.

use std::ops::Range;

use super::super::backend::Activation;
use super::array::Array;
use super::level::InstructionSet;
use super::math;
use super::panels::{
    self, ByteColumns, ByteRows, MAX_BYTE_DEPTH, PANEL, QUAD, Rows, Target, byte_at, multiply, multiply_bytes,
};
use super::threads::Cpu;
use crate::inference::Precision;
use crate::{Error, ErrorKind, Result};

/// Rows that go through a layer together: they and what becomes of them stay in the second cache.
const ROWS_AT_ONCE: usize = 256;

/// Weights and a bias. What fills up the last panel is zero.
pub(in super::super) struct Linear {
    inputs: usize,
    outputs: usize,
    weights: Weights,
    bias: Vec<f32>,
}

enum Weights {
    Floats(Vec<f32>),
    /// The weights of an output are rounded to whole multiples of its scale, -127 to 127 (symmetric, per channel).
    Bytes {
        quants: Vec<i8>,
        scales: Vec<f32>,
        column_sums: Vec<i32>,
    },
}

impl Linear {
    /// `weights` has a row of `inputs` numbers for each of the outputs that `bias` has.
    pub(super) fn new(weights: &[f32], mut bias: Vec<f32>, precision: Precision) -> Result<Self> {
        let outputs = bias.len();
        let inputs = weights.len() / outputs.max(1);
        bias.resize(outputs.next_multiple_of(PANEL), 0.0);
        let weights = match precision {
            Precision::Fp32 => {
                let mut panels = Vec::new();
                panels::pack(weights, inputs, outputs, inputs, &mut panels);
                Weights::Floats(panels)
            }
            Precision::Int8 => {
                let depth = inputs.next_multiple_of(QUAD);
                if depth > MAX_BYTE_DEPTH {
                    let message =
                        format!("a layer with {inputs} inputs cannot be computed in INT8; use FP32");
                    return Err(Error::new(ErrorKind::Model, message));
                }
                let mut quants = vec![0i8; bias.len() * depth];
                let mut scales = vec![0f32; bias.len()];
                let mut column_sums = vec![0i32; bias.len()];
                let mut rounded = vec![0i8; inputs];
                for (output, weights) in weights.chunks_exact(inputs).enumerate() {
                    scales[output] = math::round_row(weights, &mut rounded);
                    column_sums[output] = rounded.iter().map(|&quant| i32::from(quant)).sum::<i32>();
                    for (input, quant) in rounded.iter().enumerate() {
                        quants[byte_at(depth, input, output)] = *quant;
                    }
                }
                Weights::Bytes { quants, scales, column_sums }
            }
        };
        Ok(Linear { inputs, outputs, weights, bias })
    }

    /// Fills `target` with the outputs in `panels` for rows that were rounded if the weights are bytes.
    fn multiply(&self, level: InstructionSet, x: &Input<'_>, panels: Range<usize>, target: Target<'_>) {
        let columns = panels.start * PANEL..panels.end * PANEL;
        match &self.weights {
            Weights::Floats(floats) => {
                let floats = &floats[columns.start * self.inputs..columns.end * self.inputs];
                multiply(level, x.rows, self.inputs, floats, Some(&self.bias[columns]), target);
            }
            Weights::Bytes { quants, scales, column_sums } => {
                let rounded = &x.rounded;
                let factor = ByteColumns {
                    quants: &quants[columns.start * rounded.depth..columns.end * rounded.depth],
                    scales: &scales[columns.clone()],
                    column_sums: &column_sums[columns.clone()],
                    bias: &self.bias[columns],
                };
                multiply_bytes(level, rounded, factor, target);
            }
        }
    }
}

/// Rows as a layer takes them.
struct Input<'a> {
    rows: Rows<'a>,
    /// Empty for a layer of floats.
    rounded: ByteRows,
}

impl<'a> Input<'a> {
    /// Rows of `inputs` numbers, one behind the other.
    fn new(level: InstructionSet, floats: &'a [f32], linear: &Linear) -> Self {
        let rows = Rows { data: floats, stride: linear.inputs, count: floats.len() / linear.inputs };
        let rounded = match linear.weights {
            Weights::Bytes { .. } => round_rows(level, floats, linear.inputs),
            Weights::Floats(_) => ByteRows::default(),
        };
        Input { rows, rounded }
    }
}

/// Rounds each row to bytes, with a scale and an offset of its own: few rows are symmetric.
fn round_rows(level: InstructionSet, floats: &[f32], columns: usize) -> ByteRows {
    let (count, depth) = (floats.len() / columns, columns.next_multiple_of(QUAD));
    let flip = if panels::unsigned(level) { 128 } else { 0 };
    let mut rows = ByteRows {
        count,
        depth,
        quants: vec![0; count * depth],
        scales: Vec::with_capacity(count),
        offsets: Vec::with_capacity(count),
    };
    for (row, quants) in floats.chunks_exact(columns).zip(rows.quants.chunks_exact_mut(depth)) {
        let (scale, offset) = math::round_range(row, flip, &mut quants[..columns]);
        rows.scales.push(scale);
        rows.offsets.push(offset - i32::from(flip));
    }
    rows
}

impl Cpu {
    /// `x × weights + bias`.
    pub(super) fn apply_linear(&self, x: &Array, linear: &Linear) -> Array {
        self.by_blocks(x, linear.outputs, |rows, target| self.fill(rows, linear, None, target))
    }

    /// `activation(x × up) × down`, with their biases.
    pub(super) fn apply_pair(&self, x: &Array, up: &Linear, activation: Activation, down: &Linear) -> Array {
        self.by_blocks(x, down.outputs, |rows, target| {
            let count = rows.len() / x.columns;
            let inner = filled(count, up.outputs, |inner| self.fill(rows, up, Some(activation), inner));
            self.fill(&inner, down, None, target);
        })
    }

    /// A matrix of `outputs` columns, of which `fill` gets some rows of `x` and of the matrix at a time.
    fn by_blocks(&self, x: &Array, outputs: usize, fill: impl Fn(&[f32], Target<'_>)) -> Array {
        let data = filled(x.rows(), outputs, |target| {
            for (number, rows) in x.data.chunks(ROWS_AT_ONCE * x.columns).enumerate() {
                let first = number * ROWS_AT_ONCE;
                // SAFETY: blocks have no row in common.
                fill(rows, unsafe { target.part(first..first + rows.len() / x.columns, 0..outputs) });
            }
        });
        Array { columns: outputs, data }
    }

    /// Fills `target` with the outputs for `rows`.
    fn fill(&self, rows: &[f32], linear: &Linear, activation: Option<Activation>, target: Target<'_>) {
        let x = Input::new(self.level, rows, linear);
        let (count, columns) = (x.rows.count, linear.outputs);
        self.pieces(columns.div_ceil(PANEL), count * columns * linear.inputs, |panels| {
            let of_target = panels.start * PANEL..columns.min(panels.end * PANEL);
            // SAFETY: no two pieces have a panel in common.
            let mut target = unsafe { target.part(0..count, of_target) };
            linear.multiply(self.level, &x, panels, target);
            if let Some(activation) = activation {
                for row in 0..count {
                    // SAFETY: the product filled it.
                    math::activate(unsafe { target.row(row) }, activation);
                }
            }
        });
    }
}

/// A matrix that `fill` fills, every number of it.
pub(super) fn filled(rows: usize, columns: usize, fill: impl FnOnce(Target<'_>)) -> Vec<f32> {
    let mut data = Vec::with_capacity(rows * columns);
    fill(Target::new(&mut data.spare_capacity_mut()[..rows * columns], columns));
    // SAFETY: all numbers were filled.
    unsafe { data.set_len(rows * columns) };
    data
}
