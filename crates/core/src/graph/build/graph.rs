//! From the facts of all files to the graph, and from a graph to the next version of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::expand::expand;
use super::names::{Class, NameTable};
use super::resolve::resolve;
use super::shards::{Key, Shards};
use super::source::GraphInput;
use super::std_lib::{self, Known};
use super::unit::{Expanded, Resolved, ResolvedTarget, Signature, Unit, UnitContext, Written};
use super::view::GraphView;
use crate::graph::{Edge, LinkKind, Relation, Symbol, SymbolId};
use crate::syntax::{Basis, DefinitionKind, FileFacts};

/// The graph of a project's code. A value: cheap to clone, never changed. A new version shares with the old one what did
/// not change, so that making it takes as long as what changed, not as long as the project.
#[derive(Clone, Debug, Default)]
pub struct CodeGraph {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug, Default)]
pub(in crate::graph) struct Inner {
    names: NameTable,
    /// By slot: a file keeps its slot from version to version.
    units: Vec<Option<Arc<Unit>>>,
    free: Vec<u32>,
    /// The slots in order of path; the place in this order is the number of a file in a [`SymbolId`].
    order: Vec<u32>,
    /// Of each slot its place in the order.
    ranks: Vec<u32>,
    /// What each name stands for.
    table: Shards<ResolvedTarget>,
    /// Where each node is, as slot and number; more than one where a name is defined twice.
    nodes: Shards<(u32, u32)>,
    /// The slots of the units that were made by looking up a name.
    readers: Shards<u32>,
}

impl CodeGraph {
    /// The graph of all files, given by path. The order in which they come does not matter; of two with one path the
    /// later one counts.
    pub fn build<P: Into<Arc<str>>, F: Into<GraphInput>>(files: impl IntoIterator<Item = (P, F)>) -> Self {
        let files: BTreeMap<Arc<str>, GraphInput> =
            files.into_iter().map(|(path, facts)| (path.into(), facts.into())).collect();
        let names = NameTable::default();
        let files: Vec<_> = files.into_iter().collect();
        let written: Vec<_> = files
            .into_par_iter()
            .enumerate()
            .map(|(slot, (path, facts))| Arc::new(Written::new(path, facts, slot as u32, &names)))
            .collect();
        let blank = (Arc::<Expanded>::default(), Arc::<Resolved>::default());
        let unit = |written: Arc<Written>| {
            let (expanded, resolved) = blank.clone();
            Some(Arc::new(Unit { written, expanded, resolved }))
        };
        let mut units: Vec<_> = written.into_iter().map(unit).collect();
        let slots = || (0..units.len() as u32).into_par_iter();

        let mut table =
            Shards::of(units.iter().flatten().flat_map(|unit| unit.written.entries.iter().copied()));
        let view = GraphView { units: &units, table: &table, names: &names };
        let expanded: Vec<_> = slots().map(|slot| Arc::new(expand(view, slot))).collect();
        for (unit, expanded) in units.iter_mut().flatten().zip(expanded) {
            expanded.entries.iter().for_each(|(key, target)| table.insert(*key, *target));
            Arc::make_mut(unit).expanded = expanded;
        }

        let view = GraphView { units: &units, table: &table, names: &names };
        let slots = || (0..units.len() as u32).into_par_iter();
        let resolved: Vec<_> = slots().map(|slot| Arc::new(resolve(view, slot))).collect();
        for (unit, resolved) in units.iter_mut().flatten().zip(resolved) {
            Arc::make_mut(unit).resolved = resolved;
        }

        let each = || units.iter().flatten().enumerate().map(|(slot, unit)| (slot as u32, unit));
        let places = each().flat_map(|(slot, unit)| keys(unit).map(move |(key, index)| (key, (slot, index))));
        let nodes = Shards::of(places);
        let readers = Shards::of(each().flat_map(|(slot, unit)| reads(unit).map(move |key| (key, slot))));
        let order: Vec<u32> = (0..units.len() as u32).collect();
        let ranks = order.clone();
        CodeGraph {
            inner: Arc::new(Inner { names, units, free: Vec::new(), order, ranks, table, nodes, readers }),
        }
    }

    /// The graph after some files have changed: those with facts are new or different, those without are gone. It answers
    /// as [`CodeGraph::build`] of all files would.
    pub fn updated<P: Into<Arc<str>>, F: Into<GraphInput>>(
        &self,
        changes: impl IntoIterator<Item = (P, Option<F>)>,
    ) -> Self {
        let changes: BTreeMap<Arc<str>, Option<GraphInput>> =
            changes.into_iter().map(|(path, facts)| (path.into(), facts.map(Into::into))).collect();
        let mut next = Inner::clone(&self.inner);
        next.update(changes);
        CodeGraph { inner: Arc::new(next) }
    }

    /// Every definition, in order of path; within a file what is written in order of position, then what macros make.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> {
        self.nodes().map(|(id, symbol)| Symbol { id, ..symbol.clone() })
    }

    /// The symbol of this number.
    pub fn symbol(&self, id: SymbolId) -> Option<Symbol> {
        self.node(id).map(|symbol| Symbol { id, ..symbol.clone() })
    }

    /// How many definitions there are.
    pub fn size(&self) -> usize {
        let units = self.inner.units.iter().flatten().filter(|unit| !unit.written.outside);
        units.map(|unit| unit.written.nodes.len() + unit.expanded.nodes.len()).sum()
    }

    /// How many definitions of each kind there are.
    pub fn definitions(&self) -> BTreeMap<DefinitionKind, usize> {
        let mut counts = BTreeMap::new();
        for (_, symbol) in self.nodes() {
            *counts.entry(symbol.kind).or_default() += 1;
        }
        counts
    }

    /// How many local calls could not be resolved: macros of `Kernel`, and what code outside of the project brings in.
    pub fn unresolved(&self) -> usize {
        self.inner.units.iter().flatten().map(|unit| unit.resolved.unresolved).sum()
    }

    /// Every pair of caller and callee once, sorted, also where the callee is not of the project.
    pub fn edges(&self) -> impl Iterator<Item = Edge> {
        // A certain one goes before an uncertain one of the same pair.
        let mut pairs: BTreeMap<Edge, Basis> = BTreeMap::new();
        let mut add = |mut edge: Edge| {
            let basis = std::mem::replace(&mut edge.basis, Basis::Compiled);
            let best = pairs.entry(edge).or_insert(basis);
            *best = basis.min(*best);
        };
        for (slot, unit) in self.inner.units.iter().enumerate() {
            let Some(unit) = unit else { continue };
            let calls = unit.resolved.links.iter().filter(|link| link.kind == LinkKind::Call);
            for link in calls {
                let Some((from, to)) = unit.node(link.node).zip(self.pick(link.other, slot as u32)) else {
                    continue;
                };
                let Some((to, arity)) = self.node(to).and_then(|to| Some((to, to.arity?))) else { continue };
                add(Edge { basis: link.basis, ..call(from, to.module.clone(), to.name.clone(), arity) });
            }
            for abroad in &unit.resolved.abroad {
                let Some(from) = unit.node(abroad.node) else { continue };
                let edge = call(from, abroad.module.clone(), abroad.name.clone(), abroad.arity);
                // What `Kernel` imports is called by its name before it is replaced.
                let inlined = &*abroad.module != "Kernel"
                    && std_lib::known(&abroad.module, &abroad.name, abroad.arity) == Some(Known::Inlined);
                add(Edge { basis: abroad.basis, inlined, ..edge });
            }
        }
        pairs.into_iter().map(|(edge, basis)| Edge { basis, ..edge })
    }

    /// Every dependency, in order of its ends and kind.
    pub fn relations(&self) -> impl Iterator<Item = Relation> {
        let mut relations: Vec<_> = (0..self.inner.units.len() as u32)
            .into_par_iter()
            .flat_map_iter(|slot| {
                let unit = self.inner.units[slot as usize].iter();
                unit.flat_map(move |unit| {
                    (0..unit.resolved.links.len()).filter_map(move |at| self.relation(slot, at))
                })
            })
            .collect();
        relations.par_sort_unstable_by_key(|relation| {
            (relation.from, relation.to, relation.kind, relation.clause)
        });
        relations.into_iter()
    }

    /// The dependency that a link of a unit stands for.
    pub(in crate::graph) fn relation(&self, slot: u32, at: usize) -> Option<Relation> {
        let unit = self.unit(slot)?;
        let link = unit.resolved.links.get(at)?;
        let here = SymbolId { file: self.inner.ranks[slot as usize], index: link.node };
        let there = self.pick(link.other, slot)?;
        let (from, to) = if link.reversed { (there, here) } else { (here, there) };
        let clause = || {
            let target = self.unit(*self.inner.order.get(there.file as usize)?)?;
            let definition = target.written.definition_of(there.index)?;
            let clauses = &target.written.facts.definitions.get(definition as usize)?.clauses;
            clauses.get(usize::from(link.clause).checked_sub(1)?).copied()
        };
        let sites = unit.resolved.sites(at).to_vec();
        Some(Relation { from, to, kind: link.kind, basis: link.basis, sites, clause: clause() })
    }

    /// The node that a key means to the unit at `slot`: its own one, or else the first by path.
    pub(in crate::graph) fn pick(&self, key: Key, slot: u32) -> Option<SymbolId> {
        let rank = |slot: u32| self.inner.ranks[slot as usize];
        let places = self.inner.nodes.get(key).iter();
        let best = places.min_by_key(|(other, index)| (*other != slot, rank(*other), *index))?;
        Some(SymbolId { file: rank(best.0), index: best.1 })
    }

    /// The slots of the units that may refer to this node.
    pub(in crate::graph) fn referrers(&self, id: SymbolId) -> &[u32] {
        let Some((unit, symbol)) = self.unit_of(id).zip(self.node(id)) else { return &[] };
        let key = unit.written.name_of(symbol, &self.inner.names);
        key.map_or(&[], |key| self.inner.readers.get(key))
    }

    /// The slots of the units that looked up a module, in order of path.
    pub(in crate::graph) fn readers_of(&self, module: &str) -> Vec<u32> {
        let mut slots = self.inner.readers.get(self.inner.names.key(Class::Module, module, "")).to_vec();
        slots.sort_unstable_by_key(|slot| self.inner.ranks[*slot as usize]);
        slots
    }

    /// The symbols with exactly this module and name.
    pub(in crate::graph) fn named(
        &self,
        module: &str,
        name: &str,
    ) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        let key = self.inner.names.key(Class::Callable, module, name);
        let ids = self.inner.table.get(key).iter();
        let ids = ids.filter(|target| self.unit(target.slot).is_some_and(|unit| !unit.written.outside));
        let ids = ids.map(|t| SymbolId { file: self.inner.ranks[t.slot as usize], index: t.index });
        ids.filter_map(|id| Some((id, self.node(id)?)))
    }

    pub(in crate::graph) fn slot(&self, id: SymbolId) -> Option<u32> {
        self.inner.order.get(id.file as usize).copied()
    }

    pub(in crate::graph) fn rank_of(&self, slot: u32) -> u32 {
        self.inner.ranks[slot as usize]
    }

    pub(in crate::graph) fn unit(&self, slot: u32) -> Option<&Unit> {
        self.inner.units.get(slot as usize)?.as_deref()
    }

    pub(in crate::graph) fn unit_of(&self, id: SymbolId) -> Option<&Unit> {
        self.unit(self.slot(id)?)
    }

    pub(in crate::graph) fn node(&self, id: SymbolId) -> Option<&Symbol> {
        self.unit_of(id)?.node(id.index)
    }

    pub(in crate::graph) fn nodes(&self) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.inner.order.iter().enumerate().flat_map(|(rank, slot)| {
            let nodes =
                self.unit(*slot).filter(|unit| !unit.written.outside).into_iter().flat_map(Unit::nodes);
            nodes
                .enumerate()
                .map(move |(index, node)| (SymbolId { file: rank as u32, index: index as u32 }, node))
        })
    }

    /// What is written in each file, in order of path.
    pub(in crate::graph) fn facts(&self) -> impl Iterator<Item = &FileFacts> {
        let units = self.inner.order.iter().filter_map(|slot| self.unit(*slot));
        units.filter(|unit| !unit.written.outside).map(|unit| &*unit.written.facts)
    }

    /// The nodes of the file at `path`.
    pub(in crate::graph) fn nodes_in(&self, path: &str) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        let rank = self.inner.rank_of(path).ok();
        let unit = rank.and_then(|rank| Some((rank as u32, self.unit(self.inner.order[rank])?)));
        let unit = unit.filter(|(_, unit)| !unit.written.outside);
        unit.into_iter().flat_map(|(file, unit)| {
            unit.nodes().enumerate().map(move |(index, node)| (SymbolId { file, index: index as u32 }, node))
        })
    }
}

/// The units as they were before an update, by slot; none where there was no file.
type Before = FxHashMap<u32, Option<Arc<Unit>>>;

fn keys(unit: &Unit) -> impl Iterator<Item = (Key, u32)> {
    // What is outside is nowhere in the graph.
    let inside = !unit.written.outside;
    let keys = unit.written.keys.iter().chain(&unit.expanded.keys).zip(0..);
    keys.filter(move |_| inside).map(|(key, index)| (*key, index))
}

fn reads(unit: &Unit) -> impl Iterator<Item = Key> {
    unit.expanded.reads.iter().chain(&unit.resolved.reads).copied()
}

impl Inner {
    fn rank_of(&self, path: &str) -> Result<usize, usize> {
        let path_of = |slot: &u32| self.units[*slot as usize].as_ref().map_or("", |unit| &*unit.written.path);
        self.order.binary_search_by(|slot| path_of(slot).cmp(path))
    }

    fn update(&mut self, changes: BTreeMap<Arc<str>, Option<GraphInput>>) {
        // First the names that are written in the changed files, then what that brings into files by `use`, then what
        // references mean; each step looks again only at files that looked up a name whose meaning changed.
        let mut changed = FxHashSet::default();
        let mut touched = FxHashSet::default();
        let mut old = Before::default();
        for (path, facts) in changes {
            let rank = self.rank_of(&path);
            match (rank, facts) {
                (Err(_), None) => {}
                (Ok(rank), Some(facts)) => {
                    let slot = self.order[rank];
                    self.rewrite(slot, path, facts, &mut old, &mut changed);
                    touched.insert(slot);
                }
                (Err(rank), Some(facts)) => {
                    let slot = self.free.pop().unwrap_or_else(|| {
                        self.units.push(None);
                        self.units.len() as u32 - 1
                    });
                    self.rewrite(slot, path, facts, &mut old, &mut changed);
                    self.order.insert(rank, slot);
                    touched.insert(slot);
                }
                (Ok(rank), None) => {
                    let slot = self.order.remove(rank);
                    self.remove(slot, &mut changed);
                    self.free.push(slot);
                    touched.remove(&slot);
                }
            }
        }
        self.ranks = vec![0; self.units.len()];
        for (rank, slot) in self.order.iter().enumerate() {
            self.ranks[*slot as usize] = rank as u32;
        }

        let mut again = touched.clone();
        let readers = |inner: &Inner, keys: &FxHashSet<Key>, reads: fn(&Unit) -> &[Key]| -> Vec<u32> {
            let slots: FxHashSet<u32> =
                keys.iter().flat_map(|key| inner.readers.get(*key)).copied().collect();
            let reads_one = |slot: &u32| {
                let unit = inner.units[*slot as usize].as_deref();
                unit.is_some_and(|unit| keys.iter().any(|key| reads(unit).binary_search(key).is_ok()))
            };
            slots.into_iter().filter(reads_one).collect()
        };
        touched.extend(readers(self, &changed, |unit| &unit.expanded.reads));
        for slot in sorted(&touched) {
            let view = GraphView { units: &self.units, table: &self.table, names: &self.names };
            let expanded = expand(view, slot);
            self.put_expanded(slot, expanded, &mut old, &mut changed);
        }
        again.extend(&touched);
        again.extend(readers(self, &changed, |unit| &unit.resolved.reads));
        let view = GraphView { units: &self.units, table: &self.table, names: &self.names };
        let resolved: Vec<_> =
            sorted(&again).into_par_iter().map(|slot| (slot, Arc::new(resolve(view, slot)))).collect();
        for (slot, resolved) in resolved {
            if let Some(unit) = &mut self.units[slot as usize] {
                old.entry(slot).or_insert_with(|| Some(unit.clone()));
                Arc::make_mut(unit).resolved = resolved;
            }
        }
        for slot in sorted(&again) {
            let (before, after) = (old.remove(&slot).flatten(), self.units[slot as usize].clone());
            self.place(slot, before.as_deref(), after.as_deref());
        }
    }

    /// Puts a new text in the place of a unit's old one.
    fn rewrite(
        &mut self,
        slot: u32,
        path: Arc<str>,
        source: GraphInput,
        old: &mut Before,
        changed: &mut FxHashSet<Key>,
    ) {
        let written = Arc::new(Written::new(path, source, slot, &self.names));
        let before = self.units[slot as usize].take();
        let none = [];
        let entries = before.as_ref().map_or(&none[..], |unit| &unit.written.entries);
        replace(&mut self.table, entries, &written.entries, changed);
        let injections = before.as_ref().map(|unit| &unit.written.injections);
        for (key, injection) in &written.injections {
            if injections.and_then(|injections| injections.get(key)) != Some(injection) {
                changed.insert(*key);
            }
        }
        let gone = injections.into_iter().flatten().map(|(key, _)| *key);
        changed.extend(gone.filter(|key| !written.injections.contains_key(key)));
        // What macros made is numbered after what is written, and so holds no more.
        let expanded = before.as_ref().map_or(&none[..], |unit| &unit.expanded.entries);
        expanded.iter().for_each(|(key, target)| self.table.remove(*key, target));
        let resolved = before.as_ref().map_or_else(Arc::default, |unit| unit.resolved.clone());
        let unit = Unit { written, expanded: Arc::default(), resolved };
        old.entry(slot).or_insert(before);
        self.units[slot as usize] = Some(Arc::new(unit));
    }

    fn remove(&mut self, slot: u32, changed: &mut FxHashSet<Key>) {
        let Some(unit) = self.units[slot as usize].take() else { return };
        replace(&mut self.table, &unit.written.entries, &[], changed);
        replace(&mut self.table, &unit.expanded.entries, &[], changed);
        changed.extend(unit.written.injections.keys());
        changed.extend(contexts(&self.names, &unit.expanded).map(|(key, _)| key));
        self.place(slot, Some(&unit), None);
    }

    fn put_expanded(
        &mut self,
        slot: u32,
        expanded: Expanded,
        old: &mut Before,
        changed: &mut FxHashSet<Key>,
    ) {
        let Some(unit) = &mut self.units[slot as usize] else { return };
        old.entry(slot).or_insert_with(|| Some(unit.clone()));
        let last = std::mem::replace(&mut Arc::make_mut(unit).expanded, Arc::new(expanded));
        let after = unit.expanded.clone();
        replace(&mut self.table, &last.entries, &after.entries, &mut FxHashSet::default());
        let before =
            old.get(&slot).and_then(|unit| Some(unit.as_ref()?.expanded.clone())).unwrap_or_default();
        changed.extend(renamed(&before.entries, &after.entries));
        let modules = before.context.keys().chain(after.context.keys());
        let different = modules.filter(|module| before.context.get(*module) != after.context.get(*module));
        changed.extend(different.map(|module| self.names.key(Class::Context, module, "")));
    }

    /// Brings the places of nodes and the readers of names up to date with a unit.
    fn place(&mut self, slot: u32, before: Option<&Unit>, after: Option<&Unit>) {
        let sorted_keys = |unit: Option<&Unit>| {
            let mut all: Vec<_> = unit.into_iter().flat_map(keys).collect();
            all.sort_unstable();
            all
        };
        let (gone, new) = differences(&sorted_keys(before), &sorted_keys(after));
        gone.iter().for_each(|(key, index)| self.nodes.remove(*key, &(slot, *index)));
        new.iter().for_each(|(key, index)| self.nodes.insert(*key, (slot, *index)));
        let sorted_reads = |unit: Option<&Unit>| {
            let mut all: Vec<_> = unit.into_iter().flat_map(reads).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (gone, new) = differences(&sorted_reads(before), &sorted_reads(after));
        gone.iter().for_each(|key| self.readers.remove(*key, &slot));
        new.iter().for_each(|key| self.readers.insert(*key, slot));
    }
}

fn sorted(slots: &FxHashSet<u32>) -> Vec<u32> {
    let mut slots: Vec<_> = slots.iter().copied().collect();
    slots.sort_unstable();
    slots
}

fn contexts<'e>(
    names: &'e NameTable,
    expanded: &'e Expanded,
) -> impl Iterator<Item = (Key, &'e UnitContext)> {
    expanded.context.iter().map(|(module, context)| (names.key(Class::Context, module, ""), context))
}

/// Replaces entries of the table; the keys whose meaning changes are added to `changed`, but not those of definitions
/// that only moved within their file.
fn replace(
    table: &mut Shards<ResolvedTarget>,
    before: &[(Key, ResolvedTarget)],
    after: &[(Key, ResolvedTarget)],
    changed: &mut FxHashSet<Key>,
) {
    let (gone, new) = differences(before, after);
    gone.iter().for_each(|(key, target)| table.remove(*key, target));
    new.iter().for_each(|(key, target)| table.insert(*key, *target));
    changed.extend(renamed(&gone, &new));
}

/// The keys that mean something else after than before.
fn renamed(before: &[(Key, ResolvedTarget)], after: &[(Key, ResolvedTarget)]) -> impl Iterator<Item = Key> {
    let signatures = |entries: &[(Key, ResolvedTarget)]| {
        let mut signatures: Vec<(Key, Signature)> =
            entries.iter().map(|(key, target)| (*key, target.signature)).collect();
        signatures.sort_unstable();
        signatures
    };
    let (gone, new) = differences(&signatures(before), &signatures(after));
    gone.into_iter().chain(new).map(|(key, _)| key)
}

/// What is only in the one, and what is only in the other of two sorted lists.
fn differences<T: Ord + Clone>(one: &[T], other: &[T]) -> (Vec<T>, Vec<T>) {
    let (mut only_one, mut only_other) = (Vec::new(), Vec::new());
    let (mut i, mut j) = (0, 0);
    loop {
        match (one.get(i), other.get(j)) {
            (Some(a), Some(b)) => match a.cmp(b) {
                std::cmp::Ordering::Equal => (i, j) = (i + 1, j + 1),
                std::cmp::Ordering::Less => {
                    only_one.push(a.clone());
                    i += 1;
                }
                std::cmp::Ordering::Greater => {
                    only_other.push(b.clone());
                    j += 1;
                }
            },
            (Some(a), None) => {
                only_one.push(a.clone());
                i += 1;
            }
            (None, Some(b)) => {
                only_other.push(b.clone());
                j += 1;
            }
            (None, None) => return (only_one, only_other),
        }
    }
}

fn call(from: &Symbol, module: Arc<str>, fun: Arc<str>, arity: u8) -> Edge {
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
        basis: Basis::Written,
        inlined: false,
    }
}
