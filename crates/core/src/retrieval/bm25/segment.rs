//! An inverted index of some files, which never changes: what versions share, and what is stored as one record.

use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde::{Deserialize, Serialize};

use super::postings::{DEAD, Posting, Postings, push};
use crate::retrieval::entry::{Entry, called};
use crate::retrieval::fields::{FIELDS, field_tokens};
use crate::retrieval::names::key::head;
use crate::source::ContentHash;

/// Longer words are not looked for under another spelling.
pub(super) const LONGEST_WORD: usize = 24;

/// Begins a term that no question has: a function by its module and name, whose postings are where it is defined.
const DEFINED: char = '\u{1}';

/// How many tokens each field of a document has.
type Lengths = [u32; FIELDS];

/// An inverted index of some files.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(super) members: Vec<Member>,
    pub(super) lengths: Vec<Lengths>,
    /// All terms, one behind the other, each once, sorted.
    terms: String,
    /// Where each term ends.
    ends: Vec<u32>,
    /// How many postings each term has.
    counts: Vec<u32>,
    /// Where the postings of each term end.
    lasts: Vec<u32>,
    #[serde(with = "serde_bytes")]
    postings: Vec<u8>,
    /// The first eight bytes of each term.
    #[serde(skip)]
    heads: OnceLock<Vec<u64>>,
    /// How long each field of each document is, as [`length_code`]: what is looked at for every posting should be small.
    #[serde(skip)]
    codes: OnceLock<Vec<[u8; FIELDS]>>,
    #[serde(skip)]
    vocabulary: OnceLock<Vec<(u32, u32)>>,
    #[serde(skip)]
    defined: OnceLock<FxHashMap<u64, u32>>,
}

/// A file of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) path: Arc<str>,
    pub(super) hash: ContentHash,
    /// How many documents it has.
    pub(super) documents: u32,
}

impl Segment {
    pub(super) fn of(files: &[Arc<Entry>]) -> Segment {
        let documents: Vec<Vec<Document>> = files.par_iter().map(|entry| Document::all_of(entry)).collect();
        let members = files.iter().map(|entry| Member {
            path: entry.file.path.clone(),
            hash: entry.file.hash,
            documents: entry.chunks().len() as u32,
        });
        let mut lengths = Vec::new();
        let mut growing: FxHashMap<Box<str>, Growing> = FxHashMap::default();
        for (number, document) in (0..).zip(documents.into_iter().flatten()) {
            lengths.push(document.lengths);
            for (term, frequencies) in document.terms {
                growing.entry(term).or_default().push(Posting { document: number, frequencies });
            }
        }
        let mut terms: Vec<(Box<str>, Growing)> = growing.into_iter().collect();
        terms.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut segment = Segment { members: members.collect(), lengths, ..Segment::default() };
        segment.postings.reserve(terms.iter().map(|(_, growing)| growing.bytes.len()).sum());
        for (term, growing) in terms {
            segment.push(&term, growing.count, &growing.bytes);
        }
        segment
    }

    /// What is alive in `parts`, in one segment: the segments, and of each of their documents whether it is.
    pub(super) fn merged(parts: &[(&Segment, &[u32])]) -> Segment {
        let mut merged = Segment::default();
        let mut renumbered: Vec<Vec<u32>> = Vec::new();
        for (segment, numbers) in parts {
            let mut new = vec![DEAD; numbers.len()];
            let mut document = 0;
            for member in &segment.members {
                let documents = document..document + member.documents as usize;
                document = documents.end;
                if numbers.get(documents.start).is_some_and(|number| *number != DEAD) && !documents.is_empty()
                {
                    (merged.lengths.len() as u32..)
                        .zip(&mut new[documents.clone()])
                        .for_each(|(n, at)| *at = n);
                    merged.lengths.extend_from_slice(&segment.lengths[documents]);
                    merged.members.push(member.clone());
                }
            }
            renumbered.push(new);
        }
        let mut at = vec![0; parts.len()];
        loop {
            let terms = parts.iter().zip(&at).filter_map(|((segment, _), at)| segment.term(*at));
            let Some(term) = terms.min() else { return merged };
            let mut growing = Growing::default();
            for (((segment, _), at), renumbered) in parts.iter().zip(&mut at).zip(&renumbered) {
                if segment.term(*at) != Some(term) {
                    continue;
                }
                for posting in segment.postings(*at) {
                    let document = renumbered.get(posting.document as usize).copied().unwrap_or(DEAD);
                    if document != DEAD {
                        growing.push(Posting { document, ..posting });
                    }
                }
                *at += 1;
            }
            if growing.count > 0 {
                merged.push(term, growing.count, &growing.bytes);
            }
        }
    }

    fn push(&mut self, term: &str, count: u32, postings: &[u8]) {
        self.terms.push_str(term);
        self.ends.push(self.terms.len() as u32);
        self.counts.push(count);
        self.postings.extend_from_slice(postings);
        self.lasts.push(self.postings.len() as u32);
    }

    /// The bytes that it takes, but for what is made when a word is misspelt.
    pub(super) fn bytes(&self) -> usize {
        let of_term = 3 * size_of::<u32>() + size_of::<u64>();
        let of_document = size_of::<Lengths>() + FIELDS;
        self.terms.len() + self.ends.len() * of_term + self.lengths.len() * of_document + self.postings.len()
    }

    /// Names what is in it, which follows from its files and their order.
    pub(crate) fn id(&self) -> ContentHash {
        let mut bytes = Vec::with_capacity(self.members.len() * 64);
        for member in &self.members {
            bytes.extend_from_slice(member.path.as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(&member.hash.0);
        }
        ContentHash::of(&bytes)
    }

    /// Whether its parts fit, so that nothing that is looked up can lead out of it.
    pub(crate) fn is_sound(&self) -> bool {
        let documents: u64 = self.members.iter().map(|member| u64::from(member.documents)).sum();
        documents == self.lengths.len() as u64
            && self.counts.len() == self.ends.len()
            && self.lasts.len() == self.ends.len()
            && self.lasts.is_sorted()
            && self.lasts.last().is_none_or(|last| *last as usize <= self.postings.len())
            && (0..self.ends.len()).all(|at| self.term(at).is_some())
            && (1..self.ends.len()).all(|at| self.term(at - 1) < self.term(at))
    }

    /// The codes of the lengths of each document.
    pub(super) fn codes(&self) -> &[[u8; FIELDS]] {
        self.codes.get_or_init(|| self.lengths.iter().map(|lengths| lengths.map(length_code)).collect())
    }

    fn term(&self, at: usize) -> Option<&str> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.terms.get(start as usize..*self.ends.get(at)? as usize)
    }

    /// The place of a term.
    pub(super) fn find(&self, term: &str) -> Option<usize> {
        let heads = self
            .heads
            .get_or_init(|| (0..self.ends.len()).map(|at| head(self.term(at).unwrap_or_default())).collect());
        let wanted = head(term);
        let from = heads.partition_point(|head| *head < wanted);
        let same = heads[from..].partition_point(|head| *head == wanted);
        let (mut low, mut high) = (from, from + same);
        while low < high {
            let middle = low.midpoint(high);
            if self.term(middle)? < term { low = middle + 1 } else { high = middle }
        }
        (self.term(low) == Some(term)).then_some(low)
    }

    /// How many postings the term at `at` has, those of the dead among them.
    pub(super) fn count(&self, at: usize) -> u32 {
        self.counts[at]
    }

    pub(super) fn postings(&self, at: usize) -> Postings<'_> {
        let start = at.checked_sub(1).map_or(0, |before| self.lasts[before]);
        Postings::new(self.postings.get(start as usize..self.lasts[at] as usize).unwrap_or_default())
    }

    /// The documents in which a function that is [`called`] so is defined.
    pub(super) fn defining(&self, called: u64) -> impl Iterator<Item = u32> {
        let defined = self.defined.get_or_init(|| {
            let terms = (0..).map_while(|at| self.term(at)).take_while(|term| *term <= "\u{1}\u{10ffff}");
            let mut defined = FxHashMap::default();
            for (at, term) in (0..).zip(terms) {
                let name = term.strip_prefix(DEFINED).and_then(|rest| rest.split_once(DEFINED));
                if let Some((module, name)) = name {
                    defined.insert(self::called(module, name), at);
                }
            }
            defined
        });
        let found = defined.get(&called).map(|at| self.postings(*at as usize));
        found.into_iter().flatten().map(|posting| posting.document)
    }

    /// Its words of letters alone: the letters in each, and its place. Made when a word is misspelt for the first time.
    pub(super) fn vocabulary(&self) -> impl Iterator<Item = (u32, &str, usize)> {
        let vocabulary = self.vocabulary.get_or_init(|| {
            let words = (0..).map_while(|at| Some((at, self.term(at as usize)?)));
            let words = words.filter(|(_, word)| {
                (3..=LONGEST_WORD + 2).contains(&word.len()) && word.chars().all(char::is_alphabetic)
            });
            words.map(|(at, word)| (letters(word), at)).collect()
        });
        let word = |(letters, at): &(u32, u32)| Some((*letters, self.term(*at as usize)?, *at as usize));
        vocabulary.iter().filter_map(word)
    }
}

/// Lengths up to here are exact.
const EXACT: u32 = 128;

/// A length in a byte: itself if it is less than [`EXACT`], else its first five bits and how many follow; of what is longer
/// than 32 767 not more.
fn length_code(length: u32) -> u8 {
    match length {
        0..EXACT => length as u8,
        _ => {
            ((length as f32).to_bits() >> 19).saturating_sub(FIRST_INEXACT).min(255 - EXACT) as u8
                + EXACT as u8
        }
    }
}

/// The length of a code, in the middle of those that have it.
pub(super) fn length(code: u8) -> f32 {
    match u32::from(code) {
        exact @ 0..EXACT => exact as f32,
        code => f32::from_bits(((code - EXACT + FIRST_INEXACT) << 19) + (1 << 18)),
    }
}

/// The exponent and the first four bits of the mantissa of [`EXACT`] as a float.
const FIRST_INEXACT: u32 = (EXACT as f32).to_bits() >> 19;

/// The letters that occur in a word, as bits.
pub(super) fn letters(word: &str) -> u32 {
    word.chars().fold(0, |bits, letter| bits | 1 << (letter as u32 % 32))
}

/// The postings of a term, as far as they are known.
#[derive(Default)]
struct Growing {
    bytes: Vec<u8>,
    count: u32,
    last: u32,
}

impl Growing {
    /// Adds the posting of a later document.
    fn push(&mut self, posting: Posting) {
        push(&mut self.bytes, &posting, self.last);
        self.last = posting.document;
        self.count += 1;
    }
}

/// The words of one document.
struct Document {
    terms: FxHashMap<Box<str>, [u8; FIELDS]>,
    lengths: Lengths,
}

impl Document {
    fn all_of(entry: &Entry) -> Vec<Document> {
        let mut documents: Vec<Document> =
            (0..entry.chunks().len()).map(|at| Document::of(entry, at)).collect();
        for definition in entry.facts.definitions.iter().filter(|definition| definition.arity.is_some()) {
            if let Some(at) = entry.chunk_of(definition) {
                let term = format!("{DEFINED}{}{DEFINED}{}", definition.module, definition.name);
                documents[at].terms.entry(term.into()).or_default();
            }
        }
        documents
    }

    fn of(entry: &Entry, at: usize) -> Document {
        let terms = FxHashMap::with_capacity_and_hasher(64, FxBuildHasher);
        let mut document = Document { terms, lengths: [0; FIELDS] };
        field_tokens(entry, at, &mut |field, _, token| document.add(field as usize, token));
        document
    }

    fn add(&mut self, field: usize, token: &str) {
        self.lengths[field] = self.lengths[field].saturating_add(1);
        match self.terms.get_mut(token) {
            Some(frequencies) => frequencies[field] = frequencies[field].saturating_add(1),
            None => {
                let mut frequencies = [0; FIELDS];
                frequencies[field] = 1;
                self.terms.insert(token.into(), frequencies);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_keep_their_size() {
        assert!((0..EXACT).all(|exact| length(length_code(exact)) == exact as f32));
        for long in (EXACT..32_768).step_by(7) {
            let kept = length(length_code(long));
            assert!((kept / long as f32 - 1.0).abs() < 1.0 / 30.0, "{long} became {kept}");
            assert!(length_code(long) >= length_code(long - 1));
        }
        assert_eq!(length_code(u32::MAX), length_code(32_767));
    }
}
