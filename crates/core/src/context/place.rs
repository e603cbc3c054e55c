//! A place and how it unfolds: its signature, then what its documentation says about the question, then its code.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::near::Near;
use super::page::Page;
use super::rank::{Ranked, outermost};
use super::words::QuestionWords;
use crate::source::{Language, Span};
use crate::syntax::{Definition, DefinitionKind};

/// The head of a definition is at most so many lines.
const LONGEST_HEAD: usize = 6;
/// Of a chunk with many definitions, the heads of so many.
const MOST_HEADS: usize = 12;
/// Of what is said of a place, so many sentences are shown, each of so many lines at most.
const SENTENCES: usize = 2;
const LONGEST_SENTENCE: usize = 4;

/// A place that belongs to the answer. Lines count from 0.
pub(super) struct FoundPlace {
    /// Which page it is on.
    pub(super) page: usize,
    pub(super) symbol: Arc<str>,
    /// Where it is; of a function from its first clause to its last.
    pub(super) span: Span,
    pub(super) is_function: bool,
    /// The lines that say what it is.
    pub(super) signature: Vec<usize>,
    /// The sentences of its documentation that have most of the question's words, and its spec.
    pub(super) summary: Vec<usize>,
    /// Its code, clause by clause; of a text all of it.
    pub(super) parts: Vec<Vec<usize>>,
    pub(super) level: DetailLevel,
    /// What the code needs of its module, once it was looked for.
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
    /// Some of its clauses, or a part that fits.
    Window,
    Code,
}

impl FoundPlace {
    pub(super) fn of(page: usize, on: &Page, ranked: &Ranked, words: &QuestionWords) -> Self {
        match ranked.definition {
            Some(definition) => Self::of_function(page, on, ranked, definition, words),
            None => Self::of_chunk(page, on, ranked, words),
        }
    }

    fn of_function(
        page: usize,
        on: &Page,
        ranked: &Ranked,
        definition: &Definition,
        words: &QuestionWords,
    ) -> Self {
        let clauses = outermost(definition);
        let parts: Vec<Vec<usize>> = clauses.iter().map(|clause| lines(on, *clause).collect()).collect();
        let first = parts.first().and_then(|part| part.first()).copied().unwrap_or_default();
        // What stands above a function is about it.
        let above = (definition.span.line_start as usize).saturating_sub(1)..first;
        let signature = on.statement(first, LONGEST_HEAD);
        let summary = summary(on, above.clone(), words);
        let spec = spec(on, above);
        let (from, to) =
            (clauses.first().unwrap_or(&definition.span), clauses.last().unwrap_or(&definition.span));
        let span = Span { end: to.end.max(from.end), line_end: to.line_end.max(from.line_end), ..*from };
        FoundPlace { summary: [summary, spec].concat(), ..Self::new(page, ranked, span, signature, parts) }
    }

    fn of_chunk(page: usize, on: &Page, ranked: &Ranked, words: &QuestionWords) -> Self {
        let chunk = &ranked.entry.chunks()[ranked.chunk];
        let all = lines(on, chunk.span);
        let said = documentation(on, all.clone());
        let mut signature = heads(on, ranked);
        if signature.is_empty() {
            signature.push(all.start);
        }
        let is_code = matches!(on.language(), Language::Elixir | Language::Erlang);
        let code: Vec<usize> = all.clone().filter(|line| !is_code || !said.contains(line)).collect();
        let below = if is_code { all.clone() } else { all.start + 1..all.end };
        let summary = summary(on, below, words);
        FoundPlace { summary, ..Self::new(page, ranked, chunk.span, signature, vec![code]) }
    }

    fn new(page: usize, ranked: &Ranked, span: Span, signature: Vec<usize>, parts: Vec<Vec<usize>>) -> Self {
        FoundPlace {
            page,
            symbol: ranked.symbol.clone(),
            span,
            is_function: ranked.definition.is_some(),
            signature,
            summary: Vec::new(),
            parts,
            level: DetailLevel::Nothing,
            needs: None,
            near: None,
        }
    }

    /// All of its code.
    pub(super) fn code(&self) -> Vec<usize> {
        self.parts.concat()
    }

    /// What it is called.
    pub(super) fn name(&self) -> Option<Arc<str>> {
        (!self.symbol.is_empty()).then(|| self.symbol.clone())
    }
}

fn lines(on: &Page, span: Span) -> Range<usize> {
    (span.line_start as usize).saturating_sub(1)..(span.line_end as usize).min(on.count())
}

/// The heads of what a chunk defines; of what it is a part of, if it defines nothing.
fn heads(on: &Page, ranked: &Ranked) -> Vec<usize> {
    use DefinitionKind::{Callback, Describe, Implementation, Module, Protocol, Test};
    let span = ranked.entry.chunks()[ranked.chunk].span;
    let is_shown = |definition: &&Definition| {
        matches!(definition.kind, Callback | Test | Module | Protocol | Implementation | Describe)
    };
    let begun: Vec<&Definition> = ranked.entry.definitions_in(ranked.chunk).filter(is_shown).collect();
    let asked = begun.iter().filter(|definition| *definition.qualified() == *ranked.symbol);
    let mut heads: Vec<usize> = asked.map(|definition| head(definition, span)).take(1).collect();
    if heads.is_empty() {
        heads = begun.iter().map(|definition| head(definition, span)).collect();
    }
    if heads.is_empty() {
        heads.extend(ranked.entry.definition_around(ranked.chunk).map(|definition| head(definition, span)));
    }
    heads.sort_unstable();
    heads.dedup();
    heads.truncate(MOST_HEADS);
    heads.into_iter().flat_map(|head| on.statement(head, LONGEST_HEAD)).collect()
}

/// The first line of a definition's first clause in `span`; of its first one, if there is none.
fn head(definition: &Definition, span: Span) -> usize {
    let clauses = &definition.clauses;
    let inside = clauses.iter().find(|it| (span.line_start..=span.line_end).contains(&it.line_start));
    inside.or(clauses.first()).unwrap_or(&definition.span).line_start as usize - 1
}

/// Of what documentation in `lines` says, the sentences that have most of the question's words, in order; the first one, if
/// none has any.
fn summary(page: &Page, lines: Range<usize>, words: &QuestionWords) -> Vec<usize> {
    let said = match page.language() {
        Language::Elixir | Language::Erlang => documentation(page, lines),
        _ => lines.collect(),
    };
    let sentences = sentences(page, &said);
    let value = |sentence: &Vec<usize>| {
        let text: Vec<&str> = sentence.iter().map(|line| page.line(*line)).collect();
        let counts = words.count(&text.join("\n"));
        words.share(|at| counts.each[at] > 0)
    };
    let mut best: Vec<(f32, usize)> = sentences.iter().map(value).zip(0..).collect();
    // Of equals the first ones.
    best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let says = best.iter().filter(|(value, _)| *value > 0.0).count();
    best.truncate(says.clamp(1, SENTENCES));
    let mut chosen: Vec<usize> = best.into_iter().flat_map(|(_, at)| sentences[at].clone()).collect();
    chosen.sort_unstable();
    chosen
}

/// The lines of each sentence: it ends with its mark at the end of a line, or before a blank line. Examples are none.
fn sentences(page: &Page, said: &BTreeSet<usize>) -> Vec<Vec<usize>> {
    let mut sentences: Vec<Vec<usize>> = Vec::new();
    let mut open = false;
    for line in said {
        let text = page.line(*line).trim();
        let bare = text.trim_start_matches(['@', '#', '%']).trim();
        let is_prose = bare.chars().filter(|c| c.is_alphabetic()).count() > 3
            && !bare.starts_with("iex>")
            && !bare.starts_with("...>")
            && !text.starts_with("@spec");
        if !is_prose {
            open = false;
            continue;
        }
        match sentences.last_mut().filter(|last| open && last.len() < LONGEST_SENTENCE) {
            Some(last) => last.push(*line),
            None => sentences.push(vec![*line]),
        }
        open = !text.trim_end_matches('"').ends_with(['.', '!', '?', ':']);
    }
    sentences
}

/// The lines of a spec.
fn spec(page: &Page, lines: Range<usize>) -> Vec<usize> {
    let begins = |line: &usize| {
        let text = page.line(*line).trim_start();
        text.starts_with("@spec") || text.starts_with("-spec")
    };
    lines.clone().find(begins).map_or_else(Vec::new, |line| {
        page.statement(line, LONGEST_HEAD).into_iter().filter(|line| lines.contains(line)).collect()
    })
}

/// The lines in `lines` that are documentation: attributes such as `@doc`, with the texts that they hold, and comments.
fn documentation(page: &Page, lines: Range<usize>) -> BTreeSet<usize> {
    let mut said = BTreeSet::new();
    // What ends the text that is open.
    let mut open: Option<&str> = None;
    for line in lines {
        let text = page.line(line).trim();
        if let Some(end) = open {
            said.insert(line);
            if text.starts_with(end) || (end == "\"" && text.ends_with(end)) {
                open = None;
            }
            continue;
        }
        let attribute = ["@moduledoc", "@doc", "@typedoc", "@shortdoc", "-moduledoc", "-doc"]
            .iter()
            .find_map(|name| text.strip_prefix(name))
            .filter(|rest| rest.starts_with([' ', '(']));
        if let Some(value) = attribute {
            said.insert(line);
            open = ["\"\"\"", "'''"].into_iter().find(|marks| value.trim_end().ends_with(marks));
            let marks = value.matches('"').count();
            if open.is_none() && marks == 1 {
                open = Some("\"");
            }
        } else if text.starts_with('#') || text.starts_with("%%") {
            said.insert(line);
        }
    }
    said
}
