//! A question's vector, made ready to be compared.

use super::block::turned;
use super::kernels::{LINE, Level, Line, TABLES, Tables, Wide};
use crate::Result;

/// The direction of a question: as 16-bit numbers for scores, as tables for estimates.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(super) level: Level,
    pub(super) numbers: Vec<Wide>,
    /// What a product of integers is to be multiplied with.
    pub(super) scale: f32,
    pub(super) tables: Vec<Tables>,
    /// What a sum of entries is to be multiplied with, and what is to be added then.
    pub(super) step: f32,
    pub(super) least: f32,
}

impl Probe {
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the vector holds what is not a finite number.
    pub(crate) fn new(vector: &[f32]) -> Result<Probe> {
        Ok(Probe::of_turned(&turned(vector)?))
    }

    /// The same for a vector that is finite and turned.
    pub(super) fn of_turned(turned: &[f32]) -> Probe {
        let (largest, sum) = turned.iter().fold((0.0f64, 0.0f64), |(largest, sum), value| {
            let size = f64::from(value.abs());
            (largest.max(size), sum + size)
        });
        // No sum of products with bytes may leave 32 bits; rounding adds at most a half to each number.
        let room = f64::from(i32::MAX / 128) - turned.len() as f64;
        let scale =
            if largest > 0.0 { (f64::from(i16::MAX) / largest).min(room.max(1.0) / sum) } else { 0.0 };
        let numbers = turned.chunks(LINE).map(|part| {
            let mut wide = Wide([0; LINE]);
            for (number, value) in wide.0.iter_mut().zip(part) {
                *number = (f64::from(*value) * scale).round() as i16;
            }
            wide
        });
        let numbers: Vec<Wide> = numbers.collect();
        let mut probe = Probe {
            level: Level::detect(),
            numbers,
            scale: if scale > 0.0 { (1.0 / scale) as f32 } else { 0.0 },
            tables: Vec::new(),
            step: 0.0,
            least: 0.0,
        };
        probe.tabulate(turned);
        probe
    }

    /// For each four numbers and all their signs the sum, in steps from the least one.
    fn tabulate(&mut self, turned: &[f32]) {
        let mut padded = turned.to_vec();
        padded.resize(self.numbers.len() * LINE, 0.0);
        let quads = padded.as_chunks::<4>().0;
        let size = |quad: &[f32; 4]| quad.iter().map(|value| value.abs()).sum::<f32>();
        let widest = 2.0 * quads.iter().map(size).fold(0.0, f32::max);
        // Nor may a sum of entries leave 16 bits.
        let most = (usize::from(u16::MAX) / quads.len().max(1)).min(255);
        self.step = widest / most.max(1) as f32;
        self.least = -quads.iter().map(size).sum::<f32>();
        for four in quads.chunks_exact(TABLES) {
            let mut tables = Tables([0; 16 * TABLES]);
            for (quad, table) in four.iter().zip(tables.0.as_chunks_mut::<16>().0) {
                for (signs, entry) in table.iter_mut().enumerate() {
                    let signed =
                        |(at, value): (usize, &f32)| if signs >> at & 1 == 1 { -value } else { *value };
                    let above = quad.iter().enumerate().map(signed).sum::<f32>() + size(quad);
                    *entry =
                        if self.step > 0.0 { (above / self.step).round().min(most as f32) as u8 } else { 0 };
                }
            }
            self.tables.push(tables);
        }
    }

    /// The cosine of the question with a row of one over the length `scale`.
    pub(super) fn score(&self, row: &[Line], scale: f32) -> f32 {
        self.level.dot(&self.numbers, row) as f32 * (self.scale * scale)
    }
}
