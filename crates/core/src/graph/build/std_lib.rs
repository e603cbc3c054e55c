//! What the standard library defines: Elixir's applications and the modules of Erlang/OTP that code imports from.

use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;

use super::unit::{ImportInForce, Injected, Injection};
use crate::syntax::DefinitionKind;

/// A line for each module, sorted: its name, then its functions and macros, written by `scripts/std_lib.exs` for Elixir
/// 1.14 to 1.18.
const STD_LIB: &str = include_str!("std_lib.txt");

/// The same for much used packages, written by `scripts/packages.exs` from the sources of one version of each: what another
/// version has may differ, so that whatever is concluded from it is a guess.
const PACKAGES: &str = include_str!("packages.txt");

/// What a name of the standard library is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum Known {
    Function,
    /// A function that the compiler replaces by one of another name.
    Inlined,
    Macro,
}

/// Modules with what they define, read once: a graph looks up a name for each call that is written.
type Table = FxHashMap<&'static str, FxHashMap<(&'static str, u8), Known>>;

static STD_LIB_TABLE: LazyLock<Table> = LazyLock::new(|| table(STD_LIB));
static PACKAGES_TABLE: LazyLock<Table> = LazyLock::new(|| table(PACKAGES));

fn table(text: &'static str) -> Table {
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let module = words.next().unwrap_or_default();
            let mut names = FxHashMap::default();
            // Of a name that is there as several things, the first counts.
            for (name, known) in words.filter_map(entry) {
                names.entry(name).or_insert(known);
            }
            (module, names)
        })
        .collect()
}

/// `map/2`, `tap/2!` of a macro, `to_integer/1=` of a function that the compiler replaces.
fn entry(text: &'static str) -> Option<((&'static str, u8), Known)> {
    // A name may hold a slash: `//2`.
    let (name, rest) = text.rsplit_once('/')?;
    let (number, known) = match rest.strip_suffix('!') {
        Some(number) => (number, Known::Macro),
        None => match rest.strip_suffix('=') {
            Some(number) => (number, Known::Inlined),
            None => (rest, Known::Function),
        },
    };
    Some(((name, number.parse().ok()?), known))
}

/// What `module` has under this name.
pub(in crate::graph) fn known(module: &str, name: &str, arity: u8) -> Option<Known> {
    STD_LIB_TABLE.get(module)?.get(&(name, arity)).copied()
}

/// Whether a module of a much used package has something under this name; `None` for all other modules.
pub(super) fn package_has(module: &str, name: &str, arity: u8) -> Option<bool> {
    Some(PACKAGES_TABLE.get(module)?.contains_key(&(name, arity)))
}

/// Whether it can be called anywhere without a module.
pub(crate) fn is_of_kernel(name: &str, arity: u8) -> bool {
    ["Kernel", "Kernel.SpecialForms"].iter().any(|module| known(module, name, arity).is_some())
}

pub(in crate::graph) fn has_module(module: &str) -> bool {
    STD_LIB_TABLE.contains_key(module)
}

/// What the `__using__` of a module of the standard library brings.
pub(in crate::graph) fn injection(module: &str, macro_name: &str) -> Injection {
    let mut injection = Injection::default();
    if macro_name != "__using__" {
        return injection;
    }
    let imports: &[&str] = match module {
        "Bitwise" => &["Bitwise"],
        "ExUnit.Case" => &["ExUnit.Callbacks", "ExUnit.Assertions", "ExUnit.Case", "ExUnit.DocTest"],
        "ExUnit.CaseTemplate" => &["ExUnit.Assertions", "ExUnit.Callbacks", "ExUnit.CaseTemplate"],
        "Mix.Config" => &["Mix.Config"],
        "Ecto.Migration" => &["Ecto.Migration"],
        "Ecto.Schema" => &["Ecto.Schema"],
        "ExMachina" => &["ExMachina"],
        "ExUnitProperties" => &["ExUnitProperties", "StreamData"],
        "Phoenix.ChannelTest" => &["Phoenix.ChannelTest"],
        "Phoenix.Component" => &["Phoenix.Component"],
        "Phoenix.Controller" => &["Phoenix.Controller", "Plug.Conn"],
        "Phoenix.LiveView" => &["Phoenix.LiveView", "Phoenix.Component"],
        "Phoenix.Router" => &["Phoenix.Router", "Phoenix.Controller", "Plug.Conn"],
        "Phoenix.VerifiedRoutes" => &["Phoenix.VerifiedRoutes"],
        "Plug.Builder" => &["Plug.Builder", "Plug.Conn"],
        "Plug.Router" => &["Plug.Router", "Plug.Builder", "Plug.Conn"],
        "Plug.Test" => &["Plug.Test", "Plug.Conn"],
        _ => &[],
    };
    let import = |module: &&str| ImportInForce { module: Arc::from(*module), only: None, except: Vec::new() };
    injection.imports = imports.iter().map(import).collect();
    if matches!(module, "Agent" | "DynamicSupervisor" | "GenServer" | "Supervisor" | "Task") {
        let (name, public) = ("child_spec".into(), true);
        let child_spec =
            Injected { kind: DefinitionKind::Function, name, arity: 1, defaults: 0, public, within: None };
        injection.definitions.push(child_spec);
    }
    let behaviour = match module {
        "Application" | "DynamicSupervisor" | "EEx.Engine" | "GenServer" | "Mix.Task"
        | "Mix.Task.Compiler" | "Supervisor" => Some(module),
        "GenEvent" => Some(":gen_event"),
        _ => None,
    };
    injection.behaviours.extend(behaviour.map(Arc::from));
    injection
}

/// The behaviours that a module probably has by the `use` of one of which nothing is known: that module, whose callbacks the
/// macro mostly prepares, and what it is known to be made with.
pub(in crate::graph) fn likely_behaviours(used: &str) -> impl Iterator<Item = Arc<str>> {
    let plug = matches!(used, "Phoenix.Controller" | "Phoenix.Router" | "Plug.Builder" | "Plug.Router");
    [used].into_iter().chain(plug.then_some("Plug")).map(Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_module_of_the_table_is_found_with_all_that_it_has() {
        let mut count = 0;
        for line in STD_LIB.lines().chain(PACKAGES.lines()) {
            let (module, entries) = line.split_once(' ').unwrap();
            for entry in entries.split(' ').filter(|entry| !entry.is_empty()) {
                let (name, rest) = entry.rsplit_once('/').unwrap();
                let arity = rest.trim_end_matches(['!', '=']).parse().unwrap();
                let is_found =
                    known(module, name, arity).is_some() || package_has(module, name, arity) == Some(true);
                assert!(is_found, "{module}.{entry}");
                count += 1;
            }
        }
        assert!(count > 5000, "{count}");
    }

    #[test]
    fn names_are_told_apart() {
        assert_eq!(known("Enum", "map", 2), Some(Known::Function));
        assert_eq!(known("String", "to_integer", 1), Some(Known::Inlined));
        assert_eq!(known("Kernel", "tap", 2), Some(Known::Macro));
        assert_eq!(known(":math", "pi", 0), Some(Known::Function));
        assert_eq!(known("Kernel", "/", 2), Some(Known::Function));
        assert_eq!(known("Kernel", "!=", 2), Some(Known::Inlined));
        assert_eq!(package_has("Plug.Conn", "send_resp", 3), Some(true));
        assert_eq!(package_has("Plug.Conn", "send_resp", 9), Some(false));
        assert_eq!(package_has("Enum", "map", 2), None);
        assert_eq!(known("Enum", "map", 3), None);
        assert_eq!(known("Enu", "map", 2), None);
        assert_eq!(known("", "", 0), None);
        assert_eq!(known("zz", "map", 2), None);
    }
}
