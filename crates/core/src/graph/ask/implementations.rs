//! What implements a behaviour or protocol, of the project or not.

use std::sync::Arc;

use crate::Result;
use crate::graph::build::std_lib;
use crate::graph::symbol::lines;
use crate::graph::{CodeGraph, LinkKind, Reached, Symbol, SymbolId};
use crate::source::Span;
use crate::syntax::{Basis, DefinitionKind};

/// Something that implements a behaviour or protocol, or one of its functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Implementation {
    /// A module, or a function.
    pub symbol: Symbol,
    /// What it implements: `"GenServer"`, `"GenServer.init/1"`.
    pub of: Arc<str>,
    /// `Behaviour`, `Implements`, or for a function `Dispatch`.
    pub kind: LinkKind,
    /// Where that is written, in the file of the symbol.
    pub sites: Vec<Span>,
    /// Why it is believed.
    pub basis: Basis,
}

impl Implementation {
    /// The lines of its sites, sorted, each once.
    pub fn lines(&self) -> Vec<u32> {
        lines(&self.sites)
    }
}

impl CodeGraph {
    /// What implements the behaviour or protocol that `query` names: modules; of one of its functions or callbacks,
    /// functions. It need not be of the project: `"GenServer"` and `"Plug.call/2"` are known by those who have them. What
    /// callbacks such a behaviour has is not known, so that every public function of that name counts.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`], with the most similar names, where the project has no such name, no module of it
    /// implements it, and it is not of the standard library.
    pub fn implementations(&self, query: &str) -> Result<Vec<Implementation>> {
        let query = query.trim();
        let module = query.rsplit_once('.').map_or("", |(module, _)| module);
        // Nothing of the project has the name of what is known from elsewhere; a part of a name goes behind that.
        let foreign = self.implementing_foreign(query, module);
        if !foreign.is_empty() {
            return Ok(foreign);
        }
        match self.find(query) {
            Ok(found) => Ok(self.implementing(&found)),
            Err(_) if [query, module].into_iter().any(std_lib::has_module) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn implementing(&self, found: &[Symbol]) -> Vec<Implementation> {
        // Of a module it is modules that implement it, of one of its functions or callbacks it is functions.
        let is_module =
            |symbol: &Symbol| matches!(symbol.kind, DefinitionKind::Module | DefinitionKind::Protocol);
        let ids = |wanted: bool| -> Vec<SymbolId> {
            found.iter().filter(|symbol| is_module(symbol) == wanted).map(|symbol| symbol.id).collect()
        };
        let mut hits = self.dependents(&ids(true), 1, &[LinkKind::Behaviour, LinkKind::Implements]);
        hits.extend(self.dependencies(&ids(false), 1, &[LinkKind::Dispatch]));
        let of = |id: SymbolId| self.node(id).map(Symbol::qualified).unwrap_or_default().into();
        let implementation = |Reached { symbol, via, kind, sites, basis, .. }| Implementation {
            symbol,
            of: of(via),
            kind,
            sites,
            basis,
        };
        hits.into_iter().map(implementation).collect()
    }

    fn implementing_foreign(&self, query: &str, module: &str) -> Vec<Implementation> {
        let whole = self.modules_implementing(query);
        if !whole.is_empty() || module.is_empty() {
            return whole;
        }
        let function = &query[module.len() + 1..];
        let (name, arity) = match function.rsplit_once('/') {
            Some((name, arity)) => (name, arity.parse::<u8>().ok()),
            None => (function, None),
        };
        let mut functions = Vec::new();
        for implementation in self.modules_implementing(module) {
            let Some(unit) = self.unit_of(implementation.symbol.id) else { continue };
            for (node, index) in unit.nodes().zip(0..) {
                let takes = |wanted: u8| {
                    let most = node.arity.unwrap_or(0);
                    (most.saturating_sub(node.defaults)..=most).contains(&wanted)
                };
                let fits = node.module == implementation.symbol.module
                    && *node.name == *name
                    && node.public
                    && node.is_callable()
                    && arity.is_none_or(takes);
                if fits {
                    functions.push(Implementation {
                        symbol: Symbol { id: SymbolId { index, ..implementation.symbol.id }, ..node.clone() },
                        of: query.into(),
                        kind: LinkKind::Dispatch,
                        sites: vec![node.span],
                        basis: Basis::Dispatch,
                    });
                }
            }
        }
        functions
    }

    /// The modules that have a behaviour or protocol which is not of the project, in order of path and position.
    fn modules_implementing(&self, of: &str) -> Vec<Implementation> {
        let mut modules = Vec::new();
        for slot in self.readers_of(of) {
            let Some(unit) = self.unit(slot) else { continue };
            for implemented in unit.resolved.implemented.iter().filter(|implemented| *implemented.of == *of) {
                let id = SymbolId { file: self.rank_of(slot), index: implemented.node };
                modules.extend(self.symbol(id).map(|symbol| Implementation {
                    symbol,
                    of: implemented.of.clone(),
                    kind: implemented.kind,
                    sites: vec![implemented.site],
                    basis: implemented.basis,
                }));
            }
        }
        modules
    }
}

#[cfg(test)]
mod tests {
    use crate::ErrorKind;
    use crate::graph::testing::graph;

    const FILES: &str = "
        == a.ex
        defmodule Shop.Server do
          use GenServer
          def init(x), do: {:ok, x}
          def handle_call(_, _, s), do: {:reply, 1, s}
          def helper, do: 1
        end
        defmodule Shop.Base do
          defmacro __using__(_) do
            quote do
              use GenServer
              @behaviour Access
            end
          end
        end
        == b.ex
        defmodule Shop.Other do
          use Shop.Base
          def init(x, y \\\\ 1), do: {:ok, x, y}
        end
        defmodule Shop.Plug do
          @behaviour Plug
          def init(o), do: o
          def call(c, _), do: c
        end
        defmodule Shop.Router do
          use Plug.Router
        end
        defmodule Shop.Money do
          alias Ecto.Type, as: T
          @behaviour T
          @derive [Jason.Encoder]
          defstruct [:cents]
        end
        defimpl Enumerable, for: Shop.Money do
          def count(_), do: {:ok, 1}
        end
        defmodule Shop.Shape do
          @callback area(term) :: number
        end
        defmodule Shop.Square do
          @behaviour Shop.Shape
          def area(_), do: 1
        end
        == c.erl
        -module(c).
        -behaviour(gen_server).
        init(X) -> X.";

    fn implementations(query: &str) -> Vec<String> {
        let graph = graph(FILES);
        let text = |found: &super::Implementation| {
            let (symbol, lines) = (found.symbol.qualified(), &found.sites);
            let lines: Vec<_> = lines.iter().map(|site| site.line_start).collect();
            let basis = found.basis.as_str();
            assert_eq!(graph.symbol(found.symbol.id).unwrap(), found.symbol);
            format!("{symbol} {} {} {basis} {lines:?}", found.kind.as_str(), found.of)
        };
        graph.implementations(query).unwrap().iter().map(text).collect()
    }

    #[test]
    fn behaviours_from_outside_are_known_by_those_who_have_them() {
        assert_eq!(
            implementations("GenServer"),
            ["Shop.Server behaviour GenServer written [1]", "Shop.Other behaviour GenServer quoted [1]"]
        );
        assert_eq!(implementations("Access"), ["Shop.Other behaviour Access quoted [1]"]);
        assert_eq!(
            implementations("Plug"),
            ["Shop.Plug behaviour Plug written [6]", "Shop.Router behaviour Plug convention [10]"]
        );
        assert_eq!(implementations("Ecto.Type"), ["Shop.Money behaviour Ecto.Type written [15]"]);
        assert_eq!(implementations(":gen_server"), [":c behaviour :gen_server written [2]"]);
        // Of a module that is not known it is a guess that its `use` makes a behaviour of it.
        assert_eq!(implementations("Plug.Router"), ["Shop.Router behaviour Plug.Router convention [10]"]);
        assert!(implementations("Supervisor").is_empty());
    }

    #[test]
    fn protocols_from_outside_too() {
        assert_eq!(
            implementations("Enumerable"),
            ["Enumerable.Shop.Money implements Enumerable written [19]"]
        );
        assert_eq!(implementations("Jason.Encoder"), ["Shop.Money implements Jason.Encoder written [16]"]);
        assert_eq!(
            implementations("Enumerable.count/1"),
            ["Enumerable.Shop.Money.count/1 dispatch Enumerable.count/1 dispatch [20]"]
        );
    }

    #[test]
    fn functions_of_a_behaviour_from_outside_are_those_of_its_name() {
        assert_eq!(
            implementations("GenServer.init/1"),
            [
                "Shop.Server.init/1 dispatch GenServer.init/1 dispatch [3]",
                "Shop.Other.init/2 dispatch GenServer.init/1 dispatch [3]"
            ]
        );
        assert_eq!(implementations("GenServer.handle_call").len(), 1);
        assert!(implementations("GenServer.nothing/3").is_empty());
    }

    #[test]
    fn those_of_the_project_are_told_as_ever() {
        assert_eq!(implementations("Shop.Shape"), ["Shop.Square behaviour Shop.Shape written [26]"]);
        assert_eq!(implementations("Shape"), implementations("Shop.Shape"));
        assert_eq!(
            implementations("Shop.Shape.area/1"),
            ["Shop.Square.area/1 dispatch Shop.Shape.area/1 dispatch [27]"]
        );
        // `Plug` is a part of the name of a module here, and the whole name of another one.
        assert_eq!(implementations("Shop.Plug"), [""; 0]);
        let error = graph(FILES).implementations("GenServr").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
