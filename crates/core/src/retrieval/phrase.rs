//! Runs of words that stand in a text as they are, as the parts of an error message do that were not interpolated.

use rustc_hash::FxHashMap;

/// How many words a run has.
const RUN: usize = 3;
/// More runs than this say nothing more.
const MOST: usize = 64;
/// What the hash of a word begins with, and is multiplied with at each byte.
const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const FACTOR: u64 = 0x0100_0000_01b3;

/// The runs of a question's words.
pub(crate) struct Phrases {
    /// The words, each once, in lower case.
    words: Vec<String>,
    /// The places of the words with each hash.
    hashes: FxHashMap<u64, Vec<u16>>,
    /// A bit for each hash, so that few words of a text have to be looked up.
    sieve: [u64; 16],
    runs: Vec<[u16; RUN]>,
    /// Of each run, the hashes of its pairs of words.
    pairs: Vec<[u32; RUN - 1]>,
}

/// Appends a set of the pairs of words that stand in a text one behind the other: as bits, of which one in eight is set at most.
/// What is not in it is not in the text.
pub(crate) fn sieve(text: &str, to: &mut Vec<u8>) {
    let mut pairs: Vec<u32> = Vec::new();
    let mut last: Option<u64> = None;
    each_word(text, |_, hash| {
        pairs.extend(last.map(|last| pair(last, hash)));
        last = Some(hash);
        true
    });
    pairs.sort_unstable();
    pairs.dedup();
    if pairs.is_empty() {
        return;
    }
    let start = to.len();
    to.resize(start + pairs.len().next_power_of_two(), 0);
    let bits = &mut to[start..];
    for pair in pairs {
        let bit = pair as usize % (8 * bits.len());
        bits[bit / 8] |= 1 << (bit % 8);
    }
}

fn pair(first: u64, second: u64) -> u32 {
    ((first.rotate_left(29) ^ second).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

impl Phrases {
    pub(crate) fn of(text: &str) -> Phrases {
        let mut phrases = Phrases {
            words: Vec::new(),
            hashes: FxHashMap::default(),
            sieve: [0; 16],
            runs: Vec::new(),
            pairs: Vec::new(),
        };
        let mut run: Vec<u16> = Vec::new();
        let mut hashes: Vec<u64> = Vec::new();
        each_word(text, |word, hash| {
            let at = phrases.place(word, hash).unwrap_or_else(|| phrases.add(word, hash));
            run.push(at);
            hashes.push(hash);
            if let (Some(last), Some([a, b, c])) = (run.last_chunk::<RUN>(), hashes.last_chunk::<RUN>()) {
                phrases.runs.push(*last);
                phrases.pairs.push([pair(*a, *b), pair(*b, *c)]);
            }
            phrases.runs.len() < MOST
        });
        phrases
    }

    /// Whether there is no run at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether one of them may be in the text with this [`sieve`].
    pub(crate) fn may_be_in(&self, sieve: &[u8]) -> bool {
        let has = |pair: &u32| {
            let bit = *pair as usize % (8 * sieve.len());
            sieve[bit / 8] >> (bit % 8) & 1 == 1
        };
        !sieve.is_empty() && self.pairs.iter().any(|pairs| pairs.iter().all(has))
    }

    /// How many of them are in `text`, as a share. Quotes, escapes and the like do not count, nor does case.
    pub(crate) fn share_in(&self, text: &str) -> f32 {
        if self.runs.is_empty() {
            return 0.0;
        }
        let mut found = 0u64;
        let (mut last, mut length) = ([0; RUN], 0);
        each_word(text, |word, hash| {
            match self.place(word, hash) {
                None => length = 0,
                Some(at) => {
                    last.rotate_left(1);
                    last[RUN - 1] = at;
                    length += 1;
                }
            }
            if length >= RUN {
                let equal = self.runs.iter().enumerate().filter(|(_, run)| **run == last);
                equal.for_each(|(at, _)| found |= 1 << at);
            }
            true
        });
        found.count_ones() as f32 / self.runs.len() as f32
    }

    /// Which of the words it is.
    fn place(&self, word: &str, hash: u64) -> Option<u16> {
        let bit = hash % (64 * self.sieve.len() as u64);
        if self.sieve[bit as usize / 64] >> (bit % 64) & 1 == 0 {
            return None;
        }
        let same = |at: &&u16| {
            let other = &self.words[usize::from(**at)];
            if word.is_ascii() { other.eq_ignore_ascii_case(word) } else { *other == lower(word) }
        };
        self.hashes.get(&hash)?.iter().find(same).copied()
    }

    fn add(&mut self, word: &str, hash: u64) -> u16 {
        let bit = hash % (64 * self.sieve.len() as u64);
        self.sieve[bit as usize / 64] |= 1 << (bit % 64);
        // There are at most so many words as runs, and two.
        let at = self.words.len() as u16;
        self.words.push(lower(word));
        self.hashes.entry(hash).or_default().push(at);
        at
    }
}

fn lower(word: &str) -> String {
    word.chars().flat_map(char::to_lowercase).collect()
}

/// Calls `each` with the words of a text, as they are written, and a hash of each in lower case, until it gives `false`.
fn each_word<'t>(text: &'t str, mut each: impl FnMut(&'t str, u64) -> bool) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii() && !byte.is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        if !byte.is_ascii() && !text[at..].starts_with(char::is_alphanumeric) {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        // In a text of code `\n` is the end of a line and not a letter.
        let escaped = at > 0 && bytes[at - 1] == b'\\' && matches!(byte, b'n' | b't' | b'r');
        let start = at + usize::from(escaped);
        let mut hash = SEED;
        at = start;
        while let Some(byte) = bytes.get(at).filter(|byte| byte.is_ascii_alphanumeric()) {
            hash = (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(FACTOR);
            at += 1;
        }
        if bytes.get(at).is_some_and(|byte| !byte.is_ascii()) {
            let rest = &text[start..];
            at = start + rest.find(|character: char| !character.is_alphanumeric()).unwrap_or(rest.len());
            let lower = lower(&text[start..at]);
            hash = lower.bytes().fold(SEED, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FACTOR));
        }
        if at > start && !each(&text[start..at], hash) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_interpolated_breaks_few_runs() {
        let phrases = Phrases::of("could not find item 17 in the cart");
        assert_eq!(phrases.share_in("raise \"could not find item #{id} in the cart\""), 3.0 / 6.0);
        assert_eq!(phrases.share_in("nothing of it"), 0.0);
        let quoted = Phrases::of("\"mix test\" is running\nin dev");
        assert_eq!(quoted.share_in(r#""\"mix test\" is running\nin dev""#), 1.0);
        assert_eq!(Phrases::of("two words").share_in("two words"), 0.0);
    }

    /// The same by copies of the texts.
    fn naive(question: &str, text: &str) -> f32 {
        let bare = |text: &str| {
            let mut words = Vec::new();
            let mut rest = text;
            while let Some(start) = rest.find(char::is_alphanumeric) {
                let escaped = rest[..start].ends_with('\\') && rest[start..].starts_with(['n', 't', 'r']);
                rest = &rest[start + usize::from(escaped)..];
                let end = rest.find(|character: char| !character.is_alphanumeric()).unwrap_or(rest.len());
                words.extend((end > 0).then(|| lower(&rest[..end])));
                rest = &rest[end..];
            }
            words
        };
        let (question, text) = (bare(question), bare(text));
        let runs: Vec<_> = question.windows(RUN).take(MOST).collect();
        let found = runs.iter().filter(|run| text.windows(RUN).any(|other| other == **run)).count();
        found as f32 / runs.len().max(1) as f32
    }

    proptest! {
        #[test]
        fn runs_are_found_as_in_a_copy(question in "([aAbß] ?|\\\\n|é|-| ){0,24}", text in "([aAbß] ?|\\\\n|É|-| ){0,60}") {
            let phrases = Phrases::of(&question);
            let share = phrases.share_in(&text);
            prop_assert_eq!(share, naive(&question, &text));
            let mut bits = Vec::new();
            sieve(&text, &mut bits);
            prop_assert!(phrases.may_be_in(&bits) || share == 0.0);
        }
    }
}
