//! What a pack for a budget of tokens holds of the judged answers, and how long packing takes.
//!
//! `cargo run --release -p ambix-benches --no-default-features --bin pack -- --root DIR --questions FILE.jsonl
//! [--budgets 1500,4000] [--limit N] [--worth SHARE] [--split dev|kept] [--corpus NAME] [--each]`
//!
//! A question has `query`, and as its answer files (`primary`, `secondary`) with one `function`, or functions: `primary` and
//! `useful` are lists of `{"file", "function", "line"}` then, where `line` is in the clause that matters.
//!
//! Prints a line of JSON for each budget:
//!
//! - `bodies`, `useful`: the share of the primary and of the useful functions whose clause is shown as a whole, but for blank
//!   lines; the mean over the questions. `named`: the share of the primary ones of which the first line is shown.
//! - `found`: the share of the primary functions that are in a place which the search gave.
//! - `files`: the share of the files with the answer of which a line is shown.
//! - `documentation`: the share of the tokens that are of lines outside of all clauses, and of texts that are no code.
//! - `answering`: the share of the tokens that are of files with an answer.
//! - `tokens`, `sections`: the means. `ms`, `ms_p99`: the time of packing alone, after the search.
//!
//! With `--each` a line for each question comes before: which primary functions are missing, with their ranks in the search, and what is shown.
//!
//! Tokens are counted by the estimate for unknown models.

use std::cell::RefCell;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ambix_core::Cancel;
use ambix_core::context::{Context, Estimate, PackOptions, TokenCounter, pack};
use ambix_core::project::BuildOptions;
use ambix_core::retrieval::{Answer, Embedder, Index, Query, StaticEncoder, embed_all};
use ambix_core::source::Span;
use serde_json::{Value, json};

struct Options {
    root: PathBuf,
    questions: PathBuf,
    budgets: Vec<usize>,
    /// So many places of the search.
    limit: Option<usize>,
    worth: f32,
    /// The values that questions must have, by field.
    only: Vec<(&'static str, String)>,
    each: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut root, mut questions, mut limit, mut each) = (None, None, None, false);
    let (mut budgets, mut worth, mut only) = (vec![1500, 4000], PackOptions::WORTH, Vec::new());
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("root") => root = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("questions") => questions = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("limit") => limit = Some(arguments.value()?.to_string_lossy().parse()?),
            lexopt::Arg::Long("worth") => worth = arguments.value()?.to_string_lossy().parse()?,
            lexopt::Arg::Long("split") => {
                only.push(("split", arguments.value()?.to_string_lossy().into_owned()))
            }
            lexopt::Arg::Long("corpus") => {
                only.push(("corpus", arguments.value()?.to_string_lossy().into_owned()))
            }
            lexopt::Arg::Long("each") => each = true,
            lexopt::Arg::Long("budgets") => {
                let value = arguments.value()?;
                budgets =
                    value.to_string_lossy().split(',').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let (Some(root), Some(questions)) = (root, questions) else {
        return Err("--root DIR and --questions FILE.jsonl are needed".into());
    };
    measure(&Options { root, questions, budgets, limit, worth, only, each })
}

fn measure(options: &Options) -> Result<(), Box<dyn Error>> {
    let cancel = Cancel::new();
    let encoder = StaticEncoder::shipped()?;
    let index = indexed(&options.root, &encoder, &cancel)?;
    let is_asked = |question: &Value| options.only.iter().all(|(field, value)| question[field] == **value);
    let questions: Vec<Value> = fs::read_to_string(&options.questions)?
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    for &budget in &options.budgets {
        let mut sums = Sums::default();
        let limit = options.limit.unwrap_or(PackOptions::PLACES);
        for question in questions.iter().filter(|question| is_asked(question)) {
            let text = question["query"].as_str().ok_or("a question without `query`")?;
            let vector = Some(encoder.embed_query(text, &cancel)?);
            let answer = index.search(&Query { limit, vector, ..Query::new(text) }, &cancel)?;
            let packing = PackOptions { worth: options.worth, ..PackOptions::new(budget) };
            let begun = Instant::now();
            let context = pack(&index, text, &answer, &packing, &Estimate);
            sums.times.push(begun.elapsed().as_secs_f64() * 1000.0);
            let missing = sums.add(&index, question, &answer, &context);
            if options.each {
                let titles: Vec<&str> = context.sections.iter().map(|section| &*section.title).collect();
                let id = &question["query_id"];
                println!(
                    "{}",
                    json!({ "query_id": id, "budget": budget, "missing": missing, "sections": titles })
                );
            }
        }
        println!("{}", sums.row(budget));
    }
    Ok(())
}

fn indexed(root: &Path, encoder: &StaticEncoder, cancel: &Cancel) -> Result<Index, Box<dyn Error>> {
    let cell = RefCell::new(Index::build(root, &BuildOptions::default(), &mut |_| {}, cancel)?);
    let mut publish = |batch, _| {
        let next = cell.borrow().with_vectors(batch)?;
        cell.replace(next);
        Ok(())
    };
    embed_all(&|| cell.borrow().clone(), encoder, 4096, &mut publish, cancel)?;
    Ok(cell.into_inner())
}

/// A clause of a function that belongs to an answer.
struct Wanted<'q> {
    file: &'q str,
    function: &'q str,
    clause: Span,
}

#[derive(Default)]
struct Sums {
    bodies: Vec<f64>,
    named: Vec<f64>,
    found: Vec<f64>,
    useful: Vec<f64>,
    files: Vec<f64>,
    documentation: Vec<f64>,
    answering: Vec<f64>,
    tokens: Vec<f64>,
    sections: Vec<f64>,
    times: Vec<f64>,
}

impl Sums {
    /// The primary functions that are missing.
    fn add(&mut self, index: &Index, question: &Value, answer: &Answer, context: &Context) -> Vec<Value> {
        let primary_files = files(&question["primary"]);
        let helpful = [files(&question["secondary"]), files(&question["useful"])].concat();
        let is_shown = |file: &&str| context.sections.iter().any(|section| *section.file == **file);
        self.files.push(share(&primary_files, is_shown));
        let of_answer = |file: &str| primary_files.contains(&file) || helpful.contains(&file);
        let (mut all, mut answering, mut documentation) = (0, 0, 0);
        for section in &context.sections {
            all += section.tokens;
            answering += if of_answer(&section.file) { section.tokens } else { 0 };
            documentation += documentation_in(index, &section.file, &section.lines);
        }
        self.answering.push(answering as f64 / all.max(1) as f64);
        self.documentation.push(documentation as f64 / all.max(1) as f64);
        self.tokens.push(context.tokens as f64);
        self.sections.push(context.sections.len() as f64);

        let shows = |file: &str, line: u32| {
            let of_file = context.sections.iter().filter(|section| *section.file == *file);
            of_file.flat_map(|section| &section.lines).any(|(first, last)| (*first..=*last).contains(&line))
        };
        let is_whole = |wanted: &Wanted| {
            let lines: Vec<&str> = index.text(wanted.file).map_or("", |text| text).lines().collect();
            let is_blank = |line: u32| lines.get(line as usize - 1).is_none_or(|it| it.trim().is_empty());
            (wanted.clause.line_start..=wanted.clause.line_end)
                .all(|line| is_blank(line) || shows(wanted.file, line))
        };
        let rank = |wanted: &Wanted| {
            answer.results.iter().position(|hit| {
                *hit.file == *wanted.file
                    && (hit.span.line_start..=hit.span.line_end).contains(&wanted.clause.line_start)
            })
        };
        let useful = wanted(index, &question["useful"], None);
        if !useful.is_empty() {
            self.useful.push(share(&useful, is_whole));
        }
        let primary = wanted(index, &question["primary"], question["function"].as_str());
        if primary.is_empty() {
            return Vec::new();
        }
        self.bodies.push(share(&primary, is_whole));
        self.named.push(share(&primary, |it| shows(it.file, it.clause.line_start)));
        self.found.push(share(&primary, |it| rank(it).is_some()));
        let missing = primary.iter().filter(|it| !is_whole(it)).map(|it| {
            json!({
                "function": it.function, "rank": rank(it).map(|rank| rank + 1),
                "lines": it.clause.line_end - it.clause.line_start + 1,
                "named": shows(it.file, it.clause.line_start),
            })
        });
        missing.collect()
    }

    fn row(&mut self, budget: usize) -> Value {
        self.times.sort_by(f64::total_cmp);
        let last = self.times.len().saturating_sub(1);
        let p99 = self.times.get(last * 99 / 100).copied().unwrap_or(0.0);
        json!({
            "budget": budget, "questions": self.files.len(), "bodies": mean(&self.bodies),
            "named": mean(&self.named), "found": mean(&self.found), "useful": mean(&self.useful),
            "files": mean(&self.files), "documentation": mean(&self.documentation),
            "answering": mean(&self.answering), "tokens": mean(&self.tokens),
            "sections": mean(&self.sections), "ms": mean(&self.times), "ms_p99": p99,
        })
    }
}

/// The files of an answer, which are given by themselves or with functions.
fn files(value: &Value) -> Vec<&str> {
    let entries = value.as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().filter_map(|entry| entry.as_str().or(entry["file"].as_str())).collect()
}

/// The clauses that an answer names; all of `function` where it names files.
fn wanted<'q>(index: &Index, value: &'q Value, function: Option<&'q str>) -> Vec<Wanted<'q>> {
    let mut all = Vec::new();
    for entry in value.as_array().map_or(&[][..], Vec::as_slice) {
        let (file, name, line) = match entry.as_str() {
            Some(file) => (file, function, None),
            None => (
                entry["file"].as_str().unwrap_or_default(),
                entry["function"].as_str(),
                entry["line"].as_u64(),
            ),
        };
        let (Some(facts), Some(function)) = (index.facts(file), name) else { continue };
        let clauses = facts.definitions.iter().flat_map(|definition| {
            let is_named = definition.qualified() == function;
            definition.clauses.iter().filter(move |clause| match line {
                Some(line) => (u64::from(clause.line_start)..=u64::from(clause.line_end)).contains(&line),
                None => is_named,
            })
        });
        // The innermost one: what a macro quotes has clauses, too.
        match line {
            Some(_) => all.extend(clauses.min_by_key(|it| it.end - it.start).map(|it| Wanted {
                file,
                function,
                clause: *it,
            })),
            None => all.extend(clauses.map(|it| Wanted { file, function, clause: *it })),
        }
    }
    all
}

/// The tokens in `lines` of a file that are no clause of a definition.
fn documentation_in(index: &Index, file: &str, lines: &[(u32, u32)]) -> usize {
    let text: Vec<&str> = index.text(file).map_or("", |text| text).lines().collect();
    let clauses: Vec<Span> = index
        .facts(file)
        .map(|facts| {
            let callable = facts.definitions.iter().filter(|it| it.arity.is_some());
            callable.flat_map(|definition| definition.clauses.clone()).collect()
        })
        .unwrap_or_default();
    lines
        .iter()
        .flat_map(|(first, last)| *first..=*last)
        .filter(|line| !clauses.iter().any(|it| (it.line_start..=it.line_end).contains(line)))
        .map(|line| text.get(line as usize - 1).map_or(0, |text| Estimate.count(&format!("{text}\n"))))
        .sum()
}

fn share<T>(all: &[T], is: impl Fn(&T) -> bool) -> f64 {
    all.iter().filter(|it| is(it)).count() as f64 / all.len().max(1) as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
