//! Figures of an index: time to build, update, save, open and ask, and memory.
//!
//! `cargo run --release -p ambix-benches --no-default-features --bin index -- --root DIR [--turns N] [--json]`
//!
//! DIR is copied to a temporary folder and never written to. Times are medians of N turns, in milliseconds, but for the
//! first build, which is measured once, as a user meets it. Vectors are made up (384 numbers from a hash of the text): they
//! cost in the index what real ones do, and say nothing of quality.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ambix_core::Cancel;
use ambix_core::project::BuildOptions;
use ambix_core::project::store::{FileStore, StoreOptions};
use ambix_core::retrieval::{Embedder, Index, Mode, Query, StaticEncoder, embed_all, persistence};
use ambix_core::source::ContentHash;

const DIMENSIONS: usize = 384;
const QUESTIONS: usize = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut root, mut turns, mut json) = (None, 5, false);
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
    let figures = measure(&root, turns)?;
    if json {
        println!("{}", serde_json::Value::Object(figures));
    } else {
        for (name, value) in figures {
            println!("{name:24} {value}");
        }
    }
    Ok(())
}

type Figures = serde_json::Map<String, serde_json::Value>;

fn measure(root: &Path, turns: usize) -> Result<Figures, Box<dyn Error>> {
    let cancel = Cancel::new();
    let options = BuildOptions::default();
    let mut figures = Figures::new();
    let mut put = |name: &str, value: f64| {
        figures.insert(name.into(), ((value * 1000.0).round() / 1000.0).into());
    };
    let build = |root: &Path| Index::build(root, &options, &mut |_| {}, &cancel);

    let before = memory("VmRSS");
    let (index, first_build) = timed(|| build(root))?;
    let stats = index.stats();
    put("files", stats.files as f64);
    put("bytes", stats.bytes as f64);
    put("definitions", stats.definitions as f64);
    put("references", stats.references as f64);
    put("chunks", stats.chunks as f64);
    put("diagnostics", stats.diagnostics as f64);
    put("first_build_ms", first_build);
    put("index_memory_mib", memory("VmRSS") - before);
    put("build_ms", median(turns, || timed(|| build(root)).map(|it| it.1))?);
    put("graph_ms", timed(|| Ok::<_, ambix_core::Error>(index.graph().edges().count()))?.1);

    let copy = scratch()?;
    for file in index.files() {
        let path = copy.join(&*file.path);
        fs::create_dir_all(path.parent().unwrap_or(&copy))?;
        fs::write(path, file.text.as_bytes())?;
    }
    let index = build(&copy)?;
    let update = |index: &Index| index.update(&options, &mut |_| {}, &cancel);
    put("update_unchanged_ms", median(turns, || timed(|| update(&index)).map(|it| it.1))?);

    let stored = copy.join("index.ambix");
    // Who saves again keeps the store, which knows what it has written.
    let store = RefCell::new(FileStore::new(&stored, StoreOptions::default()));
    let save = |index: &Index| persistence::save(index, &mut *store.borrow_mut(), &cancel);
    let (_, saving) = timed(|| save(&index))?;
    put("save_ms", saving);

    let files: Vec<_> = index.files().cloned().collect();
    let file = &files[files.len() / 2];
    let mut current = index.clone();
    let (mut updates, mut saves) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        fs::write(copy.join(&*file.path), format!("{}\n# {turn}\n", file.text))?;
        let ((next, changes), time) = timed(|| update(&current))?;
        assert_eq!(changes.changed.len(), 1);
        updates.push(time);
        current = next;
        saves.push(timed(|| save(&current))?.1);
    }
    put("update_one_file_ms", middle(&mut updates));
    // The same when the caller knows which file it is, to the graph's answer.
    let symbol =
        index.graph().symbols().find(|symbol| symbol.file == file.path).map(|symbol| symbol.qualified());
    let paths = BTreeSet::from([file.path.to_string()]);
    let mut seen = Vec::new();
    let mut known = index.clone();
    for turn in 0..turns {
        fs::write(copy.join(&*file.path), format!("{}\n# path {turn}\n", file.text))?;
        let (next, time) = timed(|| {
            let (next, _) = known.update_paths(&paths, &options, &mut |_| {}, &cancel)?;
            let found = symbol.as_deref().map(|symbol| next.graph().find(symbol)).transpose()?;
            let ids: Vec<_> = found.iter().flatten().map(|symbol| symbol.id).collect();
            std::hint::black_box(next.graph().callers(&ids, 1));
            Ok::<_, ambix_core::Error>(next)
        })?;
        seen.push(time);
        known = next;
    }
    put("update_path_ms", middle(&mut seen));
    // The same with the vectors of the static model, until the new version is there, and until it has answered a question.
    let question = Query::new(file.text.lines().next().unwrap_or_default().to_string() + " module");
    let mut known = index.with_encoder(Arc::new(StaticEncoder::shipped()?), &cancel)?;
    known.search(&question, &cancel)?;
    let (mut there, mut answered) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        fs::write(copy.join(&*file.path), format!("{}\n# again {turn}\n", file.text))?;
        let ((next, _), time) = timed(|| known.update_paths(&paths, &options, &mut |_| {}, &cancel))?;
        let (_, asking) = timed(|| next.search(&question, &cancel))?;
        there.push(time);
        answered.push(time + asking);
        known = next;
    }
    put("update_path_with_vectors_ms", middle(&mut there));
    put("update_path_to_answer_ms", middle(&mut answered));
    put("save_one_file_ms", middle(&mut saves));
    put(
        "open_ms",
        median(turns, || {
            timed(|| persistence::open(&mut FileStore::new(&stored, StoreOptions::default()), &cancel))
                .map(|it| it.1)
        })?,
    );
    put("store_mib", fs::metadata(&stored)?.len() as f64 / f64::from(1 << 20));

    let questions = questions(&index);
    let mut ask = |name: &str, index: &Index, mode, vector: Option<&[f32]>| -> Result<(), Box<dyn Error>> {
        let mut times = Vec::new();
        for text in &questions {
            let query = Query { mode, vector: vector.map(<[f32]>::to_vec), ..Query::new(text.as_str()) };
            times.push(timed(|| index.search(&query, &cancel))?.1);
        }
        times.sort_by(f64::total_cmp);
        put(&format!("{name}_p50_ms"), times[times.len() / 2]);
        put(&format!("{name}_p99_ms"), times[times.len() * 99 / 100]);
        Ok(())
    };
    ask("lexical", &current, Mode::Lexical, None)?;

    let cell = RefCell::new(current);
    let mut publishing = 0.0;
    let mut publish = |batch, _| {
        let (next, time) = timed(|| cell.borrow().with_vectors(batch))?;
        publishing += time;
        cell.replace(next);
        Ok(())
    };
    embed_all(&|| cell.borrow().clone(), &Hashes, 16, &mut publish, &cancel)?;
    let full = cell.into_inner();
    ask("hybrid", &full, Mode::Hybrid, Some(&[0.1; DIMENSIONS]))?;
    put("all_with_vectors_ms", publishing);
    put("save_vectors_ms", timed(|| save(&full))?.1);
    put(
        "open_vectors_ms",
        median(turns, || {
            timed(|| persistence::open(&mut FileStore::new(&stored, StoreOptions::default()), &cancel))
                .map(|it| it.1)
        })?,
    );
    put("store_vectors_mib", fs::metadata(&stored)?.len() as f64 / f64::from(1 << 20));
    put("questions", questions.len() as f64);
    put("peak_memory_mib", memory("VmHWM"));
    fs::remove_dir_all(&copy)?;
    Ok(figures)
}

/// As many symbols as first lines of documentation, spread over the whole index.
fn questions(index: &Index) -> Vec<String> {
    let mut all = Vec::new();
    for file in index.files() {
        let definitions = index.facts(&file.path).into_iter().flat_map(|facts| &facts.definitions);
        for definition in definitions {
            if let Some(line) =
                definition.doc.as_deref().and_then(|doc| doc.lines().find(|line| !line.trim().is_empty()))
            {
                all.push(definition.qualified());
                all.push(line.to_string());
            }
        }
    }
    let step = all.len().div_ceil(QUESTIONS).max(1);
    // An odd step takes symbols and sentences in turn.
    all.into_iter().step_by(step | 1).collect()
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

/// A line of `/proc/self/status`, in MiB; 0 where there is none.
fn memory(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

fn scratch() -> std::io::Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("ambix-bench-index-{}", std::process::id()));
    fs::create_dir_all(&path)?;
    path.canonicalize()
}

/// Vectors from hashes.
struct Hashes;

impl Embedder for Hashes {
    fn dimensions(&self) -> usize {
        DIMENSIONS
    }

    fn fingerprint(&self) -> ContentHash {
        ContentHash::of(b"hashes")
    }

    fn embed(&self, texts: &[&str], _: &Cancel) -> ambix_core::Result<Vec<Vec<f32>>> {
        let vector = |text: &&str| {
            let seed = ContentHash::of(text.as_bytes()).0;
            (0..DIMENSIONS).map(|at| f32::from(seed[at % 16].wrapping_mul(at as u8 | 1)) - 127.0).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}
