//! Keys of names, and how two of them are alike: by abbreviation or by edit distance.

use crate::syntax::{Definition, DefinitionKind};

/// Positions in a key up to this one can take part in an abbreviation.
const POSITIONS: usize = 64;

/// What a definition is looked up by, as it is written: the last part of a module's name, without the colon of an Erlang
/// module; the name of a file without its folder; of all else the name.
pub(crate) fn key(definition: &Definition) -> &str {
    use DefinitionKind::{File, Implementation, Module, Protocol, Template};
    match definition.kind {
        Module | Protocol | Implementation => last(&definition.module, '.').trim_start_matches(':'),
        Template | File => last(&definition.name, '/'),
        _ => &definition.name,
    }
}

fn last(name: &str, separator: char) -> &str {
    name.rsplit(separator).next().unwrap_or(name)
}

/// Appends `name` in lower case.
pub(super) fn lower(name: &str, to: &mut String) {
    let start = to.len();
    if name.is_ascii() {
        to.push_str(name);
        to[start..].make_ascii_lowercase();
    } else {
        to.extend(name.chars().flat_map(char::to_lowercase));
    }
}

pub(crate) fn lowered(name: &str) -> String {
    let mut lowered = String::with_capacity(name.len());
    lower(name, &mut lowered);
    lowered
}

/// The first eight bytes, so that numbers sort as the keys do up to there.
pub(crate) fn head(key: &str) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(8);
    bytes[..length].copy_from_slice(&key.as_bytes()[..length]);
    u64::from_be_bytes(bytes)
}

/// A bit for each class of characters that occurs: a letter is one by itself, all digits are one, all else is four.
/// An edit takes away or adds at most one class.
pub(super) fn letters(key: &str) -> u32 {
    key.chars().fold(0, |set, character| {
        set | 1
            << match character {
                'a'..='z' => character as u32 - 'a' as u32,
                '0'..='9' => 26,
                '_' => 27,
                ' '..='~' => 28,
                _ => 29,
            }
    })
}

/// A bit for each position at which a part of `name` begins: the first, what follows on `_` or another sign, a capital.
/// Only of names in ASCII, whose positions stay where they are in lower case.
pub(crate) fn humps(name: &str) -> u64 {
    if !name.is_ascii() {
        return 1;
    }
    let bytes = name.as_bytes();
    let begins = |at: usize| {
        let byte = bytes[at];
        let before = if at == 0 { b'_' } else { bytes[at - 1] };
        byte.is_ascii_alphanumeric()
            && (!before.is_ascii_alphanumeric()
                || byte.is_ascii_uppercase()
                    && (!before.is_ascii_uppercase()
                        || bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase)))
    };
    (0..bytes.len().min(POSITIONS)).filter(|at| begins(*at)).fold(0, |set, at| set | 1 << at)
}

/// Whether `short` is made of beginnings of parts of `key`, in order and from its first part on: `rohu` of
/// `round_half_up`, whose parts begin at `humps`. Both are in lower case.
///
/// The set of positions at which the last character may stand is a number, and is moved on by one character at a time.
pub(crate) fn abbreviates(short: &str, key: &str, humps: u64) -> bool {
    let mut wanted = short.bytes().filter(|byte| *byte != b'_');
    let places = |byte: u8| {
        let equal = key.bytes().take(POSITIONS).enumerate().filter(|(_, other)| *other == byte);
        equal.fold(0u64, |set, (at, _)| set | 1 << at)
    };
    let Some(first) = wanted.next() else { return false };
    // What begins with `_` is abbreviated by what follows.
    let mut ends = places(first) & humps & humps.wrapping_neg();
    for byte in wanted {
        if ends == 0 {
            return false;
        }
        let behind = !(((ends & ends.wrapping_neg()) << 1).wrapping_sub(1));
        ends = places(byte) & ((ends << 1) | (humps & behind));
    }
    ends != 0
}

/// How many edits of a name of so many characters are taken for typos.
pub(crate) fn typos(characters: usize) -> usize {
    match characters {
        0..=2 => 0,
        3..=6 => 1,
        _ => 2,
    }
}

/// The edit distance of `a` and `b`, if it is at most `most`: insertions, deletions, substitutions, and transpositions of
/// two neighbours ("optimal string alignment", the restricted form of Damerau, 1964).
pub(crate) fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    // What both begin and end with costs nothing.
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[same..], &b[same..]);
    let same = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[..a.len() - same], &b[..b.len() - same]);

    let width = b.len() + 1;
    let mut two_before = vec![0; width];
    let mut before: Vec<usize> = (0..width).collect();
    let mut now = vec![0; width];
    for i in 1..=a.len() {
        now.fill(most + 1);
        now[0] = i;
        // Farther from the diagonal every cell is more than `most`.
        for j in i.saturating_sub(most).max(1)..=(i + most).min(b.len()) {
            let substituted = before[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            now[j] = substituted.min(before[j] + 1).min(now[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                now[j] = now[j].min(two_before[j - 2] + 1);
            }
        }
        if now.iter().all(|cell| *cell > most) {
            return None;
        }
        std::mem::swap(&mut two_before, &mut before);
        std::mem::swap(&mut before, &mut now);
    }
    Some(before[b.len()]).filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn abbreviations_are_beginnings_of_parts() {
        let check = |short: &str, name: &str| abbreviates(&lowered(short), &lowered(name), humps(name));
        for (short, name) in [
            ("rhu", "round_half_up"),
            ("rohaup", "round_half_up"),
            ("roup", "round_half_up"),
            ("round", "round_half_up"),
            ("GS", "GenServer"),
            ("gensrv", "GenSrv"),
            ("HS", "HTTPServer"),
            ("h_c", "handle_call"),
            ("dp", "__do_parse__"),
            ("aab", "aa_ab"),
        ] {
            assert!(check(short, name), "{short} {name}");
        }
        for (short, name) in [
            ("hu", "round_half_up"),
            ("rnd", "round_half_up"),
            ("ruh", "round_half_up"),
            ("rhuu", "round_half_up"),
            ("", "round"),
        ] {
            assert!(!check(short, name), "{short} {name}");
        }
    }

    #[test]
    fn a_long_name_is_abbreviated_by_what_it_begins_with() {
        let long = "a_".repeat(200);
        assert!(abbreviates(&"a".repeat(32), &long, humps(&long)));
        assert!(!abbreviates(&"a".repeat(33), &long, humps(&long)));
    }

    /// The same by the whole table.
    fn naive(a: &[char], b: &[char]) -> usize {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 0..=a.len() {
            for j in 0..=b.len() {
                table[i][j] = if i == 0 || j == 0 {
                    i + j
                } else {
                    let mut least = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    least = least.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        least = least.min(table[i - 2][j - 2] + 1);
                    }
                    least
                };
            }
        }
        table[a.len()][b.len()]
    }

    proptest! {
        #[test]
        fn the_distance_is_that_of_the_whole_table(a in "[abcé]{0,9}", b in "[abcé]{0,9}", most in 0..4usize) {
            let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            let expected = Some(naive(&x, &y)).filter(|distance| *distance <= most);
            prop_assert_eq!(distance(&x, &y, most), expected);
            if let Some(distance) = expected {
                let (a, b) = (letters(&a), letters(&b));
                prop_assert!((a & !b).count_ones() as usize <= distance);
                prop_assert!((b & !a).count_ones() as usize <= distance);
            }
        }

        #[test]
        fn heads_sort_as_keys(a in "[a-c_é]{0,12}", b in "[a-c_é]{0,12}") {
            prop_assert!(head(&a).cmp(&head(&b)).then(a.cmp(&b)) == a.cmp(&b));
        }
    }
}
