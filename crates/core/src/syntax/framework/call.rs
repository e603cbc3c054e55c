//! Which calls mean something to a framework.

use std::sync::Arc;

use tree_sitter::Node;

use super::context::Router;
use crate::syntax::reader::{ElixirReader, VisitMode};

/// A call as the pass has taken it apart.
pub(in crate::syntax) struct CallSite<'a, 't> {
    /// All of it.
    pub(in crate::syntax) node: Node<'t>,
    /// The name that is called.
    pub(in crate::syntax) site: Node<'t>,
    pub(in crate::syntax) name: &'t str,
    /// The module whose function it is, unless it is called by the name alone.
    pub(in crate::syntax) remote: Option<Arc<str>>,
    pub(in crate::syntax) arguments: &'a [Node<'t>],
    pub(in crate::syntax) block: Option<Node<'t>>,
    pub(in crate::syntax) mode: VisitMode,
}

impl<'t> CallSite<'_, 't> {
    /// Whether the first argument comes through a pipe.
    pub(super) fn piped(&self) -> bool {
        self.mode == VisitMode::Piped
    }

    /// The argument of this number; `None` also for one that comes through a pipe.
    pub(super) fn argument(&self, number: usize) -> Option<Node<'t>> {
        let number = number.checked_sub(usize::from(self.piped()))?;
        self.arguments.get(number).copied()
    }

    /// How many arguments there are, a pipe's included.
    pub(super) fn count(&self) -> usize {
        self.arguments.len() + usize::from(self.piped())
    }
}

impl<'t> ElixirReader<'t> {
    /// Says what the call ties together. Returns `true` if that includes all that is in it, so that the pass need not
    /// look inside.
    pub(in crate::syntax) fn framework_call(&mut self, call: &CallSite<'_, 't>) -> bool {
        if self.quotes > 0 || matches!(call.mode, VisitMode::Pattern | VisitMode::Segment) {
            return false;
        }
        if call.remote.is_some() {
            return self.remote_framework_call(call);
        }
        (self.functions == 0 && self.statement_of_framework(call))
            || self.query_call(call)
            || self.plain_framework_call(call)
    }

    /// Words that stand in the body of a module or of a file.
    fn statement_of_framework(&mut self, call: &CallSite<'_, 't>) -> bool {
        let context = &self.module().framework;
        let (router, open, sockets, config) = (context.router, context.open, context.sockets, context.config);
        match (call.name, router) {
            ("plug", _) if open => self.plug(call),
            ("on_mount", _) if open => self.on_mount_of(call),
            ("socket" | "channel", _) if sockets => self.socket(call),
            ("config", _) if config => self.config(call),
            ("doctest", _) => self.doctest(call),
            ("defoverridable", _) => self.overridable(call),
            ("schema" | "typed_schema" | "embedded_schema" | "typed_embedded_schema", _) => self.schema(call),
            (_, Some(Router::Phoenix)) if self.phoenix_route(call) => true,
            (_, Some(Router::Plug)) if self.plug_route(call) => true,
            _ => self.association(call),
        }
    }

    /// Calls that may stand anywhere, and whose arguments are read as those of any other.
    fn plain_framework_call(&mut self, call: &CallSite<'_, 't>) -> bool {
        match call.name {
            "table" | "index" | "unique_index" | "references" | "constraint"
                if self.module().framework.migration =>
            {
                self.table(call);
            }
            "worker" | "supervisor" => self.worker(call),
            "start_supervised" | "start_supervised!" | "start_link_supervised!" => {
                self.supervise_argument(call, 0);
            }
            _ => self.request(call),
        }
        self.message(call);
        self.named_by_variable(call);
        false
    }

    fn remote_framework_call(&mut self, call: &CallSite<'_, 't>) -> bool {
        let module = call.remote.as_deref().unwrap_or_default();
        match module {
            "Ecto.Query" => return self.query_call(call),
            "Supervisor" | "DynamicSupervisor" | "PartitionSupervisor" => self.supervisor_call(call),
            "Application" => self.environment(call),
            _ if module.ends_with("Repo") => self.repository_call(call),
            _ => {}
        }
        self.server_start(call);
        self.message(call);
        self.named_by_variable(call);
        false
    }
}
