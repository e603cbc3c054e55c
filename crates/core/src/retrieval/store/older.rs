//! What formats 2 to 4 wrote: the same texts, the facts with them, and in format 2 vectors as floats.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::format::{BlockRecord, Directory, FileRecord, Place, decode};
use crate::Result;
use crate::retrieval::Entry;
use crate::retrieval::outside::Outside;
use crate::retrieval::vectors::Batch;
use crate::source::{ContentHash, Diagnostic, File, Language};
use crate::syntax::analyse;

#[derive(Deserialize)]
struct Directory2 {
    root: String,
    unread: Vec<Diagnostic>,
    outside: Outside,
    files: Vec<FileRecord2>,
    fingerprint: ContentHash,
    dimensions: u32,
    blocks: Vec<BlockRecord>,
}

#[derive(Deserialize)]
struct FileRecord2 {
    path: Arc<str>,
    hash: ContentHash,
    place: Place,
}

/// The file stands before what was made from it, which is made anew.
#[derive(Deserialize)]
struct File2 {
    path: Arc<str>,
    _language: Language,
    _hash: ContentHash,
    text: Arc<str>,
}

#[derive(Deserialize)]
struct Block2 {
    _id: ContentHash,
    keys: Vec<ContentHash>,
    rows: Vec<f32>,
}

#[derive(Deserialize)]
struct Directory3 {
    root: String,
    unread: Vec<Diagnostic>,
    outside: Outside,
    files: Vec<FileRecord3>,
    fingerprint: ContentHash,
    dimensions: u32,
    blocks: Vec<BlockRecord>,
    // What the compiler said follows, in format 4 too. It counts for the facts as they were read then, and is read again when it is asked for.
}

#[derive(Deserialize)]
struct FileRecord3 {
    path: Arc<str>,
    hash: ContentHash,
    modified: Option<u64>,
    place: Place,
}

/// The directory of a file of an older format.
///
/// # Errors
/// [`crate::ErrorKind::Corrupt`] if the bytes mean something else.
pub(super) fn directory(bytes: &[u8], path: &Path, version: u32) -> Result<Directory> {
    let older: Directory3 = match version {
        2 => decode::<Directory2>(bytes, path)?.into(),
        3 => decode(bytes, path)?,
        _ => {
            let directory: Directory = decode(bytes, path)?;
            let (artifacts, segments, names) = Default::default();
            return Ok(Directory { artifacts, segments, names, ..directory });
        }
    };
    let file =
        |FileRecord3 { path, hash, modified, place }| FileRecord { path, hash, modified, stamp: None, place };
    Ok(Directory {
        root: older.root,
        unread: older.unread,
        outside: older.outside,
        files: older.files.into_iter().map(file).collect(),
        fingerprint: older.fingerprint,
        dimensions: older.dimensions,
        blocks: older.blocks,
        artifacts: Vec::new(),
        segments: Vec::new(),
        names: Vec::new(),
    })
}

impl From<Directory2> for Directory3 {
    fn from(older: Directory2) -> Directory3 {
        let file = |FileRecord2 { path, hash, place }| FileRecord3 { path, hash, modified: None, place };
        Directory3 {
            root: older.root,
            unread: older.unread,
            outside: older.outside,
            files: older.files.into_iter().map(file).collect(),
            fingerprint: older.fingerprint,
            dimensions: older.dimensions,
            blocks: older.blocks,
        }
    }
}

/// A file of an older format, read anew from its text.
///
/// # Errors
/// As [`directory`].
pub(super) fn entry(bytes: &[u8], path: &Path) -> Result<Entry> {
    let file: File2 = decode(bytes, path)?;
    let file = File::new(&*file.path, file.text);
    let facts = analyse(&file);
    Ok(Entry::new(file, facts))
}

/// The vectors in a block of format 2.
///
/// # Errors
/// [`crate::ErrorKind::Corrupt`] if the bytes mean something else, [`crate::ErrorKind::InvalidArgument`] if its parts do not fit.
pub(super) fn batch(bytes: &[u8], directory: &Directory, path: &Path) -> Result<Batch> {
    let block: Block2 = decode(bytes, path)?;
    let rows: Vec<Vec<f32>> =
        block.rows.chunks((directory.dimensions as usize).max(1)).map(<[f32]>::to_vec).collect();
    Batch::new(directory.fingerprint, &block.keys, &rows)
}
