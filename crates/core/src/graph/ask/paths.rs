//! How one symbol comes to depend on another: shortest paths, by a search in breadth.

use std::collections::{BTreeSet, VecDeque};

use super::dense::{Adjacency, NumberedGraph};
use crate::graph::{CodeGraph, LinkKind, Relation, SymbolId};
use crate::{Cancel, Result};

/// A way from one symbol to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolPath {
    /// The symbols on it, both ends included.
    pub symbols: Vec<SymbolId>,
    /// What ties each one to the next: one fewer than `symbols`. Where two are tied in several ways, the first kind of
    /// [`LinkKind::ALL`] that was asked for.
    pub relations: Vec<Relation>,
}

impl CodeGraph {
    /// All shortest paths from `from` to `to` along links of `kinds`, in order of the symbols on them, and of these the
    /// first `limit`. None when there is no path or the graph does not have both symbols; when both are one, a path of no
    /// steps.
    ///
    /// # Errors
    /// Those of [`Cancel::check`].
    pub fn shortest_paths(
        &self,
        from: SymbolId,
        to: SymbolId,
        kinds: &[LinkKind],
        limit: usize,
        cancel: &Cancel,
    ) -> Result<Vec<SymbolPath>> {
        self.shortest(&[from], &[to], kinds, limit, cancel)
    }

    /// Likewise, the shortest of all paths from one of `from` to one of `to`. A module stands for all that it defines.
    ///
    /// # Errors
    /// Those of [`Cancel::check`].
    pub fn shortest_paths_among(
        &self,
        from: &[SymbolId],
        to: &[SymbolId],
        kinds: &[LinkKind],
        limit: usize,
        cancel: &Cancel,
    ) -> Result<Vec<SymbolPath>> {
        self.shortest(&self.expand(from), &self.expand(to), kinds, limit, cancel)
    }

    fn shortest(
        &self,
        from: &[SymbolId],
        to: &[SymbolId],
        kinds: &[LinkKind],
        limit: usize,
        cancel: &Cancel,
    ) -> Result<Vec<SymbolPath>> {
        let dense = NumberedGraph::of(self, kinds);
        let numbers =
            |ids: &[SymbolId]| -> BTreeSet<usize> { ids.iter().filter_map(|id| dense.number(*id)).collect() };
        let paths = all_shortest(&dense.successors(), &numbers(from), &numbers(to), limit, cancel)?;
        let tie = |pair: &[usize]| dense.between(pair[0], pair[1]).first().map(|tie| tie.relation.clone());
        let named = |path: Vec<usize>| SymbolPath {
            symbols: path.iter().map(|node| dense.symbols[*node].id).collect(),
            relations: path.windows(2).filter_map(tie).collect(),
        };
        Ok(paths.into_iter().map(named).collect())
    }
}

fn all_shortest(
    successors: &Adjacency,
    from: &BTreeSet<usize>,
    to: &BTreeSet<usize>,
    limit: usize,
    cancel: &Cancel,
) -> Result<Vec<Vec<usize>>> {
    let left = steps_to(successors, from, to);
    let mut paths = Vec::new();
    let nearest = from.iter().map(|node| left[*node]).min().unwrap_or(usize::MAX);
    if nearest == usize::MAX || limit == 0 {
        return Ok(paths);
    }
    // Only steps that bring the end nearer are taken, so no step is ever in vain.
    let nearer = |node: usize| {
        let closer = |next: &usize| left[*next] != usize::MAX && left[*next] + 1 == left[node];
        let choices: Vec<usize> = successors.of(node).iter().copied().filter(closer).collect();
        (node, choices.into_iter())
    };
    for start in from.iter().filter(|node| left[**node] == nearest) {
        let mut open = vec![nearer(*start)];
        while let Some((node, choices)) = open.last_mut() {
            cancel.check()?;
            if left[*node] == 0 {
                paths.push(open.iter().map(|(node, _)| *node).collect());
                if paths.len() == limit {
                    return Ok(paths);
                }
                open.pop();
            } else if let Some(next) = choices.next() {
                open.push(nearer(next));
            } else {
                open.pop();
            }
        }
    }
    Ok(paths)
}

/// The number of steps from each node to the nearest of `to`, as far as it is needed for those of `from` that have the
/// fewest; `usize::MAX` where there is no way.
fn steps_to(successors: &Adjacency, from: &BTreeSet<usize>, to: &BTreeSet<usize>) -> Vec<usize> {
    let predecessors = successors.reversed();
    let mut left = vec![usize::MAX; successors.len()];
    to.iter().for_each(|node| left[*node] = 0);
    let mut queue: VecDeque<usize> = to.iter().copied().collect();
    // When the first of them comes out, all that are as near are in.
    while let Some(node) = queue.pop_front().filter(|node| !from.contains(node)) {
        for &before in predecessors.of(node) {
            if left[before] == usize::MAX {
                left[before] = left[node] + 1;
                queue.push_back(before);
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::testing::{calling, graph};

    #[test]
    fn paths_follow_the_kinds_that_are_asked_for() {
        let graph = graph(
            "== a.ex
             defmodule A do
               def a, do: B.left() + B.right()
             end
             == b.ex
             defmodule B do
               def left, do: C.c()
               def right do
                 %C{} |> C.c()
               end
             end
             == c.ex
             defmodule C do
               defstruct [:x]
               def c(_ \\\\ 1), do: 1
             end",
        );
        let id = |name: &str| graph.find(name).unwrap()[0].id;
        let text = |paths: &[SymbolPath]| -> Vec<String> {
            let name = |id: &SymbolId| graph.symbol(*id).unwrap().qualified();
            paths.iter().map(|path| path.symbols.iter().map(name).collect::<Vec<_>>().join(" ")).collect()
        };
        let find = |from: &str, to: &str, kinds: &[LinkKind], limit| {
            graph.shortest_paths(id(from), id(to), kinds, limit, &Cancel::new()).unwrap()
        };
        let calls = [LinkKind::Call];
        let both = find("A.a/0", "C.c/1", &calls, 9);
        assert_eq!(text(&both), ["A.a/0 B.left/0 C.c/1", "A.a/0 B.right/0 C.c/1"]);
        assert_eq!(both[1].relations[1].sites[0].line_start, 4);
        assert_eq!(text(&find("A.a/0", "C.c/1", &calls, 1)), ["A.a/0 B.left/0 C.c/1"]);
        assert!(find("C.c/1", "A.a/0", &calls, 9).is_empty());
        assert!(find("A.a/0", "C.c/1", &[LinkKind::Struct], 9).is_empty());
        assert_eq!(find("A.a/0", "C.__struct__/0", &LinkKind::ALL, 9)[0].relations[1].kind, LinkKind::Struct);
        assert_eq!(find("A.a/0", "A.a/0", &calls, 9)[0].relations, []);
        let modules = |from: &str, to: &str| {
            let (from, to) = ([id(from)], [id(to)]);
            graph.shortest_paths_among(&from, &to, &calls, 9, &Cancel::new()).unwrap()
        };
        assert_eq!(text(&modules("B", "C")), ["B.left/0 C.c/1", "B.right/0 C.c/1"]);
        assert!(modules("C", "A").is_empty());
        assert_eq!(find("A.a/0", "C.c/1", &calls, 1), both[..1]);
    }

    proptest! {
        #[test]
        fn paths_are_those_of_brute_force(
            calls in prop::collection::vec((0..7_usize, 0..7_usize), 0..22),
            limit in 0..40_usize,
        ) {
            let graph = calling(7, &calls);
            let nodes: Vec<SymbolId> =
                (0..7).map(|node| graph.find(&format!("M{node:03}.f/0")).unwrap()[0].id).collect();
            let number = |id: &SymbolId| nodes.iter().position(|node| node == id).unwrap();
            let mut expected: Vec<Vec<usize>> = Vec::new();
            let mut level = vec![vec![0]];
            for _ in 0..7 {
                expected = level.iter().filter(|path| path.last() == Some(&6)).cloned().collect();
                if !expected.is_empty() {
                    break;
                }
                let longer = |path: &Vec<usize>| -> Vec<Vec<usize>> {
                    let last = *path.last().unwrap();
                    (0..7)
                        .filter(|next| calls.contains(&(last, *next)) && !path.contains(next))
                        .map(|next| path.iter().copied().chain([next]).collect())
                        .collect()
                };
                level = level.iter().flat_map(longer).collect();
            }
            expected.sort();
            expected.truncate(limit);
            let found = graph.shortest_paths(nodes[0], nodes[6], &[LinkKind::Call], limit, &Cancel::new()).unwrap();
            let found: Vec<Vec<usize>> = found.iter().map(|path| path.symbols.iter().map(number).collect()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
