//! What a pack for a budget of tokens holds of the judged answers, and how long packing takes.
//!
//! `cargo run --release -p ambix-benches --no-default-features --bin pack -- --root DIR --questions FILE.jsonl
//! [--budgets 1000,4000,16000] [--limit N] [--reach N]`
//!
//! Prints a line of JSON for each budget:
//!
//! - `primary`, `relevant`: the share of the files with the answer, and of these and those that help to understand it, of which
//!   the pack shows a line; the mean over the questions.
//! - `named`, `whole`: of the questions whose best answer is one function, the share of those where the first line of the
//!   function is shown, and where all of it is.
//! - `useful`: the share of the tokens that are of files with an answer.
//! - `tokens`, `sections`: the means. `ms`, `ms_p99`: the time of packing alone, after the search.
//!
//! Tokens are counted as tokenizers of code make them, about: a word is a token for each four letters, any other character
//! that is not white space one, and so is the end of a line.

use std::cell::RefCell;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ambix_core::Cancel;
use ambix_core::context::{Context, PackOptions, Section, pack};
use ambix_core::project::BuildOptions;
use ambix_core::retrieval::{Embedder, Index, Query, StaticEncoder, embed_all};
use ambix_core::source::Span;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut root, mut questions, mut limit) = (None, None, 20);
    let (mut budgets, mut reach) = (vec![1000, 4000, 16000], PackOptions::REACH);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("root") => root = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("questions") => questions = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("limit") => limit = arguments.value()?.to_string_lossy().parse()?,
            lexopt::Arg::Long("reach") => reach = arguments.value()?.to_string_lossy().parse()?,
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
    measure(&root, &questions, &budgets, limit, reach)
}

fn measure(
    root: &Path,
    questions: &Path,
    budgets: &[usize],
    limit: usize,
    reach: f32,
) -> Result<(), Box<dyn Error>> {
    let cancel = Cancel::new();
    let encoder = StaticEncoder::shipped()?;
    let cell = RefCell::new(Index::build(root, &BuildOptions::default(), &mut |_| {}, &cancel)?);
    let mut publish = |batch, _| {
        let next = cell.borrow().with_vectors(batch)?;
        cell.replace(next);
        Ok(())
    };
    embed_all(&|| cell.borrow().clone(), &encoder, 4096, &mut publish, &cancel)?;
    let index = cell.into_inner();
    let questions: Vec<Value> = fs::read_to_string(questions)?
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    for budget in budgets {
        let mut sums = Sums::default();
        for question in &questions {
            let text = question["query"].as_str().ok_or("a question without `query`")?;
            let vector = Some(encoder.embed_query(text, &cancel)?);
            let answer = index.search(&Query { limit, vector, ..Query::new(text) }, &cancel)?;
            let begun = Instant::now();
            let context =
                pack(&index, text, &answer, &PackOptions { reach, ..PackOptions::new(*budget) }, &tokens);
            sums.times.push(begun.elapsed().as_secs_f64() * 1000.0);
            sums.add(&index, question, &context);
        }
        println!("{}", sums.row(*budget));
    }
    Ok(())
}

#[derive(Default)]
struct Sums {
    primary: Vec<f64>,
    relevant: Vec<f64>,
    named: Vec<f64>,
    whole: Vec<f64>,
    useful: Vec<f64>,
    tokens: Vec<f64>,
    sections: Vec<f64>,
    times: Vec<f64>,
}

impl Sums {
    fn add(&mut self, index: &Index, question: &Value, context: &Context) {
        let primary = names(&question["primary"]);
        let relevant = [primary.clone(), names(&question["secondary"])].concat();
        let is_shown = |file: &&&str| context.sections.iter().any(|section| *section.file == ***file);
        let share = |files: &[&str]| files.iter().filter(is_shown).count() as f64 / files.len().max(1) as f64;
        self.primary.push(share(&primary));
        self.relevant.push(share(&relevant));
        let useful: usize = context
            .sections
            .iter()
            .filter(|section| relevant.contains(&&*section.file))
            .map(|section| section.tokens)
            .sum();
        let all: usize = context.sections.iter().map(|section| section.tokens).sum();
        self.useful.push(useful as f64 / all.max(1) as f64);
        self.tokens.push(context.tokens as f64);
        self.sections.push(context.sections.len() as f64);
        let Some(function) = question["function"].as_str() else { return };
        let clauses: Vec<(&str, &Vec<Span>)> = primary
            .iter()
            .filter_map(|file| Some((*file, index.facts(file)?)))
            .flat_map(|(file, facts)| facts.definitions.iter().map(move |definition| (file, definition)))
            .filter(|(_, definition)| definition.qualified() == function)
            .map(|(file, definition)| (file, &definition.clauses))
            .collect();
        let shows = |file: &str, line: u32| {
            context.sections.iter().any(|section| *section.file == *file && has_line(section, line))
        };
        let first = |(file, spans): &(&str, &Vec<Span>)| {
            spans.first().is_some_and(|span| shows(file, span.line_start))
        };
        let every = |(file, spans): &(&str, &Vec<Span>)| {
            let text = index.text(file).map_or("", |text| text);
            let blank: Vec<bool> = text.lines().map(|line| line.trim().is_empty()).collect();
            let is_blank = |line: u32| blank.get(line as usize - 1).copied().unwrap_or(true);
            spans
                .iter()
                .flat_map(|span| span.line_start..=span.line_end)
                .all(|it| is_blank(it) || shows(file, it))
        };
        let flag = |yes: bool| if yes { 1.0 } else { 0.0 };
        self.named.push(flag(clauses.iter().any(first)));
        self.whole.push(flag(!clauses.is_empty() && clauses.iter().any(every)));
    }

    fn row(&mut self, budget: usize) -> Value {
        self.times.sort_by(f64::total_cmp);
        let last = self.times.len().saturating_sub(1);
        let p99 = self.times.get(last * 99 / 100).copied().unwrap_or(0.0);
        json!({
            "budget": budget, "questions": self.primary.len(), "primary": mean(&self.primary),
            "relevant": mean(&self.relevant), "functions": self.named.len(), "named": mean(&self.named),
            "whole": mean(&self.whole), "useful": mean(&self.useful), "tokens": mean(&self.tokens),
            "sections": mean(&self.sections), "ms": mean(&self.times), "ms_p99": p99,
        })
    }
}

fn has_line(section: &Section, line: u32) -> bool {
    section.lines.iter().any(|(first, last)| (*first..=*last).contains(&line))
}

fn names(value: &Value) -> Vec<&str> {
    value.as_array().map_or_else(Vec::new, |files| files.iter().filter_map(Value::as_str).collect())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn tokens(text: &str) -> usize {
    let (mut count, mut letters) = (0, 0_usize);
    for character in text.chars() {
        if character.is_alphanumeric() || character == '_' {
            letters += 1;
            continue;
        }
        count += letters.div_ceil(4) + usize::from(character == '\n' || !character.is_whitespace());
        letters = 0;
    }
    count + letters.div_ceil(4)
}
