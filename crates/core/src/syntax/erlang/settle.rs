//! What only the whole file tells: what is exported, whose function a local call means, and the order of all.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::builtin;
use super::pending::Local;
use super::reader::{ErlangReader, MODULE};
use crate::syntax::{Basis, Definition, DefinitionKind, FileFacts};

impl ErlangReader<'_> {
    /// Ends the pass.
    pub(super) fn settle(mut self) -> FileFacts {
        if self.named.is_none() && self.facts.definitions.len() == 1 {
            // Nothing but directives, or nothing like Erlang at all.
            self.facts.definitions.clear();
            self.facts.references.iter_mut().for_each(|reference| reference.from = None);
        }
        self.publish();
        self.specify();
        self.expand();
        self.part();
        self.resolve();
        let mut facts = self.facts;
        order(&mut facts);
        facts
    }

    fn publish(&mut self) {
        let outlook = &self.outlook;
        // EUnit's header makes that tests are exported.
        let has_tests = outlook.headers.contains("eunit.hrl");
        for definition in &mut self.facts.definitions {
            let Some(arity) = definition.arity else { continue };
            let is_test = has_tests
                && arity == 0
                && (definition.name.ends_with("_test") || definition.name.ends_with("_test_"));
            let key = (definition.name.clone(), arity);
            definition.public |= match definition.kind {
                DefinitionKind::Function => outlook.exports_all || is_test || outlook.exported.contains(&key),
                DefinitionKind::Type => outlook.exported_types.contains(&key),
                _ => false,
            };
        }
    }

    fn specify(&mut self) {
        let mut texts: FxHashMap<u32, Vec<Arc<str>>> = FxHashMap::default();
        for spec in std::mem::take(&mut self.outlook.specs) {
            let Some(index) = self.functions.get(&(spec.name, spec.arity)).copied() else { continue };
            texts.entry(index).or_default().push(spec.text);
            for reference in self.facts.references.get_mut(spec.references).unwrap_or_default() {
                reference.from = Some(index);
            }
        }
        for (index, texts) in texts {
            if let Some(definition) = self.facts.definitions.get_mut(index as usize) {
                definition.spec = Some(texts.join("\n").into());
            }
        }
    }

    /// A function and a macro can have the same name. Calls that name it mean the function: the macro is no callable then.
    fn part(&mut self) {
        for definition in &mut self.facts.definitions {
            let arity = definition.arity.filter(|_| definition.kind == DefinitionKind::Macro);
            if arity.is_some_and(|arity| self.functions.contains_key(&(definition.name.clone(), arity))) {
                definition.arity = None;
            }
        }
    }

    /// Finds the modules of what is named without one, and drops the types of the language.
    fn resolve(&mut self) {
        let own = |kind: DefinitionKind| -> FxHashSet<(Arc<str>, Option<u8>)> {
            let same = self.facts.definitions.iter().filter(|definition| definition.kind == kind);
            same.map(|definition| (definition.name.clone(), definition.arity)).collect()
        };
        let (types, records, macros) =
            (own(DefinitionKind::Type), own(DefinitionKind::Record), own(DefinitionKind::Macro));
        let mut headers = self.outlook.headers.iter();
        let header = headers.next().filter(|_| headers.next().is_none()).cloned();
        let mut needless = FxHashSet::default();
        for (index, local) in &self.outlook.locals {
            let Some(reference) = self.facts.references.get_mut(*index as usize) else { continue };
            let key = (reference.name.clone(), reference.arity);
            let arity = reference.arity.unwrap_or(0);
            let own = Some(self.module.clone());
            let is_own = match local {
                Local::Function => self.functions.contains_key(&(reference.name.clone(), arity)),
                Local::Type => types.contains(&key),
                Local::Record => records.contains(&key),
                Local::Macro => macros.contains(&key),
            };
            // In a header the functions of whoever includes it can be meant.
            let elsewhere = own.clone().filter(|_| !self.is_header);
            reference.module = match local {
                _ if is_own => own,
                Local::Function => match self.outlook.imported.get(&(reference.name.clone(), arity)) {
                    Some(module) => Some(module.clone()),
                    None if builtin::is_function(&reference.name, arity) => Some(":erlang".into()),
                    None => elsewhere,
                },
                Local::Type => {
                    if builtin::is_type(&reference.name, arity) {
                        needless.insert(*index);
                    }
                    elsewhere
                }
                // The macro is called as a function of the file, and only the function can be called.
                Local::Macro if self.functions.contains_key(&(reference.name.clone(), arity)) => None,
                // They can only be from a header.
                Local::Record | Local::Macro => {
                    if reference.basis.is_certain() {
                        reference.basis = Basis::Imported;
                    }
                    header.clone()
                }
            };
            let is_lost = reference.module.is_none() && matches!(local, Local::Macro | Local::Function);
            if is_lost {
                needless.insert(*index);
            }
        }
        if needless.is_empty() {
            return;
        }
        let mut moved = FxHashMap::default();
        let mut kept = Vec::with_capacity(self.facts.references.len());
        for (index, reference) in std::mem::take(&mut self.facts.references).into_iter().enumerate() {
            if !needless.contains(&(index as u32)) {
                moved.insert(index as u32, kept.len() as u32);
                kept.push(reference);
            }
        }
        self.facts.references = kept;
        for message in &mut self.facts.messages {
            message.of = moved.get(&message.of).copied().unwrap_or(message.of);
        }
    }
}

/// Puts everything in order of position.
fn order(facts: &mut FileFacts) {
    let moved = sort(&mut facts.definitions, |definition: &Definition| {
        (definition.span.start, u32::MAX - definition.span.end)
    });
    let to = |index: u32| moved.get(index as usize).copied().unwrap_or(MODULE);
    for reference in &mut facts.references {
        reference.from = reference.from.map(to);
    }
    for receiver in &mut facts.receivers {
        receiver.of = to(receiver.of);
    }
    facts.receivers.sort_by_key(|receiver| (receiver.of, receiver.clause));
    let moved = sort(&mut facts.references, |it| (it.span.start, it.span.end, it.kind));
    for message in &mut facts.messages {
        message.of = moved.get(message.of as usize).copied().unwrap_or_default();
    }
    facts.messages.sort_by_key(|message| message.of);
}

/// Sorts, and returns for each old index the new one.
fn sort<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) -> Vec<u32> {
    let mut order: Vec<(u32, T)> = (0..).zip(std::mem::take(items)).collect();
    order.sort_by_key(|(_, item)| key(item));
    let mut moved = vec![0; order.len()];
    for (to, (from, item)) in order.into_iter().enumerate() {
        if let Some(place) = moved.get_mut(from as usize) {
            *place = to as u32;
        }
        items.push(item);
    }
    moved
}
