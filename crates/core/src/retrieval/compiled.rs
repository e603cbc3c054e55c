//! What a compiler left behind, for an index of the sources it was made from.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use ignore::WalkBuilder;
use rayon::prelude::*;

use super::Index;
use crate::compiled::{CompiledFile, CompiledModule, Limits, TracedCall};
use crate::graph::Source;
use crate::job::Progress;
use crate::source::{Diagnostic, Severity};
use crate::{Cancel, Error, Result};

/// Files of the compiler that are read between two looks at the token that cancels.
const FILES_AT_ONCE: usize = 64;

/// A larger file of the compiler is left out.
const MAX_BYTES: u64 = 64 << 20;

/// What was found of the compiler's work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observations {
    /// Modules whose source the index has, and has as it was compiled.
    pub modules: usize,
    /// The files that these are in.
    pub files: usize,
    /// Modules whose source has changed since.
    pub stale: usize,
    /// Modules whose source is not in the index.
    pub foreign: usize,
    /// What could not be read.
    pub diagnostics: Vec<Diagnostic>,
}

/// A file of the compiler, read.
enum Found {
    Module(Arc<CompiledModule>, SystemTime),
    /// The source file that was traced, and its calls.
    Trace(PathBuf, Vec<TracedCall>, SystemTime),
}

impl Index {
    /// This index with what the compiler said: the `.beam` files below `folders`, such as `_build/dev/lib/shop/ebin`, and the
    /// `.trace` files that `Aludel.Tracer` leaves. What was known of the compiler's before is replaced. A module counts only
    /// if its source has not been changed since it was compiled.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] for a folder that is none, and those of [`Cancel::check`].
    pub fn with_compiled(
        &self,
        folders: &[PathBuf],
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<(Index, Observations)> {
        let mut observations = Observations::default();
        let paths = list(folders, cancel)?;
        let total = paths.len() as u64;
        let mut files: BTreeMap<Arc<str>, CompiledFile> = BTreeMap::new();
        for (done, some) in paths.chunks(FILES_AT_ONCE).enumerate() {
            cancel.check()?;
            progress(Progress { phase: "compiled", done: (done * FILES_AT_ONCE) as u64, total });
            let read: Vec<_> = some.par_iter().map(|path| (path, read(path))).collect();
            for (path, found) in read {
                match found {
                    Ok(found) => self.add(found, &mut files, &mut observations),
                    Err(error) => observations.diagnostics.push(Diagnostic {
                        path: path.to_string_lossy().into(),
                        span: None,
                        severity: Severity::Warning,
                        code: "compiled".into(),
                        message: error.to_string(),
                    }),
                }
            }
        }
        observations.files = files.len();
        let compiled: BTreeMap<_, _> = files.into_iter().map(|(path, file)| (path, Arc::new(file))).collect();
        Ok((self.observing(compiled), observations))
    }

    fn add(
        &self,
        found: Found,
        files: &mut BTreeMap<Arc<str>, CompiledFile>,
        observations: &mut Observations,
    ) {
        let (path, compiled_at) = match &found {
            Found::Module(module, at) => (self.source_of(module), *at),
            Found::Trace(source, _, at) => (self.path_of(source), *at),
        };
        let is_module = usize::from(matches!(found, Found::Module(..)));
        let Some(path) = path else {
            observations.foreign += is_module;
            return;
        };
        let changed_at = fs::metadata(self.root().join(&*path)).and_then(|metadata| metadata.modified());
        if changed_at.is_ok_and(|changed_at| is_later(changed_at, compiled_at)) {
            observations.stale += is_module;
            return;
        }
        let file = files.entry(path).or_default();
        match found {
            Found::Module(module, _) => {
                observations.modules += 1;
                file.modules.push(module);
            }
            Found::Trace(_, calls, _) => file.traced = calls,
        }
    }

    /// The file of the index that a module was compiled from.
    fn source_of(&self, module: &CompiledModule) -> Option<Arc<str>> {
        let absolute = module.source.as_ref().and_then(|source| self.path_of(Path::new(&**source)));
        absolute.or_else(|| self.path_of(Path::new(&**module.relative_source.as_ref()?)))
    }

    /// The path in the index of a file that is given in full or relative to the root.
    fn path_of(&self, source: &Path) -> Option<Arc<str>> {
        let relative = if source.is_absolute() { source.strip_prefix(self.root()).ok()? } else { source };
        let file = self.entry(relative.to_str()?)?;
        Some(file.file.path.clone())
    }

    fn observing(&self, compiled: BTreeMap<Arc<str>, Arc<CompiledFile>>) -> Index {
        let graph = OnceLock::new();
        if let Some(before) = self.graph.get() {
            let paths = compiled.keys().chain(self.compiled.keys());
            let different = paths.filter(|path| compiled.get(*path) != self.compiled.get(*path));
            let changes = different.filter_map(|path| {
                let facts = self.entry(path)?.facts.clone();
                Some((
                    path.clone(),
                    Some(Source { facts, compiled: compiled.get(path).cloned(), outside: false }),
                ))
            });
            let _ = graph.set(before.updated(changes));
        }
        let mut next = self.clone();
        (next.compiled, next.graph) = (Arc::new(compiled), Arc::new(graph));
        next
    }
}

/// Whether a source was changed after what was compiled at that time. Mix gives its files the second in which it began, so
/// a source of the same second may be older than they seem.
fn is_later(changed_at: SystemTime, compiled_at: SystemTime) -> bool {
    let since = compiled_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let whole = if since.subsec_nanos() == 0 { Duration::from_secs(1) } else { Duration::ZERO };
    changed_at.duration_since(compiled_at).is_ok_and(|later| later > Duration::ZERO && later >= whole)
}

/// The files of the compiler below `folders`, sorted.
fn list(folders: &[PathBuf], cancel: &Cancel) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for folder in folders {
        if !folder.is_dir() {
            let message = format!("{} is not a folder", folder.display());
            return Err(Error::new(crate::ErrorKind::NotFound, message).with_path(folder));
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

fn read(path: &Path) -> Result<Found> {
    let failed = |error| Error::io(path, "read", error);
    let file = fs::File::open(path).map_err(failed)?;
    let at = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("{} has more than {MAX_BYTES} bytes", path.display());
        return Err(Error::new(crate::ErrorKind::Limit, message).with_path(path));
    }
    if path.extension().is_some_and(|extension| extension == "trace") {
        let (source, calls) = crate::compiled::trace(&bytes)?;
        return Ok(Found::Trace(source, calls, at));
    }
    Ok(Found::Module(Arc::new(CompiledModule::read_within(&bytes, &Limits::default())?), at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::retrieval::BuildOptions;

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

    fn build(root: &Path) -> Index {
        Index::build(root, &BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap()
    }

    fn observe(index: &Index, folder: &Path) -> (Index, Observations) {
        index.with_compiled(&[folder.to_path_buf()], &mut |_| {}, &Cancel::new()).unwrap()
    }

    /// What macros made, and the callees of `Shop.Made`'s functions.
    fn told(index: &Index) -> (Vec<String>, Vec<String>) {
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
        fs::File::options().write(true).open(&made).unwrap().set_modified(later).unwrap();
        // A later update forgets what the compiler said of it, and a later look at the compiler's work refuses it.
        let (updated, changes) =
            observed.update(&BuildOptions::default(), &mut |_| {}, &Cancel::new()).unwrap();
        assert_eq!(changes.changed.len(), 1);
        assert_eq!(told(&updated), told(&build(root.path())));
        let (again, observations) = observe(&updated, &ebin);
        assert_eq!(observations.stale, 1);
        assert_eq!(told(&again), told(&updated));
    }

    #[test]
    fn a_time_in_whole_seconds_is_that_of_the_beginning() {
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        for (changed, compiled, later) in [
            (5_999, 5_000, false),
            (6_000, 5_000, true),
            (4_000, 5_000, false),
            (5_301, 5_300, true),
            (5_300, 5_300, false),
            (5_000, 5_300, false),
        ] {
            assert_eq!(is_later(at(changed), at(compiled)), later, "{changed} {compiled}");
        }
    }

    #[test]
    fn traces_name_the_macros_too() {
        let (root, ebin) = project("elixir-1.14");
        let source = root.path().canonicalize().unwrap().join("lib/made.ex");
        let line =
            fs::read_to_string(&source).unwrap().lines().position(|l| l.contains("doubled(List")).unwrap()
                + 1;
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
}
