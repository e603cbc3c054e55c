//! Vectors as numbers again, for those who compute with them elsewhere.

use super::rotate::rotate_back;
use crate::retrieval::Index;

/// The vectors of some chunks, one row after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dense {
    /// The chunk of each row, by its number, ascending.
    pub chunks: Vec<u32>,
    /// How many numbers a row has.
    pub dimensions: usize,
    /// Each row has length 1, but for what rounding to bytes takes: no number is off by more than a 254th of the largest before
    /// the rotation.
    pub data: Vec<f32>,
}

impl Index {
    /// The vectors of all chunks that have one, in the order of the chunks.
    pub fn dense(&self) -> Dense {
        let (vectors, placed) = (self.vectors(), self.placed());
        let dimensions = vectors.dimensions();
        let mut dense = Dense { dimensions, ..Dense::default() };
        dense.data.reserve(placed.count * dimensions);
        for chunk in 0..self.chunk_table().chunks() as u32 {
            let Some(row) = placed.row(chunk) else { continue };
            let (block, row) = vectors.locate(row);
            let scale = block.scales()[row];
            let start = dense.data.len();
            let bytes = block.row(row).iter().flat_map(|line| line.0).take(dimensions);
            dense.data.extend(bytes.map(|byte| f32::from(byte) * scale));
            rotate_back(&mut dense.data[start..]);
            dense.chunks.push(chunk);
        }
        dense
    }
}
