//! Which sequences of three bytes a text has, as a set of bits that may say yes too often but never no.
//!
//! A set for each file needs half of what lists of files for each trigram would, is shared by all versions of the index
//! that have the file, and is made without looking at another file. A question looks at the sets of all files, which takes
//! less time than a walk through the folders would.

use std::sync::OnceLock;

/// More bits than this one's share are set: with every other bit set, most answers would be yes.
const FULL: usize = 4;

/// The bits of a text, made when they are first asked for.
#[derive(Debug, Default)]
pub(crate) struct Trigrams(OnceLock<Box<[u64]>>);

/// What is made from the text is equal when the text is.
impl PartialEq for Trigrams {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A trigram, mixed so that any bits of it will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Trigram(u32);

impl Trigrams {
    /// The bits of `text`, which must always be the same.
    pub(crate) fn of(&self, text: &str) -> Bits<'_> {
        Bits(self.0.get_or_init(|| make(text)))
    }

    /// The bytes that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.0.get().map_or(0, |bits| size_of_val(&**bits))
    }
}

/// The bits of one text.
#[derive(Clone, Copy)]
pub(crate) struct Bits<'t>(&'t [u64]);

impl Bits<'_> {
    /// Whether the text may have this trigram.
    pub(super) fn may_have(self, trigram: Trigram) -> bool {
        let at = trigram.0 as usize & (self.0.len() * 64 - 1);
        self.0[at / 64] >> (at % 64) & 1 == 1
    }
}

/// The trigrams of `bytes`, capitals taken for small letters.
pub(super) fn trigrams(bytes: &[u8]) -> impl Iterator<Item = Trigram> {
    let mut last = 0;
    let next = move |byte: &u8| {
        last = (last << 8 | u32::from(byte.to_ascii_lowercase())) & 0x00ff_ffff;
        // A multiplication moves differences up, and the shift brings them down again.
        let product = last.wrapping_mul(0x9e37_79b1);
        Trigram(product ^ product >> 15)
    };
    bytes.iter().map(next).skip(2)
}

/// The two characters outside of ASCII that are a letter of it in lower case: the sign for Kelvin and the long s.
const FOREIGN: [(char, &str); 2] = [('\u{212a}', "k"), ('\u{17f}', "s")];

/// `text` with ASCII letters for characters that differ from them in case alone, if there are such.
pub(super) fn folded(text: &str) -> Option<String> {
    if text.is_ascii() || !FOREIGN.iter().any(|(from, _)| text.contains(*from)) {
        return None;
    }
    Some(FOREIGN.iter().fold(text.to_string(), |text, (from, to)| text.replace(*from, to)))
}

fn make(text: &str) -> Box<[u64]> {
    // There are never more trigrams than bytes; the bits are folded as long as few are set.
    let mut bits = vec![0u64; (text.len() / 64).max(1).next_power_of_two()];
    let mask = bits.len() * 64 - 1;
    let mut add = |text: &str| {
        for trigram in trigrams(text.as_bytes()) {
            let at = trigram.0 as usize & mask;
            bits[at / 64] |= 1 << (at % 64);
        }
    };
    add(text);
    if let Some(text) = folded(text) {
        add(&text);
    }
    let mut set: usize = bits.iter().map(|word| word.count_ones() as usize).sum();
    while bits.len() > 1 && set * FULL * 2 <= bits.len() * 64 {
        let half = bits.split_off(bits.len() / 2);
        bits.iter_mut().zip(half).for_each(|(word, other)| *word |= other);
        set = bits.iter().map(|word| word.count_ones() as usize).sum();
    }
    bits.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_is_a_small_part_of_a_text_and_says_no() {
        let words: Vec<String> =
            (0..4000u32).map(|at| format!("{:x} ", at.wrapping_mul(2_654_435_761) % 997)).collect();
        for count in [1, 10, 100, 1000, 4000] {
            let text = words[..count].concat();
            let kept = Trigrams::default();
            let bits = kept.of(&text);
            assert!(kept.bytes() <= text.len().div_ceil(4) + 8, "{} of {}", kept.bytes(), text.len());
            let foreign: Vec<Trigram> = trigrams("GRWLKVQZUPXHYNJWMTS".as_bytes()).collect();
            let wrong = foreign.iter().filter(|trigram| bits.may_have(**trigram)).count();
            assert!(wrong * 2 <= foreign.len(), "{wrong} of {} with {count} words", foreign.len());
        }
        assert_eq!(Trigrams::default().of("").0, [0]);
    }

    proptest! {
        #[test]
        fn what_is_in_a_text_is_in_its_set(text in "[a-cA-C\u{212a}ſé\n]{0,300}", from in 0..300usize, to in 0..300usize) {
            let kept = Trigrams::default();
            let bits = kept.of(&text);
            let text = text.as_bytes();
            let part = text.get(from.min(text.len())..to.min(text.len())).unwrap_or_default();
            prop_assert!(trigrams(part).all(|trigram| bits.may_have(trigram)));
            prop_assert!(trigrams(&part.to_ascii_uppercase()).all(|trigram| bits.may_have(trigram)));
        }
    }
}
