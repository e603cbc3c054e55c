//! A store in one file.
//!
//! The file is Ambix's own (see `format`), not an embedded database. It is read as a whole, once, into memory, so pages and
//! cursors would buy nothing. Opening must never panic on damaged bytes, must work where nothing can be written, and must
//! not wait for a writer.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::format::{
    DATA, Directory, Extent, Opened, RecordEntry, SectionEntry, Slot, check, damage, header, open_directory,
    read_unchecked, slot_bytes, slot_offset,
};
use super::{Record, Saved, Section, Store, StoredRecord, StoredSection, TakeRecord, encode};
use crate::source::{ContentHash, Links, create_anew, open, open_or_create, open_to_write, sync_folder};
use crate::{Cancel, Error, ErrorKind, Result};

/// So many records are encoded at once.
const RECORDS_AT_ONCE: usize = 256;

/// A run of records has at most so many bytes, if it has more than one: what fits into the cache of a core.
const RUN: u64 = 256 << 10;

/// How long to sleep before asking for the lock again.
const PATIENCE: Duration = Duration::from_millis(20);

/// How an index is saved in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// How long to wait for another process that is saving to the same file.
    pub wait: Duration,
    /// How large the file may become. While it is written anew, the old one is there too.
    pub max_bytes: Option<u64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { wait: Duration::from_secs(5), max_bytes: None }
    }
}

/// A store in one file: what changed is appended, and the whole file is written anew when most of it would be old.
///
/// Beside it stays an empty `PATH.lock`, which a process holds locked while it saves. A file that is damaged, or of an older
/// format, is replaced; one of a newer format, and one that is something else, is an error and stays as it is.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    options: StoreOptions,
    /// What is read, opened at the first question.
    open: Option<(File, Directory)>,
    /// The places of the last state that this store read or wrote whole: nobody has to look at their bytes again.
    whole: HashSet<Extent>,
}

impl FileStore {
    /// The store in the file `path`, which need not be there.
    pub fn new(path: impl Into<PathBuf>, options: StoreOptions) -> FileStore {
        FileStore { path: path.into(), options, open: None, whole: HashSet::new() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Changes how it is saved.
    pub fn set_options(&mut self, options: StoreOptions) {
        self.options = options;
    }

    fn state(&mut self) -> Result<&mut (File, Directory)> {
        if self.open.is_none() {
            let mut file = open(&self.path, Links::Followed)?.file;
            let directory = match open_directory(&mut file, &self.path)? {
                Opened::State(_, directory) => directory,
                Opened::Unusable(error) => return Err(error),
            };
            self.open = Some((file, directory));
        }
        self.open.as_mut().ok_or_else(|| damage(&self.path, "it cannot be opened"))
    }

    fn append(
        &mut self,
        mut file: File,
        (slot, old): (Slot, Directory),
        sections: &[Section<'_>],
        cancel: &Cancel,
    ) -> Result<Saved> {
        let end = slot.directory.end();
        if !self.is_whole(&file, &old, cancel)? {
            return self.write_anew(sections, cancel);
        }
        let mut writer = Writer::new(end);
        let directory = writer.directory(sections, &old, cancel)?;
        let saved = Saved { written: writer.written, kept: writer.kept, bytes: end };
        if directory == old {
            self.whole = directory.places().copied().collect();
            return Ok(saved);
        }
        let slot = writer.commit(&directory, slot.sequence + 1)?;
        let is_old = writer.end() - DATA > 2 * (directory.size() + slot.directory.length);
        if is_old || self.options.max_bytes.is_some_and(|most| writer.end() > most) {
            drop(file);
            return self.write_anew(sections, cancel);
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
            return Err(not_written(&self.path, error));
        }
        file.seek(SeekFrom::Start(slot_offset(slot.sequence)))
            .and_then(|_| file.write_all(&slot_bytes(&slot)))
            .and_then(|()| file.sync_data())
            .map_err(|error| not_written(&self.path, error))?;
        self.whole = directory.places().copied().collect();
        Ok(Saved { bytes: writer.end(), ..saved })
    }

    /// Whether the records of `directory` are as they were written. Only those are read that this store has not seen: a
    /// damaged index can be mended by building it again, and to save costs what changed.
    fn is_whole(&self, file: &File, directory: &Directory, cancel: &Cancel) -> Result<bool> {
        let unseen: Vec<Extent> =
            directory.places().filter(|place| !self.whole.contains(place)).copied().collect();
        match read(file, &self.path, &unseen, &|_, _| Ok(()), cancel) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write_anew(&mut self, sections: &[Section<'_>], cancel: &Cancel) -> Result<Saved> {
        let path = &self.path;
        let mut writer = Writer::new(DATA);
        let directory = writer.directory(sections, &Directory::default(), cancel)?;
        let slot = writer.commit(&directory, 0)?;
        if let Some(most) = self.options.max_bytes.filter(|most| writer.end() > *most) {
            return Err(too_large(path, writer.end(), most));
        }
        let mut head = vec![0; DATA as usize];
        head[..header().len()].copy_from_slice(&header());
        let at = slot_offset(slot.sequence) as usize;
        head[at..at + slot_bytes(&slot).len()].copy_from_slice(&slot_bytes(&slot));

        let temporary = with_suffix(path, "new");
        let mut file = create_anew(&temporary)?;
        let written =
            file.write_all(&head).and_then(|()| file.write_all(&writer.bytes)).and_then(|()| file.sync_all());
        if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
            let _ = fs::remove_file(&temporary);
            return Err(not_written(path, error));
        }
        // The name is safe on the disk only with its folder. Where a folder cannot be synced, the system does it in its time.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_folder(folder);
        self.whole = directory.places().copied().collect();
        Ok(Saved { written: writer.written, kept: 0, bytes: writer.end() })
    }
}

impl Store for FileStore {
    fn section(&mut self, name: &str) -> Result<StoredSection> {
        let (_, directory) = self.state()?;
        let section = directory.section(name).map(|section| {
            let record = |RecordEntry { key, place }: &RecordEntry| StoredRecord {
                key: *key,
                length: place.length,
                offset: place.offset,
                hash: place.hash,
            };
            StoredSection {
                head: section.head.clone(),
                records: section.records.iter().map(record).collect(),
            }
        });
        section.ok_or_else(|| damage(&self.path, "a part of it is missing"))
    }

    fn read(&mut self, records: &[StoredRecord], take: &TakeRecord<'_>, cancel: &Cancel) -> Result<()> {
        let path = self.path.clone();
        let (file, _) = self.state()?;
        let places: Vec<Extent> = records
            .iter()
            .map(|StoredRecord { length, offset, hash, .. }| Extent {
                offset: *offset,
                length: *length,
                hash: *hash,
            })
            .collect();
        read(file, &path, &places, take, cancel)?;
        self.whole.extend(places);
        Ok(())
    }

    fn write(&mut self, sections: &[Section<'_>], cancel: &Cancel) -> Result<Saved> {
        let path = self.path.clone();
        let _lock = lock(&with_suffix(&path, "lock"), self.options.wait, cancel)?;
        self.open = None;
        let before = match open_to_write(&path) {
            Ok(opened) if opened.metadata.len() > 0 => {
                let mut file = opened.file;
                match open_directory(&mut file, &path)? {
                    Opened::State(slot, directory) => Some((file, slot, directory)),
                    Opened::Unusable(_) => None,
                }
            }
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match before {
            Some((file, slot, directory)) => self.append(file, (slot, directory), sections, cancel),
            None => self.write_anew(sections, cancel),
        }
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Hands the bytes at `places`, compared with their checksums, to `take`. All threads read, each a run of neighbours at a time,
/// which is taken while it is in the thread's cache.
fn read(file: &File, path: &Path, places: &[Extent], take: &TakeRecord<'_>, cancel: &Cancel) -> Result<()> {
    let length = file.metadata().map_err(|error| Error::io(path, "read", error))?.len();
    runs(places).into_par_iter().try_for_each_init(Vec::new, |buffer, run| {
        cancel.check()?;
        let (first, of_run) = (run.start, &places[run]);
        let (Some(start), Some(end)) = (of_run.first().map(|it| it.offset), of_run.last().map(Extent::end))
        else {
            return Ok(());
        };
        let bytes = read_unchecked(file, path, start..end, length, buffer)?;
        for (at, place) in of_run.iter().enumerate() {
            let record = &bytes[(place.offset - start) as usize..(place.end() - start) as usize];
            check(record, path, place)?;
            take(first + at, record)?;
        }
        Ok(())
    })
}

/// The places in runs: each of neighbours in the file, and of so many bytes that to read them is no small step.
fn runs(places: &[Extent]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, place) in places.iter().enumerate() {
        let follows = at > 0 && places[at - 1].end() == place.offset;
        match runs.last_mut() {
            Some(run) if follows && bytes + place.length <= RUN => run.end = at + 1,
            _ => {
                runs.push(at..at + 1);
                bytes = 0;
            }
        }
        bytes += place.length;
    }
    runs
}

fn lock(path: &Path, wait: Duration, cancel: &Cancel) -> Result<File> {
    let file = open_or_create(path)?.file;
    let end = Instant::now() + wait;
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

    /// The directory of `sections`: records that `old` has are kept where they are, the others are added.
    fn directory(&mut self, sections: &[Section<'_>], old: &Directory, cancel: &Cancel) -> Result<Directory> {
        let mut directory = Directory::default();
        for section in sections {
            let known = old.section(section.name).map_or(&[][..], |section| &section.records);
            let mut known: HashMap<ContentHash, Extent> =
                known.iter().map(|record| (record.key, record.place)).collect();
            let new: Vec<&Record<'_>> =
                section.records.iter().filter(|record| !known.contains_key(&record.key)).collect();
            for some in new.chunks(RECORDS_AT_ONCE) {
                cancel.check()?;
                let encoded = some.par_iter().map(|record| {
                    let bytes = (record.encode)()?;
                    Ok((ContentHash::of(&bytes), bytes))
                });
                for (record, (hash, bytes)) in some.iter().zip(encoded.collect::<Result<Vec<_>>>()?) {
                    // Two records may have the same key, and then are one.
                    known.entry(record.key).or_insert_with(|| self.put(&bytes, hash));
                }
            }
            self.written += new.len();
            self.kept += section.records.len() - new.len();
            let records = section
                .records
                .iter()
                .map(|record| RecordEntry { key: record.key, place: known[&record.key] });
            directory.sections.push(SectionEntry {
                name: section.name.to_string(),
                head: section.head.clone(),
                records: records.collect(),
            });
        }
        Ok(directory)
    }

    fn put(&mut self, bytes: &[u8], hash: ContentHash) -> Extent {
        let place = Extent { offset: self.end(), length: bytes.len() as u64, hash };
        self.bytes.extend_from_slice(bytes);
        place
    }

    fn commit(&mut self, directory: &Directory, sequence: u64) -> Result<Slot> {
        let bytes = encode(directory)?;
        Ok(Slot { sequence, directory: self.put(&bytes, ContentHash::of(&bytes)) })
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
