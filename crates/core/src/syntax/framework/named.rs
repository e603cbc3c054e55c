//! Functions that are passed by their names, beyond `Mod, :fun, [a, b]` among the arguments of a call.

use tree_sitter::Node;

use super::CallSite;
use super::tie::ReferenceTarget;
use crate::syntax::literal::atom;
use crate::syntax::reader::ElixirReader;
use crate::syntax::{Basis, ReferenceKind};

/// What calls a function that it is given by module, name and list of arguments. Sorted by module and name.
pub(super) const CALLERS: [(&str, &str); 29] = [
    ("", "apply"),
    ("", "spawn"),
    ("", "spawn_link"),
    ("", "spawn_monitor"),
    (":erlang", "apply"),
    (":erlang", "spawn"),
    (":erlang", "spawn_link"),
    (":erpc", "call"),
    (":erpc", "cast"),
    (":erpc", "multicall"),
    (":rpc", "async_call"),
    (":rpc", "block_call"),
    (":rpc", "call"),
    (":rpc", "cast"),
    (":rpc", "multicall"),
    (":timer", "apply_after"),
    (":timer", "apply_interval"),
    ("Kernel", "apply"),
    ("Kernel", "spawn"),
    ("Kernel", "spawn_link"),
    ("Node", "spawn"),
    ("Node", "spawn_link"),
    ("Process", "spawn"),
    ("Task", "async"),
    ("Task", "start"),
    ("Task", "start_link"),
    ("Task.Supervisor", "async"),
    ("Task.Supervisor", "async_nolink"),
    ("Task.Supervisor", "start_child"),
];

/// How many arguments a call puts before those that are listed.
pub(in crate::syntax) fn put_before(module: &str, name: &str) -> usize {
    usize::from(match module {
        "Agent" => matches!(name, "get" | "update" | "get_and_update" | "cast"),
        "Task" | "Task.Supervisor" => name.starts_with("async_stream"),
        _ => false,
    })
}

impl<'t> ElixirReader<'t> {
    /// `apply(Mod, :fun, arguments)`: how many arguments these are, nobody can tell.
    pub(super) fn named_by_variable(&mut self, call: &CallSite<'_, 't>) {
        let module = call.remote.as_deref().unwrap_or_default();
        if CALLERS.binary_search(&(module, call.name)).is_err() {
            return;
        }
        for window in call.arguments.windows(3) {
            if let [module, name, list] = window
                && list.kind() != "list"
                && name.kind() == "atom"
                && let Some(module) = self.literal_module(*module)
                && let Some(function) = atom(*name, self.source)
            {
                let to = ReferenceTarget { module: Some(module), name: function.into(), arity: None };
                self.refer(self.owner(), ReferenceKind::Call, *name, to, Basis::ByName);
            }
        }
    }

    /// The parts of `{Mod, :fun, [a, b]}`, with so many arguments put before; `false` if they are something else.
    pub(super) fn function_parts(&mut self, parts: &[Node<'t>], before: u8) -> bool {
        if let [module, name, list] = parts
            && list.kind() == "list"
            && name.kind() == "atom"
            && let Some(function) = atom(*name, self.source)
            && let Some(module) = self.literal_module(*module)
            && let Some(count) = self.listed(*list).and_then(|count| count.checked_add(before))
        {
            // A function that names itself says where an error comes from.
            let own = self.owner().and_then(|own| self.facts.definitions.get(own as usize));
            if own.is_none_or(|own| (&own.module, &*own.name) != (&module, function)) {
                self.tie_call(*name, module, function, count, Basis::ByName);
            }
            return true;
        }
        false
    }

    /// How many elements a list has; `None` where its text does not say it.
    fn listed(&mut self, list: Node<'t>) -> Option<u8> {
        let mut count = 0;
        for part in self.children(list) {
            match part.kind() {
                "keywords" => count += part.named_child_count(),
                _ if self.operator(part) == Some("|") => return None,
                _ => count += 1,
            }
        }
        u8::try_from(count).ok()
    }
}
