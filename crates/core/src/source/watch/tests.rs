//! The watch on real folders. Batches may be cut anywhere on a busy machine, so they are joined until what is waited for is there.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::Cancel;
use crate::source::ContentHash;

/// So many times a folder is turned over.
const ROUNDS: usize = 60;

const PATIENCE: Duration = Duration::from_secs(30);

fn options() -> WatchOptions {
    WatchOptions {
        quiet: Duration::from_millis(20),
        poll: Duration::from_millis(50),
        ..WatchOptions::default()
    }
}

struct Watched {
    top: tempfile::TempDir,
    batches: Receiver<ChangeBatch>,
    watch: Option<Watch>,
    /// So many marks were written by `assert_told`.
    marks: Cell<u32>,
}

impl Watched {
    fn new(files: &[&str]) -> Watched {
        Watched::with(files, options())
    }

    fn with(files: &[&str], options: WatchOptions) -> Watched {
        let top = tempfile::tempdir().unwrap();
        for path in files {
            write(&top.path().join("root").join(path), "one");
        }
        let (sender, batches) = channel();
        let watch = watch(&top.path().join("root"), &options, move |batch| drop(sender.send(batch))).unwrap();
        Watched { top, batches, watch: Some(watch), marks: Cell::new(0) }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.top.path().join("root").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        write(&self.at(path), text);
    }

    fn state(&self) -> WatchState {
        self.watch.as_ref().unwrap().state()
    }

    /// What is told until all of `paths` were. A folder stands for what is below it.
    #[track_caller]
    fn told(&self, paths: &[&str]) -> BTreeSet<String> {
        let mut told = BTreeSet::new();
        while !paths.iter().all(|path| crate::source::lies_in(path, &told)) {
            match self.batches.recv_timeout(PATIENCE).expect("it is told").changed {
                Changed::Paths(paths) => told.extend(paths),
                Changed::Rescan => panic!("a rescan, after {told:?}"),
            }
        }
        told
    }

    /// All of `paths` are told and nothing that does not lie in them. The system tells in order, so a mark that is
    /// written now is the last, and what is told of an earlier one again is left out.
    #[track_caller]
    fn assert_told(&self, paths: &[&str]) {
        let is_mark = |path: &String| path.starts_with("mark");
        self.marks.set(self.marks.get() + 1);
        let mark = format!("mark{}.ex", self.marks.get());
        self.write(&mark, "");
        let mut told = self.told(&[&mark]);
        told.retain(|path| !is_mark(path));
        let expected: BTreeSet<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        assert!(
            told.is_superset(&expected) && told.iter().all(|path| crate::source::lies_in(path, &expected)),
            "{told:?} is told, not {expected:?}"
        );
    }

    #[track_caller]
    fn assert_rescan(&self) {
        while self.batches.recv_timeout(PATIENCE).expect("it is told").changed != Changed::Rescan {}
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn files_that_change_come_and_go_are_told() {
    let watched = Watched::new(&["lib/a.ex", "lib/b.ex", "README.md"]);
    assert_eq!(watched.state().means(), Means::Events);
    watched.write("lib/a.ex", "two");
    watched.assert_told(&["lib/a.ex"]);
    fs::remove_file(watched.at("lib/b.ex")).unwrap();
    watched.assert_told(&["lib/b.ex"]);
    fs::rename(watched.at("lib/a.ex"), watched.at("lib/c.ex")).unwrap();
    watched.assert_told(&["lib/a.ex", "lib/c.ex"]);
    // As editors save.
    watched.write("lib/.c.ex.swp", "three");
    watched.write("lib/4913", "");
    fs::remove_file(watched.at("lib/4913")).unwrap();
    fs::rename(watched.at("lib/.c.ex.swp"), watched.at("lib/c.ex")).unwrap();
    watched.assert_told(&["lib/c.ex"]);
}

#[test]
fn what_is_ignored_is_not_told() {
    let watched = Watched::new(&["lib/a.ex", "_build/dev/x.ex", "node_modules/y/y.ex", "deps/z/lib/z.ex"]);
    watched.write("_build/dev/x.ex", "two");
    watched.write("_build/test/x.ex", "two");
    watched.write("node_modules/y/y.ex", "two");
    watched.write("deps/z/lib/z.ex", "two");
    watched.write("cover/c.ex", "two");
    watched.write("lib/a.beam", "two");
    watched.write("lib/.hidden/a.ex", "two");
    // The system tells in order, so this is all.
    watched.write("lib/a.ex", "two");
    watched.assert_told(&["lib/a.ex"]);
    watched.write("mix.lock", "two");
    watched.assert_told(&["mix.lock"]);
    watched.write("deps/new/mix.exs", "two");
    watched.assert_told(&["deps"]);
}

#[test]
fn folders_are_followed_however_they_come_and_go() {
    let watched = Watched::new(&["lib/a.ex", "lib/old/deep/b.ex"]);
    watched.write("lib/new/deep/c.ex", "one");
    watched.assert_told(&["lib/new"]);
    watched.write("lib/new/deep/c.ex", "two");
    watched.told(&["lib/new/deep/c.ex"]);

    fs::rename(watched.at("lib/old"), watched.at("lib/moved")).unwrap();
    watched.told(&["lib/moved", "lib/old"]);
    watched.write("lib/moved/deep/b.ex", "two");
    watched.told(&["lib/moved/deep/b.ex"]);

    // Another folder of the same name, at once.
    fs::remove_dir_all(watched.at("lib/moved")).unwrap();
    watched.write("lib/moved/deep/b.ex", "three");
    watched.told(&["lib/moved"]);
    watched.write("lib/moved/deep/b.ex", "four");
    watched.told(&["lib/moved/deep/b.ex"]);

    // Out of the root, where it is none of ours.
    fs::rename(watched.at("lib/moved"), watched.top.path().join("outside")).unwrap();
    watched.assert_told(&["lib/moved"]);
    write(&watched.top.path().join("outside/deep/b.ex"), "five");
    watched.write("lib/a.ex", "two");
    watched.assert_told(&["lib/a.ex"]);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let watched = Watched::new(&["lib/a.ex"]);
    write(&watched.top.path().join("outside/b.ex"), "one");
    std::os::unix::fs::symlink(watched.top.path().join("outside"), watched.at("lib/link")).unwrap();
    write(&watched.top.path().join("outside/b.ex"), "two");
    watched.write("lib/a.ex", "two");
    watched.assert_told(&["lib/a.ex"]);
}

#[test]
fn other_rules_are_a_rescan_and_are_followed() {
    let watched = Watched::new(&["lib/a.ex", "generated/b.ex", ".gitignore"]);
    watched.write(".gitignore", "/generated");
    watched.assert_rescan();
    watched.write("generated/b.ex", "two");
    watched.write("lib/a.ex", "two");
    while let Changed::Rescan = watched.batches.recv_timeout(PATIENCE).unwrap().changed {}
    watched.write(".gitignore", "");
    watched.assert_rescan();
    watched.write("generated/b.ex", "three");
    loop {
        match watched.batches.recv_timeout(PATIENCE).unwrap().changed {
            Changed::Paths(paths) if paths.contains("generated/b.ex") => break,
            _ => {}
        }
    }
}

#[test]
fn an_operation_of_git_is_told_when_it_is_over() {
    let watched = Watched::new(&["lib/a.ex", "lib/b.ex", ".git/HEAD", ".git/index"]);
    watched.write(".git/index.lock", "");
    watched.write("lib/a.ex", "two");
    while watched.state().pending().0 == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    // Longer than the quiet time: the lock holds it back.
    assert!(watched.batches.recv_timeout(Duration::from_millis(200)).is_err());
    assert!(!watched.state().is_all(1));
    watched.write("lib/b.ex", "two");
    fs::rename(watched.at(".git/index.lock"), watched.at(".git/index")).unwrap();
    let batch = watched.batches.recv_timeout(PATIENCE).unwrap();
    assert_eq!(batch.changed, Changed::Paths(["lib/a.ex", "lib/b.ex"].map(String::from).into()));
    assert_eq!(watched.state().pending().0, 0);
    assert!(watched.state().is_all(batch.seen));
}

#[test]
fn a_root_that_disappears_is_waited_for() {
    let watched = Watched::new(&["lib/a.ex"]);
    fs::rename(watched.at(""), watched.top.path().join("away")).unwrap();
    watched.assert_rescan();
    assert_eq!(watched.state().means(), Means::Nothing);
    write(&watched.top.path().join("away/lib/a.ex"), "two");

    watched.write("lib/b.ex", "one");
    watched.assert_rescan();
    assert_eq!(watched.state().means(), Means::Events);
    watched.write("lib/b.ex", "two");
    watched.told(&["lib/b.ex"]);
}

#[test]
fn a_root_that_is_not_there_yet_is_waited_for() {
    let watched = Watched::new(&[]);
    assert_eq!(watched.state().means(), Means::Nothing);
    watched.write("lib/a.ex", "one");
    watched.assert_rescan();
    watched.write("lib/a.ex", "two");
    watched.told(&["lib/a.ex"]);
}

#[test]
fn polling_tells_the_same() {
    let watched = Watched::with(
        &["lib/a.ex", "lib/b.ex", "lib/c.ex", "_build/d.ex", "generated/e.ex", ".git/HEAD"],
        WatchOptions { only_poll: true, ..options() },
    );
    assert_eq!(watched.state().means(), Means::Polling);
    // What is young may change without a trace of it, and is told with the first look.
    watched.told(&["lib/a.ex", "lib/b.ex", "lib/c.ex", "generated/e.ex"]);
    fs::remove_file(watched.at("lib/b.ex")).unwrap();
    watched.write("lib/new/d.ex", "one");
    watched.write("_build/d.ex", "two");
    let told = watched.told(&["lib/b.ex", "lib/new/d.ex"]);
    assert!(!told.contains("_build/d.ex"));
    watched.write(".gitignore", "/generated");
    watched.told(&["generated/e.ex"]);
}

#[test]
fn the_thread_ends_with_its_handle() {
    for only_poll in [false, true] {
        let mut watched = Watched::with(&["lib/a.ex"], WatchOptions { only_poll, ..options() });
        let state = watched.state();
        drop(watched.watch.take());
        // The way to tell is dropped with the thread.
        while watched.batches.recv_timeout(PATIENCE).is_ok() {}
        assert!(matches!(watched.batches.try_recv(), Err(mpsc::TryRecvError::Disconnected)));
        assert_eq!(state.means(), Means::Nothing);
    }
}

/// A watch whose system refuses at some time: what it tells on its way to polling.
#[test]
fn where_the_system_gives_up_it_goes_on_by_polling() {
    let top = tempfile::tempdir().unwrap();
    write(&top.path().join("lib/a.ex"), "one");
    let ((sender, inbox), (tell, batches)) = (channel(), channel());
    let stop = sender.clone();
    let state = WatchState::new();
    let told = Box::new(move |batch| drop(tell.send(batch)));
    let mut driver = Driver::new(top.path(), &options(), state.clone(), (sender, inbox), told);
    assert_eq!(state.means(), Means::Events);
    // What is gone is no reason, what nobody can watch is.
    driver.apply(vec![notify::PathOp::watch_non_recursive(top.path().join("none"))]);
    assert_eq!(state.means(), Means::Events);
    driver.apply(vec![notify::PathOp::watch_non_recursive("/no\0path")]);
    assert_eq!(state.means(), Means::Polling);
    let thread = thread::spawn(move || driver.run());
    assert_eq!(batches.recv_timeout(PATIENCE).unwrap().changed, Changed::Rescan);
    write(&top.path().join("lib/b.ex"), "one");
    // What is young is told again and again.
    let is_told =
        |batch: ChangeBatch| matches!(batch.changed, Changed::Paths(paths) if paths.contains("lib/b.ex"));
    while !is_told(batches.recv_timeout(PATIENCE).unwrap()) {}
    stop.send(WatchMessage::Stop).unwrap();
    thread.join().unwrap();
}

#[test]
fn events_that_got_lost_are_a_rescan() {
    let top = tempfile::tempdir().unwrap();
    write(&top.path().join("lib/a.ex"), "one");
    let ((sender, inbox), (tell, batches)) = (channel(), channel());
    let told = Box::new(move |batch| drop(tell.send(batch)));
    let state = WatchState::new();
    let driver = Driver::new(top.path(), &options(), state.clone(), (sender.clone(), inbox), told);
    let thread = thread::spawn(move || driver.run());
    let overflow = notify::Event::new(notify::EventKind::Other).set_flag(notify::event::Flag::Rescan);
    for event in [Ok(overflow), Err(notify::Error::generic("no"))] {
        let before = state.seen();
        state.0.unread.fetch_add(1, Ordering::SeqCst);
        assert!(!state.is_all(before));
        sender.send(WatchMessage::Event(event)).unwrap();
        let batch = batches.recv_timeout(PATIENCE).unwrap();
        assert_eq!(batch.changed, Changed::Rescan);
        assert!(batch.seen > before && state.is_all(batch.seen));
    }
    sender.send(WatchMessage::Stop).unwrap();
    thread.join().unwrap();
}

/// Whatever is done to a folder: who reads what is told knows what is there.
#[test]
fn what_is_told_is_enough_to_know_all() {
    let watched = Watched::new(&["lib/a.ex"]);
    let read = |told: Option<&BTreeSet<String>>| -> BTreeMap<String, ContentHash> {
        let (options, cancel) = (WalkOptions::default(), Cancel::new());
        let root = watched.at("");
        let (files, _) = match told {
            Some(paths) => crate::source::walk_some(&root, paths, &options, &cancel).unwrap(),
            None => crate::source::walk(&root, &options, &cancel).unwrap(),
        };
        files.into_iter().map(|file| (file.path.to_string(), file.hash)).collect()
    };
    let mut known = read(None);
    let mut random = 1_u64;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    for round in 0..ROUNDS {
        for _ in 0..6 {
            let folder = |n: u64| ["lib", "lib/b", "lib/b/c", "lib/d", "test", "skip"][n as usize];
            let (here, there) = (watched.at(folder(below(6))), watched.at(folder(below(6))));
            let file = format!("f{}.ex", below(3));
            // What cannot be done is not done.
            let _ = match below(9) {
                0..=2 => {
                    fs::create_dir_all(&here).and_then(|()| fs::write(here.join(file), round.to_string()))
                }
                3 => fs::remove_file(here.join(file)),
                4 => fs::rename(&here, &there),
                5 => fs::remove_dir_all(&here),
                6 => fs::rename(here.join(&file), there.join(&file)),
                7 => {
                    fs::create_dir_all(&here).and_then(|()| fs::rename(here, watched.top.path().join("out")))
                }
                _ => fs::rename(watched.top.path().join("out"), here),
            };
        }
        if below(8) == 0 {
            watched.write(".gitignore", ["", "skip\n", "f1.ex\n"][below(3) as usize]);
        }
        // The system tells in order: with this all before it is told.
        let last = format!("last{round}.ex");
        watched.write(&last, "");
        while !known.contains_key(&last) {
            let batch = watched.batches.recv_timeout(PATIENCE).expect("it is told");
            match batch.changed {
                Changed::Rescan => known = read(None),
                Changed::Paths(paths) => {
                    known.retain(|path, _| !crate::source::lies_in(path, &paths));
                    known.extend(read(Some(&paths)));
                }
            }
        }
        assert_eq!(known, read(None), "round {round}");
    }
}
