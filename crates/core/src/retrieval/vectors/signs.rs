//! One bit a number of many rows, and what an estimate of their products needs beside it.

use super::kernels::{Codes, GROUP, LINE, Line, TABLES};

/// The signs of rows, in groups of [`GROUP`]; only the last one may have fewer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signs {
    dimensions: usize,
    codes: Vec<Codes>,
    /// What turns the product of a question with a row's signs into an estimate of that with the row.
    factors: Vec<[f32; GROUP]>,
    /// The standard deviation of that estimate.
    errors: Vec<[f32; GROUP]>,
}

impl Signs {
    pub(super) fn new(dimensions: usize) -> Signs {
        Signs { dimensions, codes: Vec::new(), factors: Vec::new(), errors: Vec::new() }
    }

    /// Keeps the first `groups` groups.
    pub(super) fn truncate(&mut self, groups: usize) {
        self.factors.truncate(groups);
        self.errors.truncate(groups);
        self.codes.truncate(groups * self.codes_per_group());
    }

    /// Adds a group of at most [`GROUP`] rows, and tells `scaled` one over the length of each.
    pub(super) fn push<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r [Line]> + Clone,
        mut scaled: impl FnMut(f32),
    ) {
        let (mut factors, mut errors) = ([0.0; GROUP], [0.0; GROUP]);
        for (at, row) in rows.clone().enumerate() {
            let (sum, squares) = sums(row);
            let (sum, length) = (f64::from(sum), f64::from(squares).sqrt());
            let inverse = |value: f64| if value > 0.0 { 1.0 / value } else { 0.0 };
            let (factor, n) = (length * inverse(sum), self.dimensions as f64);
            scaled(inverse(length) as f32);
            factors[at] = factor as f32;
            errors[at] = ((factor * factor * n - 1.0).max(0.0) / (n - 1.0).max(1.0)).sqrt() as f32;
        }
        self.factors.push(factors);
        self.errors.push(errors);
        self.codes.extend(codes(self.codes_per_group(), rows));
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        self.factors.len()
    }

    pub(super) fn factors(&self, group: usize) -> &[f32; GROUP] {
        &self.factors[group]
    }

    pub(super) fn errors(&self, group: usize) -> &[f32; GROUP] {
        &self.errors[group]
    }

    pub(super) fn codes(&self, group: usize) -> &[Codes] {
        let codes = self.codes_per_group();
        &self.codes[group * codes..(group + 1) * codes]
    }

    fn codes_per_group(&self) -> usize {
        self.dimensions.div_ceil(LINE) * (LINE / 4 / TABLES)
    }

    /// How much memory they take.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.codes) + size_of_val(&*self.factors) + size_of_val(&*self.errors)
    }
}

/// The sum of the sizes of a row's bytes, and that of their squares.
fn sums(row: &[Line]) -> (u32, u32) {
    row.iter().flat_map(|line| line.0).fold((0, 0), |(sum, squares), byte| {
        let size = u32::from(byte.unsigned_abs());
        (sum + size, squares + size * size)
    })
}

/// The signs of a group's rows, `count` pieces for all.
fn codes<'r>(count: usize, rows: impl Iterator<Item = &'r [Line]>) -> Vec<Codes> {
    let mut codes = vec![Codes([0; 16 * TABLES]); count];
    for (row, lines) in rows.enumerate() {
        for (quad, numbers) in lines.iter().flat_map(|line| line.0.as_chunks::<4>().0).enumerate() {
            let bits = (0..4).fold(0, |bits, at| bits | u8::from(numbers[at] < 0) << at);
            codes[quad / TABLES].0[16 * (quad % TABLES) + row % 16] |= bits << (4 * (row / 16));
        }
    }
    codes
}
