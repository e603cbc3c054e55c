//! The lexical index: BM25F (Robertson, Zaragoza and Taylor, "Simple BM25 extension to multiple weighted fields", 2004)
//! over chunks, in memory.
//!
//! It is a list of immutable segments, each an inverted index of some files. A new version shares the segments of the one
//! before: a changed file is dead in its old segment and alive in a new, small one. Segments are merged when they become
//! many, and rewritten when most of them is dead. What is counted is counted over the living alone, so the history of a
//! version never shows in its scores.

mod matches;
mod postings;
mod segment;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

pub(crate) use self::matches::{Match, Matches};
use self::postings::{DEAD, Posting};
pub(crate) use self::segment::Segment;
use self::segment::{LONGEST_WORD, letters};
use super::entry::{ChunkTable, Entry};
use super::fields::{FIELDS, Field};
use super::query::Word;
use super::tokens::{Token, words};
use super::weights::{B, FIELD_WEIGHTS, K1};

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
    /// The segment's files; `None` for one that was gone when the segment was stored.
    files: Arc<[Option<Arc<Entry>>]>,
    /// The chunk number of each of the segment's documents in this version, or [`DEAD`].
    numbers: Arc<[u32]>,
    alive: usize,
    /// Of all living documents together.
    lengths: [u64; FIELDS],
}

/// What is counted over all chunks before one is scored: how many there are, how long, and how many have a token.
#[derive(Debug, Default)]
pub(crate) struct Census {
    documents: usize,
    lengths: [u64; FIELDS],
    having: FxHashMap<String, usize>,
}

impl Census {
    /// Counts these as well.
    pub(crate) fn add(&mut self, lexical: &Lexical, words: &[Word]) {
        self.documents += lexical.documents;
        (0..FIELDS).for_each(|field| self.lengths[field] += lexical.lengths[field]);
        let tokens: FxHashSet<&String> = words.iter().flat_map(|word| &word.tokens).collect();
        for token in tokens {
            let living = lexical.find(token).iter().map(|(part, term)| part.living(*term)).sum::<usize>();
            *self.having.entry(token.clone()).or_default() += living;
        }
    }

    /// The inverse document frequency of a token.
    fn rarity(&self, token: &str) -> f32 {
        let living = self.having.get(token).copied().unwrap_or_default() as f32;
        (1.0 + (self.documents as f32 - living + 0.5) / (living + 0.5)).ln()
    }

    /// That of a word. A stem is at least as frequent as its word, and tells how much the word says in all its forms.
    fn rarity_of(&self, word: &Word) -> f32 {
        word.tokens.iter().map(|token| self.rarity(token)).fold(f32::INFINITY, f32::min)
    }

    /// How long a field is in the mean.
    fn mean(&self) -> [f32; FIELDS] {
        self.lengths.map(|length| (length as f64 / self.documents.max(1) as f64).max(1e-9) as f32)
    }
}

/// How rare each of the words is in all of the indexes together: its inverse document frequency.
pub(crate) fn rarities<'a>(indexes: impl Iterator<Item = &'a Lexical>, words: &[Word]) -> Vec<f32> {
    let mut census = Census::default();
    indexes.for_each(|lexical| census.add(lexical, words));
    words.iter().map(|word| census.rarity_of(word)).collect()
}

impl Lexical {
    /// The index of `files`, which shares with `self` what is the same in both.
    pub(crate) fn updated(&self, files: &ChunkTable) -> Lexical {
        let place: FxHashMap<*const Entry, usize> =
            files.entries().iter().enumerate().map(|(at, entry)| (Arc::as_ptr(entry), at)).collect();
        let mut known = vec![false; files.entries().len()];
        let mut parts: Vec<Part> = Vec::new();
        for part in &self.parts {
            let part = part.renumbered(files, &place);
            for entry in part.files.iter().flatten() {
                if let Some(at) = place.get(&Arc::as_ptr(entry)) {
                    known[*at] = true;
                }
            }
            if part.alive * 2 > part.numbers.len() {
                parts.push(part);
            } else if part.alive > 0 {
                parts.push(Part::merged(&[&part], files, &place));
            }
        }
        let new: Vec<Arc<Entry>> = files
            .entries()
            .iter()
            .zip(known)
            .filter(|(_, known)| !known)
            .map(|(entry, _)| entry.clone())
            .collect();
        if new.iter().any(|entry| !entry.chunks().is_empty()) {
            let segment = Arc::new(Segment::of(&new));
            parts.push(Part::new(segment, new.into_iter().map(Some).collect(), files, &place));
        }
        // Sizes fall by half at least from one segment to the next, so there are few. Deaths can bring any two neighbours
        // too near to each other, not only the last.
        parts.sort_by_key(|part| std::cmp::Reverse(part.alive));
        while let Some(at) = parts.windows(2).rposition(|pair| pair[1].alive * 2 > pair[0].alive) {
            let merged = Part::merged(&[&parts[at], &parts[at + 1]], files, &place);
            parts.splice(at..at + 2, [merged]);
            parts.sort_by_key(|part| std::cmp::Reverse(part.alive));
        }
        Lexical::of(parts)
    }

    /// The index of `files` from segments that were stored, and from the texts where they have none.
    pub(crate) fn stored(segments: Vec<Arc<Segment>>, files: &ChunkTable) -> Lexical {
        let found = |member: &segment::Member| {
            let entry = files.get(&member.path)?;
            let is_it = entry.file.hash == member.hash && entry.chunks().len() == member.documents as usize;
            is_it.then(|| entry.clone())
        };
        let mut seen: FxHashSet<*const Entry> = FxHashSet::default();
        let mut part = |segment: Arc<Segment>| {
            // No file counts twice, whatever is stored.
            let mut first = |entry: &Arc<Entry>| seen.insert(Arc::as_ptr(entry));
            let files = segment.members.iter().map(|member| found(member).filter(&mut first)).collect();
            Part { segment, files, numbers: Arc::default(), alive: 0, lengths: [0; FIELDS] }
        };
        let parts = segments.into_iter().map(&mut part).collect();
        Lexical { parts, ..Lexical::default() }.updated(files)
    }

    /// The bytes that the tables take.
    pub(crate) fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.segment.bytes() + size_of_val(&*part.numbers)).sum()
    }

    /// What is to be stored.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.parts.iter().map(|part| &part.segment)
    }

    fn of(parts: Vec<Part>) -> Lexical {
        let mut lengths = [0; FIELDS];
        for part in &parts {
            (0..FIELDS).for_each(|field| lengths[field] += part.lengths[field]);
        }
        Lexical { documents: parts.iter().map(|part| part.alive).sum(), parts, lengths }
    }

    /// What the chunks, of which there are so many, have of the `words`. Each token counts once.
    pub(crate) fn matches(&self, words: &[Word], chunks: usize, census: &Census) -> Matches {
        // In the order of the words, because sums of floats depend on it.
        let mut words: Vec<&Word> = words.iter().collect();
        words.sort_unstable_by(|a, b| a.tokens.cmp(&b.tokens));
        words.dedup_by(|a, b| a.tokens == b.tokens);
        let rarities = words.iter().filter(|word| !word.whole).map(|word| census.rarity_of(word)).collect();
        let mut matches = Matches::new(chunks, rarities);
        let scale = Scale::of(census);
        let mut seen: FxHashSet<&str> = FxHashSet::default();
        let mut places = 0..;
        for word in words {
            let mut counter = matches.counter(if word.whole { None } else { places.next() });
            for token in &word.tokens {
                // What two words have in common counts in the score of the first.
                let most =
                    if seen.insert(token) { word.weight * census.rarity(token) * (K1 + 1.0) } else { 0.0 };
                for (part, term) in self.find(token) {
                    let codes = part.segment.codes();
                    for posting in part.segment.postings(term) {
                        let Some(codes) = codes.get(posting.document as usize) else { break };
                        let frequency = scale.frequency(&posting, codes);
                        let is_name = posting.frequencies[Field::Name as usize] > 0;
                        let score = most * frequency / (K1 + frequency);
                        counter.add(part.number(&posting), score, is_name);
                    }
                }
            }
        }
        matches
    }

    /// The chunks in which a function is defined that is [`super::entry::called`] so.
    pub(crate) fn defining(&self, called: u64) -> impl Iterator<Item = u32> {
        let chunk = |part: &Part, document: u32| part.numbers.get(document as usize).copied();
        let of_part = move |part: &'_ Part| {
            let chunks: Vec<u32> = part.segment.defining(called).filter_map(|it| chunk(part, it)).collect();
            chunks
        };
        self.parts.iter().flat_map(of_part).filter(|chunk| *chunk != DEAD)
    }

    /// Whether one of the tokens is found at all.
    pub(crate) fn has_any(&self, tokens: &[String]) -> bool {
        tokens.iter().any(|token| self.find(token).iter().any(|(part, term)| part.is_alive(*term)))
    }

    /// The chunks in which an identifier may stand: all that have the rarest of its words, in any order; `None` if it has no words.
    pub(crate) fn may_have(&self, identifier: &str) -> Option<Vec<u32>> {
        let mut found: Vec<Vec<(&Part, usize)>> = Vec::new();
        words(identifier, &mut |kind, token| {
            if kind != Token::Stem {
                found.push(self.find(token));
            }
        });
        let postings = |found: &Vec<(&Part, usize)>| -> usize {
            found.iter().map(|(part, term)| part.segment.count(*term) as usize).sum()
        };
        let rarest = found.into_iter().min_by_key(postings)?;
        let numbers = |(part, term): (&Part, usize)| -> Vec<u32> {
            part.segment
                .postings(term)
                .map(|posting| part.number(&posting))
                .filter(|it| *it != DEAD)
                .collect()
        };
        Some(rarest.into_iter().flat_map(numbers).collect())
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
            for (other_letters, other, term) in part.segment.vocabulary() {
                // Each step changes at most two of the letters that occur.
                let near = (letters ^ other_letters).count_ones() <= 2 * most
                    && other.len().abs_diff(word.len()) <= 4 * most as usize;
                if near {
                    let distance = strsim::osa_distance(word, other);
                    if distance <= most as usize && part.is_alive(term) {
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

    /// Where a token is.
    fn find(&self, token: &str) -> Vec<(&Part, usize)> {
        self.parts.iter().filter_map(|part| Some((part, part.segment.find(token)?))).collect()
    }
}

/// What the frequency in a field counts: by the field, and by the code of its length.
struct Scale(Box<[[f32; 256]; FIELDS]>);

impl Scale {
    fn of(census: &Census) -> Scale {
        let mean = census.mean();
        let counts = |field: usize, code: u8| {
            FIELD_WEIGHTS[field] / (1.0 - B[field] + B[field] * segment::length(code) / mean[field])
        };
        let table = |field| std::array::from_fn(|code| counts(field, code as u8));
        Scale(Box::new(std::array::from_fn(table)))
    }

    /// How often a document has a term, by the weights of its fields and by how long they are. All fields are looked at, also
    /// those without the term: to ask takes longer.
    #[inline]
    fn frequency(&self, posting: &Posting, codes: &[u8; FIELDS]) -> f32 {
        let fields = self.0.iter().zip(codes).zip(posting.frequencies);
        fields.map(|((counts, code), frequency)| f32::from(frequency) * counts[usize::from(*code)]).sum()
    }
}

impl Part {
    fn new(
        segment: Arc<Segment>,
        members: Arc<[Option<Arc<Entry>>]>,
        files: &ChunkTable,
        place: &FxHashMap<*const Entry, usize>,
    ) -> Part {
        let (alive, lengths) = (0, [0; FIELDS]);
        Part { segment, files: members, numbers: Arc::default(), alive, lengths }.renumbered(files, place)
    }

    /// The part with the numbers that its chunks have in `files`.
    fn renumbered(&self, files: &ChunkTable, place: &FxHashMap<*const Entry, usize>) -> Part {
        let Part { segment, files: members, .. } = self.clone();
        let mut numbers = Vec::with_capacity(segment.lengths.len());
        let mut alive = 0;
        for (entry, member) in members.iter().zip(&segment.members) {
            match entry.as_ref().and_then(|entry| place.get(&Arc::as_ptr(entry))) {
                Some(at) => {
                    let chunks = files.numbers(*at);
                    alive += chunks.len();
                    numbers.extend(chunks);
                }
                None => numbers.extend(std::iter::repeat_n(DEAD, member.documents as usize)),
            }
        }
        // The dead never come back, so as many as before are the same ones.
        let lengths = if alive == self.alive { self.lengths } else { lengths(&segment, &numbers) };
        Part { segment, files: members, numbers: numbers.into(), alive, lengths }
    }

    /// What is alive in `parts`.
    fn merged(parts: &[&Part], files: &ChunkTable, place: &FxHashMap<*const Entry, usize>) -> Part {
        let segments: Vec<_> = parts.iter().map(|part| (&*part.segment, &*part.numbers)).collect();
        let segment = Segment::merged(&segments);
        let members = segment.members.iter().map(|member| files.get(&member.path).cloned()).collect();
        Part::new(Arc::new(segment), members, files, place)
    }

    fn number(&self, posting: &Posting) -> u32 {
        self.numbers.get(posting.document as usize).copied().unwrap_or(DEAD)
    }

    fn is_alive(&self, term: usize) -> bool {
        self.segment.postings(term).any(|posting| self.number(&posting) != DEAD)
    }

    /// How many living documents have a term.
    fn living(&self, term: usize) -> usize {
        if self.alive == self.numbers.len() {
            return self.segment.count(term) as usize;
        }
        self.segment.postings(term).filter(|posting| self.number(posting) != DEAD).count()
    }
}

/// How long all living documents together are.
fn lengths(segment: &Segment, numbers: &[u32]) -> [u64; FIELDS] {
    let mut lengths = [0; FIELDS];
    for (of_one, _) in segment.lengths.iter().zip(numbers).filter(|(_, number)| **number != DEAD) {
        (0..FIELDS).for_each(|field| lengths[field] += u64::from(of_one[field]));
    }
    lengths
}

/// So many words that are equally near are taken.
const MOST_CORRECTIONS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::testing::{entry, texts};
    use proptest::prelude::*;

    fn ranking(lexical: &Lexical, files: &ChunkTable, terms: &[&str]) -> Vec<(u32, u32)> {
        (0..)
            .zip(scores(lexical, files, terms))
            .filter(|(_, score)| *score > 0.0)
            .map(|(number, score)| (number, score.to_bits()))
            .collect()
    }

    fn scores(lexical: &Lexical, files: &ChunkTable, terms: &[&str]) -> Vec<f32> {
        let words: Vec<Word> = terms.iter().map(|term| Word::whole(term)).collect();
        {
            let mut census = Census::default();
            census.add(lexical, &words);
            let matches = lexical.matches(&words, files.chunks(), &census);
            (0..files.chunks() as u32).map(|chunk| matches.of(chunk).score).collect()
        }
    }

    #[test]
    fn rare_words_and_names_weigh_more() {
        let files = ChunkTable::new(vec![
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
        let first = Lexical::default().updated(&ChunkTable::new(many.clone()));
        let mut changed = many;
        changed[7] = entry("f7.ex", &[("A.b/1", "other text")]);
        let second = first.updated(&ChunkTable::new(changed));
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
                let now = ChunkTable::new(files.iter().flatten().cloned().collect());
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
