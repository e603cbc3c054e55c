//! How near a file is to those that the caller is at.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::fields::is_module;
use super::index::Index;
use super::query::Query;
use super::weights::{NEAR_BY_FOLDER, NEAR_BY_HISTORY, NEAR_BY_USE};
use crate::syntax::FileFacts;

/// The files that the caller is at, and what is known of them.
pub(super) struct Nearness<'q> {
    paths: &'q [String],
    /// The shares of the commits in which others changed with them.
    together: HashMap<&'q str, f32>,
    defined: HashSet<Arc<str>>,
    used: HashSet<Arc<str>>,
    /// What was found out of each file.
    known: FxHashMap<u32, f32>,
}

impl<'q> Nearness<'q> {
    /// `None` if the caller says nothing of it.
    pub(super) fn of(index: &Index, query: &'q Query) -> Option<Nearness<'q>> {
        if query.near.is_empty() {
            return None;
        }
        let mut together: HashMap<&str, f32> = HashMap::new();
        let pairs =
            query.history.iter().flat_map(|history| query.near.iter().map(move |path| (history, path)));
        for (path, share) in pairs.flat_map(|(history, path)| history.together(path)) {
            let most = together.entry(path).or_default();
            *most = most.max(share);
        }
        let (mut defined, mut used) = (HashSet::new(), HashSet::new());
        for facts in query.near.iter().filter_map(|path| index.facts(path)) {
            defined.extend(modules_of(facts).cloned());
            used.extend(modules_used(facts).cloned());
        }
        Some(Nearness { paths: &query.near, together, defined, used, known: FxHashMap::default() })
    }

    /// 1 for one of the files, and less for one that changed with them, that uses or is used by them, or that is in the same folder
    /// as one.
    pub(super) fn to(&mut self, index: &Index, file: u32) -> f32 {
        if let Some(known) = self.known.get(&file) {
            return *known;
        }
        let entry = &index.chunk_table().entries()[file as usize];
        let nearness = self.measure(&entry.file.path, &entry.facts);
        self.known.insert(file, nearness);
        nearness
    }

    fn measure(&self, path: &str, facts: &FileFacts) -> f32 {
        if self.paths.iter().any(|near| near == path) {
            return 1.0;
        }
        let mut nearness = NEAR_BY_HISTORY * self.together.get(path).copied().unwrap_or_default();
        if modules_of(facts).any(|module| self.used.contains(module))
            || modules_used(facts).any(|module| self.defined.contains(module))
        {
            nearness = nearness.max(NEAR_BY_USE);
        }
        if self.paths.iter().any(|near| folder(near) == folder(path)) {
            nearness = nearness.max(NEAR_BY_FOLDER);
        }
        nearness
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn modules_of(facts: &FileFacts) -> impl Iterator<Item = &Arc<str>> {
    facts.definitions.iter().filter(|it| is_module(it.kind)).map(|it| &it.module)
}

fn modules_used(facts: &FileFacts) -> impl Iterator<Item = &Arc<str>> {
    facts.references.iter().filter_map(|reference| reference.module.as_ref())
}
