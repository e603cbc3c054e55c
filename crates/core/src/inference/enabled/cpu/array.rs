//! What the processor computes with.

/// A matrix of floats, row by row.
pub(in super::super) struct Array {
    pub(super) columns: usize,
    pub(super) data: Vec<f32>,
}

impl Array {
    pub(super) fn rows(&self) -> usize {
        self.data.len() / self.columns
    }
}
