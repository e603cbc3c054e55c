//! A store in memory.

use std::collections::HashMap;

use super::{Record, Saved, Section, Store, StoredRecord, StoredSection, TakeRecord, corrupt};
use crate::source::ContentHash;
use crate::{Cancel, Error, ErrorKind, Result};

/// A state in memory, for tests and for hosts that keep bytes themselves.
#[derive(Debug, Default)]
pub struct MemoryStore {
    sections: HashMap<String, StoredSection>,
    /// By the number that records have as their offset.
    records: Vec<Vec<u8>>,
}

#[cfg(test)]
impl MemoryStore {
    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The bytes of a record, which a test may forge.
    pub(crate) fn bytes_mut(&mut self, which: usize) -> &mut Vec<u8> {
        &mut self.records[which]
    }
}

impl Store for MemoryStore {
    fn section(&mut self, name: &str) -> Result<StoredSection> {
        if self.sections.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "nothing was stored in memory"));
        }
        self.sections.get(name).cloned().ok_or_else(|| corrupt(&self.name(), "a part of it is missing"))
    }

    fn read(&mut self, records: &[StoredRecord], take: &TakeRecord<'_>, cancel: &Cancel) -> Result<()> {
        for (at, record) in records.iter().enumerate() {
            cancel.check()?;
            let bytes = usize::try_from(record.offset).ok().and_then(|at| self.records.get(at));
            take(at, bytes.ok_or_else(|| corrupt(&self.name(), "a record of it is missing"))?)?;
        }
        Ok(())
    }

    fn write(&mut self, sections: &[Section<'_>], cancel: &Cancel) -> Result<Saved> {
        let (mut next, mut saved) = (MemoryStore::default(), Saved { written: 0, kept: 0, bytes: 0 });
        for section in sections {
            let old = self.sections.get(section.name);
            let old = old.iter().flat_map(|old| &old.records).map(|record| (record.key, record.offset));
            let old: HashMap<ContentHash, u64> = old.collect();
            let mut records = Vec::with_capacity(section.records.len());
            for Record { key, encode } in &section.records {
                cancel.check()?;
                let known = old.get(key).and_then(|at| self.records.get(usize::try_from(*at).ok()?));
                let bytes = match known {
                    Some(bytes) => bytes.clone(),
                    None => encode()?,
                };
                if known.is_some() {
                    saved.kept += 1
                } else {
                    saved.written += 1
                }
                saved.bytes += bytes.len() as u64;
                let (length, hash) = (bytes.len() as u64, ContentHash::of(&bytes));
                records.push(StoredRecord { key: *key, length, offset: next.records.len() as u64, hash });
                next.records.push(bytes);
            }
            let head = section.head.clone();
            next.sections.insert(section.name.to_string(), StoredSection { head, records });
        }
        *self = next;
        Ok(saved)
    }

    fn name(&self) -> String {
        "the store in memory".to_string()
    }
}
