//! Reads a project, builds its graph and prints figures as one JSON line:
//! `graph --root DIR [--edges OUT.jsonl] [--certain] [--definitions OUT.jsonl] [--compiled FOLDER]… [--lines N]`.
//! With `--edges` the calls are written, and with `--definitions` what takes arguments, one JSON object a line; `--certain`
//! leaves out calls whose resolution is not sure; `--compiled` names folders with what the compiler left behind. The time
//! from a change to an answer is measured on a file of about `--lines` lines (500).

use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ambix_core::Cancel;
use ambix_core::graph::{CodeGraph, Edge};
use ambix_core::project::BuildOptions;
use ambix_core::retrieval::Index;
use ambix_core::source::{File, WalkOptions, walk};
use ambix_core::syntax::analyse;
use lexopt::prelude::*;
use rayon::prelude::*;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut definitions = None;
    let (mut root, mut edges, mut certain, mut lines, mut compiled) = (None, None, false, 500, Vec::new());
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("root") => root = Some(PathBuf::from(arguments.value()?)),
            Long("edges") => edges = Some(PathBuf::from(arguments.value()?)),
            Long("certain") => certain = true,
            Long("definitions") => definitions = Some(PathBuf::from(arguments.value()?)),
            Long("lines") => lines = arguments.value()?.parse()?,
            Long("compiled") => compiled.push(PathBuf::from(arguments.value()?)),
            other => return Err(other.unexpected().into()),
        }
    }
    let root = root.ok_or("--root DIR is missing")?;
    let cancel = Cancel::new();

    let start = Instant::now();
    let (files, unread) = walk(&root, &WalkOptions::default(), &cancel)?;
    let read = start.elapsed();
    let facts: Vec<_> = files.par_iter().map(|file| Arc::new(analyse(file))).collect();
    let analysed = start.elapsed();
    let graph = CodeGraph::build(files.iter().map(|file| file.path.clone()).zip(facts.iter().cloned()));
    let built = start.elapsed();
    let peak = peak_kibibytes();
    let change = changes(&graph, &files, lines);
    let callers = callers(&graph);
    let start = Instant::now();
    let ranked = graph.rank(&[], &cancel)?;
    let rank = start.elapsed();
    let (graph, observed) = if compiled.is_empty() && !root.join("deps").is_dir() {
        (graph, None)
    } else {
        // Dependencies and the compiler's work belong to an index.
        let index = Index::build(&root, &BuildOptions::default(), &mut |_| {}, &cancel)?;
        let (index, observed) = index.with_compiled(&compiled, &mut |_| {}, &cancel)?;
        (index.graph().clone(), Some(format!("{observed:?}")))
    };

    let counted = |edge: &Edge| !edge.inlined && (edge.basis.is_certain() || !certain);
    let calls: Vec<_> = graph.edges().filter(counted).collect();
    if let Some(path) = edges {
        let mut out = BufWriter::new(fs::File::create(path)?);
        for edge in &calls {
            let line = json!({
                "caller_module": *edge.caller_module,
                "caller_fun": edge.caller_fun.as_deref(),
                "caller_arity": edge.caller_arity,
                "callee_module": *edge.callee_module,
                "callee_fun": *edge.callee_fun,
                "callee_arity": edge.callee_arity,
            });
            writeln!(out, "{line}")?;
        }
        out.flush()?;
    }
    if let Some(path) = definitions {
        let mut out = BufWriter::new(fs::File::create(path)?);
        for symbol in graph.symbols().filter(|symbol| symbol.arity.is_some()) {
            let line = json!({
                "module": *symbol.module,
                "fun": *symbol.name,
                "arity": symbol.arity,
                "defaults": symbol.defaults,
                "kind": symbol.kind.as_str(),
                "generated_by": symbol.generated_by.as_deref(),
            });
            writeln!(out, "{line}")?;
        }
        out.flush()?;
    }
    let sum = |count: fn(&ambix_core::syntax::FileFacts) -> usize| {
        facts.iter().map(|facts| count(facts)).sum::<usize>()
    };
    let report = json!({
        "files": files.len(),
        "lines": files.iter().map(|file| file.text.lines().count()).sum::<usize>(),
        "bytes": files.iter().map(|file| file.text.len()).sum::<usize>(),
        "definitions": sum(|facts| facts.definitions.len()),
        "references": sum(|facts| facts.references.len()),
        "chunks": sum(|facts| facts.chunks.len()),
        "diagnostics": unread.len() + sum(|facts| facts.diagnostics.len()),
        "edges": calls.len(),
        "unresolved": graph.unresolved(),
        "top": ranked.iter().take(5).map(|(symbol, _)| symbol.qualified()).collect::<Vec<_>>(),
        "seconds": {
            "read": read.as_secs_f64(),
            "analyse": (analysed - read).as_secs_f64(),
            "graph": (built - analysed).as_secs_f64(),
            "rank": rank.as_secs_f64(),
        },
        "milliseconds": {
            "change": change,
            "callers_depth_3": callers,
        },
        "observed": observed,
        "generated": graph.symbols().filter(|symbol| symbol.generated_by.is_some()).count(),
        "peak_mebibytes": peak.map(|kibibytes| kibibytes / 1024),
    });
    println!("{report}");
    Ok(())
}

/// From a changed text to the callers of a function in it, fifty times: median and greatest, and the lines of the file.
fn changes(graph: &CodeGraph, files: &[File], lines: usize) -> serde_json::Value {
    let about = |file: &&File| file.text.lines().count().abs_diff(lines);
    let sources = files.iter().filter(|file| file.path.ends_with(".ex"));
    let Some(file) = sources.min_by_key(about) else { return json!(null) };
    let Some(function) = graph
        .symbols()
        .find(|symbol| symbol.file == file.path && symbol.arity.is_some())
        .map(|s| s.qualified())
    else {
        return json!(null);
    };
    let mut times = Vec::new();
    for round in 0..50 {
        // The name of a function changes, so that those who call it have to be looked at again.
        let text = file.text.replacen("def ", &format!("def changed_{round}(), do: {round}\n  def "), 1);
        let start = Instant::now();
        let facts = analyse(&File::new(&*file.path, text));
        let next = graph.updated([(file.path.clone(), Some(facts))]);
        if let Ok(found) = next.find(&function) {
            let ids: Vec<_> = found.iter().map(|symbol| symbol.id).collect();
            std::hint::black_box(next.callers(&ids, 1));
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    json!({"median": times[25], "most": times[49], "lines": file.text.lines().count()})
}

/// Who calls a function over three steps, for up to two thousand functions: median, 99th percentile and greatest.
fn callers(graph: &CodeGraph) -> serde_json::Value {
    let functions: Vec<_> =
        graph.symbols().filter(|symbol| symbol.arity.is_some()).map(|symbol| symbol.id).collect();
    let mut times: Vec<f64> = functions
        .iter()
        .step_by(functions.len().div_ceil(2000).max(1))
        .map(|id| {
            let start = Instant::now();
            std::hint::black_box(graph.callers(&[*id], 3));
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied();
    json!({"median": at(0.5), "p99": at(0.99), "most": times.last()})
}

/// The most memory that this process has held, where the system tells it.
fn peak_kibibytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()
}
