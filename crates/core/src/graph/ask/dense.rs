//! Symbols and modules numbered from 0, for algorithms over the whole graph.
//!
//! A [`SymbolId`] says nothing but which symbol it is. Algorithms want arrays, so each of them makes this numbering first
//! and translates back at its end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::graph::{CodeGraph, LinkKind, Relation, Symbol, SymbolId};

/// The symbols of a graph in order of path and position, and the relations of some kinds among them.
pub(in crate::graph) struct NumberedGraph {
    /// By number.
    pub(in crate::graph) symbols: Vec<Symbol>,
    /// Sorted by the numbers of their ends and by kind.
    pub(in crate::graph) ties: Vec<Tie>,
}

/// A relation with the numbers of its ends.
pub(in crate::graph) struct Tie {
    /// The symbol that depends, or its module.
    pub(in crate::graph) from: usize,
    /// The symbol it depends on, or its module.
    pub(in crate::graph) to: usize,
    pub(in crate::graph) relation: Relation,
}

impl NumberedGraph {
    /// The numbering of `graph`, with its relations of `kinds`.
    pub(in crate::graph) fn of(graph: &CodeGraph, kinds: &[LinkKind]) -> Self {
        let symbols: Vec<Symbol> = graph.symbols().collect();
        let number = |id: &SymbolId| symbols.binary_search_by_key(id, |symbol| symbol.id).ok();
        let mut ties: Vec<Tie> = graph
            .relations()
            .filter(|relation| kinds.contains(&relation.kind))
            .filter_map(|relation| {
                let (from, to) = (number(&relation.from)?, number(&relation.to)?);
                Some(Tie { from, to, relation })
            })
            .collect();
        ties.sort_by_key(|tie| (tie.from, tie.to, tie.relation.kind));
        NumberedGraph { symbols, ties }
    }

    /// The number of a symbol, if the graph has it.
    pub(in crate::graph) fn number(&self, id: SymbolId) -> Option<usize> {
        self.symbols.binary_search_by_key(&id, |symbol| symbol.id).ok()
    }

    /// Which symbols each one depends on.
    pub(in crate::graph) fn successors(&self) -> Adjacency {
        Adjacency::new(self.symbols.len(), self.ties.iter().map(|tie| (tie.from, tie.to)))
    }

    /// The ties from one symbol to another: one for each kind.
    pub(in crate::graph) fn between(&self, from: usize, to: usize) -> &[Tie] {
        between(&self.ties, from, to)
    }
}

/// The modules of a project in order of their names, and the relations between different ones.
pub(in crate::graph) struct Modules {
    /// By number.
    pub(in crate::graph) names: Vec<Arc<str>>,
    /// Sorted by the numbers of the modules at their ends, then as in [`NumberedGraph`].
    pub(in crate::graph) ties: Vec<Tie>,
}

impl Modules {
    /// The modules of all symbols that are in one. The ties are taken out of `dense`.
    pub(in crate::graph) fn of(dense: &mut NumberedGraph) -> Self {
        let mut numbers: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for symbol in dense.symbols.iter().filter(|symbol| !symbol.module.is_empty()) {
            numbers.insert(symbol.module.clone(), 0);
        }
        numbers.values_mut().enumerate().for_each(|(at, number)| *number = at);
        let of_symbol: Vec<_> =
            dense.symbols.iter().map(|symbol| numbers.get(&symbol.module).copied()).collect();
        let mut ties: Vec<Tie> = std::mem::take(&mut dense.ties)
            .into_iter()
            .filter_map(|tie| {
                let (from, to) = (of_symbol[tie.from]?, of_symbol[tie.to]?);
                (from != to).then_some(Tie { from, to, ..tie })
            })
            .collect();
        // A stable sort: among the ties of two modules the order of the symbols stays.
        ties.sort_by_key(|tie| (tie.from, tie.to));
        Modules { names: numbers.into_keys().collect(), ties }
    }

    /// Which modules each one depends on.
    pub(in crate::graph) fn successors(&self) -> Adjacency {
        Adjacency::new(self.names.len(), self.ties.iter().map(|tie| (tie.from, tie.to)))
    }

    /// The ties from one module to another.
    pub(in crate::graph) fn between(&self, from: usize, to: usize) -> &[Tie] {
        between(&self.ties, from, to)
    }
}

fn between(ties: &[Tie], from: usize, to: usize) -> &[Tie] {
    let start = ties.partition_point(|tie| (tie.from, tie.to) < (from, to));
    let end = ties.partition_point(|tie| (tie.from, tie.to) <= (from, to));
    &ties[start..end]
}

/// Who leads to whom, in compressed rows: each pair once, sorted.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Adjacency {
    starts: Vec<usize>,
    targets: Vec<usize>,
}

impl Adjacency {
    /// The pairs among `count` nodes; those with a node beyond are left out.
    pub(in crate::graph) fn new(count: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().filter(|(from, to)| *from < count && *to < count).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = vec![0; count + 1];
        pairs.iter().for_each(|(from, _)| starts[from + 1] += 1);
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        Adjacency { starts, targets: pairs.into_iter().map(|(_, to)| to).collect() }
    }

    /// The number of nodes.
    pub(in crate::graph) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// All nodes.
    pub(in crate::graph) fn nodes(&self) -> Range<usize> {
        0..self.len()
    }

    /// Where `node` leads, sorted.
    pub(in crate::graph) fn of(&self, node: usize) -> &[usize] {
        &self.targets[self.starts[node]..self.starts[node + 1]]
    }

    /// Every pair, sorted.
    pub(in crate::graph) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.nodes().flat_map(|from| self.of(from).iter().map(move |to| (from, *to)))
    }

    /// The same pairs the other way round.
    pub(in crate::graph) fn reversed(&self) -> Self {
        Adjacency::new(self.len(), self.pairs().map(|(from, to)| (to, from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::graph;

    #[test]
    fn symbols_and_modules_are_numbered_in_order() {
        let graph = graph(
            "== b.ex
             defmodule B do
               def b, do: A.a() + B.c()
               def c, do: A.a()
             end
             == a.ex
             defmodule A do
               def a, do: 1
             end",
        );
        let mut dense = NumberedGraph::of(&graph, &LinkKind::ALL);
        let names: Vec<_> = dense.symbols.iter().map(|symbol| symbol.qualified()).collect();
        assert_eq!(names, ["A", "A.a/0", "B", "B.b/0", "B.c/0"]);
        assert!(graph.symbols().enumerate().all(|(at, symbol)| dense.number(symbol.id) == Some(at)));
        assert_eq!(dense.successors().pairs().collect::<Vec<_>>(), [(3, 1), (3, 4), (4, 1)]);
        assert_eq!(dense.between(3, 4).len(), 1);
        assert!(dense.between(1, 3).is_empty());
        assert!(NumberedGraph::of(&graph, &[LinkKind::Use]).ties.is_empty());

        let modules = Modules::of(&mut dense);
        assert_eq!(modules.names, ["A".into(), "B".into()]);
        assert_eq!(modules.between(1, 0).len(), 2);
        assert_eq!(modules.successors().of(1), [0]);
    }

    #[test]
    fn rows_hold_each_pair_once() {
        let adjacency = Adjacency::new(3, [(2, 0), (0, 2), (0, 1), (0, 2), (7, 0), (0, 7)]);
        assert_eq!(adjacency.of(0), [1, 2]);
        assert_eq!(adjacency.reversed().pairs().collect::<Vec<_>>(), [(0, 2), (1, 0), (2, 0)]);
        assert_eq!(Adjacency::new(0, []).len(), 0);
    }
}
