//! An index in a store, and from there again.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bm25::{Lexical, Segment};
use super::entry::{ChunkTable, Entry, Outline};
use super::index::{Index, Tables};
use super::names::Names;
use super::vectors::{Block, Vectors};
use crate::project::store::{Record, Saved, Section, Store, decode, decode_all, does_not_fit, encode};
use crate::project::{Snapshot, file_key};
use crate::source::ContentHash;
use crate::{Cancel, Error, ErrorKind, Result};

const CHUNKS: &str = "chunks";
const WORDS: &str = "words";
const NAMES: &str = "names";
const VECTORS: &str = "vectors";

/// What a state says of its vectors.
#[derive(Serialize, Deserialize)]
struct VectorsHead {
    fingerprint: ContentHash,
    dimensions: u32,
}

/// Writes `index` to `store`: only what changed, as far as the store can.
///
/// Where an encoder's vectors would not fit, they are left out. They are made again when they are wanted.
///
/// # Errors
/// Those of [`Store::write`]; [`ErrorKind::InvalidArgument`] if the root's path is not UTF-8.
pub fn save(index: &Index, store: &mut dyn Store, cancel: &Cancel) -> Result<Saved> {
    let saved = store.write(&sections(index)?, cancel);
    match saved {
        Err(error) if error.kind() == ErrorKind::Limit && index.encoder().is_some() && !index.speaks() => {
            store.write(&sections(&index.without_vectors())?, cancel)
        }
        saved => saved,
    }
}

/// Writes `index` for other machines and other folders with the same project: without what only this machine has, the place of
/// the folder and the times of files. [`import`] reads it.
///
/// # Errors
/// Those of [`save`].
pub fn export(index: &Index, store: &mut dyn Store, cancel: &Cancel) -> Result<Saved> {
    save(&index.with_snapshot(index.snapshot().without_place()), store, cancel)
}

/// Reads the index in `store`. It answers as the one that was saved did. Nothing is locked or written.
///
/// # Errors
/// Those of [`Store::section`] and [`Store::read`]; [`ErrorKind::InvalidArgument`] for an index that was exported
/// ([`import`]); those of [`Cancel::check`].
pub fn open(store: &mut dyn Store, cancel: &Cancel) -> Result<Index> {
    let index = read(store, cancel)?;
    if index.snapshot().is_without_place() {
        let message = format!(
            "{} was exported, and does not know its folder: open it with the folder that it is to be of (root)",
            store.name()
        );
        return Err(Error::invalid(message));
    }
    Ok(index)
}

/// Reads the index in `store`, wherever it was made, as that of the folder `root`. [`Index::update`] then reads the files of
/// `root`, and analyses those whose content is another.
///
/// # Errors
/// Those of [`open`], and [`ErrorKind::NotFound`] without `root`.
pub fn import(store: &mut dyn Store, root: &Path, cancel: &Cancel) -> Result<Index> {
    let root = root.canonicalize().map_err(|error| Error::io(root, "find", error))?;
    let index = read(store, cancel)?;
    Ok(index.with_snapshot(index.snapshot().with_root(root)))
}

fn sections(index: &Index) -> Result<Vec<Section<'_>>> {
    let mut sections = index.snapshot().sections()?;
    let entries = index.chunk_table().entries().iter();
    let outlines = entries.map(|entry| Record::new(file_key(&entry.file), &entry.outline));
    let segments = index.lexical().segments().map(|segment| Record::new(segment.id(), &**segment));
    let names = index.names().groups().map(|(id, group)| Record::new(id, &**group));
    let vectors = index.vectors();
    let fingerprint = vectors.fingerprint();
    let head = VectorsHead { fingerprint, dimensions: vectors.dimensions() as u32 };
    // Two encoders may give the same number of vectors for the same chunks.
    let key = |id: ContentHash| ContentHash::of(&[fingerprint.0, id.0].concat());
    let blocks = vectors.blocks().iter().map(|block| Record::new(key(block.id), &**block));
    sections.extend([
        Section { name: CHUNKS, head: Vec::new(), records: outlines.collect() },
        Section { name: WORDS, head: Vec::new(), records: segments.collect() },
        Section { name: NAMES, head: Vec::new(), records: names.collect() },
        Section { name: VECTORS, head: encode(&head)?, records: blocks.collect() },
    ]);
    Ok(sections)
}

fn read(store: &mut dyn Store, cancel: &Cancel) -> Result<Index> {
    let snapshot = Snapshot::stored(store, cancel)?;
    let name = store.name();
    let section = store.section(CHUNKS)?;
    let files: Vec<_> = snapshot.table().iter().collect();
    if section.records.len() != files.len() {
        return Err(does_not_fit(&name));
    }
    let entries = decode_all(store, &section, cancel, |at, bytes| {
        let outline: Outline = decode(bytes, &name)?;
        let entry = Entry::stored(Arc::clone(files[at]), outline).ok_or_else(|| does_not_fit(&name))?;
        Ok(Arc::new(entry))
    })?;
    let chunks = ChunkTable::default().updated(entries);
    let section = store.section(WORDS)?;
    let segments = decode_all(store, &section, cancel, |at, bytes| {
        let segment: Segment = decode(bytes, &name)?;
        let fits = segment.is_sound() && segment.id() == section.records[at].key;
        if fits { Ok(Arc::new(segment)) } else { Err(does_not_fit(&name)) }
    })?;
    let section = store.section(NAMES)?;
    let names = decode_all(store, &section, cancel, |at, bytes| {
        Ok((section.records[at].key, decode(bytes, &name)?))
    })?;
    let section = store.section(VECTORS)?;
    let head: VectorsHead = decode(&section.head, &name)?;
    let dimensions = head.dimensions as usize;
    let blocks = decode_all(store, &section, cancel, |_, bytes| {
        let block: Block = decode(bytes, &name)?;
        if block.dimensions() == dimensions { Ok(Arc::new(block)) } else { Err(does_not_fit(&name)) }
    })?;
    let tables = Tables {
        lexical: Lexical::stored(segments, &chunks),
        names: Names::stored(names, &chunks),
        vectors: Vectors::new(head.fingerprint, dimensions, blocks),
        chunks,
    };
    Ok(Index::with_tables(snapshot, tables))
}
