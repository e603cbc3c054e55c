//! Figures of looking things up: names and patterns in an index, and the same patterns with ripgrep in one run.
//!
//! `cargo run --release -p ambix-benches --no-default-features --bin lookup -- --root DIR [--turns N] [--json]`
//!
//! DIR is copied to a temporary folder and never written to. Each pattern is searched for by both in turn, all lines being
//! counted, and again for the first hundred lines as an agent asks for them; times are medians of N turns, in milliseconds.
//! Of each name the best of N times counts, so that p50 and p99 are over names and not over what else the machine did.
//! ripgrep (`rg`, which must be installed) reads the files of the copy, which are those of the index, from the page cache;
//! its time includes that of its start, which `rg_start_ms` shows.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ambix_core::Cancel;
use ambix_core::project::BuildOptions;
use ambix_core::retrieval::{Case, Grep, Index, Lookup};
use ambix_core::syntax::DefinitionKind;
use serde_json::{Value, json};

/// A kind of pattern, the pattern, and what both are told of it.
const PATTERNS: [(&str, &str, &[&str]); 16] = [
    ("rare literal", "Regex.recompile!", &["-F"]),
    ("literal", "handle_continue", &[]),
    ("common literal", "Enum.map(", &["-F"]),
    ("very common word", "end", &["-w"]),
    ("no match", "zyzzyva_quux", &[]),
    ("case-insensitive", "genserver", &["-i"]),
    ("rare regex", r"def\s+handle_\w+\(:stop", &[]),
    ("regex with literal", r"defp?\s+\w+_changeset\(", &[]),
    ("two literals", r"raise\s.*ArgumentError", &[]),
    ("alternation", "handle_call|handle_cast|handle_info", &[]),
    ("alternation, rare", "ets:insert_new|persistent_term|code:purge", &[]),
    ("class", r"[Uu]tf-?8", &[]),
    ("multiline", r"@impl true\n\s+def init\(", &["-U"]),
    ("no literal", r"\b[a-z]{2}\d{3}\b", &[]),
    ("no literal, everywhere", r"\w+\s*\|>\s*\w+", &[]),
    ("two bytes", "~D", &[]),
];

fn main() -> Result<(), Box<dyn Error>> {
    let (mut root, mut turns, mut json) = (None, 9, false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("root") => root = Some(PathBuf::from(arguments.value()?)),
            lexopt::Arg::Long("turns") => {
                turns = arguments.value()?.to_string_lossy().parse::<usize>()?.max(1)
            }
            lexopt::Arg::Long("json") => json = true,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let root = root.ok_or("--root DIR is missing")?;
    let cancel = Cancel::new();
    let options = BuildOptions::default();
    let copy = scratch()?;
    for file in Index::build(&root, &options, &mut |_| {}, &cancel)?.files() {
        let path = copy.join(&*file.path);
        fs::create_dir_all(path.parent().unwrap_or(&copy))?;
        fs::write(path, file.text.as_bytes())?;
    }
    let root = copy;
    let index = Index::build(&root, &options, &mut |_| {}, &cancel)?;
    let names = names(&index, turns)?;
    let patterns = patterns(&index, &root, turns)?;
    let update = update(&index, &root, turns)?;
    let stats = index.stats();
    let (name_bytes, trigram_bytes) = index.table_bytes();
    let sizes = json!({
        "files": stats.files, "bytes": stats.bytes, "definitions": stats.definitions,
        "name_bytes": name_bytes, "trigram_bytes": trigram_bytes,
        "trigrams_of_text": trigram_bytes as f64 / stats.bytes as f64,
    });
    fs::remove_dir_all(&root)?;
    if json {
        println!("{}", json!({ "sizes": sizes, "names": names, "patterns": patterns, "update": update }));
        return Ok(());
    }
    println!("{sizes}\n{update}");
    for row in names.iter().chain(&patterns) {
        println!("{row}");
    }
    Ok(())
}

/// Looks up many names of each way to write one.
fn names(index: &Index, turns: usize) -> Result<Vec<Value>, Box<dyn Error>> {
    let cancel = Cancel::new();
    let mut symbols = Vec::new();
    for file in index.files() {
        let definitions = index.facts(&file.path).into_iter().flat_map(|facts| &facts.definitions);
        symbols.extend(definitions.filter(|it| it.kind == DefinitionKind::Function).map(|it| it.qualified()));
    }
    let step = (symbols.len() / 500).max(1);
    let symbols: Vec<&str> = symbols.iter().step_by(step).map(String::as_str).collect();
    let bare = |symbol: &str| symbol.rsplit_once('/').map_or(symbol, |(name, _)| name).to_string();
    let last = |symbol: &str| bare(symbol).rsplit('.').next().unwrap_or_default().to_string();
    let swapped = |name: String| {
        let mut letters: Vec<char> = name.chars().collect();
        let middle = letters.len() / 2;
        if middle > 0 {
            letters.swap(middle - 1, middle);
        }
        letters.into_iter().collect::<String>()
    };
    let without_one = |name: String| {
        let middle = name.len() / 3;
        name.char_indices().filter(|(at, _)| *at != middle).map(|(_, letter)| letter).collect::<String>()
    };
    type Way<'w> = (&'w str, &'w dyn Fn(&str) -> String);
    let ways: [Way<'_>; 7] = [
        ("Mod.fun/arity", &|symbol| symbol.to_string()),
        ("Last.fun", &|symbol| {
            let name = bare(symbol);
            name.rsplit('.').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(".")
        }),
        ("fun", &|symbol| last(symbol)),
        ("prefix of 3", &|symbol| last(symbol).chars().take(3).collect()),
        ("prefix of 1", &|symbol| last(symbol).chars().take(1).collect()),
        ("abbreviation", &|symbol| last(symbol).split('_').filter_map(|part| part.chars().next()).collect()),
        ("two typos", &|symbol| swapped(without_one(last(symbol)))),
    ];
    let mut rows = Vec::new();
    for (way, write) in ways {
        let mut times = Vec::new();
        let mut found = 0;
        for symbol in &symbols {
            let lookup = Lookup::new(write(symbol));
            let named = index.lookup(&lookup, &cancel)?;
            found += usize::from(named.iter().any(|it| it.symbol == **symbol));
            let times_of_it = (0..turns).map(|_| timed(|| index.lookup(&lookup, &cancel)).map(|it| it.1));
            times.push(times_of_it.collect::<Result<Vec<_>, _>>()?.into_iter().fold(f64::INFINITY, f64::min));
        }
        times.sort_by(f64::total_cmp);
        let at = |part: usize| rounded(times[(times.len() * part / 100).min(times.len() - 1)]);
        rows.push(json!({
            "names": way, "asked": symbols.len(), "found_in_20": found, "p50_ms": at(50), "p99_ms": at(99),
        }));
    }
    Ok(rows)
}

fn patterns(index: &Index, root: &Path, turns: usize) -> Result<Vec<Value>, Box<dyn Error>> {
    let cancel = Cancel::new();
    let first = timed(|| index.grep(&Grep::new("first_of_all"), &cancel))?.1;
    let mut rows = vec![json!({ "first_search_ms": rounded(first) })];
    let start = median(turns, || timed(|| Command::new("rg").arg("--version").output()).map(|it| it.1))?;
    rows.push(json!({ "rg_start_ms": rounded(start) }));
    for (kind, pattern, flags) in PATTERNS {
        let has = |flag| flags.contains(&flag);
        let grep = Grep {
            fixed: has("-F"),
            word: has("-w"),
            multiline: has("-U"),
            case: if has("-i") { Case::Insensitive } else { Case::Sensitive },
            ..Grep::new(pattern)
        };
        let all = Grep { count: true, ..grep.clone() };
        let (mut ours, mut first, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        let (mut lines, mut searched, mut rg_lines) = (0, 0, 0);
        for _ in 0..turns {
            let (found, time) = timed(|| index.grep(&all, &cancel))?;
            (lines, searched) = (found.counts.iter().map(|it| it.1).sum::<usize>(), found.searched);
            ours.push(time);
            first.push(timed(|| index.grep(&grep, &cancel))?.1);
            // Files of the index are those that are not hidden, ignored or binary, up to a mebibyte.
            let mut rg = Command::new("rg");
            rg.args(["--count", "--no-filename", "--max-filesize", "1M"]).args(flags);
            rg.arg("-e").arg(pattern).arg(root);
            let (output, time) = timed(|| rg.output())?;
            rg_lines = String::from_utf8_lossy(&output.stdout)
                .lines()
                .filter_map(|it| it.parse::<usize>().ok())
                .sum();
            theirs.push(time);
        }
        let (ours, first, theirs) = (middle(&mut ours), middle(&mut first), middle(&mut theirs));
        rows.push(json!({
            "kind": kind, "pattern": pattern, "lines": lines, "rg_lines": rg_lines, "searched": searched,
            "all_ms": rounded(ours), "first_100_ms": rounded(first), "rg_ms": rounded(theirs),
            "ratio": rounded(theirs / ours),
        }));
    }
    Ok(rows)
}

/// What a changed file costs: the update, and the first look-up and search behind it.
fn update(index: &Index, root: &Path, turns: usize) -> Result<Value, Box<dyn Error>> {
    let cancel = Cancel::new();
    let file = index.files().nth(index.files().len() / 2).ok_or("the folder has no files")?;
    let paths = BTreeSet::from([file.path.to_string()]);
    let (mut updates, mut lookups, mut greps) = (Vec::new(), Vec::new(), Vec::new());
    let mut current = index.clone();
    for turn in 0..turns {
        let name = format!("freshly_made_{turn}");
        let text = format!("{}\ndefmodule Fresh{turn} do\n  def {name}, do: 1\nend\n", file.text);
        fs::write(root.join(&*file.path), text)?;
        let ((next, _), time) =
            timed(|| current.update_paths(&paths, &BuildOptions::default(), &mut |_| {}, &cancel))?;
        updates.push(time);
        let (named, time) = timed(|| next.lookup(&Lookup::new(name.as_str()), &cancel))?;
        assert_eq!(named.len(), 1);
        lookups.push(time);
        let (found, time) = timed(|| next.grep(&Grep::new(name), &cancel))?;
        assert_eq!(found.lines.len(), 1);
        greps.push(time);
        current = next;
    }
    Ok(json!({
        "update_ms": rounded(middle(&mut updates)), "then_lookup_ms": rounded(middle(&mut lookups)),
        "then_grep_ms": rounded(middle(&mut greps)),
    }))
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, f64), E> {
    let start = Instant::now();
    let value = work()?;
    Ok((value, start.elapsed().as_secs_f64() * 1000.0))
}

fn median<E>(turns: usize, mut turn: impl FnMut() -> Result<f64, E>) -> Result<f64, E> {
    let mut times = (0..turns).map(|_| turn()).collect::<Result<Vec<_>, E>>()?;
    Ok(middle(&mut times))
}

fn middle(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn scratch() -> std::io::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("ambix-bench-lookup-{}", std::process::id()));
    fs::create_dir_all(&path)?;
    path.canonicalize()
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
