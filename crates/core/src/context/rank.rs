//! What belongs to an answer, and how much.
//!
//! A search ranks places by what is said of them, so that a question in plain words finds the documented functions. Those that
//! decide are mostly private ones behind them. So the best files are chosen by the places that the search gave; in these each
//! function is measured by the words of its code and by its file; and last, each gives a part of its value to those that it calls.
//! The weights were chosen by hand on the development half of the questions in `benches/questions/context.jsonl`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::near::{MOST_IMPORTS, brings_in, callees, is_callable, is_test, named_or_own};
use super::section::IndexSource;
use super::words::{Counts, QuestionWords};
use crate::retrieval::{Entry, Feature, Hit};
use crate::source::Span;
use crate::syntax::{Definition, ReferenceKind};

/// In so many files each function is looked at, while their texts are no more than so many bytes together.
const FILES: usize = 8;
const MOST_BYTES: usize = 1 << 20;
/// Functions that stand in one another are counted again each: so many times the length of a file are read at the most.
const COUNTED: usize = 2;
/// The functions that so many of the best ones call are looked at wherever they are.
const CALLING: usize = 5;
/// A function gives such a part of its value to those that it calls, and those to theirs, so many times.
const GIVEN: f32 = 0.2;
const ROUNDS: usize = 2;
/// A place so far below the best one, in the logarithm of odds, has nothing from the search.
const FARTHEST: f32 = 8.0;
/// What a test is worth beside other code, where the question does not ask for tests.
const TEST: f32 = 0.5;
/// What a place is worth beside a function: one in code, such as the head of a module, and one in a text.
const NO_FUNCTION: f32 = 0.6;
const NO_CODE: f32 = 0.15;
/// BM25: how fast a word that is repeated stops counting, and how much the length of the text counts.
const SATURATION: f32 = 1.2;
const LENGTH: f32 = 0.4;
/// What a mention of a related word is worth beside one of the word, in code up to so many times, and in a name.
pub(super) const RELATED: f32 = 0.3;
const MOST_RELATED: u32 = 4;
const RELATED_NAME: f32 = 1.0;

/// A function, or a chunk in which none begins.
pub(super) struct Ranked<'a> {
    /// Which of the sources it is in.
    pub(super) source: usize,
    pub(super) entry: &'a Entry,
    /// The chunk in which it begins.
    pub(super) chunk: usize,
    /// The function.
    pub(super) definition: Option<&'a Definition>,
    pub(super) symbol: Arc<str>,
    /// What it is worth; comparable within one answer only.
    pub(super) value: f32,
    /// What the search says of it: nearness of vectors, how near it is to the best place, whether the question names it.
    meaning: f32,
    closeness: f32,
    named: bool,
    counts: Counted,
}

/// A function as calls see it: with how many arguments it exists, at the least and at the most, and its number.
type Callable = (u8, u8, usize);

/// The question's words in what a function is made of.
#[derive(Default)]
struct Counted {
    code: Counts,
    name: Counts,
    module: Counts,
    doc: Counts,
}

/// Which definition of which file of which source.
type Place<'a> = (usize, &'a str, usize);

/// The clauses of a definition but for those that stand in another one.
pub(super) fn outermost(definition: &Definition) -> Vec<Span> {
    let mut clauses: Vec<Span> = definition.clauses.clone();
    clauses.sort_by_key(|clause| (clause.start, std::cmp::Reverse(clause.end)));
    let mut end = 0;
    clauses.retain(|clause| {
        let is_new = clause.start >= end;
        end = end.max(clause.end);
        is_new
    });
    clauses
}

/// What belongs to the answer, the best first, or only what was found of it; `hits` are what a search gave, each with the number of its source.
pub(super) fn ranked<'a>(
    sources: &[IndexSource<'a>],
    words: &QuestionWords,
    hits: &[(usize, &'a Hit)],
    only_found: bool,
) -> Vec<Ranked<'a>> {
    let best = hits.first().map_or(0.0, |(_, hit)| hit.score);
    let mut files: BTreeMap<(usize, &str), f32> = BTreeMap::new();
    for (source, hit) in hits {
        let value = 0.4 * value(hit, Feature::File)
            + 0.4 * value(hit, Feature::FileMeaning)
            + 0.5 * closeness(hit, best)
            + 0.3 * value(hit, Feature::Meaning);
        let file = files.entry((*source, &hit.file)).or_default();
        *file = file.max(value);
    }
    let mut order: Vec<((usize, &str), f32)> = files.iter().map(|(file, value)| (*file, *value)).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut all = Candidates {
        sources,
        words,
        by_place: FxHashMap::default(),
        counted: FxHashMap::default(),
        each: Vec::new(),
    };
    let mut bytes = 0;
    for ((source, path), _) in order.iter().take(if only_found { 0 } else { FILES }) {
        let Some(entry) = sources.get(*source).and_then(|it| it.index.entry(path)) else { continue };
        bytes += entry.file.text.len();
        if bytes > MOST_BYTES {
            break;
        }
        all.add_functions(*source, entry);
    }
    for (source, hit) in hits {
        all.add_hit(*source, hit, closeness(hit, best));
    }
    let asks_for_tests = words.all.iter().any(|word| word.tokens.iter().any(|it| it == "test"));
    all.value(&files, asks_for_tests);
    if !only_found {
        all.extend(asks_for_tests);
    }
    all.give();
    let mut each = all.each;
    let line = |it: &Ranked| it.entry.chunks()[it.chunk].span.line_start;
    each.sort_by(|a, b| {
        let place = |it: &Ranked<'a>| (it.source, it.entry.file.path.clone(), line(it), it.symbol.clone());
        b.value.total_cmp(&a.value).then_with(|| place(a).cmp(&place(b)))
    });
    each
}

fn value(hit: &Hit, feature: Feature) -> f32 {
    hit.features.iter().find(|(it, ..)| *it == feature).map_or(0.0, |(_, value, _)| *value)
}

fn closeness(hit: &Hit, best: f32) -> f32 {
    (1.0 - (best - hit.score) / FARTHEST).max(0.0)
}

struct Candidates<'a, 'w> {
    sources: &'w [IndexSource<'a>],
    words: &'w QuestionWords,
    by_place: FxHashMap<Place<'a>, usize>,
    /// How many bytes of the functions of a file were read.
    counted: FxHashMap<(usize, &'a str), usize>,
    each: Vec<Ranked<'a>>,
}

impl<'a> Candidates<'a, '_> {
    fn add_functions(&mut self, source: usize, entry: &'a Entry) {
        for (at, definition) in entry.facts.definitions.iter().enumerate() {
            if is_callable(definition.kind) && definition.arity.is_some() {
                self.function(source, entry, at);
            }
        }
    }

    /// The number of a function, which is added if it is new; `None` for one without a place, and where too much of its file was read.
    fn function(&mut self, source: usize, entry: &'a Entry, at: usize) -> Option<usize> {
        let place = (source, &*entry.file.path, at);
        if let Some(known) = self.by_place.get(&place) {
            return Some(*known);
        }
        let definition = &entry.facts.definitions[at];
        let chunk = entry.chunk_of(definition)?;
        let clauses = outermost(definition);
        let counted = self.counted.entry((source, &*entry.file.path)).or_default();
        *counted += clauses.iter().map(|clause| (clause.end - clause.start) as usize).sum::<usize>();
        if *counted > COUNTED * entry.file.text.len() {
            return None;
        }
        let code: Vec<&str> = clauses.iter().map(|clause| entry.file.slice(*clause)).collect();
        let counts = Counted {
            code: self.words.count(&code.join("\n")),
            name: self.words.count(&definition.name),
            module: self.words.count(&definition.module),
            doc: self.words.count(definition.doc.as_deref().unwrap_or_default()),
        };
        self.by_place.insert(place, self.each.len());
        self.add((source, entry, chunk), Some(definition), definition.qualified().into(), counts);
        Some(self.each.len() - 1)
    }

    /// Adds one of which only the words are known yet.
    fn add(
        &mut self,
        (source, entry, chunk): (usize, &'a Entry, usize),
        definition: Option<&'a Definition>,
        symbol: Arc<str>,
        counts: Counted,
    ) {
        let (value, meaning, closeness, named) = (0.0, 0.0, 0.0, false);
        self.each.push(Ranked {
            source,
            entry,
            chunk,
            definition,
            symbol,
            value,
            meaning,
            closeness,
            named,
            counts,
        });
    }

    /// Adds what a place that was found defines, or the place.
    fn add_hit(&mut self, source: usize, hit: &'a Hit, closeness: f32) {
        let Some(entry) = self.sources.get(source).and_then(|it| it.index.entry(&hit.file)) else { return };
        let Ok(chunk) = entry.chunks().binary_search_by_key(&hit.span, |chunk| chunk.span) else { return };
        let definitions = &entry.facts.definitions;
        let meets = |definition: &Definition| {
            let mut clauses = definition.clauses.iter();
            clauses.any(|it| it.line_start <= hit.span.line_end && hit.span.line_start <= it.line_end)
        };
        let functions: Vec<usize> = (0..definitions.len())
            .filter(|at| is_callable(definitions[*at].kind) && definitions[*at].arity.is_some())
            .filter(|at| meets(&definitions[*at]))
            .collect();
        let mut found: Vec<usize> =
            functions.into_iter().filter_map(|at| self.function(source, entry, at)).collect();
        if found.is_empty() {
            let chunk_at = &entry.chunks()[chunk];
            let counts = Counted {
                code: self.words.count(entry.file.slice(chunk_at.span)),
                name: self.words.count(&hit.symbol),
                module: self.words.count(chunk_at.header.lines().next().unwrap_or_default()),
                doc: self.words.none(),
            };
            found.push(self.each.len());
            self.add((source, entry, chunk), None, hit.symbol.clone(), counts);
        }
        let names = [Feature::Defines, Feature::Mentioned, Feature::Located];
        let is_named = names.iter().any(|feature| value(hit, *feature) > 0.0);
        for at in found {
            let it = &mut self.each[at];
            it.meaning = it.meaning.max(value(hit, Feature::Meaning));
            it.closeness = it.closeness.max(closeness);
            // Of several short functions in one place the one that is asked for.
            it.named |= is_named && (it.definition.is_none() || it.symbol == hit.symbol);
        }
    }

    /// What each is worth by itself and by its file.
    fn value(&mut self, files: &BTreeMap<(usize, &str), f32>, asks_for_tests: bool) {
        let own = self.own();
        let test = |it: &Ranked| if !asks_for_tests && is_test(&it.entry.file.path) { TEST } else { 1.0 };
        let mut by_file: BTreeMap<(usize, &str), Vec<f32>> = BTreeMap::new();
        for (it, own) in self.each.iter().zip(&own) {
            by_file.entry((it.source, &it.entry.file.path)).or_default().push(own * test(it));
        }
        let of_file: BTreeMap<(usize, &str), f32> = by_file
            .into_iter()
            .map(|(file, mut values)| {
                values.sort_by(|a, b| b.total_cmp(a));
                let mean = values.iter().take(3).sum::<f32>() / 3.0;
                let found = files.get(&file).copied().unwrap_or_default();
                (file, 0.5 * mean + 0.5 * values.first().copied().unwrap_or_default() + 0.9 * found)
            })
            .collect();
        let best_file = of_file.values().copied().fold(f32::MIN_POSITIVE, f32::max);
        let best = own.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let values: Vec<f32> = self
            .each
            .iter()
            .zip(&own)
            .map(|(it, own)| {
                let file = of_file[&(it.source, &*it.entry.file.path)] / best_file;
                file.powf(1.5) * (0.3 + own / best) * test(it) * kind(it)
            })
            .collect();
        self.each.iter_mut().zip(values).for_each(|(it, value)| it.value = value);
    }

    /// What each is worth by its own words and by what the search says of it.
    fn own(&self) -> Vec<f32> {
        let sum: u32 = self.each.iter().map(|it| it.counts.code.all).sum();
        let mean = sum as f32 / self.each.len().max(1) as f32;
        let words: Vec<f32> = self.each.iter().map(|it| self.bm25(&it.counts, mean.max(1.0))).collect();
        let most = words.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let own = |(it, words): (&Ranked, &f32)| {
            let Counted { code, name, module, .. } = &it.counts;
            let covered = self.words.share(|at| code.each[at] + name.each[at] + module.each[at] > 0);
            let in_module = self.words.share(|at| module.each[at] > 0);
            let named = if it.named { 1.0 } else { 0.0 };
            words / most + 0.5 * covered + 0.8 * in_module + it.meaning + 0.5 * it.closeness + named
        };
        self.each.iter().zip(&words).map(own).collect()
    }

    fn bm25(&self, counts: &Counted, mean: f32) -> f32 {
        let length = SATURATION * (1.0 - LENGTH + LENGTH * counts.code.all as f32 / mean);
        self.words.sum(|at| {
            let in_name = match (counts.name.each[at], counts.name.related[at]) {
                (0, 0) => 0.0,
                (0, _) => RELATED_NAME,
                _ => 4.0,
            };
            let often = counts.code.each[at] as f32
                + RELATED * counts.code.related[at].min(MOST_RELATED) as f32
                + in_name
                + 0.7 * f32::from(u8::from(counts.module.each[at] > 0))
                + 0.7 * counts.doc.each[at].min(2) as f32;
            often * (SATURATION + 1.0) / (often + length)
        })
    }

    /// Adds what the best ones call elsewhere.
    fn extend(&mut self, asks_for_tests: bool) {
        let mut best: Vec<usize> = (0..self.each.len()).collect();
        best.sort_by(|a, b| self.each[*b].value.total_cmp(&self.each[*a].value).then(a.cmp(b)));
        for at in best.into_iter().take(CALLING) {
            let it = &self.each[at];
            let Some(definition) = it.definition else { continue };
            let (value, source, entry) = (it.value, it.source, it.entry);
            for near in callees(self.sources, source, &entry.facts, definition.span) {
                let Some(entry) = self.sources[near.source].index.entry(&near.file) else { continue };
                let is_it = |it: &Definition| {
                    let line = it.clauses.first().unwrap_or(&it.span).line_start as usize - 1;
                    is_callable(it.kind) && line == near.line && it.qualified() == near.symbol
                };
                let Some(place) = entry.facts.definitions.iter().position(is_it) else { continue };
                let before = self.each.len();
                let Some(new) = self.function(near.source, entry, place) else { continue };
                if new == before && (asks_for_tests || !is_test(&entry.file.path)) {
                    // Its file was not found: what the question says of it are its own words.
                    let counts = &self.each[new].counts;
                    let covered = self.words.share(|at| counts.code.each[at] + counts.name.each[at] > 0);
                    self.each[new].value = GIVEN * value + 0.5 * value * covered;
                }
            }
        }
    }

    /// Gives a part of the value of each to those that it calls.
    fn give(&mut self) {
        let calls = self.calls();
        let own: Vec<f32> = self.each.iter().map(|it| it.value).collect();
        let mut values = own.clone();
        for _ in 0..ROUNDS {
            let mut given = vec![0.0_f32; own.len()];
            for (from, to) in &calls {
                given[*to] = given[*to].max(values[*from]);
            }
            values = own.iter().zip(given).map(|(own, given)| own + GIVEN * given).collect();
        }
        self.each.iter_mut().zip(values).for_each(|(it, value)| it.value = value);
    }

    /// Which calls which, by number.
    fn calls(&self) -> Vec<(usize, usize)> {
        let mut defined: FxHashMap<(usize, &str, &str), Vec<Callable>> = FxHashMap::default();
        for (at, it) in self.each.iter().enumerate() {
            if let Some((definition, most)) = it.definition.and_then(|it| Some((it, it.arity?))) {
                let key = (it.source, &*definition.module, &*definition.name);
                defined.entry(key).or_default().push((most.saturating_sub(definition.defaults), most, at));
            }
        }
        let names: FxHashSet<&str> = defined.keys().map(|(_, _, name)| *name).collect();
        let mut files: BTreeMap<(usize, &'a str), &'a Entry> = BTreeMap::new();
        for it in &self.each {
            files.insert((it.source, &it.entry.file.path), it.entry);
        }
        let mut calls = Vec::new();
        for ((source, path), entry) in files {
            let facts = &*entry.facts;
            let imports: Vec<_> = facts.imports.iter().take(MOST_IMPORTS).collect();
            for call in facts.references.iter().filter(|it| it.kind == ReferenceKind::Call) {
                let Some((from, arity)) = call.from.zip(call.arity) else { continue };
                let Some(from) = self.by_place.get(&(source, path, from as usize)) else { continue };
                if !names.contains(&*call.name) {
                    continue;
                }
                let find = |module: &str| -> Option<usize> {
                    let known = defined.get(&(source, module, &*call.name))?;
                    let takes = |(least, most, _): &&Callable| (*least..=*most).contains(&arity);
                    known.iter().find(takes).map(|(_, _, at)| *at)
                };
                let imported =
                    imports.iter().filter(|it| call.module.is_none() && brings_in(it, call, arity));
                let mut modules = named_or_own(facts, call).into_iter().chain(imported.map(|it| &*it.module));
                if let Some(to) = modules.find_map(find).filter(|to| to != from) {
                    calls.push((*from, to));
                }
            }
        }
        calls.sort_unstable();
        calls.dedup();
        calls
    }
}

/// What something is worth beside a function.
fn kind(it: &Ranked) -> f32 {
    match it.entry.chunks()[it.chunk].kind {
        _ if it.definition.is_some() => 1.0,
        Some(_) => NO_FUNCTION,
        None => NO_CODE,
    }
}
