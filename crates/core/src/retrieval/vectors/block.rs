//! Rows of bytes and the name of each: what versions share and what is stored as one record.

use serde::{Deserialize, Serialize, Serializer};

use super::kernels::{Codes, GROUP, LINE, Line, TABLES};
use super::rotate::rotate;
use crate::source::ContentHash;
use crate::{Error, Result};

/// Vectors and the names of their contents. Only names and bytes are stored, the rest follows from them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Record")]
pub(crate) struct Block {
    /// Of the keys: the content of a key never changes, so neither does the block of this name.
    pub(crate) id: ContentHash,
    dimensions: usize,
    keys: Vec<ContentHash>,
    /// The rows one after the other, each filled up with zeros to whole lines.
    lines: Vec<Line>,
    /// One over the length of each row.
    scales: Vec<f32>,
    /// The signs of the rows, in groups of [`GROUP`].
    codes: Vec<Codes>,
    /// What turns the product of a question with a row's signs into an estimate of that with the row.
    factors: Vec<[f32; GROUP]>,
    /// The standard deviation of that estimate.
    errors: Vec<[f32; GROUP]>,
}

/// A block as it is stored.
#[derive(Serialize, Deserialize)]
struct Record {
    dimensions: u32,
    keys: Vec<ContentHash>,
    /// `dimensions` signed bytes for each key.
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

/// The direction of `vector` as bytes, turned.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if it holds what is not a finite number.
pub(super) fn quantised(vector: &[f32]) -> Result<Vec<Line>> {
    let turned = turned(vector)?;
    let largest = turned.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    let bytes: Vec<i8> = turned.iter().map(|value| (value * scale).round() as i8).collect();
    Ok(lines(&bytes).collect())
}

/// `vector` scaled to length 1 and turned; all zeros stay so.
pub(super) fn turned(vector: &[f32]) -> Result<Vec<f32>> {
    if vector.iter().any(|value| !value.is_finite()) {
        return Err(Error::invalid("a vector holds something that is not a finite number"));
    }
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    let mut turned: Vec<f32> = vector.iter().map(|value| (f64::from(*value) * scale) as f32).collect();
    rotate(&mut turned);
    Ok(turned)
}

fn lines(row: &[i8]) -> impl Iterator<Item = Line> {
    row.chunks(LINE).map(|part| {
        let mut line = Line([0; LINE]);
        line.0[..part.len()].copy_from_slice(part);
        line
    })
}

/// Rows and the names of their contents, before they are a block.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) keys: Vec<ContentHash>,
    /// As many for each key.
    pub(super) lines: Vec<Line>,
}

impl Block {
    /// A block of `rows` of `dimensions` bytes each.
    pub(super) fn new(dimensions: usize, rows: Rows) -> Block {
        let block = Block {
            id: ContentHash::default(),
            dimensions,
            keys: Vec::new(),
            lines: Vec::new(),
            scales: Vec::new(),
            codes: Vec::new(),
            factors: Vec::new(),
            errors: Vec::new(),
        };
        block.with(rows)
    }

    /// This block with further rows. What follows from its whole groups is kept.
    pub(super) fn with(mut self, rows: Rows) -> Block {
        let whole = self.keys.len() / GROUP;
        self.keys.extend(rows.keys);
        self.lines.extend(rows.lines);
        let bytes: Vec<u8> = self.keys.iter().flat_map(|key| key.0).collect();
        self.id = ContentHash::of(&bytes);
        self.scales.truncate(whole * GROUP);
        self.factors.truncate(whole);
        self.errors.truncate(whole);
        self.codes.truncate(whole * self.codes_per_group());
        for group in self.lines[whole * GROUP * self.width()..].chunks(GROUP * self.width()) {
            let (mut factors, mut errors) = ([0.0; GROUP], [0.0; GROUP]);
            for (at, row) in group.chunks(self.dimensions.div_ceil(LINE)).enumerate() {
                let (sum, squares) = sums(row);
                let (sum, length) = (f64::from(sum), f64::from(squares).sqrt());
                let inverse = |value: f64| if value > 0.0 { 1.0 / value } else { 0.0 };
                let (factor, n) = (length * inverse(sum), self.dimensions as f64);
                self.scales.push(inverse(length) as f32);
                factors[at] = factor as f32;
                errors[at] = ((factor * factor * n - 1.0).max(0.0) / (n - 1.0).max(1.0)).sqrt() as f32;
            }
            self.factors.push(factors);
            self.errors.push(errors);
            self.codes.extend(codes(self.dimensions.div_ceil(LINE), group));
        }
        self
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(crate) fn keys(&self) -> &[ContentHash] {
        &self.keys
    }

    pub(super) fn width(&self) -> usize {
        self.dimensions.div_ceil(LINE)
    }

    pub(super) fn row(&self, row: usize) -> &[Line] {
        &self.lines[row * self.width()..(row + 1) * self.width()]
    }

    pub(super) fn scales(&self) -> &[f32] {
        &self.scales
    }

    pub(super) fn factors(&self) -> &[[f32; GROUP]] {
        &self.factors
    }

    pub(super) fn errors(&self) -> &[[f32; GROUP]] {
        &self.errors
    }

    fn codes_per_group(&self) -> usize {
        self.width() * (LINE / 4 / TABLES)
    }

    /// How much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.keys)
            + size_of_val(&*self.lines)
            + size_of_val(&*self.scales)
            + size_of_val(&*self.codes)
            + size_of_val(&*self.factors)
            + size_of_val(&*self.errors)
    }

    /// The signs of the rows from `GROUP * group` on.
    pub(super) fn group(&self, group: usize) -> &[Codes] {
        let codes = self.codes_per_group();
        &self.codes[group * codes..(group + 1) * codes]
    }
}

/// The sum of the sizes of a row's bytes, and that of their squares.
fn sums(row: &[Line]) -> (u32, u32) {
    row.iter().flat_map(|line| line.0).fold((0, 0), |(sum, squares), byte| {
        let size = u32::from(byte.unsigned_abs());
        (sum + size, squares + size * size)
    })
}

/// The signs of a group's rows, which have `width` lines each.
fn codes(width: usize, group: &[Line]) -> Vec<Codes> {
    let mut codes = vec![Codes([0; 16 * TABLES]); width * (LINE / 4 / TABLES)];
    for (row, line) in group.chunks(width).enumerate() {
        for (quad, numbers) in line.iter().flat_map(|line| line.0.as_chunks::<4>().0).enumerate() {
            let bits = (0..4).fold(0, |bits, at| bits | u8::from(numbers[at] < 0) << at);
            codes[quad / TABLES].0[16 * (quad % TABLES) + row % 16] |= bits << (4 * (row / 16));
        }
    }
    codes
}

impl Serialize for Block {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.keys.len() * self.dimensions);
        for row in 0..self.keys.len() {
            let whole = self.row(row).iter().flat_map(|line| line.0);
            bytes.extend(whole.take(self.dimensions).map(i8::cast_unsigned));
        }
        Record { dimensions: self.dimensions as u32, keys: self.keys.clone(), bytes }.serialize(serializer)
    }
}

impl TryFrom<Record> for Block {
    type Error = &'static str;

    fn try_from(record: Record) -> std::result::Result<Block, Self::Error> {
        let dimensions = record.dimensions as usize;
        if dimensions == 0 || Some(record.bytes.len()) != record.keys.len().checked_mul(dimensions) {
            return Err("a block of vectors has too few or too many bytes");
        }
        let bytes: Vec<i8> = record.bytes.into_iter().map(u8::cast_signed).collect();
        let lines = bytes.chunks(dimensions).flat_map(lines).collect();
        Ok(Block::new(dimensions, Rows { keys: record.keys, lines }))
    }
}
