//! The linear layers of an encoder, in panels.

use std::ops::Range;

use super::super::backend::Activation;
use super::level::Level;
use super::math;
use super::panels::{
    self, ByteColumns, ByteRows, MAX_BYTE_DEPTH, PANEL, QUAD, Rows, Target, byte_at, multiply, multiply_bytes,
};
use super::{Array, Cpu};
use crate::inference::Precision;
use crate::{Error, ErrorKind, Result};

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
        corrections: Vec<i32>,
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
                let mut corrections = vec![0i32; bias.len()];
                let mut rounded = vec![0u8; inputs];
                for (output, weights) in weights.chunks_exact(inputs).enumerate() {
                    scales[output] = math::round_row(weights, 0, &mut rounded);
                    corrections[output] =
                        -128 * rounded.iter().map(|&quant| i32::from(quant as i8)).sum::<i32>();
                    for (input, quant) in rounded.iter().enumerate() {
                        quants[byte_at(depth, input, output)] = *quant as i8;
                    }
                }
                Weights::Bytes { quants, scales, corrections }
            }
        };
        Ok(Linear { inputs, outputs, weights, bias })
    }

    /// The outputs in `panels`, for the same rows that `rounded` has if the weights are bytes.
    fn multiply(
        &self,
        level: Level,
        x: Rows<'_>,
        rounded: &ByteRows,
        panels: Range<usize>,
        target: Target<'_>,
    ) {
        let columns = panels.start * PANEL..panels.end * PANEL;
        match &self.weights {
            Weights::Floats(floats) => {
                let floats = &floats[columns.start * self.inputs..columns.end * self.inputs];
                multiply(level, x, self.inputs, floats, Some(&self.bias[columns]), target);
            }
            Weights::Bytes { quants, scales, corrections } => {
                let factor = ByteColumns {
                    quants: &quants[columns.start * rounded.depth..columns.end * rounded.depth],
                    scales: &scales[columns.clone()],
                    corrections: &corrections[columns.clone()],
                    bias: &self.bias[columns],
                };
                multiply_bytes(level, rounded, factor, target);
            }
        }
    }
}

/// Rounds each row to bytes, with a scale of its own.
fn round_rows(level: Level, x: &Array) -> ByteRows {
    let (count, depth) = (x.rows(), x.columns.next_multiple_of(QUAD));
    let flip = if panels::unsigned(level) { 128 } else { 0 };
    let mut rows = ByteRows { count, depth, quants: vec![flip; count * depth], scales: vec![0.0; count] };
    let quants = rows.quants.chunks_exact_mut(depth);
    for ((row, quants), scale) in x.data.chunks_exact(x.columns).zip(quants).zip(&mut rows.scales) {
        *scale = math::round_row(row, flip, &mut quants[..x.columns]);
    }
    rows
}

impl Cpu {
    /// `activation(x × weights + bias)`.
    pub(super) fn apply_linear(&self, x: &Array, linear: &Linear, activation: Activation) -> Array {
        assert_eq!(x.columns, linear.inputs, "the layer has other inputs");
        let (rows, columns) = (x.rows(), linear.outputs);
        let mut data = Vec::with_capacity(rows * columns);
        let target = Target::new(&mut data.spare_capacity_mut()[..rows * columns], columns);
        let rounded = match linear.weights {
            Weights::Bytes { .. } => round_rows(self.level, x),
            Weights::Floats(_) => ByteRows { count: 0, depth: 0, quants: Vec::new(), scales: Vec::new() },
        };
        let x = Rows { data: &x.data, stride: x.columns, count: rows };
        self.pieces(columns.div_ceil(PANEL), rows * columns * linear.inputs, |panels| {
            let of_target = panels.start * PANEL..columns.min(panels.end * PANEL);
            // SAFETY: no two pieces have a panel in common.
            let mut target = unsafe { target.part(0..rows, of_target) };
            linear.multiply(self.level, x, &rounded, panels, target);
            if activation != Activation::None {
                for row in 0..rows {
                    // SAFETY: the product filled it.
                    math::activate(unsafe { target.row(row) }, activation);
                }
            }
        });
        // SAFETY: the pieces filled every column of every row.
        unsafe { data.set_len(rows * columns) };
        Array { columns, data }
    }
}
