//! Reads a folder of code and prints its graph in a format of other programs, or as a picture.
//!
//! ```text
//! cargo run --release -p aludel-core --example graph -- examples/shop dot | dot -Tsvg > shop.svg
//! ```

use std::path::Path;
use std::process::ExitCode;

use aludel_core::graph::{CodeGraph, Export, Format};
use aludel_core::source::{WalkOptions, walk};
use aludel_core::syntax::analyse;
use aludel_core::{Cancel, Error, Result};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, format] = arguments.as_slice() else {
        eprintln!("usage: graph FOLDER dot|graphml|json|mermaid|cypher");
        return ExitCode::FAILURE;
    };
    match export(Path::new(root), format) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("graph: {error}");
            ExitCode::FAILURE
        }
    }
}

fn export(root: &Path, format: &str) -> Result<String> {
    let format = Format::of_name(format).ok_or_else(|| Error::invalid(format!("{format:?} is no format")))?;
    let (files, _diagnostics) = walk(root, &WalkOptions::default(), &Cancel::new())?;
    let facts: Vec<_> = files.iter().map(|file| (&*file.path, analyse(file))).collect();
    let graph = CodeGraph::build(facts.iter().map(|(path, facts)| (*path, facts)));
    // Files, and what holds what, are of use to a database; in a drawing they hide the rest.
    let holders = matches!(format, Format::Cypher | Format::GraphMl | Format::Json);
    Ok(Export::new().holders(holders).text(&graph, format))
}
