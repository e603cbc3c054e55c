//! What Elixir code says of templates: which files a module takes in, and what is rendered by its name.

use std::sync::Arc;

use tree_sitter::Node;

use crate::syntax::literal::{atom, string};
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitTask};
use crate::syntax::{Basis, DefinitionKind, ReferenceKind};

/// Libraries whose functions take the name of a template, most often by an import.
const RENDERERS: [&str; 3] = ["Phoenix.Controller", "Phoenix.Template", "Phoenix.View"];

impl<'t> ElixirReader<'t> {
    /// Reads a call that may have to do with templates.
    pub(in crate::syntax) fn renders(
        &mut self,
        node: Node<'t>,
        module: Option<Arc<str>>,
        name: &str,
        arguments: &[Node<'t>],
    ) {
        let is_phoenix = module.as_deref().is_none_or(|module| RENDERERS.contains(&module));
        match name {
            "render" | "render_to_string" | "render_to_iodata" | "render_existing" | "render_many"
            | "render_one" | "render_layout"
                if is_phoenix =>
            {
                self.render(arguments)
            }
            "put_view" | "put_new_view" if is_phoenix => self.views(arguments),
            "put_layout" | "put_new_layout" | "put_root_layout" if is_phoenix => self.layouts(arguments),
            "plug" if module.is_none() => {
                let plug = arguments.first().and_then(|plug| atom(*plug, self.source));
                if let Some(name) = plug.filter(|name| name.starts_with("put_")) {
                    self.renders(node, None, name, &arguments[1..]);
                }
            }
            "embed_templates"
                if matches!(module.as_deref(), None | Some("Phoenix.Component" | "Phoenix.Template")) =>
            {
                self.embed(arguments)
            }
            "eval_file" | "compile_file" if module.as_deref() == Some("EEx") => self.file(arguments.first()),
            "function_from_file" | "function_from_string" if module.as_deref() == Some("EEx") => {
                self.function(node, name == "function_from_file", arguments)
            }
            _ => {}
        }
    }

    /// `render(conn, :name, …)`, `render(Mod, "name.html", …)` and the like: the view is a module before the name.
    fn render(&mut self, arguments: &[Node<'t>]) {
        let mut view = None;
        for argument in arguments.iter().take(3) {
            if let Some(template) = self.template_name(*argument) {
                return self.rendered(*argument, view, &template);
            }
            view = view.or_else(|| self.module_of(*argument));
        }
    }

    /// `put_view(conn, Mod)` and `put_view(conn, html: Mod)`.
    fn views(&mut self, arguments: &[Node<'t>]) {
        let pairs = self.pairs(arguments).into_iter().map(|(_, value)| value);
        for value in arguments.iter().copied().chain(pairs) {
            if matches!(value.kind(), "alias" | "dot" | "identifier")
                && let Some(module) = self.module_of(value)
            {
                self.rendered(value, Some(module), "");
            }
        }
    }

    /// `put_layout(conn, :name)` and `put_root_layout(conn, html: {Mod, :name})`.
    fn layouts(&mut self, arguments: &[Node<'t>]) {
        let pairs = self.pairs(arguments).into_iter().map(|(_, value)| value);
        for value in arguments.iter().copied().chain(pairs) {
            let parts = if value.kind() == "tuple" { self.children(value) } else { vec![value] };
            let (module, name) = match parts[..] {
                [name] => (None, name),
                [module, name] => (self.module_of(module), name),
                _ => continue,
            };
            if let Some(template) = self.template_name(name) {
                self.rendered(name, module, &template);
            }
        }
    }

    /// `embed_templates "page_html/*"`.
    fn embed(&mut self, arguments: &[Node<'t>]) {
        let Some((pattern, options)) = arguments.split_first() else { return };
        let root = self.pairs(options).into_iter().find(|(key, _)| *key == "root").map(|(_, value)| value);
        let folder = match root {
            None => Some(self.folder().to_owned()),
            Some(root) if self.text(root) == "__DIR__" => Some(self.folder().to_owned()),
            Some(root) => self.written(root).and_then(|root| resolve("", &root)),
        };
        let pattern_text = self.written(*pattern);
        if let Some(glob) = folder.zip(pattern_text).and_then(|(folder, glob)| resolve(&folder, &glob)) {
            self.reference_at(ReferenceKind::Render, span(*pattern), None, glob.into(), None, Basis::Written);
        }
    }

    /// A template that is given by its path.
    fn file(&mut self, argument: Option<&Node<'t>>) {
        let Some(site) = argument.copied() else { return };
        let path = match self.written(site) {
            Some(path) => resolve("", &path),
            None => self.beside(site),
        };
        if let Some(path) = path {
            self.rendered(site, None, &path);
        }
    }

    /// `Path.join(__DIR__, "name")` and `Path.expand("name", __DIR__)`.
    fn beside(&mut self, call: Node<'t>) -> Option<String> {
        let target = call.child_by_field_name("target").map(|target| self.text(target));
        let (here, name) = match (target?, &self.arguments(call)[..]) {
            ("Path.join", [here, name]) | ("Path.expand", [name, here]) => (*here, *name),
            _ => return None,
        };
        let name = self.written(name).filter(|_| self.text(here) == "__DIR__")?;
        resolve(self.folder(), &name)
    }

    /// `EEx.function_from_file(:def, :name, "path", [:a])` and `EEx.function_from_string(:def, :name, "…", [:a])` define
    /// `name/1`.
    fn function(&mut self, node: Node<'t>, is_file: bool, arguments: &[Node<'t>]) {
        let [kind, name, template, rest @ ..] = arguments else { return };
        let parameters = match rest.first() {
            Some(list) if list.kind() == "list" => self.children(*list).len(),
            Some(_) => return,
            None => 0,
        };
        let (Some(kind), Some(name)) = (atom(*kind, self.source), atom(*name, self.source)) else { return };
        let (Some(module), Ok(arity)) = (self.module().name.clone(), u8::try_from(parameters)) else {
            return;
        };
        if self.quotes > 0 || !matches!(kind, "def" | "defp") {
            return;
        }
        let index =
            self.clause(node, DefinitionKind::Function, kind == "def", (module, name, arity), 0, node);
        self.owners.push(Some(index));
        if is_file {
            self.file(Some(template));
            self.owners.pop();
            return;
        }
        self.functions += 1;
        self.tasks.push(VisitTask::LeaveFunction(None));
        if let Some(template) = self.template_at(*template) {
            self.template(template);
        }
    }

    fn rendered(&mut self, site: Node<'t>, module: Option<Arc<str>>, name: &str) {
        self.reference_at(ReferenceKind::Render, span(site), module, name.into(), None, Basis::Convention);
    }

    /// The template that `:name` or `"name.html"` names.
    fn template_name(&mut self, node: Node<'t>) -> Option<String> {
        if node.kind() == "atom" || node.kind() == "quoted_atom" {
            return atom(node, self.source).map(str::to_owned);
        }
        let written = self.written(node)?;
        let folder = written.rfind('/').map_or(0, |at| at + 1);
        let end = written[folder..].rfind('.').filter(|at| *at > 0).map_or(written.len(), |at| folder + at);
        Some(written[..end].to_owned())
    }

    /// The value of a string that holds no code.
    fn written(&mut self, node: Node<'t>) -> Option<String> {
        let is_plain =
            node.kind() == "string" && self.children(node).iter().all(|part| part.kind() != "interpolation");
        is_plain.then(|| string(node, self.source)).flatten().filter(|text| !text.contains("#{"))
    }

    fn folder(&self) -> &'t str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// The path of `relative` in `folder` without `.` and `..`; `None` if it leads out of the project.
fn resolve(folder: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts = Vec::new();
    for part in folder.split('/').chain(relative.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}
