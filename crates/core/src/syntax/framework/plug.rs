//! Plugs, and what else Phoenix mounts: hooks of live views, sockets and channels.

use std::sync::Arc;

use tree_sitter::Node;

use super::CallSite;
use super::context::Router;
use super::tie::ReferenceTarget;
use crate::syntax::literal::atom;
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitMode, VisitTask};
use crate::syntax::{Basis, DefinitionKind, ReferenceKind};

impl<'t> ElixirReader<'t> {
    /// `plug :name, options` and `plug Mod, options`, each with or without a guard at its end.
    pub(super) fn plug(&mut self, call: &CallSite<'_, 't>) -> bool {
        let (mut arguments, mut guard) = (call.arguments.to_vec(), None);
        if let Some(last) = arguments.last_mut().filter(|last| self.operator(**last) == Some("when"))
            && let Some(left) = last.child_by_field_name("left")
        {
            guard = last.child_by_field_name("right");
            *last = left;
        }
        let Some((plug, options)) = arguments.split_first() else { return false };
        if let Some(name) = atom(*plug, self.source) {
            // Plug's router defines these two itself.
            let own = self.module().framework.router == Some(Router::Plug);
            if !(own && matches!(name, "match" | "dispatch")) {
                self.reference(ReferenceKind::Call, *plug, None, name, Some(2), Basis::Convention);
            }
        } else if self.plug_module(*plug).is_none() {
            return false;
        }
        self.macro_call(call);
        if guard.is_some() {
            self.scopes.enter(call.node.end_byte());
            self.tasks.push(VisitTask::LeaveScope);
            ["action", "conn", "controller"].into_iter().for_each(|name| self.scopes.bind(name));
        }
        self.visit_all(guard, VisitMode::Expression);
        self.visit_list(options, VisitMode::Expression);
        true
    }

    /// Ties the definition around to a module that is a plug.
    pub(super) fn plug_module(&mut self, plug: Node<'t>) -> Option<Arc<str>> {
        let module = self.literal_module(plug)?;
        self.tie(ReferenceKind::Plug, plug, module.clone(), Basis::Written);
        // Tesla's middleware also gets what comes after it, and is not initialised.
        let tesla = self.module().framework.tesla;
        if !tesla {
            self.tie_call(plug, module.clone(), "init", 1, Basis::Convention);
        }
        self.tie_call(plug, module.clone(), "call", if tesla { 3 } else { 2 }, Basis::Convention);
        Some(module)
    }

    pub(super) fn on_mount_of(&mut self, call: &CallSite<'_, 't>) -> bool {
        let [hooks] = call.arguments else { return false };
        self.macro_call(call);
        self.on_mount(*hooks);
        true
    }

    /// The hooks of live views: `Mod`, `{Mod, argument}`, or a list of them.
    pub(super) fn on_mount(&mut self, hooks: Node<'t>) {
        let hooks = if hooks.kind() == "list" { self.children(hooks) } else { vec![hooks] };
        for hook in hooks {
            let name = if hook.kind() == "tuple" { hook.named_child(0) } else { Some(hook) };
            if let Some((site, module)) = name.and_then(|site| Some((site, self.literal_module(site)?))) {
                self.tie_call(site, module, "on_mount", 4, Basis::Convention);
            }
            self.visit_all([hook], VisitMode::Expression);
        }
    }

    /// An endpoint's `socket` and a socket's `channel`, as routes of their own kind.
    pub(super) fn socket(&mut self, call: &CallSite<'_, 't>) -> bool {
        let [path, handler, rest @ ..] = call.arguments else { return false };
        let (Some(path), Some(module)) = (self.literal_text(*path), self.literal_module(*handler)) else {
            return false;
        };
        self.macro_call(call);
        let route = match call.name {
            "socket" => self.route_at("SOCKET", &path, None, call.node),
            _ => self.channel_at(&path, call.node),
        };
        self.refer(route, ReferenceKind::Route, *handler, ReferenceTarget::module(module), Basis::Convention);
        self.visit_list(rest, VisitMode::Expression);
        true
    }

    fn channel_at(&mut self, topic: &str, node: Node<'t>) -> Option<u32> {
        let module = self.module().name.clone()?;
        let name = format!("CHANNEL {topic}").into();
        Some(self.fact(DefinitionKind::Route, module, name, Vec::new(), span(node)))
    }
}
