//! An index with what the compiler said of its sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use ignore::WalkBuilder;
use rayon::prelude::*;

use super::artifact::{Artifact, Said, modified};
use super::table::CompiledFacts;
use crate::compiled::CompiledModule;
use crate::graph::GraphInput;
use crate::job::Progress;
use crate::project::Snapshot;
use crate::source::{Diagnostic, Severity, WalkOptions, below, name, read_one};
use crate::{Cancel, Error, ErrorKind, Result};

/// Files of the compiler that are read between two looks at the token that cancels.
const FILES_AT_ONCE: usize = 64;

/// What was found of the compiler's work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observations {
    /// Modules whose source the index has, and has as it was compiled.
    pub modules: usize,
    /// The files that these are in.
    pub files: usize,
    /// Modules whose source has changed since, or is another one on the disk than in the index.
    pub stale: usize,
    /// Modules whose source is not in the index.
    pub foreign: usize,
    /// Files of the compiler that were read: those that were not known yet, or may have changed.
    pub read: usize,
    /// Whether the index is another one than before, and is to be saved: it knows something else, or that something is the
    /// same although it may have changed.
    pub changed: bool,
    /// What could not be read.
    pub diagnostics: Vec<Diagnostic>,
}

impl Snapshot {
    /// This index with what the compiler said: the `.beam` files below `folders`, such as `_build/dev/lib/shop/ebin`, and the
    /// `.trace` files that `Ambix.Tracer` leaves. Only those that changed since the last time are read; what is not there
    /// any more, or lies in other folders, is forgotten. A module counts only if its source has not been changed since it was
    /// compiled, and the index has it as it is on the disk.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a folder that is none, and those of [`Cancel::check`].
    pub fn with_compiled(
        &self,
        folders: &[PathBuf],
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Snapshot, Observations)> {
        let mut observations = Observations::default();
        let known = self.compiled.artifacts();
        let now = SystemTime::now();
        let mut artifacts = BTreeMap::new();
        let paths = list(folders, cancel)?;
        let total = paths.len() as u64;
        for (done, some) in paths.chunks(FILES_AT_ONCE).enumerate() {
            cancel.check()?;
            progress(Progress { phase: "compiled", done: (done * FILES_AT_ONCE) as u64, total });
            let looked: Vec<_> = some
                .par_iter()
                .map(|path| {
                    let name: &str = path.to_str().ok_or_else(|| Error::invalid("its name is not UTF-8"))?;
                    Ok((name.into(), Artifact::look(path, known.get(name), now, cancel)?))
                })
                .collect();
            for (path, looked) in some.iter().zip(looked) {
                match looked {
                    Ok((name, (artifact, read))) => {
                        observations.read += usize::from(read);
                        artifacts.insert(name, artifact);
                    }
                    Err(error) => observations.diagnostics.push(unreadable(path, &error)),
                }
            }
        }
        self.lay_beside(&mut artifacts, &mut observations, cancel);
        cancel.check()?;
        observations.changed = artifacts != *known;
        let compiled = CompiledFacts::of(artifacts);
        observations.files = compiled.files().values().filter(|file| !file.modules.is_empty()).count();
        observations.modules = compiled.files().values().map(|file| file.modules.len()).sum();
        Ok((self.observing(compiled), observations))
    }

    /// Says for each artifact which source it counts for.
    fn lay_beside(
        &self,
        artifacts: &mut BTreeMap<Arc<str>, Artifact>,
        observations: &mut Observations,
        cancel: &Cancel,
    ) {
        let known = self.compiled.artifacts();
        // Whether a source still is what was compiled need not be asked again of what counted before: an index that took in
        // another text has forgotten it.
        let counted = |name: &str, path: &Arc<str>, artifact: &Artifact| {
            let before = known.get(name);
            before.is_some_and(|b| {
                b.hash == artifact.hash && b.stamp == artifact.stamp && b.source.as_ref() == Some(path)
            })
        };
        let mut sources: BTreeMap<Arc<str>, bool> = BTreeMap::new();
        let mut placed: Vec<(&mut Artifact, Option<Arc<str>>)> = Vec::new();
        for (name, artifact) in artifacts.iter_mut() {
            let path = self.source_of(&artifact.said);
            if let Some(path) = &path {
                *sources.entry(path.clone()).or_default() |= !counted(name, path, artifact);
            }
            placed.push((artifact, path));
        }
        let changed_at: BTreeMap<Arc<str>, Duration> = sources
            .into_par_iter()
            .filter_map(|(path, compare)| Some((path.clone(), self.unchanged_since(&path, compare, cancel)?)))
            .collect();
        for (artifact, path) in placed {
            let is_module = usize::from(matches!(*artifact.said, Said::Module(_)));
            let Some(path) = path else {
                observations.foreign += is_module;
                continue;
            };
            match changed_at.get(&path) {
                Some(changed_at) if !artifact.is_before(*changed_at) => artifact.source = Some(path),
                _ => observations.stale += is_module,
            }
        }
    }

    /// Since when the source at `path` has been as the index has it; `None` if it is another one on the disk.
    fn unchanged_since(&self, path: &str, compare: bool, cancel: &Cancel) -> Option<Duration> {
        let metadata = fs::metadata(below(self.root(), path)).ok()?;
        if compare {
            let known = &self.files.get(path)?.file;
            // What is not UTF-8 only grows when it becomes text, so a longer file is another one.
            let options = WalkOptions { max_file_bytes: known.text.len() as u64, ..WalkOptions::default() };
            let (file, _) = read_one(self.root(), path, &options, cancel).ok()?;
            if file?.hash != known.hash {
                return None;
            }
        }
        Some(modified(&metadata))
    }

    /// The file of the index that an artifact was made from.
    fn source_of(&self, said: &Said) -> Option<Arc<str>> {
        match said {
            Said::Module(module) => self.source_of_module(module),
            Said::Trace { source, .. } => self.path_of(Path::new(&**source)),
        }
    }

    fn source_of_module(&self, module: &CompiledModule) -> Option<Arc<str>> {
        let absolute = module.source.as_ref().and_then(|source| self.path_of(Path::new(&**source)));
        absolute.or_else(|| self.path_of(Path::new(&**module.relative_source.as_ref()?)))
    }

    /// The path in the index of a file that is given in full or relative to the root.
    fn path_of(&self, source: &Path) -> Option<Arc<str>> {
        let relative = if source.is_absolute() { source.strip_prefix(self.root()).ok()? } else { source };
        let file = self.files.get(&name(relative))?;
        Some(file.file.path.clone())
    }

    fn observing(&self, compiled: CompiledFacts) -> Snapshot {
        let (before, after) = (self.compiled.files(), compiled.files());
        let paths = after.keys().chain(before.keys());
        let different: Vec<_> = paths.filter(|path| after.get(*path) != before.get(*path)).collect();
        let graph = OnceLock::new();
        if let Some(made) = self.graph_if_made() {
            let changes = different.into_iter().filter_map(|path| {
                let facts = self.files.get(path)?.facts.shared().clone();
                let source = GraphInput { facts, compiled: after.get(path).cloned(), outside: false };
                Some((path.clone(), Some(source)))
            });
            let _ = graph.set(made.updated(changes));
        }
        Snapshot { compiled: Arc::new(compiled), graph: Arc::new(graph), ..self.clone() }
    }
}

fn unreadable(path: &Path, error: &Error) -> Diagnostic {
    Diagnostic {
        path: path.to_string_lossy().into(),
        span: None,
        severity: Severity::Warning,
        code: "compiled".into(),
        message: error.to_string(),
    }
}

/// The files of the compiler below `folders`, sorted.
fn list(folders: &[PathBuf], cancel: &Cancel) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for folder in folders {
        if !folder.is_dir() {
            let message = format!("{} is not a folder", folder.display());
            return Err(Error::new(ErrorKind::NotFound, message).with_path(folder));
        }
        for entry in WalkBuilder::new(folder).standard_filters(false).follow_links(true).build() {
            cancel.check()?;
            let Ok(entry) = entry else { continue };
            if matches!(entry.path().extension().and_then(|e| e.to_str()), Some("beam" | "trace")) {
                paths.push(entry.into_path());
            }
        }
    }
    paths.sort_unstable();
    paths.dedup();
    Ok(paths)
}
