//! Functions that nothing reaches.
//!
//! What runs by itself is a root: bodies of modules, tests, routes, what a behaviour or a framework calls. From the roots
//! every link is followed. Whatever is left over is dead as far as the text of the project tells; where the text cannot
//! tell, it says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::dense::NumberedGraph;
use crate::graph::{CodeGraph, LinkKind, Symbol, SymbolId};
use crate::syntax::{Basis, DefinitionKind, FileFacts, ReferenceKind};
use crate::{Cancel, Result};

/// What counts as used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadOptions {
    /// Whether every public function of a module counts as used, as in a library; at first it does.
    pub public: bool,
    /// Whether what only tests reach counts as used; at first it does. If not, modules with tests are left out.
    pub tests: bool,
    /// What else is used, such as functions that a release calls.
    pub roots: Vec<SymbolId>,
}

impl Default for DeadOptions {
    fn default() -> Self {
        DeadOptions { public: true, tests: true, roots: Vec::new() }
    }
}

/// A function, macro, guard or delegate that nothing reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// What is dead.
    pub symbol: Symbol,
    /// Why it may be used after all; `None` when the text gives no reason to think so.
    pub doubt: Option<Doubt>,
}

/// Why a function may be used though nothing is seen to reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Doubt {
    /// Its module is handed around as a value, and whoever gets it can call what is public.
    ModuleIsNamed,
    /// Its module uses one that is not of the project, whose macros may call it; or such a macro defines it.
    ModuleIsExtended,
    /// Quoted code calls something of its name, and where that code ends up is not known.
    NameIsQuoted,
    /// It is private, and its module has quoted code, which may put together the name of what it calls.
    ModuleIsQuoted,
}

impl Doubt {
    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Doubt::ModuleIsNamed => "module_is_named",
            Doubt::ModuleIsExtended => "module_is_extended",
            Doubt::NameIsQuoted => "name_is_quoted",
            Doubt::ModuleIsQuoted => "module_is_quoted",
        }
    }
}

/// Behaviours and modules to use that come with Elixir, and what they call of the modules that have them. All others that
/// are not of the project may call everything public, `:gen_statem` among them: it calls functions by the names of states.
#[rustfmt::skip]
const KNOWN: &[(&str, &[(&str, u8)])] = &[
    (":application", APPLICATION), (":gen_event", GEN_EVENT), (":gen_server", GEN_SERVER),
    (":supervisor", &[("init", 1)]), ("Agent", &[]), ("Application", APPLICATION), ("Bitwise", &[]),
    ("DynamicSupervisor", &[("init", 1)]), ("ExUnit.Case", &[]), ("GenServer", GEN_SERVER),
    ("Mix.Project", &[("application", 0), ("cli", 0), ("project", 0)]), ("Mix.Task", &[("run", 1)]),
    ("Supervisor", &[("init", 1)]), ("Task", &[]),
];

#[rustfmt::skip]
const APPLICATION: &[(&str, u8)] =
    &[("config_change", 3), ("prep_stop", 1), ("start", 2), ("start_phase", 3), ("stop", 1)];

#[rustfmt::skip]
const GEN_EVENT: &[(&str, u8)] = &[
    ("code_change", 3), ("format_status", 1), ("handle_call", 2), ("handle_event", 2), ("handle_info", 2), ("init", 1),
    ("terminate", 2),
];

#[rustfmt::skip]
const GEN_SERVER: &[(&str, u8)] = &[
    ("code_change", 3), ("format_status", 1), ("format_status", 2), ("handle_call", 3), ("handle_cast", 2),
    ("handle_continue", 2), ("handle_info", 2), ("init", 1), ("terminate", 2),
];

impl CodeGraph {
    /// The functions, macros, guards and delegates that nothing reaches, in order of path and position; without those that
    /// macros make.
    ///
    /// Roots are: everything that is no function, tests and routes among it; callbacks of the behaviours that a module has,
    /// and all that is public where a behaviour is not known; `child_spec/1`, `start/2`, `run/1` of mix tasks, `start_link`
    /// of what is supervised, what is public in an implementation of a protocol, and names such as `__using__`; whatever a
    /// guess says is called.
    ///
    /// # Errors
    /// Those of [`Cancel::check`].
    pub fn dead(&self, options: &DeadOptions, cancel: &Cancel) -> Result<Vec<Dead>> {
        let dense = NumberedGraph::of(self, &LinkKind::ALL);
        let usage = Usage::of(&dense, self.facts().collect());
        let tested: FxHashSet<&str> = if options.tests {
            FxHashSet::default()
        } else {
            let tests = dense.symbols.iter().filter(|symbol| symbol.kind == DefinitionKind::Test);
            tests.map(|symbol| &*symbol.module).collect()
        };
        let is_root = |symbol: &Symbol| {
            !is_function(symbol) || (options.public && symbol.public) || usage.calls(symbol)
        };
        let mut open: Vec<usize> = Vec::new();
        let mut reached = vec![false; dense.symbols.len()];
        for (at, symbol) in dense.symbols.iter().enumerate() {
            if !tested.contains(&*symbol.module) && is_root(symbol) {
                open.push(at);
            }
        }
        open.extend(options.roots.iter().filter_map(|id| dense.number(*id)));
        let guesses = dense.ties.iter().filter(|tie| !tie.relation.basis.is_certain());
        open.extend(
            guesses.filter(|tie| !tested.contains(&*dense.symbols[tie.from].module)).map(|tie| tie.to),
        );
        let successors = dense.successors();
        while let Some(at) = open.pop() {
            cancel.check()?;
            if !std::mem::replace(&mut reached[at], true) {
                open.extend(successors.of(at).iter().filter(|next| !reached[**next]));
            }
        }
        let left = dense.symbols.iter().zip(&reached).filter(|(symbol, reached)| {
            !**reached && is_function(symbol) && !tested.contains(&*symbol.module)
        });
        Ok(left.map(|(symbol, _)| Dead { symbol: symbol.clone(), doubt: usage.doubt(symbol) }).collect())
    }
}

fn is_function(symbol: &Symbol) -> bool {
    use DefinitionKind::{Delegate, Function, Guard, Macro};
    matches!(symbol.kind, Function | Macro | Guard | Delegate) && symbol.generated_by.is_none()
}

/// How modules are used in ways that no call shows.
#[derive(Default)]
struct Usage {
    /// Of each module what its behaviours and what it uses may call.
    callbacks: FxHashMap<Arc<str>, FxHashSet<(Arc<str>, u8)>>,
    /// Modules of which anything public may be called.
    open: FxHashSet<Arc<str>>,
    /// Modules that use one outside of the project.
    extended: FxHashSet<Arc<str>>,
    /// Modules that are values somewhere.
    named: FxHashSet<Arc<str>>,
    supervised: FxHashSet<Arc<str>>,
    /// Names of local calls in quoted code. How many arguments they have is not known when lists are spliced in.
    quoted_names: FxHashSet<Arc<str>>,
    /// Modules with quoted code.
    quoting: FxHashSet<Arc<str>>,
    /// What macros of unknown modules define, which may call it.
    guessed: FxHashSet<(Arc<str>, Arc<str>)>,
    implementations: FxHashSet<Arc<str>>,
    exceptions: FxHashSet<Arc<str>>,
}

impl Usage {
    fn of(dense: &NumberedGraph, files: Vec<&FileFacts>) -> Self {
        let mut usage = Usage::default();
        let mut own: FxHashMap<Arc<str>, Vec<(Arc<str>, u8)>> = FxHashMap::default();
        for symbol in &dense.symbols {
            let module = symbol.module.clone();
            match symbol.kind {
                DefinitionKind::Module | DefinitionKind::Protocol => drop(own.entry(module).or_default()),
                DefinitionKind::Implementation => drop(usage.implementations.insert(module)),
                DefinitionKind::Exception => drop(usage.exceptions.insert(module)),
                DefinitionKind::Callback => {
                    let callback = symbol.arity.map(|arity| (symbol.name.clone(), arity));
                    own.entry(module).or_default().extend(callback);
                }
                _ => {}
            }
        }
        for tie in &dense.ties {
            use LinkKind::{Config, Module, Plug, Render, Route, Schema, Supervise};
            let target = &dense.symbols[tie.to];
            if target.is_module() && target.module != dense.symbols[tie.from].module {
                match tie.relation.kind {
                    Supervise => drop(usage.supervised.insert(target.module.clone())),
                    Module | Plug | Route | Render | Schema | Config => {
                        usage.named.insert(target.module.clone());
                    }
                    _ => {}
                }
            }
        }
        for facts in &files {
            let guessed = facts.definitions.iter().filter(|definition| definition.guessed);
            usage.guessed.extend(guessed.map(|made| (made.module.clone(), made.name.clone())));
            for reference in facts.references.iter().filter(|reference| reference.basis == Basis::Quoted) {
                let from = reference.from.and_then(|from| facts.definitions.get(from as usize));
                usage.quoting.extend(from.map(|from| from.module.clone()));
                if reference.module.is_none() {
                    usage.quoted_names.insert(reference.name.clone());
                }
            }
        }
        for (module, brought) in behaviours(&files) {
            for behaviour in brought {
                let known = KNOWN.binary_search_by(|(name, _)| (*name).cmp(&behaviour)).ok();
                let called = usage.callbacks.entry(module.clone()).or_default();
                let written = own.get(&behaviour);
                called.extend(written.into_iter().flatten().cloned());
                let listed = known.into_iter().flat_map(|at| KNOWN[at].1);
                called.extend(listed.map(|(name, arity)| ((*name).into(), *arity)));
                if known.is_none() && written.is_none() {
                    usage.open.insert(module.clone());
                    usage.extended.insert(module.clone());
                }
            }
        }
        usage
    }

    /// Whether something calls the function without naming it.
    fn calls(&self, symbol: &Symbol) -> bool {
        let (name, module) = (&*symbol.name, &symbol.module);
        if name.len() > 4 && name.starts_with("__") && name.ends_with("__") {
            return true;
        }
        let most = symbol.arity.unwrap_or(0);
        let takes = |arity: u8| (most.saturating_sub(symbol.defaults)..=most).contains(&arity);
        let by_convention = match name {
            "child_spec" => takes(1),
            "start" => takes(2),
            "run" => takes(1) && module.starts_with("Mix.Tasks."),
            "start_link" => self.supervised.contains(module),
            "exception" | "message" => takes(1) && self.exceptions.contains(module),
            _ => false,
        };
        let callbacks = self.callbacks.get(module).into_iter().flatten();
        let is_callback =
            callbacks.filter(|(callback, _)| **callback == *name).any(|(_, arity)| takes(*arity));
        symbol.public
            && (by_convention
                || is_callback
                || self.open.contains(module)
                || self.implementations.contains(module))
    }

    fn doubt(&self, symbol: &Symbol) -> Option<Doubt> {
        let named = symbol.public && self.named.contains(&symbol.module);
        let extended = self.extended.contains(&symbol.module)
            || self.guessed.contains(&(symbol.module.clone(), symbol.name.clone()));
        let doubts = [
            (named, Doubt::ModuleIsNamed),
            (extended, Doubt::ModuleIsExtended),
            (self.quoted_names.contains(&symbol.name), Doubt::NameIsQuoted),
            (!symbol.public && self.quoting.contains(&symbol.module), Doubt::ModuleIsQuoted),
        ];
        doubts.into_iter().find(|(holds, _)| *holds).map(|(_, doubt)| doubt)
    }
}

/// The behaviours of each module and what it uses, also what comes along with what it uses.
fn behaviours(files: &[&FileFacts]) -> BTreeMap<Arc<str>, BTreeSet<Arc<str>>> {
    // Of a module in itself, and in code that it quotes for others.
    let mut written: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
    let mut quoted: FxHashMap<Arc<str>, BTreeSet<Arc<str>>> = FxHashMap::default();
    for facts in files {
        for reference in &facts.references {
            let is_ours = matches!(reference.kind, ReferenceKind::Use | ReferenceKind::Behaviour);
            let from = reference.from.and_then(|from| facts.definitions.get(from as usize));
            let (true, Some(from), Some(module)) = (is_ours, from, &reference.module) else { continue };
            let list = if reference.basis.is_certain() {
                written.entry(from.module.clone()).or_default()
            } else {
                quoted.entry(from.module.clone()).or_default()
            };
            list.insert(module.clone());
        }
    }
    for brought in written.values_mut() {
        let mut open: Vec<Arc<str>> = brought.iter().cloned().collect();
        while let Some(module) = open.pop() {
            for next in quoted.get(&module).into_iter().flatten() {
                if brought.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::graph::testing::{calling, facts};

    fn dead(files: &str, options: &DeadOptions) -> Vec<String> {
        let dead = CodeGraph::build(facts(files)).dead(options, &Cancel::new()).unwrap();
        let text = |dead: &Dead| {
            let doubt = dead.doubt.map(|doubt| format!(" {}", doubt.as_str())).unwrap_or_default();
            format!("{}{doubt}", dead.symbol.qualified())
        };
        dead.iter().map(text).collect()
    }

    fn closed() -> DeadOptions {
        DeadOptions { public: false, ..DeadOptions::default() }
    }

    #[test]
    fn what_only_the_dead_call_is_dead() {
        let files = "
            == a.ex
            defmodule A do
              def used, do: helper()
              def unused, do: lost()
              defp helper, do: 1
              defp lost, do: other()
              defp other, do: lost()
            end
            == a_test.exs
            defmodule ATest do
              use ExUnit.Case
              test \"a\", do: A.used()
            end";
        assert_eq!(dead(files, &closed()), ["A.unused/0", "A.lost/0", "A.other/0"]);
        assert!(dead(files, &DeadOptions::default()).is_empty());
        let without_tests = DeadOptions { tests: false, ..closed() };
        assert_eq!(dead(files, &without_tests).len(), 5);
    }

    #[test]
    fn what_behaviours_and_frameworks_call_is_alive() {
        let files = "
            == a.ex
            defmodule Shape do
              @callback area(t :: term) :: number
              defmacro __using__(_) do
                quote do
                  @behaviour Shape
                end
              end
            end
            defmodule Square do
              use Shape
              def area(x), do: side(x)
              def other(x), do: x
              defp side(x), do: x
            end
            defmodule Circle do
              @behaviour Shape
              def area(_, _ \\\\ 1), do: 1
              def area2(_), do: 1
            end
            defmodule Server do
              use GenServer
              def init(x), do: {:ok, x}
              def handle_call(_, _, s), do: {:reply, 1, s}
              def handle_other(_), do: 1
            end
            defmodule Odd do
              use Outside
              def anything, do: 1
              defp hidden, do: 1
            end
            defmodule Mix.Tasks.Go do
              use Mix.Task
              def run(_), do: 1
            end
            defmodule App do
              def start(_, _), do: 1
              def child_spec(_), do: 1
            end
            defimpl Inspect, for: Square do
              def inspect(x, _), do: help(x)
              defp help(x), do: x
              defp rest(x), do: x
            end
            defmodule Oops do
              defexception [:x]
              def message(_), do: 1
              def fine(_), do: 1
            end";
        assert_eq!(
            dead(files, &closed()),
            [
                "Square.other/1",
                "Circle.area2/1",
                "Server.handle_other/1",
                "Odd.hidden/0 module_is_extended",
                "Inspect.Square.rest/1",
                "Oops.fine/1",
            ]
        );
    }

    #[test]
    fn what_is_guessed_or_handed_around_is_in_doubt() {
        let files = "
            == a.ex
            defmodule A do
              def by_name, do: 1
              def public, do: 1
              defp private, do: 1
            end
            defmodule B do
              @handlers [A]
              def go, do: apply(A, :by_name, [])
              defmacro make(list), do: quote(do: spliced(unquote_splicing(list)))
              defp computed, do: 1
            end
            defmodule C do
              require B
              def c, do: B.make([1])
              defp spliced(_), do: 1
              defwidget shown(x), do: x
            end";
        assert_eq!(
            dead(files, &closed()),
            [
                "A.public/0 module_is_named",
                "A.private/0",
                "B.go/0",
                "B.make/1",
                "B.computed/0 module_is_quoted",
                "C.c/0",
                "C.spliced/1 name_is_quoted",
                "C.shown/1 module_is_extended"
            ]
        );
    }

    #[test]
    fn the_list_is_sorted_for_the_search() {
        assert!(KNOWN.is_sorted_by_key(|(name, _)| *name));
    }

    proptest! {
        #[test]
        fn the_dead_are_those_of_brute_force(
            calls in prop::collection::vec((0..9_usize, 0..9_usize), 0..16),
            roots in prop::collection::vec(0..9_usize, 0..3),
        ) {
            let graph = calling(9, &calls);
            let id = |node: &usize| graph.find(&format!("M{node:03}.f/0")).unwrap()[0].id;
            let options = DeadOptions { roots: roots.iter().map(id).collect(), ..closed() };
            let mut alive: BTreeSet<usize> = roots.iter().copied().collect();
            for _ in 0..9 {
                let next: Vec<_> = calls.iter().filter(|call| alive.contains(&call.0)).map(|call| call.1).collect();
                alive.extend(next);
            }
            let expected: Vec<_> = (0..9).filter(|node| !alive.contains(node)).map(|node| id(&node)).collect();
            let found = graph.dead(&options, &Cancel::new()).unwrap();
            prop_assert_eq!(found.iter().map(|dead| dead.symbol.id).collect::<Vec<_>>(), expected);
        }
    }
}
