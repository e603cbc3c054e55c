//! What several tests of the graph need.

use super::CodeGraph;
use crate::source::File;
use crate::syntax::{FileFacts, analyse};

/// What is known of files given as `== path` lines followed by their text.
pub(super) fn facts(files: &str) -> Vec<(String, FileFacts)> {
    files
        .split("== ")
        .skip(1)
        .map(|file| file.split_once('\n').unwrap())
        .map(|(path, text)| (path.trim().to_owned(), analyse(&File::new(path.trim(), text))))
        .collect()
}

/// The graph of files given as `== path` lines followed by their text.
pub(super) fn graph(files: &str) -> CodeGraph {
    CodeGraph::build(facts(files))
}

/// A module for each number below `count`, whose function `f/0` calls those of the modules that `calls` pairs it with.
pub(super) fn calling(count: usize, calls: &[(usize, usize)]) -> CodeGraph {
    let module = |from: usize| {
        let body: Vec<_> =
            calls.iter().filter(|call| call.0 == from).map(|call| format!("M{:03}.f()", call.1)).collect();
        format!("== m{from:03}.ex\ndefmodule M{from:03} do\n  def f, do: {{{}}}\nend\n", body.join(", "))
    };
    graph(&(0..count).map(module).collect::<String>())
}
