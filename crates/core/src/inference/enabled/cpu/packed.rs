//! Quantised matrices, repacked at load so that eight rows are computed at once.
//!
//! Eight rows form a group. Within a group, blocks of 32 columns follow one another; within a block, each 32-byte piece
//! holds four neighbouring columns of all eight rows, so that one multiply-and-add of bytes advances every row and no sum
//! has to be taken across lanes.
//!
//! There are two layouts: four bits with a scale and a minimum for each 32 weights, which holds Q4_0, Q4_1 and Q4_K as they
//! are (products of Q4_K's scales are rounded to half precision), and eight bits with a scale, which holds Q8_0 as it is.
//! The other quantised types are rounded to eight bits.

use candle_core::CpuStorage;
use candle_core::quantized::GgmlDType;
use half::f16;
use half::slice::HalfFloatSliceExt;

use super::math;
use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

/// Rows of a group.
pub(super) const LANES: usize = 8;
/// Columns of a block.
pub(super) const BLOCK: usize = 32;

/// 8 rows × 32 columns of four bits: weight = scale × quant + min.
///
/// Byte `4 r + c` of `quants[j]` has column `4 j + c` of row `r` in its low half and column `16 + 4 j + c` in its high half.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Block4 {
    pub(super) scales: [f16; LANES],
    pub(super) mins: [f16; LANES],
    pub(super) quants: [[u8; BLOCK]; 4],
}

/// 8 rows × 32 columns of eight bits: weight = scale × quant.
///
/// Byte `4 r + c` of `quants[j]` has column `4 j + c` of row `r`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Block8 {
    pub(super) scales: [f16; LANES],
    pub(super) quants: [[i8; BLOCK]; 8],
}

pub(super) enum Blocks {
    Four(Vec<Block4>),
    Eight(Vec<Block8>),
}

/// A repacked matrix of `rows` × `columns`. Rows that fill up the last group are zero.
pub(in super::super) struct Packed {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) blocks: Blocks,
}

/// Whether matrices of this type and width are repacked, and how many bytes each weight then takes, times 32.
pub(super) fn packed_block_bytes(dtype: GgmlDType, columns: usize) -> Option<usize> {
    match dtype {
        GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 => None,
        _ if !columns.is_multiple_of(BLOCK) => None,
        GgmlDType::Q4_0 | GgmlDType::Q4_1 | GgmlDType::Q4K => Some(size_of::<Block4>() / LANES),
        _ => Some(size_of::<Block8>() / LANES),
    }
}

impl Packed {
    /// Repacks a matrix whose bytes are laid out as `dtype` says.
    pub(super) fn new(
        dtype: GgmlDType,
        rows: usize,
        columns: usize,
        bytes: &[u8],
        cancel: &Cancel,
    ) -> Result<Self> {
        let groups = rows.div_ceil(LANES);
        let width = columns / BLOCK;
        let row_bytes = columns / dtype.block_size() * dtype.type_size();
        let blocks = match dtype {
            GgmlDType::Q4_0 | GgmlDType::Q4_1 | GgmlDType::Q4K => {
                let zero =
                    Block4 { scales: [f16::ZERO; LANES], mins: [f16::ZERO; LANES], quants: [[0; BLOCK]; 4] };
                let mut blocks = vec![zero; groups * width];
                for (row, raw) in bytes.chunks_exact(row_bytes).take(rows).enumerate() {
                    cancel.check()?;
                    let group = &mut blocks[row / LANES * width..][..width];
                    nibbles(dtype, raw, |column, scale, min, quants| {
                        group[column].set(row % LANES, scale, min, quants)
                    });
                }
                Blocks::Four(blocks)
            }
            _ => {
                let zero = Block8 { scales: [f16::ZERO; LANES], quants: [[0; BLOCK]; 8] };
                let mut blocks = vec![zero; groups * width];
                for (row, raw) in bytes.chunks_exact(row_bytes).take(rows).enumerate() {
                    cancel.check()?;
                    let group = &mut blocks[row / LANES * width..][..width];
                    if dtype == GgmlDType::Q8_0 {
                        for (block, raw) in group.iter_mut().zip(raw.chunks_exact(2 + BLOCK)) {
                            block.set(row % LANES, half_at(raw, 0), |column| raw[2 + column] as i8);
                        }
                    } else {
                        for (block, weights) in
                            group.iter_mut().zip(dequantise(dtype, raw, columns)?.chunks_exact(BLOCK))
                        {
                            let largest =
                                weights.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
                            let scale = f16::from_f32(largest / 127.0);
                            let inverse = if scale == f16::ZERO { 0.0 } else { scale.to_f32().recip() };
                            block.set(row % LANES, scale, |column| (weights[column] * inverse).round() as i8);
                        }
                    }
                }
                Blocks::Eight(blocks)
            }
        };
        Ok(Packed { rows, columns, blocks })
    }

    /// Writes row `row` as floats to `out`.
    pub(super) fn row(&self, row: usize, out: &mut [f32]) {
        let width = self.columns / BLOCK;
        let (group, lane) = (row / LANES * width, row % LANES);
        for (index, out) in out.chunks_exact_mut(BLOCK).enumerate() {
            match &self.blocks {
                Blocks::Four(blocks) => {
                    let block = &blocks[group + index];
                    let (scale, min) = (block.scales[lane].to_f32(), block.mins[lane].to_f32());
                    for (column, out) in out.iter_mut().enumerate() {
                        let byte = block.quants[column % 16 / 4][4 * lane + column % 4];
                        let quant = if column < 16 { byte & 15 } else { byte >> 4 };
                        *out = scale * f32::from(quant) + min;
                    }
                }
                Blocks::Eight(blocks) => {
                    let block = &blocks[group + index];
                    let scale = block.scales[lane].to_f32();
                    for (column, out) in out.iter_mut().enumerate() {
                        *out = scale * f32::from(block.quants[column / 4][4 * lane + column % 4]);
                    }
                }
            }
        }
    }
}

impl Block4 {
    fn set(&mut self, lane: usize, scale: f16, min: f16, quants: &dyn Fn(usize) -> u8) {
        self.scales[lane] = scale;
        self.mins[lane] = min;
        for column in 0..16 {
            self.quants[column / 4][4 * lane + column % 4] = quants(column) | quants(column + 16) << 4;
        }
    }
}

impl Block8 {
    fn set(&mut self, lane: usize, scale: f16, quant: impl Fn(usize) -> i8) {
        self.scales[lane] = scale;
        for column in 0..BLOCK {
            self.quants[column / 4][4 * lane + column % 4] = quant(column);
        }
    }
}

fn half_at(raw: &[u8], at: usize) -> f16 {
    f16::from_le_bytes([raw[at], raw[at + 1]])
}

/// Gives `put` each block of a row in a four-bit type: its number, scale, minimum and quants.
fn nibbles(dtype: GgmlDType, row: &[u8], mut put: impl FnMut(usize, f16, f16, &dyn Fn(usize) -> u8)) {
    let split =
        |raw: &[u8], column: usize| if column < 16 { raw[column] & 15 } else { raw[column - 16] >> 4 };
    match dtype {
        GgmlDType::Q4_0 => {
            for (index, raw) in row.chunks_exact(18).enumerate() {
                let scale = half_at(raw, 0);
                put(index, scale, f16::from_f32(-8.0 * scale.to_f32()), &|column| split(&raw[2..], column));
            }
        }
        GgmlDType::Q4_1 => {
            for (index, raw) in row.chunks_exact(20).enumerate() {
                put(index, half_at(raw, 0), half_at(raw, 2), &|column| split(&raw[4..], column));
            }
        }
        _ => {
            for (index, raw) in row.chunks_exact(144).enumerate() {
                let (scale, min) = (half_at(raw, 0).to_f32(), half_at(raw, 2).to_f32());
                for part in 0..8 {
                    let (scale_factor, min_factor) = k_factors(&raw[4..16], part);
                    let quants = &raw[16 + part / 2 * BLOCK..][..BLOCK];
                    let shift = 4 * (part % 2);
                    put(
                        8 * index + part,
                        f16::from_f32(scale * f32::from(scale_factor)),
                        f16::from_f32(-min * f32::from(min_factor)),
                        &|column| quants[column] >> shift & 15,
                    );
                }
            }
        }
    }
}

/// The six-bit factors of scale and minimum of one of the eight parts of a Q4_K block.
fn k_factors(raw: &[u8], part: usize) -> (u8, u8) {
    if part < 4 {
        (raw[part] & 63, raw[part + 4] & 63)
    } else {
        (raw[part + 4] & 15 | raw[part - 4] >> 6 << 4, raw[part + 4] >> 4 | raw[part] >> 6 << 4)
    }
}

/// The floats of any type that GGUF files use. `bytes` must be aligned for it.
pub(in crate::inference) fn dequantise(dtype: GgmlDType, bytes: &[u8], elements: usize) -> Result<Vec<f32>> {
    let failed =
        |error| Error::new(ErrorKind::Model, format!("weights of type {dtype:?} cannot be read: {error}"));
    if dtype == GgmlDType::F32 {
        return Ok(bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes).collect());
    }
    match dtype.from_data(bytes.into()).dequantize(elements).map_err(failed)? {
        CpuStorage::F32(floats) => Ok(floats),
        other => Err(failed(candle_core::Error::Msg(format!(
            "they became {:?}",
            candle_core::backend::BackendStorage::dtype(&other)
        )))),
    }
}

/// Rows of floats, rounded block by block to eight bits for the kernels.
#[derive(Default)]
pub(super) struct Activations {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) quants: Vec<i8>,
    /// The scale of each block of 32.
    pub(super) scales: Vec<f32>,
    /// The sum of each block's rounded floats, which the minimum of four-bit weights is multiplied with.
    pub(super) sums: Vec<f32>,
}

impl Activations {
    pub(super) fn new(floats: &[f32], columns: usize) -> Self {
        let blocks = floats.len() / BLOCK;
        let mut this = Activations {
            rows: floats.len() / columns,
            columns,
            quants: vec![0; floats.len()],
            scales: vec![0.0; blocks],
            sums: vec![0.0; blocks],
        };
        round_blocks(floats, &mut this.quants, &mut this.scales, &mut this.sums);
        this
    }
}

super::simd::at_run_time! {
    fn round_blocks(floats: &[f32], quants: &mut [i8], scales: &mut [f32], sums: &mut [f32]) {
        let parts = floats.as_chunks::<BLOCK>().0.iter().zip(quants.as_chunks_mut::<BLOCK>().0).zip(scales).zip(sums);
        for (((floats, quants), scale), sum) in parts {
            let largest = math::largest_size(floats);
            *scale = largest / 127.0;
            let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
            let mut total = 0i32;
            for (quant, float) in quants.iter_mut().zip(floats) {
                // Below 2²² the addition of 1.5 × 2²³ leaves the nearest whole number in the low bits.
                *quant = (float * inverse + 12_582_912.0).to_bits() as i8;
                total += i32::from(*quant);
            }
            *sum = *scale * total as f32;
        }
    }
}

/// Half-precision floats to single ones.
pub(super) fn widen(halves: &[f16; LANES]) -> [f32; LANES] {
    let mut floats = [0.0; LANES];
    halves.convert_to_f32_slice(&mut floats);
    floats
}
