//! The bytes of a stored index.
//!
//! ```text
//! 0    header: magic, version, checksum
//! 64   slot 0 ─┐ the newer one that is whole names the directory
//! 128  slot 1 ─┘
//! 192  records and directories, only ever appended
//! ```
//!
//! A directory names the records of one state, section by section. To save is to append the new records and a new directory,
//! and then to write the older slot. Up to that moment the old state is what is read, and after it the new one, so a reader
//! needs no lock. Nothing is interpreted before its checksum was compared. Nothing points anywhere but from slot to directory
//! to record, so damaged bytes cannot lead in circles.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{corrupt, decode};
use crate::source::ContentHash;
use crate::{Error, ErrorKind, Result};

/// The version that is written and read. It goes up when the bytes mean something else, and also when reading the same source
/// gives other facts, for facts are stored and not made again. An index of an older version is built again.
pub(super) const FORMAT_VERSION: u32 = 10;

const MAGIC: [u8; 8] = *b"ambixidx";
const HEADER: usize = 16;
const SLOTS: [u64; 2] = [64, 128];
const SLOT: usize = 56;
/// Where records begin.
pub(super) const DATA: u64 = 192;

/// Where some bytes are, and what they must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) hash: ContentHash,
}

impl Extent {
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// The commit of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) sequence: u64,
    pub(super) directory: Extent,
}

/// The records of one state, by section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Directory {
    pub(super) sections: Vec<SectionEntry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SectionEntry {
    pub(super) name: String,
    #[serde(with = "serde_bytes")]
    pub(super) head: Vec<u8>,
    pub(super) records: Vec<RecordEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RecordEntry {
    pub(super) key: ContentHash,
    pub(super) place: Extent,
}

impl Directory {
    pub(super) fn section(&self, name: &str) -> Option<&SectionEntry> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Where all records are.
    pub(super) fn places(&self) -> impl Iterator<Item = &Extent> {
        self.sections.iter().flat_map(|section| &section.records).map(|record| &record.place)
    }

    /// The bytes of all records.
    pub(super) fn size(&self) -> u64 {
        self.places().fold(0, |sum, place| sum.saturating_add(place.length))
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
        directory: Extent { offset: number(8)?, length: number(16)?, hash: hash(24)? },
    };
    (ContentHash::of(&bytes[..40]) == hash(40)?).then_some(slot)
}

/// What can be said of a file at first sight.
pub(super) enum Opened {
    /// The newest whole state.
    State(Slot, Directory),
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
    let damaged = || Ok(Opened::Unusable(damage(path, "it is damaged or cut off")));
    if head.len() < MAGIC.len() || head[..MAGIC.len()] != MAGIC {
        return Err(damage(path, "it is something else, or its first bytes are damaged"));
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
    let length = file.metadata().map_err(|error| Error::io(path, "read", error))?.len();
    Ok(match decode::<Directory>(&bytes, &path.display().to_string()) {
        // Each record is there once. One that many others share would be read, and held, as often.
        Ok(directory) if directory.size() > length => {
            Opened::Unusable(damage(path, "its parts are larger than it is"))
        }
        Ok(directory) => Opened::State(slot, directory),
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
pub(super) fn read_bytes(file: &File, path: &Path, place: &Extent) -> Result<Vec<u8>> {
    let length = file.metadata().map_err(|error| Error::io(path, "read", error))?.len();
    let mut bytes = Vec::new();
    let read = read_unchecked(file, path, place.offset..place.end(), length, &mut bytes)?;
    check(read, path, place)?;
    bytes.truncate(place.length as usize);
    Ok(bytes)
}

/// The bytes at `range` of a file that is so long, read into `buffer`, before any checksum is compared.
pub(super) fn read_unchecked<'b>(
    file: &File,
    path: &Path,
    range: Range<u64>,
    length: u64,
    buffer: &'b mut Vec<u8>,
) -> Result<&'b [u8]> {
    if range.start < DATA || range.end > length {
        return Err(damage(path, "it is cut off"));
    }
    let size = (range.end - range.start) as usize;
    // It only grows: to clear it anew each time would take as long as to read.
    if buffer.len() < size {
        buffer.resize(size, 0);
    }
    let bytes = &mut buffer[..size];
    match read_at(file, bytes, range.start) {
        Ok(()) => Ok(bytes),
        // It became shorter meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(damage(path, "it is cut off")),
        Err(error) => Err(Error::io(path, "read", error)),
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, bytes, offset)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        (bytes, offset) = (&mut bytes[read..], offset + read as u64);
    }
    Ok(())
}

/// Whether these are the bytes of `place`.
pub(super) fn check(bytes: &[u8], path: &Path, place: &Extent) -> Result<()> {
    match ContentHash::of(bytes) == place.hash {
        true => Ok(()),
        false => Err(damage(path, "it is damaged")),
    }
}

/// The error of a file that does not hold a whole index.
pub(super) fn damage(path: &Path, what: &str) -> Error {
    corrupt(&path.display().to_string(), what).with_path(path)
}
