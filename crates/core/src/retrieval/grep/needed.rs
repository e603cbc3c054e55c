//! What trigrams a text must have to match a regular expression: Cox's "Regular Expression Matching with a Trigram Index"
//! (2012), on the syntax of the `regex` crate.
//!
//! Going through an expression from left to right, all strings that the part since the last gap can match are kept, as long
//! as they are few. At a gap, such as `.*`, one of them must have been in the text. Letters are in lower case, as in the
//! sets of the files, so that case costs nothing.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::retrieval::trigrams::{Bits, Trigram, folded, trigrams};

/// More strings, or more bytes of them, are not kept.
const MOST_STRINGS: usize = 64;
const MOST_BYTES: usize = 16 << 10;
/// A class of more characters is as good as any character.
const MOST_CHARACTERS: usize = 16;

/// A condition that every text with a match meets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needed {
    /// None: any text may match.
    Nothing,
    /// All these trigrams.
    Trigrams(Vec<Trigram>),
    /// Each of these.
    All(Vec<Needed>),
    /// One of these.
    Any(Vec<Needed>),
}

impl Needed {
    /// What a match of `hir` needs.
    pub(super) fn of(hir: &Hir) -> Needed {
        // What matches parts of characters could tell a sign for Kelvin from a k.
        if !hir.properties().is_utf8() {
            return Needed::Nothing;
        }
        part(hir).needed()
    }

    /// Whether a text with these trigrams may match.
    pub(super) fn holds(&self, bits: Bits<'_>) -> bool {
        match self {
            Needed::Nothing => true,
            Needed::Trigrams(all) => all.iter().all(|trigram| bits.may_have(*trigram)),
            Needed::All(all) => all.iter().all(|needed| needed.holds(bits)),
            Needed::Any(any) => any.iter().any(|needed| needed.holds(bits)),
        }
    }
}

/// What is known of a part of an expression.
enum Part {
    /// It matches these strings and no others.
    Strings(Vec<Vec<u8>>),
    /// It matches many strings: all begin with one of `heads` and end with one of `tails`, which may overlap, and need
    /// what is `needed` besides.
    Many { heads: Vec<Vec<u8>>, needed: Needed, tails: Vec<Vec<u8>> },
}

impl Part {
    /// Anything at all.
    fn gap() -> Part {
        Part::Many { heads: nothing(), needed: Needed::Nothing, tails: nothing() }
    }

    fn needed(self) -> Needed {
        match self {
            Part::Strings(strings) => one_of(&strings),
            Part::Many { heads, needed, tails } => all(vec![one_of(&heads), needed, one_of(&tails)]),
        }
    }
}

/// The empty string alone.
fn nothing() -> Vec<Vec<u8>> {
    vec![Vec::new()]
}

/// The parser bounds how deep an expression is nested, and with it this recursion.
fn part(hir: &Hir) -> Part {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Part::Strings(nothing()),
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => Part::Strings(vec![lowered(text)]),
            Err(_) => Part::gap(),
        },
        HirKind::Class(class) => characters(class).map_or_else(Part::gap, Part::Strings),
        HirKind::Capture(capture) => part(&capture.sub),
        HirKind::Repetition(repetition) => repeated(part(&repetition.sub), repetition.min, repetition.max),
        HirKind::Concat(parts) => {
            let mut run = Run::default();
            parts.iter().for_each(|it| run.add(part(it)));
            run.end()
        }
        HirKind::Alternation(parts) => alternation(parts.iter().map(part).collect()),
    }
}

fn repeated(sub: Part, least: u32, most: Option<u32>) -> Part {
    match sub {
        Part::Strings(mut strings) if (least, most) == (0, Some(1)) => {
            strings.push(Vec::new());
            unique(&mut strings);
            Part::Strings(strings)
        }
        Part::Strings(strings) if least > 0 => {
            let mut run = Run::default();
            // More of the same have no other trigrams.
            let written = least.min(4);
            for _ in 0..written {
                run.add(Part::Strings(strings.clone()));
            }
            match run.end() {
                Part::Strings(heads) if most != Some(written) => {
                    Part::Many { heads, needed: Needed::Nothing, tails: strings }
                }
                // Cut anyway: what is behind the cut may stand farther on.
                Part::Many { heads, needed, tails } if most != Some(written) => {
                    Part::Many { heads, needed: all(vec![needed, one_of(&tails)]), tails: strings }
                }
                all => all,
            }
        }
        Part::Many { heads, needed, tails } if least > 0 => Part::Many { heads, needed, tails },
        _ => Part::gap(),
    }
}

fn alternation(parts: Vec<Part>) -> Part {
    let mut strings = Vec::new();
    for part in &parts {
        if let Part::Strings(some) = part {
            strings.extend_from_slice(some);
        }
    }
    unique(&mut strings);
    if fits(&strings) && parts.iter().all(|part| matches!(part, Part::Strings(_))) {
        return Part::Strings(strings);
    }
    let needed = any(parts.into_iter().map(Part::needed).collect());
    Part::Many { heads: nothing(), needed, tails: nothing() }
}

/// The part of a concatenation that was gone through.
struct Run {
    /// What it begins with, if there was a gap.
    heads: Option<Vec<Vec<u8>>>,
    needed: Vec<Needed>,
    /// What may stand here since the last gap.
    open: Vec<Vec<u8>>,
}

impl Default for Run {
    fn default() -> Self {
        Run { heads: None, needed: Vec::new(), open: nothing() }
    }
}

impl Run {
    fn add(&mut self, part: Part) {
        match part {
            Part::Strings(strings) => self.cross(strings),
            Part::Many { heads, needed, tails } => {
                self.cross(heads);
                self.cut();
                self.needed.push(needed);
                self.open = tails;
            }
        }
    }

    fn cross(&mut self, strings: Vec<Vec<u8>>) {
        let mut longer = crossed(&self.open, &strings);
        if !fits(&longer) {
            self.cut();
            // Two bytes are enough for the trigrams that go across.
            for string in &mut self.open {
                string.drain(..string.len().saturating_sub(2));
            }
            unique(&mut self.open);
            longer = crossed(&self.open, &strings);
            if !fits(&longer) {
                longer = strings;
            }
        }
        self.open = longer;
    }

    fn cut(&mut self) {
        if self.heads.is_none() {
            self.heads = Some(self.open.clone());
        } else {
            self.needed.push(one_of(&self.open));
        }
    }

    fn end(self) -> Part {
        match self.heads {
            None => Part::Strings(self.open),
            Some(heads) => Part::Many { heads, needed: all(self.needed), tails: self.open },
        }
    }
}

/// Every one of `heads` followed by every one of `tails`; a first part of that, if it does not fit anyway.
fn crossed(heads: &[Vec<u8>], tails: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let pairs = heads.iter().flat_map(|head| tails.iter().map(move |tail| [&head[..], tail].concat()));
    let mut strings: Vec<_> = pairs.take(MOST_STRINGS * 2).collect();
    if heads.len() * tails.len() <= strings.len() {
        unique(&mut strings);
    }
    strings
}

fn fits(strings: &[Vec<u8>]) -> bool {
    strings.len() <= MOST_STRINGS && strings.iter().map(Vec::len).sum::<usize>() <= MOST_BYTES
}

fn unique(strings: &mut Vec<Vec<u8>>) {
    strings.sort_unstable();
    strings.dedup();
}

fn lowered(text: &str) -> Vec<u8> {
    folded(text).unwrap_or_else(|| text.to_string()).to_ascii_lowercase().into_bytes()
}

/// The characters of a class in lower case, if they are few.
fn characters(class: &Class) -> Option<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    match class {
        Class::Unicode(class) => {
            for character in
                class.iter().flat_map(|range| range.start()..=range.end()).take(MOST_CHARACTERS + 1)
            {
                strings.push(lowered(character.encode_utf8(&mut [0; 4])));
            }
        }
        Class::Bytes(class) => {
            for byte in class.iter().flat_map(|range| range.start()..=range.end()).take(MOST_CHARACTERS + 1) {
                strings.push(vec![byte.to_ascii_lowercase()]);
            }
        }
    }
    // A class without characters matches nowhere; to look everywhere is right too.
    let few = (1..=MOST_CHARACTERS).contains(&strings.len());
    unique(&mut strings);
    few.then_some(strings)
}

/// That one of `strings` is in the text.
fn one_of(strings: &[Vec<u8>]) -> Needed {
    any(strings
        .iter()
        .map(|string| {
            let mut trigrams: Vec<Trigram> = trigrams(string).collect();
            trigrams.sort_unstable();
            trigrams.dedup();
            if trigrams.is_empty() { Needed::Nothing } else { Needed::Trigrams(trigrams) }
        })
        .collect())
}

fn any(mut needed: Vec<Needed>) -> Needed {
    needed.sort_unstable();
    needed.dedup();
    match needed.len() {
        // `Nothing` is the least.
        _ if needed.first() == Some(&Needed::Nothing) => Needed::Nothing,
        1 => needed.remove(0),
        _ => Needed::Any(needed),
    }
}

fn all(mut needed: Vec<Needed>) -> Needed {
    needed.sort_unstable();
    needed.dedup();
    needed.retain(|it| *it != Needed::Nothing);
    match needed.len() {
        0 => Needed::Nothing,
        1 => needed.remove(0),
        _ => Needed::All(needed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{any, *};
    use crate::retrieval::grep::testing::pattern;
    use crate::retrieval::trigrams::Trigrams;

    fn needed(pattern: &str) -> Needed {
        Needed::of(&regex_syntax::ParserBuilder::new().utf8(false).build().parse(pattern).unwrap())
    }

    fn strings(all: &[&str]) -> Needed {
        one_of(&all.iter().map(|string| string.as_bytes().to_vec()).collect::<Vec<_>>())
    }

    #[test]
    fn strings_are_needed_as_far_as_they_are_known() {
        for (pattern, expected) in [
            ("handle_call", strings(&["handle_call"])),
            ("Handle_Call", strings(&["handle_call"])),
            ("(?i)hinKaSs", strings(&["hinkass"])),
            ("colou?r", strings(&["color", "colour"])),
            ("(foo|ba[rz])_x", strings(&["foo_x", "bar_x", "baz_x"])),
            (r"\bdef\s+total\b", all(vec![strings(&["def"]), strings(&["total"])])),
            ("abc.*xyz", all(vec![strings(&["abc"]), strings(&["xyz"])])),
            ("abc+d", all(vec![strings(&["abc"]), strings(&["cd"])])),
            ("(abc){2}", strings(&["abcabc"])),
            ("(abc){2,}d", all(vec![strings(&["abcabc"]), strings(&["abcd"])])),
            ("(abc.)+", strings(&["abc"])),
            ("foo.*|bar", any(vec![strings(&["foo"]), strings(&["bar"])])),
            ("ä[öü]", strings(&["äö", "äü"])),
            (r"[a-z]+_test", strings(&["_test"])),
            ("(abcdef)*", Needed::Nothing),
            ("ab|xyz", Needed::Nothing),
            (r"\w+", Needed::Nothing),
            ("a.c", Needed::Nothing),
            (r"(?-u)abc\xff", Needed::Nothing),
            ("", Needed::Nothing),
            ("[a&&b]abc", strings(&["abc"])),
        ] {
            assert_eq!(needed(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn many_strings_are_cut_where_trigrams_still_go_across() {
        let needed_of = needed("[ab][ab][ab][ab][ab][ab][ab]xyz");
        let holds = |text: &str| needed_of.holds(Trigrams::default().of(text));
        assert!(holds("abababaxyz"));
        assert!(!holds("abababa xyz"));
        assert_eq!(needed(&"x".repeat(100_000)), strings(&["xxx"]));
        // As many cuts as there are repetitions, and an end to it.
        assert!(matches!(needed(&format!("{}abc", "[ab]{3}".repeat(1000))), Needed::All(_)));
    }

    proptest! {
        /// Whatever matches has what is needed.
        #[test]
        fn no_match_is_lost(pattern in pattern(), text in "[abcABC\u{212a}ksſé. \n]{0,60}") {
            let hir = regex_syntax::ParserBuilder::new().utf8(false).build().parse(&pattern).unwrap();
            if regex::bytes::Regex::new(&pattern).unwrap().is_match(text.as_bytes()) {
                prop_assert!(Needed::of(&hir).holds(Trigrams::default().of(&text)), "{}", pattern);
            }
        }
    }
}
