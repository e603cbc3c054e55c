//! Modules that depend on each other in a circle: strongly connected components of the graph of modules.
//!
//! Components are found by the algorithm of Kosaraju and Sharir (Sharir, 1981), which petgraph runs without recursion; its
//! version of Tarjan's calls itself once for each node of a path.

use std::collections::VecDeque;
use std::sync::Arc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::dense::{Adjacency, Modules, NumberedGraph};
use crate::graph::{CodeGraph, LinkKind, Relation};
use crate::syntax::{Basis, DefinitionKind};
use crate::{Cancel, Result};

/// After how many looks at a dependency the search for a shorter cycle ends.
const MOST_LOOKS: usize = 20_000_000;

/// When a module needs what it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// When it is compiled: it uses, imports or requires it, builds its struct, implements it, calls its macros, or calls
    /// its functions outside of any function.
    CompileTime,
    /// When it runs.
    RunTime,
}

impl Phase {
    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::CompileTime => "compile_time",
            Phase::RunTime => "run_time",
        }
    }
}

/// Which dependencies make a cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleOptions {
    /// Links of these kinds: at first all but `alias`, which is no dependency by itself.
    pub kinds: Vec<LinkKind>,
    /// Only those that are needed then; at first all.
    pub phase: Option<Phase>,
}

impl Default for CycleOptions {
    fn default() -> Self {
        // A behaviour does not depend on those who implement it, though it calls them.
        let counts = |kind: &LinkKind| !matches!(kind, LinkKind::Alias | LinkKind::Dispatch);
        let kinds = LinkKind::ALL.into_iter().filter(counts).collect();
        CycleOptions { kinds, phase: None }
    }
}

/// Modules each of which depends on every other, directly or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleCycle {
    /// All of them, sorted; at least two.
    pub modules: Vec<Arc<str>>,
    /// One of the shortest ways around among them: each step begins where the one before it ends, the first where the last
    /// one ends. Among thousands of modules it may be only the shortest that was found in reasonable time.
    pub example: Vec<CycleStep>,
}

/// A dependency of one module on another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CycleStep {
    /// The module that depends.
    pub from: Arc<str>,
    /// The one it depends on.
    pub to: Arc<str>,
    /// The earliest of the phases of `relations`.
    pub phase: Phase,
    /// What makes the dependency, with its places, in order of the symbols.
    pub relations: Vec<Relation>,
}

impl CodeGraph {
    /// When the module of `relation.from` needs that of `relation.to`, as far as the text tells. A `setup` of a test counts
    /// as the body of its module.
    pub fn phase(&self, relation: &Relation) -> Phase {
        use LinkKind::{Call, Implements, Import, Require, Struct, Use};
        let outside_of_functions = || {
            self.symbol(relation.from)
                .is_some_and(|from| from.is_module() || from.kind == DefinitionKind::Attribute)
        };
        let to_macro = || {
            self.symbol(relation.to)
                .is_some_and(|to| matches!(to.kind, DefinitionKind::Macro | DefinitionKind::Guard))
        };
        match relation.kind {
            // It holds for whoever uses the macro.
            _ if relation.basis == Basis::Quoted => Phase::RunTime,
            Use | Import | Require | Struct | Implements => Phase::CompileTime,
            Call if outside_of_functions() || to_macro() => Phase::CompileTime,
            _ => Phase::RunTime,
        }
    }

    /// The groups of modules that depend on each other in a circle, in order of their first modules. A module that depends
    /// on itself alone is none.
    ///
    /// # Errors
    /// Those of [`Cancel::check`].
    pub fn module_cycles(&self, options: &CycleOptions, cancel: &Cancel) -> Result<Vec<ModuleCycle>> {
        let mut dense = NumberedGraph::of(self, &options.kinds);
        dense.ties.retain(|tie| options.phase.is_none_or(|phase| self.phase(&tie.relation) == phase));
        let modules = Modules::of(&mut dense);
        let successors = modules.successors();
        let mut cycles = Vec::new();
        for component in components(&successors) {
            let nodes = shortest_cycle(&successors, &component, cancel)?;
            let next = nodes.iter().cycle().skip(1);
            let example = nodes.iter().zip(next).map(|(from, to)| self.cycle_step(&modules, *from, *to));
            cycles.push(ModuleCycle {
                modules: component.iter().map(|node| modules.names[*node].clone()).collect(),
                example: example.collect(),
            });
        }
        Ok(cycles)
    }

    fn cycle_step(&self, modules: &Modules, from: usize, to: usize) -> CycleStep {
        let relations: Vec<_> = modules.between(from, to).iter().map(|tie| tie.relation.clone()).collect();
        CycleStep {
            from: modules.names[from].clone(),
            to: modules.names[to].clone(),
            phase: relations.iter().map(|relation| self.phase(relation)).min().unwrap_or(Phase::RunTime),
            relations,
        }
    }
}

/// The strongly connected components of at least two nodes, each sorted, in order of their first nodes.
fn components(graph: &Adjacency) -> Vec<Vec<usize>> {
    let mut copy: DiGraph<(), ()> = DiGraph::with_capacity(graph.len(), 0);
    let nodes: Vec<_> = graph.nodes().map(|_| copy.add_node(())).collect();
    for (from, to) in graph.pairs() {
        copy.add_edge(nodes[from], nodes[to], ());
    }
    let components = kosaraju_scc(&copy).into_iter().filter(|component| component.len() > 1);
    let mut components: Vec<Vec<usize>> = components
        .map(|component| {
            let mut component: Vec<usize> = component.into_iter().map(|node| node.index()).collect();
            component.sort_unstable();
            component
        })
        .collect();
    components.sort_unstable();
    components
}

/// A shortest cycle in a strongly connected component, by a search in breadth from each of its nodes; among several the
/// one with the first node, which it begins with.
fn shortest_cycle(graph: &Adjacency, component: &[usize], cancel: &Cancel) -> Result<Vec<usize>> {
    const NOWHERE: usize = usize::MAX;
    let mut inside = vec![false; graph.len()];
    component.iter().for_each(|node| inside[*node] = true);
    let mut best: Vec<usize> = Vec::new();
    // Of each node that the present search has seen: the node before it, and the number of steps to it.
    let mut before = vec![(NOWHERE, 0); graph.len()];
    let mut looks = 0;
    for &start in component {
        cancel.check()?;
        let mut seen = vec![start];
        let mut queue = VecDeque::from([start]);
        'search: while let Some(node) = queue.pop_front() {
            let steps = before[node].1 + 1;
            if !best.is_empty() && steps >= best.len() {
                break;
            }
            looks += graph.of(node).len();
            for &next in graph.of(node) {
                if next == start && node != start {
                    best = vec![node];
                    while best.last() != Some(&start) {
                        let last = best.last().copied().unwrap_or(start);
                        best.push(before[last].0);
                    }
                    best.reverse();
                    break 'search;
                }
                if inside[next] && next != start && before[next].0 == NOWHERE {
                    before[next] = (node, steps);
                    seen.push(next);
                    queue.push_back(next);
                }
            }
        }
        seen.iter().for_each(|node| before[*node] = (NOWHERE, 0));
        if best.len() == 2 || looks > MOST_LOOKS {
            break;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::testing::{calling, graph};

    fn cycles(graph: &CodeGraph, options: &CycleOptions) -> Vec<(String, Vec<String>)> {
        let cycles = graph.module_cycles(options, &Cancel::new()).unwrap();
        let step = |step: &CycleStep| {
            let sites = step.relations.iter().flat_map(|relation| {
                let file = graph.symbol(relation.from).unwrap().file.clone();
                relation.sites.iter().map(move |site| format!("{file}:{}", site.line_start))
            });
            let sites: Vec<_> = sites.collect();
            format!("{} -> {} {} {}", step.from, step.to, step.phase.as_str(), sites.join(" "))
        };
        cycles
            .iter()
            .map(|cycle| (cycle.modules.join(" "), cycle.example.iter().map(step).collect()))
            .collect()
    }

    #[test]
    fn cycles_come_with_the_places_that_make_them() {
        let graph = graph(
            "== a.ex
             defmodule A do
               import B
               def a, do: b() + A.a()
             end
             == b.ex
             defmodule B do
               def b, do: C.c()
             end
             == c.ex
             defmodule C do
               def c, do: B.b()
               def d do
                 A.a()
               end
             end
             defmodule Alone do
               def f, do: Alone.f() + A.a()
             end",
        );
        let all = cycles(&graph, &CycleOptions::default());
        let example = ["B -> C run_time b.ex:2", "C -> B run_time c.ex:2"].map(String::from).to_vec();
        assert_eq!(all, [("A B C".to_string(), example)]);
        let compile = CycleOptions { phase: Some(Phase::CompileTime), ..CycleOptions::default() };
        assert!(cycles(&graph, &compile).is_empty());
        let none = CycleOptions { kinds: vec![LinkKind::Import], phase: None };
        assert!(cycles(&graph, &none).is_empty());
    }

    #[test]
    fn what_is_needed_to_compile_is_told_apart() {
        let graph = graph(
            "== a.ex
             defmodule A do
               use B
               defmacro __using__(_), do: quote(do: B.run())
               defstruct [:x]
             end
             == b.ex
             defmodule B do
               @value A.__struct__()
               defmacro __using__(_), do: 1
               def run, do: %A{}
             end",
        );
        let compile = CycleOptions { phase: Some(Phase::CompileTime), ..CycleOptions::default() };
        let found = cycles(&graph, &compile);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1[0], "A -> B compile_time a.ex:2");
        assert!(found[0].1[1].starts_with("B -> A compile_time"), "{found:?}");
    }

    #[test]
    fn a_long_cycle_needs_no_stack() {
        let count = 50_000;
        let ring = Adjacency::new(count, (0..count).map(|node| (node, (node + 1) % count)));
        let work = move || {
            let found = components(&ring);
            assert_eq!(found.len(), 1);
            let cycle = shortest_cycle(&ring, &found[0], &Cancel::new()).unwrap();
            assert_eq!(cycle.len(), count);
        };
        std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn the_work_can_be_stopped() {
        let cancel = Cancel::new();
        cancel.cancel();
        let graph = calling(2, &[(0, 1), (1, 0)]);
        let error = graph.module_cycles(&CycleOptions::default(), &cancel).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Cancelled);
    }

    proptest! {
        #[test]
        fn components_and_cycles_are_those_of_brute_force(
            count in 1..9_usize,
            calls in prop::collection::vec((0..9_usize, 0..9_usize), 0..24),
        ) {
            let calls: Vec<_> = calls.into_iter().filter(|(a, b)| *a < count && *b < count).collect();
            // Steps from each to each, at least one (Floyd and Warshall).
            let mut steps = vec![vec![99; count]; count];
            calls.iter().filter(|(a, b)| a != b).for_each(|(a, b)| steps[*a][*b] = 1);
            for via in 0..count {
                for a in 0..count {
                    for b in 0..count {
                        steps[a][b] = steps[a][b].min(steps[a][via] + steps[via][b]);
                    }
                }
            }
            let mut expected: Vec<Vec<usize>> = (0..count)
                .map(|a| (0..count).filter(|b| a == *b || steps[a][*b] + steps[*b][a] < 99).collect())
                .filter(|component: &Vec<usize>| component.len() > 1)
                .collect();
            expected.sort();
            expected.dedup();
            let graph = calling(count, &calls);
            let found = graph.module_cycles(&CycleOptions::default(), &Cancel::new()).unwrap();
            let number = |name: &Arc<str>| name[1..].parse::<usize>().unwrap();
            let components: Vec<Vec<usize>> =
                found.iter().map(|cycle| cycle.modules.iter().map(number).collect()).collect();
            prop_assert_eq!(&components, &expected);
            for (cycle, component) in found.iter().zip(&components) {
                let shortest = component.iter().map(|node| steps[*node][*node]).min().unwrap();
                prop_assert_eq!(cycle.example.len(), shortest);
                let first = component.iter().find(|node| steps[**node][**node] == shortest).unwrap();
                prop_assert_eq!(number(&cycle.example[0].from), *first);
                for (step, next) in cycle.example.iter().zip(cycle.example.iter().cycle().skip(1)) {
                    prop_assert_eq!(&step.to, &next.from);
                    prop_assert!(calls.contains(&(number(&step.from), number(&step.to))));
                    prop_assert!(!step.relations.is_empty());
                }
            }
        }
    }
}
