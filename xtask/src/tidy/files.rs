//! Foreign files are opened in one place of each language, which refuses pipes, devices and files without end.

use super::Finding;
use super::native::names;
use super::rust::code_lines;
use super::tree::Tree;

/// What opens a file in Rust, and the file that may.
const RUST: &[&str] = &[
    "fs::read(",
    "fs::read_to_string(",
    "fs::write(",
    "File::open(",
    "File::create(",
    "File::options(",
    "OpenOptions",
];
const RUST_DOOR: &str = "crates/core/src/source/open.rs";

/// What opens a file in Elixir, and the files that may.
const ELIXIR: &[&str] = &[
    "File.read(",
    "File.read!(",
    "File.open(",
    "File.open!(",
    "File.stream!(",
    ":file.open(",
    ":file.read_file(",
    ":file.consult(",
    ":file.path_open(",
];
const ELIXIR_OWN: &[&str] = &[
    // When the library is compiled, of its own files.
    "lib/ambix.ex",
    "lib/ambix/models.ex",
    // What the kernel says of processes and control groups.
    "lib/ambix/memory.ex",
    "lib/ambix/sandbox/cgroup.ex",
    "lib/ambix/sandbox/processes.ex",
    // Files that are written, or were unpacked a moment ago and are known to be regular.
    "lib/ambix/cli/files.ex",
    "lib/ambix/models/archive.ex",
    // What is installed with Erlang/OTP.
    "lib/ambix/packages/listing.ex",
];
/// What runs inside of a sandbox, with a time and a memory of its own.
const ELIXIR_INSIDE: &str = "lib/ambix/sandbox/driver";

/// In the crates that the BEAM loads.
pub fn native_door(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.under("crates/core/src/", &[".rs"]).chain(tree.under("crates/nif/src/", &[".rs"])) {
        if file.path == RUST_DOOR || file.path.ends_with("_tests.rs") || file.path.ends_with("/testing.rs") {
            continue;
        }
        for (line, code) in code_lines(file) {
            if let Some(call) = RUST.iter().find(|call| names(code, call)) {
                let message =
                    format!("`{call}` opens a file that may be none. Use `source::open` of the core.");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// In the library.
pub fn elixir_door(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.under("lib/", &[".ex"]) {
        if ELIXIR_OWN.contains(&&*file.path) || file.path.starts_with(ELIXIR_INSIDE) {
            continue;
        }
        for (line, text) in file.lines() {
            let is_comment = text.trim_start().starts_with('#');
            if let Some(call) = ELIXIR.iter().find(|call| !is_comment && names(text, call)) {
                let message = format!("`{call}` opens a file that may be none. Use `Ambix.Files.read/2`.");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::*;

    #[test]
    fn files_are_opened_in_one_place() {
        let opening = "use std::fs;\nfn a() { fs::read(path); }\n// fs::read(path)\n#[cfg(test)]\nmod tests {\n    fn b() { fs::write(p, t); }\n}\n";
        let files = [
            (RUST_DOOR, opening),
            ("crates/core/src/a.rs", opening),
            ("crates/core/src/a_tests.rs", opening),
            (
                "crates/nif/src/b.rs",
                "fn a() { my_fs::read(); read_file(path); std::fs::File::open(path); }\n",
            ),
            ("benches/src/c.rs", opening),
        ];
        assert_places(native_door, &files, &["crates/core/src/a.rs:2", "crates/nif/src/b.rs:1"]);

        let reading = "File.read(path)\n# File.read(path)\nFiles.read(path)\nFile.stat(path)\n";
        let files = [
            ("lib/ambix/a.ex", reading),
            ("lib/ambix/sandbox/driver/b.ex", reading),
            ("lib/ambix/memory.ex", reading),
            ("test/c_test.exs", reading),
        ];
        assert_places(elixir_door, &files, &["lib/ambix/a.ex:1"]);
    }
}
