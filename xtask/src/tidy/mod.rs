//! What compilers do not check: sizes of files, borders between crates, and documents that tell the truth.
//!
//! A check is a function from the tree of files to findings. Each looks at text only, so each is tested on trees that
//! are written in the test itself.

mod circles;
mod documents;
mod files;
mod links;
mod native;
mod rust;
mod text;
mod tree;

use std::fmt;
use std::path::Path;

use tree::Tree;

/// Every check, in the order in which findings are printed.
const CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    text::length,
    text::trailing_space,
    text::unfinished,
    text::switched_off_tests,
    text::test_names,
    circles::circles,
    native::core_without_beam,
    native::core_without_policy,
    native::normal_schedulers,
    native::guarded_arguments,
    native::no_panics,
    files::native_door,
    files::elixir_door,
    documents::layout,
    documents::modules,
    documents::versions,
    documents::changelog,
    documents::readme_commands,
    documents::mix_tasks,
    documents::make_targets,
    links::relative,
];

/// Prints what is wrong with the project at `root`, and fails if anything is.
pub fn check(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root).map_err(|error| format!("cannot read the project: {error}"))?;
    let findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} checks on {} files found nothing", CHECKS.len(), tree.files.len());
            Ok(())
        }
        1 => Err("1 finding".to_owned()),
        many => Err(format!("{many} findings")),
    }
}

/// Something to mend.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// From 1.
    line: usize,
    /// What is wrong and what to do, as sentences.
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl fmt::Display) -> Self {
        Finding { path: path.to_owned(), line, message: message.to_string() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Runs `check` on a tree of `(path, text)` and compares the places it names, as `path:line`, with `expected`.
#[cfg(test)]
#[track_caller]
fn assert_places(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
    let findings = check(&Tree::of(files));
    let places: Vec<String> =
        findings.iter().map(|finding| format!("{}:{}", finding.path, finding.line)).collect();
    assert_eq!(places, expected, "{findings:#?}");
}
