//! Checks of the border between the core, the NIFs and the BEAM.

use super::Finding;
use super::rust::code_lines;
use super::tree::Tree;

/// What may not be written in the core, and who does it instead. `crates/core/clippy.toml` says the same to the
/// compiler, which also sees through renamed imports; this list also holds what clippy cannot name.
const POLICY: &[(&str, &str)] = &[
    ("env::var", "take the value as an argument"),
    ("env::vars", "take the values as arguments"),
    ("env::set_var", "leave the environment to the caller"),
    ("env::current_dir", "take the folder as an argument"),
    ("process::Command", "let the Elixir side start processes"),
    ("process::exit", "return an error"),
    ("std::net", "let the caller talk to the network"),
    ("print!", "return the text, or report it as progress"),
    ("eprint!", "return a diagnostic"),
    ("println!", "return the text, or report it as progress"),
    ("eprintln!", "return a diagnostic"),
    ("static mut", "pass the state as an argument"),
];

const PANICS: &[&str] = &[".unwrap()", ".expect(", "panic!(", "unreachable!("];

/// The core does not depend on rustler.
pub fn core_without_beam(tree: &Tree) -> Vec<Finding> {
    let manifest = tree.get("crates/core/Cargo.toml").into_iter();
    let sources = tree.under("crates/core/", &[".rs"]);
    let mut findings = Vec::new();
    for file in manifest.chain(sources) {
        for (line, text) in file.lines() {
            let code = text.split(['#', '"']).next().unwrap_or_default();
            let names_it = match file.name() {
                "Cargo.toml" => code.trim_start().starts_with("rustler"),
                _ => text.contains("rustler::"),
            };
            if names_it {
                let message = "crates/core must not know the BEAM. Move what needs rustler to crates/nif.";
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// The core reads no environment, starts no process, opens no socket, prints nothing and keeps no global state.
pub fn core_without_policy(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.under("crates/core/src/", &[".rs"]) {
        for (line, code) in code_lines(file) {
            if let Some((name, instead)) = POLICY.iter().find(|(name, _)| names(code, name)) {
                let message = format!("`{name}` has no place in crates/core: {instead}.");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// A NIF without a dirty flag runs on a normal scheduler, where it may take a millisecond: a comment says why it does not.
pub fn normal_schedulers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.under("crates/nif/src/", &[".rs"]) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            if !is_nif(line) || attribute(&lines[index..]).contains("schedule") {
                continue;
            }
            let (above, below) = lines.split_at(index);
            let mut around = above
                .iter()
                .rev()
                .take_while(|line| is_comment_or_attribute(line))
                .chain(below.iter().take_while(|line| is_comment_or_attribute(line)));
            if !around.any(|line| has_reason(line)) {
                let message = "This NIF runs on a normal scheduler. Say beside it why that is short enough, as \
                               `// normal: reason`, or give it `schedule = \"DirtyCpu\"` or `\"DirtyIo\"`.";
                findings.push(Finding::new(&file.path, index + 1, message));
            }
        }
    }
    findings
}

/// What `rustler::nif` decodes by itself raises, and shows the arguments in the log.
pub fn guarded_arguments(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.under("crates/nif/src/", &[".rs"]) {
        for (line, code) in code_lines(file) {
            if code.contains("rustler::nif") {
                let message = "A NIF has the attribute `#[nif]` of `ambix_macros`, which decodes its arguments in the guard.";
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// Nothing in the library that the BEAM loads panics by its own will.
pub fn no_panics(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.under("crates/nif/src/", &[".rs"]).chain(tree.under("native/", &[".rs"])) {
        for (line, code) in code_lines(file) {
            if let Some(call) = PANICS.iter().find(|call| code.contains(*call)) {
                let message = format!("`{call}` can panic in the BEAM's process. Return an error instead.");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// Whether `code` holds `name` at the start of a word.
pub(super) fn names(code: &str, name: &str) -> bool {
    code.match_indices(name)
        .any(|(start, _)| !code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn is_nif(line: &str) -> bool {
    let line = line.trim_start();
    ["#[rustler::nif", "#[nif"]
        .iter()
        .any(|start| line.strip_prefix(start).is_some_and(|rest| rest.starts_with([']', '('])))
}

/// The attribute that begins on the first of `lines`, which may go over several.
fn attribute(lines: &[&str]) -> String {
    let end = lines.iter().position(|line| line.trim_end().ends_with(']')).unwrap_or(0);
    lines[..=end].concat()
}

fn is_comment_or_attribute(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//") || line.starts_with("#[")
}

fn has_reason(line: &str) -> bool {
    line.trim_start_matches(['/', ' '])
        .strip_prefix("normal:")
        .is_some_and(|reason| !reason.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::*;

    #[test]
    fn the_core_may_not_depend_on_rustler() {
        let good = "[dependencies]\nserde = \"1\"\n# rustler stays out\n";
        let bad = "[dependencies]\nrustler.workspace = true\n";
        assert_places(core_without_beam, &[("crates/core/Cargo.toml", good)], &[]);
        assert_places(core_without_beam, &[("crates/core/Cargo.toml", bad)], &["crates/core/Cargo.toml:2"]);
        assert_places(core_without_beam, &[("crates/nif/Cargo.toml", bad)], &[]);
        let source = "use rustler::Env;\n";
        assert_places(core_without_beam, &[("crates/core/src/a.rs", source)], &["crates/core/src/a.rs:1"]);
    }

    #[test]
    fn the_core_has_no_policy() {
        let bad = "fn a() {\n    std::env::var(\"HOME\");\n    Command::new(\"git\");\n    use std::net::TcpStream;\n}\n";
        let good = "// std::env::var belongs to the caller\nlet root = env!(\"CARGO\");\n#[cfg(test)]\nmod tests {\n    \
                    println!();\n}\n";
        let files =
            [("crates/core/src/a.rs", bad), ("crates/core/src/b.rs", good), ("crates/nif/src/c.rs", bad)];
        assert_places(core_without_policy, &files, &["crates/core/src/a.rs:2", "crates/core/src/a.rs:4"]);
    }

    #[test]
    fn the_arguments_of_a_nif_are_decoded_in_the_guard() {
        let text = "#[nif]\nfn a() {}\n\n#[rustler::nif(schedule = \"DirtyCpu\")]\nfn b() {}\n";
        assert_places(guarded_arguments, &[("crates/nif/src/a.rs", text)], &["crates/nif/src/a.rs:4"]);
        assert_places(guarded_arguments, &[("crates/macros/src/lib.rs", text)], &[]);
    }

    #[test]
    fn a_nif_on_a_normal_scheduler_says_why() {
        let text = "\
#[rustler::nif]
fn a() {}

// normal: reads one word
#[rustler::nif]
fn b() {}

#[rustler::nif]
// normal: reads one word
fn f() {}

#[rustler::nif(schedule = \"DirtyCpu\")]
fn c() {}

#[rustler::nif(
    name = \"d\",
    schedule = \"DirtyIo\"
)]
fn d() {}

// normal:
#[nif(name = \"e\")]
fn e() {}
";
        let places = ["crates/nif/src/a.rs:1", "crates/nif/src/a.rs:22"];
        assert_places(normal_schedulers, &[("crates/nif/src/a.rs", text)], &places);
    }

    #[test]
    fn nothing_panics_in_the_nif_layer() {
        let bad = "let a = b.unwrap();\nlet a = b.unwrap_or(1);\nlet a = b.expect(\"c\");\npanic!(\"d\");\n";
        let good = "/// Does not `panic!(…)`.\n#[cfg(test)]\nmod tests {\n    fn a() {\n        b.unwrap();\n    }\n}\n";
        let files =
            [("crates/nif/src/a.rs", bad), ("crates/nif/src/b.rs", good), ("crates/core/src/c.rs", bad)];
        let places = ["crates/nif/src/a.rs:1", "crates/nif/src/a.rs:3", "crates/nif/src/a.rs:4"];
        assert_places(no_panics, &files, &places);
    }
}
