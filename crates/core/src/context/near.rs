//! Who calls a place, and whom it calls.
//!
//! Both are read off the facts of the files: the graph of the code knows more, but takes longer to be made the first time
//! than everything else here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::pack::Source;
use crate::retrieval::{Entry, Index};
use crate::source::Span;
use crate::syntax::{Definition, DefinitionKind, FileFacts, ImportDirective, Reference, ReferenceKind};

/// So many callers of a place, and so many that it calls.
const MOST: usize = 6;

/// A definition elsewhere, with the line, from 0, on which its first clause begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Near {
    /// Which of the sources it is in.
    pub(super) source: usize,
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) symbol: String,
}

/// What the code in `span` of a file of the source `own` calls, in the order of the calls.
pub(super) fn callees(sources: &[Source], own: usize, facts: &FileFacts, span: Span) -> Vec<Near> {
    // What it calls is most likely beside it.
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.swap(0, own);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for call in facts.references.iter().filter(|it| span.start <= it.span.start && it.span.start < span.end) {
        if found.len() == MOST {
            break;
        }
        let Some(arity) = call.arity.filter(|_| call.kind == ReferenceKind::Call && !call.name.is_empty())
        else {
            continue;
        };
        if seen.insert((call.module.as_deref(), &*call.name, arity)) {
            let mut modules = modules(facts, call, arity);
            let defined = |module| {
                order.iter().find_map(|at| defined(*at, sources[*at].index, module, &call.name, arity))
            };
            found.extend(modules.find_map(defined));
        }
    }
    found
}

/// The modules whose function a call can mean, the likeliest first: the one it names, or its own and those that are imported.
fn modules<'f>(facts: &'f FileFacts, call: &'f Reference, arity: u8) -> impl Iterator<Item = &'f str> {
    let own = || Some(&*facts.definitions.get(call.from? as usize)?.module);
    let is_local = call.module.is_none();
    let imported = facts.imports.iter().filter(move |it| is_local && brings_in(it, call, arity));
    call.module.as_deref().or_else(own).into_iter().chain(imported.map(|it| &*it.module))
}

/// Whether an import is in force where the call is and lets it through.
fn brings_in(import: &ImportDirective, call: &Reference, arity: u8) -> bool {
    let is_it = |(name, of): &(Arc<str>, u8)| *name == call.name && *of == arity;
    import.injected_by.is_none()
        && import.scope.start <= call.span.start
        && call.span.start < import.scope.end
        && import.only.as_ref().is_none_or(|only| only.iter().any(is_it))
        && !import.except.iter().any(is_it)
}

fn defined(source: usize, index: &Index, module: &str, name: &str, arity: u8) -> Option<Near> {
    let key = name.to_lowercase();
    index.names().equal(&key).find_map(|candidate| {
        let it = candidate.definition()?;
        let takes = |most: u8| (most.saturating_sub(it.defaults)..=most).contains(&arity);
        let is_it =
            is_callable(it.kind) && *it.name == *name && *it.module == *module && it.arity.is_some_and(takes);
        is_it.then(|| near(source, &candidate.entry.file.path, it))
    })
}

fn near(source: usize, file: &str, definition: &Definition) -> Near {
    let line = definition.clauses.first().unwrap_or(&definition.span).line_start as usize - 1;
    Near { source, file: file.to_string(), line, symbol: definition.qualified() }
}

/// Who calls one of `definitions`, in the source `own` that they are in, in order of path and position; tests do not count.
pub(super) fn callers(sources: &[Source], own: usize, definitions: &[&Definition]) -> Vec<Near> {
    let index = sources[own].index;
    let mut found: Vec<Near> = Vec::new();
    for entry in may_call(index, definitions).filter(|entry| !is_test(&entry.file.path)) {
        let facts = &*entry.facts;
        for call in facts.references.iter().filter(|it| it.kind == ReferenceKind::Call) {
            let is_meant = |definition: &&&Definition| {
                call.name == definition.name
                    && call.arity.zip(definition.arity).is_some_and(|(given, most)| {
                        (most.saturating_sub(definition.defaults)..=most).contains(&given)
                    })
            };
            let Some(wanted) = definitions.iter().find(is_meant) else { continue };
            let Some(from) = call.from.and_then(|from| facts.definitions.get(from as usize)) else {
                continue;
            };
            let arity = call.arity.unwrap_or_default();
            let fits = modules(facts, call, arity).any(|module| *module == *wanted.module);
            let is_itself = from.module == wanted.module && from.name == wanted.name;
            if !fits || is_itself || !is_callable(from.kind) {
                continue;
            }
            let near = near(own, &entry.file.path, from);
            if !found.contains(&near) {
                found.push(near);
            }
            if found.len() == MOST {
                return found;
            }
        }
    }
    found
}

/// The files in which the names of `definitions` may stand. To look at the facts of all files would take longer than the search.
fn may_call<'i>(index: &'i Index, definitions: &[&Definition]) -> impl Iterator<Item = &'i Entry> {
    let files = index.inner_files();
    let named: Option<Vec<Vec<u32>>> =
        definitions.iter().map(|definition| index.lexical().may_have(&definition.name)).collect();
    let places: Vec<usize> = match named {
        Some(chunks) => {
            let places: BTreeSet<usize> =
                chunks.into_iter().flatten().map(|chunk| files.known(chunk).file as usize).collect();
            places.into_iter().collect()
        }
        None => (0..files.entries().len()).collect(),
    };
    places.into_iter().map(move |place| &*files.entries()[place])
}

fn is_callable(kind: DefinitionKind) -> bool {
    use DefinitionKind::{Delegate, Function, Guard, Macro};
    matches!(kind, Function | Macro | Guard | Delegate)
}

fn is_test(path: &str) -> bool {
    path.starts_with("test/") || path.contains("/test/") || path.ends_with("_test.exs")
}
