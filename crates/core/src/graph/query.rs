//! Questions to the graph: finding symbols, callers and callees, what a change may affect.

use std::collections::BTreeSet;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::{CodeGraph, Hit, LinkKind, Symbol, SymbolId};
use crate::syntax::DefinitionKind;
use crate::{Error, ErrorKind, Result};

/// What a change may affect, as far as the text of the code tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impact {
    /// Everything that depends on what changes, nearest first.
    pub hits: Vec<Hit>,
    /// The files these are in, sorted; without those of the change itself unless they depend on themselves.
    pub files: Vec<Arc<str>>,
    /// The tests among them, those of modules whose body depends on the change included, sorted by place.
    pub tests: Vec<Symbol>,
}

impl CodeGraph {
    /// The symbols that `query` names: `"Mod.fun/2"`, `"Mod.fun"`, `"fun/2"`, `"fun"`, `"Mod"` or a test's name. The
    /// first parts of a module's name may be left out. A full name goes before a part of one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the most similar names, when there is none.
    pub fn find(&self, query: &str) -> Result<Vec<Symbol>> {
        let query = query.trim();
        let all = |matches: &dyn Fn(&Symbol) -> bool| -> Vec<Symbol> {
            self.symbols().filter(|symbol| matches(symbol)).cloned().collect()
        };
        let (name, arity) = match query.rsplit_once('/') {
            Some((name, arity)) if !name.is_empty() => (name, arity.parse::<u8>().ok()),
            _ => (query, None),
        };
        let name = if arity.is_some() { name } else { query };
        let (module, function) = name.rsplit_once('.').map_or(("", name), |(m, f)| (m, f));
        let takes = |symbol: &Symbol| {
            arity.is_none_or(|wanted| {
                symbol
                    .arity
                    .is_some_and(|most| (most.saturating_sub(symbol.defaults)..=most).contains(&wanted))
            })
        };
        let ends_with = |symbol: &Symbol, module: &str| {
            module.is_empty()
                || symbol
                    .module
                    .strip_suffix(module)
                    .is_some_and(|front| front.is_empty() || front.ends_with('.'))
        };
        let is_test =
            |symbol: &Symbol| matches!(symbol.kind, DefinitionKind::Test | DefinitionKind::Describe);
        let named = |symbol: &Symbol| {
            ends_with(symbol, module) && *symbol.name == *function && takes(symbol) && !symbol.is_module()
        };
        let tiers: [&dyn Fn(&Symbol) -> bool; 5] = [
            &|symbol| symbol.qualified() == query,
            &|symbol| *symbol.module == *module && *symbol.name == *function && takes(symbol),
            &|symbol| symbol.is_module() && arity.is_none() && ends_with(symbol, name),
            &|symbol| named(symbol) && !is_test(symbol),
            &|symbol| is_test(symbol) && *symbol.name == *query,
        ];
        let found = tiers.into_iter().map(all).find(|found| !found.is_empty() && !query.is_empty());
        found.ok_or_else(|| self.unknown(query))
    }

    fn unknown(&self, query: &str) -> Error {
        let mut names: BTreeSet<String> = BTreeSet::new();
        for symbol in self.symbols().filter(|symbol| symbol.is_module() || symbol.is_callable()) {
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
    pub fn callers(&self, symbols: &[SymbolId], depth: usize) -> Vec<Hit> {
        self.reach(symbols, depth, Direction::Incoming, LinkKind::is_call)
    }

    /// Whom `symbols` call within the project, likewise. A module stands for all that it defines.
    pub fn callees(&self, symbols: &[SymbolId], depth: usize) -> Vec<Hit> {
        self.reach(symbols, depth, Direction::Outgoing, LinkKind::is_call)
    }

    /// What a change of `path` may affect.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the graph has no definition in such a file.
    pub fn impact(&self, path: &str) -> Result<Impact> {
        let symbols: Vec<_> =
            self.symbols().filter(|symbol| *symbol.file == *path).map(|symbol| symbol.id).collect();
        if symbols.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, format!("the project defines nothing in {path:?}")));
        }
        Ok(self.impact_of(&symbols))
    }

    /// What a change of `symbols` may affect. A module stands for all that it defines.
    pub fn impact_of(&self, symbols: &[SymbolId]) -> Impact {
        let hits = self.reach(symbols, usize::MAX, Direction::Incoming, |_| true);
        let files: BTreeSet<_> = hits.iter().map(|hit| hit.symbol.file.clone()).collect();
        let mut tests: BTreeSet<_> = self.expand(symbols).into_iter().collect();
        for hit in &hits {
            match hit.symbol.kind {
                DefinitionKind::Module => tests.extend(self.expand(&[hit.symbol.id])),
                DefinitionKind::Describe => tests.extend(
                    self.members(&hit.symbol.module)
                        .filter(|s| s.file == hit.symbol.file && within(s, &hit.symbol))
                        .map(|s| s.id),
                ),
                _ => {
                    tests.insert(hit.symbol.id);
                }
            }
        }
        let tests = tests.into_iter().filter_map(|id| self.symbol(id));
        let tests = tests.filter(|symbol| symbol.kind == DefinitionKind::Test).cloned().collect();
        Impact { hits, files: files.into_iter().collect(), tests }
    }

    fn members<'s>(&'s self, module: &'s str) -> impl Iterator<Item = &'s Symbol> {
        self.symbols().filter(move |symbol| *symbol.module == *module)
    }

    /// `symbols` and, for modules, what they define; known ones only, sorted.
    fn expand(&self, symbols: &[SymbolId]) -> Vec<SymbolId> {
        let mut all: BTreeSet<_> = symbols.iter().copied().filter(|id| self.symbol(*id).is_some()).collect();
        let modules: BTreeSet<_> = all
            .iter()
            .filter_map(|id| self.symbol(*id))
            .filter(|symbol| symbol.is_module())
            .map(|symbol| (symbol.module.clone(), symbol.file.clone()))
            .collect();
        if !modules.is_empty() {
            let inside = self.symbols().filter(|s| modules.contains(&(s.module.clone(), s.file.clone())));
            all.extend(inside.map(|symbol| symbol.id));
        }
        all.into_iter().collect()
    }

    fn reach(
        &self,
        symbols: &[SymbolId],
        depth: usize,
        direction: Direction,
        follows: impl Fn(LinkKind) -> bool,
    ) -> Vec<Hit> {
        let graph = self.graph();
        let mut level: Vec<NodeIndex> =
            self.expand(symbols).into_iter().map(|id| NodeIndex::new(id.0 as usize)).collect();
        let mut seen = vec![false; graph.node_count()];
        level.iter().for_each(|node| seen[node.index()] = true);
        let mut hits = Vec::new();
        for step in 1..=depth {
            let mut next = Vec::new();
            for node in level {
                let mut links: Vec<_> = graph
                    .edges_directed(node, direction)
                    .filter(|link| follows(link.weight().kind))
                    .collect();
                links.sort_by_key(|link| (link.weight().kind, link.source(), link.target()));
                for link in links {
                    let other = if direction == Direction::Incoming { link.source() } else { link.target() };
                    if std::mem::replace(&mut seen[other.index()], true) {
                        continue;
                    }
                    next.push(other);
                    hits.push(Hit {
                        symbol: graph[other].clone(),
                        depth: step,
                        via: graph[node].id,
                        kind: link.weight().kind,
                        sites: link.weight().sites.clone(),
                        basis: link.weight().basis,
                    });
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

fn within(inner: &Symbol, outer: &Symbol) -> bool {
    outer.span.start <= inner.span.start && inner.span.end <= outer.span.end
}
