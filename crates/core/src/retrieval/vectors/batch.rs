//! Where vectors come from, and in what form they are handed over.

use super::block::{Rows, quantised};
use crate::source::ContentHash;
use crate::{Cancel, Error, Result};

/// What turns texts into vectors.
pub trait Embedder: Sync {
    /// How many numbers a vector has.
    fn dimensions(&self) -> usize;

    /// Names the encoder, its weights and its settings: vectors of different fingerprints are never compared.
    fn fingerprint(&self) -> ContentHash;

    /// One vector for each text, in the same order.
    ///
    /// # Errors
    /// The encoder's own, and those of [`Cancel::check`].
    fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>>;

    /// The vector of a question, to be compared with those of [`Embedder::embed`]: of the same encoder, unless it tells
    /// questions from what they are about.
    ///
    /// # Errors
    /// As [`Embedder::embed`]; [`crate::ErrorKind::Model`] if that gives no vector.
    fn embed_query(&self, text: &str, cancel: &Cancel) -> Result<Vec<f32>> {
        let missing = || Error::new(crate::ErrorKind::Model, "the encoder gave no vector");
        self.embed(&[text], cancel)?.pop().ok_or_else(missing)
    }
}

impl Embedder for crate::inference::Encoder {
    fn dimensions(&self) -> usize {
        self.dimensions()
    }

    fn fingerprint(&self) -> ContentHash {
        ContentHash::of(self.fingerprint().as_bytes())
    }

    fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>> {
        self.embed(texts, cancel)
    }
}

/// An encoder of which only the first numbers are kept: smaller and faster, and worse unless it was trained for that
/// (Kusupati et al., "Matryoshka representation learning", NeurIPS 2022) or its numbers are principal components.
#[derive(Clone, Copy, Debug)]
pub struct Cut<E> {
    embedder: E,
    dimensions: usize,
}

impl<E: Embedder> Cut<E> {
    /// The first `dimensions` numbers of what `embedder` gives.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for none, or more than there are.
    pub fn new(embedder: E, dimensions: usize) -> Result<Cut<E>> {
        let most = embedder.dimensions();
        if dimensions == 0 || dimensions > most {
            return Err(Error::invalid(format!("vectors of {most} numbers cannot be cut to {dimensions}")));
        }
        Ok(Cut { embedder, dimensions })
    }
}

impl<E: Embedder> Embedder for Cut<E> {
    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn fingerprint(&self) -> ContentHash {
        let whole = self.embedder.fingerprint();
        ContentHash::of(&[&whole.0[..], &(self.dimensions as u64).to_le_bytes()].concat())
    }

    fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>> {
        let mut rows = self.embedder.embed(texts, cancel)?;
        rows.iter_mut().for_each(|row| row.truncate(self.dimensions));
        Ok(rows)
    }

    fn embed_query(&self, text: &str, cancel: &Cancel) -> Result<Vec<f32>> {
        let mut row = self.embedder.embed_query(text, cancel)?;
        row.truncate(self.dimensions);
        Ok(row)
    }
}

/// Vectors of some chunks' contents, ready to be put into an index.
#[derive(Clone, Debug)]
pub struct Batch {
    fingerprint: ContentHash,
    dimensions: usize,
    rows: Rows,
}

impl Batch {
    /// `rows` are the vectors of the contents that `keys` name, made by the encoder `fingerprint`. Only their directions count;
    /// of each number one byte is kept.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there is not one row for each key, or rows have different lengths, none,
    /// or hold what is not a number.
    pub fn new(fingerprint: ContentHash, keys: &[ContentHash], rows: &[Vec<f32>]) -> Result<Batch> {
        if keys.len() != rows.len() {
            return Err(Error::invalid(format!(
                "{} vectors were given for {} chunks",
                rows.len(),
                keys.len()
            )));
        }
        let dimensions = rows.first().map_or(0, Vec::len);
        let mut lines = Vec::new();
        for row in rows {
            if row.len() != dimensions || dimensions == 0 {
                return Err(Error::invalid("all vectors must have the same length, which is not 0"));
            }
            lines.extend(quantised(row)?);
        }
        Ok(Batch { fingerprint, dimensions, rows: Rows { keys: keys.to_vec(), lines } })
    }

    /// How many vectors it has.
    pub fn len(&self) -> usize {
        self.rows.keys.len()
    }

    /// Whether it has no vector.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoder that made it.
    pub fn fingerprint(&self) -> ContentHash {
        self.fingerprint
    }

    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }
}
