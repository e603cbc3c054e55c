//! A stored index is whole or an error, whatever happens to its bytes and whoever else writes.

use super::*;
use crate::retrieval::testing::{embedded, project};
use crate::retrieval::{BuildOptions, Mode, Query};

fn build(root: &Path) -> Index {
    let options = BuildOptions::default();
    Index::build(root, &options, &mut |_| {}, &Cancel::new()).unwrap()
}

fn update(index: &Index) -> Index {
    index.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap().0
}

fn save(index: &Index, path: &Path) -> Result<Saved> {
    super::save(index, path, &SaveOptions { wait: Duration::ZERO, max_bytes: None }, &Cancel::new())
}

fn open(path: &Path) -> Result<Index> {
    super::open(path, &Cancel::new())
}

fn answers(index: &Index) -> String {
    let texts = ["Shop.Cart.add/2", "total of a cart", "round money", "guide"];
    let all = texts.map(|text| {
        let vector = index.encoder().map(|_| vec![0.3, -0.5, 0.1, 0.9]);
        let query = Query { mode: Mode::Hybrid, vector, ..Query::new(text) };
        index.search(&query, &Cancel::new()).unwrap()
    });
    format!("{all:?} {:?} {:?} {:?}", index.stats(), index.root(), index.compiled().files())
}

/// The index with what a tracer saw in one of its files.
fn observed(index: &Index) -> Index {
    let folder = tempfile::tempdir().unwrap();
    let call = r#"{"m":":lists","f":"map","a":2,"l":3,"cm":"Shop.Cart","cf":"total","ca":1,"k":0}"#;
    let head = format!("{{\"source\":{:?}}}", index.root().join("lib/cart.ex"));
    fs::write(folder.path().join("cart.trace"), format!("{head}\n{call}\n")).unwrap();
    let folders = [folder.path().to_path_buf()];
    let (index, _) = index.with_compiled(&folders, &mut |_| {}, &Cancel::new()).unwrap();
    assert_eq!(index.compiled().files().len(), 1);
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
    assert_eq!((saved.written, saved.kept), (1, plain.stats().files), "only the vectors are new");
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
    assert_eq!(saved.written, 1, "only the file that changed is written");
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
    for at in (0..DATA as usize).chain(everywhere) {
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
    for at in [9, 70, DATA as usize + 20, whole.len() - 5] {
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
    newer[8..12].copy_from_slice(&(format::FORMAT_VERSION + 1).to_le_bytes());
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
    older[8..12].copy_from_slice(&(format::FORMAT_VERSION - 1).to_le_bytes());
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

/// Whoever writes hashes that are right can write what he likes. It is an error, or what the texts say.
#[test]
fn nonsense_with_the_right_hashes_is_no_harm() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let index = build(root.path());
    save(&index, &path).unwrap();
    let mut file = File::open(&path).unwrap();
    let Opened::State(_, directory) = open_directory(&mut file, &path).unwrap() else { panic!() };
    let forged = folder.path().join("forged");
    let whole = fs::read(&path).unwrap();
    let expected = answers(&index);
    // Each record in turn gets each of these instead of some of its bytes.
    for (which, place) in directory.places().enumerate() {
        let (start, end) = (place.offset as usize, place.end() as usize);
        for at in (start..end).step_by((end - start) / 40 + 1) {
            for byte in [0u8, 1, 0x7f, 0xff] {
                let mut bytes = whole[start..end].to_vec();
                bytes[at - start] = byte;
                let mut directory = directory.clone();
                let place = Place {
                    offset: whole.len() as u64,
                    length: bytes.len() as u64,
                    hash: ContentHash::of(&bytes),
                };
                directory.replace(which, place);
                let mut writer = Writer::new(place.end());
                let slot = writer.commit(&directory, 1).unwrap();
                let mut forgery = [&whole[..], &bytes, &writer.bytes].concat();
                let at = slot_offset(1) as usize;
                forgery[at..at + slot_bytes(&slot).len()].copy_from_slice(&slot_bytes(&slot));
                fs::write(&forged, forgery).unwrap();
                match open(&forged) {
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
            }
        }
    }
}

#[test]
fn an_exported_index_is_one_of_any_folder_with_the_project() {
    let (here, there) = (project(), project());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exported");
    let (cancel, options) = (Cancel::new(), SaveOptions::default());
    let index = embedded(&build(here.path()));
    export(&index, &path, &options, &cancel).unwrap();
    let bytes = fs::read(&path).unwrap();
    let place = here.path().canonicalize().unwrap();
    let place = place.to_str().unwrap().as_bytes();
    assert!(!bytes.windows(place.len()).any(|part| part == place), "it does not tell where it was made");
    assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::InvalidArgument);

    let without_root = |index: &Index| answers(index).replace(index.root().to_str().unwrap(), "");
    let imported = import(&path, there.path(), &cancel).unwrap();
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
    assert_eq!(import(&path, &there.path().join("none"), &cancel).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_file_stays_below_its_ceiling_or_is_as_it_was() {
    let root = project();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let save = |index: &Index, most: u64| {
        let options = SaveOptions { max_bytes: Some(most), ..SaveOptions::default() };
        super::save(index, &path, &options, &Cancel::new())
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
    let held = lock(&with_suffix(&path, "lock"), &SaveOptions::default(), &Cancel::new()).unwrap();
    assert_eq!(save(&index, &path).unwrap_err().kind(), ErrorKind::Locked);
    open(&path).unwrap();
    let waiting = std::thread::spawn({
        let (index, path) = (index.clone(), path.clone());
        move || {
            super::save(
                &index,
                &path,
                &SaveOptions { wait: Duration::from_secs(60), ..SaveOptions::default() },
                &Cancel::new(),
            )
        }
    });
    drop(held);
    waiting.join().unwrap().unwrap();
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
                    super::save(
                        &index,
                        &path,
                        &SaveOptions { wait: Duration::from_secs(60), ..SaveOptions::default() },
                        &Cancel::new(),
                    )
                    .unwrap();
                }
            })
        })
        .collect();
    for _ in 0..40 {
        assert!(states.contains(&answers(&open(&path).unwrap())));
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}
