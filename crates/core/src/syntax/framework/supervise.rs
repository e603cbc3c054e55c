//! Supervisors and their children, and servers that are started.

use tree_sitter::Node;

use super::CallSite;
use crate::syntax::reader::ElixirReader;
use crate::syntax::{Basis, ReferenceKind};

impl<'t> ElixirReader<'t> {
    /// `children = [...]`, as lists of children are called.
    pub(in crate::syntax) fn assigned(&mut self, left: Option<Node<'t>>, right: Option<Node<'t>>) {
        let Some((left, right)) = left.zip(right).filter(|_| self.quotes == 0) else { return };
        let name = if left.kind() == "identifier" { self.text(left) } else { "" };
        if is_children(name) {
            self.children_of(right);
        }
    }

    /// Functions of supervisors that take children.
    pub(super) fn supervisor_call(&mut self, call: &CallSite<'_, 't>) {
        match call.name {
            "start_link" | "init" => {
                if let Some(list) = call.argument(0).filter(|list| list.kind() == "list") {
                    self.children_of(list);
                }
            }
            "start_child" => self.supervise_argument(call, 1),
            "child_spec" => self.supervise_argument(call, 0),
            _ => {}
        }
    }

    /// A call with a child as its argument of this number.
    pub(super) fn supervise_argument(&mut self, call: &CallSite<'_, 't>, number: usize) {
        if let Some(child) = call.argument(number) {
            self.child(child);
        }
    }

    /// `worker(Mod, [a, b])` of the time before child specifications.
    pub(super) fn worker(&mut self, call: &CallSite<'_, 't>) {
        let (Some(child), Some(list)) = (call.argument(0), call.argument(1)) else { return };
        if list.kind() != "list" {
            return;
        }
        if let Some(module) = self.literal_module(child) {
            self.tie(ReferenceKind::Supervise, child, module.clone(), Basis::Convention);
            let options = self.pairs(call.arguments.get(2..).unwrap_or_default());
            if let (Ok(arity), false) =
                (u8::try_from(list.named_child_count()), options.iter().any(|(key, _)| *key == "function"))
            {
                self.tie_call(child, module, "start_link", arity, Basis::ByName);
            }
        }
    }

    /// `GenServer.start_link(Mod, argument)` and its like call `Mod.init/1`.
    pub(super) fn server_start(&mut self, call: &CallSite<'_, 't>) {
        let starts = matches!(
            call.remote.as_deref(),
            Some(
                "GenServer"
                    | "GenStage"
                    | "Supervisor"
                    | "DynamicSupervisor"
                    | ":gen_server"
                    | ":gen_statem"
                    | ":supervisor"
            )
        );
        if !starts || !matches!(call.name, "start" | "start_link" | "start_monitor") {
            return;
        }
        // Behind `{:local, name}` the module is the second.
        for argument in call.arguments.iter().take(2) {
            if let Some(module) = self.literal_module(*argument) {
                return self.tie_call(*argument, module, "init", 1, Basis::Convention);
            }
        }
    }

    /// The children in a list, in lists that are added to it, and in what is piped on from it.
    pub(super) fn children_of(&mut self, list: Node<'t>) {
        let mut open = vec![list];
        while let Some(node) = open.pop() {
            match (node.kind(), self.operator(node)) {
                ("list", _) => {
                    for part in self.children(node) {
                        let tail = self.operator(part) == Some("|");
                        let tail = if tail { part.child_by_field_name("right") } else { None };
                        open.extend(tail);
                        self.child(tail.and(part.child_by_field_name("left")).unwrap_or(part));
                    }
                }
                (_, Some("++")) => {
                    open.extend(node.child_by_field_name("right"));
                    open.extend(node.child_by_field_name("left"));
                }
                (_, Some("|>")) => open.extend(node.child_by_field_name("left")),
                _ => {}
            }
        }
    }

    /// `Mod`, `{Mod, argument}` or `%{start: {Mod, :fun, arguments}}`.
    fn child(&mut self, node: Node<'t>) {
        let (named, start) = match node.kind() {
            "tuple" => (self.children(node).first().copied(), None),
            "map" => {
                let content: Vec<_> =
                    self.children(node).into_iter().flat_map(|part| self.children(part)).collect();
                let start = self.pairs(&content).into_iter().find(|(key, _)| *key == "start");
                let start = start.map(|(_, start)| start).filter(|start| start.kind() == "tuple");
                (start.and_then(|start| start.named_child(0)), start)
            }
            _ => (Some(node), None),
        };
        let Some(named) = named else { return };
        if let Some(module) = self.literal_module(named) {
            self.tie(ReferenceKind::Supervise, named, module.clone(), Basis::Convention);
            if start.is_none() {
                self.tie_call(named, module, "child_spec", 1, Basis::ByName);
            }
        }
    }
}

/// Whether a variable or function of this name holds children.
pub(super) fn is_children(name: &str) -> bool {
    name == "children" || name == "child_specs" || name.ends_with("_children")
}
