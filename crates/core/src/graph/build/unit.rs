//! One file's share of the graph, in three layers: what is written in it, what other files' macros bring into it, and
//! what its references mean. Each layer is kept as long as what it was made from stays the same.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::names::{Class, NameTable};
use super::shards::Key;
use super::templates::embedded_folder;
use crate::compiled::CompiledFile;
use crate::graph::{GraphInput, LinkKind, Symbol, SymbolId};
use crate::source::Span;
use crate::syntax::{Basis, Definition, DefinitionKind, FileFacts, InjectedModule, Reference, ReferenceKind};

/// One file's share of the graph.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Unit {
    pub(in crate::graph) written: Arc<Written>,
    pub(in crate::graph) expanded: Arc<Expanded>,
    pub(in crate::graph) resolved: Arc<Resolved>,
}

impl Unit {
    /// The definitions of the file: the written ones in order of position, then those that macros make.
    pub(in crate::graph) fn nodes(&self) -> impl Iterator<Item = &Symbol> {
        self.written.nodes.iter().chain(&self.expanded.nodes)
    }

    pub(in crate::graph) fn node(&self, index: u32) -> Option<&Symbol> {
        let index = index as usize;
        let written = self.written.nodes.len();
        if index < written { self.written.nodes.get(index) } else { self.expanded.nodes.get(index - written) }
    }

    /// Whether the source of the macro that makes a definition says that it makes one.
    pub(in crate::graph) fn confirms(&self, definition: &Definition, names: &NameTable) -> bool {
        let key = names.key(Class::Callable, &definition.module, &definition.name);
        self.expanded.confirmed.binary_search(&key).is_ok()
    }

    pub(in crate::graph) fn key(&self, index: u32) -> Option<Key> {
        let index = index as usize;
        let written = self.written.keys.len();
        if index < written {
            self.written.keys.get(index).copied()
        } else {
            self.expanded.keys.get(index - written).copied()
        }
    }
}

/// What a name stands for: a definition, and what those who refer to it need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::graph) struct ResolvedTarget {
    pub(in crate::graph) slot: u32,
    /// The number of the node in its unit.
    pub(in crate::graph) index: u32,
    pub(in crate::graph) signature: Signature,
}

/// What resolution depends on: as long as it stays, those who refer to the definition need not be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::graph) struct Signature {
    /// The fewest arguments it takes.
    pub(in crate::graph) least: u8,
    /// The most.
    pub(in crate::graph) most: u8,
    pub(in crate::graph) public: bool,
    /// Of what else matters: the patterns that it receives messages by, the whole path of a route, a module's name.
    pub(in crate::graph) shapes: u64,
}

/// What is written in a file.
#[derive(Debug)]
pub(in crate::graph) struct Written {
    pub(in crate::graph) path: Arc<str>,
    pub(in crate::graph) facts: Arc<FileFacts>,
    /// What the compiler said of it.
    pub(in crate::graph) compiled: Option<Arc<CompiledFile>>,
    /// Whether it is not of the project.
    pub(in crate::graph) outside: bool,
    pub(in crate::graph) nodes: Vec<Symbol>,
    /// The key of each node.
    pub(in crate::graph) keys: Vec<Key>,
    /// Where the nodes of each definition begin: an implementation for several types has one for each.
    first: Vec<u32>,
    /// The names that it defines.
    pub(in crate::graph) entries: Vec<(Key, ResolvedTarget)>,
    /// What its macros and functions bring into the modules that use them, by the key of their name.
    pub(in crate::graph) injections: FxHashMap<Key, Injection>,
    /// The node that stands for the file itself, if something stands outside of all definitions.
    pub(in crate::graph) loose: Option<u32>,
}

/// What quoted code brings into the module that uses it. Without places, so that it only changes when it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::graph) struct Injection {
    pub(in crate::graph) imports: Vec<ImportInForce>,
    pub(in crate::graph) aliases: Vec<(Arc<str>, Arc<str>)>,
    pub(in crate::graph) definitions: Vec<Injected>,
    /// Whether it defines functions whose heads it is given.
    pub(in crate::graph) is_definer: bool,
    pub(in crate::graph) behaviours: Vec<Arc<str>>,
    /// What it uses in turn, and the functions of its own module that it calls: they may return quoted code.
    pub(in crate::graph) inner: Vec<(Arc<str>, Arc<str>)>,
}

/// An import in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::graph) struct ImportInForce {
    pub(in crate::graph) module: Arc<str>,
    pub(in crate::graph) only: Option<Vec<(Arc<str>, u8)>>,
    pub(in crate::graph) except: Vec<(Arc<str>, u8)>,
}

/// A definition that quoted code makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::graph) struct Injected {
    pub(in crate::graph) kind: DefinitionKind,
    pub(in crate::graph) name: Arc<str>,
    pub(in crate::graph) arity: u8,
    pub(in crate::graph) defaults: u8,
    pub(in crate::graph) public: bool,
    /// The module that it is in, or that it is, if that is one that is quoted, too.
    pub(in crate::graph) within: Option<InjectedModule>,
}

/// What other files' macros bring into a file.
#[derive(Debug, Default)]
pub(in crate::graph) struct Expanded {
    /// Definitions that macros make, in order of module, name and arity.
    pub(in crate::graph) nodes: Vec<Symbol>,
    pub(in crate::graph) keys: Vec<Key>,
    pub(in crate::graph) entries: Vec<(Key, ResolvedTarget)>,
    /// For each module of the file what its `use`s bring.
    pub(in crate::graph) context: FxHashMap<Arc<str>, UnitContext>,
    /// The names of definitions that seemed to be some by their form, and are some by the source of the macro that makes
    /// them. Sorted.
    pub(in crate::graph) confirmed: Vec<Key>,
    /// The names that this was looked up by, sorted.
    pub(in crate::graph) reads: Vec<Key>,
}

/// What is in force in a module by its `use`s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::graph) struct UnitContext {
    pub(in crate::graph) imports: Vec<ImportInForce>,
    pub(in crate::graph) aliases: FxHashMap<Arc<str>, Arc<str>>,
    /// With the reason to believe in each.
    pub(in crate::graph) behaviours: Vec<(Arc<str>, Basis)>,
    /// Whether something is used of which nothing is known: it may bring in any name.
    pub(in crate::graph) open: bool,
}

/// What the references of a file mean.
#[derive(Debug, Default)]
pub(in crate::graph) struct Resolved {
    /// In order of the node at this end, kind and the other end.
    pub(in crate::graph) links: Vec<Link>,
    /// The numbers of the links in order of the other end.
    pub(in crate::graph) by_other: Vec<u32>,
    /// The places of all links, in their order.
    pub(in crate::graph) sites: Vec<Span>,
    /// Calls of what the project does not define, sorted.
    pub(in crate::graph) abroad: Vec<Abroad>,
    /// Behaviours and protocols that it does not define, with what implements them, sorted.
    pub(in crate::graph) implemented: Vec<Implemented>,
    /// How many local calls mean nothing that is known.
    pub(in crate::graph) unresolved: usize,
    /// The names that this was looked up by, sorted.
    pub(in crate::graph) reads: Vec<Key>,
}

/// A dependency between a node of the unit and a node of any unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::graph) struct Link {
    pub(in crate::graph) node: u32,
    pub(in crate::graph) kind: LinkKind,
    /// Of the node at the other end.
    pub(in crate::graph) other: Key,
    /// Whether the other end is the one that depends.
    pub(in crate::graph) reversed: bool,
    /// For messages, the clause that can match: its number plus one.
    pub(in crate::graph) clause: u16,
    pub(in crate::graph) basis: Basis,
    /// Where its places begin in [`Resolved::sites`].
    pub(in crate::graph) first_site: u32,
}

impl Resolved {
    pub(in crate::graph) fn sites(&self, link: usize) -> &[Span] {
        let start = self.links[link].first_site as usize;
        let end = self.links.get(link + 1).map_or(self.sites.len(), |next| next.first_site as usize);
        &self.sites[start..end]
    }

    /// The numbers of the links whose node is `node`.
    pub(in crate::graph) fn from(&self, node: u32) -> std::ops::Range<usize> {
        let start = self.links.partition_point(|link| link.node < node);
        start..start + self.links[start..].partition_point(|link| link.node == node)
    }

    /// The numbers of the links whose other end is `key`.
    pub(in crate::graph) fn to(&self, key: Key) -> impl Iterator<Item = usize> {
        let other = |at: &u32| self.links[*at as usize].other;
        let start = self.by_other.partition_point(|at| other(at) < key);
        let rest = &self.by_other[start..];
        rest.iter().take_while(move |at| self.links[**at as usize].other == key).map(|at| *at as usize)
    }
}

/// A call of what the project does not define.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::graph) struct Abroad {
    pub(in crate::graph) node: u32,
    pub(in crate::graph) module: Arc<str>,
    pub(in crate::graph) name: Arc<str>,
    pub(in crate::graph) arity: u8,
    pub(in crate::graph) basis: Basis,
}

/// A behaviour or protocol that the project does not define, at a node that implements it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::graph) struct Implemented {
    pub(in crate::graph) of: Arc<str>,
    pub(in crate::graph) node: u32,
    /// `Behaviour` or `Implements`.
    pub(in crate::graph) kind: LinkKind,
    pub(in crate::graph) basis: Basis,
    /// Where it says so.
    pub(in crate::graph) site: Span,
}

impl Written {
    pub(in crate::graph) fn new(path: Arc<str>, source: GraphInput, slot: u32, names: &NameTable) -> Self {
        let facts = source.facts;
        let mut written = Written {
            path,
            nodes: Vec::with_capacity(facts.definitions.len()),
            keys: Vec::with_capacity(facts.definitions.len()),
            first: Vec::with_capacity(facts.definitions.len() + 1),
            entries: Vec::new(),
            injections: FxHashMap::default(),
            loose: None,
            outside: source.outside,
            compiled: source.compiled,
            facts: facts.clone(),
        };
        written.define(slot, names);
        written.inject(&facts, names);
        written.entries.sort_unstable();
        written
    }

    /// The nodes of a definition.
    pub(in crate::graph) fn nodes_of(&self, definition: u32) -> std::ops::Range<u32> {
        let bound = |at: usize| self.first.get(at).copied().unwrap_or(0);
        bound(definition as usize)..bound(definition as usize + 1)
    }

    /// The nodes that a reference comes from.
    pub(in crate::graph) fn origins(&self, reference: &Reference) -> std::ops::Range<u32> {
        match (reference.from, self.loose) {
            (Some(definition), _) => self.nodes_of(definition),
            (None, Some(node)) => node..node + 1,
            (None, None) => 0..0,
        }
    }

    fn define(&mut self, slot: u32, names: &NameTable) {
        let facts = self.facts.clone();
        // `defimpl P, for: [A, B]` defines one module for each target, in a loop over protocols for each of these too; the
        // facts name the first.
        let mut protocols: FxHashMap<u32, Vec<&str>> = FxHashMap::default();
        for reference in facts.references.iter().filter(|r| r.kind == ReferenceKind::Implements) {
            if let (Some(definition), Some(protocol)) = (reference.from, &reference.module) {
                protocols.entry(definition).or_default().push(protocol);
            }
        }
        let mut targets: FxHashMap<&str, Vec<Arc<str>>> = FxHashMap::default();
        for (definition, at) in facts.definitions.iter().zip(0..) {
            if let (DefinitionKind::Implementation, [first, all @ ..]) =
                (definition.kind, &definition.fields[..])
            {
                let own = [&**first];
                let protocols = protocols.get(&at).map_or(&own[..], Vec::as_slice);
                let module = |protocol: &&str| {
                    let protocol = protocol.to_string();
                    all.iter().map(move |target| format!("{protocol}.{target}").into())
                };
                targets.insert(&definition.module, protocols.iter().flat_map(module).collect());
            }
        }
        let mut shapes: FxHashMap<u32, u64> = FxHashMap::default();
        for receiver in &facts.receivers {
            let of = shapes.entry(receiver.of).or_default();
            *of = of.rotate_left(7) ^ names.key(Class::Other, &receiver.shape, "");
        }
        for (at, definition) in facts.definitions.iter().enumerate() {
            self.first.push(self.nodes.len() as u32);
            let shapes = shapes.get(&(at as u32)).copied().unwrap_or(0);
            match targets.get(&*definition.module) {
                Some(modules) => modules
                    .iter()
                    .for_each(|module| self.define_one(slot, names, definition, module.clone(), shapes)),
                None => self.define_one(slot, names, definition, definition.module.clone(), shapes),
            }
        }
        self.first.push(self.nodes.len() as u32);
        if facts.references.iter().any(|reference| reference.from.is_none()) {
            let whole = Span { line_start: 1, line_end: 1, ..Span::default() };
            self.loose = Some(self.nodes.len() as u32);
            let name = self.path.clone();
            self.nodes.push(symbol(DefinitionKind::File, "".into(), name, None, self.path.clone(), whole));
            self.keys.push(names.exact(&self.path, DefinitionKind::File, "", &self.path, None));
        }
        let module = self.nodes.iter().position(Symbol::is_module);
        if let Some(index) = module {
            let stem = self.path.rsplit_once('.').map_or(&*self.path, |(stem, _)| stem);
            let key = names.key(Class::Source, stem, "");
            self.entry(key, slot, index as u32, Signature::of_module(names, &self.nodes[index].module));
        }
        for reference in
            facts.references.iter().filter(|r| r.kind == ReferenceKind::Render && r.basis.is_certain())
        {
            let Some(folder) = embedded_folder(&reference.name) else { continue };
            for index in self.origins(reference) {
                let Some(node) = self.nodes.get(index as usize) else { continue };
                let signature = Signature::of_module(names, &node.module);
                self.entry(names.key(Class::Embedder, folder, ""), slot, index, signature);
            }
        }
    }

    fn define_one(
        &mut self,
        slot: u32,
        names: &NameTable,
        definition: &Definition,
        module: Arc<str>,
        shapes: u64,
    ) {
        let index = self.nodes.len() as u32;
        self.keys.push(names.definition(&self.path, &module, definition));
        let mut node = symbol(
            definition.kind,
            module,
            definition.name.clone(),
            definition.arity,
            self.path.clone(),
            definition.span,
        );
        node.defaults = definition.defaults;
        node.public = definition.public;
        let most = definition.arity.unwrap_or(0);
        let least = most.saturating_sub(definition.defaults);
        let shapes = match definition.kind {
            // Routes are found by their size; which one is meant depends on all of the path.
            DefinitionKind::Route => names.key(Class::Route, &definition.name, ""),
            _ => shapes,
        };
        let signature = Signature { least, most, public: definition.public, shapes };
        let key = self.name_of(&node, names);
        self.nodes.push(node);
        if let Some(key) = key {
            self.entry(key, slot, index, signature);
        }
    }

    /// The key by which others look a node up; none for what nothing can refer to.
    pub(in crate::graph) fn name_of(&self, node: &Symbol, names: &NameTable) -> Option<Key> {
        match Class::of(node.kind) {
            Class::Module => Some(names.key(Class::Module, &node.module, "")),
            Class::Schema => Some(names.key(Class::Schema, "", &node.name)),
            Class::Other => match node.kind {
                DefinitionKind::Template => {
                    let (folder, _) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
                    Some(names.key(Class::Folder, folder, ""))
                }
                DefinitionKind::Route => Some(names.key(Class::Route, &route_size(&node.name), "")),
                _ => None,
            },
            class => Some(names.key(class, &node.module, &node.name)),
        }
    }

    /// The definition that a node is of.
    pub(in crate::graph) fn definition_of(&self, node: u32) -> Option<u32> {
        let at = self.first.partition_point(|first| *first <= node).checked_sub(1)?;
        (at < self.facts.definitions.len()).then_some(at as u32)
    }

    fn entry(&mut self, key: Key, slot: u32, index: u32, signature: Signature) {
        self.entries.push((key, ResolvedTarget { slot, index, signature }));
    }

    /// Collects what each function's or macro's quoted code brings along.
    fn inject(&mut self, facts: &FileFacts, names: &NameTable) {
        let mut injections: FxHashMap<Key, Injection> = FxHashMap::default();
        let key = |by: u32| {
            let by = facts.definitions.get(by as usize)?;
            Some(names.key(Class::Callable, &by.module, &by.name))
        };
        for import in &facts.imports {
            let Some(key) = import.injected_by.and_then(key) else { continue };
            let (module, only) = (import.module.clone(), import.only.clone());
            let import = ImportInForce { module, only, except: import.except.clone() };
            injections.entry(key).or_default().imports.push(import);
        }
        for alias in &facts.injected_aliases {
            let Some(key) = key(alias.injected_by) else { continue };
            let pair = (alias.short.clone(), alias.module.clone());
            injections.entry(key).or_default().aliases.push(pair);
        }
        for definition in &facts.injected_definitions {
            let Some(key) = key(definition.injected_by) else { continue };
            let injection = injections.entry(key).or_default();
            if definition.name.is_empty() && definition.kind != DefinitionKind::Module {
                injection.is_definer |= definition.within.is_none();
                continue;
            }
            injection.definitions.push(Injected {
                kind: definition.kind,
                name: definition.name.clone(),
                arity: definition.arity,
                defaults: definition.defaults,
                public: definition.public,
                within: definition.within.clone(),
            });
        }
        let mut helpers = Vec::new();
        for (at, reference) in facts.references.iter().enumerate() {
            let from = reference.from.and_then(|from| facts.definitions.get(from as usize));
            let Some(from) = from.filter(|from| Class::of(from.kind) == Class::Callable) else { continue };
            let caller = || names.key(Class::Callable, &from.module, &from.name);
            match (reference.kind, &reference.module) {
                (ReferenceKind::Use, Some(module)) if !reference.basis.is_certain() => {
                    let brought = brought_by_use(facts, at).map(|name| (module.clone(), name));
                    injections.entry(caller()).or_default().inner.extend(brought);
                }
                (ReferenceKind::Behaviour, Some(module)) if !reference.basis.is_certain() => {
                    injections.entry(caller()).or_default().behaviours.push(module.clone());
                }
                (ReferenceKind::Call, Some(module)) if &*reference.name == "__before_compile__" => {
                    let pair = (module.clone(), reference.name.clone());
                    injections.entry(caller()).or_default().inner.push(pair);
                }
                // `unquote(helper())`, and a `__using__` that leaves the work to a function.
                (ReferenceKind::Call, module)
                    if module.as_ref().is_none_or(|module| *module == from.module) =>
                {
                    let callee = names.key(Class::Callable, &from.module, &reference.name);
                    helpers.push((caller(), callee, from.module.clone(), reference.name.clone()));
                }
                _ => {}
            }
        }
        // Who calls a function that brings something brings that too.
        let mut known = 0;
        while known != injections.len() {
            known = injections.len();
            for (caller, callee, module, name) in &helpers {
                if caller != callee && injections.contains_key(callee) {
                    let inner = &mut injections.entry(*caller).or_default().inner;
                    let pair = (module.clone(), name.clone());
                    if !inner.contains(&pair) {
                        inner.push(pair);
                    }
                }
            }
        }
        self.injections = injections;
    }
}

impl Signature {
    /// Where a module is found by something else than its name.
    fn of_module(names: &NameTable, module: &str) -> Self {
        Signature { least: 0, most: 0, public: true, shapes: names.key(Class::Module, module, "") }
    }
}

/// The functions whose quoted code the `use` at this place brings: `__using__`, and by convention `which` in
/// `use Mod, :which`, which is followed by a reference to `Mod.which/0`.
pub(in crate::graph) fn brought_by_use(facts: &FileFacts, at: usize) -> impl Iterator<Item = Arc<str>> {
    let module = facts.references.get(at).and_then(|reference| reference.module.as_ref());
    let which = facts.references.get(at + 1).filter(|next| {
        next.kind == ReferenceKind::Call
            && next.basis == Basis::Convention
            && next.arity == Some(0)
            && next.module.as_ref() == module
            && !next.name.is_empty()
    });
    [Arc::from("__using__")].into_iter().chain(which.map(|next| next.name.clone()))
}

pub(in crate::graph) fn symbol(
    kind: DefinitionKind,
    module: Arc<str>,
    name: Arc<str>,
    arity: Option<u8>,
    file: Arc<str>,
    span: Span,
) -> Symbol {
    let id = SymbolId { file: 0, index: 0 };
    Symbol { id, kind, module, name, arity, defaults: 0, public: true, generated_by: None, file, span }
}

/// What routes are found by: the number of segments of their path.
pub(in crate::graph) fn route_size(name: &str) -> String {
    let path = name.rsplit_once(' ').map_or(name, |(_, path)| path);
    let path = path.split(['?', '#']).next().unwrap_or(path);
    path.split('/').filter(|segment| !segment.is_empty()).count().to_string()
}
