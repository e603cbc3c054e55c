//! Donor code: what stands at similar places, with its variables renamed to those of the place.

use std::collections::{BTreeMap, BTreeSet};

use super::Kind;
use super::source::{Place, Source, Zone};
use super::templates::{Context, Draft, Sink};
use super::vocabulary::{Role, is_variable, role};
use crate::edit::tokens;
use crate::{Cancel, Result};

/// Expressions of that many tokens are exchanged: smaller ones are words, larger ones are functions.
const TOKENS: std::ops::RangeInclusive<usize> = 2..=60;
/// Donors that are tried for a place.
const DONORS: usize = 6;
/// Donors that are compared with a place.
const COMPARED: usize = 400;

struct Donor<'t> {
    text: &'t str,
    role: Role<'t>,
    kind: &'static str,
    zone: Zone,
    grams: BTreeSet<u64>,
    variables: Vec<&'t str>,
    own_file: bool,
    start: usize,
}

pub(super) fn drafts<'t>(
    context: &Context<'t>,
    donors: &[&Source<'t>],
    scores: &BTreeMap<u32, f64>,
    cancel: &Cancel,
) -> Result<Vec<(f64, Draft)>> {
    let mut pool = Vec::new();
    for (source, own_file) in
        std::iter::once((context.source, true)).chain(donors.iter().map(|d| (*d, false)))
    {
        cancel.check()?;
        pool.extend(expressions(source).map(|place| donor(source, place, own_file)));
    }
    let mut by_shape: BTreeMap<(&str, u8), Vec<usize>> = BTreeMap::new();
    for (number, donor) in pool.iter().enumerate() {
        by_shape.entry(shape(donor.kind, donor.zone)).or_default().push(number);
    }
    let mut drafts = Vec::new();
    for place in expressions(context.source) {
        let line = place.node.start_position().row as u32 + 1;
        let Some(score) = scores.get(&line).filter(|score| **score > 0.0) else { continue };
        cancel.check()?;
        let own = donor(context.source, place, true);
        let Some(numbers) = by_shape.get(&shape(own.kind, own.zone)) else { continue };
        let mut alike: Vec<(f64, &Donor<'_>)> = numbers
            .iter()
            .map(|number| &pool[*number])
            .filter(|other| {
                other.text != own.text && (other.role == own.role || similarity(&own, other) > 0.3)
            })
            .take(COMPARED)
            .map(|other| (similarity(&own, other) + if other.role == own.role { 0.3 } else { 0.0 }, other))
            .collect();
        alike.sort_by(|(a, x), (b, y)| {
            b.total_cmp(a)
                .then(y.own_file.cmp(&x.own_file))
                .then(x.start.abs_diff(own.start).cmp(&y.start.abs_diff(own.start)))
                .then(x.text.cmp(y.text))
        });
        alike.dedup_by(|a, b| a.1.text == b.1.text);
        let bound: Vec<&str> = own.variables.clone();
        let mut sink = Sink { drafts: Vec::new(), place: *place };
        for (weight, other) in alike.into_iter().take(DONORS) {
            sink.replace(Kind::Donor, weight, place.node, other.text);
            if let Some(renamed) = renamed(other, &bound) {
                sink.replace(Kind::Donor, weight, place.node, renamed);
            }
        }
        drafts.extend(sink.drafts.into_iter().map(|draft| (*score, draft)));
    }
    Ok(drafts)
}

fn shape(kind: &'static str, zone: Zone) -> (&'static str, u8) {
    (kind, zone as u8)
}

fn expressions<'s, 't>(source: &'s Source<'t>) -> impl Iterator<Item = &'s Place<'t>> {
    source
        .places
        .iter()
        .filter(|place| {
            let parent = place.parent.map_or("", |parent| parent.kind());
            let value = match place.node.kind() {
                "call" => !source.target(place.node).starts_with("def") && place.field != Some("target"),
                "binary_operator" => !matches!(source.operator(place.node), "->" | "when" | "\\\\"),
                "tuple" | "list" | "map" | "bitstring" | "access_call" | "unary_operator" | "pair"
                | "stab_clause" => true,
                _ => false,
            };
            let small = place.node.end_byte() - place.node.start_byte() <= 400;
            // The head of a clause is its name, and no other's.
            let head =
                place.clause.is_some_and(|clause| source.clauses[clause].called.id() == place.node.id());
            value && !head && small && place.clause.is_some() && parent != "dot" && place.zone != Zone::Bits
        })
        .filter(|place| TOKENS.contains(&tokens(source.text(place.node)).len()))
}

fn donor<'t>(source: &Source<'t>, place: &Place<'t>, own_file: bool) -> Donor<'t> {
    let text = source.text(place.node);
    let words = tokens(text);
    let from = source.places.partition_point(|other| other.node.start_byte() < place.node.start_byte());
    let inside =
        source.places[from..].iter().take_while(|other| other.node.start_byte() < place.node.end_byte());
    let mut variables: Vec<&str> = Vec::new();
    for other in inside.filter(|other| is_variable(source, other)) {
        let name = source.text(other.node);
        if !variables.contains(&name) {
            variables.push(name);
        }
    }
    Donor {
        text,
        role: role(source, place),
        kind: place.node.kind(),
        zone: place.zone,
        grams: grams(&words),
        variables,
        own_file,
        start: place.node.start_byte(),
    }
}

/// Tokens and pairs of tokens, hashed.
fn grams(words: &[&str]) -> BTreeSet<u64> {
    let hash = |parts: &[&str]| {
        parts.iter().flat_map(|part| part.bytes().chain([0])).fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
    };
    words.windows(1).chain(words.windows(2)).map(hash).collect()
}

/// Jaccard's coefficient of the two sets of tokens and pairs of tokens.
fn similarity(a: &Donor<'_>, b: &Donor<'_>) -> f64 {
    let shared = a.grams.intersection(&b.grams).count();
    shared as f64 / (a.grams.len() + b.grams.len() - shared).max(1) as f64
}

/// The donor's text with the variables that the place does not know renamed, in order, to those that it does.
fn renamed(donor: &Donor<'_>, bound: &[&str]) -> Option<String> {
    let foreign: Vec<&str> = donor.variables.iter().filter(|name| !bound.contains(name)).copied().collect();
    let mut free = bound.iter().filter(|name| !donor.variables.contains(name));
    let names: BTreeMap<&str, &str> =
        foreign.iter().map(|name| free.next().map(|new| (*name, *new))).collect::<Option<_>>()?;
    if names.is_empty() {
        return None;
    }
    let mut text = String::with_capacity(donor.text.len());
    let mut copied = 0;
    for word in tokens(donor.text) {
        let at = word.as_ptr() as usize - donor.text.as_ptr() as usize;
        text.push_str(&donor.text[copied..at]);
        text.push_str(names.get(word).copied().unwrap_or(word));
        copied = at + word.len();
    }
    text.push_str(&donor.text[copied..]);
    Some(text)
}
