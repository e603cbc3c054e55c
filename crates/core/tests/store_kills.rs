//! What is saved stays whole, whatever happens to the process that saves: it is killed at any moment, or its disk is full; and
//! an index that was changed, saved and opened any number of times is the one that a fresh build gives.
//!
//! `AMBIX_KILLS` and `AMBIX_OPERATIONS` say how often, instead of few enough for each test run.

#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "a test of processes that are killed starts them")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use ambix_core::project::BuildOptions;
use ambix_core::project::store::{FileStore, Saved, StoreOptions};
use ambix_core::retrieval::{Grep, Index, Lookup, Query, StaticEncoder, persistence};
use ambix_core::{Cancel, ErrorKind, Result};

/// Tells this program that it is the process that is to be killed, and where the project is.
const CHILD: &str = "AMBIX_STORE_CHILD";
/// How many bytes of text each of its files has more with each turn.
const PADDING: &str = "AMBIX_STORE_PADDING";
const FILES: usize = 6;

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// All files of the project say which turn it is.
fn write_turn(root: &Path, turn: usize, padding: usize) {
    for file in 0..FILES {
        let text = format!(
            "defmodule M{file} do\n  @doc \"What turn{turn} does in {file}.\"\n  def f{turn}(x), do: M{}.f{turn}(x)\nend\n# {}\n",
            (file + 1) % FILES,
            "padding ".repeat(padding / 8)
        );
        fs::write(root.join(format!("m{file}.ex")), text).unwrap();
    }
}

fn build(root: &Path) -> Index {
    let index = Index::build(root, &BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap();
    with_encoder(&index)
}

fn with_encoder(index: &Index) -> Index {
    index.with_encoder(Arc::new(StaticEncoder::shipped().unwrap()), &Cancel::new()).unwrap()
}

fn store(path: &Path) -> FileStore {
    FileStore::new(path, StoreOptions::default())
}

fn open(path: &Path) -> Index {
    with_encoder(&persistence::open(&mut store(path), &Cancel::new()).unwrap())
}

fn save(index: &Index, path: &Path) -> Result<Saved> {
    persistence::save(index, &mut store(path), &Cancel::new())
}

/// What an index says, without where it is.
fn said(index: &Index, questions: &[String]) -> String {
    let cancel = Cancel::new();
    let mut all = Vec::new();
    for text in questions {
        all.push(format!("{:?}", index.search(&Query::new(text), &cancel).unwrap().results));
        all.push(format!("{:?}", index.lookup(&Lookup::new(text), &cancel).unwrap()));
        all.push(format!(
            "{:?}",
            index.grep(&Grep { fixed: true, ..Grep::new(text) }, &cancel).unwrap().lines
        ));
    }
    all.push(format!("{:?}", index.stats()));
    all.extend(index.files().map(|file| format!("{} {:?}", file.path, index.facts(&file.path))));
    all.extend(index.graph().relations().map(|relation| format!("{relation:?}")));
    all.join("\n")
}

/// The process that is killed: takes in turn after turn, and says which one is saved.
fn child(folder: &Path) {
    let (root, path) = (folder.join("project"), folder.join("index"));
    let padding = number(PADDING, 0);
    let mut index = open(&path);
    let mut turn = turn_of(&index);
    println!("ready");
    loop {
        turn += 1;
        write_turn(&root, turn, padding * turn);
        index = index.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap().0;
        match save(&index, &path) {
            Ok(_) => println!("saved {turn}"),
            Err(error) => {
                println!("error {:?} {error}", error.kind());
                return;
            }
        }
        std::io::stdout().flush().unwrap();
    }
}

fn turn_of(index: &Index) -> usize {
    let turns: BTreeSet<usize> = index
        .files()
        .map(|file| {
            let rest = file.text.split("turn").nth(1).unwrap();
            rest.split(' ').next().unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(turns.len(), 1, "one state, and not parts of two: {turns:?}");
    *turns.first().unwrap()
}

fn start(folder: &Path, shell: &str, padding: usize) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new("sh")
        .arg("-c")
        .arg(format!("{shell} exec \"$0\" \"$@\""))
        .arg(program)
        .args(["what_is_killed_leaves_a_whole_state", "--exact", "--nocapture"])
        .env(CHILD, folder)
        .env(PADDING, padding.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn begin() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (root, path) = (folder.path().join("project"), folder.path().join("index"));
    fs::create_dir(&root).unwrap();
    write_turn(&root, 1, 0);
    save(&build(&root), &path).unwrap();
    (folder, root, path)
}

#[test]
fn what_is_killed_leaves_a_whole_state() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return child(Path::new(&folder));
    }
    let (folder, _, path) = begin();
    let scratch = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    let (mut last, mut saves) = (1, 0);
    for _ in 0..number("AMBIX_KILLS", 10) {
        let mut child = start(folder.path(), "", 0);
        let output = BufReader::new(child.stdout.take().unwrap());
        let (ready, waiting) = channel();
        let reader = std::thread::spawn(move || {
            let mut saved = None;
            for line in output.lines().map_while(Result::ok) {
                if line.ends_with("ready") {
                    let _ = ready.send(());
                } else if let Some(turn) = line.strip_prefix("saved ") {
                    saved = turn.parse().ok();
                }
            }
            saved
        });
        waiting.recv_timeout(Duration::from_secs(60)).unwrap();
        // The moment is what is tested, and nothing is waited for.
        std::thread::sleep(Duration::from_micros(random.below(30_000) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        let saved: Option<usize> = reader.join().unwrap();

        let index = open(&path);
        let turn = turn_of(&index);
        let told = saved.unwrap_or(last);
        assert!(turn == told || turn == told + 1, "{turn} after {told} was saved");
        (saves, last) = (saves + turn - last, turn);
        // It says what a fresh build of the same files does.
        write_turn(scratch.path(), turn, 0);
        let questions = [format!("turn{turn}"), format!("M2.f{turn}/1")];
        assert_eq!(said(&index, &questions), said(&build(scratch.path()), &questions));
    }
    println!("{saves} states were saved");
    assert!(saves > 0);
}

#[test]
fn a_full_disk_leaves_the_old_state() {
    let (folder, root, path) = begin();
    // No file may be larger than so many blocks of 512 or 1024 bytes: more than a file of the project, and less than their index, at
    // once or after some turns.
    for (blocks, padding) in [(64, 12_000), (400, 5_000)] {
        let child = start(folder.path(), &format!("trap '' XFSZ; ulimit -f {blocks};"), padding);
        let output = child.wait_with_output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let error =
            output.lines().find(|line| line.starts_with("error")).unwrap_or_else(|| panic!("{output}"));
        assert!(error.contains("Io") && error.contains("make room"), "{error}");
        let saved = output.lines().filter_map(|line| line.strip_prefix("saved ")).next_back();
        let index = open(&path);
        assert_eq!(turn_of(&index), saved.map_or(1, |turn| turn.parse().unwrap()), "{output}");
        assert!(!folder.path().join("index.new").exists());
        // With room it goes on.
        let index = index.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap().0;
        save(&index, &path).unwrap();
        write_turn(&root, 1, 0);
        let index = index.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap().0;
        save(&index, &path).unwrap();
        assert_eq!(turn_of(&open(&path)), 1);
    }
}

/// Pseudo-random numbers (xorshift64*), for the moments and the changes.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

#[test]
fn any_history_of_changes_saves_and_openings_ends_in_a_fresh_build() {
    let folder = tempfile::tempdir().unwrap();
    let (root, path) = (folder.path().join("project"), folder.path().join("index"));
    fs::create_dir_all(root.join("lib/deep")).unwrap();
    fs::write(root.join("lib/a.ex"), "defmodule A do\nend\n").unwrap();
    let mut random = Random(11);
    let mut index = build(&root);
    let names =
        ["lib/a.ex", "lib/b.ex", "lib/deep/c.ex", "test/a_test.exs", "guide.md", "src/d.erl", "lib/ünï.ex"];
    let words = ["alpha", "beta", "gamma", "delta", "total", "größe"];
    let questions: Vec<String> =
        ["A.alpha/1", "total of beta", "alhpa", "gamma delta total", "größe"].map(String::from).into();
    let (options, cancel) = (BuildOptions::default(), Cancel::new());
    for operation in 0..number("AMBIX_OPERATIONS", 200) {
        let name = names[random.below(names.len())];
        let file = root.join(name);
        let mut word = || words[random.below(words.len())];
        let text = match name.rsplit('.').next() {
            Some("md") => format!("# {}\n\n{} {} {}\n", word(), word(), word(), word()),
            Some("erl") => {
                format!("-module(d).\n-export([{0}/1]).\n{0}(X) -> {1}:{2}(X).\n", "alpha", word(), word())
            }
            _ => format!(
                "defmodule {} do\n  @doc \"The {} of {}.\"\n  def {}(x), do: A.{}(x)\nend\n",
                ["A", "B", "A.C", "ATest"][random.below(4)],
                words[random.below(6)],
                words[random.below(6)],
                words[random.below(6)],
                words[random.below(6)]
            ),
        };
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        match random.below(10) {
            0..=5 => fs::write(&file, text).unwrap(),
            6 | 7 => drop(fs::remove_file(&file)),
            8 => drop(fs::rename(&file, root.join(names[random.below(names.len())]))),
            _ => {}
        }
        index = match random.below(3) {
            0 => {
                let paths = names.iter().map(ToString::to_string).collect();
                index.update_paths(&paths, &options, &mut |_| {}, &cancel).unwrap().0
            }
            _ => index.update(&options, &mut |_| {}, &cancel).unwrap().0,
        };
        if random.below(4) == 0 {
            save(&index, &path).unwrap();
            index = open(&path);
        }
        let fresh = build(&root);
        assert_eq!(said(&index, &questions), said(&fresh, &questions), "after {operation} operations");
    }
    let error = persistence::open(&mut store(&root), &cancel).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::Corrupt), "{error}");
}
