//! The candidates of questions with their features, from which `scripts/learn_ranking.py` learns what each counts.
//!
//! `cargo run --release -p ambix-benches --no-default-features --bin rank -- --root DIR --queries IN.jsonl --out OUT.jsonl
//! [--limit N] [--words] [--encoder PATH]`
//!
//! Meaning is that of the static model, with `--encoder` that of another file of it, or that of the encoder in a folder, in INT8, if
//! the program was built with `inference`; `--words` leaves it out.
//!
//! IN has `query_id` and `query` a line; OUT `{"query_id", "results": [{"file", "line_start", "line_end", "score", "features"}]}`, best
//! first, with the features that are not 0.

use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambix_core::Cancel;
use ambix_core::project::BuildOptions;
use ambix_core::retrieval::{Embedder, Hit, Index, Query, StaticEncoder};
use serde_json::{Map, Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut root, mut queries, mut out, mut limit) = (None, None, None, 300);
    let (mut words, mut encoder) = (false, None);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("root") => root = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("queries") => queries = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("out") => out = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("limit") => limit = arguments.value()?.to_string_lossy().parse()?,
            lexopt::Arg::Long("words") => words = true,
            lexopt::Arg::Long("encoder") => encoder = Some(PathBuf::from(arguments.value()?)),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let (Some(root), Some(queries), Some(out)) = (root, queries, out) else {
        return Err("--root DIR, --queries IN.jsonl and --out OUT.jsonl are needed".into());
    };
    let encoder = match encoder {
        _ if words => None,
        Some(path) => Some(load(&path)?),
        None => Some(Arc::new(StaticEncoder::shipped()?) as _),
    };
    rank(&root, &queries, &out, limit, encoder)
}

type Shared = Arc<dyn Embedder + Send + Sync>;

fn load(path: &Path) -> Result<Shared, Box<dyn Error>> {
    #[cfg(feature = "inference")]
    if path.is_dir() {
        use ambix_core::inference::{Encoder, LoadOptions, Precision};
        let options = LoadOptions { precision: Precision::Int8, ..LoadOptions::default() };
        return Ok(Arc::new(Encoder::load(path, &options)?));
    }
    Ok(Arc::new(StaticEncoder::load(path)?))
}

fn rank(
    root: &Path,
    queries: &Path,
    out: &Path,
    limit: usize,
    encoder: Option<Shared>,
) -> Result<(), Box<dyn Error>> {
    let cancel = Cancel::new();
    let mut index = Index::build(root, &BuildOptions::default(), &mut |_| {}, &cancel)?;
    if let Some(encoder) = encoder {
        index = index.with_encoder(encoder, &cancel)?;
    }
    let mut out = BufWriter::new(fs::File::create(out)?);
    for line in fs::read_to_string(queries)?.lines().filter(|line| !line.trim().is_empty()) {
        let row: Value = serde_json::from_str(line)?;
        let text = row["query"].as_str().ok_or("a query without `query`")?;
        let answer = index.search(&Query { limit, ..Query::new(text) }, &cancel)?;
        let results: Vec<Value> = answer.results.iter().map(result).collect();
        writeln!(out, "{}", json!({"query_id": row["query_id"], "results": results}))?;
    }
    Ok(out.flush()?)
}

fn result(hit: &Hit) -> Value {
    let features: Map<String, Value> =
        hit.features.iter().map(|(feature, value, _)| (feature.as_str().to_owned(), json!(value))).collect();
    json!({
        "file": &*hit.file,
        "line_start": hit.span.line_start,
        "line_end": hit.span.line_end,
        "score": hit.score,
        "features": features,
    })
}
