use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::class::Class;
use super::source::{Place, Source};

/// Which words of the project are of a kind: states of one thing, keys of one map, values of one argument. A word that is
/// wrong has most often taken the place of its kin.
#[derive(Default)]
pub(super) struct RelatedWords<'t> {
    kin: BTreeMap<(Class, &'t str), Vec<&'t str>>,
}

/// More words than this in one place are a dictionary, and no kin.
const MOST: usize = 24;

impl<'t> RelatedWords<'t> {
    pub fn new(sources: &[&Source<'t>]) -> Self {
        let mut groups: BTreeMap<(Class, Group<'t>), BTreeSet<&'t str>> = BTreeMap::new();
        for (number, source) in sources.iter().enumerate() {
            for place in &source.places {
                if let Some((class, word)) = word(source, place)
                    && let Some(group) = group(source, number, place)
                {
                    groups.entry((class, group)).or_default().insert(word);
                }
            }
        }
        let mut shared: BTreeMap<(Class, &'t str), BTreeMap<&'t str, usize>> = BTreeMap::new();
        for ((class, _), words) in groups.iter().filter(|(_, words)| (2..=MOST).contains(&words.len())) {
            for word in words {
                let others = shared.entry((*class, word)).or_default();
                words
                    .iter()
                    .filter(|other| *other != word)
                    .for_each(|other| *others.entry(other).or_default() += 1);
            }
        }
        let by_groups = |others: BTreeMap<&'t str, usize>| {
            let mut others: Vec<_> = others.into_iter().collect();
            others.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
            others.into_iter().map(|(other, _)| other).collect()
        };
        RelatedWords { kin: shared.into_iter().map(|(word, others)| (word, by_groups(others))).collect() }
    }

    /// The kin of a word, those first that it shares the most places with.
    pub fn of(&self, class: Class, word: &'t str) -> &[&'t str] {
        self.kin.get(&(class, word)).map_or(&[], Vec::as_slice)
    }
}

/// What makes words kin: a file and a node in it, or what is the same wherever it stands.
type Group<'t> = (&'static str, &'t str, usize, usize);

fn word<'t>(source: &Source<'t>, place: &Place<'t>) -> Option<(Class, &'t str)> {
    let text = source.text(place.node);
    let parent = place.parent.map_or("", |parent| parent.kind());
    match place.node.kind() {
        "atom" if parent != "dot" => Some((Class::Atom, text)),
        "keyword" => Some((Class::Key, text.trim_end().trim_end_matches(':'))),
        "string" if text.len() <= 40 => Some((Class::String, text)),
        "identifier" if parent == "dot" && place.field == Some("right") => Some((Class::Key, text)),
        _ => None,
    }
}

fn group<'t>(source: &Source<'t>, number: usize, place: &Place<'t>) -> Option<Group<'t>> {
    let parent = place.parent?;
    let here = |what: &'static str, node: Node<'t>| Some((what, "", number, node.start_byte()));
    match parent.kind() {
        "list" | "sigil" => here("list", parent),
        // The keys of one literal stand in pairs.
        "pair" if place.node.kind() == "keyword" => here("keys", place.grand?),
        "pair" => Some(("value", source.text(parent.child_by_field_name("key")?).trim(), 0, 0)),
        "arguments" => {
            let target = source.target(place.grand?);
            let name = target.rsplit('.').next().unwrap_or(target);
            Some(("argument", name, 0, place.index))
        }
        "dot" => Some(("field", source.text(parent.child_by_field_name("left")?), 0, 0)),
        "binary_operator" => {
            let other = if place.field == Some("left") { "right" } else { "left" };
            Some(("compared", source.text(parent.child_by_field_name(other)?), 0, 0))
        }
        _ => None,
    }
}
