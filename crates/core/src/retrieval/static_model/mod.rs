//! A static embedding model: a text's vector is a weighted mean of its words' vectors.
//!
//! There is no network to run: a table of words, learnt by `scripts/embedding`, is all of it. A word has one vector and four
//! weights, for where it stands: in a document's header, as a defined name or elsewhere in its code, or in a query. The n-th
//! occurrence in a field adds less than the one before: a count of n weighs 1 + ln n. Made after model2vec (token vectors of
//! a transformer, reduced by PCA) and trained further by contrast of documentation and code.

mod file;
mod words;

use std::borrow::Cow;
use std::path::Path;

use file::{Field, Model};

use super::vectors::Embedder;
use crate::source::{ContentHash, read_file};
use crate::{Cancel, Result};

/// What this crate ships: see `crates/core/models/MODEL_CARD.md`.
static SHIPPED: &[u8] = include_bytes!("../../../models/elixir-code-search.bin");

/// A larger file is no such model: a million words with the vectors of the shipped one have a tenth of this.
const MAX_FILE_BYTES: u64 = 1 << 31;

/// Counts above this one weigh the same.
const LARGEST_COUNT: usize = 255;

/// The encoder of a static model.
#[derive(Debug)]
pub struct StaticEncoder {
    model: Model,
    fingerprint: ContentHash,
    /// The weight of each count.
    saturation: Vec<f32>,
}

/// What [`StaticEncoder`] needs while it encodes: kept between texts, so that none of them allocates.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Field and number of each token, as one number, so that equal ones stand together once sorted.
    tokens: Vec<u32>,
}

impl StaticEncoder {
    /// The model that this crate ships. Its table of words is read each time, in a few milliseconds; keep it.
    ///
    /// # Errors
    /// Those of [`StaticEncoder::from_bytes`], if the crate was built with a damaged file.
    pub fn shipped() -> Result<Self> {
        Self::new(Cow::Borrowed(SHIPPED))
    }

    /// The model in a file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] and [`crate::ErrorKind::NotFound`] if it cannot be read, and those of
    /// [`StaticEncoder::from_bytes`].
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read_file(path, MAX_FILE_BYTES, &Cancel::new())?;
        Self::from_bytes(bytes).map_err(|error| error.with_path(path))
    }

    /// The model in the bytes of such a file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] for what is no whole model, [`crate::ErrorKind::Version`] for a newer format.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        Self::new(Cow::Owned(bytes))
    }

    fn new(bytes: Cow<'static, [u8]>) -> Result<Self> {
        let model = Model::read(bytes)?;
        let fingerprint = ContentHash::of(model.bytes());
        let saturation = (0..=LARGEST_COUNT).map(|count| 1.0 + (count.max(1) as f32).ln()).collect();
        Ok(StaticEncoder { model, fingerprint, saturation })
    }

    /// How many words it has.
    pub fn vocabulary(&self) -> usize {
        self.model.tokens()
    }

    /// Writes the vector of a piece of code, of length 1, to `vector`: all zeros if no word is known. `header` is a line that
    /// says where it stands, such as `Shop.Cart (lib/shop/cart.ex)`.
    ///
    /// # Panics
    /// If `vector` has not as many numbers as the model has dimensions.
    pub fn document(&self, header: &str, text: &str, scratch: &mut Scratch, vector: &mut [f32]) {
        scratch.tokens.clear();
        self.add(Field::Header, header.as_bytes(), scratch);
        words::definitions(text.as_bytes(), &mut |is_name, part| {
            self.add(if is_name { Field::Name } else { Field::Body }, part, scratch);
        });
        self.mean(scratch, vector);
    }

    /// As [`StaticEncoder::document`], for a question: a sentence, names, an error message.
    ///
    /// # Panics
    /// If `vector` has not as many numbers as the model has dimensions.
    pub fn query(&self, text: &str, scratch: &mut Scratch, vector: &mut [f32]) {
        scratch.tokens.clear();
        self.add(Field::Query, text.as_bytes(), scratch);
        self.mean(scratch, vector);
    }

    fn add(&self, field: Field, text: &[u8], scratch: &mut Scratch) {
        let field = (field as u32) << file::TOKEN_BITS;
        words::words(text, &mut |word| {
            words::numbers(word, |word| self.model.find(word), &mut |number| {
                scratch.tokens.push(field | number);
            });
        });
    }

    fn mean(&self, scratch: &mut Scratch, vector: &mut [f32]) {
        const FIELD: [Field; file::FIELDS] = [Field::Header, Field::Name, Field::Body, Field::Query];
        assert_eq!(vector.len(), self.model.dimensions, "a vector of the model's dimensions");
        vector.fill(0.0);
        scratch.tokens.sort_unstable();
        for same in scratch.tokens.chunk_by(|a, b| a == b) {
            let field = FIELD[(same[0] >> file::TOKEN_BITS) as usize];
            let number = same[0] & ((1 << file::TOKEN_BITS) - 1);
            let weight = self.model.weight(field, number) * self.saturation[same.len().min(LARGEST_COUNT)];
            for (sum, value) in vector.iter_mut().zip(self.model.vector(number)) {
                *sum += weight * f32::from(*value as i8);
            }
        }
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|value| *value /= length);
        }
    }
}

/// A text is a document: its first line is the header.
impl Embedder for StaticEncoder {
    fn dimensions(&self) -> usize {
        self.model.dimensions
    }

    fn fingerprint(&self) -> ContentHash {
        self.fingerprint
    }

    fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>> {
        let mut scratch = Scratch::default();
        let encode = |text: &&str| {
            cancel.check()?;
            let (header, code) = text.split_once('\n').unwrap_or(("", text));
            let mut vector = vec![0.0; self.model.dimensions];
            self.document(header, code, &mut scratch, &mut vector);
            Ok(vector)
        };
        texts.iter().map(encode).collect()
    }

    fn embed_query(&self, text: &str, cancel: &Cancel) -> Result<Vec<f32>> {
        cancel.check()?;
        let mut vector = vec![0.0; self.model.dimensions];
        self.query(text, &mut Scratch::default(), &mut vector);
        Ok(vector)
    }
}

#[cfg(test)]
mod tests;
