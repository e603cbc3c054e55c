//! Reads a project, builds its graph and prints figures as one JSON line:
//! `graph --root DIR [--edges OUT.jsonl] [--certain]`. With `--edges` the calls are written, one JSON object a line;
//! `--certain` leaves out those whose resolution is not sure.

use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use aludel_core::Cancel;
use aludel_core::graph::{CodeGraph, Edge};
use aludel_core::source::{WalkOptions, walk};
use aludel_core::syntax::analyse;
use lexopt::prelude::*;
use rayon::prelude::*;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut root, mut edges, mut certain) = (None, None, false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("root") => root = Some(PathBuf::from(arguments.value()?)),
            Long("edges") => edges = Some(PathBuf::from(arguments.value()?)),
            Long("certain") => certain = true,
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
    let ranked = graph.rank(&[], &cancel)?;
    let rank = start.elapsed() - built;

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
    let sum = |count: fn(&aludel_core::syntax::FileFacts) -> usize| {
        facts.iter().map(|facts| count(facts)).sum::<usize>()
    };
    let report = json!({
        "files": files.len(),
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
        "peak_mebibytes": peak_kibibytes().map(|kibibytes| kibibytes / 1024),
    });
    println!("{report}");
    Ok(())
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
