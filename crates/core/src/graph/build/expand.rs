//! What `use` brings into a module: imports, aliases, behaviours and definitions that other modules' macros quote, and the
//! functions that a module makes of templates.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::imports;
use super::names::{Class, NameTable};
use super::observed;
use super::shards::Key;
use super::std_lib;
use super::templates::{embedded_folder, template_name};
use super::unit::{
    Expanded, Injected, Injection, ResolvedTarget, Signature, Unit, UnitContext, brought_by_use, symbol,
};
use super::view::GraphView;
use crate::source::Span;
use crate::syntax::{
    Basis, DefinitionKind, FileFacts, InjectedModule, InjectedRoot, Reference, ReferenceKind,
};

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
            let site = Site { module: &node.module, span: reference.span, argument: None };
            bring(view, slot, &site, brought.clone(), &mut expanded, &mut made);
        }
    }
    expand_calls(view, slot, unit, &mut expanded, &mut made);
    confirm(view, slot, unit, &mut expanded);
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

/// Where a macro is used.
struct Site<'s> {
    /// In the body of which module; empty outside of all.
    module: &'s Arc<str>,
    span: Span,
    /// The macro's first argument, if it is a name of a module, as it is written.
    argument: Option<&'s str>,
}

impl Site<'_> {
    /// The module that a quoted definition becomes a part of here.
    fn home(&self, injected: &Injected) -> Option<Arc<str>> {
        let Some(InjectedModule { root, path }) = &injected.within else {
            return (!self.module.is_empty()).then(|| self.module.clone());
        };
        let parts = match root {
            InjectedRoot::Absolute => [path, "", ""],
            InjectedRoot::User => [self.module, path, ""],
            InjectedRoot::Argument(0) => [self.module, self.argument?, path],
            InjectedRoot::Argument(_) => return None,
        };
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Some(parts.join(".").into())
    }
}

/// The calls in the bodies of modules, and outside of all, of macros whose quoted code defines something.
fn expand_calls(view: GraphView, slot: u32, unit: &Unit, expanded: &mut Expanded, made: &mut Made) {
    let facts = &unit.written.facts;
    let is_call =
        |reference: &Reference| reference.kind == ReferenceKind::Call && reference.basis.is_certain();
    for (at, reference) in facts.references.iter().enumerate().filter(|(_, reference)| is_call(reference)) {
        for node in unit.written.origins(reference) {
            let Some(node) = unit.written.nodes.get(node as usize) else { continue };
            if !node.is_module() && node.kind != DefinitionKind::File {
                continue;
            }
            let Some(called) = called_macro(view, slot, unit, &node.module, reference, expanded) else {
                continue;
            };
            let argument = first_argument(facts, at);
            let site = Site { module: &node.module, span: reference.span, argument };
            bring(view, slot, &site, vec![called], expanded, made);
        }
    }
}

/// The macro that a call in the body of a module means, if what it quotes is known.
fn called_macro(
    view: GraphView,
    slot: u32,
    unit: &Unit,
    module: &Arc<str>,
    reference: &Reference,
    expanded: &mut Expanded,
) -> Option<(Arc<str>, Arc<str>)> {
    let (name, arity) = (&reference.name, reference.arity?);
    let context = expanded.context.get(module);
    let of: Vec<Arc<str>> = match &reference.module {
        Some(written) => {
            vec![context.and_then(|context| context.unalias(written)).unwrap_or_else(|| written.clone())]
        }
        None => {
            let directives = unit.written.facts.imports.iter().filter(|import| import.injected_by.is_none());
            let listed = |list: &[(Arc<str>, u8)]| list.iter().any(|(n, a)| n == name && *a == arity);
            let brings = |only: Option<&[(Arc<str>, u8)]>, except: &[(Arc<str>, u8)]| {
                only.is_none_or(listed) && !listed(except)
            };
            let written = imports::in_force(directives, reference.span.start);
            let written = written.into_iter().filter(|import| brings(import.only, &import.except));
            let brought = context.into_iter().flat_map(|context| &context.imports);
            let brought = brought.filter(|import| brings(import.only.as_deref(), &import.except));
            let brought = brought.map(|import| import.module.clone());
            written.map(|import| import.module.clone()).chain(brought).collect()
        }
    };
    of.into_iter().find_map(|of| {
        let key = view.names.key(Class::Callable, &of, name);
        expanded.reads.push(key);
        injection(view, slot, key)?;
        Some((of, name.clone()))
    })
}

fn injection(view: GraphView<'_>, slot: u32, key: Key) -> Option<&Injection> {
    let unit = view.unit(view.written(slot, key)?.slot)?;
    unit.written.injections.get(&key)
}

/// The module that is the first argument of a call, as it is written.
fn first_argument(facts: &FileFacts, call: usize) -> Option<&str> {
    let (call, behind) = facts.references.get(call..)?.split_first()?;
    let next = behind.iter().find(|next| next.span.start > call.span.end)?;
    // Directly behind the name and a bracket or a blank.
    let is_argument = next.kind == ReferenceKind::Module && next.span.start == call.span.end + 1;
    let module = next.module.as_deref().filter(|_| is_argument)?;
    let length = (next.span.end - next.span.start) as usize;
    let written = module.get(module.len().checked_sub(length)?..)?;
    (written.len() == module.len() || module[..module.len() - length].ends_with('.')).then_some(written)
}

/// Looks up the macros of definitions that only their form tells: what defines functions whose heads it is given, defines them.
fn confirm(view: GraphView, slot: u32, unit: &Unit, expanded: &mut Expanded) {
    let facts = &unit.written.facts;
    for definition in facts.definitions.iter().filter(|definition| definition.guessed) {
        let Some(start) = definition.clauses.first().map(|clause| clause.start) else { continue };
        let at = facts.references.partition_point(|reference| reference.span.start < start);
        let here = facts.references[at..].iter().take_while(|reference| reference.span.start == start);
        let mut calls = here.filter(|reference| reference.kind == ReferenceKind::Call);
        let Some(call) = calls.next() else { continue };
        let called = called_macro(view, slot, unit, &definition.module, call, expanded);
        if called.is_some_and(|called| defines_what_it_is_given(view, slot, called, expanded)) {
            expanded.confirmed.push(view.names.key(Class::Callable, &definition.module, &definition.name));
        }
    }
    expanded.confirmed.sort_unstable();
    expanded.confirmed.dedup();
}

/// Whether the quoted code of a macro, or of the functions that it leaves the work to, defines functions whose heads are given.
fn defines_what_it_is_given(
    view: GraphView,
    slot: u32,
    called: (Arc<str>, Arc<str>),
    expanded: &mut Expanded,
) -> bool {
    let (mut open, mut seen) = (vec![called], FxHashSet::default());
    while let Some((from, name)) = open.pop().filter(|_| seen.len() < MAX_STEPS) {
        let key = view.names.key(Class::Callable, &from, &name);
        expanded.reads.push(key);
        match injection(view, slot, key).filter(|_| seen.insert(key)) {
            Some(injection) if injection.is_definer => return true,
            Some(injection) => open.extend(injection.inner.iter().cloned()),
            None => {}
        }
    }
    false
}

fn bring(
    view: GraphView,
    slot: u32,
    site: &Site<'_>,
    mut open: Vec<(Arc<str>, Arc<str>)>,
    expanded: &mut Expanded,
    made: &mut Made,
) {
    let context = expanded.context.entry(site.module.clone()).or_default();
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
        let mut basis = Basis::Quoted;
        let injection = match injection(view, slot, key) {
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
        let Injection { imports, aliases, definitions, behaviours, inner, is_definer: _ } = injection;
        context.imports.extend(imports);
        context.aliases.extend(aliases);
        context.behaviours.extend(behaviours.into_iter().map(|behaviour| (behaviour, basis)));
        open.extend(inner);
        let maker: Arc<str> = format!("{from}.{name}").into();
        for injected in definitions {
            let Some(home) = site.home(&injected) else { continue };
            let key = (home, injected.name.clone(), injected.arity);
            made.entry(key).or_insert_with(|| (injected, maker.clone(), own_file.clone(), site.span));
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
            within: None,
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
    // What the compiler tells of a module that a macro makes bears the macro's lines.
    let modules: FxHashSet<Arc<str>> = made
        .iter()
        .filter(|(_, (injected, ..))| injected.kind == DefinitionKind::Module)
        .map(|((module, ..), _)| module.clone())
        .collect();
    for module in compiled.modules.iter().filter(|module| module.debug_info) {
        let mut guessed = std::mem::take(made);
        made.extend(guessed.extract_if(|(of, _, _), (_, maker, _, _)| {
            *of != module.module || &**maker == "embed_templates" || modules.contains(of)
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
                within: None,
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
        if injected.kind == DefinitionKind::Module {
            define_module(names, slot, unit, (module, maker, file, span), expanded);
            continue;
        }
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

fn define_module(
    names: &NameTable,
    slot: u32,
    unit: &Unit,
    (module, maker, file, span): (Arc<str>, Arc<str>, Arc<str>, Span),
    expanded: &mut Expanded,
) {
    if unit.written.nodes.iter().any(|node| node.is_module() && node.module == module) {
        return;
    }
    let index = (unit.written.nodes.len() + expanded.nodes.len()) as u32;
    let last: Arc<str> = module.rsplit('.').next().unwrap_or(&module).into();
    let mut node = symbol(DefinitionKind::Module, module, last, None, file, span);
    node.generated_by = Some(maker);
    let signature = Signature { least: 0, most: 0, public: true, shapes: 0 };
    let key = names.key(Class::Module, &node.module, "");
    expanded.entries.push((key, ResolvedTarget { slot, index, signature }));
    expanded.keys.push(names.exact(&unit.written.path, node.kind, &node.module, &node.name, None));
    expanded.nodes.push(node);
}

impl UnitContext {
    /// The full name of a module that the file itself does not explain, if a `use` brought in an alias for it.
    pub(in crate::graph) fn unalias(&self, written: &str) -> Option<Arc<str>> {
        let (first, rest) = written.split_at(written.find('.').unwrap_or(written.len()));
        self.aliases.get(first).map(|full| format!("{full}{rest}").into())
    }
}
