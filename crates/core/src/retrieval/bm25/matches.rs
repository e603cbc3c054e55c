//! What the words of a question found, chunk by chunk.

use std::cell::Cell;

use crate::retrieval::best::Best;

/// So many words share a number of bits.
const BITS: usize = u32::BITS as usize;

/// Of so many chunks at once it is asked whether any may be among the best.
const BLOCK: usize = 64;

/// What is larger is given back.
const MOST_KEPT: usize = 1 << 18;

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
}

/// What a question's words found.
#[derive(Debug, Default)]
pub(crate) struct Matches {
    tables: Tables,
    /// How many numbers of [`Tables::words`] and [`Tables::names`] each chunk has.
    stride: usize,
    /// How rare each word is that counts in [`Match::covered`].
    rarities: Vec<f32>,
    /// The rarity of all words together.
    pub(crate) rarity: f32,
}

/// What is counted of all chunks, by their numbers.
#[derive(Debug, Default)]
struct Tables {
    /// [`Match::score`].
    scores: Vec<f32>,
    /// Which of the words it has, as bits, and which of them are in the names that it defines.
    words: Vec<u32>,
    names: Vec<u32>,
    /// The chunks that have one in their names.
    naming: Vec<u32>,
}

thread_local! {
    /// What the last query of a thread took, so that the next one need not ask the system for it: that takes longer than to
    /// clear it.
    static KEPT: Cell<Tables> = const {
        Cell::new(Tables { scores: Vec::new(), words: Vec::new(), names: Vec::new(), naming: Vec::new() })
    };
}

impl Drop for Matches {
    fn drop(&mut self) {
        let tables = std::mem::take(&mut self.tables);
        if tables.words.capacity() <= MOST_KEPT && tables.scores.capacity() <= MOST_KEPT {
            // While a thread ends there is nowhere to keep it.
            let _ = KEPT.try_with(|kept| kept.set(tables));
        }
    }
}

/// Counts one word of the question in chunks.
pub(super) struct Counter<'m> {
    scores: &'m mut [f32],
    words: &'m mut [u32],
    names: &'m mut [u32],
    naming: &'m mut Vec<u32>,
    stride: usize,
    /// Which number of a chunk has the word's bit, and the bit; none for what counts in the score alone.
    place: usize,
    bit: u32,
}

impl Counter<'_> {
    /// Counts the word in a chunk, once for all of its forms, and what it adds to the score. What is no chunk is left out.
    #[inline]
    pub(super) fn add(&mut self, chunk: u32, score: f32, is_name: bool) {
        let Some(sum) = self.scores.get_mut(chunk as usize) else { return };
        *sum += score;
        let first = chunk as usize * self.stride;
        self.words[first + self.place] |= self.bit;
        if is_name && self.bit != 0 {
            if self.names[first..first + self.stride].iter().all(|bits| *bits == 0) {
                self.naming.push(chunk);
            }
            self.names[first + self.place] |= self.bit;
        }
    }
}

impl Matches {
    /// For so many chunks, and words of these rarities.
    pub(super) fn new(chunks: usize, rarities: Vec<f32>) -> Matches {
        let stride = rarities.len().div_ceil(BITS).max(1);
        let mut tables = KEPT.take();
        tables.naming.clear();
        tables.scores.clear();
        tables.scores.resize(chunks, 0.0);
        for bits in [&mut tables.words, &mut tables.names] {
            bits.clear();
            bits.resize(chunks * stride, 0);
        }
        let rarity = rarities.iter().sum();
        Matches { tables, stride, rarities, rarity }
    }

    /// Counts the word at `at` of those whose rarities are known, or one that has none.
    pub(super) fn counter(&mut self, at: Option<usize>) -> Counter<'_> {
        let Tables { scores, words, names, naming } = &mut self.tables;
        let bit = at.map_or(0, |at| 1 << (at % BITS));
        let place = at.unwrap_or_default() / BITS;
        Counter { scores, words, names, naming, stride: self.stride, place, bit }
    }

    /// What a chunk has of the words.
    pub(crate) fn of(&self, chunk: u32) -> Match {
        let Some(score) = self.tables.scores.get(chunk as usize) else { return Match::default() };
        let names = self.bits(&self.tables.names, chunk);
        Match {
            score: *score,
            covered: self.rarity_of(self.bits(&self.tables.words, chunk)),
            named: self.rarity_of(names),
            names: names.iter().map(|bits| bits.count_ones() as u16).sum(),
        }
    }

    /// The `count` chunks with the best scores that may be found, best first; of equals those that stand first.
    pub(crate) fn best(&self, count: usize, may_be_found: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut best = Best::new(count);
        for (block, scores) in self.tables.scores.chunks(BLOCK).enumerate() {
            // Of tens of thousands nearly all are worse than those that were seen before them.
            let least = best.least().max(f32::MIN_POSITIVE);
            if !scores.iter().fold(false, |any, score| any | (*score >= least)) {
                continue;
            }
            for (chunk, score) in ((block * BLOCK) as u32..).zip(scores) {
                if *score >= least && may_be_found(chunk) {
                    best.push((chunk, *score));
                }
            }
        }
        best.finish()
    }

    /// Likewise those whose names have the most of the question's rarity.
    pub(crate) fn best_named(&self, count: usize, may_be_found: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut best = Best::new(count);
        for chunk in self.tables.naming.iter().copied().filter(|chunk| may_be_found(*chunk)) {
            best.push((chunk, self.rarity_of(self.bits(&self.tables.names, chunk))));
        }
        best.finish()
    }

    fn bits<'m>(&self, of: &'m [u32], chunk: u32) -> &'m [u32] {
        let first = chunk as usize * self.stride;
        of.get(first..first + self.stride).unwrap_or_default()
    }

    fn rarity_of(&self, bits: &[u32]) -> f32 {
        let mut sum = 0.0;
        for (bits, rarities) in bits.iter().zip(self.rarities.chunks(BITS)) {
            let mut left = *bits;
            while left != 0 {
                sum += rarities.get(left.trailing_zeros() as usize).copied().unwrap_or_default();
                left &= left - 1;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However many words there are, and however often each is counted.
        #[test]
        fn counts_are_those_of_sets(
            words in 1..100usize,
            counted in prop::collection::vec((0..200u32, 0..100usize, 0..8u8, any::<bool>()), 0..300),
        ) {
            let rarities: Vec<f32> = (0..words).map(|word| (word % 7 + 1) as f32).collect();
            let mut matches = Matches::new(150, rarities.clone());
            let mut expected = vec![(0.0, std::collections::BTreeSet::new(), std::collections::BTreeSet::new()); 150];
            for (chunk, word, score, is_name) in counted {
                let word = (word < words).then_some(word);
                matches.counter(word).add(chunk, f32::from(score), is_name);
                if let Some((sum, words, names)) = expected.get_mut(chunk as usize) {
                    *sum += f32::from(score);
                    words.extend(word);
                    names.extend(word.filter(|_| is_name));
                }
            }
            let rarity = |words: &std::collections::BTreeSet<usize>| words.iter().map(|word| rarities[*word]).sum::<f32>();
            for (chunk, (score, words, names)) in (0..).zip(&expected) {
                let wanted = Match {
                    score: *score,
                    covered: rarity(words),
                    named: rarity(names),
                    names: names.len() as u16,
                };
                prop_assert_eq!(matches.of(chunk), wanted);
            }
            prop_assert_eq!(matches.of(150), Match::default());
            let even = |chunk: u32| chunk.is_multiple_of(2);
            let sorted = |of: &dyn Fn(u32) -> f32| {
                let mut all: Vec<u32> = (0..150).filter(|chunk| even(*chunk) && of(*chunk) > 0.0).collect();
                all.sort_by(|a, b| of(*b).total_cmp(&of(*a)).then(a.cmp(b)));
                all.truncate(10);
                all
            };
            prop_assert_eq!(matches.best(10, even), sorted(&|chunk| expected[chunk as usize].0));
            prop_assert_eq!(matches.best_named(10, even), sorted(&|chunk| rarity(&expected[chunk as usize].2)));
        }
    }
}
