//! Filling an index with vectors, a batch at a time.

use std::collections::HashSet;

use super::index::{Index, Missing};
use super::vectors::{Batch, Embedder};
use crate::job::Progress;
use crate::{Cancel, Error, Result};

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
