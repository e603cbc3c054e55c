//! Checks of single files.

use super::Finding;
use super::tree::{File, Tree};

/// The most lines that a source file may have.
const MOST_LINES: usize = 1000;

const SOURCES: &[&str] = &[".rs", ".ex", ".exs", ".py", ".sh"];
const TEXTS: &[&str] =
    &[".rs", ".ex", ".exs", ".py", ".sh", ".md", ".livemd", ".toml", ".yml", "Makefile", ".ci/run"];

/// Notes that something is not finished. They are put together here so that this file does not find itself.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
];

/// Marks that switch a test off.
const SWITCHED_OFF: &[&str] = &[
    concat!("#[", "ignore"),
    concat!("@tag ", ":skip"),
    concat!("@moduletag ", ":skip"),
    // With a text and not with an expression, which says when a test cannot run and why.
    concat!("@tag ", "skip: \""),
    concat!("@moduletag ", "skip: \""),
];

/// No source file over 1000 lines.
pub fn length(tree: &Tree) -> Vec<Finding> {
    ours(tree, SOURCES)
        .filter(|file| file.text.lines().count() > MOST_LINES)
        .map(|file| {
            let lines = file.text.lines().count();
            let message =
                format!("The file has {lines} lines. Split it by topic: at most {MOST_LINES} are allowed.");
            Finding::new(&file.path, MOST_LINES + 1, message)
        })
        .collect()
}

/// No white space at the end of a line, and one line feed at the end of a file.
pub fn trailing_space(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in ours(tree, TEXTS) {
        for (line, text) in file.lines() {
            if text.ends_with([' ', '\t', '\r']) {
                findings.push(Finding::new(&file.path, line, "The line ends in white space. Remove it."));
            }
        }
        if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
            let last = file.text.lines().count();
            findings.push(Finding::new(&file.path, last, "End the file with exactly one line feed."));
        }
    }
    findings
}

/// No note about unfinished work: finish it or write it into the issue list.
pub fn unfinished(tree: &Tree) -> Vec<Finding> {
    places(tree, TEXTS, UNFINISHED, |word| {
        format!(
            "{word} marks something unfinished. Finish it, or take the mark out and report it as an issue."
        )
    })
}

/// No test that is switched off: a test asserts what is so, or it goes.
pub fn switched_off_tests(tree: &Tree) -> Vec<Finding> {
    let mut findings = places(tree, SOURCES, SWITCHED_OFF, |mark| {
        format!("`{mark}` switches a test off. Make it pass, let it assert what is so today, or delete it.")
    });
    // No test runs from there, but what tests work on is there, and may have tests of all kinds.
    findings.retain(|finding| !finding.path.starts_with("test/support/"));
    findings
}

/// ExUnit runs `*_test.exs` only: any other script beside the tests would look like a test and never run.
pub fn test_names(tree: &Tree) -> Vec<Finding> {
    let elsewhere = ["test/support/", "test/fixtures/", "test/integration/"];
    tree.under("test/", &[".exs"])
        .filter(|file| !elsewhere.iter().any(|folder| file.path.starts_with(folder)))
        .filter(|file| !file.path.ends_with("_test.exs") && file.name() != "test_helper.exs")
        .map(|file| {
            let message =
                "ExUnit does not run this file. Let its name end in _test.exs, or move it to test/support.";
            Finding::new(&file.path, 1, message)
        })
        .collect()
}

/// Files that we wrote to be right; those in folders of fixtures may be wrong on purpose.
fn ours<'a>(tree: &'a Tree, endings: &'a [&'a str]) -> impl Iterator<Item = &'a File> + 'a {
    tree.under("", endings).filter(|file| !format!("/{}", file.path).contains("/fixtures/"))
}

/// Every line of the files with one of `endings` that holds one of `words`.
fn places(tree: &Tree, endings: &[&str], words: &[&str], message: fn(&str) -> String) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in ours(tree, endings) {
        for (line, text) in file.lines() {
            if let Some(word) = words.iter().find(|word| holds(text, word)) {
                findings.push(Finding::new(&file.path, line, message(word)));
            }
        }
    }
    findings
}

/// Whether `text` holds `word` and not as a part of a longer word.
fn holds(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        let opens = word.starts_with(part) && before.is_some_and(part);
        let closes = word.ends_with(part) && after.is_some_and(part);
        !opens && !closes
    })
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::*;

    #[test]
    fn long_files_are_found() {
        let (fits, long) = ("x\n".repeat(1000), "x\n".repeat(1001));
        let files = [("a.rs", &*fits), ("b.rs", &long), ("c.md", &long), ("test/fixtures/d.ex", &long)];
        assert_places(length, &files, &["b.rs:1001"]);
    }

    #[test]
    fn white_space_at_the_end_is_found() {
        let files =
            [("a.rs", "a\nb\n"), ("b.ex", "a\nb \nc\t\n"), ("c.md", "a"), ("d.md", "a\n\n"), ("e.bin", " ")];
        assert_places(trailing_space, &files, &["b.ex:2", "b.ex:3", "c.md:1", "d.md:2"]);
    }

    #[test]
    fn unfinished_words_are_found_as_whole_words() {
        let bad = format!("fine\n# {}: later\n{}();\n", UNFINISHED[0], UNFINISHED[4]);
        let good = format!("a_{}S\nlet todo = 1;\n", UNFINISHED[0]);
        assert_places(unfinished, &[("a.rs", &bad), ("b.rs", &good)], &["a.rs:2", "a.rs:3"]);
    }

    #[test]
    fn switched_off_tests_are_found() {
        let rust = format!("#[test]\n{}]\nfn a() {{}}\n", SWITCHED_OFF[0]);
        let elixir = format!("  {}\n  test \"a\" do\n", SWITCHED_OFF[1]);
        let good = "#[test]\n// ignored files are skipped\n@tag :integration\n";
        let files = [("a.rs", &*rust), ("b.exs", &elixir), ("c.exs", good), ("test/support/d.ex", &elixir)];
        assert_places(switched_off_tests, &files, &["a.rs:2", "b.exs:1"]);
    }

    #[test]
    fn tests_that_would_never_run_are_found() {
        let names =
            ["test_helper.exs", "a_test.exs", "b.exs", "support/c.exs", "fixtures/d.exs", "x/test_e.exs"];
        let paths: Vec<String> = names.iter().map(|name| format!("test/{name}")).collect();
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
        assert_places(test_names, &files, &["test/b.exs:1", "test/x/test_e.exs:1"]);
    }
}
