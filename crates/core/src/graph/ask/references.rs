//! Every use of a symbol.

use std::collections::BTreeSet;

use super::query::Way;
use crate::graph::{CodeGraph, Relation, SymbolId};

impl CodeGraph {
    /// Whatever depends on `symbols`, in every way that it does, sorted by the one that depends. A module stands for all that
    /// it defines, and what it defines then is no reference to it. Unknown symbols are ignored.
    pub fn references(&self, symbols: &[SymbolId]) -> Vec<Relation> {
        let is_module = |id: &SymbolId| self.node(*id).is_some_and(|node| node.is_module());
        let modules: Vec<_> = symbols.iter().copied().filter(is_module).collect();
        let inside: BTreeSet<_> = self.expand(&modules).into_iter().collect();
        let all = self.expand(symbols).into_iter().flat_map(|id| self.links(id, Way::Against));
        let mut found: Vec<_> = all.filter(|relation| !inside.contains(&relation.from)).collect();
        found.sort_by_key(|relation| (relation.from, relation.to, relation.kind, relation.clause));
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::testing::graph;

    #[test]
    fn references_are_of_every_kind_and_of_every_function_of_a_module() {
        let graph = graph(
            "== a.ex
             defmodule A do
               alias B
               def a, do: %B{x: B.b(1)}
               def c, do: B.b(2)
             end
             == b.ex
             defmodule B do
               defstruct [:x]
               def b(0), do: 0
               def b(x), do: b(x - 1)
             end",
        );
        let of = |name: &str| -> Vec<String> {
            let ids: Vec<_> = graph.find(name).unwrap().iter().map(|symbol| symbol.id).collect();
            let name = |id| graph.symbol(id).unwrap().qualified();
            let text = |r: &super::Relation| {
                let lines: Vec<_> = r.sites.iter().map(|site| site.line_start).collect();
                format!("{} {} {} {lines:?}", name(r.from), r.kind.as_str(), name(r.to))
            };
            graph.references(&ids).iter().map(text).collect()
        };
        assert_eq!(of("B.b/1"), ["A.a/0 call B.b/1 [3]", "A.c/0 call B.b/1 [4]", "B.b/1 call B.b/1 [4]"]);
        let of_module = of("B");
        assert!(of_module.contains(&"A alias B [2]".to_owned()), "{of_module:?}");
        assert!(of_module.iter().any(|line| line.starts_with("A.a/0 struct")), "{of_module:?}");
        assert!(!of_module.iter().any(|line| line.starts_with("B.b/1")), "{of_module:?}");
        assert!(graph.references(&[]).is_empty());
    }
}
