//! An index in a file: saved by what changed, opened as it was.
//!
//! The file is Aludel's own (see `format`), not an embedded database: it is always read as a whole, once, into memory, so that
//! pages and cursors would buy nothing, while opening must never panic on damaged bytes, must work where nothing can be
//! written, and must not wait for a writer.

mod format;
mod older;

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
    ArtifactRecord, BlockRecord, DATA, Directory, FileRecord, Opened, Place, Slot, corrupt, decode, encode,
    header, open_directory, read_bytes, slot_bytes, slot_offset,
};
use super::compiled::{Artifact, Compiled, Said};
use super::entry::Entry;
use super::index::{Index, Parts};
use super::outside::Outside;
use super::vectors::{Block, Vectors};
use crate::source::ContentHash;
use crate::{Cancel, Error, ErrorKind, Result};

/// How long to sleep before asking for the lock again.
const PATIENCE: Duration = Duration::from_millis(20);

/// How an index is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveOptions {
    /// How long to wait for another process that is saving to the same file.
    pub wait: Duration,
}

impl Default for SaveOptions {
    fn default() -> Self {
        SaveOptions { wait: Duration::from_secs(5) }
    }
}

/// An index that was opened.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The index.
    pub index: Index,
    /// Whether its file is of an older format. Then all files were analysed anew, which takes as long as it does when an index
    /// is built, until the index is saved.
    pub is_older: bool,
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
/// is one of a newer version: neither is replaced; `Io` and `NotFound` from the operating system; those of [`Cancel::check`].
pub fn save(index: &Index, path: &Path, options: &SaveOptions, cancel: &Cancel) -> Result<Saved> {
    let _lock = lock(&with_suffix(path, "lock"), options, cancel)?;
    let before = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(mut file) if file.metadata().is_ok_and(|data| data.len() > 0) => {
            match open_directory(&mut file, path)? {
                Opened::State(slot, directory) => Some((file, slot, directory)),
                Opened::Older(_) | Opened::Unusable(_) => None,
            }
        }
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::io(path, "write", error)),
    };
    match before {
        Some((file, slot, directory)) => append(index, path, file, slot, directory, cancel),
        None => write_anew(index, path, cancel),
    }
}

/// Reads the index in the file `path`. It answers as the one that was saved did; one of an older format that is still read
/// answers as if its files had been read now. Nothing is locked or written.
///
/// # Errors
/// `Corrupt` if the file is no index, or is damaged or cut off; `Version` if a newer version wrote it, and `Outdated` if an
/// older one did, that this one cannot read; `NotFound` and `Io` from the operating system; those of [`Cancel::check`].
pub fn open(path: &Path, cancel: &Cancel) -> Result<Stored> {
    let mut file = File::open(path).map_err(|error| Error::io(path, "open", error))?;
    let (directory, is_older) = match open_directory(&mut file, path)? {
        Opened::State(_, directory) => (directory, false),
        Opened::Older(directory) => (directory, true),
        Opened::Unusable(error) => return Err(error),
    };
    let places = directory.files.iter().map(|record| &record.place);
    let records = read_all(&mut file, path, places, cancel)?;
    let entry = if is_older { older::entry } else { entry_of_facts };
    let entries: Vec<Arc<Entry>> = records
        .par_iter()
        .zip(&directory.files)
        .map(|(bytes, record)| {
            cancel.check()?;
            let entry = entry(bytes, path)?;
            let is_same = entry.file.path == record.path && entry.file.hash == record.hash;
            if is_same { Ok(Arc::new(entry)) } else { Err(does_not_fit(path)) }
        })
        .collect::<Result<_>>()?;
    drop(records);
    let vectors = vectors(&mut file, path, &directory, is_older, cancel)?;
    let times = directory.files.iter().filter_map(|record| Some((record.path.clone(), record.modified?)));
    let modified = times.collect();
    let compiled = compiled(&mut file, path, directory.artifacts, cancel)?;
    let root = PathBuf::from(directory.root);
    let (unread, outside) = (directory.unread, directory.outside);
    let parts = Parts { vectors, modified, compiled, ..Parts::new(entries, unread, outside) };
    Ok(Stored { index: Index::of(root, parts), is_older })
}

fn read_all<'p>(
    file: &mut File,
    path: &Path,
    places: impl Iterator<Item = &'p Place>,
    cancel: &Cancel,
) -> Result<Vec<Vec<u8>>> {
    let read = |place| cancel.check().and_then(|()| read_bytes(file, path, place));
    places.map(read).collect()
}

fn vectors(
    file: &mut File,
    path: &Path,
    directory: &Directory,
    is_older: bool,
    cancel: &Cancel,
) -> Result<Vectors> {
    let dimensions = directory.dimensions as usize;
    if is_older {
        let mut vectors = Vectors::default();
        for bytes in read_all(file, path, directory.blocks.iter().map(|record| &record.place), cancel)? {
            let batch = older::batch(&bytes, directory, path).map_err(|_| does_not_fit(path))?;
            vectors = vectors.with(&batch)?;
        }
        return Ok(vectors);
    }
    let mut blocks = Vec::with_capacity(directory.blocks.len());
    for record in &directory.blocks {
        cancel.check()?;
        let block: Block = format::read_value(file, path, &record.place)?;
        if block.id != record.id || block.dimensions() != dimensions {
            return Err(does_not_fit(path));
        }
        blocks.push(Arc::new(block));
    }
    Ok(Vectors::new(directory.fingerprint, dimensions, blocks))
}

fn entry_of_facts(bytes: &[u8], path: &Path) -> Result<Entry> {
    let entry: Entry = decode(bytes, path)?;
    if entry.is_sound() { Ok(entry) } else { Err(does_not_fit(path)) }
}

/// What the compiler said.
fn compiled(
    file: &mut File,
    path: &Path,
    artifacts: Vec<ArtifactRecord>,
    cancel: &Cancel,
) -> Result<Compiled> {
    let records = read_all(file, path, artifacts.iter().map(|record| &record.place), cancel)?;
    let said = records.par_iter().map(|bytes| decode(bytes, path)).collect::<Result<Vec<Said>>>()?;
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
    slot: Slot,
    old: Directory,
    cancel: &Cancel,
) -> Result<Saved> {
    let end = slot.directory.end();
    // A record that is kept must be whole, or a damaged index could not be mended by building it again.
    for place in old.places() {
        cancel.check()?;
        match read_bytes(&mut file, path, place) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Corrupt => return write_anew(index, path, cancel),
            Err(error) => return Err(error),
        }
    }
    let mut writer = Writer::new(end);
    let directory = writer.records(index, &old, cancel)?;
    let saved = Saved { written: writer.written, kept: writer.kept, bytes: end };
    if directory == old {
        return Ok(saved);
    }
    let slot = writer.commit(&directory, slot.sequence + 1)?;
    if writer.end() - DATA > 2 * (directory.size() + slot.directory.length) {
        drop(file);
        return write_anew(index, path, cancel);
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
        return Err(Error::io(path, "write", error));
    }
    file.seek(SeekFrom::Start(slot_offset(slot.sequence)))
        .and_then(|_| file.write_all(&slot_bytes(&slot)))
        .and_then(|()| file.sync_data())
        .map_err(|error| Error::io(path, "write", error))?;
    Ok(Saved { bytes: writer.end(), ..saved })
}

fn write_anew(index: &Index, path: &Path, cancel: &Cancel) -> Result<Saved> {
    let nothing = Directory {
        root: String::new(),
        unread: Vec::new(),
        outside: Outside::default(),
        files: Vec::new(),
        fingerprint: ContentHash::default(),
        dimensions: 0,
        blocks: Vec::new(),
        artifacts: Vec::new(),
    };
    let mut writer = Writer::new(DATA);
    let directory = writer.records(index, &nothing, cancel)?;
    let slot = writer.commit(&directory, 0)?;
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
        return Err(Error::io(path, "write", error));
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
        let known: HashMap<(&str, ContentHash), Place> =
            old.files.iter().map(|record| ((&*record.path, record.hash), record.place)).collect();
        let mut files = Vec::new();
        for entry in index.inner_files().entries() {
            cancel.check()?;
            let (path, hash) = (entry.file.path.clone(), entry.file.hash);
            let place = self.place(known.get(&(&*path, hash)), &**entry)?;
            let modified = index.modified(&path);
            files.push(FileRecord { path, hash, modified, place });
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
        Ok(Directory {
            root: root.to_string(),
            unread: index.unread().to_vec(),
            outside: index.outside().clone(),
            files,
            fingerprint: vectors.fingerprint(),
            dimensions: vectors.dimensions() as u32,
            blocks,
            artifacts,
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
        let bytes = encode(value)?;
        let place = Place { offset: self.end(), length: bytes.len() as u64, hash: ContentHash::of(&bytes) };
        self.bytes.extend(bytes);
        Ok(place)
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
