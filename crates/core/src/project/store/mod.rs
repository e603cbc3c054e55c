//! Where an index is kept between runs.
//!
//! A store holds one state: [`Section`]s of records. A record is named by a key that stands for its content, so to save is to
//! write the records whose keys are new. What the sections mean is known to those who write them: the snapshot writes files
//! and their facts, `retrieval` its tables and vectors.

mod file;
mod format;
mod memory;

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub use file::{FileStore, StoreOptions};
pub use memory::MemoryStore;

use crate::source::ContentHash;
use crate::{Cancel, Error, ErrorKind, Result};

/// A part of what is stored, of one reader or writer.
pub struct Section<'a> {
    /// Its name, which is stored with it.
    pub name: &'static str,
    /// What belongs to this state alone. It is written anew each time.
    pub head: Vec<u8>,
    /// What states share.
    pub records: Vec<Record<'a>>,
}

/// A record that is encoded only if the store does not have its key.
pub struct Record<'a> {
    /// Stands for the content: records of one section with the same key hold the same.
    pub key: ContentHash,
    /// Gives the bytes.
    pub encode: Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync + 'a>,
}

impl<'a> Record<'a> {
    /// A record of `value`.
    pub fn new<T: Serialize + Send + Sync + ?Sized>(key: ContentHash, value: &'a T) -> Record<'a> {
        Record { key, encode: Box::new(move || encode(value)) }
    }
}

/// A section of the state that is stored.
#[derive(Clone, Debug, Default)]
pub struct StoredSection {
    /// As [`Section::head`].
    pub head: Vec<u8>,
    /// The keys of the records, in the order in which they were written.
    pub records: Vec<StoredRecord>,
}

/// A record that is stored.
#[derive(Clone, Copy, Debug)]
pub struct StoredRecord {
    /// As [`Record::key`].
    pub key: ContentHash,
    /// How many bytes it has.
    pub length: u64,
    /// Where the store has it.
    pub(super) offset: u64,
    /// Of its bytes.
    pub(super) hash: ContentHash,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Records that were written.
    pub written: usize,
    /// Those that were there already.
    pub kept: usize,
    /// The bytes that the store takes.
    pub bytes: u64,
}

/// Takes the bytes of a record, which is the so-manyth of those asked for.
pub type TakeRecord<'t> = dyn Fn(usize, &[u8]) -> Result<()> + Sync + 't;

/// Keeps one state. Whatever goes wrong, it holds either the old state or the new one.
pub trait Store {
    /// The section of this name; [`ErrorKind::Corrupt`] if the state has none. The state is that of the first call, until
    /// something is written.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if nothing was stored; `Corrupt`, `Version` and `Outdated` for what cannot be read; those of the
    /// medium.
    fn section(&mut self, name: &str) -> Result<StoredSection>;

    /// Hands the bytes of each record, compared with their checksum, to `take`, with its place in `records`: on any thread,
    /// in any order.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if bytes are not as they were written; those of the medium, of `take` and of [`Cancel::check`].
    fn read(&mut self, records: &[StoredRecord], take: &TakeRecord<'_>, cancel: &Cancel) -> Result<()>;

    /// Replaces the state.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] if it would take more than the store may; `Locked` if another process writes; those of the medium
    /// and of [`Cancel::check`].
    fn write(&mut self, sections: &[Section<'_>], cancel: &Cancel) -> Result<Saved>;

    /// What the store is called in errors.
    fn name(&self) -> String;
}

/// All records of a section, decoded on all threads.
pub(crate) fn decode_all<T: Send + Sync>(
    store: &mut dyn Store,
    section: &StoredSection,
    cancel: &Cancel,
    value: impl Fn(usize, &[u8]) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let values: Vec<OnceLock<T>> = section.records.iter().map(|_| OnceLock::new()).collect();
    let put = |at: usize, bytes: &[u8]| {
        // Each is read once.
        let _ = values[at].set(value(at, bytes)?);
        Ok(())
    };
    store.read(&section.records, &put, cancel)?;
    Ok(values.into_iter().filter_map(OnceLock::into_inner).collect())
}

/// The value of these bytes.
pub(crate) fn decode<'b, T: Deserialize<'b>>(bytes: &'b [u8], name: &str) -> Result<T> {
    postcard::from_bytes(bytes)
        .map_err(|error| corrupt(name, "it holds something unknown").with_source(error))
}

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(not_stored)
}

pub(crate) fn not_stored(error: postcard::Error) -> Error {
    Error::new(ErrorKind::Limit, "a part of the index cannot be stored").with_source(error)
}

/// The error of a store that does not hold a whole index.
pub(crate) fn corrupt(name: &str, what: &str) -> Error {
    let message =
        format!("{name} cannot be read as an index: {what}; delete the file, or build the index again");
    Error::new(ErrorKind::Corrupt, message)
}

/// The error of parts that were not written together.
pub(crate) fn does_not_fit(name: &str) -> Error {
    corrupt(name, "its parts do not fit")
}
