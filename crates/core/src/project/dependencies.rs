//! What dependencies bring into the modules of a project by `use` and `import`.
//!
//! Of the sources in `deps` only those files are read that define a module which the project uses or imports, or which such a
//! module uses in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::WalkBuilder;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::graph::GraphInput;
use crate::source::{ContentHash, FETCHED, File, Links, WalkOptions, open};
use crate::syntax::{DefinitionKind, FileFacts, ReferenceKind, analyse};
use crate::{Cancel, Result};

/// So often modules are followed to those that they use in turn.
const ROUNDS: usize = 4;

/// More files of dependencies, and more bytes of them together, are not looked at.
const MAX_FILES: usize = 50_000;
const MAX_BYTES: u64 = 256 << 20;

/// What is known of dependencies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DependencyFacts {
    /// The modules that were looked for.
    wanted: BTreeSet<Arc<str>>,
    /// When the dependencies were last fetched: of `deps` and `mix.lock`, in nanoseconds.
    fetched: [u64; 2],
    /// What matters to others of the files that define them, by path relative to the root.
    pub(crate) files: BTreeMap<Arc<str>, Arc<FileFacts>>,
}

impl DependencyFacts {
    /// What the dependencies below `root` bring into files with these facts; `self`, if nothing new is wanted of the same
    /// dependencies. What is wanted no more stays: it changes no answer.
    pub(crate) fn updated<'f>(
        &self,
        root: &Path,
        facts: impl Iterator<Item = &'f FileFacts>,
        cancel: &Cancel,
    ) -> Result<Option<DependencyFacts>> {
        let fetched = fetched(root);
        let mut wanted = self.wanted.clone();
        facts.for_each(|facts| wanted.extend(brought_in(facts)));
        if wanted == self.wanted && fetched == self.fetched {
            return Ok(None);
        }
        let files = if fetched[0] == 0 { BTreeMap::new() } else { read(root, &wanted, cancel)? };
        Ok(Some(DependencyFacts { wanted, fetched, files }))
    }

    /// The files, as the graph takes them.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (Arc<str>, GraphInput)> {
        let source =
            |facts: &Arc<FileFacts>| GraphInput { facts: facts.clone(), compiled: None, outside: true };
        self.files.iter().map(move |(path, facts)| (path.clone(), source(facts)))
    }

    /// Stands for the content: the same modules of the same dependencies give the same facts.
    pub(crate) fn key(&self) -> ContentHash {
        let mut bytes: Vec<u8> = self.fetched.iter().flat_map(|time| time.to_le_bytes()).collect();
        for module in &self.wanted {
            bytes.extend_from_slice(module.as_bytes());
            bytes.push(0);
        }
        ContentHash::of(&bytes)
    }

    /// Whether the dependencies below `root` are those that were read.
    pub(crate) fn is_as_fetched(&self, root: &Path) -> bool {
        self.fetched == fetched(root)
    }
}

fn fetched(root: &Path) -> [u64; 2] {
    FETCHED.map(|path| modified(&root.join(path)))
}

/// The modules that a file uses or imports, or brings into those that use it.
fn brought_in(facts: &FileFacts) -> impl Iterator<Item = Arc<str>> {
    let brings = |kind| matches!(kind, ReferenceKind::Use | ReferenceKind::Import);
    let references = facts.references.iter().filter(move |reference| brings(reference.kind));
    references.filter_map(|reference| reference.module.clone())
}

fn modified(path: &Path) -> u64 {
    let time = fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap_or(UNIX_EPOCH);
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn read(
    root: &Path,
    wanted: &BTreeSet<Arc<str>>,
    cancel: &Cancel,
) -> Result<BTreeMap<Arc<str>, Arc<FileFacts>>> {
    let texts: Vec<(PathBuf, String)> = list(&root.join("deps"), cancel)?
        .into_par_iter()
        .filter_map(|path| text(&path, cancel).map(|text| (path, text)))
        .collect();
    cancel.check()?;
    let mut defining: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, (_, text)) in texts.iter().enumerate() {
        for module in modules(text) {
            defining.entry(module).or_insert(at);
        }
    }
    let mut files = BTreeMap::new();
    let mut open: BTreeSet<Arc<str>> = wanted.clone();
    let mut seen = BTreeSet::new();
    for _ in 0..ROUNDS {
        cancel.check()?;
        let places: BTreeSet<usize> =
            open.iter().filter_map(|module| defining.get(&**module).copied()).collect();
        let new: Vec<usize> = places.into_iter().filter(|at| seen.insert(*at)).collect();
        let read: Vec<_> = new
            .into_par_iter()
            .map(|at| {
                let (path, text) = &texts[at];
                let path = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
                let facts = analyse(&File::new(&*path, &**text));
                let brought: Vec<_> = brought_in(&facts).collect();
                (Arc::<str>::from(path), Arc::new(outline(facts)), brought)
            })
            .collect();
        open.clear();
        for (path, facts, brought) in read {
            open.extend(brought);
            files.insert(path, facts);
        }
    }
    Ok(files)
}

/// The text of a file, if it is one that can be read.
fn text(path: &Path, cancel: &Cancel) -> Option<String> {
    let bytes = open(path, Links::Refused).ok()?.read(path, WalkOptions::default().max_file_bytes, cancel);
    String::from_utf8(bytes.ok()?).ok()
}

/// The sources of all dependencies, sorted.
fn list(deps: &Path, cancel: &Cancel) -> Result<Vec<PathBuf>> {
    let keep = deps.to_path_buf();
    let entries = WalkBuilder::new(deps)
        .standard_filters(false)
        .follow_links(false)
        .filter_entry(move |entry| {
            // `deps/NAME/lib`
            let part = entry.path().strip_prefix(&keep).ok().and_then(|below| below.iter().nth(1));
            part.is_none_or(|part| part == "lib")
        })
        .build();
    let mut paths = Vec::new();
    for entry in entries {
        cancel.check()?;
        let Ok(entry) = entry else { continue };
        let is_source = entry.path().extension().is_some_and(|extension| extension == "ex");
        if is_source && entry.file_type().is_some_and(|kind| kind.is_file()) {
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            paths.push((entry.into_path(), bytes));
        }
        if paths.len() == MAX_FILES {
            break;
        }
    }
    paths.sort_unstable();
    let mut bytes = 0;
    let is_among_the_first = |(path, length): (PathBuf, u64)| {
        bytes += length.min(MAX_BYTES);
        (bytes <= MAX_BYTES).then_some(path)
    };
    Ok(paths.into_iter().map_while(is_among_the_first).collect())
}

/// The names behind `defmodule` at the beginning of lines, as they are written in full.
fn modules(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("defmodule ").filter_map(|(at, word)| {
        let before = text[..at].rsplit('\n').next().unwrap_or_default();
        let rest = &text[at + word.len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '_'))).unwrap_or(rest.len());
        before.trim().is_empty().then_some(&rest[..end])
    })
}

/// The facts without what only matters where they are written: what is left are names, and what macros bring.
fn outline(mut facts: FileFacts) -> FileFacts {
    for definition in &mut facts.definitions {
        (definition.doc, definition.spec, definition.signature) = (None, None, None);
        definition.clauses = Vec::new();
    }
    let is_macro_or_function = |from: Option<u32>| {
        let from = from.and_then(|from| facts.definitions.get(from as usize));
        from.is_some_and(|from| matches!(from.kind, DefinitionKind::Function | DefinitionKind::Macro))
    };
    let brings = |kind| matches!(kind, ReferenceKind::Use | ReferenceKind::Behaviour | ReferenceKind::Call);
    let quoting = !facts.imports.is_empty()
        || !facts.injected_aliases.is_empty()
        || !facts.injected_definitions.is_empty()
        || facts.references.iter().any(|reference| !reference.basis.is_certain());
    facts
        .references
        .retain(|reference| quoting && brings(reference.kind) && is_macro_or_function(reference.from));
    facts.references.shrink_to_fit();
    facts.imports.retain(|import| import.injected_by.is_some());
    (facts.chunks, facts.diagnostics, facts.messages, facts.receivers) = Default::default();
    facts
}
