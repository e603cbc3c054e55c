//! How many injected bugs the candidates of `repair` would mend, and at which place in their list: the healthy text
//! must be among them, white space aside. All lines of the function that holds the bug are equally suspicious, so the
//! figures say nothing of localisation.
//!
//! `candidates --bugs injected.jsonl --corpora DIR [--max N] [--only ID] [--json]`: DIR holds one checkout per project,
//! at the commit that the bugs name; `--only` takes one bug and lists its candidates.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ambix_core::Cancel;
use ambix_core::repair::{Candidate, Request, Suspect, candidates};
use ambix_core::source::File;
use ambix_core::syntax::{FileFacts, analyse};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Options {
    bugs: PathBuf,
    corpora: PathBuf,
    max: usize,
    json: bool,
    only: Option<String>,
}

/// What came of one bug.
struct Outcome {
    id: String,
    /// Place in the list, from 1, and the kind of the candidate that mends it.
    exact: Option<(usize, &'static str)>,
    candidates: usize,
    seconds: f64,
}

fn main() -> Result<()> {
    let options = options()?;
    let mut outcomes = Vec::new();
    for line in std::fs::read_to_string(&options.bugs)?.lines() {
        let bug: Value = serde_json::from_str(line)?;
        if options.only.as_deref().is_none_or(|only| bug["id"] == only) {
            outcomes.push(measure(&options, &bug)?);
        }
    }
    report(&options, &outcomes);
    Ok(())
}

fn options() -> Result<Options> {
    use lexopt::prelude::*;
    let mut options =
        Options { bugs: PathBuf::new(), corpora: PathBuf::new(), max: 5000, json: false, only: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("bugs") => options.bugs = parser.value()?.into(),
            Long("corpora") => options.corpora = parser.value()?.into(),
            Long("max") => options.max = parser.value()?.parse()?,
            Long("only") => options.only = Some(parser.value()?.string()?),
            Long("json") => options.json = true,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

fn measure(options: &Options, bug: &Value) -> Result<Outcome> {
    let text = |key: &str| bug[key].as_str().ok_or_else(|| format!("the bug has no `{key}`"));
    let number =
        |key: &str| bug[key].as_u64().map(|n| n as usize).ok_or_else(|| format!("the bug has no `{key}`"));
    let root = options.corpora.join(text("project")?);
    let (path, offset) = (text("file")?, number("offset")?);
    let healthy = std::fs::read_to_string(root.join(path))?;
    let mut buggy = healthy.clone();
    buggy.replace_range(offset..offset + number("length")?, text("replacement")?);
    let donors = sources(&root)?;
    let donors: Vec<(&str, &str)> = donors
        .iter()
        .map(|(other, text)| (other.as_str(), if other == path { buggy.as_str() } else { text.as_str() }))
        .collect();
    let facts: Vec<FileFacts> = donors.iter().map(|(path, text)| analyse(&File::new(*path, *text))).collect();
    let facts: Vec<(&str, &FileFacts)> = donors.iter().map(|(path, _)| *path).zip(&facts).collect();
    let evidence = evidence(&root, bug)?;
    let suspects: Vec<Suspect> = function_around(&buggy, offset)
        .map(|line| Suspect { file: path.into(), line, score: 1.0, why: String::new() })
        .collect();
    let request = Request {
        facts: &facts,
        donors: &donors,
        evidence: &evidence,
        max: options.max,
        ..Request::new(path, &buggy, &suspects)
    };
    let start = Instant::now();
    let found = candidates(&request, &Cancel::new())?;
    let seconds = start.elapsed().as_secs_f64();
    if options.only.is_some() {
        for candidate in &found {
            println!("{:.4} {:4} {}", candidate.prior, candidate.line, candidate.label);
        }
    }
    let mends = |candidate: &Candidate| candidate.patch().apply(&buggy).is_ok_and(|new| same(&new, &healthy));
    let exact = found.iter().position(mends).map(|at| (at + 1, found[at].kind.as_str()));
    Ok(Outcome { id: text("id")?.to_string(), exact, candidates: found.len(), seconds })
}

/// Whether two texts differ in white space at most.
fn same(a: &str, b: &str) -> bool {
    a == b || a.split_whitespace().eq(b.split_whitespace())
}

/// The files of `lib`, sorted by path.
fn sources(root: &Path) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    let mut folders = vec![root.join("lib")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "ex") {
                let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
                files.push((name, std::fs::read_to_string(&path)?));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The source of the failing tests, as whoever runs the tests would know it: found by name.
fn evidence(root: &Path, bug: &Value) -> Result<String> {
    let mut texts = Vec::new();
    let mut folders = vec![root.join("test")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "exs") {
                texts.push(std::fs::read_to_string(&path)?);
            }
        }
    }
    texts.sort();
    let mut evidence = String::new();
    for name in bug["failing_tests"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let name = name.rsplit(": ").next().unwrap_or(name).trim_start_matches("test ");
        evidence.push_str(name);
        for text in &texts {
            if let Some(at) = text.find(&format!("test \"{name}\"")) {
                let rest = &text[at..];
                evidence.push_str(&rest[..rest.find("\n  end").unwrap_or(rest.len())]);
            }
        }
        evidence.push('\n');
    }
    Ok(evidence)
}

/// The lines, from 1, of the definition around a byte: by indentation, from the nearest line above that begins with
/// `def` and is indented less, to its end. Outside of any, the lines around.
fn function_around(text: &str, offset: usize) -> std::ops::RangeInclusive<u32> {
    let lines: Vec<&str> = text.lines().collect();
    let at = text[..offset].matches('\n').count().min(lines.len().saturating_sub(1));
    let indent = |line: &str| line.len() - line.trim_start().len();
    let defines =
        |line: &str| line.trim_start().starts_with("def") && !line.trim_start().starts_with("defmodule");
    let head = (0..=at).rev().find(|&n| {
        defines(lines[n]) && (n == at || indent(lines[n]) < indent(lines[at]) || lines[at].trim().is_empty())
    });
    let Some(head) = head else {
        return at.saturating_sub(3) as u32 + 1..=at as u32 + 4;
    };
    let end = (head + 1..lines.len())
        .find(|&n| !lines[n].trim().is_empty() && indent(lines[n]) <= indent(lines[head]))
        .unwrap_or(lines.len());
    head as u32 + 1..=(end.max(at + 1)) as u32
}

fn report(options: &Options, outcomes: &[Outcome]) {
    let within =
        |limit: usize| outcomes.iter().filter(|one| one.exact.is_some_and(|(rank, _)| rank <= limit)).count();
    let mut ranks: Vec<usize> = outcomes.iter().filter_map(|one| one.exact.map(|(rank, _)| rank)).collect();
    ranks.sort_unstable();
    let mut sizes: Vec<usize> = outcomes.iter().map(|one| one.candidates).collect();
    sizes.sort_unstable();
    let median = |list: &[usize]| list.get(list.len() / 2).copied().unwrap_or(0);
    let mut kinds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (rank, kind) in outcomes.iter().filter_map(|one| one.exact) {
        kinds.entry(kind).or_default().push(rank);
    }
    let seconds: f64 = outcomes.iter().map(|one| one.seconds).sum();
    if options.json {
        let bugs: Vec<Value> = outcomes
            .iter()
            .map(|one| json!({"id": one.id, "rank": one.exact.map(|e| e.0), "kind": one.exact.map(|e| e.1), "candidates": one.candidates, "seconds": one.seconds}))
            .collect();
        let line = json!({"bugs": outcomes.len(), "recall": {"100": within(100), "1000": within(1000), "5000": within(5000)},
            "median_rank": median(&ranks), "median_candidates": median(&sizes), "seconds": seconds, "each": bugs});
        println!("{line}");
        return;
    }
    for one in outcomes {
        let place = one.exact.map_or("-".to_string(), |(rank, kind)| format!("{rank} {kind}"));
        println!("{:<24} {:>6} candidates {:>6.2} s   {place}", one.id, one.candidates, one.seconds);
    }
    println!();
    for (kind, ranks) in kinds {
        println!("{kind:<18} {:>3} bugs, at {ranks:?}", ranks.len());
    }
    println!(
        "\nrecall of {}: @100 {}, @1000 {}, @5000 {}; median rank {} of those found, median list {}; {seconds:.1} s",
        outcomes.len(),
        within(100),
        within(1000),
        within(5000),
        median(&ranks),
        median(&sizes)
    );
}
