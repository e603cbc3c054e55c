//! Who calls a place, and whom it calls.
//!
//! Both are read off the facts of the files: the graph of the code knows more, but takes longer to be made the first time
//! than everything else here.

use std::collections::BTreeSet;

use crate::retrieval::Index;
use crate::source::Span;
use crate::syntax::{Definition, DefinitionKind, FileFacts, Reference, ReferenceKind};

/// So many callers of a place, and so many that it calls.
const MOST: usize = 6;

/// A definition elsewhere, with the line, from 0, on which its first clause begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Near {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) symbol: String,
}

/// What the code in `span` of a file calls in the project, in the order of the calls.
pub(super) fn callees(index: &Index, facts: &FileFacts, span: Span) -> Vec<Near> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for call in facts.references.iter().filter(|it| span.start <= it.span.start && it.span.start < span.end) {
        if found.len() == MOST {
            break;
        }
        let Some((module, arity)) = called(facts, call) else { continue };
        if seen.insert((module, &*call.name, arity)) {
            found.extend(defined(index, module, &call.name, arity));
        }
    }
    found
}

/// The module and the arity of a call, if they are known.
fn called<'f>(facts: &'f FileFacts, call: &'f Reference) -> Option<(&'f str, u8)> {
    let arity = call.arity.filter(|_| call.kind == ReferenceKind::Call && !call.name.is_empty())?;
    match &call.module {
        Some(module) => Some((module, arity)),
        None => Some((&facts.definitions.get(call.from? as usize)?.module, arity)),
    }
}

fn defined(index: &Index, module: &str, name: &str, arity: u8) -> Option<Near> {
    let key = name.to_lowercase();
    index.names().equal(&key).find_map(|candidate| {
        let it = candidate.definition()?;
        let takes = |most: u8| (most.saturating_sub(it.defaults)..=most).contains(&arity);
        let is_it =
            is_callable(it.kind) && *it.name == *name && *it.module == *module && it.arity.is_some_and(takes);
        is_it.then(|| near(&candidate.entry.file.path, it))
    })
}

fn near(file: &str, definition: &Definition) -> Near {
    let line = definition.clauses.first().unwrap_or(&definition.span).line_start as usize - 1;
    Near { file: file.to_string(), line, symbol: definition.qualified() }
}

/// Who calls one of `definitions` by its module, or within it without, in order of path and position; tests do not count.
pub(super) fn callers(index: &Index, definitions: &[&Definition]) -> Vec<Near> {
    let mut found: Vec<Near> = Vec::new();
    for file in index.files().filter(|file| !is_test(&file.path)) {
        let Some(facts) = index.facts(&file.path) else { continue };
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
            let fits = call.module.as_ref().unwrap_or(&from.module) == &wanted.module;
            let is_itself = from.module == wanted.module && from.name == wanted.name;
            if !fits || is_itself || !is_callable(from.kind) {
                continue;
            }
            let near = near(&file.path, from);
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

fn is_callable(kind: DefinitionKind) -> bool {
    use DefinitionKind::{Delegate, Function, Guard, Macro};
    matches!(kind, Function | Macro | Guard | Delegate)
}

fn is_test(path: &str) -> bool {
    path.starts_with("test/") || path.contains("/test/") || path.ends_with("_test.exs")
}
