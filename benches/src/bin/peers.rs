//! The lexical side of an index beside tantivy, on the same chunks and the same questions, in one run.
//!
//! `cargo run --release -p ambix-benches --no-default-features --features peers --bin peers -- --root DIR --queries IN.jsonl [--turns N]`
//!
//! IN has a `query` a line. Both hold the chunks of DIR in memory, answer on one thread, and give ten places; they are asked in turn,
//! so that what else the machine does is shared. tantivy ranks by BM25 over one field, with its default tokenizer, and finds what has
//! any of the words. Ambix is asked twice: for its ranking by words (`Mode::Lexical`, six fields, features and all) and with the
//! static model.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ambix_core::Cancel;
use ambix_core::project::BuildOptions;
use ambix_core::retrieval::{Index, Mode, Query, StaticEncoder};
use serde_json::Value;
use tantivy::collector::TopDocs;
use tantivy::query::QueryParser;
use tantivy::schema::{STORED, Schema, TEXT};
use tantivy::{Index as Tantivy, TantivyDocument, doc};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut root, mut queries, mut turns) = (None, None, 3);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("root") => root = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("queries") => queries = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("turns") => {
                turns = arguments.value()?.to_string_lossy().parse::<usize>()?.max(1)
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let (Some(root), Some(queries)) = (root, queries) else {
        return Err("--root DIR and --queries IN.jsonl are needed".into());
    };
    let texts = fs::read_to_string(queries)?;
    let texts = texts.lines().filter(|line| !line.trim().is_empty());
    let texts = texts
        .map(|line| Ok(serde_json::from_str::<Value>(line)?["query"].as_str().unwrap_or("").to_string()));
    let texts: Vec<String> = texts.collect::<Result<_, serde_json::Error>>()?;

    let cancel = Cancel::new();
    let (index, building) = timed(|| Index::build(&root, &BuildOptions::default(), &mut |_| {}, &cancel))?;
    let encoder = Arc::new(StaticEncoder::shipped()?);
    let (full, encoding) = timed(|| index.with_encoder(encoder, &cancel))?;

    let mut schema = Schema::builder();
    let body = schema.add_text_field("body", TEXT);
    let number = schema.add_u64_field("number", STORED);
    let peer = Tantivy::create_in_ram(schema.build());
    let (_, indexing) = timed(|| {
        let mut writer = peer.writer_with_num_threads::<TantivyDocument>(2, 256 << 20)?;
        for (at, (file, chunk)) in index.chunks().enumerate() {
            writer.add_document(doc!(body => file.slice(chunk.span), number => at as u64))?;
        }
        writer.commit().map(drop)
    })?;
    let reader = peer.reader()?;
    let parser = QueryParser::for_index(&peer, vec![body]);

    println!("{} chunks, {} questions", index.stats().chunks, texts.len());
    println!("ambix: files read, analysed and indexed {building:.0} ms, vectors {encoding:.0} ms");
    println!("tantivy: chunks indexed {indexing:.0} ms on two threads");
    for turn in 0..turns {
        let ask =
            |name: &str, ask: &dyn Fn(&str) -> Result<usize, Box<dyn Error>>| -> Result<(), Box<dyn Error>> {
                let mut times = Vec::with_capacity(texts.len());
                for text in &texts {
                    times.push(timed(|| ask(text))?.1);
                }
                let rate = 1000.0 * times.len() as f64 / times.iter().sum::<f64>();
                times.sort_by(f64::total_cmp);
                let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
                println!("turn {turn}  {name:16} {rate:8.0} queries/s, p50 {p50:.3} ms, p99 {p99:.3} ms");
                Ok(())
            };
        ask("tantivy", &|text| {
            let (query, _) = parser.parse_query_lenient(text);
            let searcher = reader.searcher();
            let found = searcher.search(&query, &TopDocs::with_limit(10))?;
            let documents = found.iter().map(|(_, at)| searcher.doc::<TantivyDocument>(*at));
            Ok(documents.collect::<Result<Vec<_>, _>>()?.len())
        })?;
        let ambix = |index: &Index, mode, text: &str| -> Result<usize, Box<dyn Error>> {
            Ok(index.search(&Query { mode, ..Query::new(text) }, &cancel)?.results.len())
        };
        ask("ambix, words", &|text| ambix(&index, Mode::Lexical, text))?;
        ask("ambix, all", &|text| ambix(&full, Mode::Hybrid, text))?;
    }
    Ok(())
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, f64), E> {
    let start = Instant::now();
    let value = work()?;
    Ok((value, start.elapsed().as_secs_f64() * 1000.0))
}
