//! What macros do where they are used: a function that uses a macro of its file calls what the macro's body calls.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::pending::Use;
use super::reader::ErlangReader;
use crate::syntax::{DefinitionKind, Reference, ReferenceKind};

/// So many references of one macro are looked at, those of the macros in its body included.
const MAX_INSIDE: usize = 32;

/// For a file so many references may come of macros, whatever it holds.
const MAX_EXPANDED: usize = 10_000;

/// The name of a macro and the number of its parameters.
type Key = (Arc<str>, Option<u8>);

impl ErlangReader<'_> {
    /// Adds the calls in macros to the functions that use them, one for each function and callee.
    pub(super) fn expand(&mut self) {
        let uses = std::mem::take(&mut self.outlook.uses);
        let inside = self.calls_inside(&uses);
        let locals: FxHashMap<u32, _> = self.outlook.locals.iter().copied().collect();
        let most = self.facts.references.len() + MAX_EXPANDED;
        let mut seen = FxHashSet::default();
        for place in &uses {
            if self.is_macro(place.from) {
                continue;
            }
            let key = (place.name.clone(), place.arity);
            let Some(calls) = inside.get(&key) else { continue };
            for call in calls {
                let Some(original) = self.facts.references.get(*call as usize) else { continue };
                if self.facts.references.len() >= most || !seen.insert((place.from, *call)) {
                    continue;
                }
                let copy = Reference { from: Some(place.from), span: place.span, ..original.clone() };
                if let Some(local) = locals.get(call) {
                    self.outlook.locals.push((self.facts.references.len() as u32, *local));
                }
                self.facts.references.push(copy);
            }
        }
    }

    fn is_macro(&self, index: u32) -> bool {
        let definition = self.facts.definitions.get(index as usize);
        definition.is_some_and(|definition| definition.kind == DefinitionKind::Macro)
    }

    /// For each macro that is used the calls in its body and in the bodies of the macros that it uses.
    fn calls_inside(&self, uses: &[Use]) -> FxHashMap<Key, Vec<u32>> {
        let mut macros: FxHashMap<Key, Vec<u32>> = FxHashMap::default();
        for (index, definition) in (0..).zip(&self.facts.definitions) {
            if definition.kind == DefinitionKind::Macro {
                macros.entry((definition.name.clone(), definition.arity)).or_default().push(index);
            }
        }
        let mut calls: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (index, reference) in (0..).zip(&self.facts.references) {
            if let Some(from) = reference.from.filter(|from| self.is_macro(*from))
                && reference.kind == ReferenceKind::Call
            {
                calls.entry(from).or_default().push(index);
            }
        }
        let mut nested: FxHashMap<u32, Vec<Key>> = FxHashMap::default();
        for place in uses.iter().filter(|place| self.is_macro(place.from)) {
            nested.entry(place.from).or_default().push((place.name.clone(), place.arity));
        }
        let mut inside: FxHashMap<Key, Vec<u32>> = FxHashMap::default();
        for place in uses {
            let key = (place.name.clone(), place.arity);
            if inside.contains_key(&key) {
                continue;
            }
            let (mut found, mut open, mut seen) = (Vec::new(), vec![key.clone()], FxHashSet::default());
            while let Some(next) = open.pop() {
                for index in macros.get(&next).into_iter().flatten() {
                    if seen.len() >= MAX_INSIDE {
                        break;
                    }
                    if seen.insert(*index) {
                        let room = MAX_INSIDE.saturating_sub(found.len());
                        found.extend(calls.get(index).into_iter().flatten().take(room));
                        open.extend(nested.get(index).into_iter().flatten().take(MAX_INSIDE).cloned());
                    }
                }
            }
            inside.insert(key, found);
        }
        inside
    }
}
