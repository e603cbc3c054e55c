//! Embeddings by content, for several indexes and branches, and on disk for the next process.
//!
//! The file is a log: a header, then a record for each embedding. Whoever writes holds the file's lock, takes in what others have
//! appended since, and appends; a file that outgrows the ceiling is written anew in place, under a new generation, by which the
//! others see that they have to read it from its beginning. A record has a checksum, and whatever follows a bad one does not
//! count and is overwritten: the file is a cache, so loss is harmless and only a wrong vector would not be.

use std::fs::{File, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::vectors::Embedder;
use crate::source::{ContentHash, open_or_create};
use crate::{Cancel, Error, ErrorKind, Result};

const MAGIC: &[u8; 8] = b"AMBIXEM1";
const HEADER: u64 = 16;
/// What a record has besides its numbers: how many these are, two hashes and a checksum.
const RECORD: usize = 4 + 16 + 16 + 8;
/// What an entry takes in memory besides its numbers, about.
const OVERHEAD: usize = 96;
/// Whoever writes holds the file for milliseconds. Who holds it for longer is stopped, or is no friend of the cache.
const PATIENCE: Duration = Duration::from_secs(5);
/// Vectors of more numbers are not kept.
const MAX_DIMENSIONS: usize = 1 << 16;

type Key = (ContentHash, ContentHash);

/// Keeps embeddings up to a ceiling of memory, by encoder and content. Those that were not used for longest go first.
///
/// It can be shared by threads, and its file by processes.
#[derive(Debug)]
pub struct EmbeddingCache {
    max_bytes: u64,
    /// How long the file's lock is waited for.
    patience: Duration,
    inner: Mutex<Inner>,
}

/// What a cache holds and has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Embeddings.
    pub entries: usize,
    /// The memory that they take.
    pub bytes: u64,
    /// How many were asked for and found.
    pub hits: u64,
    /// How many were asked for and not found.
    pub misses: u64,
    /// Why the file is no longer written, if so; the cache goes on in memory.
    pub file_error: Option<String>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: FxHashMap<Key, Entry>,
    bytes: u64,
    clock: u64,
    hits: u64,
    misses: u64,
    log: Option<Log>,
    file_error: Option<String>,
}

#[derive(Debug)]
struct Entry {
    vector: Arc<[f32]>,
    used: u64,
}

/// The file, and how much of it has been read.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    generation: u64,
    end: u64,
}

impl EmbeddingCache {
    /// An empty cache in memory alone.
    pub fn new(max_bytes: u64) -> EmbeddingCache {
        EmbeddingCache { max_bytes, patience: PATIENCE, inner: Mutex::default() }
    }

    /// A cache with what the file `path` holds, which is made if it is not there and kept up to date. Damage and files of another
    /// version are an empty cache.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] and [`crate::ErrorKind::Io`] if the file cannot be opened, locked or read;
    /// [`crate::ErrorKind::Locked`] if another process holds it for seconds.
    pub fn open(path: &Path, max_bytes: u64) -> Result<EmbeddingCache> {
        EmbeddingCache::open_within(path, max_bytes, PATIENCE)
    }

    fn open_within(path: &Path, max_bytes: u64, patience: Duration) -> Result<EmbeddingCache> {
        let file = open_or_create(path)?.file;
        let mut log = Log { path: path.to_path_buf(), file, generation: 0, end: 0 };
        let cache = EmbeddingCache { patience, ..EmbeddingCache::new(max_bytes) };
        let mut inner = cache.inner.lock();
        log.lock(patience)?;
        let read = inner.read_new(&mut log, max_bytes);
        read.and_then(|()| log.file.unlock()).map_err(|error| Error::io(path, "read", error))?;
        inner.log = Some(log);
        drop(inner);
        Ok(cache)
    }

    /// The embedding of `content` by the encoder `fingerprint`.
    pub fn get(&self, fingerprint: ContentHash, content: ContentHash) -> Option<Arc<[f32]>> {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let now = inner.clock;
        match inner.entries.get_mut(&(fingerprint, content)) {
            Some(entry) => {
                entry.used = now;
                let vector = entry.vector.clone();
                inner.hits += 1;
                Some(vector)
            }
            None => {
                inner.misses += 1;
                None
            }
        }
    }

    /// Keeps embeddings by the encoder `fingerprint`, in the file too. That cannot fail: where the file cannot be written, the cache
    /// goes on without it and says so in [`EmbeddingCache::stats`].
    pub fn insert(&self, fingerprint: ContentHash, embeddings: &[(ContentHash, Vec<f32>)]) {
        let mut inner = self.inner.lock();
        let Some(mut log) = inner.log.take() else {
            inner.add_all(fingerprint, embeddings, self.max_bytes);
            return;
        };
        let locked = log.lock(self.patience);
        // Before the new ones, which are then the last to go.
        let read = if locked.is_ok() { inner.read_new(&mut log, self.max_bytes) } else { Ok(()) };
        let new = inner.add_all(fingerprint, embeddings, self.max_bytes);
        let written = locked.and_then(|()| {
            read.and_then(|()| inner.append(&mut log, &new, self.max_bytes))
                .and_then(|()| log.file.unlock())
                .map_err(|error| Error::io(&log.path, "write", error))
        });
        match written {
            Ok(()) => inner.log = Some(log),
            Err(error) => inner.file_error = Some(error.to_string()),
        }
    }

    /// What it holds and has done.
    pub fn stats(&self) -> CacheStats {
        let inner = self.inner.lock();
        CacheStats {
            entries: inner.entries.len(),
            bytes: inner.bytes,
            hits: inner.hits,
            misses: inner.misses,
            file_error: inner.file_error.clone(),
        }
    }
}

impl Inner {
    /// The keys of those that it did not have yet.
    fn add_all(
        &mut self,
        fingerprint: ContentHash,
        embeddings: &[(ContentHash, Vec<f32>)],
        max_bytes: u64,
    ) -> Vec<Key> {
        let mut new = Vec::new();
        for (content, vector) in embeddings {
            let key = (fingerprint, *content);
            if vector.len() <= MAX_DIMENSIONS && self.add(key, vector) {
                new.push(key);
            }
        }
        self.evict(max_bytes);
        new
    }

    /// Whether it is new.
    fn add(&mut self, key: Key, vector: &[f32]) -> bool {
        self.clock += 1;
        let entry = Entry { vector: vector.into(), used: self.clock };
        let is_new = self.entries.insert(key, entry).is_none();
        if is_new {
            self.bytes += size(vector.len());
        }
        is_new
    }

    /// Drops the entries that were not used for longest, a quarter more than needed so that it happens seldom.
    fn evict(&mut self, max_bytes: u64) {
        if self.bytes <= max_bytes {
            return;
        }
        let mut by_use: Vec<(u64, Key)> =
            self.entries.iter().map(|(key, entry)| (entry.used, *key)).collect();
        by_use.sort_unstable();
        for (_, key) in by_use {
            if self.bytes <= max_bytes - max_bytes / 4 {
                break;
            }
            if let Some(entry) = self.entries.remove(&key) {
                self.bytes -= size(entry.vector.len());
            }
        }
    }

    /// Appends the entries of `keys` to the file, which is locked and was read; writes it anew if it would outgrow the ceiling.
    fn append(&self, log: &mut Log, keys: &[Key], max_bytes: u64) -> std::io::Result<()> {
        // What follows the last good record is of no use to anyone.
        if log.file.metadata()?.len() > log.end {
            log.file.set_len(log.end)?;
        }
        let mut records = Vec::new();
        for key in keys {
            if let Some(entry) = self.entries.get(key) {
                append_record(&mut records, key, &entry.vector);
            }
        }
        if log.end + records.len() as u64 <= max_bytes.max(HEADER) {
            log.file.seek(SeekFrom::Start(log.end))?;
            log.file.write_all(&records)?;
            log.end += records.len() as u64;
            return Ok(());
        }
        records.clear();
        let mut by_use: Vec<(&Key, &Entry)> = self.entries.iter().collect();
        by_use.sort_unstable_by_key(|(_, entry)| entry.used);
        by_use.iter().for_each(|(key, entry)| append_record(&mut records, key, &entry.vector));
        log.begin(log.generation.wrapping_add(1))?;
        log.file.write_all(&records)?;
        log.end += records.len() as u64;
        Ok(())
    }

    /// Reads what was not read yet, which is all if the file was written anew.
    fn read_new(&mut self, log: &mut Log, max_bytes: u64) -> std::io::Result<()> {
        let length = log.file.metadata()?.len();
        let mut header = [0; HEADER as usize];
        log.file.seek(SeekFrom::Start(0))?;
        if length < HEADER || log.file.read_exact(&mut header).is_err() || header[..8] != *MAGIC {
            return log.begin(log.generation.wrapping_add(1));
        }
        let generation = u64::from_le_bytes(std::array::from_fn(|at| header[8 + at]));
        if generation != log.generation || log.end < HEADER || log.end > length {
            (log.generation, log.end) = (generation, HEADER);
        }
        log.file.seek(SeekFrom::Start(log.end))?;
        let mut reader = BufReader::with_capacity(1 << 16, &log.file).take(length - log.end);
        while let Some((key, vector)) = read_record(&mut reader)? {
            log.end += (RECORD + 4 * vector.len()) as u64;
            self.add(key, &vector);
            self.evict(max_bytes);
        }
        Ok(())
    }
}

impl Log {
    /// Waits for the file's lock, but not for ever.
    fn lock(&self, patience: Duration) -> Result<()> {
        let end = Instant::now() + patience;
        loop {
            match self.file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    let message = format!(
                        "another process holds the embedding cache {}: end it, or name another file",
                        self.path.display()
                    );
                    return Err(Error::new(ErrorKind::Locked, message).with_path(&self.path));
                }
                Err(TryLockError::Error(error)) => return Err(Error::io(&self.path, "lock", error)),
            }
        }
    }

    /// Empties the file.
    fn begin(&mut self, generation: u64) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&[*MAGIC, generation.to_le_bytes()].concat())?;
        (self.generation, self.end) = (generation, HEADER);
        Ok(())
    }
}

fn size(dimensions: usize) -> u64 {
    (4 * dimensions + OVERHEAD) as u64
}

fn append_record(records: &mut Vec<u8>, (fingerprint, content): &Key, vector: &[f32]) {
    let start = records.len();
    records.extend((vector.len() as u32).to_le_bytes());
    records.extend(fingerprint.0);
    records.extend(content.0);
    records.extend(vector.iter().flat_map(|value| value.to_le_bytes()));
    let checksum = ContentHash::of(&records[start..]);
    records.extend(&checksum.0[..8]);
}

/// The next record, if there is a whole one that was not damaged.
fn read_record(reader: &mut impl Read) -> std::io::Result<Option<(Key, Vec<f32>)>> {
    const FRONT: usize = RECORD - 8;
    let mut record = vec![0; FRONT];
    if !read_whole(reader, &mut record)? {
        return Ok(None);
    }
    let dimensions = u32::from_le_bytes(std::array::from_fn(|at| record[at])) as usize;
    if dimensions > MAX_DIMENSIONS {
        return Ok(None);
    }
    record.resize(RECORD + 4 * dimensions, 0);
    if !read_whole(reader, &mut record[FRONT..])? {
        return Ok(None);
    }
    let (body, checksum) = record.split_at(FRONT + 4 * dimensions);
    if ContentHash::of(body).0[..8] != *checksum {
        return Ok(None);
    }
    let hash = |start: usize| ContentHash(std::array::from_fn(|at| body[start + at]));
    let vector = body[FRONT..].as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(Some(((hash(4), hash(20)), vector)))
}

/// False at the end of the file.
fn read_whole(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// An encoder that looks into a cache first.
pub struct CachedEmbedder<'a> {
    /// What makes the vectors that are not there.
    pub embedder: &'a dyn Embedder,
    /// Where they are kept.
    pub cache: &'a EmbeddingCache,
}

impl Embedder for CachedEmbedder<'_> {
    fn dimensions(&self) -> usize {
        self.embedder.dimensions()
    }

    fn fingerprint(&self) -> ContentHash {
        self.embedder.fingerprint()
    }

    fn embed_query(&self, text: &str, cancel: &Cancel) -> Result<Vec<f32>> {
        // Few questions come twice, and an encoder may treat them apart from texts.
        self.embedder.embed_query(text, cancel)
    }

    fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>> {
        let fingerprint = self.fingerprint();
        let keys: Vec<ContentHash> = texts.iter().map(|text| ContentHash::of(text.as_bytes())).collect();
        let mut found: Vec<Option<Vec<f32>>> =
            keys.iter().map(|key| self.cache.get(fingerprint, *key).map(|vector| vector.to_vec())).collect();
        let missing: Vec<usize> = (0..texts.len()).filter(|&at| found[at].is_none()).collect();
        if !missing.is_empty() {
            let texts: Vec<&str> = missing.iter().map(|&at| texts[at]).collect();
            let made = self.embedder.embed(&texts, cancel)?;
            if made.len() != missing.len() {
                return Err(Error::invalid("the encoder gave another number of vectors than of texts"));
            }
            let made: Vec<(ContentHash, Vec<f32>)> = missing.iter().map(|&at| keys[at]).zip(made).collect();
            self.cache.insert(fingerprint, &made);
            for (at, (_, vector)) in missing.into_iter().zip(made) {
                found[at] = Some(vector);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}

#[cfg(test)]
#[path = "embedding_cache_tests.rs"]
mod tests;
