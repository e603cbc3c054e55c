//! Reads a folder of code and prints its graph, or what is around a symbol, in a format of other programs or as a picture.
//!
//! ```text
//! cargo run --release -p aludel-core --example graph -- examples/shop dot | dot -Tsvg > shop.svg
//! ```

use std::path::Path;
use std::process::ExitCode;

use aludel_core::graph::{CodeGraph, Export, Format, Picture, SymbolId};
use aludel_core::source::{WalkOptions, walk};
use aludel_core::syntax::analyse;
use aludel_core::{Cancel, Error, Result};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (root, format, name) = match arguments.as_slice() {
        [root, format] => (root, format, None),
        [root, format, name] => (root, format, Some(name.as_str())),
        _ => {
            eprintln!("usage: graph FOLDER dot|graphml|json|mermaid|cypher|svg|modules.svg [SYMBOL]");
            return ExitCode::FAILURE;
        }
    };
    match export(Path::new(root), format, name) {
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

fn export(root: &Path, format: &str, name: Option<&str>) -> Result<String> {
    let (files, _diagnostics) = walk(root, &WalkOptions::default(), &Cancel::new())?;
    let facts: Vec<_> = files.iter().map(|file| (&*file.path, analyse(file))).collect();
    let graph = CodeGraph::build(facts);
    let symbols = name.map(|name| around(&graph, name)).transpose()?;
    if let "svg" | "modules.svg" = format {
        let picture =
            Picture { modules: format == "modules.svg", symbols, max_nodes: 400, ..Picture::default() };
        return graph.picture(&picture, &Cancel::new());
    }
    let format = Format::of_name(format).ok_or_else(|| Error::invalid(format!("{format:?} is no format")))?;
    // Files, and what holds what, are of use to a database; in a drawing they hide the rest.
    let holders = matches!(format, Format::Cypher | Format::GraphMl | Format::Json);
    let export = Export::new().holders(holders);
    let export = match symbols {
        Some(symbols) => export.symbols(symbols),
        None => export,
    };
    Ok(export.text(&graph, format))
}

/// The symbols of a name, and what is up to two steps away from them.
fn around(graph: &CodeGraph, name: &str) -> Result<Vec<SymbolId>> {
    let mut symbols: Vec<SymbolId> = graph.find(name)?.iter().map(|symbol| symbol.id).collect();
    let hits = [graph.callers(&symbols, 2), graph.callees(&symbols, 2)];
    symbols.extend(hits.iter().flatten().map(|hit| hit.symbol.id));
    Ok(symbols)
}
