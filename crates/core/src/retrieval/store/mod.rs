//! An index in a file: saved by what changed, opened as it was.
//!
//! The file is Ambix's own (see `format`), not an embedded database: it is always read as a whole, once, into memory, so that
//! pages and cursors would buy nothing, while opening must never panic on damaged bytes, must work where nothing can be
//! written, and must not wait for a writer.

mod format;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use self::format::{
    ArtifactRecord, BlockRecord, DATA, Directory, FileRecord, Opened, Place, Slot, StoredFile, check,
    corrupt, decode, encode, header, open_directory, read_unchecked, slot_bytes, slot_offset,
};
use super::bm25::Segment;
use super::compiled::{Artifact, Compiled, Said};
use super::entry::Entry;
use super::index::{Index, Parts};
use super::outside::Outside;
use super::vectors::{Block, Vectors};
use crate::source::{ContentHash, File as SourceFile, Stamps};
use crate::{Cancel, Error, ErrorKind, Result};

/// So many bytes of records are read before they are interpreted, and so many files made into bytes at once.
const AT_ONCE: u64 = 32 << 20;
const FILES_AT_ONCE: usize = 256;

/// How long to sleep before asking for the lock again.
const PATIENCE: Duration = Duration::from_millis(20);

/// How an index is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveOptions {
    /// How long to wait for another process that is saving to the same file.
    pub wait: Duration,
    /// How large the file may become. While it is written anew, the old one is there too. An encoder's vectors are left out where
    /// it fits without them, and made again when it is opened and they are wanted.
    pub max_bytes: Option<u64>,
}

impl Default for SaveOptions {
    fn default() -> Self {
        SaveOptions { wait: Duration::from_secs(5), max_bytes: None }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Files, blocks of vectors and files of the compiler that were written.
    pub written: usize,
    /// Those that were there already.
    pub kept: usize,
    /// The size of the file in bytes.
    pub bytes: u64,
}

/// Writes `index` to the file `path`: what changed is appended, and the whole file is written anew when most of it would be
/// old. Whatever goes wrong, the file holds either its old state or the new one. Beside it stays an empty `PATH.lock`, which a
/// process holds locked while it saves.
///
/// An index that is there is replaced, also if it is damaged or too old to be read.
///
/// # Errors
/// `Locked` if another process saves for longer than `options.wait`; `Corrupt` if `path` is there and no index, `Version` if it
/// is one of a newer version: neither is replaced; `Limit` if it would be larger than `options.max_bytes`; `Io` and `NotFound` from
/// the operating system; those of [`Cancel::check`].
pub fn save(index: &Index, path: &Path, options: &SaveOptions, cancel: &Cancel) -> Result<Saved> {
    let _lock = lock(&with_suffix(path, "lock"), options, cancel)?;
    let before = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(mut file) if file.metadata().is_ok_and(|data| data.len() > 0) => {
            match open_directory(&mut file, path)? {
                Opened::State(slot, directory) => Some((file, slot, *directory)),
                Opened::Unusable(_) => None,
            }
        }
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io(path, "write", error)),
    };
    match before {
        Some((file, slot, directory)) => append(index, path, file, (slot, directory), options, cancel),
        None => write_anew(index, path, options, cancel),
    }
}

/// Writes `index` to the file `path` for other machines and other folders with the same project: without what only this one
/// has, the place of the folder and the times of files. [`import`] reads it.
///
/// # Errors
/// Those of [`save`].
pub fn export(index: &Index, path: &Path, options: &SaveOptions, cancel: &Cancel) -> Result<Saved> {
    save(&index.without_place(), path, options, cancel)
}

/// Reads the index in the file `path`, wherever it was made, as that of the folder `root`. It answers as it did there;
/// [`Index::update`] then reads the files of `root`, and analyses those whose content is another.
///
/// # Errors
/// Those of [`open`], and `NotFound` without `root`.
pub fn import(path: &Path, root: &Path, cancel: &Cancel) -> Result<Index> {
    let root = root.canonicalize().map_err(|error| Error::io(root, "find", error))?;
    Ok(read(path, cancel)?.with_root(root))
}

/// Reads the index in the file `path`. It answers as the one that was saved did. Nothing is locked or written.
///
/// # Errors
/// `Corrupt` if the file is no index, or is damaged or cut off; `Version` if a newer version wrote it, and `Outdated` if an
/// older one did; `InvalidArgument` for one that was exported ([`import`]); `NotFound` and `Io` from the operating system; those of [`Cancel::check`].
pub fn open(path: &Path, cancel: &Cancel) -> Result<Index> {
    let index = read(path, cancel)?;
    if index.root().as_os_str().is_empty() {
        let message = format!(
            "{} was exported, and does not know its folder: open it with the folder that it is to be of (root)",
            path.display()
        );
        return Err(Error::invalid(message).with_path(path));
    }
    Ok(index)
}

fn read(path: &Path, cancel: &Cancel) -> Result<Index> {
    let mut file = File::open(path).map_err(|error| Error::io(path, "open", error))?;
    let directory = match open_directory(&mut file, path)? {
        Opened::State(_, directory) => *directory,
        Opened::Unusable(error) => return Err(error),
    };
    let entry = |bytes: &[u8], record: &FileRecord| {
        let entry = entry(bytes, path)?;
        let is_same = entry.file.path == record.path && entry.file.hash == record.hash;
        if is_same { Ok(Arc::new(entry)) } else { Err(does_not_fit(path)) }
    };
    let entries = read_all(&mut file, path, &directory.files, |record| &record.place, entry, cancel)?;
    let vectors = vectors(&mut file, path, &directory, cancel)?;
    let segment = |bytes: &[u8], record: &BlockRecord| {
        let segment: Segment = decode(bytes, path)?;
        let fits = segment.is_sound() && segment.id() == record.id;
        if fits { Ok(Arc::new(segment)) } else { Err(does_not_fit(path)) }
    };
    let segments = read_all(&mut file, path, &directory.segments, |record| &record.place, segment, cancel)?;
    let group = |bytes: &[u8], record: &BlockRecord| Ok((record.id, decode(bytes, path)?));
    let names = read_all(&mut file, path, &directory.names, |record| &record.place, group, cancel)?;
    let mut stamps = Stamps::default();
    for record in &directory.files {
        if let Some(stamp) = record.stamp {
            stamps.put(record.path.clone(), stamp, Some(record.hash));
        }
    }
    let times = directory.files.iter().filter_map(|record| Some((record.path.clone(), record.modified?)));
    let modified = times.collect();
    let compiled = compiled(&mut file, path, directory.artifacts, cancel)?;
    let root = PathBuf::from(directory.root);
    let (unread, outside) = (directory.unread, directory.outside);
    let parts = Parts {
        segments,
        names,
        vectors,
        modified,
        stamps,
        compiled,
        ..Parts::new(entries, unread, outside)
    };
    Ok(Index::of(root, parts))
}

/// What all `records` say: their bytes are read one after the other, and compared with their checksums and interpreted by `value` on all
/// threads, some at a time, so that they are never all in memory.
fn read_all<R: Sync, T: Send>(
    file: &mut File,
    path: &Path,
    records: &[R],
    place: impl Fn(&R) -> &Place + Sync,
    value: impl Fn(&[u8], &R) -> Result<T> + Sync,
    cancel: &Cancel,
) -> Result<Vec<T>> {
    let length = file.metadata().map_err(|error| Error::io(path, "read", error))?.len();
    let mut values = Vec::with_capacity(records.len());
    let mut rest = records;
    while !rest.is_empty() {
        cancel.check()?;
        let mut bytes = 0;
        let some = rest.iter().take_while(|record| {
            let first = bytes == 0;
            bytes += place(record).length;
            first || bytes <= AT_ONCE
        });
        let (some, later) = rest.split_at(some.count());
        let read = some.iter().map(|record| read_unchecked(file, path, place(record), length));
        let read: Vec<Vec<u8>> = read.collect::<Result<_>>()?;
        let checked = read.par_iter().zip(some).map(|(bytes, record)| {
            check(bytes, path, place(record))?;
            value(bytes, record)
        });
        values.extend(checked.collect::<Result<Vec<T>>>()?);
        rest = later;
    }
    Ok(values)
}

fn vectors(file: &mut File, path: &Path, directory: &Directory, cancel: &Cancel) -> Result<Vectors> {
    let dimensions = directory.dimensions as usize;
    let block = |bytes: &[u8], record: &BlockRecord| {
        let block: Block = decode(bytes, path)?;
        let fits = block.id == record.id && block.dimensions() == dimensions;
        if fits { Ok(Arc::new(block)) } else { Err(does_not_fit(path)) }
    };
    let blocks = read_all(file, path, &directory.blocks, |record| &record.place, block, cancel)?;
    Ok(Vectors::new(directory.fingerprint, dimensions, blocks))
}

/// A file whose facts are read when somebody asks for them.
fn entry(bytes: &[u8], path: &Path) -> Result<Entry> {
    let StoredFile { path: name, language, hash, text, chunks, outline, facts } = decode(bytes, path)?;
    let file = SourceFile { path: name, language, hash, text: text.into(), modified: None };
    Entry::stored(file, chunks, outline, &facts).ok_or_else(|| does_not_fit(path))
}

fn stored_file(entry: &Entry) -> Result<StoredFile<'_>> {
    let SourceFile { path, language, hash, text, .. } = &entry.file;
    Ok(StoredFile {
        path: path.clone(),
        language: *language,
        hash: *hash,
        text: (&**text).into(),
        chunks: entry.chunks().to_vec(),
        outline: entry.outline.clone(),
        facts: entry.facts.bytes().map_err(format::not_stored)?.into_vec().into(),
    })
}

/// What the compiler said.
fn compiled(
    file: &mut File,
    path: &Path,
    artifacts: Vec<ArtifactRecord>,
    cancel: &Cancel,
) -> Result<Compiled> {
    let said = |bytes: &[u8], _: &ArtifactRecord| decode::<Said>(bytes, path);
    let said = read_all(file, path, &artifacts, |record| &record.place, said, cancel)?;
    let artifacts = artifacts.into_iter().zip(said).map(|(record, said)| {
        let ArtifactRecord { path, stamp, hash, source, .. } = record;
        (path, Artifact { stamp, hash, said: Arc::new(said), source })
    });
    Ok(Compiled::of(artifacts.collect::<BTreeMap<_, _>>()))
}

fn does_not_fit(path: &Path) -> Error {
    corrupt(path, "its parts do not fit")
}

fn lock(path: &Path, options: &SaveOptions, cancel: &Cancel) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| Error::io(path, "write", error))?;
    let end = Instant::now() + options.wait;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                cancel.check()?;
                std::thread::sleep(PATIENCE);
            }
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "another process is writing to this index, and holds {}: try again",
                    path.display()
                );
                return Err(Error::new(ErrorKind::Locked, message).with_path(path));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io(path, "lock", error)),
        }
    }
}

fn append(
    index: &Index,
    path: &Path,
    mut file: File,
    (slot, old): (Slot, Directory),
    options: &SaveOptions,
    cancel: &Cancel,
) -> Result<Saved> {
    let end = slot.directory.end();
    // A record that is kept must be whole, or a damaged index could not be mended by building it again.
    let places: Vec<Place> = old.places().copied().collect();
    match read_all(&mut file, path, &places, |place| place, |_, _| Ok(()), cancel) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            return write_anew(index, path, options, cancel);
        }
        Err(error) => return Err(error),
    }
    let mut writer = Writer::new(end);
    let directory = writer.records(index, &old, cancel)?;
    let saved = Saved { written: writer.written, kept: writer.kept, bytes: end };
    if directory == old {
        return Ok(saved);
    }
    let slot = writer.commit(&directory, slot.sequence + 1)?;
    let is_old = writer.end() - DATA > 2 * (directory.size() + slot.directory.length);
    if is_old || options.max_bytes.is_some_and(|most| writer.end() > most) {
        drop(file);
        return write_anew(index, path, options, cancel);
    }
    // What a process that died may have left behind the end is written over, and cut off.
    let written = file
        .set_len(end)
        .and_then(|()| file.seek(SeekFrom::Start(end)))
        .and_then(|_| file.write_all(&writer.bytes))
        .and_then(|()| file.sync_data());
    if let Err(error) = written {
        // The old state does not need it; if even this fails, the bytes behind the end are nobody's.
        let _ = file.set_len(end);
        return Err(not_written(path, error));
    }
    file.seek(SeekFrom::Start(slot_offset(slot.sequence)))
        .and_then(|_| file.write_all(&slot_bytes(&slot)))
        .and_then(|()| file.sync_data())
        .map_err(|error| not_written(path, error))?;
    Ok(Saved { bytes: writer.end(), ..saved })
}

/// The error of a write that the system refused.
fn not_written(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    if matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull) {
        let message = format!(
            "there is no room to write the index to {}, which is as it was: make room, or name a file on another disk ({error})",
            path.display()
        );
        return Error::new(ErrorKind::Io, message).with_path(path).with_source(error);
    }
    Error::io(path, "write", error)
}

/// The error of an index that would take more bytes of the disk than it may.
fn too_large(path: &Path, bytes: u64, most: u64) -> Error {
    let message = format!(
        "the index takes {} KiB of disk, and may take {}: raise max_disk, or index a folder with less in it; {} is as it was",
        bytes.div_ceil(1024),
        most >> 10,
        path.display()
    );
    Error::new(ErrorKind::Limit, message).with_path(path)
}

fn write_anew(index: &Index, path: &Path, options: &SaveOptions, cancel: &Cancel) -> Result<Saved> {
    let nothing = Directory {
        root: String::new(),
        unread: Vec::new(),
        outside: Outside::default(),
        files: Vec::new(),
        fingerprint: ContentHash::default(),
        dimensions: 0,
        blocks: Vec::new(),
        artifacts: Vec::new(),
        segments: Vec::new(),
        names: Vec::new(),
    };
    let mut writer = Writer::new(DATA);
    let directory = writer.records(index, &nothing, cancel)?;
    let slot = writer.commit(&directory, 0)?;
    if let Some(most) = options.max_bytes.filter(|most| writer.end() > *most) {
        if index.encoder().is_some() && !index.speaks() {
            return write_anew(&index.without_vectors(), path, options, cancel);
        }
        return Err(too_large(path, writer.end(), most));
    }
    let mut head = vec![0; DATA as usize];
    head[..header().len()].copy_from_slice(&header());
    let at = slot_offset(slot.sequence) as usize;
    head[at..at + slot_bytes(&slot).len()].copy_from_slice(&slot_bytes(&slot));

    let temporary = with_suffix(path, "new");
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(&head)?;
        file.write_all(&writer.bytes)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        let _ = fs::remove_file(&temporary);
        return Err(not_written(path, error));
    }
    // The name is safe on the disk only with its folder. Where a folder cannot be synced, the system does it in its time.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(Saved { written: writer.written, kept: 0, bytes: writer.end() })
}

/// New records, in memory until they are written at once.
struct Writer {
    start: u64,
    bytes: Vec<u8>,
    written: usize,
    kept: usize,
}

impl Writer {
    fn new(start: u64) -> Writer {
        Writer { start, bytes: Vec::new(), written: 0, kept: 0 }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The directory of `index`: records that `old` has are kept where they are, the others are added.
    fn records(&mut self, index: &Index, old: &Directory, cancel: &Cancel) -> Result<Directory> {
        let root = index.root().to_str().ok_or_else(|| Error::invalid("the project's path is not UTF-8"))?;
        let mut known: HashMap<(&str, ContentHash), Place> =
            old.files.iter().map(|record| ((&*record.path, record.hash), record.place)).collect();
        let is_new = |entry: &&Arc<Entry>| !known.contains_key(&(&*entry.file.path, entry.file.hash));
        let new: Vec<&Arc<Entry>> = index.inner_files().entries().iter().filter(is_new).collect();
        for some in new.chunks(FILES_AT_ONCE) {
            cancel.check()?;
            let bytes =
                some.par_iter().map(|entry| encode(&stored_file(entry)?)).collect::<Result<Vec<_>>>()?;
            for (entry, bytes) in some.iter().zip(bytes) {
                known.insert((&*entry.file.path, entry.file.hash), self.put(bytes));
            }
        }
        self.written += new.len();
        self.kept += index.inner_files().entries().len() - new.len();
        let mut files = Vec::new();
        for entry in index.inner_files().entries() {
            let (path, hash) = (entry.file.path.clone(), entry.file.hash);
            let place = known[&(&*entry.file.path, hash)];
            let (modified, stamp) = (index.modified(&path), index.stamps().get(&path, hash));
            files.push(FileRecord { path, hash, modified, stamp, place });
        }
        let vectors = index.vectors();
        let known: HashMap<ContentHash, Place> = match old.fingerprint == vectors.fingerprint() {
            true => old.blocks.iter().map(|record| (record.id, record.place)).collect(),
            false => HashMap::new(),
        };
        let mut blocks = Vec::new();
        for block in vectors.blocks() {
            cancel.check()?;
            let place = self.place(known.get(&block.id), &**block)?;
            blocks.push(BlockRecord { id: block.id, place });
        }
        let mut known: HashMap<ContentHash, Place> =
            old.artifacts.iter().map(|record| (record.hash, record.place)).collect();
        let mut artifacts = Vec::new();
        for (path, artifact) in index.compiled().artifacts() {
            cancel.check()?;
            let place = self.place(known.get(&artifact.hash), &*artifact.said)?;
            known.insert(artifact.hash, place);
            let Artifact { stamp, hash, source, .. } = artifact.clone();
            artifacts.push(ArtifactRecord { path: path.clone(), stamp, hash, source, place });
        }
        let mut tables = |known: &[BlockRecord], id: ContentHash, value: &dyn Fn() -> Result<Vec<u8>>| {
            cancel.check()?;
            match known.iter().find(|record| record.id == id) {
                Some(record) => Ok(record.clone()),
                None => Ok(BlockRecord { id, place: self.put(value()?) }),
            }
        };
        let segments = index.lexical().segments();
        let segments = segments.map(|it| tables(&old.segments, it.id(), &|| encode(&**it)));
        let segments = segments.collect::<Result<Vec<_>>>()?;
        let names = index.names().groups();
        let names = names.map(|(id, it)| tables(&old.names, id, &|| encode(&**it)));
        let names = names.collect::<Result<Vec<_>>>()?;
        Ok(Directory {
            root: root.to_string(),
            unread: index.unread().to_vec(),
            outside: index.outside().clone(),
            files,
            fingerprint: vectors.fingerprint(),
            dimensions: vectors.dimensions() as u32,
            blocks,
            artifacts,
            segments,
            names,
        })
    }

    fn place(&mut self, known: Option<&Place>, value: &impl serde::Serialize) -> Result<Place> {
        match known {
            Some(place) => {
                self.kept += 1;
                Ok(*place)
            }
            None => {
                self.written += 1;
                self.add(value)
            }
        }
    }

    fn add(&mut self, value: &impl serde::Serialize) -> Result<Place> {
        Ok(self.put(encode(value)?))
    }

    fn put(&mut self, bytes: Vec<u8>) -> Place {
        let place = Place { offset: self.end(), length: bytes.len() as u64, hash: ContentHash::of(&bytes) };
        self.bytes.extend(bytes);
        place
    }

    fn commit(&mut self, directory: &Directory, sequence: u64) -> Result<Slot> {
        Ok(Slot { sequence, directory: self.add(directory)? })
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
