//! Questions to the graph: finding symbols, callers and callees, what a change may affect.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::asked::{Reading, readings};
use crate::graph::{CodeGraph, LinkKind, Reached, Relation, Symbol, SymbolId};
use crate::syntax::DefinitionKind;
use crate::{Error, ErrorKind, Result};

impl CodeGraph {
    /// The symbols that `query` names: `"Mod.fun/2"`, `"Mod.fun"`, `"fun/2"`, `"fun"`, `"Mod"` or a test's name. The
    /// first parts of a module's name may be left out. A full name goes before a part of one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the most similar names, when there is none.
    pub fn find(&self, query: &str) -> Result<Vec<Symbol>> {
        let query = query.trim();
        let readings = readings(query);
        let takes = |symbol: &Symbol, wanted: Option<u8>| {
            wanted.is_none_or(|wanted| {
                symbol
                    .arity
                    .is_some_and(|most| (most.saturating_sub(symbol.defaults)..=most).contains(&wanted))
            })
        };
        let exact = |symbol: &Symbol, wanted: Option<u8>| wanted.is_none() || symbol.arity == wanted;
        // The usual question names a function in full, and needs no look at all the others.
        for fits in [&exact as &dyn Fn(&Symbol, Option<u8>) -> bool, &takes] {
            for Reading { module, name, arity } in &readings {
                let named = self.named(module, name).filter(|(_, symbol)| fits(symbol, *arity));
                let mut found: Vec<_> = named.map(give).collect();
                found.sort_by_key(|symbol| symbol.id);
                if !found.is_empty() {
                    return Ok(found);
                }
            }
        }
        let all = |matches: &dyn Fn(&Symbol) -> bool| -> Vec<Symbol> {
            self.nodes().filter(|(_, symbol)| matches(symbol)).map(give).collect()
        };
        let ends_with = |symbol: &Symbol, module: &str| {
            module.is_empty()
                || symbol
                    .module
                    .strip_suffix(module)
                    .is_some_and(|front| front.is_empty() || front.ends_with('.') || front == ":")
        };
        let is_test =
            |symbol: &Symbol| matches!(symbol.kind, DefinitionKind::Test | DefinitionKind::Describe);
        let named = |symbol: &Symbol, whole: bool| {
            !symbol.is_module()
                && readings.iter().any(|Reading { module, name, arity }| {
                    let of_module =
                        if whole { *symbol.module == **module } else { ends_with(symbol, module) };
                    *symbol.name == **name && of_module && takes(symbol, *arity)
                })
        };
        let tiers: [&dyn Fn(&Symbol) -> bool; 5] = [
            &|symbol| symbol.is_module() && *symbol.module == *query,
            &|symbol| named(symbol, true),
            &|symbol| symbol.is_module() && ends_with(symbol, query),
            &|symbol| named(symbol, false) && !is_test(symbol),
            &|symbol| *symbol.name == *query && !symbol.is_module(),
        ];
        let found = tiers.into_iter().map(all).find(|found| !found.is_empty() && !query.is_empty());
        found.ok_or_else(|| self.unknown(query))
    }

    fn unknown(&self, query: &str) -> Error {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for (_, symbol) in self.nodes().filter(|(_, symbol)| symbol.is_module() || symbol.is_callable()) {
            let full = symbol.qualified();
            // As many parts as the query has, so that like is compared with like.
            let short = if query.contains(['.']) || symbol.is_module() {
                full
            } else {
                full[symbol.module.len() + 1..].to_owned()
            };
            names.insert(if query.contains('/') {
                short
            } else {
                short.rsplit_once('/').map_or(short.clone(), |(name, _)| name.to_owned())
            });
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let near = similar::get_close_matches(query, &names, 3, 0.6);
        let hint =
            if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        Error::new(ErrorKind::NotFound, format!("the project has no {query:?}{hint}"))
    }

    /// Who calls `symbols`, over up to `depth` steps; nearest first, each once, at its least depth.
    pub fn callers(&self, symbols: &[SymbolId], depth: usize) -> Vec<Reached> {
        self.reach(symbols, depth, Way::Against, LinkKind::is_call)
    }

    /// Whom `symbols` call within the project, likewise. A module stands for all that it defines.
    pub fn callees(&self, symbols: &[SymbolId], depth: usize) -> Vec<Reached> {
        self.reach(symbols, depth, Way::Along, LinkKind::is_call)
    }

    /// What depends on `symbols` in one of these ways, over up to `depth` steps.
    pub fn dependents(&self, symbols: &[SymbolId], depth: usize, kinds: &[LinkKind]) -> Vec<Reached> {
        self.reach(symbols, depth, Way::Against, |kind| kinds.contains(&kind))
    }

    /// What `symbols` depend on in one of these ways, over up to `depth` steps.
    pub fn dependencies(&self, symbols: &[SymbolId], depth: usize, kinds: &[LinkKind]) -> Vec<Reached> {
        self.reach(symbols, depth, Way::Along, |kind| kinds.contains(&kind))
    }

    /// `symbols` and, for modules, what they define; known ones only, sorted.
    pub fn expand(&self, symbols: &[SymbolId]) -> Vec<SymbolId> {
        let mut all: BTreeSet<_> = symbols.iter().copied().filter(|id| self.node(*id).is_some()).collect();
        let modules: BTreeSet<_> = all
            .iter()
            .filter_map(|id| {
                self.node(*id).filter(|node| node.is_module()).map(|node| (node.module.clone(), *id))
            })
            .collect();
        for (module, id) in modules {
            let Some(unit) = self.unit_of(id) else { continue };
            let inside = unit.nodes().zip(0..).filter(|(node, _)| node.module == module);
            all.extend(inside.map(|(_, index)| SymbolId { file: id.file, index }));
        }
        all.into_iter().collect()
    }

    /// The dependencies of a node in one direction.
    pub(in crate::graph) fn links(&self, id: SymbolId, way: Way) -> Vec<Relation> {
        let Some((slot, unit)) = self.slot(id).and_then(|slot| Some((slot, self.unit(slot)?))) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let own = unit.resolved.from(id.index);
        let own = own.filter(|at| unit.resolved.links[*at].reversed == (way == Way::Against));
        found.extend(own.filter_map(|at| self.relation(slot, at)));
        let Some(key) = unit.key(id.index) else { return found };
        for referrer in self.referrers(id) {
            let Some(other) = self.unit(*referrer) else { continue };
            let links = other.resolved.to(key);
            let links = links.filter(|at| other.resolved.links[*at].reversed == (way == Way::Along));
            let links = links.filter_map(|at| self.relation(*referrer, at));
            // A name that is defined twice means the one in the same file.
            found
                .extend(links.filter(|link| if way == Way::Along { link.from == id } else { link.to == id }));
        }
        found.sort_unstable_by_key(|link| (link.kind, link.from, link.to, link.clause));
        found
    }

    pub(in crate::graph) fn reach(
        &self,
        symbols: &[SymbolId],
        depth: usize,
        way: Way,
        follows: impl Fn(LinkKind) -> bool,
    ) -> Vec<Reached> {
        let mut level = self.expand(symbols);
        let mut seen: FxHashSet<SymbolId> = level.iter().copied().collect();
        let mut hits = Vec::new();
        for step in 1..=depth {
            let mut next = Vec::new();
            for node in level {
                for link in self.links(node, way).into_iter().filter(|link| follows(link.kind)) {
                    let other = if way == Way::Against { link.from } else { link.to };
                    let Some(symbol) = self.symbol(other).filter(|_| seen.insert(other)) else { continue };
                    next.push(other);
                    let (kind, sites, basis) = (link.kind, link.sites, link.basis);
                    hits.push(Reached { symbol, depth: step, via: node, kind, sites, basis });
                }
            }
            if next.is_empty() {
                break;
            }
            next.sort_unstable();
            level = next;
        }
        hits.sort_by_key(|hit| (hit.depth, hit.symbol.id));
        hits
    }
}

/// Which way dependencies are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum Way {
    /// From what depends to what it depends on.
    Along,
    /// From what is depended on to what depends on it.
    Against,
}

fn give((id, symbol): (SymbolId, &Symbol)) -> Symbol {
    Symbol { id, ..symbol.clone() }
}
