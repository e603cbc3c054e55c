//! Tables of embeddings, of which rows are looked up.

use super::cpu::round_row;
use crate::inference::Precision;

/// A matrix that is read a row at a time. It is on the host, whatever computes: a batch needs few of its rows.
pub(super) enum Table {
    Floats {
        columns: usize,
        data: Vec<f32>,
    },
    /// Each row is whole multiples of its scale.
    Bytes {
        columns: usize,
        data: Vec<i8>,
        scales: Vec<f32>,
    },
}

impl Table {
    /// An empty table with room for so many rows.
    pub(super) fn new(precision: Precision, rows: usize, columns: usize) -> Self {
        match precision {
            Precision::Fp32 => Table::Floats { columns, data: Vec::with_capacity(rows * columns) },
            Precision::Int8 => {
                let data = Vec::with_capacity(rows * columns);
                Table::Bytes { columns, data, scales: Vec::with_capacity(rows) }
            }
        }
    }

    /// Appends rows.
    pub(super) fn extend(&mut self, rows: &[f32]) {
        match self {
            Table::Floats { data, .. } => data.extend_from_slice(rows),
            Table::Bytes { columns, data, scales } => {
                for row in rows.chunks_exact(*columns) {
                    let start = data.len();
                    data.resize(start + *columns, 0);
                    scales.push(round_row(row, &mut data[start..]));
                }
            }
        }
    }

    /// Adds row `row` to `out`; false if there is no such row.
    pub(super) fn add_row(&self, row: usize, out: &mut [f32]) -> bool {
        match self {
            Table::Floats { columns, data } => {
                let Some(from) = data.get(row * columns..(row + 1) * columns) else { return false };
                out.iter_mut().zip(from).for_each(|(out, from)| *out += from);
            }
            Table::Bytes { columns, data, scales } => {
                let Some(from) = data.get(row * columns..(row + 1) * columns) else { return false };
                let scale = scales[row];
                out.iter_mut().zip(from).for_each(|(out, from)| *out += scale * f32::from(*from));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let rows: Vec<f32> = (0..12).map(|x| x as f32 - 6.0).collect();
        for (precision, allowed) in [(Precision::Fp32, 0.0), (Precision::Int8, 6.0 / 254.0)] {
            let mut table = Table::new(precision, 3, 4);
            rows.chunks(8).for_each(|rows| table.extend(rows));
            for (row, want) in rows.chunks(4).enumerate() {
                let mut got = [1.0; 4];
                assert!(table.add_row(row, &mut got));
                assert!(
                    got.iter().zip(want).all(|(got, want)| (got - 1.0 - want).abs() <= allowed),
                    "{got:?}"
                );
            }
            assert!(!table.add_row(3, &mut [0.0; 4]));
        }
    }
}
