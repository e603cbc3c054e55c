//! Circles between the files of the core, found by what they import.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::rust::code_lines;
use super::tree::{File, Tree};

const SOURCES: &str = "crates/core/src/";

/// No files of the core use one another in a circle.
pub fn circles(tree: &Tree) -> Vec<Finding> {
    let modules: BTreeMap<Vec<String>, &File> = tree
        .under(SOURCES, &[".rs"])
        .filter(|file| !is_test(&file.path))
        .map(|file| (module(&file.path), file))
        .collect();
    let names: BTreeSet<&Vec<String>> = modules.keys().collect();
    let mut uses: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (name, file) in &modules {
        let imported = imports(file).into_iter().filter_map(|path| resolved(name, &path, &names));
        // A module that lists its parts does not depend on them: they may use it.
        uses.insert(name, imported.filter(|other| other != name).collect());
    }
    let mut findings = Vec::new();
    let mut told = BTreeSet::new();
    for name in modules.keys() {
        let circle: BTreeSet<&Vec<String>> = reachable(name, &uses)
            .into_iter()
            .filter(|other| *other != name && reachable(other, &uses).contains(name))
            .chain([name])
            .collect();
        if circle.len() > 1 && told.insert(circle.clone()) {
            let names: Vec<String> = circle.iter().map(|name| name.join("::")).collect();
            let message = format!(
                "{} use one another in a circle. Move what they share to a file of its own.",
                names.join(", ")
            );
            findings.push(Finding::new(&modules[name].path, 1, message));
        }
    }
    findings
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.contains("/tests/") || ["tests.rs", "testing.rs"].iter().any(|end| name.ends_with(end))
}

/// `["graph", "build"]` of `crates/core/src/graph/build/mod.rs`.
fn module(path: &str) -> Vec<String> {
    let path = path.strip_prefix(SOURCES).unwrap_or(path).trim_end_matches(".rs");
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

/// The paths that the file imports for itself: what it only hands on with `pub use` is not counted.
fn imports(file: &File) -> Vec<Vec<String>> {
    let code: String = code_lines(file).into_iter().map(|(_, line)| format!("{line}\n")).collect();
    let mut paths = Vec::new();
    for statement in code.split(';') {
        let Some(at) = statement.rfind("use ") else { continue };
        let before = statement[..at].rsplit('\n').next().unwrap_or_default().trim();
        if before.is_empty() {
            expand(&mut Vec::new(), statement[at + 4..].trim(), &mut paths);
        }
    }
    paths
}

/// The paths of a tree such as `a::{b, c::d}`.
fn expand(prefix: &mut Vec<String>, tree: &str, paths: &mut Vec<Vec<String>>) {
    let (head, group) = match tree.split_once('{') {
        Some((head, rest)) => (head, rest.strip_suffix('}')),
        None => (tree, None),
    };
    let length = prefix.len();
    let names = head.split("::").map(str::trim).filter(|name| !name.is_empty());
    prefix.extend(names.map(|name| name.split(' ').next().unwrap_or(name).to_owned()));
    match group {
        Some(group) => {
            let (mut depth, mut start) = (0, 0);
            for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        let part = group[start..at].trim();
                        if !part.is_empty() {
                            expand(prefix, part, paths);
                        }
                        start = at + 1;
                    }
                    _ => {}
                }
            }
        }
        None => paths.push(prefix.clone()),
    }
    prefix.truncate(length);
}

/// The file that an import of the module `from` leads to: the longest part of its path that is one. An import from a folder's
/// own list of parts counts as one from the folder.
fn resolved(from: &[String], path: &[String], names: &BTreeSet<&Vec<String>>) -> Option<Vec<String>> {
    let mut full: Vec<String> = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" => from.to_vec(),
        "super" => from.to_vec(),
        first => {
            let mut child = from.to_vec();
            child.push(first.to_owned());
            if !names.contains(&child) {
                return None;
            }
            from.to_vec()
        }
    };
    for part in path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => drop(full.pop()),
            part => full.push(part.to_owned()),
        }
    }
    while !full.is_empty() && !names.contains(&full) {
        full.pop();
    }
    // What stands in the file of a folder above is there to be used by its parts.
    (!full.is_empty() && !from.starts_with(&full)).then_some(full)
}

fn reachable<'m>(
    from: &Vec<String>,
    uses: &'m BTreeMap<&'m Vec<String>, BTreeSet<Vec<String>>>,
) -> BTreeSet<&'m Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<&Vec<String>> = uses.get(from).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if seen.insert(next) {
            open.extend(uses.get(next).into_iter().flatten());
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::*;

    #[test]
    fn files_that_use_one_another_are_told_once() {
        let free = [
            ("crates/core/src/graph/mod.rs", "mod a;\nmod b;\npub use a::A;\n"),
            ("crates/core/src/graph/a.rs", "use super::b::{B, C};\n"),
            ("crates/core/src/graph/b.rs", "use crate::syntax::{\n    Chunk,\n};\n"),
            ("crates/core/src/syntax/mod.rs", "mod x;\n"),
        ];
        assert_places(circles, &free, &[]);
        let mut bound = free.to_vec();
        bound[2].1 = "use crate::graph::a::A;\n";
        assert_places(circles, &bound, &["crates/core/src/graph/a.rs:1"]);
        // Tests may use what they test.
        bound[2].1 = "#[cfg(test)]\nmod tests {\n    use crate::graph::a::A;\n}\n";
        assert_places(circles, &bound, &[]);
        // Nor may the files of several rooms.
        bound[2].1 = "use crate::syntax::x::X;\n";
        bound.push(("crates/core/src/syntax/x.rs", "use crate::graph::b::B;\nuse super::y::Y;\n"));
        bound.push(("crates/core/src/syntax/y.rs", "use super::x::X;\n"));
        assert_places(circles, &bound, &["crates/core/src/graph/b.rs:1"]);
        bound[2].1 = "";
        assert_places(circles, &bound, &["crates/core/src/syntax/x.rs:1"]);
    }
}
