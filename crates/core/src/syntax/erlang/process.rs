//! What the conventions of Erlang/OTP say: functions that are passed by name, messages, children of supervisors.

use std::sync::Arc;

use tree_sitter::Node;

use super::reader::{ErlangReader, VisitMode, arity};
use crate::syntax::{Basis, ReferenceKind, Shape};

/// Functions that take a module, a function in it and its arguments, among others, to call it.
const CALLERS: &[(&str, &[&str])] = &[
    (
        ":erlang",
        &["apply", "hibernate", "spawn", "spawn_link", "spawn_monitor", "spawn_opt", "spawn_request"],
    ),
    (":erpc", &["call", "cast", "multicall", "multicast", "send_request"]),
    (":proc_lib", &["hibernate", "spawn", "spawn_link", "spawn_opt", "start", "start_link", "start_monitor"]),
    (":rpc", &["async_call", "block_call", "call", "cast", "multicall", "parallel_eval", "pmap"]),
    (":timer", &["apply_after", "apply_interval", "apply_repeatedly", "exit_after", "tc"]),
];

/// Callbacks that handle messages, with their arities.
const CALL: (&str, u8) = ("handle_call", 3);
const CAST: (&str, u8) = ("handle_cast", 2);
const CONTINUE: (&str, u8) = ("handle_continue", 2);
const EVENT: (&str, u8) = ("handle_event", 4);
const INFO: (&str, u8) = ("handle_info", 2);

/// Of a call that sends a message: which argument says who gets it (`None`: the process itself), which one it is, and
/// what handles it.
fn sending(module: &str, name: &str, count: usize) -> Option<(Option<usize>, usize, (&'static str, u8))> {
    // With more than a name and a message, the nodes come first.
    let nodes = usize::from(count > 2);
    Some(match (module, name) {
        (":gen_server", "call" | "send_request") => (Some(0), 1, CALL),
        (":gen_server", "cast") => (Some(0), 1, CAST),
        (":gen_server", "multi_call") => (Some(nodes), nodes + 1, CALL),
        (":gen_server", "abcast") => (Some(nodes), nodes + 1, CAST),
        (":gen_statem", "call" | "cast" | "send_request") => (Some(0), 1, EVENT),
        (":gen_event", "call") => (Some(1), 2, ("handle_call", 2)),
        (":erlang", "send" | "send_nosuspend") => (Some(0), 1, INFO),
        (":erlang", "send_after" | "start_timer") => (Some(1), 2, INFO),
        (":timer", "send_after" | "send_interval") if count == 2 => (None, 1, INFO),
        (":timer", "send_after" | "send_interval") => (Some(1), 2, INFO),
        _ => return None,
    })
}

/// The position of the message among the parameters of a callback that handles messages.
pub(super) fn handled(name: &str, arity: u8) -> Option<usize> {
    match (name, arity) {
        ("handle_call" | "handle_event", 2 | 3) | ("handle_cast" | "handle_info" | "handle_continue", 2) => {
            Some(0)
        }
        // A state machine is told first what kind of event it is.
        ("handle_event", 4) => Some(1),
        _ => None,
    }
}

impl<'t> ErlangReader<'t> {
    /// What the arguments of a call mean by convention.
    pub(super) fn passed(&mut self, module: &str, name: &str, arguments: &[Node<'t>]) {
        let calls = CALLERS.iter().any(|caller| caller.0 == module && caller.1.contains(&name));
        if calls {
            for window in arguments.windows(3) {
                if let [module, function, list] = window
                    && self.function_by_name(*module, *function, *list).is_some()
                {
                    break;
                }
            }
        }
        let Some((receiver, message, handler)) = sending(module, name, arguments.len()) else { return };
        let Some(message) = arguments.get(message) else { return };
        let receiver = receiver.map(|receiver| arguments.get(receiver));
        let module = match receiver {
            Some(receiver) => receiver.and_then(|receiver| self.server(*receiver)),
            None => self.own(),
        };
        let site = receiver.flatten().unwrap_or(message);
        // Of mere sends to whoever it is nothing is said.
        if module.is_some() || handler != INFO {
            self.send(*site, module, handler, *message);
        }
    }

    /// `Name ! Message`.
    pub(super) fn operation(&mut self, node: Node<'t>, mode: VisitMode) {
        if let (Some(receiver), Some(message)) =
            (node.child_by_field_name("lhs"), node.child_by_field_name("rhs"))
            && self
                .source
                .get(receiver.end_byte()..message.start_byte())
                .is_some_and(|sign| sign.trim() == "!")
        {
            let module = self.server(receiver);
            if module.is_some() {
                self.send(receiver, module, INFO, message);
            }
        }
        self.visit_children(node, mode);
    }

    /// `{Id, {m, f, [X]}, Restart, Shutdown, Type, Modules}` is a child of a supervisor, and `{noreply, State, {continue, X}}`
    /// sends a message.
    pub(super) fn tuple(&mut self, node: Node<'t>, mode: VisitMode) {
        if mode == VisitMode::Expression && node.named_child_count() >= 3 {
            let parts = self.children(node);
            if let [_, start, _, _, _, _] = parts[..] {
                self.child(start);
            }
            if let [first, _, .., last] = parts[..]
                && matches!(self.text(first), "ok" | "noreply" | "reply")
                && last.kind() == "tuple"
                && let [what, message] = self.children(last)[..]
                && self.text(what) == "continue"
            {
                let own = self.own();
                self.send(last, own, CONTINUE, message);
            }
        }
        self.visit_children(node, mode);
    }

    /// `start => {m, f, [X]}` is a child of a supervisor.
    pub(super) fn map_field(&mut self, node: Node<'t>, mode: VisitMode) {
        if let (Some(key), Some(value)) = (node.child_by_field_name("key"), node.child_by_field_name("value"))
            && mode == VisitMode::Expression
            && self.text(key) == "start"
        {
            self.child(value);
        }
        self.visit_children(node, mode);
    }

    fn child(&mut self, start: Node<'t>) {
        if start.kind() != "tuple" {
            return;
        }
        if let [module, function, list] = self.children(start)[..]
            && let Some(resolved) = self.function_by_name(module, function, list)
        {
            self.reference(
                ReferenceKind::Supervise,
                module,
                Some(resolved),
                "".into(),
                None,
                Basis::Convention,
            );
        }
    }

    /// A call of `m:f` by `m, f, [X]`. Returns the module.
    fn function_by_name(&mut self, module: Node<'t>, function: Node<'t>, list: Node<'t>) -> Option<Arc<str>> {
        if list.kind() != "list" {
            return None;
        }
        let (module, name) = (self.module_of(module)?, self.name_of(function)?);
        let arguments = self.children(list);
        // The length of `[X | Rest]` is not written.
        if arguments.last().is_some_and(|last| last.kind() == "pipe") {
            return None;
        }
        let arity = arity(arguments.len())?;
        self.reference(ReferenceKind::Call, function, Some(module.clone()), name, Some(arity), Basis::ByName);
        Some(module)
    }

    /// The module whose process a server is, by the name that it is registered under.
    fn server(&mut self, node: Node<'t>) -> Option<Arc<str>> {
        let parts = if node.kind() == "tuple" { self.children(node) } else { Vec::new() };
        match parts[..] {
            [registry, name] if matches!(self.text(registry), "global" | "local") => self.module_of(name),
            // `{Name, Node}`.
            [name, _] => self.module_of(name),
            _ if self.text(node) == "self()" => self.own(),
            _ => self.module_of(node),
        }
    }

    fn send(&mut self, site: Node<'t>, module: Option<Arc<str>>, handler: (&str, u8), message: Node<'t>) {
        let (name, arity) = (handler.0.into(), Some(handler.1));
        let of = self.reference(ReferenceKind::Message, site, module, name, arity, Basis::Message);
        let shape = self.shape(message);
        self.facts.messages.push(Shape { of, clause: 0, shape });
    }
}
