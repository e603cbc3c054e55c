//! Packing: the best places first, whole if they fit, cut down to their head if not, and neighbours in one piece.

use std::sync::Arc;

use crate::retrieval::{Answer, Entry, Hit, Index};
use crate::source::{Language, Span};
use crate::syntax::Definition;

/// What goes into a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Best first.
    pub sections: Vec<Section>,
    /// All sections as Markdown; empty without sections.
    pub text: String,
    /// The tokens of `text`, as the caller counts them: never more than the budget.
    pub tokens: usize,
    /// How many of the places are not in it.
    pub omitted: usize,
    /// Why there is nothing or not everything in it, if that is so: a sentence for a person.
    pub note: Option<&'static str>,
}

/// A stretch of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// `lib/shop/cart.ex:3-17 Shop.Cart.add/2`.
    pub title: String,
    /// Relative to the root.
    pub file: Arc<str>,
    /// What `text` is of.
    pub span: Span,
    /// The source text. If [`Section::trimmed`], its end is missing.
    pub text: String,
    /// Whether the section is cut down to fit.
    pub trimmed: bool,
    /// The tokens of the section with its title, counted by itself.
    pub tokens: usize,
}

/// The places of `answer` as sections of Markdown with at most `budget` tokens, as `count` counts those of a text.
///
/// A place that does not fit as a whole is cut after what fits, but not before its head: the documentation and the first
/// line of the definition, or this line alone. Places that touch each other become one section, at the better one's rank.
/// A budget that is too small for anything gives no sections, and a note.
pub fn pack(index: &Index, answer: &Answer, budget: usize, count: &dyn Fn(&str) -> usize) -> Context {
    let mut packing = Packing { pieces: Vec::new(), tokens: 0, budget, count };
    let fits = answer.results.iter().filter(|hit| packing.add(index, hit)).count();
    packing.finish(answer.results.len() - fits)
}

struct Packing<'a> {
    pieces: Vec<Piece<'a>>,
    /// Of all pieces, each counted by itself.
    tokens: usize,
    budget: usize,
    count: &'a dyn Fn(&str) -> usize,
}

/// Chunks `first..=last` of a file, or the beginning of one chunk.
#[derive(Clone)]
struct Piece<'a> {
    entry: &'a Entry,
    first: usize,
    last: usize,
    hits: usize,
    section: Section,
}

impl<'a> Packing<'a> {
    /// Whether the place is in a section now.
    fn add(&mut self, index: &'a Index, hit: &Hit) -> bool {
        let Some(entry) = index.entry(&hit.file) else { return false };
        let Some(chunk) = entry.facts.chunks.iter().position(|chunk| chunk.span == hit.span) else {
            return false;
        };
        let same =
            |piece: &Piece| std::ptr::eq(piece.entry, entry) && (piece.first..=piece.last).contains(&chunk);
        if let Some(piece) = self.pieces.iter_mut().find(|piece| same(piece)) {
            piece.hits += 1;
            return true;
        }
        self.add_joined(entry, chunk)
            || self.add_whole(entry, chunk, hit)
            || self.add_trimmed(entry, chunk, hit)
    }

    /// Joins the chunk with the pieces that end before it and begin after it, if there are any and it fits.
    fn add_joined(&mut self, entry: &'a Entry, chunk: usize) -> bool {
        let touches = |piece: &Piece| {
            std::ptr::eq(piece.entry, entry)
                && !piece.section.trimmed
                && (piece.last + 1 == chunk || piece.first == chunk + 1)
        };
        let Some(best) = self.pieces.iter().position(touches) else { return false };
        let touching: Vec<&Piece> = self.pieces.iter().filter(|piece| touches(piece)).collect();
        let first = touching.iter().map(|piece| piece.first).fold(chunk, usize::min);
        let last = touching.iter().map(|piece| piece.last).fold(chunk, usize::max);
        let freed: usize = touching.iter().map(|piece| piece.section.tokens).sum();
        let hits = 1 + touching.iter().map(|piece| piece.hits).sum::<usize>();
        let symbols: Vec<&str> = (first..=last)
            .map(|at| &*entry.facts.chunks[at].symbol)
            .filter(|symbol| !symbol.is_empty())
            .collect();
        let (a, b) = (entry.facts.chunks[first].span, entry.facts.chunks[last].span);
        let span = Span { start: a.start, end: b.end, line_start: a.line_start, line_end: b.line_end };
        let section = self.section(entry, &listed(&symbols), span, false);
        if self.tokens - freed + section.tokens > self.budget {
            return false;
        }
        self.tokens = self.tokens - freed + section.tokens;
        self.pieces[best] = Piece { entry, first, last, hits, section };
        let mut at = 0;
        self.pieces.retain(|piece| {
            at += 1;
            at - 1 == best || !touches(piece)
        });
        true
    }

    fn add_whole(&mut self, entry: &'a Entry, chunk: usize, hit: &Hit) -> bool {
        let section = self.section(entry, &hit.symbol, hit.span, false);
        self.push(entry, chunk, section)
    }

    fn add_trimmed(&mut self, entry: &'a Entry, chunk: usize, hit: &Hit) -> bool {
        let text = entry.chunk_text(chunk);
        let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        let head = head_line(entry, chunk, hit);
        // The most lines that fit, from the head on. Counters need not grow with the text, so the result is asked again.
        let (mut least, mut most) = (head, lines.len());
        while least < most {
            let middle = least + (most - least) / 2;
            let section = self.section(entry, &hit.symbol, beginning(hit.span, &lines, middle), true);
            if self.tokens + section.tokens <= self.budget {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        if least > head {
            let section = self.section(entry, &hit.symbol, beginning(hit.span, &lines, least - 1), true);
            if self.push(entry, chunk, section) {
                return true;
            }
        }
        // Not even the documentation fits: the line of the definition says the most.
        let start = if head == 0 { 0 } else { lines.get(head - 1).map_or(0, |at| at + 1) };
        let end = lines.get(head).copied().unwrap_or(text.len());
        let line = hit.span.line_start + head as u32;
        let base = hit.span.start;
        let span =
            Span { start: base + start as u32, end: base + end as u32, line_start: line, line_end: line };
        let section = self.section(entry, &hit.symbol, span, true);
        self.push(entry, chunk, section)
    }

    fn push(&mut self, entry: &'a Entry, chunk: usize, section: Section) -> bool {
        let fits = self.tokens + section.tokens <= self.budget;
        if fits {
            self.tokens += section.tokens;
            self.pieces.push(Piece { entry, first: chunk, last: chunk, hits: 1, section });
        }
        fits
    }

    fn section(&self, entry: &Entry, symbol: &str, span: Span, trimmed: bool) -> Section {
        let mut title = format!("{}:{}-{}", entry.file.path, span.line_start, span.line_end);
        if !symbol.is_empty() {
            title.push(' ');
            title.push_str(symbol);
        }
        let text = entry.file.slice(span).to_string();
        let mut section = Section { title, file: entry.file.path.clone(), span, text, trimmed, tokens: 0 };
        section.tokens = (self.count)(&markdown(&section));
        section
    }

    fn finish(mut self, mut omitted: usize) -> Context {
        // Sections were counted one by one; what counts is the whole.
        loop {
            let text: String = self.pieces.iter().map(|piece| markdown(&piece.section)).collect();
            let tokens = (self.count)(&text);
            if tokens <= self.budget || self.pieces.is_empty() {
                let note = match (self.pieces.is_empty(), omitted) {
                    (_, 0) => None,
                    (true, _) => Some("The budget is too small for any of the places."),
                    (false, _) => Some("Some of the places did not fit into the budget."),
                };
                let sections: Vec<Section> = self.pieces.into_iter().map(|piece| piece.section).collect();
                let tokens = if sections.is_empty() { 0 } else { tokens };
                return Context { sections, text, tokens, omitted, note };
            }
            omitted += self.pieces.pop().map_or(0, |piece| piece.hits);
        }
    }
}

/// Which line of the chunk, from 0, is the first that tells what is defined.
fn head_line(entry: &Entry, chunk: usize, hit: &Hit) -> usize {
    let span = entry.facts.chunks[chunk].span;
    let is_inside = |clause: &&Span| (span.line_start..=span.line_end).contains(&clause.line_start);
    let first =
        |definition: &Definition| definition.clauses.iter().find(is_inside).map(|clause| clause.line_start);
    let named = entry
        .facts
        .definitions
        .iter()
        .filter(|it| Some(it.kind) == hit.kind && *it.qualified() == *hit.symbol);
    named.filter_map(first).min().map_or(0, |line| (line - span.line_start) as usize)
}

/// The first lines of `span` up to line `last`, counted from 0; `lines` are the places of its line ends.
fn beginning(span: Span, lines: &[usize], last: usize) -> Span {
    match lines.get(last) {
        Some(end) => Span { end: span.start + *end as u32, line_end: span.line_start + last as u32, ..span },
        None => span,
    }
}

/// Different names once each, in order.
fn listed(symbols: &[&str]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for symbol in symbols {
        if !names.contains(symbol) {
            names.push(symbol);
        }
    }
    names.join(", ")
}

fn markdown(section: &Section) -> String {
    let Section { title, text, .. } = section;
    // A fence is longer than any run of its marks in the text, or the text could end it.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let (language, comment) = match Language::of_path(&section.file) {
        Language::Elixir => ("elixir", "# …\n"),
        Language::Heex => ("heex", "…\n"),
        Language::Eex => ("eex", "…\n"),
        Language::Erlang => ("erlang", "% …\n"),
        Language::Markdown => ("markdown", "…\n"),
        _ => ("", "…\n"),
    };
    let more = if section.trimmed { comment } else { "" };
    format!("### {title}\n\n{fence}{language}\n{text}\n{more}{fence}\n\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Cancel;
    use crate::retrieval::testing::project;
    use crate::retrieval::{BuildOptions, Query};

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn index() -> Index {
        let root = project();
        Index::build(root.path(), &BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap()
    }

    fn answer(index: &Index, text: &str, limit: usize) -> Answer {
        index.search(&Query { limit, ..Query::new(text) }, &Cancel::new()).unwrap()
    }

    #[test]
    fn places_become_sections_with_their_source() {
        let index = index();
        let context = pack(&index, &answer(&index, "Shop.Cart.add/2", 1), 1000, &words);
        let [section] = &context.sections[..] else { panic!("{context:?}") };
        assert!(section.title.starts_with("lib/cart.ex:7-"), "{}", section.title);
        assert!(section.title.ends_with(" Shop.Cart.add/2"), "{}", section.title);
        assert!(section.text.contains("Puts an item") && section.text.contains("def add(cart, nil)"));
        assert!(context.text.starts_with("### lib/cart.ex:7-") && context.text.contains("```elixir\n"));
        assert_eq!((context.omitted, context.note), (0, None));
    }

    #[test]
    fn neighbours_are_joined_at_the_better_rank() {
        let index = index();
        let answer = answer(&index, "Cart add total items", 20);
        let of_cart = answer.results.iter().filter(|hit| &*hit.file == "lib/cart.ex").count();
        assert!(of_cart > 1, "{answer:?}");
        let context = pack(&index, &answer, 10_000, &words);
        let sections: Vec<_> = context.sections.iter().filter(|it| &*it.file == "lib/cart.ex").collect();
        assert_eq!(sections.len(), 1, "{context:?}");
        assert_eq!(index.text("lib/cart.ex").unwrap().trim_end(), sections[0].text);
    }

    #[test]
    fn what_does_not_fit_keeps_its_head() {
        let index = index();
        let answer = answer(&index, "Shop.Cart.total/1", 1);
        let whole = pack(&index, &answer, 10_000, &words);
        let less = pack(&index, &answer, whole.tokens - 3, &words);
        assert!(less.sections[0].trimmed && less.sections[0].text.contains("def total(cart)"), "{less:?}");
        assert!(less.sections[0].text.contains("What all items cost"), "{less:?}");
        let head = pack(&index, &answer, 12, &words);
        assert_eq!(head.sections[0].text.trim(), "def total(cart) do");
        assert!(head.tokens <= 12 && head.text.contains("# …"), "{head:?}");
        let nothing = pack(&index, &answer, 3, &words);
        assert_eq!((nothing.sections.len(), nothing.tokens, nothing.omitted), (0, 0, 1));
        assert!(nothing.note.is_some() && nothing.text.is_empty());
    }

    #[test]
    fn fences_are_longer_than_those_of_the_text() {
        let text = "a ```` b".to_string();
        let section = Section {
            title: "t".into(),
            file: "a.md".into(),
            span: Span::default(),
            text,
            trimmed: false,
            tokens: 0,
        };
        assert!(markdown(&section).contains("\n`````markdown\n"));
    }

    proptest! {
        #[test]
        fn never_over_budget(budget in 0..600usize, limit in 1..20usize, text in "(cart|money|add|total|guide|round| ){1,6}[a-z]") {
            let index = index();
            let answer = answer(&index, &text, limit);
            // The last one counts more for the whole than for its parts.
            let counters: [&dyn Fn(&str) -> usize; 3] = [&words, &str::len, &|text| text.len() * text.len() / 4000];
            for count in counters {
                let context = pack(&index, &answer, budget, count);
                prop_assert!(context.tokens <= budget);
                prop_assert_eq!(context.tokens, if context.sections.is_empty() { 0 } else { count(&context.text) });
                prop_assert_eq!(context.note.is_some(), context.omitted > 0);
                let mut seen = Vec::new();
                for section in &context.sections {
                    prop_assert!(context.text.contains(&section.text));
                    for (file, span) in &seen {
                        let apart = file != &section.file || are_apart(*span, section.span);
                        prop_assert!(apart, "sections overlap");
                    }
                    seen.push((section.file.clone(), section.span));
                }
            }
        }
    }

    fn are_apart(a: Span, b: Span) -> bool {
        a.end <= b.start || b.end <= a.start
    }
}
