//! Checks that documents say what is so.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::{File, Tree};

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// The table of folders in ARCHITECTURE.md and the folders of the project are the same list.
pub fn layout(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.get(ARCHITECTURE) else { return vec![missing(ARCHITECTURE)] };
    let Some(table) = tables(file).into_iter().find(|table| table.header.starts_with("folder")) else {
        return vec![Finding::new(
            ARCHITECTURE,
            1,
            "There is no table whose first column is `folder`. Write one.",
        )];
    };
    let mut findings = Vec::new();
    let mut named = BTreeSet::new();
    for row in &table.rows {
        for path in code_spans(&row.first) {
            if !tree.exists(path) {
                let message = format!("There is no folder `{path}`. Take it out of the table.");
                findings.push(Finding::new(ARCHITECTURE, row.line, message));
            }
            named.insert(path.split('/').next().unwrap_or(path));
        }
    }
    let folders: BTreeSet<&str> = tree
        .files
        .iter()
        .filter_map(|file| file.path.split_once('/'))
        .map(|(folder, _)| folder)
        .filter(|folder| !folder.starts_with('.'))
        .collect();
    for folder in folders.difference(&named) {
        let message = format!("The folder `{folder}` is not in the table. Say in a row what it holds.");
        findings.push(Finding::new(ARCHITECTURE, table.line, message));
    }
    findings
}

/// A table in ARCHITECTURE.md whose first column is called "module of `FOLDER`" names the modules in that folder, all of
/// them and no other. Rust's are named as in `mod`, Elixir's as files without their ending.
pub fn modules(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.get(ARCHITECTURE) else { return vec![missing(ARCHITECTURE)] };
    let mut findings = Vec::new();
    let mut seen = false;
    for table in tables(file) {
        let Some(folder) =
            table.header.strip_prefix("module of ").and_then(|of| code_spans(of).first().copied())
        else {
            continue;
        };
        seen |= folder == "crates/core";
        let there = modules_in(tree, folder);
        let mut named = BTreeSet::new();
        for row in &table.rows {
            for name in code_spans(&row.first) {
                if !there.contains(name) {
                    let message =
                        format!("There is no module `{name}` in `{folder}`. Take it out of the table.");
                    findings.push(Finding::new(ARCHITECTURE, row.line, message));
                }
                named.insert(name);
            }
        }
        for name in there.difference(&named) {
            let message =
                format!("The module `{name}` of `{folder}` is not in the table. Say in a row what it does.");
            findings.push(Finding::new(ARCHITECTURE, table.line, message));
        }
    }
    if !seen {
        let message = "There is no table whose first column is \"module of `crates/core`\". Write one.";
        findings.push(Finding::new(ARCHITECTURE, 1, message));
    }
    findings
}

/// mix.exs and Cargo.toml carry the same version.
pub fn versions(tree: &Tree) -> Vec<Finding> {
    match (mix_version(tree), cargo_version(tree)) {
        (Some((mix, _)), Some((cargo, _))) if mix == cargo => Vec::new(),
        (Some((mix, _)), Some((cargo, line))) => {
            let message =
                format!("The workspace has version {cargo} and mix.exs has {mix}. Make them equal.");
            vec![Finding::new("Cargo.toml", line, message)]
        }
        (None, _) => {
            vec![Finding::new("mix.exs", 1, "There is no line `@version \"…\"`. Write the version there.")]
        }
        (_, None) => {
            vec![Finding::new(
                "Cargo.toml",
                1,
                "[workspace.package] has no version. Write the version there.",
            )]
        }
    }
}

/// CHANGELOG.md has a section for the version in Cargo.toml or for what is not released.
pub fn changelog(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.get("CHANGELOG.md") else { return vec![missing("CHANGELOG.md")] };
    let version = cargo_version(tree).map_or("", |(version, _)| version);
    let mut sections = file.lines().filter_map(|(_, line)| line.strip_prefix("## "));
    let told = sections.any(|title| {
        let title = title.trim_start_matches('[');
        title.starts_with("Unreleased") || (!version.is_empty() && title.starts_with(version))
    });
    if told {
        return Vec::new();
    }
    let message =
        format!("There is no section for {version} and none called Unreleased. Write what has changed.");
    vec![Finding::new("CHANGELOG.md", 1, message)]
}

/// README.md names the two commands that a stranger begins with.
pub fn readme_commands(tree: &Tree) -> Vec<Finding> {
    let Some(file) = tree.get("README.md") else { return vec![missing("README.md")] };
    ["make demo", "make test"]
        .iter()
        .filter(|command| !file.text.contains(*command))
        .map(|command| Finding::new("README.md", 1, format!("`{command}` is not named. Say what it does.")))
        .collect()
}

/// Each mix task says in one line what it does and has a row in README's table, and documents name no other task.
pub fn mix_tasks(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tasks = BTreeSet::new();
    let table: Vec<&str> = tree
        .get("README.md")
        .into_iter()
        .flat_map(|file| file.text.lines())
        .filter(|line| line.starts_with('|'))
        .flat_map(mix_task_names)
        .collect();
    for file in tree.under("lib/mix/tasks/", &[".ex"]) {
        let name = file.name().trim_end_matches(".ex");
        tasks.insert(name);
        if !file.text.contains("@shortdoc") {
            let message = "The task has no @shortdoc, so `mix help` does not list it. Write one.";
            findings.push(Finding::new(&file.path, 1, message));
        }
        if !table.contains(&name) {
            let message = format!("README.md has no table row for `mix {name}`. Write one.");
            findings.push(Finding::new(&file.path, 1, message));
        }
    }
    for file in tree.under("", &[".md", ".livemd"]) {
        for (line, text) in file.lines() {
            for name in mix_task_names(text).filter(|name| !tasks.contains(name)) {
                let message = format!("There is no task `mix {name}` in lib/mix/tasks. Correct the name.");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

/// The targets of make that documents name exist.
pub fn make_targets(tree: &Tree) -> Vec<Finding> {
    let Some(makefile) = tree.get("Makefile") else { return vec![missing("Makefile")] };
    let targets: BTreeSet<&str> = makefile
        .text
        .lines()
        .filter(|line| !line.starts_with(['\t', '#', '.', ' ']))
        .filter_map(|line| line.split_once(':'))
        .flat_map(|(targets, _)| targets.split_whitespace())
        .collect();
    let mut findings = Vec::new();
    for file in tree.under("", &[".md"]) {
        for (line, text) in file.lines() {
            let commands = code_spans(text).into_iter().filter_map(|code| code.strip_prefix("make "));
            let names = commands.filter_map(|rest| rest.split_whitespace().next());
            for name in names.filter(|name| !name.contains('=') && !targets.contains(name)) {
                let message = format!("The Makefile has no target `{name}`. Correct the name.");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
    findings
}

fn missing(path: &str) -> Finding {
    Finding::new(path, 1, "The file is missing. Write it.")
}

struct Table {
    /// The first cell of the first row.
    header: String,
    line: usize,
    rows: Vec<Row>,
}

struct Row {
    line: usize,
    /// The first cell.
    first: String,
}

/// The Markdown tables of `file`.
fn tables(file: &File) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut last_line = 0;
    for (line, text) in file.lines() {
        let Some(cells) = text.strip_prefix('|') else { continue };
        let first = cells.split('|').next().unwrap_or_default().trim().to_owned();
        match tables.last_mut() {
            Some(table) if last_line + 1 == line => {
                if !first.starts_with("--") {
                    table.rows.push(Row { line, first });
                }
            }
            _ => tables.push(Table { header: first, line, rows: Vec::new() }),
        }
        last_line = line;
    }
    tables
}

/// What stands between backticks.
fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The names of this project's tasks in `text`: `ambix.index` in `mix ambix.index --json`.
fn mix_task_names(text: &str) -> impl Iterator<Item = &str> {
    let names = text.match_indices("mix ambix.").map(|(start, _)| {
        let rest = &text[start + "mix ".len()..];
        let end =
            rest.find(|c: char| !(c.is_ascii_lowercase() || c == '.' || c == '_')).unwrap_or(rest.len());
        rest[..end].trim_end_matches('.')
    });
    // `mix ambix.*` means them all.
    names.filter(|name| *name != "ambix")
}

/// The modules of a Rust crate, or of a folder of Elixir files.
fn modules_in<'a>(tree: &'a Tree, folder: &str) -> BTreeSet<&'a str> {
    let source = format!("{folder}/src/");
    let is_crate = tree.exists(source.trim_end_matches('/'));
    let (place, ending) = if is_crate { (source, ".rs") } else { (format!("{folder}/"), ".ex") };
    tree.files
        .iter()
        .filter(|file| file.path.ends_with(ending))
        .filter_map(|file| file.path.strip_prefix(&place))
        .filter_map(|rest| rest.split('/').next())
        .map(|first| first.trim_end_matches(ending))
        .filter(|name| !matches!(*name, "lib" | "main" | "bin"))
        .collect()
}

fn mix_version(tree: &Tree) -> Option<(&str, usize)> {
    let mut lines = tree.get("mix.exs")?.lines();
    lines.find_map(|(line, text)| Some((text.trim().strip_prefix("@version \"")?.strip_suffix('"')?, line)))
}

fn cargo_version(tree: &Tree) -> Option<(&str, usize)> {
    tree.get("Cargo.toml")?
        .lines()
        .skip_while(|(_, text)| text.trim() != "[workspace.package]")
        .skip(1)
        .take_while(|(_, text)| !text.starts_with('['))
        .find_map(|(line, text)| Some((text.strip_prefix("version = \"")?.strip_suffix('"')?, line)))
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::*;

    const LAYOUT: &str = "# A\n\n| folder | what |\n| --- | --- |\n| `crates/core` | a |\n| `lib` | b |\n";

    #[test]
    fn the_layout_is_the_tree() {
        let good =
            [(ARCHITECTURE, LAYOUT), ("crates/core/src/lib.rs", ""), ("lib/a.ex", ""), (".ci/run", "")];
        assert_places(layout, &good, &[]);
        let bad = [(ARCHITECTURE, LAYOUT), ("crates/core/src/lib.rs", ""), ("test/a.exs", "")];
        assert_places(layout, &bad, &["ARCHITECTURE.md:6", "ARCHITECTURE.md:3"]);
        assert_places(layout, &[], &["ARCHITECTURE.md:1"]);
    }

    #[test]
    fn tables_of_modules_are_the_tree() {
        let text = "| module of `crates/core` | what |\n| --- | --- |\n| `a`, `b` | c |\n\n\
                    | module of `lib/ambix` | what |\n| --- | --- |\n| `index` | d |\n";
        let good = [
            (ARCHITECTURE, text),
            ("crates/core/src/a/mod.rs", ""),
            ("crates/core/src/b.rs", ""),
            ("crates/core/src/lib.rs", ""),
            ("lib/ambix/index.ex", ""),
        ];
        assert_places(modules, &good, &[]);
        let bad = [
            (ARCHITECTURE, text),
            ("crates/core/src/a.rs", ""),
            ("lib/ambix/index.ex", ""),
            ("lib/ambix/x/y.ex", ""),
        ];
        assert_places(modules, &bad, &["ARCHITECTURE.md:3", "ARCHITECTURE.md:5"]);
        assert_places(modules, &[(ARCHITECTURE, LAYOUT)], &["ARCHITECTURE.md:1"]);
    }

    #[test]
    fn versions_agree() {
        let cargo =
            ("Cargo.toml", "[workspace]\nversion = \"9\"\n[workspace.package]\nversion = \"0.1.0\"\n");
        assert_places(versions, &[cargo, ("mix.exs", "  @version \"0.1.0\"\n")], &[]);
        assert_places(versions, &[cargo, ("mix.exs", "  @version \"0.2.0\"\n")], &["Cargo.toml:4"]);
        assert_places(versions, &[cargo], &["mix.exs:1"]);
        assert_places(versions, &[("mix.exs", "  @version \"0.2.0\"\n")], &["Cargo.toml:1"]);
    }

    #[test]
    fn the_changelog_tells_of_this_version() {
        let cargo = ("Cargo.toml", "[workspace.package]\nversion = \"0.1.0\"\n");
        assert_places(changelog, &[cargo, ("CHANGELOG.md", "## [0.1.0] - 2026-01-01\n")], &[]);
        assert_places(changelog, &[cargo, ("CHANGELOG.md", "## [Unreleased]\n")], &[]);
        assert_places(changelog, &[cargo, ("CHANGELOG.md", "## [0.0.9]\n")], &["CHANGELOG.md:1"]);
        assert_places(changelog, &[cargo], &["CHANGELOG.md:1"]);
    }

    #[test]
    fn the_readme_names_both_commands() {
        assert_places(readme_commands, &[("README.md", "`make demo`, `make test`\n")], &[]);
        assert_places(readme_commands, &[("README.md", "`make demo`\n")], &["README.md:1"]);
    }

    #[test]
    fn tasks_are_documented_and_exist() {
        let task = ("lib/mix/tasks/ambix.index.ex", "@shortdoc \"a\"\n");
        assert_places(mix_tasks, &[task, ("README.md", "| `mix ambix.index` | a |\n")], &[]);
        let bad = [
            task,
            ("lib/mix/tasks/ambix.x.ex", ""),
            ("README.md", "Run mix ambix.index or mix ambix.*.\n| mix ambix.y |\n"),
        ];
        let places = [
            "lib/mix/tasks/ambix.index.ex:1",
            "lib/mix/tasks/ambix.x.ex:1",
            "lib/mix/tasks/ambix.x.ex:1",
            "README.md:2",
        ];
        assert_places(mix_tasks, &bad, &places);
    }

    #[test]
    fn targets_exist() {
        let makefile = ("Makefile", ".PHONY: all\nsetup demo: x\n\techo a:b\n");
        let text = "`make demo PROJECT=x`, `make setup`\n`make lint`, make sure\n";
        assert_places(make_targets, &[makefile, ("README.md", text)], &["README.md:2"]);
        assert_places(make_targets, &[], &["Makefile:1"]);
    }
}
