//! Packing: the functions that belong to the answer, the best ones first, by their code.
//!
//! The best places are shown with their signature, the sentences of their documentation that have most of the question's words, and the
//! lines at the head of their module that they need; then comes the code of all, in order of [`super::rank`]. Of a function
//! that is long beside the budget those clauses are shown that have most of the question's words; of a good one that does not fit
//! otherwise a part. What is left then goes to the signatures of whom the best places call and of who calls them.
//!
//! What is shown of a file is one section, a set of lines, so that no line is there twice; what is left out between them is
//! marked. Steps are counted one by one as they are taken. In the end the text is counted as a whole, which decides: as
//! long as it is too much, the last steps are taken back.

use std::collections::HashMap;
use std::sync::Arc;

use super::TokenCounter;
use super::near::{Near, callees, callers};
use super::needs::needs;
use super::options::PackOptions;
use super::page::Page;
use super::place::{DetailLevel, FoundPlace};
use super::rank::{RELATED, ranked};
use super::render::{arrangement, markdown, section};
use super::section::{Context, IndexSource, Section};
use super::window::window;
use super::words::QuestionWords;
use crate::retrieval::{Answer, CommonAnswer, Hit, Index};

/// So many places are good enough to show what is said of them and what they need of their module.
const BEST: usize = 1;
/// So many are good enough to be shown in part, and to name whom they call and who calls them.
const GOOD: usize = 3;
/// A function is shown as a whole if it has so many tokens at most, or such a share of the budget; of a longer one with several
/// clauses as many clauses as that.
const WHOLE: usize = 600;
const WHOLE_SHARE: usize = 2;
/// What is no function, such as the head of a module or a text, has such a share of the budget at most.
const OTHER_SHARE: usize = 8;
/// A part of a place that is shown has at least so many tokens.
const LEAST_WINDOW: usize = 40;
/// So often the room that counting left is filled again.
const ROUNDS: usize = 3;

/// The places of `answer`, which answers `question`, as sections of Markdown of at most `options.budget` tokens, as
/// `counter` counts those of the whole.
///
/// The same arguments give the same context. A budget that is too small for anything gives no sections, and a note.
pub fn pack(
    index: &Index,
    question: &str,
    answer: &Answer,
    options: &PackOptions,
    counter: &dyn TokenCounter,
) -> Context {
    let places: Vec<(usize, &Hit)> = answer.results.iter().map(|hit| (0, hit)).collect();
    packed(&[IndexSource { index, name: "" }], question, &places, options, counter)
}

/// As [`pack`], of places in several indexes, those of [`crate::retrieval::search_all`] in this order.
pub fn pack_all(
    sources: &[IndexSource],
    question: &str,
    answer: &CommonAnswer,
    options: &PackOptions,
    counter: &dyn TokenCounter,
) -> Context {
    let places: Vec<(usize, &Hit)> = answer.results.iter().map(|(source, hit)| (*source, hit)).collect();
    packed(sources, question, &places, options, counter)
}

fn packed(
    sources: &[IndexSource],
    question: &str,
    places: &[(usize, &Hit)],
    options: &PackOptions,
    counter: &dyn TokenCounter,
) -> Context {
    let words = QuestionWords::of(question, sources);
    let mut packing = Packing::new(sources, &words, options, counter);
    let unworthy = packing.take(places);
    packing.fill();
    let (sections, text, tokens) = packing.settle();
    let omitted = packing.places.iter().filter(|place| !packing.is_named(place)).count();
    let note = match (sections.is_empty(), omitted) {
        (_, 0) => None,
        (true, _) => Some("The budget is too small for any of the places."),
        (false, _) => Some("Some of the places did not fit into the budget."),
    };
    Context { sections, text, tokens, omitted, unworthy, note }
}

struct Packing<'a> {
    sources: &'a [IndexSource<'a>],
    words: &'a QuestionWords,
    options: PackOptions,
    counter: &'a dyn TokenCounter,
    pages: Vec<Page<'a>>,
    by_path: HashMap<(usize, Arc<str>), usize>,
    /// Best first.
    places: Vec<FoundPlace>,
    steps: Vec<Step>,
    /// The tokens of all steps.
    spent: usize,
}

/// What was added, so that it can be taken back.
struct Step {
    page: usize,
    lines: Vec<usize>,
    named: bool,
    cost: usize,
    /// A place and how much of it was shown before.
    place: Option<(usize, DetailLevel)>,
}

/// What is to be added to a page.
struct Addition {
    lines: Vec<usize>,
    name: Option<Arc<str>>,
    /// A place and how much of it is shown then.
    place: Option<(usize, DetailLevel)>,
}

impl<'a> Packing<'a> {
    fn new(
        sources: &'a [IndexSource<'a>],
        words: &'a QuestionWords,
        options: &PackOptions,
        counter: &'a dyn TokenCounter,
    ) -> Self {
        Packing {
            sources,
            words,
            options: *options,
            counter,
            pages: Vec::new(),
            by_path: HashMap::new(),
            places: Vec::new(),
            steps: Vec::new(),
            spent: 0,
        }
    }

    /// Takes the places that are worth their tokens, and says how many are not.
    fn take(&mut self, places: &[(usize, &'a Hit)]) -> usize {
        let ranked = ranked(self.sources, self.words, places, self.options.only_found);
        let least = ranked.first().map_or(0.0, |best| best.value) * self.options.worth;
        let worthy = ranked.iter().take_while(|it| it.value >= least).count();
        for it in &ranked[..worthy] {
            if let Some(page) = self.page(it.source, &it.entry.file.path) {
                self.places.push(FoundPlace::of(page, &self.pages[page], it, self.words));
            }
        }
        ranked.len() - worthy
    }

    fn page(&mut self, source: usize, path: &str) -> Option<usize> {
        let entry = self.sources.get(source)?.index.entry(path)?;
        let key = (source, entry.file.path.clone());
        if let Some(page) = self.by_path.get(&key) {
            return Some(*page);
        }
        self.by_path.insert(key, self.pages.len());
        self.pages.push(Page::of(source, self.sources[source].name, entry));
        Some(self.pages.len() - 1)
    }

    /// The index that a page is of.
    fn index(&self, page: usize) -> &'a Index {
        self.sources[self.pages[page].source].index
    }

    fn fill(&mut self) {
        // The best place is named at any price.
        if !self.unfold(0, DetailLevel::Signature) {
            return;
        }
        for at in 0..self.places.len() {
            if at < BEST {
                self.unfold(at, DetailLevel::Summary);
            }
            if !self.unfold(at, DetailLevel::Code) {
                self.show_part(at);
            }
        }
        let good = if self.options.only_found { 0 } else { GOOD };
        for at in 0..self.places.len().min(good) {
            self.name_near(at);
        }
    }

    /// Shows so much of a place, if it is not shown yet and fits; whether it is shown.
    fn unfold(&mut self, at: usize, level: DetailLevel) -> bool {
        let Some(place) = self.places.get(at) else { return false };
        if place.level >= level {
            return true;
        }
        let (page, name) = (place.page, place.name());
        let lines = match level {
            DetailLevel::Signature => place.signature.clone(),
            DetailLevel::Summary => [&place.signature[..], &place.summary].concat(),
            _ => place.code(),
        };
        if level == DetailLevel::Code && self.tokens(page, &lines) > self.most(place) {
            return false;
        }
        let step = |lines| Addition { lines, name: name.clone(), place: Some((at, level)) };
        if level == DetailLevel::Code && at < BEST {
            let look = || needs(self.index(page), &self.pages[page], place.span);
            let needed = place.needs.clone().unwrap_or_else(look);
            self.places[at].needs = Some(needed.clone());
            if !needed.is_empty() && self.add(page, step([needed, lines.clone()].concat())) {
                return true;
            }
        }
        self.add(page, step(lines))
    }

    /// The most tokens with which a place is shown as a whole.
    fn most(&self, place: &FoundPlace) -> usize {
        let budget = self.options.budget;
        match (place.is_function, place.parts.len()) {
            (false, _) => budget / OTHER_SHARE,
            (true, 1) => WHOLE.max(budget / WHOLE_SHARE),
            (true, _) => WHOLE,
        }
    }

    /// Shows as much of a place as fits: its clauses that have most to do with the question, or of a single one a part.
    fn show_part(&mut self, at: usize) {
        let place = &self.places[at];
        let budget = self.options.budget;
        let room = budget.saturating_sub(self.spent + self.mark()).min(self.most(place));
        if place.level >= DetailLevel::Window || room < LEAST_WINDOW {
            return;
        }
        let (page, name) = (place.page, place.name());
        let chosen = if place.parts.len() > 1 {
            self.clauses(place, room)
        } else if at < GOOD {
            let code = place.code();
            let on = &self.pages[page];
            code.first().zip(code.last()).map_or_else(Vec::new, |(first, last)| {
                window(on, (*first, *last), self.words, room, self.counter)
            })
        } else {
            Vec::new()
        };
        if !chosen.is_empty() {
            self.add(page, Addition { lines: chosen, name, place: Some((at, DetailLevel::Window)) });
        }
    }

    /// Of a place those clauses that have most of the question's words, as many as fit into `room`.
    fn clauses(&self, place: &FoundPlace, room: usize) -> Vec<usize> {
        let on = &self.pages[place.page];
        let value = |part: &Vec<usize>| {
            let counts = self.words.count(&on.text(part));
            self.words.sum(|at| match (counts.each[at], counts.related[at]) {
                (0, 0) => 0.0,
                (0, _) => RELATED,
                _ => 1.0,
            })
        };
        let mut order: Vec<(f32, usize)> = place.parts.iter().map(value).zip(0..).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (mut left, mut chosen) = (room, Vec::new());
        for (_, part) in order {
            let cost = self.tokens(place.page, &place.parts[part]) + self.mark();
            if cost <= left {
                left -= cost;
                chosen.extend(&place.parts[part]);
            }
        }
        chosen
    }

    /// The tokens of those of the lines that are not shown.
    fn tokens(&self, page: usize, lines: &[usize]) -> usize {
        let on = &self.pages[page];
        self.counter.count(&on.text(&on.missing(lines)))
    }

    /// Names whom a place calls and who calls it.
    fn name_near(&mut self, at: usize) {
        let place = &self.places[at];
        if place.level < DetailLevel::Code {
            return;
        }
        let (span, facts) = (place.span, &self.pages[place.page].entry.facts);
        let inside = |line: u32| (span.line_start..=span.line_end).contains(&line);
        let definitions: Vec<_> = facts
            .definitions
            .iter()
            .filter(|it| it.arity.is_some() && inside(it.clauses.first().unwrap_or(&it.span).line_start))
            .collect();
        let source = self.pages[place.page].source;
        let look = || {
            [callees(self.sources, source, facts, span), callers(self.sources, source, &definitions)].concat()
        };
        let near = place.near.clone().unwrap_or_else(look);
        self.places[at].near = Some(near.clone());
        for Near { source, file, line, symbol } in near {
            let Some(page) = self.page(source, &file) else { continue };
            let lines = self.pages[page].statement(line, 1);
            if !self.pages[page].missing(&lines).is_empty() {
                let addition = Addition { lines, name: Some(symbol.into()), place: None };
                self.add(page, addition);
            }
        }
    }

    /// Adds lines to a page if they fit with what is there already; whether they are there now.
    fn add(&mut self, page: usize, Addition { lines, name, place }: Addition) -> bool {
        let on = &self.pages[page];
        if lines.is_empty() {
            // A place without code, such as a comment alone, shows nothing.
            return false;
        }
        let missing = on.missing(&lines);
        let text = on.text(&missing);
        let name = name.filter(|name| !on.symbols.contains(name));
        let mut cost = self.counter.count(&text);
        if on.shown.is_empty() {
            cost += self.counter.count(&format!(
                "### [1] {}:1000-1000 {}\n\n```elixir\n\n```\n\n",
                on.path,
                name.as_deref().unwrap_or_default()
            ));
        } else if !missing.is_empty() {
            let gaps = on.runs_with(&missing).saturating_sub(on.runs().len());
            cost += name.as_ref().map_or(0, |name| self.counter.count(name) + 1) + gaps * self.mark();
        }
        if !missing.is_empty() && self.spent.saturating_add(cost) > self.options.budget {
            return false;
        }
        let on = &mut self.pages[page];
        on.shown.extend(&missing);
        let is_named = name.is_some();
        on.symbols.extend(name);
        let before = place.map(|(at, level)| (at, std::mem::replace(&mut self.places[at].level, level)));
        self.spent += cost;
        self.steps.push(Step { page, lines: missing, named: is_named, cost, place: before });
        true
    }

    /// The tokens of a mark for what is left out, and of lines in a title.
    fn mark(&self) -> usize {
        self.counter.count("# …\n,1000-1000")
    }

    fn take_back(&mut self) {
        let Some(step) = self.steps.pop() else { return };
        let on = &mut self.pages[step.page];
        for line in &step.lines {
            on.shown.remove(line);
        }
        if step.named {
            on.symbols.pop();
        }
        if let Some((at, level)) = step.place {
            self.places[at].level = level;
        }
        // What counting left as room may have been filled since.
        self.spent = self.spent.saturating_sub(step.cost);
    }

    /// Whether a place is shown at least by its signature.
    fn is_named(&self, place: &FoundPlace) -> bool {
        place.level > DetailLevel::Nothing || self.pages[place.page].missing(&place.signature).is_empty()
    }

    /// The sections, their text and its tokens: as much as the budget allows for the whole.
    fn settle(&mut self) -> (Vec<Section>, String, usize) {
        let (mut rounds, mut back) = (1, 1);
        loop {
            let sections = self.sections();
            if sections.is_empty() {
                return Default::default();
            }
            let text: String = sections.iter().map(markdown).collect();
            let tokens = self.counter.count(&text);
            if tokens > self.options.budget {
                // Half as many each time would do for any tokenizer; a counter may be worse.
                (0..back).for_each(|_| self.take_back());
                back *= 2;
                rounds = ROUNDS;
                continue;
            }
            let steps = self.steps.len();
            if rounds < ROUNDS && tokens < self.spent {
                self.spent = tokens;
                self.fill();
                rounds += 1;
            }
            if self.steps.len() == steps {
                let count = |section: Section| {
                    let tokens = self.counter.count(&markdown(&section));
                    Section { tokens, ..section }
                };
                return (sections.into_iter().map(count).collect(), text, tokens);
            }
        }
    }

    fn sections(&self) -> Vec<Section> {
        let mut best: Vec<usize> = (0..self.pages.len()).collect();
        // Pages of places come before those that are only named, in order of their best places.
        best.retain(|page| !self.pages[*page].shown.is_empty());
        let paths: Vec<&str> = best.iter().map(|page| &*self.pages[*page].path).collect();
        let arranged = arrangement(self.options.order, &paths);
        let is_whole = |page: usize| {
            let mut places = self.places.iter().filter(|place| place.page == page);
            places.all(|place| self.pages[page].missing(&place.code()).is_empty())
        };
        (1..)
            .zip(arranged)
            .filter_map(|(number, rank)| section(&self.pages[best[rank]], number, is_whole(best[rank])))
            .collect()
    }
}
