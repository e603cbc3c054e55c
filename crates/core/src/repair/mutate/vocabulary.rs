use std::collections::{BTreeMap, BTreeSet};

use super::class::Class;
use super::related::RelatedWords;
use super::source::{Place, Source, Zone, arguments};

#[derive(Clone, Copy, Debug)]
struct Word<'t> {
    at: usize,
    text: &'t str,
    /// What it is used for, such as "second argument of Keyword.get"; empty when found in prose.
    role: Role<'t>,
}

/// What a word is used for: what is around it, which part of that, and its place there.
pub(super) type Role<'t> = (&'t str, &'t str, usize);

/// The words of a file and of the rest of the project.
#[derive(Default)]
pub(super) struct Vocabulary<'t> {
    words: BTreeMap<Class, Vec<Word<'t>>>,
    /// Of other files: by number of uses.
    foreign: BTreeMap<Class, Vec<&'t str>>,
    kin: RelatedWords<'t>,
    /// The failing tests' own words.
    evidence: &'t str,
    evidence_words: BTreeSet<&'t str>,
}

impl<'t> Vocabulary<'t> {
    pub fn new(source: &Source<'t>, donors: &[&Source<'t>], evidence: &'t str) -> Self {
        let mut vocabulary = Vocabulary {
            words: words(source),
            foreign: BTreeMap::new(),
            kin: RelatedWords::new(&std::iter::once(&source).chain(donors).copied().collect::<Vec<_>>()),
            evidence,
            evidence_words: crate::edit::tokens(evidence).into_iter().collect(),
        };
        prose(source.text, &mut vocabulary.words);
        for list in vocabulary.words.values_mut() {
            list.sort_by_key(|word| word.at);
        }
        let mut counts: BTreeMap<(Class, &'t str), usize> = BTreeMap::new();
        for donor in donors {
            for (class, list) in words(donor) {
                if class != Class::Variable {
                    list.iter().for_each(|word| *counts.entry((class, word.text)).or_default() += 1);
                }
            }
        }
        let mut ranked: Vec<_> = counts.into_iter().collect();
        ranked.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
        for ((class, text), _) in ranked {
            vocabulary.foreign.entry(class).or_default().push(text);
        }
        vocabulary
    }

    /// At most `limit` other words of a class, with how well each fits at `at` in `role`, the best first: near words,
    /// words in the same role, words of the failing tests and kin of the word that stands there fit better.
    pub fn near(&self, class: Class, at: usize, role: Role<'_>, limit: usize) -> Vec<(&'t str, f64)> {
        const SAME_ROLE: f64 = 3.0;
        const EVIDENCE: f64 = 2.0;
        const KIN: f64 = 4.0;
        /// Words that are looked at: beyond, nothing is near.
        const LOOKED_AT: usize = 1500;
        let empty = Vec::new();
        let list = self.words.get(&class).unwrap_or(&empty);
        let mut right = list.partition_point(|word| word.at < at);
        let mut left = right;
        let mut found: BTreeMap<&'t str, f64> = BTreeMap::new();
        let mut in_role = 0;
        while (left > 0 || right < list.len()) && found.len() < 8 * limit && right - left < LOOKED_AT {
            let before = left.checked_sub(1).map(|i| &list[i]);
            let after = list.get(right);
            let word = match (before, after) {
                (Some(b), Some(a)) if at - b.at <= a.at - at => b,
                (Some(b), None) => b,
                (_, Some(a)) => a,
                (None, None) => break,
            };
            if word.at < at {
                left -= 1
            } else {
                right += 1
            }
            let mut fit = 1.0 / (1.0 + found.len() as f64).sqrt();
            if word.role == role {
                fit = SAME_ROLE / (1.0 + f64::from(in_role)).sqrt();
                in_role += 1;
            } else if word.role.0.is_empty() {
                fit *= 0.5;
            }
            let known = found.entry(word.text).or_insert(0.0);
            *known = known.max(fit);
        }
        for (rank, text) in self.foreign.get(&class).into_iter().flatten().take(limit).enumerate() {
            found.entry(text).or_insert(0.4 / (2.0 + rank as f64).sqrt());
        }
        let own = list[list.partition_point(|word| word.at < at)..].first();
        let own = own.filter(|word| word.at == at).map_or("", |word| word.text);
        for (rank, text) in self.kin.of(class, own).iter().enumerate() {
            let known = found.entry(text).or_insert(0.0);
            *known = known.max(KIN / (1.0 + rank as f64).sqrt());
        }
        let mut found: Vec<_> = found
            .into_iter()
            .map(|(text, fit)| (text, if self.is_evident(text) { fit * EVIDENCE } else { fit }))
            .collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        found.truncate(limit);
        found
    }

    fn is_evident(&self, text: &str) -> bool {
        let word = text.trim_matches([':', '"', ' ']);
        self.evidence_words.contains(word) || text.starts_with('"') && self.evidence.contains(text)
    }
}

/// What a place is used for.
pub(super) fn role<'t>(source: &Source<'t>, place: &Place<'t>) -> Role<'t> {
    let Some(parent) = place.parent else { return ("", "", 0) };
    let zone = if place.zone == Zone::Pattern { 100 } else { 0 };
    match parent.kind() {
        "pair" => ("pair", parent.child_by_field_name("key").map_or("", |key| source.text(key).trim()), zone),
        "arguments" => ("call", place.grand.map_or("", |call| source.target(call)), zone + place.index),
        "binary_operator" => (source.operator(parent), place.field.unwrap_or(""), zone),
        "keywords" => match place.grand {
            Some(above) if above.kind() == "arguments" => ("option", "", zone),
            _ => ("entry", "", zone),
        },
        kind => (kind, place.field.unwrap_or(""), zone + place.index),
    }
}

/// Whether an identifier is a variable, as far as that can be told without compiling.
pub(super) fn is_variable(source: &Source<'_>, place: &Place<'_>) -> bool {
    let text = source.text(place.node);
    place.node.kind() == "identifier"
        && place.zone != Zone::Bits
        && !text.starts_with("__")
        && text != "..."
        && match (place.parent.map_or("", |parent| parent.kind()), place.field) {
            ("call", Some("target")) | ("dot", Some("right")) => false,
            ("unary_operator", _) => place.parent.is_none_or(|parent| source.operator(parent) != "@"),
            _ => true,
        }
}

fn words<'t>(source: &Source<'t>) -> BTreeMap<Class, Vec<Word<'t>>> {
    let mut words: BTreeMap<Class, Vec<Word<'t>>> = BTreeMap::new();
    for place in &source.places {
        let node = place.node;
        let mut add = |class: Class, text: &'t str| {
            let word = Word { at: node.start_byte(), text, role: role(source, place) };
            words.entry(class).or_default().push(word);
        };
        let text = source.text(node);
        let parent = place.parent.map_or("", |parent| parent.kind());
        match node.kind() {
            "atom" | "alias" if parent == "dot" => add(Class::Module, text),
            "atom" | "boolean" | "nil" => add(Class::Atom, text),
            "keyword" => add(Class::Key, text.trim_end().trim_end_matches(':')),
            "string" if text.len() <= 80 && !text.starts_with("\"\"\"") => add(Class::String, text),
            "integer" | "float" => add(Class::Number, text),
            "char" => add(Class::Char, text),
            "identifier" if place.zone == Zone::Bits => add(Class::BitType, text),
            "identifier" if is_variable(source, place) => add(Class::Variable, text),
            "identifier" if parent == "dot" && place.field == Some("right") => add(Class::Key, text),
            "unary_operator" if is_read_attribute(source, node) => add(Class::Attribute, text),
            "binary_operator" => {
                let right = node.child_by_field_name("right").map_or("", |right| source.text(right));
                match source.operator(node) {
                    _ if right.len() > 120 => {}
                    "|>" => add(Class::Step, right),
                    "when" => add(Class::Guard, right),
                    "||" => add(Class::Default, right),
                    "::" if place.zone != Zone::Bits && parent == "bitstring" => add(Class::BitType, right),
                    _ => {}
                }
            }
            _ => {}
        }
        if node.kind() == "call" && arguments(node).is_some() && !source.target(node).starts_with("def") {
            let target = source.target(node);
            let word =
                Word { at: node.start_byte(), text: target, role: ("arity", "", arity(source, place)) };
            words.entry(Class::Call).or_default().push(word);
        }
    }
    words
}

/// Whether a node is `@name`, read and not set.
pub(super) fn is_read_attribute(source: &Source<'_>, node: tree_sitter::Node<'_>) -> bool {
    source.operator(node) == "@"
        && node.child_by_field_name("operand").is_some_and(|operand| operand.kind() == "identifier")
}

/// How many arguments a call has, the piped one included.
pub(super) fn arity(source: &Source<'_>, place: &Place<'_>) -> usize {
    let given = arguments(place.node).map_or(0, |arguments| super::source::parts(arguments).len());
    let piped =
        place.field == Some("right") && place.parent.is_some_and(|above| source.operator(above) == "|>");
    given + usize::from(piped)
}

/// Atoms and keys that documentation and comments mention.
fn prose<'t>(text: &'t str, words: &mut BTreeMap<Class, Vec<Word<'t>>>) {
    let is_word = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
    for (at, _) in text.match_indices(':') {
        let after = &text[at + 1..];
        let length = after.find(|sign| !is_word(sign)).unwrap_or(after.len());
        if length > 1
            && after.starts_with(|sign: char| sign.is_ascii_lowercase())
            && !text[..at].ends_with(':')
        {
            let word = Word { at, text: &text[at..at + 1 + length], role: ("", "", 0) };
            words.entry(Class::Atom).or_default().push(word);
        }
        let before = &text[..at];
        let start = before
            .rfind(|sign| !is_word(sign))
            .map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
        if at - start > 1 && (after.starts_with(' ') || after.starts_with('`')) {
            let word = Word { at: start, text: &text[start..at], role: ("", "", 0) };
            words.entry(Class::Key).or_default().push(word);
        }
    }
}
