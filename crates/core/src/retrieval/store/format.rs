//! The bytes of a stored index.
//!
//! ```text
//! 0    header: magic, version, checksum
//! 64   slot 0 ─┐ the newer one that is whole names the directory
//! 128  slot 1 ─┘
//! 192  records and directories, only ever appended
//! ```
//!
//! A record is one file with its facts, one block of vectors, what one file of the compiler says, or one of the tables that words and
//! names are looked up in. A directory names the records of one state of the index. To
//! save is to append the new records and a new directory, and then to write the older slot: up to that moment the old state
//! is what is read, and after it the new one. A reader therefore needs no lock. Nothing is interpreted before its checksum
//! has been compared, so that damaged bytes cannot mean anything; and as nothing points anywhere but from slot to directory to
//! record, they cannot lead in circles either.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::retrieval::compiled::Stamp as ArtifactStamp;
use crate::retrieval::entry::Outline;
use crate::retrieval::outside::Outside;
use crate::source::{ContentHash, Diagnostic, Language, Stamp};
use crate::syntax::Chunk;
use crate::{Error, ErrorKind, Result};

/// The version that is written. It goes up when the bytes mean something else, and also when reading the same source gives
/// other facts, for facts are stored and not made again. An index of another version is not read: it is built again.
pub(crate) const FORMAT_VERSION: u32 = 5;

const MAGIC: [u8; 8] = *b"ambixidx";
const HEADER: usize = 16;
const SLOTS: [u64; 2] = [64, 128];
const SLOT: usize = 56;
/// Where records begin.
pub(super) const DATA: u64 = 192;

/// Where some bytes are, and what they must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) hash: ContentHash,
}

impl Place {
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// The commit of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) sequence: u64,
    pub(super) directory: Place,
}

/// The records of one state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Directory {
    pub(super) root: String,
    pub(super) unread: Vec<Diagnostic>,
    /// What dependencies bring in.
    pub(super) outside: Outside,
    /// Sorted by path.
    pub(super) files: Vec<FileRecord>,
    pub(super) fingerprint: ContentHash,
    pub(super) dimensions: u32,
    pub(super) blocks: Vec<BlockRecord>,
    /// Sorted by path.
    pub(super) artifacts: Vec<ArtifactRecord>,
    /// Tables of words and of names.
    pub(super) segments: Vec<BlockRecord>,
    pub(super) names: Vec<BlockRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) path: Arc<str>,
    /// Of the file's text.
    pub(super) hash: ContentHash,
    pub(super) modified: Option<u64>,
    /// What it looked like when it was read.
    pub(super) stamp: Option<Stamp>,
    pub(super) place: Place,
}

/// A file, before its facts are.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredFile<'b> {
    pub(super) path: Arc<str>,
    pub(super) language: Language,
    /// Of the text.
    pub(super) hash: ContentHash,
    #[serde(borrow)]
    pub(super) text: Cow<'b, str>,
    pub(super) chunks: Vec<Chunk>,
    pub(super) outline: Outline,
    /// Without the chunks.
    #[serde(borrow, with = "serde_bytes")]
    pub(super) facts: Cow<'b, [u8]>,
}

/// A record that is named by what is in it: a block of vectors, or a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct BlockRecord {
    pub(super) id: ContentHash,
    pub(super) place: Place,
}

/// A file of the compiler, and where it is said what it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ArtifactRecord {
    pub(super) path: Arc<str>,
    pub(super) stamp: ArtifactStamp,
    /// Of its bytes.
    pub(super) hash: ContentHash,
    /// The source that it counts for.
    pub(super) source: Option<Arc<str>>,
    pub(super) place: Place,
}

impl Directory {
    /// Where all records are.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        let files = self.files.iter().map(|record| &record.place);
        let blocks = self.blocks.iter().map(|record| &record.place);
        let tables = self.segments.iter().chain(&self.names).map(|record| &record.place);
        files.chain(blocks).chain(self.artifacts.iter().map(|record| &record.place)).chain(tables)
    }

    /// Puts another place at one of those of [`Directory::places`].
    #[cfg(test)]
    pub(super) fn replace(&mut self, which: usize, place: Place) {
        let files = self.files.iter_mut().map(|record| &mut record.place);
        let blocks = self.blocks.iter_mut().map(|record| &mut record.place);
        let tables = self.segments.iter_mut().chain(&mut self.names).map(|record| &mut record.place);
        let artifacts = self.artifacts.iter_mut().map(|record| &mut record.place);
        if let Some(at) = files.chain(blocks).chain(artifacts).chain(tables).nth(which) {
            *at = place;
        }
    }

    /// The bytes of all records.
    pub(super) fn size(&self) -> u64 {
        self.places().map(|place| place.length).sum()
    }
}

pub(super) fn header() -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    let check = ContentHash::of(&bytes[..12]);
    bytes[12..].copy_from_slice(&check.0[..4]);
    bytes
}

/// Where the slot of this sequence number is written.
pub(super) fn slot_offset(sequence: u64) -> u64 {
    SLOTS[(sequence % 2) as usize]
}

pub(super) fn slot_bytes(slot: &Slot) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(&slot.sequence.to_le_bytes());
    bytes[8..16].copy_from_slice(&slot.directory.offset.to_le_bytes());
    bytes[16..24].copy_from_slice(&slot.directory.length.to_le_bytes());
    bytes[24..40].copy_from_slice(&slot.directory.hash.0);
    let check = ContentHash::of(&bytes[..40]);
    bytes[40..].copy_from_slice(&check.0);
    bytes
}

fn parse_slot(bytes: &[u8]) -> Option<Slot> {
    let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let hash = |at: usize| Some(ContentHash(bytes.get(at..at + 16)?.try_into().ok()?));
    let slot = Slot {
        sequence: number(0)?,
        directory: Place { offset: number(8)?, length: number(16)?, hash: hash(24)? },
    };
    (ContentHash::of(&bytes[..40]) == hash(40)?).then_some(slot)
}

/// What can be said of a file at first sight.
pub(super) enum Opened {
    /// The newest whole state.
    State(Slot, Box<Directory>),
    /// An index, but damaged or of an older version: it may be replaced.
    Unusable(Error),
}

/// Reads the header, the slots and the directory.
///
/// # Errors
/// `Corrupt` for a file that is no index, `Version` for one of a newer version, and those of the operating system.
pub(super) fn open_directory(file: &mut File, path: &Path) -> Result<Opened> {
    let mut head = Vec::with_capacity(DATA as usize);
    file.seek(SeekFrom::Start(0)).map_err(|error| Error::io(path, "read", error))?;
    file.take(DATA).read_to_end(&mut head).map_err(|error| Error::io(path, "read", error))?;
    let damaged = || Ok(Opened::Unusable(corrupt(path, "it is damaged or cut off")));
    if head.len() < MAGIC.len() || head[..MAGIC.len()] != MAGIC {
        return Err(corrupt(path, "it is something else, or its first bytes are damaged"));
    }
    if head.len() < DATA as usize || ContentHash::of(&head[..12]).0[..4] != head[12..HEADER] {
        return damaged();
    }
    let version = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
    if version > FORMAT_VERSION {
        let message = format!(
            "{} was written by a newer Ambix (format {version}, this one reads format {FORMAT_VERSION}): update Ambix, \
             or delete the file and build the index again",
            path.display()
        );
        return Err(Error::new(ErrorKind::Version, message).with_path(path));
    }
    if version < FORMAT_VERSION {
        return Ok(Opened::Unusable(outdated(path, version)));
    }
    let mut slots: Vec<Slot> = SLOTS.iter().filter_map(|at| parse_slot(&head[*at as usize..])).collect();
    slots.sort_by_key(|slot| slot.sequence);
    let Some(slot) = slots.pop() else { return damaged() };
    let bytes = match read_bytes(file, path, &slot.directory) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(Opened::Unusable(error)),
        Err(error) => return Err(error),
    };
    Ok(match decode(&bytes, path) {
        Ok(directory) => Opened::State(slot, Box::new(directory)),
        Err(error) => Opened::Unusable(error),
    })
}

fn outdated(path: &Path, version: u32) -> Error {
    let message = format!(
        "{} has format {version}, which is no more read: delete the file or build the index again",
        path.display()
    );
    Error::new(ErrorKind::Outdated, message).with_path(path)
}

/// The bytes at `place`, compared with their checksum.
pub(super) fn read_bytes(file: &mut File, path: &Path, place: &Place) -> Result<Vec<u8>> {
    let length = file.metadata().map_err(|error| Error::io(path, "read", error))?.len();
    let bytes = read_unchecked(file, path, place, length)?;
    check(&bytes, path, place).map(|()| bytes)
}

/// The bytes at `place` of a file that is so long, before their checksum is compared.
pub(super) fn read_unchecked(file: &mut File, path: &Path, place: &Place, length: u64) -> Result<Vec<u8>> {
    if place.offset < DATA || place.end() > length {
        return Err(corrupt(path, "it is cut off"));
    }
    let mut bytes = Vec::with_capacity(place.length as usize);
    file.seek(SeekFrom::Start(place.offset))
        .and_then(|_| file.take(place.length).read_to_end(&mut bytes))
        .map_err(|error| Error::io(path, "read", error))?;
    Ok(bytes)
}

/// Whether these are the bytes of `place`.
pub(super) fn check(bytes: &[u8], path: &Path, place: &Place) -> Result<()> {
    match ContentHash::of(bytes) == place.hash {
        true => Ok(()),
        false => Err(corrupt(path, "it is damaged")),
    }
}

/// What bytes mean that are as they were written.
pub(super) fn decode<'b, T: Deserialize<'b>>(bytes: &'b [u8], path: &Path) -> Result<T> {
    postcard::from_bytes(bytes)
        .map_err(|error| corrupt(path, "it holds something unknown").with_source(error))
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(not_stored)
}

pub(super) fn not_stored(error: postcard::Error) -> Error {
    Error::new(ErrorKind::Limit, "a part of the index cannot be stored").with_source(error)
}

pub(super) fn corrupt(path: &Path, what: &str) -> Error {
    let message = format!(
        "{} cannot be read as an index: {what}; delete the file, or build the index again",
        path.display()
    );
    Error::new(ErrorKind::Corrupt, message).with_path(path)
}
