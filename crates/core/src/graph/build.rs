//! From the facts of all files to the graph: every reference is resolved against the whole project.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::{FxHashMap, FxHashSet};

use super::symbol::Link;
use super::{Edge, LinkKind, Symbol, SymbolId, kernel};
use crate::source::Span;
use crate::syntax::{
    Basis, Definition, DefinitionKind, FileFacts, ImportDirective, Reference, ReferenceKind,
};

/// The graph of a project's code. A value: cheap to clone, never changed.
#[derive(Clone, Debug)]
pub struct CodeGraph {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    graph: DiGraph<Symbol, Link>,
    /// Calls of what the project does not define.
    outside: Vec<Edge>,
    unresolved: usize,
}

impl CodeGraph {
    /// The graph of all files, given by path. The order in which they come does not matter.
    pub fn build<'f>(files: impl IntoIterator<Item = (&'f str, &'f FileFacts)>) -> Self {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort_by_key(|(path, _)| *path);
        let mut builder = Builder::default();
        for (path, facts) in &files {
            builder.define(path, facts);
        }
        builder.index_injections(&files);
        for (file, (_, facts)) in files.iter().enumerate() {
            for reference in &facts.references {
                builder.refer(file, facts, reference);
            }
        }
        builder.dispatch(&files);
        builder.finish()
    }

    /// Every definition, in order of path and position.
    pub fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.graph().node_weights()
    }

    /// The symbol of this number.
    pub fn symbol(&self, id: SymbolId) -> Option<&Symbol> {
        self.graph().node_weight(NodeIndex::new(id.0 as usize))
    }

    /// How many definitions of each kind there are.
    pub fn definitions(&self) -> BTreeMap<DefinitionKind, usize> {
        let mut counts = BTreeMap::new();
        for symbol in self.symbols() {
            *counts.entry(symbol.kind).or_default() += 1;
        }
        counts
    }

    /// How many local calls could not be resolved: macros of `Kernel`, and what code outside of the project brings in.
    pub fn unresolved(&self) -> usize {
        self.inner.unresolved
    }

    /// Every pair of caller and callee once, sorted, also where the callee is not of the project.
    pub fn edges(&self) -> impl Iterator<Item = Edge> {
        let inside = self.graph().edge_indices().filter_map(|edge| {
            let link = &self.graph()[edge];
            let (from, to) = self.graph().edge_endpoints(edge)?;
            let (from, to) = (&self.graph()[from], &self.graph()[to]);
            let arity = to.arity.filter(|_| link.kind == LinkKind::Call)?;
            Some(call(from, to.module.clone(), to.name.clone(), arity, link.certain))
        });
        // A certain one goes before an uncertain one of the same pair.
        let mut pairs: BTreeMap<Edge, bool> = BTreeMap::new();
        for mut edge in inside.chain(self.inner.outside.iter().cloned()) {
            let certain = std::mem::replace(&mut edge.certain, true);
            *pairs.entry(edge).or_default() |= certain;
        }
        pairs.into_iter().map(|(edge, certain)| Edge { certain, ..edge })
    }

    pub(super) fn graph(&self) -> &DiGraph<Symbol, Link> {
        &self.inner.graph
    }
}

fn call(from: &Symbol, module: Arc<str>, fun: Arc<str>, arity: u8, certain: bool) -> Edge {
    let (caller_fun, caller_arity) = match from.kind {
        // ExUnit defines `"test text"/1`.
        DefinitionKind::Test => (Some(format!("test {}", from.name).into()), Some(1)),
        _ if from.is_callable() && from.kind != DefinitionKind::Struct => {
            (Some(from.name.clone()), from.arity)
        }
        _ => (None, None),
    };
    Edge {
        caller_module: from.module.clone(),
        caller_fun,
        caller_arity,
        callee_module: module,
        callee_fun: fun,
        callee_arity: arity,
        certain,
    }
}

/// A module and a function in it, of any arity.
type Name = (Arc<str>, Arc<str>);

/// A function as a target of calls: the arities it takes, and where it is.
#[derive(Clone, Copy)]
struct Target {
    least: u8,
    most: u8,
    file: usize,
    node: NodeIndex,
    public: bool,
}

/// What quoted code brings into the module that uses it.
#[derive(Clone, Default)]
struct Injected<'f> {
    imports: Vec<&'f ImportDirective>,
    aliases: FxHashMap<Arc<str>, Arc<str>>,
}

#[derive(Default)]
struct Builder<'f> {
    graph: DiGraph<Symbol, Link>,
    modules: FxHashMap<Arc<str>, Vec<NodeIndex>>,
    functions: FxHashMap<Name, Vec<Target>>,
    /// For each file and each of its definitions the nodes: an implementation for several types has one for each.
    nodes: Vec<Vec<Range<usize>>>,
    /// What the modules have by their `use`s.
    injected: FxHashMap<Arc<str>, Injected<'f>>,
    links: FxHashMap<(NodeIndex, NodeIndex, LinkKind), (Vec<Span>, bool)>,
    outside: FxHashSet<Edge>,
    unresolved: usize,
}

impl<'f> Builder<'f> {
    fn define(&mut self, path: &str, facts: &'f FileFacts) {
        let (path, file): (Arc<str>, usize) = (path.into(), self.nodes.len());
        // `defimpl P, for: [A, B]` defines one module for each target; the facts name the first.
        let mut targets: FxHashMap<&str, Vec<Arc<str>>> = FxHashMap::default();
        for definition in facts.definitions.iter().filter(|d| d.kind == DefinitionKind::Implementation) {
            if let [protocol, all @ ..] = &definition.fields[..] {
                let modules = all.iter().map(|target| format!("{protocol}.{target}").into()).collect();
                targets.insert(&definition.module, modules);
            }
        }
        let mut nodes = Vec::with_capacity(facts.definitions.len());
        for definition in &facts.definitions {
            let first = self.graph.node_count();
            match targets.get(&*definition.module) {
                Some(modules) => {
                    modules
                        .iter()
                        .for_each(|module| self.define_one(&path, file, definition, module.clone()));
                }
                None => self.define_one(&path, file, definition, definition.module.clone()),
            }
            nodes.push(first..self.graph.node_count());
        }
        self.nodes.push(nodes);
    }

    fn define_one(&mut self, path: &Arc<str>, file: usize, definition: &Definition, module: Arc<str>) {
        let id = SymbolId(self.graph.node_count() as u32);
        let symbol = Symbol {
            id,
            kind: definition.kind,
            module: module.clone(),
            name: definition.name.clone(),
            arity: definition.arity,
            defaults: definition.defaults,
            public: definition.public,
            file: path.clone(),
            span: definition.span,
        };
        let (is_module, is_callable) = (symbol.is_module(), symbol.is_callable());
        let node = self.graph.add_node(symbol);
        if is_module {
            self.modules.entry(module).or_default().push(node);
        } else if let Some(most) = definition.arity.filter(|_| is_callable) {
            let least = most.saturating_sub(definition.defaults);
            let target = Target { least, most, file, node, public: definition.public };
            self.functions.entry((module, definition.name.clone())).or_default().push(target);
        }
    }

    /// Finds out which imports and aliases each module has by its `use`s.
    fn index_injections(&mut self, files: &[(&str, &'f FileFacts)]) {
        let mut injections: FxHashMap<Name, Injected> = FxHashMap::default();
        // What each function's quoted code uses in turn, and what each module uses.
        let mut inner: FxHashMap<Name, Vec<Name>> = FxHashMap::default();
        let mut uses: BTreeMap<Arc<str>, Vec<Name>> = BTreeMap::new();
        for (_, facts) in files {
            let definition = |index: u32| facts.definitions.get(index as usize);
            for import in &facts.imports {
                if let Some(by) = import.injected_by.and_then(definition) {
                    let key = (by.module.clone(), by.name.clone());
                    injections.entry(key).or_default().imports.push(import);
                }
            }
            for alias in &facts.injected_aliases {
                if let Some(by) = definition(alias.injected_by) {
                    let injection = injections.entry((by.module.clone(), by.name.clone())).or_default();
                    injection.aliases.insert(alias.short.clone(), alias.module.clone());
                }
            }
            for (at, reference) in facts.references.iter().enumerate() {
                let Some((module, from)) = reference.module.clone().zip(reference.from.and_then(definition))
                else {
                    continue;
                };
                if reference.kind != ReferenceKind::Use {
                    continue;
                }
                // `use Mod, :which` is followed by a reference to `Mod.which/0`.
                let which = facts.references.get(at + 1).filter(|next| {
                    next.basis == Basis::Convention
                        && next.arity == Some(0)
                        && next.module == reference.module
                        && !next.name.is_empty()
                });
                let names = ["__using__".into()].into_iter().chain(which.map(|next| next.name.clone()));
                let brought = names.map(|name: Arc<str>| (module.clone(), name));
                if reference.basis.is_certain() {
                    uses.entry(from.module.clone()).or_default().extend(brought);
                } else {
                    inner.entry((from.module.clone(), from.name.clone())).or_default().extend(brought);
                }
            }
        }
        for (module, mut open) in uses {
            let mut seen = FxHashSet::default();
            while let Some(by) = open.pop() {
                if seen.insert(by.clone()) {
                    open.extend(inner.get(&by).into_iter().flatten().cloned());
                    let Some(injection) = injections.get(&by) else { continue };
                    let injected = self.injected.entry(module.clone()).or_default();
                    injected.imports.extend(&injection.imports);
                    let aliases = injection.aliases.iter();
                    injected.aliases.extend(aliases.map(|(short, full)| (short.clone(), full.clone())));
                }
            }
        }
    }

    fn refer(&mut self, file: usize, facts: &FileFacts, reference: &Reference) {
        let Some(nodes) = reference.from.and_then(|from| self.nodes[file].get(from as usize)).cloned() else {
            return;
        };
        for from in nodes.map(NodeIndex::new) {
            let module = reference.module.as_ref().map(|module| self.unalias(from, module));
            match (reference.kind, &module, reference.arity) {
                (ReferenceKind::Call, Some(module), Some(arity)) => {
                    self.call_remote(file, from, module, &reference.name, arity, reference);
                }
                (ReferenceKind::Call, None, Some(arity)) => {
                    self.call_local(file, facts, from, arity, reference)
                }
                (ReferenceKind::Call, ..)
                | (ReferenceKind::Alias | ReferenceKind::Require, ..)
                | (_, None, _) => {}
                (ReferenceKind::Use, Some(module), _) => {
                    self.mention(file, from, module, Some(("__using__", 1)), reference)
                }
                (ReferenceKind::Struct, Some(module), _) => {
                    self.mention(file, from, module, Some(("__struct__", 0)), reference);
                }
                // That a module uses its own types and sends messages to itself makes it depend on nothing.
                (ReferenceKind::Type | ReferenceKind::Message, Some(module), _)
                    if *module == self.graph[from].module => {}
                (_, Some(module), _) => self.mention(file, from, module, None, reference),
            }
        }
    }

    /// The full name of a module that the file itself does not explain, if a `use` brought in an alias for it.
    fn unalias(&self, from: NodeIndex, written: &Arc<str>) -> Arc<str> {
        let injected = self.injected.get(&self.graph[from].module);
        let Some(injected) = injected.filter(|_| !self.modules.contains_key(written)) else {
            return written.clone();
        };
        let (first, rest) = written.split_at(written.find('.').unwrap_or(written.len()));
        injected.aliases.get(first).map_or_else(|| written.clone(), |full| format!("{full}{rest}").into())
    }

    fn call_remote(
        &mut self,
        file: usize,
        from: NodeIndex,
        module: &Arc<str>,
        name: &Arc<str>,
        arity: u8,
        reference: &Reference,
    ) {
        if let Some(target) = self.lookup(file, module, name, arity) {
            return self.link(
                from,
                target.node,
                LinkKind::Call,
                reference.span,
                reference.basis.is_certain(),
            );
        }
        // A module of the project may have it from a macro: then at least the module is depended on.
        self.mention(file, from, module, None, reference);
        self.call_outside(from, module.clone(), name, arity, reference.basis.is_certain());
    }

    fn call_local(
        &mut self,
        file: usize,
        facts: &FileFacts,
        from: NodeIndex,
        arity: u8,
        reference: &Reference,
    ) {
        let name = &reference.name;
        let module = self.graph[from].module.clone();
        if let Some(target) = self.lookup(file, &module, name, arity) {
            return self.link(
                from,
                target.node,
                LinkKind::Call,
                reference.span,
                reference.basis.is_certain(),
            );
        }
        let at = reference.span.start;
        let written = facts.imports.iter().filter(|import| {
            import.injected_by.is_none() && (import.scope.start..import.scope.end).contains(&at)
        });
        let injected =
            self.injected.get(&module).into_iter().flat_map(|injected| injected.imports.iter().copied());
        let mut guesses = BTreeSet::new();
        let mut found = None;
        for import in written.chain(injected) {
            let listed = |list: &[(Arc<str>, u8)]| list.iter().any(|(n, a)| n == name && *a == arity);
            if import.only.as_deref().is_some_and(|only| !listed(only)) || listed(&import.except) {
                continue;
            }
            if let Some(target) =
                self.lookup(file, &import.module, name, arity).filter(|target| target.public)
            {
                found = Some(Ok(target.node));
                break;
            }
            if import.only.is_some() {
                found = Some(Err(import.module.clone()));
                break;
            }
            if !self.modules.contains_key(&import.module) {
                guesses.insert(import.module.clone());
            }
        }
        match found {
            Some(Ok(node)) => {
                self.link(from, node, LinkKind::Call, reference.span, reference.basis.is_certain())
            }
            Some(Err(module)) => self.call_outside(from, module, name, arity, reference.basis.is_certain()),
            None if kernel::is_function(name, arity) => {
                self.call_outside(from, "Kernel".into(), name, arity, reference.basis.is_certain());
            }
            // Only one import can have brought it in, unless a `use` did.
            None if guesses.len() == 1 && !kernel::is_macro(name, arity) => {
                let module = guesses.pop_first().unwrap_or_default();
                self.call_outside(from, module, name, arity, false);
            }
            None => self.unresolved += 1,
        }
    }

    fn mention(
        &mut self,
        file: usize,
        from: NodeIndex,
        module: &Arc<str>,
        function: Option<(&str, u8)>,
        reference: &Reference,
    ) {
        let function = function.and_then(|(name, arity)| self.lookup(file, module, name, arity));
        let node = function.map(|target| target.node).or_else(|| {
            let nodes = self.modules.get(module)?;
            let own = &self.graph[from].file;
            nodes.iter().find(|node| self.graph[**node].file == *own).or(nodes.first()).copied()
        });
        if let Some(node) = node {
            self.link(from, node, LinkKind::Mention, reference.span, reference.basis.is_certain());
        }
    }

    /// The function that a call of this arity means: with just that arity before one that takes it by defaults, and
    /// among several of the same name and arity the one in the same file.
    fn lookup(&self, file: usize, module: &str, name: &str, arity: u8) -> Option<Target> {
        let targets = self.functions.get(&(Arc::from(module), Arc::from(name)))?;
        let fits = targets.iter().filter(|target| (target.least..=target.most).contains(&arity));
        fits.min_by_key(|target| (target.most - arity, target.file != file, target.node)).copied()
    }

    fn link(&mut self, from: NodeIndex, to: NodeIndex, kind: LinkKind, site: Span, certain: bool) {
        let (sites, known) = self.links.entry((from, to, kind)).or_default();
        // Two references of one place may lead to the same symbol.
        if sites.last() != Some(&site) {
            sites.push(site);
        }
        *known |= certain;
    }

    fn call_outside(&mut self, from: NodeIndex, module: Arc<str>, name: &Arc<str>, arity: u8, certain: bool) {
        self.outside.insert(call(&self.graph[from], module, name.clone(), arity, certain));
    }

    /// A protocol's functions call those of its implementations.
    fn dispatch(&mut self, files: &[(&str, &FileFacts)]) {
        for (file, (_, facts)) in files.iter().enumerate() {
            let implementations: FxHashMap<_, _> = facts
                .definitions
                .iter()
                .filter(|d| d.kind == DefinitionKind::Implementation)
                .filter_map(|d| Some((&*d.module, d.fields.first()?)))
                .collect();
            for (definition, nodes) in facts.definitions.iter().zip(self.nodes[file].clone()) {
                let protocol = implementations.get(&*definition.module);
                let function = definition.arity.filter(|_| definition.kind == DefinitionKind::Function);
                if let Some((protocol, arity)) = protocol.zip(function)
                    && let Some(target) = self.lookup(file, protocol, &definition.name, arity)
                {
                    for node in nodes.map(NodeIndex::new) {
                        let site = self.graph[target.node].span;
                        self.link(target.node, node, LinkKind::Dispatch, site, false);
                    }
                }
            }
        }
    }

    fn finish(mut self) -> CodeGraph {
        let mut links: Vec<_> = self.links.into_iter().collect();
        links.sort_unstable_by_key(|(key, _)| *key);
        for ((from, to, kind), (sites, certain)) in links {
            self.graph.add_edge(from, to, Link { kind, sites, certain });
        }
        let mut outside: Vec<_> = self.outside.into_iter().collect();
        outside.sort_unstable();
        CodeGraph { inner: Arc::new(Inner { graph: self.graph, outside, unresolved: self.unresolved }) }
    }
}
