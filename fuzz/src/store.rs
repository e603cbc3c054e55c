//! Files that claim to be an index.

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use ambix_core::project::BuildOptions;
use ambix_core::project::store::{FileStore, StoreOptions};
use ambix_core::retrieval::persistence::{open, save};
use ambix_core::retrieval::{Answer, Index, Query};
use ambix_core::{Cancel, ErrorKind};

/// Damaged bytes are refused as such, or the index that they hold answers as one that was saved: as the last one, or, where
/// only that was damaged, as the one before.
pub fn store(data: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("index");
    fs::write(&path, data).expect("a file for temporary data");
    match open(&mut FileStore::new(&path, StoreOptions::default()), &Cancel::new()) {
        Ok(opened) => {
            let answer = answer(&opened);
            opened.graph();
            assert!(saved().answers.contains(&answer), "no index that was saved gives {answer:?}");
        }
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Version), "{error:?}"),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    vec![saved().bytes.clone(), saved().bytes[..200].to_vec(), b"something else".to_vec()]
}

/// A file that was saved twice, and what both states answer.
struct Saved {
    bytes: Vec<u8>,
    answers: [Answer; 2],
}

fn saved() -> &'static Saved {
    static SAVED: OnceLock<Saved> = OnceLock::new();
    SAVED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let (root, path) = (folder.path().join("project"), folder.path().join("index"));
        fs::create_dir(&root).expect("a folder for the project");
        let mut store = FileStore::new(&path, StoreOptions { wait: Duration::ZERO, max_bytes: None });
        let answers =
            ["def price(item), do: item", "def price(item, count), do: item * count"].map(|function| {
                let text =
                    format!("defmodule Shop do\n  @doc \"The price of an item.\"\n  {function}\nend\n");
                fs::write(root.join("shop.ex"), text).expect("a file of the project");
                let index = Index::build(&root, &BuildOptions::default(), &mut |_| {}, &Cancel::new());
                let index = observed(&index.expect("an index of the project"));
                save(&index, &mut store, &Cancel::new()).expect("the index is saved");
                answer(&index)
            });
        assert_ne!(answers[0], answers[1]);
        Saved { bytes: fs::read(&path).expect("the saved index"), answers }
    })
}

/// The index with what a tracer of the compiler saw.
fn observed(index: &Index) -> Index {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let source = index.root().join("shop.ex");
    let call = r#"{"m":"Kernel","f":"*","a":2,"l":3,"cm":"Shop","cf":"price","ca":2,"k":0}"#;
    let text = format!("{{\"source\":{source:?}}}\n{call}\n");
    fs::write(folder.path().join("shop.trace"), text).expect("a trace");
    let folders = [folder.path().to_path_buf()];
    let observed = index.with_compiled(&folders, &mut |_| {}, &Cancel::new());
    observed.expect("the trace is read").0
}

fn answer(index: &Index) -> Answer {
    index.search(&Query::new("price of an item"), &Cancel::new()).expect("an index answers")
}
