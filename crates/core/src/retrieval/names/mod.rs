//! The names of all definitions, sorted, for looking them up.
//!
//! Files are put into groups by a hash of their path, and each group is one sorted table that never changes. A new version
//! makes the tables of those groups anew in which a file changed, and shares all others; a question goes through all groups.
//! So a change costs as much as a group is large, nothing is left behind by what was deleted, and no merging ever takes
//! longer than usual. A scan for what is alike looks at three numbers of each name, and at few names themselves.

pub(crate) mod key;

use std::hash::Hasher;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHasher};
use serde::{Deserialize, Serialize};

use self::key::{abbreviates, distance, head, humps, key, letters, lower, typos};
use super::aside::is_aside;
use super::entry::{ChunkTable, Entry};
use crate::source::ContentHash;
use crate::syntax::{Definition, DefinitionKind};

/// So many files make a group, about: a table of some 1500 names, which is made anew in a fifth of a millisecond.
const FILES_IN_GROUP: usize = 64;

/// The names of one version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    groups: Vec<Arc<Group>>,
}

/// A table of names.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Sorted by path.
    #[serde(skip)]
    files: Vec<Arc<Entry>>,
    /// Whether each file holds tests, examples or old things.
    aside: Vec<bool>,
    /// All keys in lower case, one behind the other, each once, sorted.
    keys: String,
    /// Where each key begins, and at the end the length of all.
    starts: Vec<u32>,
    /// The first eight bytes of each key.
    #[serde(skip)]
    heads: Vec<u64>,
    /// The classes of characters of each key.
    letters: Vec<u32>,
    /// Where parts of each key begin, however it is written.
    humps: Vec<u64>,
    /// The number of characters of each key.
    lengths: Vec<u32>,
    /// The number of each key's first posting, and at the end the number of all.
    first: Vec<u32>,
    /// Those of one key sorted by place.
    postings: Vec<Posting>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Posting {
    /// Its file's place in the group.
    file: u32,
    /// Its place in the file.
    definition: u32,
    kind: DefinitionKind,
    public: bool,
}

/// A definition whose key is what was asked for, or like it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'n> {
    pub(crate) entry: &'n Arc<Entry>,
    /// The place of the definition in the file.
    pub(crate) index: usize,
    pub(crate) kind: DefinitionKind,
    pub(crate) public: bool,
    /// Whether its file holds tests, examples or old things.
    pub(crate) aside: bool,
    /// The number of characters of the key.
    pub(crate) length: usize,
    /// The typos in it.
    pub(crate) distance: usize,
}

impl Candidate<'_> {
    /// The definition; `None` if it is not there, which takes a stored index whose parts do not fit.
    pub(crate) fn definition(&self) -> Option<&Definition> {
        self.entry.facts.definitions.get(self.index)
    }
}

impl Names {
    /// The names of `files`, which share with `self` what is the same in both.
    pub(crate) fn updated(&self, files: &ChunkTable) -> Names {
        let (count, members) = self.members(files);
        let known = if count == self.groups.len() { &self.groups[..] } else { &[] };
        let groups = members
            .iter()
            .enumerate()
            .map(|(at, members)| known.get(at).filter(|group| group.holds(members)).cloned())
            .collect();
        Names::completed(groups, &members, known.is_empty())
    }

    /// The names of `files` from tables that were stored, by their names; those that are missing or do not fit are made.
    pub(crate) fn stored(groups: Vec<(ContentHash, Group)>, files: &ChunkTable) -> Names {
        let (_, members) = Names { groups: vec![Arc::default(); groups.len()] }.members(files);
        let mut stored: FxHashMap<ContentHash, Group> = groups.into_iter().collect();
        let fitting =
            |members: &Vec<&Arc<Entry>>| stored.remove(&id_of(members))?.with(members).map(Arc::new);
        let groups: Vec<_> = members.iter().map(fitting).collect();
        let is_much = groups.iter().any(Option::is_none);
        Names::completed(groups, &members, is_much)
    }

    /// What is to be stored, by name.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (ContentHash, &Arc<Group>)> {
        self.groups.iter().map(|group| (id_of(&group.files.iter().collect::<Vec<_>>()), group))
    }

    /// How many groups there are, and the files of each.
    fn members<'f>(&self, files: &'f ChunkTable) -> (usize, Vec<Vec<&'f Arc<Entry>>>) {
        let wanted = (files.entries().len() / FILES_IN_GROUP).max(1).next_power_of_two();
        let now = self.groups.len();
        // A project that grows and shrinks around a power of two is not sorted anew each time.
        let count = if now > 0 && (wanted / 2..=wanted * 2).contains(&now) { now } else { wanted };
        let mut members: Vec<Vec<&Arc<Entry>>> = vec![Vec::new(); count];
        for entry in files.entries() {
            members[group_of(&entry.file.path, count)].push(entry);
        }
        (count, members)
    }

    /// With tables for those files that have none. To wake other threads for one table takes longer than to make it.
    fn completed(mut groups: Vec<Option<Arc<Group>>>, members: &[Vec<&Arc<Entry>>], is_much: bool) -> Names {
        let make = |(group, members): (&mut Option<Arc<Group>>, &Vec<&Arc<Entry>>)| {
            let made = || Arc::new(Group::of(members.iter().copied().cloned().collect()));
            group.get_or_insert_with(made);
        };
        let missing = groups.iter_mut().zip(members).filter(|(group, _)| group.is_none());
        if is_much {
            missing.par_bridge().for_each(make)
        } else {
            missing.for_each(make)
        }
        Names { groups: groups.into_iter().flatten().collect() }
    }

    /// Those whose key is `key` in lower case.
    pub(crate) fn equal<'n>(&'n self, key: &str) -> impl Iterator<Item = Candidate<'n>> {
        self.groups.iter().flat_map(|group| group.candidates(group.equal(key), 0))
    }

    /// Those whose key begins with `key` in lower case, and goes on.
    pub(crate) fn longer<'n>(&'n self, key: &str) -> impl Iterator<Item = Candidate<'n>> {
        self.groups.iter().flat_map(|group| {
            let range = group.with_prefix(key);
            let equal = usize::from(group.key(range.start) == Some(key));
            group.candidates(range.start + equal..range.end, 0)
        })
    }

    /// Those whose key `short`, in lower case, abbreviates, other than by the beginning of it.
    pub(crate) fn abbreviated<'n>(&'n self, short: &str) -> Vec<Candidate<'n>> {
        let wanted = letters(short) & !letters("_");
        let mut found = Vec::new();
        let Some(first) = short.chars().find(|character| *character != '_') else { return found };
        for group in &self.groups {
            // The first part of a key is where the key begins, or behind what hides it from users.
            let begins = group.with_prefix(first.encode_utf8(&mut [0; 4]));
            for at in begins.chain(group.with_prefix("_")) {
                if wanted & !group.letters[at] == 0
                    && group.key(at).is_some_and(|key| {
                        !key.starts_with(short) && abbreviates(short, key, group.humps[at])
                    })
                {
                    found.extend(group.candidates(at..at + 1, 0));
                }
            }
        }
        found
    }

    /// Those whose key is `wanted`, in lower case, but for typos.
    pub(crate) fn mistyped<'n>(&'n self, wanted: &str) -> Vec<Candidate<'n>> {
        let characters: Vec<char> = wanted.chars().collect();
        let (most, classes) = (typos(characters.len()), letters(wanted));
        let mut found = Vec::new();
        let mut buffer = Vec::new();
        for group in &self.groups {
            for (at, (has, length)) in group.letters.iter().zip(&group.lengths).enumerate() {
                let near = (*length as usize).abs_diff(characters.len()) <= most
                    && (classes & !has).count_ones() as usize <= most
                    && (has & !classes).count_ones() as usize <= most;
                if near && let Some(key) = group.key(at) {
                    buffer.clear();
                    buffer.extend(key.chars());
                    if let Some(distance) = distance(&characters, &buffer, most).filter(|it| *it > 0) {
                        found.extend(group.candidates(at..at + 1, distance));
                    }
                }
            }
        }
        found
    }

    /// The bytes that the tables take.
    pub(crate) fn bytes(&self) -> usize {
        self.groups.iter().map(|group| group.bytes()).sum()
    }
}

fn group_of(path: &str, count: usize) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(path.as_bytes());
    // The high bits are the mixed ones.
    (hasher.finish() >> 32) as usize % count
}

/// Names a table, which follows from its files.
fn id_of(files: &[&Arc<Entry>]) -> ContentHash {
    let mut bytes = Vec::with_capacity(files.len() * 64);
    for entry in files {
        bytes.extend_from_slice(entry.file.path.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&entry.file.hash.0);
    }
    ContentHash::of(&bytes)
}

impl Group {
    /// A table that was stored, with its files; `None` if they do not fit.
    fn with(mut self, files: &[&Arc<Entry>]) -> Option<Group> {
        let keys = self.letters.len();
        let is_in = |posting: &Posting| {
            files.get(posting.file as usize).is_some_and(|file| posting.definition < file.summary.definitions)
        };
        let is_sound = self.aside.len() == files.len()
            && self.humps.len() == keys
            && self.lengths.len() == keys
            && self.starts.len() == keys + 1
            && self.first.len() == keys + 1
            && self.first.is_sorted()
            && self.first.last().is_some_and(|last| *last as usize <= self.postings.len())
            && self.postings.iter().all(is_in)
            && (0..keys).all(|at| self.key(at).is_some())
            && (1..keys).all(|at| self.key(at - 1) < self.key(at));
        is_sound.then(|| {
            self.heads = (0..keys).filter_map(|at| Some(head(self.key(at)?))).collect();
            self.files = files.iter().copied().cloned().collect();
            self
        })
    }

    fn of(files: Vec<Arc<Entry>>) -> Group {
        let mut keys = String::new();
        let mut rows = Vec::new();
        for (file, entry) in (0..).zip(&files) {
            for (definition, it) in (0..).zip(&entry.facts.definitions) {
                let start = keys.len();
                lower(key(it), &mut keys);
                let posting = Posting { file, definition, kind: it.kind, public: it.public };
                rows.push((head(&keys[start..]), start..keys.len(), posting));
            }
        }
        // Stable, so that the postings of a key stay in order of place.
        rows.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| keys[a.1.clone()].cmp(&keys[b.1.clone()])));

        let aside = files.iter().map(|entry| is_aside(&entry.file.path)).collect();
        let mut group = Group { files, aside, postings: Vec::with_capacity(rows.len()), ..Group::default() };
        let mut before: Option<(u64, Range<usize>)> = None;
        for (head, range, posting) in rows {
            let name =
                key(&group.files[posting.file as usize].facts.definitions[posting.definition as usize]);
            let key = &keys[range.clone()];
            if before.as_ref().is_none_or(|(of, at)| *of != head || keys[at.clone()] != *key) {
                group.starts.push(group.keys.len() as u32);
                group.heads.push(head);
                group.letters.push(letters(key));
                group.humps.push(0);
                group.lengths.push(key.chars().count() as u32);
                group.first.push(group.postings.len() as u32);
                group.keys.push_str(key);
                before = Some((head, range));
            }
            // One key may be written in several ways, as `mapset` and `MapSet` are.
            if let Some(all) = group.humps.last_mut() {
                *all |= humps(name);
            }
            group.postings.push(posting);
        }
        group.starts.push(group.keys.len() as u32);
        group.first.push(group.postings.len() as u32);
        group.keys.shrink_to_fit();
        group
    }

    fn holds(&self, files: &[&Arc<Entry>]) -> bool {
        self.files.len() == files.len() && self.files.iter().zip(files).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    fn key(&self, at: usize) -> Option<&str> {
        let end = *self.starts.get(at + 1)?;
        self.keys.get(self.starts[at] as usize..end as usize)
    }

    /// The place of the first key that is not less than `key`.
    fn lower_bound(&self, key: &str) -> usize {
        let wanted = head(key);
        let from = self.heads.partition_point(|head| *head < wanted);
        let to = from + self.heads[from..].partition_point(|head| *head == wanted);
        let (mut low, mut high) = (from, to);
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle).is_some_and(|other| other < key) { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn equal(&self, key: &str) -> Range<usize> {
        let at = self.lower_bound(key);
        at..at + usize::from(self.key(at) == Some(key))
    }

    fn with_prefix(&self, prefix: &str) -> Range<usize> {
        let start = self.lower_bound(prefix);
        let (mut low, mut high) = (start, self.heads.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle).is_some_and(|key| key.starts_with(prefix)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        start..low
    }

    fn candidates(&self, keys: Range<usize>, distance: usize) -> impl Iterator<Item = Candidate<'_>> {
        keys.flat_map(move |at| {
            let length = self.lengths[at] as usize;
            let postings = &self.postings[self.first[at] as usize..self.first[at + 1] as usize];
            postings.iter().map(move |posting| Candidate {
                entry: &self.files[posting.file as usize],
                index: posting.definition as usize,
                kind: posting.kind,
                public: posting.public,
                aside: self.aside[posting.file as usize],
                length,
                distance,
            })
        })
    }

    fn bytes(&self) -> usize {
        let numbers = self.starts.len() + self.letters.len() + self.lengths.len() + self.first.len();
        self.keys.len()
            + numbers * size_of::<u32>()
            + (self.heads.len() + self.humps.len()) * size_of::<u64>()
            + self.postings.len() * size_of::<Posting>()
            + self.files.len() * size_of::<Arc<Entry>>()
    }
}

#[cfg(test)]
mod tests;
