//! Rows of bytes and the name of each: what versions share and what is stored as one record.

use serde::{Deserialize, Serialize, Serializer};

use super::kernels::{GROUP, LINE, Line};
use super::rotate::rotate;
use super::signs::Signs;
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
    signs: Signs,
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
    Ok(rounded(&turned(vector)?).collect())
}

/// A turned vector as bytes.
pub(super) fn rounded(turned: &[f32]) -> impl Iterator<Item = Line> {
    let largest = turned.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    turned.chunks(LINE).map(move |part| {
        let mut line = Line([0; LINE]);
        line.0.iter_mut().zip(part).for_each(|(byte, value)| *byte = (value * scale).round() as i8);
        line
    })
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
            signs: Signs::new(dimensions),
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
        self.signs.truncate(whole);
        let width = self.width();
        for group in self.lines[whole * GROUP * width..].chunks(GROUP * width) {
            self.signs.push(group.chunks(width), |scale| self.scales.push(scale));
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

    pub(super) fn signs(&self) -> &Signs {
        &self.signs
    }

    /// How much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.keys) + size_of_val(&*self.lines) + size_of_val(&*self.scales) + self.signs.bytes()
    }
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
