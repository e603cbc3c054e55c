//! The lexical index: BM25F (Robertson, Zaragoza and Taylor, "Simple BM25 extension to multiple weighted fields", 2004)
//! over chunks, in memory.
//!
//! It is a list of immutable segments, each an inverted index of some files. A new version shares the segments of the one
//! before: a changed file is dead in its old segment and alive in a new, small one. Segments are merged when they become
//! many, and rewritten when most of them is dead. What is counted is counted over the living alone, so the history of a
//! version never shows in its scores.

use std::collections::hash_map::Entry as Slot;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use super::entry::{Entry, Files};
use super::fields::{FIELDS, Field, field_tokens};
use super::query::Word;
use super::weights::{B, FIELD_WEIGHTS, K1};

/// No place in this version: the document is dead.
const DEAD: u32 = u32::MAX;

/// The lexical index of one version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lexical {
    parts: Vec<Part>,
    /// Documents alive.
    documents: usize,
    /// Of all living documents together.
    lengths: [u64; FIELDS],
}

#[derive(Clone, Debug)]
struct Part {
    segment: Arc<Segment>,
    /// The chunk number of each of the segment's documents in this version, or [`DEAD`].
    numbers: Arc<[u32]>,
    alive: usize,
}

#[derive(Debug, Default)]
struct Segment {
    files: Vec<Arc<Entry>>,
    lengths: Vec<[u32; FIELDS]>,
    postings: FxHashMap<Box<str>, Vec<Posting>>,
    vocabulary: OnceLock<Vocabulary>,
}

/// Words, each with the letters in it.
type Vocabulary = Box<[(u32, Box<str>)]>;

/// What the words of a question found in a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Match {
    /// BM25F; 0 if there is none of the words.
    pub(crate) score: f32,
    /// How much of the question's rarity is in it: the sum over the words that are.
    pub(crate) covered: f32,
    /// The same for the names that it defines.
    pub(crate) named: f32,
    /// How many of the words are in these names.
    pub(crate) names: u16,
    /// The last words that were counted in `covered` and in `named`, from 1.
    last: [u16; 2],
}

#[derive(Clone, Copy, Debug)]
struct Posting {
    document: u32,
    frequencies: [u8; FIELDS],
}

/// The words of one document.
#[derive(Default)]
struct Document {
    terms: FxHashMap<Box<str>, [u8; FIELDS]>,
    lengths: [u32; FIELDS],
}

impl Lexical {
    /// The index of `files`, which shares with `self` what is the same in both.
    pub(crate) fn updated(&self, files: &Files) -> Lexical {
        let place: FxHashMap<*const Entry, usize> =
            files.entries().iter().enumerate().map(|(at, entry)| (Arc::as_ptr(entry), at)).collect();
        let mut known = vec![false; files.entries().len()];
        let mut parts: Vec<Part> = Vec::new();
        for part in &self.parts {
            let part = Part::new(part.segment.clone(), files, &place);
            for entry in &part.segment.files {
                if let Some(at) = place.get(&Arc::as_ptr(entry)) {
                    known[*at] = true;
                }
            }
            if part.alive * 2 > part.numbers.len() {
                parts.push(part);
            } else if part.alive > 0 {
                parts.push(Part::new(Arc::new(Segment::merged(&[&part])), files, &place));
            }
        }
        let new: Vec<_> = files
            .entries()
            .iter()
            .zip(known)
            .filter(|(_, known)| !known)
            .map(|(entry, _)| entry.clone())
            .collect();
        if new.iter().any(|entry| !entry.facts.chunks.is_empty()) {
            parts.push(Part::new(Arc::new(Segment::of(new)), files, &place));
        }
        // Sizes fall by half at least from one segment to the next, so there are few. Deaths can bring any two neighbours
        // too near to each other, not only the last.
        parts.sort_by_key(|part| std::cmp::Reverse(part.alive));
        while let Some(at) = parts.windows(2).rposition(|pair| pair[1].alive * 2 > pair[0].alive) {
            let merged = Part::new(Arc::new(Segment::merged(&[&parts[at], &parts[at + 1]])), files, &place);
            parts.splice(at..at + 2, [merged]);
            parts.sort_by_key(|part| std::cmp::Reverse(part.alive));
        }
        Lexical::of(parts)
    }

    fn of(parts: Vec<Part>) -> Lexical {
        let mut lengths = [0; FIELDS];
        for part in &parts {
            for (of_one, number) in part.segment.lengths.iter().zip(part.numbers.iter()) {
                if *number != DEAD {
                    (0..FIELDS).for_each(|field| lengths[field] += u64::from(of_one[field]));
                }
            }
        }
        Lexical { documents: parts.iter().map(|part| part.alive).sum(), parts, lengths }
    }

    /// What each chunk, by its number, has of the `words`, and the rarity of all of them together. Each token counts once.
    pub(crate) fn matches(&self, words: &[Word], chunks: usize) -> (Vec<Match>, f32) {
        let mut matches = vec![Match::default(); chunks];
        let mean = self.lengths.map(|length| (length as f64 / self.documents.max(1) as f64).max(1e-9) as f32);
        // In the order of the words, because sums of floats depend on it.
        let mut words: Vec<&Word> = words.iter().collect();
        words.sort_unstable_by(|a, b| a.tokens.cmp(&b.tokens));
        words.dedup_by(|a, b| a.tokens == b.tokens);
        let mut counted: FxHashSet<&str> = FxHashSet::default();
        let mut rarity_of_all = 0.0;
        for (number, word) in (1u16..).zip(&words) {
            let found: Vec<Vec<(&Part, &[Posting])>> =
                word.tokens.iter().map(|token| self.postings(token)).collect();
            let rarities: Vec<f32> = found.iter().map(|postings| self.rarity(postings)).collect();
            // A stem is at least as frequent as its word, and tells how much the word says in all its forms.
            let rarity_of_word = rarities.iter().copied().fold(f32::INFINITY, f32::min);
            if !word.whole {
                rarity_of_all += rarity_of_word;
            }
            for ((token, postings), rarity) in word.tokens.iter().zip(&found).zip(rarities) {
                let first_time = counted.insert(token);
                for (part, postings) in postings {
                    for posting in *postings {
                        let chunk = part.number(posting);
                        if chunk == DEAD {
                            continue;
                        }
                        let found = &mut matches[chunk as usize];
                        if first_time {
                            let lengths = &part.segment.lengths[posting.document as usize];
                            let frequency = weighted_frequency(posting, lengths, &mean);
                            found.score += word.weight * rarity * frequency * (K1 + 1.0) / (K1 + frequency);
                        }
                        if !word.whole {
                            found.count(number, rarity_of_word, posting);
                        }
                    }
                }
            }
        }
        (matches, rarity_of_all)
    }

    /// Whether one of the tokens is found at all.
    pub(crate) fn has_any(&self, tokens: &[String]) -> bool {
        tokens.iter().any(|token| self.is_alive(token))
    }

    fn is_alive(&self, token: &str) -> bool {
        let alive = |(part, postings): (&Part, &[Posting])| {
            postings.iter().any(|posting| part.number(posting) != DEAD)
        };
        self.postings(token).into_iter().any(alive)
    }

    /// The words in the index that `word` may be a misspelling of, the nearest alone: one letter left out, added, changed or
    /// swapped with the next (optimal string alignment distance); in long words two.
    pub(crate) fn nearest(&self, word: &str) -> Vec<String> {
        let length = word.chars().count();
        if !(4..=LONGEST_WORD).contains(&length) || !word.chars().all(char::is_alphabetic) {
            return Vec::new();
        }
        let most = if length < 8 { 1 } else { 2 };
        let letters = letters(word);
        let mut found: Vec<(usize, &str)> = Vec::new();
        for part in &self.parts {
            for (other_letters, other) in part.segment.vocabulary() {
                // Each step changes at most two of the letters that occur.
                let near = (letters ^ other_letters).count_ones() <= 2 * most
                    && other.len().abs_diff(word.len()) <= 4 * most as usize;
                if near {
                    let distance = strsim::osa_distance(word, other);
                    if distance <= most as usize && self.is_alive(other) {
                        found.push((distance, other));
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        let least = found.first().map_or(0, |(distance, _)| *distance);
        found.retain(|(distance, _)| *distance == least);
        found.truncate(MOST_CORRECTIONS);
        found.into_iter().map(|(_, word)| word.to_owned()).collect()
    }

    fn postings(&self, token: &str) -> Vec<(&Part, &[Posting])> {
        self.parts.iter().filter_map(|part| Some((part, part.segment_postings(token)?))).collect()
    }

    /// The inverse document frequency of a token with these postings.
    fn rarity(&self, postings: &[(&Part, &[Posting])]) -> f32 {
        let alive = |(part, postings): &(&Part, &[Posting])| {
            postings.iter().filter(|posting| part.number(posting) != DEAD).count()
        };
        let living = postings.iter().map(alive).sum::<usize>() as f32;
        (1.0 + (self.documents as f32 - living + 0.5) / (living + 0.5)).ln()
    }
}

impl Match {
    /// Counts a word that was found, once for all of its tokens.
    fn count(&mut self, number: u16, rarity: f32, posting: &Posting) {
        if self.last[0] != number {
            self.last[0] = number;
            self.covered += rarity;
        }
        if posting.frequencies[Field::Name as usize] > 0 && self.last[1] != number {
            self.last[1] = number;
            self.named += rarity;
            self.names += 1;
        }
    }
}

fn weighted_frequency(posting: &Posting, lengths: &[u32; FIELDS], mean: &[f32; FIELDS]) -> f32 {
    let mut sum = 0.0;
    for field in 0..FIELDS {
        if posting.frequencies[field] > 0 {
            let length = 1.0 - B[field] + B[field] * lengths[field] as f32 / mean[field];
            sum += FIELD_WEIGHTS[field] * f32::from(posting.frequencies[field]) / length;
        }
    }
    sum
}

impl Part {
    fn new(segment: Arc<Segment>, files: &Files, place: &FxHashMap<*const Entry, usize>) -> Part {
        let mut numbers = Vec::with_capacity(segment.lengths.len());
        let mut alive = 0;
        for entry in &segment.files {
            match place.get(&Arc::as_ptr(entry)) {
                Some(at) => {
                    alive += entry.facts.chunks.len();
                    numbers.extend(files.numbers(*at));
                }
                None => numbers.extend(std::iter::repeat_n(DEAD, entry.facts.chunks.len())),
            }
        }
        Part { segment, numbers: numbers.into(), alive }
    }

    fn segment_postings(&self, token: &str) -> Option<&[Posting]> {
        self.segment.postings.get(token).map(Vec::as_slice)
    }

    fn number(&self, posting: &Posting) -> u32 {
        self.numbers[posting.document as usize]
    }
}

/// Longer words are not looked for under another spelling.
const LONGEST_WORD: usize = 24;
/// So many words that are equally near are taken.
const MOST_CORRECTIONS: usize = 3;

/// The letters that occur in a word, as bits.
fn letters(word: &str) -> u32 {
    word.chars().fold(0, |bits, letter| bits | 1 << (letter as u32 % 32))
}

impl Segment {
    /// Its words of letters alone, with the letters in them. Made when a word is misspelt for the first time.
    fn vocabulary(&self) -> &[(u32, Box<str>)] {
        self.vocabulary.get_or_init(|| {
            let words = self.postings.keys().filter(|word| {
                (3..=LONGEST_WORD + 2).contains(&word.len()) && word.chars().all(char::is_alphabetic)
            });
            words.map(|word| (letters(word), word.clone())).collect()
        })
    }

    fn of(files: Vec<Arc<Entry>>) -> Segment {
        let documents: Vec<Vec<Document>> = files
            .par_iter()
            .map(|entry| (0..entry.facts.chunks.len()).map(|chunk| Document::of(entry, chunk)).collect())
            .collect();
        let mut segment = Segment { files, ..Segment::default() };
        for document in documents.into_iter().flatten() {
            let number = segment.lengths.len() as u32;
            segment.lengths.push(document.lengths);
            for (term, frequencies) in document.terms {
                segment.postings.entry(term).or_default().push(Posting { document: number, frequencies });
            }
        }
        segment
    }

    /// What is alive in `parts`, in one segment.
    fn merged(parts: &[&Part]) -> Segment {
        let mut segment = Segment::default();
        for part in parts {
            let mut renumbered = vec![DEAD; part.numbers.len()];
            let mut document = 0;
            for entry in &part.segment.files {
                let chunks = entry.facts.chunks.len();
                let alive = chunks > 0 && part.numbers[document] != DEAD;
                if alive {
                    segment.files.push(entry.clone());
                    let documents = document..document + chunks;
                    (segment.lengths.len() as u32..)
                        .zip(&mut renumbered[documents.clone()])
                        .for_each(|(new, at)| *at = new);
                    segment.lengths.extend_from_slice(&part.segment.lengths[documents]);
                }
                document += chunks;
            }
            for (term, postings) in &part.segment.postings {
                let mut living = postings
                    .iter()
                    .map(|posting| Posting { document: renumbered[posting.document as usize], ..*posting })
                    .filter(|posting| posting.document != DEAD)
                    .peekable();
                if living.peek().is_some() {
                    match segment.postings.entry(term.clone()) {
                        Slot::Occupied(mut slot) => slot.get_mut().extend(living),
                        Slot::Vacant(slot) => {
                            slot.insert(living.collect());
                        }
                    }
                }
            }
        }
        segment
    }
}

impl Document {
    fn of(entry: &Entry, at: usize) -> Document {
        let mut document =
            Document { terms: FxHashMap::with_capacity_and_hasher(64, FxBuildHasher), ..Document::default() };
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
    use crate::retrieval::testing::{entry, texts};
    use proptest::prelude::*;

    fn ranking(lexical: &Lexical, files: &Files, terms: &[&str]) -> Vec<(u32, u32)> {
        (0..)
            .zip(scores(lexical, files, terms))
            .filter(|(_, score)| *score > 0.0)
            .map(|(number, score)| (number, score.to_bits()))
            .collect()
    }

    fn scores(lexical: &Lexical, files: &Files, terms: &[&str]) -> Vec<f32> {
        let words: Vec<Word> = terms.iter().map(|term| Word::whole(term)).collect();
        lexical.matches(&words, files.chunks()).0.iter().map(|found| found.score).collect()
    }

    #[test]
    fn rare_words_and_names_weigh_more() {
        let files = Files::new(vec![
            entry("a.ex", &[("M.common/0", "common words here"), ("M.rare/0", "something")]),
            entry("b.ex", &[("N.other/0", "common rare")]),
        ]);
        let lexical = Lexical::default().updated(&files);
        let scores = scores(&lexical, &files, &["rare", "common"]);
        assert!(scores[1] > 0.0 && scores[2] > 0.0);
        let rare = self::scores(&lexical, &files, &["rare"]);
        assert!(rare[1] > rare[2], "a name counts for more than the text: {rare:?}");
        assert_eq!(rare[0], 0.0);
    }

    #[test]
    fn a_change_shares_the_large_segment() {
        let many: Vec<_> = (0..50).map(|n| entry(&format!("f{n}.ex"), &[("A.b/1", "text of it")])).collect();
        let first = Lexical::default().updated(&Files::new(many.clone()));
        let mut changed = many;
        changed[7] = entry("f7.ex", &[("A.b/1", "other text")]);
        let second = first.updated(&Files::new(changed));
        assert!(Arc::ptr_eq(&first.parts[0].segment, &second.parts[0].segment));
        assert_eq!(second.parts.len(), 2);
        assert_eq!(second.documents, 50);
    }

    proptest! {
        /// Any history of puts and removals ends in what a fresh build of the same files would be.
        #[test]
        fn history_never_shows(steps in prop::collection::vec((0..8usize, prop::option::of(texts())), 1..40)) {
            let mut files: Vec<Option<Arc<Entry>>> = vec![None; 8];
            let mut lexical = Lexical::default();
            for (at, text) in steps {
                files[at] = text.map(|texts| {
                    let chunks: Vec<_> = texts.iter().map(|text| ("M.f/1", text.as_str())).collect();
                    entry(&format!("{at}.ex"), &chunks)
                });
                let now = Files::new(files.iter().flatten().cloned().collect());
                lexical = lexical.updated(&now);
                let fresh = Lexical::default().updated(&now);
                for terms in [&["alpha", "beta"][..], &["gamma"], &["m.f/1", "delta"]] {
                    prop_assert_eq!(ranking(&lexical, &now, terms), ranking(&fresh, &now, terms));
                }
                // 8 files of at most 3 chunks: 24 documents, halved from segment to segment.
                prop_assert!(lexical.parts.len() <= 5, "{} segments", lexical.parts.len());
            }
        }
    }
}
