//! Indexes a folder of Elixir code and searches it.
//!
//! ```text
//! cargo run --release -p aludel-core --example search -- examples/shop "divide money without losing a cent"
//! ```

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use aludel_core::retrieval::{BuildOptions, Index, Query};
use aludel_core::{Cancel, Result};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, question] = arguments.as_slice() else {
        eprintln!("usage: search FOLDER QUESTION");
        return ExitCode::FAILURE;
    };
    match search(Path::new(root), question) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("search: {error}");
            ExitCode::FAILURE
        }
    }
}

fn search(root: &Path, question: &str) -> Result<()> {
    // A program with a window would keep a clone of the token, to stop the work when its user does not want it any more.
    let cancel = Cancel::new();

    let began = Instant::now();
    let index = Index::build(root, &BuildOptions::default(), &mut |_progress| (), &cancel)?;
    let stats = index.stats();
    println!(
        "{} files, {} definitions and {} chunks in {:.2?}\n",
        stats.files,
        stats.definitions,
        stats.chunks,
        began.elapsed()
    );

    let began = Instant::now();
    let answer = index.search(&Query { limit: 5, ..Query::new(question) }, &cancel)?;
    for hit in &answer.results {
        println!("{:7.3}  {}:{}  {}", hit.score, hit.file, hit.span.line_start, hit.symbol);
    }
    println!("\n{} places in {:.2?}", answer.results.len(), began.elapsed());
    Ok(())
}
