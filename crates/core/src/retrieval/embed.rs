//! Filling an index with vectors: by the encoder that it carries, so that chunks never wait for theirs, or by another one, a
//! batch at a time.

use std::collections::HashSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::entry::Entry;
use super::index::{Index, Missing, Resident};
use super::vectors::{Batch, Embedder};
use crate::job::Progress;
use crate::{Cancel, Error, Result};

/// So many chunks are encoded between two looks at the token that cancels.
const AT_ONCE: usize = 4096;
/// So many are encoded by one thread before it asks for more.
const BY_ONE: usize = 64;

/// Encodes what has no vector yet, `batch` chunks at a time, until nothing is missing.
///
/// `current` gives the index as it is now; it is asked again when all that was missing is done, so that what changes in the
/// meantime is encoded too. `publish` gets each batch, to put it into the current index with [`Index::with_vectors`], and the
/// progress in the phase `"embed"`. Chunks of like length go together, so that progress is steady.
///
/// # Errors
/// Those of the encoder, of `publish` and of [`Cancel::check`]; [`crate::ErrorKind::InvalidArgument`] if `batch` is 0. What
/// was published stays.
pub fn embed_all(
    current: &dyn Fn() -> Index,
    embedder: &dyn Embedder,
    batch: usize,
    publish: &mut dyn FnMut(Batch, Progress) -> Result<()>,
    cancel: &Cancel,
) -> Result<()> {
    if batch == 0 {
        return Err(Error::invalid("a batch must hold at least one chunk"));
    }
    let fingerprint = embedder.fingerprint();
    let mut encoded = HashSet::new();
    loop {
        let mut missing: Vec<Missing> = current().missing_vectors(fingerprint);
        // What was encoded and is missing all the same was not taken over; to encode it again would never end.
        missing.retain(|chunk| !encoded.contains(&chunk.key()));
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_by_key(Missing::size);
        let total = (encoded.len() + missing.len()) as u64;
        for some in missing.chunks(batch) {
            cancel.check()?;
            let texts: Vec<String> = some.iter().map(Missing::text).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let rows = embedder.embed(&texts, cancel)?;
            let keys: Vec<_> = some.iter().map(Missing::key).collect();
            encoded.extend(keys.iter().copied());
            let progress = Progress { phase: "embed", done: encoded.len() as u64, total };
            publish(Batch::new(fingerprint, &keys, &rows)?, progress)?;
        }
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
        self.embedded_in(self.chunk_table().entries().iter(), cancel)
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
