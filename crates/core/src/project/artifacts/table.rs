//! All that is known of the compiler's work, and what of it counts for which source.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::artifact::{Artifact, Said};
use crate::compiled::{CompiledFile, CompiledModule, TracedCall};

/// The files of the compiler that were read, by path, and what they say of the sources that the index has as they were
/// compiled.
#[derive(Debug, Default)]
pub(crate) struct CompiledFacts {
    artifacts: BTreeMap<Arc<str>, Artifact>,
    /// By path of the source.
    files: BTreeMap<Arc<str>, Arc<CompiledFile>>,
}

impl CompiledFacts {
    pub(crate) fn of(artifacts: BTreeMap<Arc<str>, Artifact>) -> Self {
        let mut by_source: BTreeMap<Arc<str>, Vec<&Artifact>> = BTreeMap::new();
        for artifact in artifacts.values() {
            if let Some(source) = &artifact.source {
                by_source.entry(source.clone()).or_default().push(artifact);
            }
        }
        let files =
            by_source.into_iter().map(|(path, artifacts)| (path, Arc::new(file(artifacts)))).collect();
        CompiledFacts { artifacts, files }
    }

    pub(crate) fn artifacts(&self) -> &BTreeMap<Arc<str>, Artifact> {
        &self.artifacts
    }

    /// What the compiler said of each source, by path.
    pub(crate) fn files(&self) -> &BTreeMap<Arc<str>, Arc<CompiledFile>> {
        &self.files
    }

    /// What counts after these sources have changed; `None` if that is the same.
    pub(crate) fn without<'p>(&self, changed: impl Iterator<Item = &'p Arc<str>>) -> Option<CompiledFacts> {
        let mut files = self.files.clone();
        changed.for_each(|path| drop(files.remove(path)));
        if files.len() == self.files.len() {
            return None;
        }
        let mut artifacts = self.artifacts.clone();
        for artifact in artifacts.values_mut() {
            artifact.source = artifact.source.take().filter(|source| files.contains_key(source));
        }
        Some(CompiledFacts { artifacts, files })
    }
}

/// What the compiler said of one source. A source may have been compiled more than once, as for `dev` and for `test`: of a
/// module the newest file counts, and of the calls that were traced those of the newest trace that has any in their module.
fn file(mut artifacts: Vec<&Artifact>) -> CompiledFile {
    artifacts.sort_by_key(|artifact| artifact.made_at());
    let mut modules: BTreeMap<&str, &Arc<CompiledModule>> = BTreeMap::new();
    let mut traces: Vec<&Arc<[TracedCall]>> = Vec::new();
    for artifact in artifacts {
        match &*artifact.said {
            Said::Module(module) => drop(modules.insert(&module.module, module)),
            Said::Trace { calls, .. } => traces.push(calls),
        }
    }
    CompiledFile { modules: modules.into_values().cloned().collect(), traced: merged(&traces) }
}

/// Traces, the newest last, as one.
fn merged(traces: &[&Arc<[TracedCall]>]) -> Arc<[TracedCall]> {
    if let [only] = traces {
        return Arc::clone(only);
    }
    let mut by_module: BTreeMap<&str, &[TracedCall]> = BTreeMap::new();
    for trace in traces.iter().rev() {
        for calls in trace.chunk_by(|a, b| a.caller_module == b.caller_module) {
            if let Entry::Vacant(free) = by_module.entry(&calls[0].caller_module) {
                free.insert(calls);
            }
        }
    }
    by_module.into_values().flatten().cloned().collect()
}
