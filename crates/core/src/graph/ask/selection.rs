//! Which symbols and links a question is about, by the names that people give.

use std::collections::BTreeSet;

use super::Phase;
use crate::graph::{CodeGraph, Edge, LinkKind, Reached, SymbolId};
use crate::{Error, Result};

impl LinkKind {
    /// The kind of this name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`], with all names, when there is none.
    pub fn of_name(name: &str) -> Result<Self> {
        LinkKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
            let known: Vec<&str> = LinkKind::ALL.iter().map(|kind| kind.as_str()).collect();
            Error::invalid(format!("{name:?} is no kind of link; they are {}", known.join(", ")))
        })
    }

    /// The kinds of these names; all that `default` takes where none are given.
    ///
    /// # Errors
    /// As [`LinkKind::of_name`].
    pub fn of_names(names: Option<&[String]>, default: impl Fn(LinkKind) -> bool) -> Result<Vec<Self>> {
        match names {
            None => Ok(LinkKind::ALL.into_iter().filter(|kind| default(*kind)).collect()),
            Some(names) => names.iter().map(|name| LinkKind::of_name(name)).collect(),
        }
    }
}

impl Phase {
    /// The phase of this name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] when there is none.
    pub fn of_name(name: &str) -> Result<Self> {
        let found = [Phase::CompileTime, Phase::RunTime].into_iter().find(|phase| phase.as_str() == name);
        found.ok_or_else(|| {
            Error::invalid(format!("the phase is one of compile_time and run_time, not {name:?}"))
        })
    }
}

/// Which way dependencies are followed from a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To who calls it.
    Callers,
    /// To whom it calls.
    Callees,
    /// To what depends on it.
    Dependents,
    /// To what it depends on.
    Dependencies,
}

impl Direction {
    /// Whether what is reached is what depends.
    pub fn is_against(self) -> bool {
        matches!(self, Direction::Callers | Direction::Dependents)
    }

    /// Whether links of this kind are followed where no kinds are named.
    pub fn follows(self, kind: LinkKind) -> bool {
        kind.is_call() || matches!(self, Direction::Dependents | Direction::Dependencies)
    }
}

/// A symbol or file with what is reached from it, or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphPart {
    /// Its name or path; `None` for everything.
    pub around: Option<String>,
    /// Whether what depends on it is a part.
    pub dependents: bool,
    /// Whether what it depends on is a part.
    pub dependencies: bool,
    /// Over so many links.
    pub depth: usize,
    /// Of these kinds.
    pub kinds: Vec<LinkKind>,
}

impl GraphPart {
    /// The symbols of this part; `None` for all.
    ///
    /// # Errors
    /// As [`CodeGraph::find`].
    pub fn symbols(&self, graph: &CodeGraph) -> Result<Option<Vec<SymbolId>>> {
        let Some(around) = &self.around else { return Ok(None) };
        let asked = graph.ids_in_or_of(around)?;
        let mut hits = Vec::new();
        if self.dependents {
            hits.extend(graph.dependents(&asked, self.depth, &self.kinds));
        }
        if self.dependencies {
            hits.extend(graph.dependencies(&asked, self.depth, &self.kinds));
        }
        // Of a module only those functions that have to do with what was reached.
        let mut symbols: BTreeSet<_> = hits.iter().flat_map(|hit| [hit.symbol.id, hit.via]).collect();
        if self.dependents == self.dependencies || symbols.is_empty() {
            symbols.extend(graph.expand(&asked));
        }
        Ok(Some(symbols.into_iter().collect()))
    }
}

impl CodeGraph {
    /// The symbols that a name stands for.
    ///
    /// # Errors
    /// As [`CodeGraph::find`].
    pub fn ids_of(&self, name: &str) -> Result<Vec<SymbolId>> {
        Ok(self.find(name)?.into_iter().map(|symbol| symbol.id).collect())
    }

    /// The symbols that any of the names stands for.
    ///
    /// # Errors
    /// As [`CodeGraph::find`], when one of them stands for nothing.
    pub fn ids_of_all(&self, names: &[String]) -> Result<Vec<SymbolId>> {
        let found: Result<Vec<_>> = names.iter().map(|name| self.ids_of(name)).collect();
        Ok(found?.into_iter().flatten().collect())
    }

    /// What a file of the project defines, or else the symbols of that name.
    ///
    /// # Errors
    /// As [`CodeGraph::find`].
    pub fn ids_in_or_of(&self, path_or_name: &str) -> Result<Vec<SymbolId>> {
        let inside: Vec<_> = self.nodes_in(path_or_name).map(|(id, _)| id).collect();
        if inside.is_empty() { self.ids_of(path_or_name) } else { Ok(inside) }
    }

    /// What is reached from `symbols` over up to `depth` links of these kinds; nearest first.
    pub fn reached(
        &self,
        symbols: &[SymbolId],
        direction: Direction,
        depth: usize,
        kinds: &[LinkKind],
    ) -> Vec<Reached> {
        if direction.is_against() {
            self.dependents(symbols, depth, kinds)
        } else {
            self.dependencies(symbols, depth, kinds)
        }
    }

    /// The calls as the compiler leaves them; with `guessed`, those that are not certain too.
    pub fn calls(&self, guessed: bool) -> impl Iterator<Item = Edge> {
        self.edges().filter(move |edge| !edge.inlined && (guessed || edge.basis.is_certain()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::testing::graph;

    const FILES: &str = "== a.ex
defmodule A do
  def f, do: B.g()
end
== b.ex
defmodule B do
  def g, do: C.h()
  def other, do: String.to_integer(\"1\")
end
== c.ex
defmodule C do
  alias A
  def h, do: 1
end
";

    fn names(graph: &CodeGraph, ids: &[SymbolId]) -> Vec<String> {
        ids.iter().map(|id| graph.symbol(*id).unwrap().qualified()).collect()
    }

    #[test]
    fn a_name_stands_for_symbols_and_a_path_for_what_is_in_the_file() {
        let graph = graph(FILES);
        let both = graph.ids_of_all(&["B.g/0".into(), "h".into()]).unwrap();
        assert_eq!(names(&graph, &both), ["B.g/0", "C.h/0"]);
        assert_eq!(names(&graph, &graph.ids_in_or_of("b.ex").unwrap()), ["B", "B.g/0", "B.other/0"]);
        assert_eq!(names(&graph, &graph.ids_in_or_of("B.g").unwrap()), ["B.g/0"]);
        assert!(graph.ids_in_or_of("d.ex").is_err());
    }

    #[test]
    fn kinds_and_phases_have_names() {
        let kinds = LinkKind::of_names(Some(&["alias".into(), "call".into()]), |_| false).unwrap();
        assert_eq!(kinds, [LinkKind::Alias, LinkKind::Call]);
        assert_eq!(LinkKind::of_names(None, |kind| kind == LinkKind::Use).unwrap(), [LinkKind::Use]);
        assert!(LinkKind::of_name("hearsay").unwrap_err().to_string().contains("call, message"));
        assert_eq!(Phase::of_name("run_time").unwrap(), Phase::RunTime);
        assert!(Phase::of_name("sometimes").is_err());
    }

    #[test]
    fn a_part_is_what_is_reached_one_way_or_both() {
        let graph = graph(FILES);
        let kinds = LinkKind::of_names(None, |kind| Direction::Callers.follows(kind)).unwrap();
        let part = |around: Option<&str>, dependents, dependencies| {
            let around = around.map(str::to_owned);
            let part = GraphPart { around, dependents, dependencies, depth: 1, kinds: kinds.clone() };
            part.symbols(&graph).unwrap().map(|ids| names(&graph, &ids))
        };
        assert_eq!(part(Some("B.g"), true, false).unwrap(), ["A.f/0", "B.g/0"]);
        assert_eq!(part(Some("B.g"), false, true).unwrap(), ["B.g/0", "C.h/0"]);
        assert_eq!(part(Some("B.g"), true, true).unwrap(), ["A.f/0", "B.g/0", "C.h/0"]);
        assert_eq!(part(Some("B.other"), true, false).unwrap(), ["B.other/0"], "it has no callers");
        assert_eq!(part(None, true, true), None);
        let callers = graph.reached(&graph.ids_of("B.g").unwrap(), Direction::Callers, 1, &kinds);
        assert_eq!(names(&graph, &[callers[0].at(true), callers[0].at(false)]), ["A.f/0", "B.g/0"]);
        assert_eq!(callers[0].lines(), [2]);
    }

    #[test]
    fn calls_that_the_compiler_inlines_are_none() {
        let graph = graph(FILES);
        let calls: Vec<_> = graph.calls(true).map(|edge| edge.callee_fun.to_string()).collect();
        assert!(!calls.contains(&"to_integer".to_owned()), "{calls:?}");
        assert!(calls.contains(&"g".to_owned()));
    }
}
