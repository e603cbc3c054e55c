//! Vectors by themselves.

use fixedbitset::FixedBitSet;

use super::batch::Batch;
use super::nearest::{Allowed, Nearest, Scan};
use super::probe::Probe;
use super::rows::{Placed, Vectors};
use crate::source::ContentHash;
use crate::{Error, Result};

/// Vectors without an index around them: what an index searches, for who has only vectors, and to be measured.
#[derive(Debug)]
pub struct VectorSet {
    vectors: Vectors,
    placed: Placed,
}

impl VectorSet {
    /// `rows` are numbered from 0.
    ///
    /// # Errors
    /// As [`Batch::new`].
    pub fn new(rows: &[Vec<f32>]) -> Result<VectorSet> {
        let keys: Vec<_> = (0..rows.len()).map(|row| ContentHash::of(&row.to_le_bytes())).collect();
        let vectors = Vectors::default().with(&Batch::new(ContentHash::default(), &keys, rows)?)?;
        Ok(VectorSet { placed: vectors.placed(&keys), vectors })
    }

    /// The `count` rows nearest to `question` with their cosines, best first. With `some`, those rows alone are looked at.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if `question` has another length than the rows, or holds what is not a finite number.
    pub fn nearest(
        &self,
        question: &[f32],
        count: usize,
        some: Option<&[usize]>,
        scan: Scan,
    ) -> Result<Vec<(usize, f32)>> {
        if question.len() != self.vectors.dimensions() {
            return Err(Error::invalid("the question's vector has another length than the others"));
        }
        let allowed = some.map(|rows| {
            let mut chunks = FixedBitSet::with_capacity(self.placed.count);
            rows.iter().filter(|row| **row < self.placed.count).for_each(|row| chunks.insert(*row));
            Allowed::new(chunks, &self.placed)
        });
        let nearest = Nearest { vectors: &self.vectors, placed: &self.placed, allowed: allowed.as_ref() };
        let best = nearest.best_by(&Probe::new(question)?, count, scan);
        Ok(best.into_iter().map(|(row, score)| (row as usize, score)).collect())
    }

    /// Puts the rows into cells, as an index does for very many vectors in the background.
    pub fn make_cells(&self) {
        self.vectors.make_cells();
    }

    /// The bytes of memory that the vectors take, without the table of their names.
    pub fn bytes(&self) -> usize {
        self.vectors.blocks().iter().map(|block| block.bytes()).sum::<usize>()
            + self.vectors.cell_cache().bytes()
    }
}
