//! Messages to processes, and the clauses that handle them.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tree_sitter::Node;

use super::CallSite;
use super::tie::ReferenceTarget;
use crate::syntax::literal::atom;
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitMode};
use crate::syntax::{Basis, ReferenceKind, Shape};

/// The callbacks that a message may go to, with their arities.
const CALL: (&str, u8) = ("handle_call", 3);
const CAST: (&str, u8) = ("handle_cast", 2);
const INFO: (&str, u8) = ("handle_info", 2);
const EVENT: (&str, u8) = ("handle_event", 4);
const CONTINUE: (&str, u8) = ("handle_continue", 2);

/// Who gets a message.
enum Server {
    /// The argument of this number.
    At(usize),
    /// The process that sends it.
    Own,
}

/// Of a call that sends a message: who gets it, which argument it is, and what handles it.
fn sending(module: &str, name: &str, count: usize) -> Option<(Server, usize, (&'static str, u8))> {
    use Server::{At, Own};
    let all = usize::from(count > 2);
    Some(match (module, name) {
        ("GenServer" | "GenStage" | ":gen_server", "call") | (":gen_server", "send_request") => {
            (At(0), 1, CALL)
        }
        ("GenServer" | "GenStage" | ":gen_server", "cast") => (At(0), 1, CAST),
        // With more than a name and a message, the nodes come first.
        ("GenServer" | ":gen_server", "multi_call") => (At(all), all + 1, CALL),
        ("GenServer" | ":gen_server", "abcast") => (At(all), all + 1, CAST),
        ("GenStage", "async_info" | "sync_info") => (At(0), 1, INFO),
        (":gen_statem", "call" | "cast" | "send_request") => (At(0), 1, EVENT),
        ("" | "Kernel" | ":erlang", "send") if count >= 2 => (At(0), 1, INFO),
        ("Process", "send" | "send_after") => (At(0), 1, INFO),
        (":erlang", "send_after" | "start_timer") => (At(1), 2, INFO),
        (":timer", "send_after" | "send_interval") if count == 2 => (Own, 1, INFO),
        (":timer", "send_after" | "send_interval") => (At(1), 2, INFO),
        _ => return None,
    })
}

impl<'t> ElixirReader<'t> {
    /// A call that sends a message. Where it is not known to whom, the module is left open, and of mere sends nothing is
    /// said.
    pub(super) fn message(&mut self, call: &CallSite<'_, 't>) {
        let module = call.remote.as_deref().unwrap_or_default();
        let Some((server, message, handler)) = sending(module, call.name, call.count()) else { return };
        let Some(message) = call.argument(message) else { return };
        let module = match server {
            Server::Own => self.module().name.clone(),
            Server::At(number) => call.argument(number).and_then(|server| self.server(server)),
        };
        if module.is_some() || handler != INFO {
            self.send(call.site, module, handler, message);
        }
    }

    /// The module whose process a server is, by the name that it is registered under.
    fn server(&mut self, node: Node<'t>) -> Option<Arc<str>> {
        let parts = if node.kind() == "tuple" { self.children(node) } else { Vec::new() };
        match parts[..] {
            // `{name, node}`.
            [name, _] => self.literal_module(name),
            _ if node.kind() == "call" && self.text(node) == "self()" => self.module().name.clone(),
            _ => self.literal_module(node),
        }
    }

    fn send(
        &mut self,
        site: Node<'t>,
        module: Option<Arc<str>>,
        (name, arity): (&str, u8),
        message: Node<'t>,
    ) {
        let to = ReferenceTarget { module, name: name.into(), arity: Some(arity) };
        self.refer(self.owner(), ReferenceKind::Message, site, to, Basis::Message);
        let (shape, at) = (self.shape(message), span(site));
        self.messages.push(((at.start, at.end), shape));
    }

    /// A tuple may hold a function by its name, or tell to go on with `{:continue, message}`.
    pub(in crate::syntax) fn tuple(&mut self, node: Node<'t>, mode: VisitMode) {
        if self.quotes > 0 || mode == VisitMode::Pattern {
            return;
        }
        let parts = self.children(node);
        self.function_parts(&parts, 0);
        let first = parts.first().and_then(|first| atom(*first, self.source));
        if let (Some("ok" | "noreply" | "reply"), [_, _, .., last]) = (first, &parts[..])
            && last.kind() == "tuple"
            && let [what, message] = self.children(*last)[..]
            && atom(what, self.source) == Some("continue")
        {
            let own = self.module().name.clone();
            self.send(*last, own, CONTINUE, message);
        }
    }

    /// Remembers which messages a clause takes, if it is one of a callback that gets them.
    pub(super) fn receives(&mut self, function: u32, name: &str, parameters: &[Node<'t>]) {
        let message = match (name, parameters) {
            ("handle_call", [message, _, _])
            | ("handle_cast" | "handle_info" | "handle_continue", [message, _])
            | ("handle_event", [message, _, _])
            // A state machine is told first what kind of event it is.
            | ("handle_event", [_, message, _, _]) => *message,
            _ => return,
        };
        let shape = self.shape(message);
        let clauses = self.facts.definitions.get(function as usize).map_or(0, |known| known.clauses.len());
        let clause = clauses.saturating_sub(1) as u32;
        self.facts.receivers.push(Shape { of: function, clause, shape });
    }

    /// Gives the messages the numbers of their references, once these are in order.
    pub(in crate::syntax) fn settle_messages(&mut self) {
        let shapes: FxHashMap<_, _> = self.messages.drain(..).collect();
        for (index, reference) in self.facts.references.iter().enumerate() {
            let at = (reference.span.start, reference.span.end);
            if reference.kind == ReferenceKind::Message
                && let Some(shape) = shapes.get(&at)
            {
                let shape = Shape { of: index as u32, clause: 0, shape: shape.clone() };
                self.facts.messages.push(shape);
            }
        }
        self.facts.receivers.sort_by_key(|receiver| (receiver.of, receiver.clause));
    }
}
