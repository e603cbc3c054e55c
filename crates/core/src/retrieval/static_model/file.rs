//! The file of a static model.
//!
//! All numbers are little-endian:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `AMBIXSEM` |
//! | 4 | version of the format: 1 |
//! | 4 | dimensions, at most 1024 |
//! | 4 | tokens, at most 2^20 |
//! | 16 | for each of the fields header, name, body and query, as `f32`, what one unit of its weights is worth |
//! | tokens | the length of each token in bytes, 1 to 32 |
//! | the sum of these | the tokens, in lower case |
//! | 4 · 2 · tokens | the weights as `i16`: those of all tokens in the header, then name, body, query |
//! | dimensions · tokens | the vectors as `i8`, token by token |

use std::borrow::Cow;

use super::words::LONGEST_WORD;
use crate::{Error, ErrorKind, Result};

const MAGIC: &[u8; 8] = b"AMBIXSEM";
const VERSION: u32 = 1;
const MOST_DIMENSIONS: usize = 1024;
const MOST_TOKENS: usize = 1 << TOKEN_BITS;

/// No token's number needs more.
pub(super) const TOKEN_BITS: u32 = 20;

/// Where a token counts: documents have three fields, a query is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Header,
    Name,
    Body,
    Query,
}

pub(super) const FIELDS: usize = 4;

/// A model's numbers, and its tokens by their text.
#[derive(Debug)]
pub(super) struct Model {
    bytes: Cow<'static, [u8]>,
    pub(super) dimensions: usize,
    /// Where each token's text begins in `bytes`, and where the last one ends.
    texts: Vec<u32>,
    /// Where the vectors begin in `bytes`.
    vectors: usize,
    /// By field, then by token.
    weights: Vec<f32>,
    /// Open addressing: numbers of tokens, or [`FREE`].
    slots: Vec<u32>,
}

const FREE: u32 = u32::MAX;

impl Model {
    /// # Errors
    /// [`ErrorKind::Corrupt`] or [`ErrorKind::Version`] for what is no such file.
    pub(super) fn read(bytes: Cow<'static, [u8]>) -> Result<Model> {
        let mut reader = ByteReader { bytes: &bytes, at: 0 };
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(corrupt("it does not begin with AMBIXSEM"));
        }
        let version = reader.number()?;
        if version != VERSION as usize {
            let kind = if version > VERSION as usize { ErrorKind::Version } else { ErrorKind::Corrupt };
            let message = format!(
                "the static model has format version {version}, and this version of Ambix reads version {VERSION}; use the model \
                 that came with it"
            );
            return Err(Error::new(kind, message));
        }
        let (dimensions, tokens) = (reader.number()?, reader.number()?);
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) || !(1..=MOST_TOKENS).contains(&tokens) {
            return Err(corrupt(format_args!("it claims {tokens} tokens of {dimensions} dimensions")));
        }
        let mut units = [0.0; FIELDS];
        for unit in &mut units {
            *unit = f32::from_le_bytes(reader.array()?);
            // A weight that is no number would make every vector one.
            if !unit.is_finite() || unit.abs() > 1.0e6 {
                return Err(corrupt("a unit of weights is not a moderate number"));
            }
        }
        let lengths = reader.take(tokens)?;
        if lengths.iter().any(|length| !(1..=LONGEST_WORD).contains(&usize::from(*length))) {
            return Err(corrupt("a token is empty or too long"));
        }
        let mut texts = Vec::with_capacity(tokens + 1);
        texts.push(reader.at as u32);
        for length in lengths {
            reader.take(usize::from(*length))?;
            texts.push(reader.at as u32);
        }
        let mut weights = Vec::with_capacity(FIELDS * tokens);
        for unit in units {
            let field = reader.take(2 * tokens)?;
            weights.extend(
                field.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) * unit),
            );
        }
        let vectors = reader.at;
        reader.take(dimensions * tokens)?;
        if reader.at != bytes.len() {
            return Err(corrupt("something follows its end"));
        }
        let slots = vec![FREE; (2 * tokens).next_power_of_two()];
        let mut model = Model { bytes, dimensions, texts, vectors, weights, slots };
        for number in 0..tokens as u32 {
            match model.slot(model.text(number)) {
                (slot, None) => model.slots[slot] = number,
                (_, Some(_)) => return Err(corrupt("a token occurs twice")),
            }
        }
        Ok(model)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn tokens(&self) -> usize {
        self.texts.len() - 1
    }

    pub(super) fn text(&self, number: u32) -> &[u8] {
        let at = number as usize;
        &self.bytes[self.texts[at] as usize..self.texts[at + 1] as usize]
    }

    /// The number of the token that is written so.
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        self.slot(text).1
    }

    pub(super) fn weight(&self, field: Field, number: u32) -> f32 {
        self.weights[field as usize * self.tokens() + number as usize]
    }

    pub(super) fn vector(&self, number: u32) -> &[u8] {
        let start = self.vectors + number as usize * self.dimensions;
        &self.bytes[start..start + self.dimensions]
    }

    /// Where the token is or would be, and its number if it is there. At least half of the slots are free.
    fn slot(&self, text: &[u8]) -> (usize, Option<u32>) {
        let mask = self.slots.len() - 1;
        let mut at = hash(text) & mask;
        loop {
            match self.slots[at] {
                FREE => return (at, None),
                number if self.text(number) == text => return (at, Some(number)),
                _ => at = (at + 1) & mask,
            }
        }
    }
}

/// FNV-1a, folded so that the low bits have a share in all others.
fn hash(text: &[u8]) -> usize {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    (hash ^ (hash >> 32)) as usize
}

struct ByteReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> ByteReader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let found = self.bytes[self.at..].get(..length).ok_or_else(|| corrupt("it ends too early"))?;
        self.at += length;
        Ok(found)
    }

    fn array(&mut self) -> Result<[u8; 4]> {
        let mut array = [0; 4];
        array.copy_from_slice(self.take(4)?);
        Ok(array)
    }

    fn number(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }
}

fn corrupt(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!("this is not a static model of Ambix: {why}; take the file that was shipped"),
    )
}
