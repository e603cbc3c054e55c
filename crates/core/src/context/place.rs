//! A place and how it unfolds: its signature, then what its documentation says first, then all of it.

use std::sync::Arc;

use super::near::Near;
use super::page::Page;
use crate::retrieval::{Entry, Hit};
use crate::source::Span;
use crate::syntax::{Chunk, Definition, DefinitionKind};

/// The head of a definition is at most so many lines.
const LONGEST_HEAD: usize = 6;
/// Of a chunk with many definitions, the heads of so many.
const MOST_HEADS: usize = 12;
/// What documentation says first is at most so many lines.
const LONGEST_SUMMARY: usize = 12;

/// A found place. Lines count from 0.
pub(super) struct FoundPlace<'a> {
    /// Which page it is on.
    pub(super) page: usize,
    pub(super) hit: &'a Hit,
    pub(super) chunk: &'a Chunk,
    /// The lines that say what it is.
    pub(super) signature: Vec<usize>,
    /// The first paragraph of what is said of it, and its spec.
    pub(super) summary: Vec<usize>,
    /// All lines.
    pub(super) body: Vec<usize>,
    pub(super) level: DetailLevel,
    /// What the body needs of its module, once it was looked for.
    pub(super) needs: Option<Vec<usize>>,
    /// Whom it calls and who calls it, once that was looked for.
    pub(super) near: Option<Vec<Near>>,
}

/// How much of a place is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DetailLevel {
    Nothing,
    Signature,
    Summary,
    /// A part that fits.
    Window,
    Body,
}

impl<'a> FoundPlace<'a> {
    pub(super) fn of(page: usize, on: &Page<'a>, at: usize, hit: &'a Hit) -> Self {
        let entry: &'a Entry = on.entry;
        let chunk = &entry.facts.chunks[at];
        let (first, last) = (chunk.span.line_start as usize - 1, chunk.span.line_end as usize - 1);
        let heads = heads(entry, at, hit);
        let mut signature: Vec<usize> =
            heads.iter().flat_map(|head| on.statement(*head, LONGEST_HEAD)).collect();
        if signature.is_empty() {
            signature.push(first);
        }
        // What stands above a function is about it; what stands below the head of a module or of a text is.
        let above = heads.first().copied().filter(|head| *head > first).map(|head| (first, head - 1));
        let below = is_introduced(chunk.kind).then_some((first, last));
        let summary = match above.or(below).filter(|_| heads.len() < 2) {
            Some((from, to)) => summary(on, from, to, &signature),
            None => Vec::new(),
        };
        FoundPlace {
            page,
            hit,
            chunk,
            signature,
            summary,
            body: (first..=last).collect(),
            level: DetailLevel::Nothing,
            needs: None,
            near: None,
        }
    }
}

/// Whether what is said of it stands below its first line.
fn is_introduced(kind: Option<DefinitionKind>) -> bool {
    use DefinitionKind::{Describe, Implementation, Module, Protocol};
    matches!(kind, None | Some(Module | Protocol | Implementation | Describe))
}

/// The lines on which what a chunk defines begins; what was asked for alone, if it is among it.
fn heads(entry: &Entry, at: usize, hit: &Hit) -> Vec<usize> {
    use DefinitionKind::{
        Callback, Delegate, Describe, Function, Guard, Implementation, Macro, Module, Protocol, Test,
    };
    let span = entry.facts.chunks[at].span;
    let is_shown = |definition: &&Definition| {
        matches!(
            definition.kind,
            Function
                | Macro
                | Guard
                | Delegate
                | Callback
                | Test
                | Module
                | Protocol
                | Implementation
                | Describe
        )
    };
    let line = |definition: &Definition| head(definition, span) as usize - 1;
    let begun: Vec<&Definition> = entry.definitions_in(at).filter(is_shown).collect();
    let asked = begun
        .iter()
        .filter(|definition| Some(definition.kind) == hit.kind && *definition.qualified() == *hit.symbol);
    let mut heads: Vec<usize> = asked.map(|definition| line(definition)).take(1).collect();
    if heads.is_empty() {
        heads = begun.iter().map(|definition| line(definition)).collect();
    }
    if heads.is_empty() {
        heads.extend(entry.definition_around(at).map(line));
    }
    heads.sort_unstable();
    heads.dedup();
    heads.truncate(MOST_HEADS);
    heads
}

/// The first line of a definition's first clause in `span`; of its first one, if there is none.
fn head(definition: &Definition, span: Span) -> u32 {
    let clauses = &definition.clauses;
    let inside = clauses.iter().find(|it| (span.line_start..=span.line_end).contains(&it.line_start));
    inside.or(clauses.first()).unwrap_or(&definition.span).line_start
}

/// The first paragraph in `from..=to` that is not the signature, and a spec.
fn summary(page: &Page, from: usize, to: usize, signature: &[usize]) -> Vec<usize> {
    let mut lines: Vec<usize> = Vec::new();
    let mut ended = false;
    for line in (from..=to).filter(|line| !signature.contains(line)) {
        let is_spec = page.line(line).trim_start().starts_with("@spec");
        ended |= !lines.is_empty() && (page.is_blank(line) || lines.len() == LONGEST_SUMMARY);
        if is_spec || (!ended && !page.is_blank(line)) {
            lines.push(line);
        }
    }
    lines
}

/// What a place is called.
pub(super) fn named(place: &FoundPlace) -> Option<Arc<str>> {
    (!place.hit.symbol.is_empty()).then(|| place.hit.symbol.clone())
}
