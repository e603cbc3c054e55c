//! What format 2 wrote: the same texts, and vectors as floats.

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

/// The file stands before its facts, which are made anew.
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

/// The directory of a file of format 2.
///
/// # Errors
/// [`crate::ErrorKind::Corrupt`] if the bytes mean something else.
pub(super) fn directory(bytes: &[u8], path: &Path) -> Result<Directory> {
    let older: Directory2 = decode(bytes, path)?;
    let file = |FileRecord2 { path, hash, place }| FileRecord { path, hash, modified: None, place };
    Ok(Directory {
        root: older.root,
        unread: older.unread,
        outside: older.outside,
        files: older.files.into_iter().map(file).collect(),
        fingerprint: older.fingerprint,
        dimensions: older.dimensions,
        blocks: older.blocks,
        artifacts: Vec::new(),
    })
}

/// A file of format 2, read anew from its text.
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
