//! A stored index is whole or an error, whatever happens to its bytes and whoever else writes.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::persistence;
use crate::project::BuildOptions;
use crate::project::store::{FileStore, MemoryStore, Saved, StoreOptions};
use crate::retrieval::testing::{embedded, project};
use crate::retrieval::{Index, Mode, Query};
use crate::source::ContentHash;
use crate::{Cancel, ErrorKind, Result};

/// Where the records of a file begin.
const DATA: usize = 192;

fn build(root: &Path) -> Index {
    let options = BuildOptions::default();
    Index::build(root, &options, &mut |_| {}, &Cancel::new()).unwrap()
}

fn update(index: &Index) -> Index {
    index.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap().0
}

fn store(path: &Path) -> FileStore {
    FileStore::new(path, StoreOptions { wait: Duration::ZERO, max_bytes: None })
}

fn save(index: &Index, path: &Path) -> Result<Saved> {
    persistence::save(index, &mut store(path), &Cancel::new())
}

/// Saves as soon as nobody else does.
fn save_patiently(index: &Index, path: &Path) -> Saved {
    let options = StoreOptions { wait: Duration::from_secs(60), max_bytes: None };
    persistence::save(index, &mut FileStore::new(path, options), &Cancel::new()).unwrap()
}

fn open(path: &Path) -> Result<Index> {
    persistence::open(&mut store(path), &Cancel::new())
}

fn answers(index: &Index) -> String {
    let texts = ["Shop.Cart.add/2", "total of a cart", "round money", "guide"];
    let all = texts.map(|text| {
        let vector = index.encoder().map(|_| vec![0.3, -0.5, 0.1, 0.9]);
        let query = Query { mode: Mode::Hybrid, vector, ..Query::new(text) };
        index.search(&query, &Cancel::new()).unwrap()
    });
    format!("{all:?} {:?} {:?} {:?}", index.stats(), index.root(), index.snapshot().compiled().files())
}

/// The index with what a tracer saw in one of its files.
fn observed(index: &Index) -> Index {
    let folder = tempfile::tempdir().unwrap();
    let call = r#"{"m":":lists","f":"map","a":2,"l":3,"cm":"Shop.Cart","cf":"total","ca":1,"k":0}"#;
    let head = format!("{{\"source\":{:?}}}", index.root().join("lib/cart.ex"));
    fs::write(folder.path().join("cart.trace"), format!("{head}\n{call}\n")).unwrap();
    let folders = [folder.path().to_path_buf()];
    let (index, _) = index.with_compiled(&folders, &mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!(index.snapshot().compiled().files().len(), 1);
    index
}

#[test]
fn a_reopened_index_answers_the_same() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let plain = build(root.path());
    save(&plain, &path).unwrap();
    assert_eq!(answers(&open(&path).unwrap()), answers(&plain));

    let index = embedded(&plain);
    let saved = save(&index, &path).unwrap();
    assert_eq!(saved.written, 1, "only the vectors are new");
    let opened = open(&path).unwrap();
    assert_eq!(answers(&opened), answers(&index));
    assert!(opened.missing_vectors(index.encoder().unwrap()).is_empty());
    let index = observed(&opened);
    assert_eq!(save(&index, &path).unwrap().written, 1, "only what the compiler said is new");
    let opened = open(&path).unwrap();
    assert_eq!(answers(&opened), answers(&index));

    fs::write(root.path().join("lib/cart.ex"), "defmodule Shop.Cart do\n  def add(a, b), do: a + b\nend\n")
        .unwrap();
    let next = update(&opened);
    let saved = save(&next, &path).unwrap();
    // The file, its outline, and the tables of words and names that it is in.
    assert_eq!(saved.written, 4, "only what the changed file is in is written");
    assert_eq!(answers(&open(&path).unwrap()), answers(&next));
    assert_eq!(save(&next, &path).unwrap().written, 0);
}

#[test]
fn many_changes_do_not_make_a_large_file() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let mut index = build(root.path());
    let first = save(&index, &path).unwrap().bytes;
    for turn in 0..50 {
        fs::write(
            root.path().join("lib/money.ex"),
            format!("defmodule Shop.Money do\n  def v, do: {turn}\nend\n"),
        )
        .unwrap();
        index = update(&index);
        let saved = save(&index, &path).unwrap();
        assert!(saved.bytes < first * 4, "{} bytes after {turn} turns", saved.bytes);
        assert_eq!(answers(&open(&path).unwrap()), answers(&index));
    }
}

/// Each damage gives an error, or a state that was saved: never a panic, never something else.
#[test]
fn damage_is_an_error_or_a_state_that_was_saved() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let first = observed(&embedded(&build(root.path())));
    save(&first, &path).unwrap();
    fs::write(root.path().join("lib/money.ex"), "defmodule Shop.Money do\n  def sum(a, b), do: a + b\nend\n")
        .unwrap();
    let second = update(&first);
    save(&second, &path).unwrap();
    let states = [answers(&first), answers(&second)];
    let bytes = fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged");
    let check = |bytes: &[u8], what: &str| {
        fs::write(&damaged, bytes).unwrap();
        match open(&damaged) {
            Ok(index) => assert!(states.contains(&answers(&index)), "{what} gives another index"),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Version), "{what}: {error:?}");
                assert!(error.to_string().contains("delete the file"), "{error}");
            }
        }
    };
    for length in (0..bytes.len()).step_by(bytes.len() / 150 + 1).chain(0..200) {
        check(&bytes[..length], &format!("cut at {length}"));
    }
    let everywhere = (0..bytes.len()).step_by(bytes.len() / 250 + 1);
    for at in (0..DATA).chain(everywhere) {
        let mut copy = bytes.clone();
        copy[at] ^= 1 << (at % 8);
        check(&copy, &format!("a bit of byte {at}"));
        copy[at] = if at % 2 == 0 { 0xff } else { 0 };
        check(&copy, &format!("byte {at}"));
    }
    check(&[bytes.clone(), vec![7; 500]].concat(), "something behind the end");
}

#[test]
fn building_again_mends_a_damaged_index() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let index = build(root.path());
    save(&index, &path).unwrap();
    let whole = fs::read(&path).unwrap();
    for at in [9, 70, DATA + 20, whole.len() - 5] {
        let mut copy = whole.clone();
        copy[at] ^= 0x10;
        fs::write(&path, copy).unwrap();
        assert!(open(&path).is_err(), "byte {at}");
        save(&index, &path).unwrap();
        assert_eq!(answers(&open(&path).unwrap()), answers(&index));
    }
}

#[test]
fn foreign_and_newer_files_are_refused_and_kept() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let index = build(root.path());
    let path = folder.path().join("index");
    save(&index, &path).unwrap();
    let mut newer = fs::read(&path).unwrap();
    let version = |bytes: &[u8]| u32::from_le_bytes(bytes[8..12].try_into().unwrap());
    let next = version(&newer) + 1;
    newer[8..12].copy_from_slice(&next.to_le_bytes());
    let check = ContentHash::of(&newer[..12]);
    newer[12..16].copy_from_slice(&check.0[..4]);
    for (bytes, kind) in [
        (b"{\"some\": \"json\"}".to_vec(), ErrorKind::Corrupt),
        (vec![0; 4096], ErrorKind::Corrupt),
        (newer, ErrorKind::Version),
    ] {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(open(&path).unwrap_err().kind(), kind);
        assert_eq!(save(&index, &path).unwrap_err().kind(), kind);
        assert_eq!(fs::read(&path).unwrap(), bytes, "it is not touched");
    }
    save(&index, &folder.path().join("fresh")).unwrap();
    let mut older = fs::read(folder.path().join("fresh")).unwrap();
    let last = version(&older) - 1;
    older[8..12].copy_from_slice(&last.to_le_bytes());
    let check = ContentHash::of(&older[..12]);
    older[12..16].copy_from_slice(&check.0[..4]);
    fs::write(&path, older).unwrap();
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::Outdated);
    save(&index, &path).unwrap();
    open(&path).unwrap();
    fs::write(&path, "").unwrap();
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::Corrupt);
    save(&index, &path).unwrap();
    open(&path).unwrap();
    assert_eq!(open(&folder.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
}

/// An index that was opened has the tables of the one that was saved, and its facts once they are asked for.
#[test]
fn what_is_made_from_the_files_is_stored_with_them() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let index = build(root.path());
    save(&index, &path).unwrap();
    let opened = open(&path).unwrap();
    let tables = |index: &Index| {
        let segments = index.lexical().segments().map(|segment| segment.id());
        let names = index.names().groups().map(|(id, _)| id);
        segments.chain(names).collect::<Vec<_>>()
    };
    assert_eq!(tables(&opened), tables(&index));
    for file in index.files() {
        let (before, after) = (index.facts(&file.path), opened.facts(&file.path));
        assert!(before.is_some());
        assert_eq!(after, before, "{}", file.path);
    }
    assert_eq!(opened.stats(), index.stats());
}

/// Records with the right hashes can hold anything. It is an error, or what the texts say.
#[test]
fn nonsense_with_the_right_hashes_is_no_harm() {
    let root = project();
    let index = build(root.path());
    let mut store = MemoryStore::default();
    persistence::save(&index, &mut store, &Cancel::new()).unwrap();
    let expected = answers(&index);
    // Each record in turn gets each of these instead of some of its bytes.
    for which in 0..store.len() {
        let length = store.bytes_mut(which).len();
        for at in (0..length).step_by(length / 40 + 1) {
            for byte in [0u8, 1, 0x7f, 0xff] {
                let before = std::mem::replace(&mut store.bytes_mut(which)[at], byte);
                match persistence::open(&mut store, &Cancel::new()) {
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
                    // It is asked, and answers something.
                    Ok(index) => {
                        let answered = answers(&index).len();
                        assert!(answered * 4 > expected.len(), "{answered} bytes");
                        index.graph();
                        let query =
                            Query { mode: Mode::Lexical, ..Query::new("Shop.Cart.add/2 totla of a crat") };
                        index.search(&query, &Cancel::new()).unwrap();
                    }
                }
                store.bytes_mut(which)[at] = before;
            }
        }
    }
    assert_eq!(answers(&persistence::open(&mut store, &Cancel::new()).unwrap()), expected);
}

/// To save again costs what changed: records that the store has read or written are not read once more.
#[test]
fn a_store_does_not_read_again_what_it_has_seen() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let first = build(root.path());
    let mut held = store(&path);
    persistence::save(&first, &mut held, &Cancel::new()).unwrap();
    fs::write(root.path().join("test/cart_test.exs"), "defmodule Shop.CartTest do\nend\n").unwrap();
    let second = update(&first);
    // A byte of a record that stays is damaged behind the back of the store that wrote it.
    let mut bytes = fs::read(&path).unwrap();
    bytes[DATA + 20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let saved = persistence::save(&second, &mut held, &Cancel::new()).unwrap();
    assert!(saved.kept > 0, "it trusts what it wrote");
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::Corrupt);
    // A store that has not seen it looks at it, and mends it.
    let saved = save(&second, &path).unwrap();
    assert_eq!(saved.kept, 0);
    assert_eq!(answers(&open(&path).unwrap()), answers(&second));
}

/// Unsaved text counts in answers, and is not taken for what is on the disk when the index is opened again.
#[test]
fn overlays_are_searched_and_not_kept() {
    let root = project();
    let (options, cancel) = (BuildOptions::default(), Cancel::new());
    let index = build(root.path());
    let text: Arc<str> = "defmodule Shop.Money do\n  def hypotenuse(a, b), do: a + b\nend\n".into();
    let overlay = |text: Option<Arc<str>>| [("lib/money.ex".to_string(), text)].into();
    let (over, changes) = index.with_overlays(overlay(Some(text)), &options, &cancel).unwrap();
    assert_eq!(changes.changed, ["lib/money.ex".into()]);
    let best = |index: &Index| index.search(&Query::new("hypotenuse"), &cancel).unwrap().results.len();
    assert_eq!((best(&index), best(&over)), (0, 1));
    // An update reads the disk, and the overlay stays; it is no difference that an update could take away.
    let over = update(&over);
    assert_eq!(best(&over), 1);
    assert!(over.differences(&mut Default::default(), &options, &cancel).unwrap().is_empty());

    let mut store = MemoryStore::default();
    persistence::save(&over, &mut store, &cancel).unwrap();
    let opened = persistence::open(&mut store, &cancel).unwrap();
    assert_eq!(answers(&update(&opened)), answers(&index));
    let (back, changes) = over.with_overlays(overlay(None), &options, &cancel).unwrap();
    assert_eq!((changes.changed.len(), answers(&back)), (1, answers(&index)));
    // An overlay may also be a file that is not on the disk.
    let new = [("lib/new.ex".to_string(), Some("defmodule Shop.New do\nend\n".into()))].into();
    let (with_new, changes) = index.with_overlays(new, &options, &cancel).unwrap();
    assert_eq!((changes.added.len(), with_new.stats().files), (1, index.stats().files + 1));
}

#[test]
fn an_exported_index_is_one_of_any_folder_with_the_project() {
    let (here, there) = (project(), project());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported");
    let cancel = Cancel::new();
    let index = embedded(&build(here.path()));
    persistence::export(&index, &mut store(&path), &cancel).unwrap();
    let bytes = fs::read(&path).unwrap();
    let place = here.path().canonicalize().unwrap();
    let place = place.to_str().unwrap().as_bytes();
    assert!(!bytes.windows(place.len()).any(|part| part == place), "it does not tell where it was made");
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::InvalidArgument);

    let without_root = |index: &Index| answers(index).replace(index.root().to_str().unwrap(), "");
    let imported = persistence::import(&mut store(&path), there.path(), &cancel).unwrap();
    assert_eq!(imported.root(), there.path().canonicalize().unwrap());
    assert_eq!(without_root(&imported), without_root(&index));
    fs::write(there.path().join("lib/money.ex"), "defmodule Shop.Money do\n  def other, do: 1\nend\n")
        .unwrap();
    let (updated, changes) = imported.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!((changes.changed.len(), changes.unchanged), (1, index.stats().files - 1));
    assert_eq!(answers(&embedded(&updated)), answers(&embedded(&build(there.path()))));
    // From then on it is one as any other.
    save(&updated, &path).unwrap();
    assert_eq!(answers(&open(&path).unwrap()), answers(&updated));
    assert_eq!(
        persistence::import(&mut store(&path), &there.path().join("none"), &cancel).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn a_file_stays_below_its_ceiling_or_is_as_it_was() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let save = |index: &Index, most: u64| {
        let options = StoreOptions { max_bytes: Some(most), ..StoreOptions::default() };
        persistence::save(index, &mut FileStore::new(&path, options), &Cancel::new())
    };
    let index = build(root.path());
    let needed = save(&index, u64::MAX).unwrap().bytes;
    // Changes that are appended would lead over it; the file is written anew before.
    let mut next = index.clone();
    for turn in 0..5 {
        fs::write(root.path().join("lib/money.ex"), format!("defmodule Shop.Money do\n  @a {turn}\nend\n"))
            .unwrap();
        next = update(&next);
        assert!(save(&next, needed).unwrap().bytes <= needed);
        assert!(fs::metadata(&path).unwrap().len() <= needed);
    }
    let before = fs::read(&path).unwrap();
    let error = save(&index, needed / 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("max_disk"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    // An encoder's vectors are left out where that is enough.
    save(&embedded(&index), needed).unwrap();
    let opened = open(&path).unwrap();
    assert_eq!((opened.encoder(), answers(&opened)), (None, answers(&index)));
}

#[test]
fn what_the_system_refuses_names_the_path() {
    let root = project();
    let index = build(root.path());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "text").unwrap();
    let error = save(&index, &file.join("index")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("index"), "{error}");
    assert_eq!(save(&index, folder.path()).unwrap_err().kind(), ErrorKind::Io, "a folder");
    // A folder in the way of the temporary file stands for a disk that refuses the write: the old index stays.
    let path = folder.path().join("index");
    save(&index, &path).unwrap();
    let before = fs::read(&path).unwrap();
    fs::write(&path, [&before[..100], &vec![0; before.len() - 100]].concat()).unwrap();
    let damaged = fs::read(&path).unwrap();
    fs::create_dir(folder.path().join("index.new")).unwrap();
    assert_eq!(save(&index, &path).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(fs::read(&path).unwrap(), damaged);
}

#[test]
fn who_finds_it_locked_waits_and_says_so() {
    let root = project();
    let index = build(root.path());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    save(&index, &path).unwrap();
    let held = fs::File::open(folder.path().join("index.lock")).unwrap();
    held.try_lock().unwrap();
    assert_eq!(save(&index, &path).unwrap_err().kind(), ErrorKind::Locked);
    open(&path).unwrap();
    let waiting = std::thread::spawn({
        let (index, path) = (index.clone(), path.clone());
        move || save_patiently(&index, &path)
    });
    drop(held);
    waiting.join().unwrap();
}

#[test]
fn readers_see_whole_states_while_others_write() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path: Arc<Path> = folder.path().join("index").into();
    let first = build(root.path());
    fs::write(root.path().join("lib/cart.ex"), "defmodule Shop.Cart do\n  def add(a, b), do: a + b\nend\n")
        .unwrap();
    let second = update(&first);
    save(&first, &path).unwrap();
    let states = [answers(&first), answers(&second)];
    let writers: Vec<_> = [first, second]
        .into_iter()
        .map(|index| {
            let path = path.clone();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    save_patiently(&index, &path);
                }
            })
        })
        .collect();
    for _ in 0..40 {
        assert!(states.contains(&answers(&open(&path).unwrap())));
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}
