//! The graph is the same whatever history of compilations, edits and looks at the compiler's work it has.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::*;
use crate::project::store::{MemoryStore, Store};
use crate::project::{BuildOptions, Snapshot};
use crate::{Cancel, ErrorKind};

/// The project of the fixtures, and the folder with its compiled modules.
fn project(version: &str) -> (tempfile::TempDir, PathBuf) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/beam");
    let root = tempfile::tempdir().unwrap();
    let ebin = root.path().join("_build/ebin");
    fs::create_dir_all(&ebin).unwrap();
    for folder in ["lib", "src"] {
        fs::create_dir(root.path().join(folder)).unwrap();
        for entry in fs::read_dir(fixtures.join(folder)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), root.path().join(folder).join(entry.file_name())).unwrap();
        }
    }
    for entry in fs::read_dir(fixtures.join(version)).unwrap() {
        let entry = entry.unwrap();
        fs::write(ebin.join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
    }
    (root, ebin)
}

fn build(root: &Path) -> Snapshot {
    Snapshot::build(root, &BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap()
}

fn update(index: &Snapshot) -> Snapshot {
    index.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap().0
}

fn set_time(path: &Path, at: SystemTime) {
    fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

fn reopened(index: &Snapshot) -> Snapshot {
    let mut store = MemoryStore::default();
    store.write(&index.sections().unwrap(), &Cancel::new()).unwrap();
    Snapshot::stored(&mut store, &Cancel::new()).unwrap()
}

fn observe(index: &Snapshot, folder: &Path) -> (Snapshot, Observations) {
    index.with_compiled(&[folder.to_path_buf()], &mut |_| {}, &Cancel::new()).unwrap()
}

/// What macros made, and the callees of `Shop.Made`'s functions.
fn told(index: &Snapshot) -> (Vec<String>, Vec<String>) {
    let graph = index.graph();
    let made = graph
        .symbols()
        .filter_map(|symbol| Some(format!("{} by {}", symbol.qualified(), symbol.generated_by.as_ref()?)))
        .collect();
    let of_made = |edge: &crate::graph::Edge| &*edge.caller_module == "Shop.Made";
    let calls = graph.edges().filter(of_made).map(|edge| {
        let caller = edge.caller_fun.as_deref().unwrap_or("-");
        format!("{caller} {}.{} {}", edge.callee_module, edge.callee_fun, edge.basis.as_str())
    });
    (made, calls.collect())
}

#[test]
fn the_compiler_tells_what_macros_made() {
    for version in ["elixir-1.14", "elixir-1.18"] {
        let (root, ebin) = project(version);
        let index = build(root.path());
        let (made, _) = told(&index);
        let guessed = [
            "Shop.Made.kept/1 by Shop.Tools.__before_compile__",
            "Shop.Made.plain/1 by Shop.Tools.__using__",
        ];
        assert_eq!(made, guessed);
        // Before the graph is made and after.
        for index in [build(root.path()), index] {
            let (index, observations) = observe(&index, &ebin);
            assert_eq!((observations.stale, &observations.diagnostics[..]), (0, &[][..]));
            assert!(observations.modules > 0, "{observations:?}");
            let (made, calls) = told(&index);
            assert!(made.contains(&"Shop.Made.mark/0 by Shop.Tools".to_owned()), "{made:?}");
            assert!(made.contains(&guessed[1].to_owned()), "{made:?}");
            assert!(calls.contains(&"uses List.first compiled".to_owned()), "{calls:?}");
        }
    }
}

#[test]
fn what_changed_since_it_was_compiled_is_as_it_is_written() {
    let (root, ebin) = project("elixir-1.14");
    let index = build(root.path());
    let (observed, _) = observe(&index, &ebin);
    assert_ne!(told(&observed), told(&index));
    let made = root.path().join("lib/made.ex");
    let text = fs::read_to_string(&made).unwrap();
    fs::write(&made, format!("{text}\n")).unwrap();
    // Times of files go by ticks of some milliseconds.
    let later = SystemTime::now() + Duration::from_secs(5);
    set_time(&made, later);
    // A later update forgets what the compiler said of it, and a later look at the compiler's work refuses it.
    let (updated, changes) = observed.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!(changes.changed.len(), 1);
    assert_eq!(told(&updated), told(&build(root.path())));
    let (again, observations) = observe(&updated, &ebin);
    assert_eq!(observations.stale, 1);
    assert_eq!(told(&again), told(&updated));
}

#[test]
fn traces_name_the_macros_too() {
    let (root, ebin) = project("elixir-1.14");
    let source = root.path().canonicalize().unwrap().join("lib/made.ex");
    let line =
        fs::read_to_string(&source).unwrap().lines().position(|l| l.contains("doubled(List")).unwrap() + 1;
    let trace = format!(
        "{{\"source\":{source:?}}}\n{{\"m\":\"Shop.Tools\",\"f\":\"doubled\",\"a\":1,\"l\":{line},\"cm\":\"Shop.Made\",\"cf\":\"uses\",\"ca\":1,\"k\":1}}\n"
    );
    fs::write(ebin.join("made.trace"), trace).unwrap();
    let (index, _) = observe(&build(root.path()), &ebin);
    let (_, calls) = told(&index);
    assert!(calls.contains(&"uses Shop.Tools.doubled compiled".to_owned()), "{calls:?}");
}

#[test]
fn what_is_no_file_of_a_compiler_is_told() {
    let (root, ebin) = project("elixir-1.14");
    fs::write(ebin.join("Elixir.Bad.beam"), b"FOR1\0\0\0\x10BEAM").unwrap();
    fs::write(ebin.join("bad.trace"), b"nothing").unwrap();
    fs::write(ebin.join("other.txt"), b"nothing").unwrap();
    let (_, observations) = observe(&build(root.path()), &ebin);
    assert_eq!(observations.diagnostics.len(), 2, "{observations:?}");
    let none = root.path().join("none");
    let error = build(root.path()).with_compiled(&[none], &mut |_| {}, &Cancel::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn the_compiler_is_heard_after_saving_and_opening() {
    let (root, ebin) = project("elixir-1.14");
    let plain = build(root.path());
    let (observed, first) = observe(&plain, &ebin);
    assert!(first.changed && first.read >= first.modules, "{first:?}");
    let opened = reopened(&observed);
    assert_eq!(everything(&opened), everything(&observed));
    assert_ne!(everything(&opened), everything(&plain));
    // What was known needs no second reading, once it is so old that nothing can have come into its place unseen.
    let early = SystemTime::now() - Duration::from_secs(1000);
    for folder in ["lib", "src", "_build/ebin"] {
        let files = fs::read_dir(root.path().join(folder)).unwrap();
        files.for_each(|file| set_time(&file.unwrap().path(), early));
    }
    let (settled, _) = observe(&opened, &ebin);
    let (again, second) = observe(&reopened(&settled), &ebin);
    assert_eq!((second.read, second.changed), (0, false));
    assert_eq!((second.modules, second.stale), (first.modules, 0));
    assert_eq!(everything(&again), everything(&observed));
    // A file that is edited is as it is written, and the others stay as they were compiled.
    fs::write(root.path().join("lib/made.ex"), "defmodule Shop.Made do\n  def mine, do: 1\nend\n").unwrap();
    let edited = update(&reopened(&settled));
    assert!(told(&edited).0.iter().all(|made| !made.starts_with("Shop.Made")));
    assert!(everything(&edited).contains("Compiled"));
    // No folder: nothing is known.
    let (forgotten, none) = again.with_compiled(&[], &mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!((none.modules, none.changed), (0, true));
    assert_eq!(everything(&forgotten), everything(&plain));
}

#[test]
fn a_text_that_the_index_does_not_have_counts_for_nothing() {
    let (root, ebin) = project("elixir-1.14");
    let index = build(root.path());
    // Edited and compiled, but the index was not told.
    let made = root.path().join("lib/made.ex");
    let text = fs::read_to_string(&made).unwrap();
    fs::write(&made, format!("# A line above\n{text}")).unwrap();
    set_time(&made, SystemTime::now() - Duration::from_secs(1000));
    let (observed, observations) = observe(&index, &ebin);
    assert_eq!(observations.stale, 1);
    assert_eq!(told(&observed), told(&index));
    let (observed, observations) = observe(&update(&observed), &ebin);
    assert_eq!(observations.stale, 0);
    assert_ne!(told(&observed), told(&index));
}

#[test]
fn of_two_compilations_of_a_source_the_newer_one_counts_module_by_module() {
    let (root, ebin) = project("elixir-1.14");
    let source = root.path().canonicalize().unwrap().join("lib/made.ex");
    let second = root.path().join("_build/second");
    fs::create_dir(&second).unwrap();
    let trace = |folder: &Path, calls: &[(&str, &str)], age: u64| {
        let mut text = format!("{{\"source\":{source:?}}}\n");
        for (module, name) in calls {
            text += &format!(
                "{{\"m\":\"Shop.Tools\",\"f\":{name:?},\"a\":1,\"l\":1,\"cm\":{module:?},\"cf\":null,\"ca\":null,\"k\":1}}\n"
            );
        }
        let path = folder.join("made.trace");
        fs::write(&path, text).unwrap();
        set_time(&path, SystemTime::now() + Duration::from_secs(100) - Duration::from_secs(age));
    };
    trace(&ebin, &[("Shop.Made", "old"), ("Shop.Other", "kept")], 20);
    trace(&second, &[("Shop.Made", "new")], 10);
    let (index, _) = build(root.path()).with_compiled(&[ebin, second], &mut |_| {}, &Cancel::new()).unwrap();
    let file = &index.compiled().files()["lib/made.ex"];
    let traced: Vec<_> = file.traced.iter().map(|call| (&*call.caller_module, &*call.name)).collect();
    assert_eq!(traced, [("Shop.Made", "new"), ("Shop.Other", "kept")]);
}

/// All that the graph of an index says.
fn everything(index: &Snapshot) -> String {
    let graph = index.graph();
    let mut all = String::new();
    graph.symbols().for_each(|symbol| all += &format!("{symbol:?}\n"));
    graph.relations().for_each(|relation| all += &format!("{relation:?}\n"));
    graph.edges().for_each(|edge| all += &format!("{edge:?}\n"));
    all
}

/// A project whose files are edited, compiled, traced and deleted.
struct Workplace {
    root: tempfile::TempDir,
    random: u64,
    /// Seconds; each step takes some.
    clock: u64,
}

const SOURCES: [&str; 6] =
    ["lib/cart.ex", "lib/made.ex", "lib/show.ex", "lib/till.ex", "lib/tools.ex", "src/shop_stock.erl"];
const MODULES: [&str; 5] = [
    "Elixir.Shop.Cart.beam",
    "Elixir.Shop.Made.beam",
    "Elixir.Shop.Show.Integer.beam",
    "Elixir.Shop.Till.beam",
    "shop_stock.beam",
];

impl Workplace {
    /// A number below `bound`, by a multiplicative generator (Lehmer).
    fn below(&mut self, bound: usize) -> usize {
        self.random = self.random * 48_271 % 0x7fff_ffff;
        self.random as usize % bound
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) {
        self.clock += 10;
        fs::write(path, bytes).unwrap();
        set_time(path, SystemTime::UNIX_EPOCH + Duration::from_millis(1_600_000_000_300 + self.clock * 1000));
    }

    /// Something that people and compilers do.
    fn step(&mut self) {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/beam");
        let source = SOURCES[self.below(SOURCES.len())];
        let module = MODULES[self.below(MODULES.len())];
        let build = ["_build/dev", "_build/test"][self.below(2)];
        let folder = self.root.path().join(build);
        let written = self.root.path().join(source);
        match self.below(14) {
            // An edit: lines come above, a function gets another name, or it is as it was.
            0 | 1 => {
                let text = fs::read_to_string(fixtures.join(source)).unwrap();
                let text = match self.below(3) {
                    0 => format!("{}{text}", "\n".repeat(self.below(3))),
                    1 => text.replace("def total", "def sum").replace("kept", "held"),
                    _ => text,
                };
                self.write(&written, text.as_bytes());
            }
            2 => drop(fs::remove_file(&written)),
            3 => drop(fs::remove_file(folder.join(module))),
            4 => {
                let trace = folder.join(format!("{}.trace", self.below(2)));
                let own = self.root.path().canonicalize().unwrap().join(source);
                let mut text = format!("{{\"source\":{own:?}}}\n");
                for _ in 0..self.below(4) {
                    let (line, caller) =
                        (self.below(30), ["Shop.Made", "Shop.Cart", "Shop.Till"][self.below(3)]);
                    text += &format!(
                        "{{\"m\":\"Shop.Tools\",\"f\":\"doubled\",\"a\":1,\"l\":{line},\"cm\":{caller:?},\"cf\":null,\"ca\":null,\"k\":1}}\n"
                    );
                }
                self.write(&trace, text.as_bytes());
            }
            5 => drop(fs::remove_file(folder.join(format!("{}.trace", self.below(2))))),
            // A compilation, now and then by another version.
            _ => {
                let versions = ["elixir-1.14", "elixir-1.18"];
                let version = versions[if module.contains("Made") { self.below(2) } else { 0 }];
                let bytes = fs::read(fixtures.join(version).join(module)).unwrap();
                self.write(&folder.join(module), &bytes);
            }
        }
    }
}

#[test]
fn an_index_with_a_history_knows_what_a_new_one_would() {
    for seed in 1..=4 {
        let (root, _) = project("elixir-1.14");
        fs::remove_dir_all(root.path().join("_build")).unwrap();
        let folders = ["_build/dev", "_build/test"].map(|folder| root.path().join(folder));
        folders.iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
        for source in SOURCES {
            set_time(&root.path().join(source), SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000));
        }
        let mut index = build(root.path());
        let mut place = Workplace { root, random: seed, clock: 0 };
        let (mut counted, mut read, mut listed) = (0, 0, 0);
        for step in 0..30 {
            (0..=place.below(3)).for_each(|_| place.step());
            // The graph is there or not when something changes.
            if place.below(3) == 0 {
                index = reopened(&index);
            }
            let take_in =
                |index: &Snapshot| index.with_compiled(&folders, &mut |_| {}, &Cancel::new()).unwrap();
            let (next, observations) = take_in(&update(&index));
            let (fresh, of_fresh) = take_in(&build(place.root.path()));
            assert!(everything(&next) == everything(&fresh), "seed {seed}, step {step}");
            counted += observations.modules;
            read += observations.read;
            listed += of_fresh.read;
            let same = Observations { read: of_fresh.read, changed: of_fresh.changed, ..observations };
            assert_eq!(same, of_fresh, "seed {seed}, step {step}");
            index = next;
        }
        assert!(counted > 30, "{counted} modules were found in all");
        assert!(read * 2 < listed, "{read} of {listed} files were read again");
    }
}
