//! Variables, keys, attributes and the types of binary parts.

use std::collections::BTreeMap;

use super::draft::{Context, Sink};
use super::place::enclosed;
use crate::repair::mutate::Kind::*;
use crate::repair::mutate::class::Class;
use crate::repair::mutate::source::{Place, Zone, attribute};
use crate::repair::mutate::vocabulary::{is_read_attribute, is_variable, role};

const NEAR: usize = 16;

/// Variables that the clause around a place binds, with how well each fits; names that resemble the place's fit better.
pub(super) fn in_scope<'t>(context: &Context<'t>, place: &Place<'_>, limit: usize) -> Vec<(&'t str, f64)> {
    let Some(clause) = place.clause.map(|clause| context.source.clauses[clause].node) else {
        return Vec::new();
    };
    let own = context.source.text(place.node);
    let at = place.node.start_byte();
    let first = context.source.places.partition_point(|other| other.node.start_byte() < clause.start_byte());
    let mut found: BTreeMap<&str, f64> = BTreeMap::new();
    for other in &context.source.places[first..] {
        if other.node.start_byte() >= clause.end_byte() {
            break;
        }
        if other.zone != Zone::Pattern || !is_variable(context.source, other) {
            continue;
        }
        let name = context.source.text(other.node);
        if name == own || name.starts_with('_') {
            continue;
        }
        let before = if other.node.start_byte() < at { 1.0 } else { 0.15 };
        let weight = before * (0.5 + likeness(own, name));
        let known = found.entry(name).or_insert(0.0);
        *known = known.max(weight);
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    found.truncate(limit);
    found
}

/// How much two names share, from 0 to 1: the Dice coefficient of their pairs of letters.
pub(super) fn likeness(a: &str, b: &str) -> f64 {
    let pairs = |text: &str| -> Vec<[u8; 2]> {
        let mut pairs: Vec<[u8; 2]> = text.as_bytes().windows(2).map(|pair| [pair[0], pair[1]]).collect();
        pairs.sort_unstable();
        pairs
    };
    let (a, b) = (pairs(a), pairs(b));
    let shared = a.iter().filter(|pair| b.binary_search(pair).is_ok()).count();
    (2.0 * shared as f64 / (a.len() + b.len()).max(1) as f64).min(1.0)
}

/// A variable: another one, off by one, pinned.
pub fn variables(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if !is_variable(source, place) {
        return;
    }
    let name = source.text(node);
    let pattern = place.zone == Zone::Pattern;
    for (other, weight) in in_scope(context, place, NEAR) {
        sink.replace(Variable, if pattern { 0.3 * weight } else { weight }, node, other);
    }
    if pattern {
        let pinned = place.parent.is_some_and(|above| source.operator(above) == "^");
        let head = place.clause.is_some_and(|clause| {
            let head = source.clauses[clause].head;
            (head.start_byte()..head.end_byte()).contains(&node.start_byte())
        });
        if !pinned && !head {
            sink.replace(Pin, 0.6, node, format!("^{name}"));
        }
        return;
    }
    let above = place.parent.map_or("", |parent| source.operator(parent));
    let weight = match above {
        "+" | "-" | "*" => 0.4,
        "|>" | "<>" | "++" | "=>" => 0.05,
        _ => 0.3,
    };
    for sign in ["+", "-"] {
        sink.replace(Boundary, weight, node, enclosed(context, place, &format!("{name} {sign} 1")));
    }
    if place.zone == Zone::Code {
        let around = context.vocabulary.near(Class::Number, node.start_byte(), role(source, place), 4);
        for (other, weight) in around {
            sink.replace(Variable, 0.1 * weight, node, other);
        }
    }
}

/// Keys of keyword lists and maps, and fields read by a dot.
pub fn keys(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let in_dot = place.field == Some("right") && place.parent.is_some_and(|above| above.kind() == "dot");
    match node.kind() {
        "keyword" => {}
        "identifier" if in_dot && !has_arguments(place) => {}
        _ => return,
    }
    let text = source.text(node);
    let key = text.trim_end().trim_end_matches(':');
    if matches!(key, "do" | "else" | "after" | "rescue" | "catch") {
        return;
    }
    let (start, end) = (node.start_byte(), node.start_byte() + key.len());
    let near = |class, share: f64| {
        let words = context.vocabulary.near(class, start, role(source, place), NEAR + 8);
        words.into_iter().map(move |(word, weight)| (word, share * weight))
    };
    let common =
        ["global", "scope", "trim", "parts", "as", "into", "keys", "only", "except", "on", "default"];
    for (other, weight) in near(Class::Key, 1.0) {
        sink.edit(Key, weight, start, end, other);
    }
    for (other, weight) in near(Class::Atom, 0.4) {
        let name = other.trim_start_matches(':');
        if name.starts_with(|sign: char| sign.is_ascii_lowercase()) && !matches!(name, "do" | "else" | "end")
        {
            sink.edit(Key, weight, start, end, name);
        }
    }
    if !in_dot {
        common.iter().for_each(|other| sink.edit(Key, 0.1, start, end, *other));
    }
}

fn has_arguments(place: &Place<'_>) -> bool {
    place.grand.is_some_and(|call| super::super::source::arguments(call).is_some())
}

/// Module attributes that are read.
pub fn attributes(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if !is_read_attribute(source, node) {
        return;
    }
    let own = attribute(source, node);
    for (other, weight) in
        context.vocabulary.near(Class::Attribute, node.start_byte(), role(source, place), NEAR)
    {
        let like = 0.5 + likeness(own, other.trim_start_matches('@'));
        sink.replace(Attribute, weight * like, node, other);
    }
}

/// Types of the parts of a binary: `utf8`, `binary`, `16`.
pub fn bit_types(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    const COMMON: [&str; 12] = [
        "binary",
        "utf8",
        "bytes",
        "bits",
        "bitstring",
        "integer",
        "8",
        "16",
        "32",
        "little",
        "big",
        "signed",
    ];
    let (source, node) = (context.source, place.node);
    if place.zone != Zone::Bits
        || node.kind() != "identifier"
        || place.parent.is_some_and(|p| p.kind() == "arguments")
    {
        return;
    }
    for (other, weight) in
        context.vocabulary.near(Class::BitType, node.start_byte(), role(source, place), NEAR)
    {
        sink.replace(BitType, weight, node, other);
    }
    COMMON.iter().for_each(|other| sink.replace(BitType, 0.2, node, *other));
}
