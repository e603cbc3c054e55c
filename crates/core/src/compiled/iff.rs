//! The container: an IFF form of chunks, each a name of four bytes, a size and data that is padded to four bytes.

use std::borrow::Cow;
use std::ops::Range;

use flate2::read::GzDecoder;

use super::Limits;
use super::damage::Damage;
use crate::Result;

/// What a gzip file begins with. The whole file may be compressed, as `erlc +compressed` does.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// `FOR1`, the size of the form, `BEAM`.
const HEADER: usize = 12;

/// A file, taken apart.
pub(super) struct Container<'a> {
    bytes: Cow<'a, [u8]>,
    chunks: Vec<([u8; 4], Range<usize>)>,
}

impl<'a> Container<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self> {
        let bytes = if bytes.starts_with(GZIP) {
            Cow::Owned(limits.inflate(GzDecoder::new(bytes), bytes.len(), None, Damage::File)?)
        } else {
            Cow::Borrowed(bytes)
        };
        let chunks = chunks(&bytes)?;
        Ok(Container { bytes, chunks })
    }

    /// The data of the first chunk of this name.
    pub(super) fn chunk(&self, id: &[u8; 4]) -> Option<&[u8]> {
        let (_, place) = self.chunks.iter().find(|(known, _)| known == id)?;
        self.bytes.get(place.clone())
    }
}

fn chunks(bytes: &[u8]) -> Result<Vec<([u8; 4], Range<usize>)>> {
    if !bytes.starts_with(b"FOR1") || bytes.get(8..HEADER) != Some(b"BEAM") {
        return Err(Damage::File.at(0, "it does not begin as a BEAM file does"));
    }
    // The size counts what follows it.
    let end = word(bytes, 4).and_then(|size| size.checked_add(8)).filter(|end| *end <= bytes.len());
    let end = end.ok_or_else(|| Damage::File.at(bytes.len(), "the file is cut off"))?;
    let mut chunks = Vec::new();
    let mut at = HEADER;
    while at < end {
        let (id, place) = chunk(bytes, at, end).ok_or_else(|| Damage::File.at(at, "a chunk is cut off"))?;
        // The padding of the last chunk may be missing.
        at = place.end.next_multiple_of(4);
        chunks.push((id, place));
    }
    Ok(chunks)
}

/// The name of the chunk at `at`, and where its data is.
fn chunk(bytes: &[u8], at: usize, end: usize) -> Option<([u8; 4], Range<usize>)> {
    let id = bytes.get(at..)?.first_chunk()?;
    let start = at + 8;
    let stop = start.checked_add(word(bytes, at + 4)?).filter(|stop| *stop <= end)?;
    Some((*id, start..stop))
}

/// The big-endian number at `at`.
fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*word) as usize)
}
