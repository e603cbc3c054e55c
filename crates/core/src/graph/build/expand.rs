//! What `use` brings into a module: imports, aliases, behaviours and definitions that other modules' macros quote, and the
//! functions that a module makes of templates.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::names::{Class, NameTable};
use super::observed;
use super::std_lib;
use super::templates::{embedded_folder, template_name};
use super::unit::{
    Expanded, Injected, Injection, ResolvedTarget, Signature, Unit, UnitContext, brought_by_use, symbol,
};
use super::view::GraphView;
use crate::source::Span;
use crate::syntax::{Basis, DefinitionKind, Reference, ReferenceKind};

/// So much is followed for one module; more is a loop or no source code.
const MAX_STEPS: usize = 1000;

/// What a module has by a macro, and where the macro is used.
type Made = FxHashMap<(Arc<str>, Arc<str>, u8), (Injected, Arc<str>, Arc<str>, Span)>;

/// What other files bring into the unit at `slot`.
pub(in crate::graph) fn expand(view: GraphView, slot: u32) -> Expanded {
    let mut expanded = Expanded::default();
    let Some(unit) = view.unit(slot).filter(|unit| !unit.written.outside) else { return expanded };
    let facts = &unit.written.facts;
    let mut made = Made::default();
    for (at, reference) in facts.references.iter().enumerate() {
        let brought: Vec<(Arc<str>, Arc<str>)> = match (reference.kind, &reference.module) {
            (ReferenceKind::Use, Some(used)) if reference.basis.is_certain() => {
                brought_by_use(facts, at).map(|name| (used.clone(), name)).collect()
            }
            (ReferenceKind::Call, Some(used)) if is_before_compile(reference) => {
                vec![(used.clone(), reference.name.clone())]
            }
            (ReferenceKind::Render, _) if reference.basis.is_certain() => {
                embed(view, unit, reference, &mut expanded, &mut made);
                continue;
            }
            _ => continue,
        };
        for node in unit.written.origins(reference) {
            let Some(node) = unit.written.nodes.get(node as usize).filter(|node| node.is_module()) else {
                continue;
            };
            bring(view, slot, (&node.module, reference.span), brought.clone(), &mut expanded, &mut made);
        }
    }
    observe(unit, &mut made);
    define(view.names, slot, unit, made, &mut expanded);
    expanded.reads.sort_unstable();
    expanded.reads.dedup();
    expanded
}

/// `@before_compile Mod` calls the macro of that name when the module is about to be compiled.
pub(in crate::graph) fn is_before_compile(reference: &Reference) -> bool {
    reference.basis == Basis::Convention && &*reference.name == "__before_compile__"
}

fn bring(
    view: GraphView,
    slot: u32,
    (module, site): (&Arc<str>, Span),
    mut open: Vec<(Arc<str>, Arc<str>)>,
    expanded: &mut Expanded,
    made: &mut Made,
) {
    let context = expanded.context.entry(module.clone()).or_default();
    let mut seen = FxHashSet::default();
    let mut own_file: Arc<str> = "".into();
    if let Some(unit) = view.unit(slot) {
        own_file = unit.written.path.clone();
    }
    // First come, first in force: what is used directly goes before what that uses in turn.
    let mut next = 0;
    while next < open.len().min(MAX_STEPS) {
        let (from, name) = open[next].clone();
        next += 1;
        let key = view.names.key(Class::Callable, &from, &name);
        if !seen.insert(key) {
            continue;
        }
        expanded.reads.push(key);
        let target = view.written(slot, key).and_then(|target| view.unit(target.slot));
        let mut basis = Basis::Quoted;
        let injection = match target.and_then(|unit| unit.written.injections.get(&key)) {
            Some(injection) => injection.clone(),
            None => {
                let read = view.names.key(Class::Module, &from, "");
                expanded.reads.push(read);
                let is_unknown = view.any(slot, read).is_none() && !std_lib::has_module(&from);
                context.open |= is_unknown;
                if next == 1 {
                    basis = Basis::Written;
                }
                let mut injection = std_lib::injection(&from, &name);
                if is_unknown && &*name == "__using__" {
                    basis = Basis::Convention;
                    injection.behaviours.extend(std_lib::likely_behaviours(&from));
                }
                injection
            }
        };
        let Injection { imports, aliases, definitions, behaviours, inner } = injection;
        context.imports.extend(imports);
        context.aliases.extend(aliases);
        context.behaviours.extend(behaviours.into_iter().map(|behaviour| (behaviour, basis)));
        open.extend(inner);
        let maker: Arc<str> = format!("{from}.{name}").into();
        for injected in definitions {
            let key = (module.clone(), injected.name.clone(), injected.arity);
            made.entry(key).or_insert_with(|| (injected, maker.clone(), own_file.clone(), site));
        }
    }
}

/// `embed_templates` makes a function of one argument of each template in the folder.
fn embed(view: GraphView, unit: &Unit, reference: &Reference, expanded: &mut Expanded, made: &mut Made) {
    let Some(folder) = embedded_folder(&reference.name) else { return };
    let key = view.names.key(Class::Folder, folder, "");
    expanded.reads.push(key);
    for target in view.all(key) {
        let Some(template) = view.unit(target.slot).and_then(|unit| unit.node(target.index)) else {
            continue;
        };
        let name: Arc<str> = template_name(&template.file).into();
        let injected = Injected {
            kind: DefinitionKind::Function,
            name: name.clone(),
            arity: 1,
            defaults: 0,
            public: true,
        };
        for node in unit.written.origins(reference) {
            let Some(node) = unit.written.nodes.get(node as usize) else { continue };
            let value = (injected.clone(), "embed_templates".into(), template.file.clone(), template.span);
            made.entry((node.module.clone(), name.clone(), 1)).or_insert(value);
        }
    }
}

/// Where the compiler has seen a module, what macros made in it is what the compiler says.
fn observe(unit: &Unit, made: &mut Made) {
    let Some(compiled) = &unit.written.compiled else { return };
    for module in compiled.modules.iter().filter(|module| module.debug_info) {
        let mut guessed = std::mem::take(made);
        made.extend(guessed.extract_if(|(of, _, _), (_, maker, _, _)| {
            *of != module.module || &**maker == "embed_templates"
        }));
        for (function, maker) in observed::made(module) {
            let key = (module.module.clone(), function.name.clone(), function.arity);
            let by =
                guessed.remove(&key).map(|(_, by, _, _)| by).or(maker).unwrap_or_else(|| "a macro".into());
            let injected = Injected {
                kind: if &*function.name == "__struct__" { DefinitionKind::Struct } else { function.kind },
                name: function.name.clone(),
                arity: function.arity,
                defaults: function.defaults,
                public: function.public,
            };
            let site = observed::place(&unit.written.facts, function.line);
            made.insert(key, (injected, by, unit.written.path.clone(), site));
        }
    }
}

/// Makes nodes of what macros define, unless the module defines it itself.
fn define(names: &NameTable, slot: u32, unit: &Unit, made: Made, expanded: &mut Expanded) {
    let mut made: Vec<_> = made.into_iter().collect();
    made.sort_by(|(a, _), (b, _)| a.cmp(b));
    for ((module, name, arity), (injected, maker, file, span)) in made {
        let written = unit.written.nodes.iter().any(|node| {
            node.is_callable()
                && node.module == module
                && node.name == name
                && node.arity.is_some_and(|most| (most.saturating_sub(node.defaults)..=most).contains(&arity))
        });
        if written {
            continue;
        }
        let index = (unit.written.nodes.len() + expanded.nodes.len()) as u32;
        let mut node = symbol(injected.kind, module, name, Some(arity), file, span);
        node.defaults = injected.defaults;
        node.public = injected.public;
        node.generated_by = Some(maker);
        let least = arity.saturating_sub(injected.defaults);
        let signature = Signature { least, most: arity, public: injected.public, shapes: 0 };
        let key = names.key(Class::Callable, &node.module, &node.name);
        expanded.entries.push((key, ResolvedTarget { slot, index, signature }));
        let path = &unit.written.path;
        expanded.keys.push(names.exact(path, node.kind, &node.module, &node.name, node.arity));
        expanded.nodes.push(node);
    }
    expanded.entries.sort_unstable();
}

impl UnitContext {
    /// The full name of a module that the file itself does not explain, if a `use` brought in an alias for it.
    pub(in crate::graph) fn unalias(&self, written: &str) -> Option<Arc<str>> {
        let (first, rest) = written.split_at(written.find('.').unwrap_or(written.len()));
        self.aliases.get(first).map(|full| format!("{full}{rest}").into())
    }
}
