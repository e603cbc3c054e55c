//! The encoder that an index carries: fast enough that chunks never wait for their vectors.

use std::fmt;
use std::sync::Arc;

use rayon::prelude::*;

use super::entry::Entry;
use super::index::{Index, Missing};
use super::vectors::{Batch, Embedder};
use crate::{Cancel, Result};

/// So many chunks are encoded between two looks at the token that cancels.
const AT_ONCE: usize = 4096;
/// So many are encoded by one thread before it asks for more.
const BY_ONE: usize = 64;

/// An encoder that versions of an index share.
#[derive(Clone)]
pub(super) struct Resident(pub(super) Arc<dyn Embedder + Send + Sync>);

impl fmt::Debug for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resident({})", self.0.dimensions())
    }
}

impl Index {
    /// This index with an encoder that gives each chunk its vector as soon as there is the chunk, and each question its own: all
    /// versions that are made from it search by meaning. It should be as fast as [`super::StaticEncoder`].
    ///
    /// Vectors of another encoder stay as they are, and the resident one then waits until they are gone.
    ///
    /// # Errors
    /// Those of the encoder and of [`Cancel::check`].
    pub fn with_encoder(&self, encoder: Arc<dyn Embedder + Send + Sync>, cancel: &Cancel) -> Result<Index> {
        let mut next = self.clone();
        next.resident = Some(Resident(encoder));
        next.embedded(cancel)?.fitting(cancel)
    }

    /// Whether questions are encoded by the resident encoder: there is one, and the vectors are not another's.
    pub fn speaks(&self) -> bool {
        self.speaking().is_some()
    }

    /// The resident encoder, if the vectors are its own or there are none.
    pub(super) fn speaking(&self) -> Option<&dyn Embedder> {
        let Resident(encoder) = self.resident.as_ref()?;
        self.encoder().is_none_or(|other| other == encoder.fingerprint()).then_some(&**encoder as _)
    }

    /// With a vector for each chunk, if there is a resident encoder that speaks.
    pub(super) fn embedded(&self, cancel: &Cancel) -> Result<Index> {
        self.embedded_in(self.inner_files().entries().iter(), cancel)
    }

    /// Likewise, where only chunks in some files can lack one.
    pub(super) fn embedded_in<'e>(
        &self,
        entries: impl Iterator<Item = &'e Arc<Entry>>,
        cancel: &Cancel,
    ) -> Result<Index> {
        let Some(encoder) = self.speaking() else { return Ok(self.clone()) };
        let fingerprint = encoder.fingerprint();
        let mut next = self.clone();
        for some in self.missing_in(entries, fingerprint).chunks(AT_ONCE) {
            cancel.check()?;
            let keys: Vec<_> = some.iter().map(Missing::key).collect();
            let rows = some.par_chunks(BY_ONE).map(|part| {
                let texts: Vec<String> = part.iter().map(Missing::text).collect();
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                encoder.embed(&texts, cancel)
            });
            let rows = rows.collect::<Result<Vec<_>>>()?.concat();
            let batch = Batch::new(fingerprint, &keys, &rows)?;
            next = next.with_other_vectors(next.vectors().with(&batch)?);
        }
        Ok(next)
    }
}
