//! Phoenix's routers: scopes, pipelines, routes and resources.

use std::sync::Arc;

use tree_sitter::Node;

use super::CallSite;
use super::context::{LONGEST_NAME, RouteScope};
use super::tie::ReferenceTarget;
use crate::syntax::literal::atom;
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitMode, VisitTask};
use crate::syntax::{Basis, DefinitionKind, ReferenceKind};

/// The macros that are named after a verb of HTTP.
const VERBS: [&str; 9] = ["connect", "delete", "get", "head", "options", "patch", "post", "put", "trace"];

/// What `resources` makes: action, verb, and what it adds to the path. A singleton has no index and no id.
const RESOURCES: [(&str, &str, &str); 8] = [
    ("index", "GET", ""),
    ("edit", "GET", "/:id/edit"),
    ("new", "GET", "/new"),
    ("show", "GET", "/:id"),
    ("create", "POST", ""),
    ("update", "PATCH", "/:id"),
    ("update", "PUT", "/:id"),
    ("delete", "DELETE", "/:id"),
];

/// What Phoenix calls of a live view when its page is asked for, as far as the view has it; everything else of the view
/// answers events.
const LIVE: [(&str, u8); 3] = [("mount", 3), ("handle_params", 3), ("render", 1)];

/// A route passes no more pipelines than these.
const MOST_PIPELINES: usize = 64;

/// A file has no more routes than these; each repeats the path of the scopes around.
const MOST_DEFINITIONS: usize = 50_000;

impl<'t> ElixirReader<'t> {
    /// Reads a word of Phoenix's router; `false` if it is none.
    pub(super) fn phoenix_route(&mut self, call: &CallSite<'_, 't>) -> bool {
        match (call.name, call.arguments) {
            ("scope", [_, ..]) => self.route_scope(call),
            ("pipeline", [name, ..]) => return self.pipeline(call, *name),
            ("pipe_through", [plugs, ..]) => self.pipe_through(call, *plugs),
            ("resources", [path, controller, ..]) => self.resources(call, *path, *controller),
            ("live", [path, view, ..]) => self.live(call, *path, *view),
            ("live_session", [_, ..]) => self.live_session(call),
            ("forward", [path, plug, rest @ ..]) => {
                let route = self.route("*", *path, None, call.node);
                self.answer(route, *plug, (*plug, "call"), true);
                self.visit_list(rest, VisitMode::Expression);
            }
            ("match", [verb, path, controller, rest @ ..]) => {
                let verb = atom(*verb, self.source).unwrap_or("*").to_ascii_uppercase();
                self.controller_route(call, &verb, *path, *controller, rest);
            }
            (verb, [path, controller, rest @ ..]) if VERBS.contains(&verb) => {
                self.controller_route(call, &verb.to_ascii_uppercase(), *path, *controller, rest);
            }
            _ => return false,
        }
        self.macro_call(call);
        true
    }

    fn route_scope(&mut self, call: &CallSite<'_, 't>) {
        let options = self.pairs(call.arguments);
        let option = |wanted: &str| options.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
        let mut written = call.arguments.iter().filter(|one| !matches!(one.kind(), "keywords" | "list"));
        let path = written.next().copied().or_else(|| option("path"));
        let alias = written.next().copied().or_else(|| option("alias"));
        let mut inner = self.module().framework.routes.clone();
        if let Some(path) = path {
            inner.enter_path(&self.path(path));
        }
        self.enter_alias(&mut inner, alias);
        self.enter_routes(call, inner, &options);
        self.visit_options(&options, &["path", "alias"]);
    }

    /// `alias: false` takes away the aliases of the scopes around; any other is added to them.
    fn enter_alias(&mut self, routes: &mut RouteScope, alias: Option<Node<'t>>) {
        let Some(alias) = alias else { return };
        if self.text(alias) == "false" {
            routes.alias = None;
        } else if let Some(module) = self.literal_module(alias) {
            let scoped = routes.scoped(module);
            if scoped.len() <= LONGEST_NAME {
                routes.alias = Some(scoped);
            }
        }
    }

    fn enter_routes(&mut self, call: &CallSite<'_, 't>, inner: RouteScope, options: &[(&'t str, Node<'t>)]) {
        let outer = std::mem::replace(&mut self.module().framework.routes, inner);
        self.tasks.push(VisitTask::LeaveRoutes(Box::new(outer)));
        self.visit_body(call, options);
    }

    fn pipeline(&mut self, call: &CallSite<'_, 't>, name: Node<'t>) -> bool {
        let (Some(name), Some(module)) = (atom(name, self.source), self.module().name.clone()) else {
            return false;
        };
        self.macro_call(call);
        let name = self.intern(name);
        let index = self.fact(DefinitionKind::Pipeline, module, name, Vec::new(), span(call.node));
        self.owners.push(Some(index));
        self.tasks.push(VisitTask::LeaveOwner);
        let options = self.pairs(call.arguments);
        self.visit_body(call, &options);
        true
    }

    fn pipe_through(&mut self, call: &CallSite<'_, 't>, plugs: Node<'t>) {
        let plugs = if plugs.kind() == "list" { self.children(plugs) } else { vec![plugs] };
        for plug in plugs {
            if let Some(name) = atom(plug, self.source) {
                let name = self.intern(name);
                let to = ReferenceTarget { module: None, name: name.clone(), arity: Some(2) };
                self.refer(self.owner(), ReferenceKind::Plug, plug, to, Basis::Convention);
                self.pass_through(name);
            } else if let Some(module) = self.plug_module(plug) {
                self.pass_through(module);
            } else {
                self.visit_all([plug], VisitMode::Expression);
            }
        }
        self.visit_list(call.arguments.get(1..).unwrap_or_default(), VisitMode::Expression);
    }

    fn pass_through(&mut self, pipeline: Arc<str>) {
        let pipelines = &mut self.module().framework.routes.pipelines;
        if pipelines.len() < MOST_PIPELINES {
            pipelines.push(pipeline);
        }
    }

    fn controller_route(
        &mut self,
        call: &CallSite<'_, 't>,
        verb: &str,
        path: Node<'t>,
        controller: Node<'t>,
        rest: &[Node<'t>],
    ) {
        let route = self.route(verb, path, None, call.node);
        let options = self.pairs(rest);
        let scoped = !options.iter().any(|(key, value)| *key == "alias" && self.text(*value) == "false");
        match rest.first().and_then(|action| Some((*action, atom(*action, self.source)?))) {
            Some(action) => {
                self.answer(route, controller, action, scoped);
                self.visit_list(&rest[1..], VisitMode::Expression);
            }
            None => {
                self.answer(route, controller, (controller, "call"), scoped);
                self.visit_list(rest, VisitMode::Expression);
            }
        }
    }

    fn resources(&mut self, call: &CallSite<'_, 't>, path: Node<'t>, controller: Node<'t>) {
        let options = self.pairs(call.arguments.get(2..).unwrap_or_default());
        let option = |wanted: &str| options.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
        let only = option("only").map(|list| self.literal_atoms(list));
        let except = option("except").map(|list| self.literal_atoms(list)).unwrap_or_default();
        let singleton = option("singleton").is_some_and(|value| self.text(value) == "true");
        let param = option("param").and_then(|param| self.literal_text(param));
        let param = param.unwrap_or_else(|| "id".into());
        let base = self.path(path);
        for (action, verb, added) in RESOURCES {
            let excluded = only.as_ref().is_some_and(|only| !only.iter().any(|one| **one == *action));
            if excluded || except.iter().any(|one| **one == *action) || singleton && action == "index" {
                continue;
            }
            let member = if singleton { String::new() } else { format!("/:{param}") };
            let path = format!("{base}{}", added.replacen("/:id", &member, 1));
            let route = self.route_at(verb, &path, None, call.node);
            self.answer(route, controller, (controller, action), true);
        }
        let mut inner = self.module().framework.routes.clone();
        let name = option("name").and_then(|name| self.literal_text(name));
        let name = name.unwrap_or_else(|| resource_name(self.text(controller)));
        inner.enter_path(&base);
        if !singleton {
            inner.enter_path(&format!(":{name}_{param}"));
        }
        self.enter_alias(&mut inner, option("alias"));
        self.enter_routes(call, inner, &options);
        self.visit_options(&options, &["only", "except", "param", "name", "alias", "singleton"]);
    }

    fn live(&mut self, call: &CallSite<'_, 't>, path: Node<'t>, view: Node<'t>) {
        let rest = call.arguments.get(2..).unwrap_or_default();
        let action = rest.first().and_then(|action| atom(*action, self.source));
        let route = self.route("GET", path, action.map(|action| format!(":{action}").into()), call.node);
        if let Some(module) = self.literal_module(view) {
            let module = self.module().framework.routes.scoped(module);
            for (function, arity) in LIVE {
                let to = ReferenceTarget::function(module.clone(), function, arity);
                self.refer(route, ReferenceKind::Route, view, to, Basis::Convention);
            }
            self.refer(route, ReferenceKind::Route, view, ReferenceTarget::module(module), Basis::Convention);
        }
        self.visit_list(rest, VisitMode::Expression);
    }

    fn live_session(&mut self, call: &CallSite<'_, 't>) {
        let options = self.pairs(call.arguments);
        self.visit_body(call, &options);
        for (_, hooks) in options.iter().filter(|(key, _)| *key == "on_mount") {
            self.on_mount(*hooks);
        }
        for (_, session) in options.iter().filter(|(key, _)| *key == "session") {
            // The connection is put before the arguments.
            let parts = if session.kind() == "tuple" { self.children(*session) } else { Vec::new() };
            if !self.function_parts(&parts, 1) {
                self.visit_all([*session], VisitMode::Expression);
            }
        }
        self.visit_options(&options, &["on_mount", "session"]);
    }

    /// A route with a path as written; `action` is what a live view calls its own.
    fn route(&mut self, verb: &str, path: Node<'t>, action: Option<Arc<str>>, node: Node<'t>) -> Option<u32> {
        let path = self.path(path);
        self.route_at(verb, &path, action, node)
    }

    /// A route within the scopes around.
    pub(super) fn route_at(
        &mut self,
        verb: &str,
        path: &str,
        action: Option<Arc<str>>,
        node: Node<'t>,
    ) -> Option<u32> {
        let module = self.module().name.clone()?;
        if self.facts.definitions.len() >= MOST_DEFINITIONS {
            return None;
        }
        let routes = &self.module().framework.routes;
        let path = routes.joined(path);
        let fields = routes.pipelines.iter().cloned().chain(action).collect();
        let name = format!("{verb} {}", if path.is_empty() { "/" } else { &path });
        Some(self.fact(DefinitionKind::Route, module, name.into(), fields, span(node)))
    }

    /// Ties a route to the function of a controller or plug that answers it.
    pub(super) fn answer(
        &mut self,
        route: Option<u32>,
        module: Node<'t>,
        (site, function): (Node<'t>, &str),
        scoped: bool,
    ) {
        let Some(mut module) = self.literal_module(module) else { return };
        if scoped {
            module = self.module().framework.routes.scoped(module);
        }
        let to = ReferenceTarget::function(module, function, 2);
        self.refer(route, ReferenceKind::Route, site, to, Basis::Convention);
    }

    /// A path; what is no text that is written out stands in it as it is written.
    pub(super) fn path(&mut self, node: Node<'t>) -> String {
        match self.literal_text(node) {
            Some(path) => path,
            None => {
                let text = self.text(node);
                text.trim_matches('"').chars().take(LONGEST_NAME / 8).collect()
            }
        }
    }
}

/// What Phoenix calls a resource: the controller's last part without `Controller`, in snake case.
fn resource_name(controller: &str) -> String {
    let last = controller.rsplit('.').next().unwrap_or(controller);
    let last = last.strip_suffix("Controller").unwrap_or(last);
    let letters: Vec<char> = last.chars().take(LONGEST_NAME / 8).collect();
    let mut name = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let begins_word = before.is_some_and(|before| !before.is_uppercase() && *before != '_')
            || before.is_some() && letters.get(at + 1).is_some_and(|after| after.is_lowercase());
        if letter.is_uppercase() && begins_word {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}
