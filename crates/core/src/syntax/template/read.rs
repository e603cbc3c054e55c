//! Reads templates where they stand: their code, the components they use, and verified routes.

use tree_sitter::Node;

use super::overlay::EmbeddedTemplate;
use super::scan::Component;
use crate::source::Span;
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitMode, VisitTask, keep_pattern};
use crate::syntax::{Basis, Definition, DefinitionKind, ReferenceKind};

const KERNEL_SIGILS: [&str; 12] = ["C", "D", "N", "R", "S", "T", "U", "W", "c", "r", "s", "w"];

impl<'t> ElixirReader<'t> {
    /// Reads a file that is a template.
    pub(in crate::syntax) fn template_file(&mut self, template: &'t EmbeddedTemplate) {
        let whole = Span { start: 0, end: template.range.end as u32, line_start: 1, line_end: 1 };
        self.facts.definitions.push(Definition {
            kind: DefinitionKind::Template,
            module: "".into(),
            name: self.path.into(),
            arity: None,
            defaults: 0,
            public: true,
            span: whole,
            clauses: vec![whole],
            doc: None,
            spec: None,
            fields: Vec::new(),
            signature: None,
            guessed: false,
        });
        self.owners.push(Some(0));
        self.template(template);
        self.run_until(0);
        self.owners.pop();
    }

    /// Reads a template in the scope that is in force here.
    pub(super) fn template(&mut self, template: &'t EmbeddedTemplate) {
        for component in &template.components {
            self.component(component);
        }
        self.scopes.enter(template.range.end);
        self.functions += 1;
        self.templates_around += 1;
        self.tasks.push(VisitTask::LeaveTemplate);
        if let Some(tree) = &template.tree {
            self.visit_children(tree.root_node(), VisitMode::Expression);
        }
    }

    pub(in crate::syntax) fn leave_template(&mut self) {
        self.scopes.leave();
        self.functions -= 1;
        self.templates_around -= 1;
    }

    /// `<.name` calls `name/1`, `<Mod.name` calls `Mod.name/1`.
    fn component(&mut self, component: &'t Component) {
        let module = component.module.as_ref().map(|module| self.scopes.resolve(module));
        let name = self.intern(&component.name);
        let (start, end) = (component.at, component.at + component.name.len());
        // The lines are set when all is read.
        let at = Span { start: start as u32, end: end as u32, line_start: 1, line_end: 1 };
        self.reference_at(ReferenceKind::Call, at, module, name, Some(1), Basis::Written);
    }

    /// The template that begins at this node.
    pub(super) fn template_at(&self, node: Node) -> Option<&'t EmbeddedTemplate> {
        let templates = self.templates;
        let at = templates.binary_search_by_key(&node.start_byte(), |template| template.at).ok()?;
        templates.get(at)
    }

    pub(in crate::syntax) fn sigil(&mut self, node: Node<'t>, mode: VisitMode) {
        if let Some(template) = self.template_at(node) {
            return self.template(template);
        }
        self.sigil_call(node);
        if node.named_child(0).is_some_and(|name| self.text(name) == "p") {
            self.verified_route(node);
        }
        self.visit_children(node, keep_pattern(mode));
    }

    /// `~x(...)` calls `sigil_x/2`. Those of `Kernel` are left out where nothing else can be meant.
    fn sigil_call(&mut self, node: Node<'t>) {
        let Some(letters) = node.named_child(0).filter(|name| name.kind() == "sigil_name") else { return };
        let name = self.text(letters);
        if !KERNEL_SIGILS.contains(&name) || self.own_operators {
            let name = format!("sigil_{name}").into();
            self.reference_at(ReferenceKind::Call, span(letters), None, name, Some(2), Basis::Written);
        }
    }

    fn verified_route(&mut self, node: Node<'t>) {
        let path = self.written_path(node);
        if path.starts_with('/') {
            self.reference_at(ReferenceKind::Route, span(node), None, path.into(), None, Basis::Written);
        }
    }

    /// The path in a string or sigil: `"/users/#{user}?page=1"` is `/users/:_`.
    pub(in crate::syntax) fn written_path(&mut self, node: Node<'t>) -> String {
        let mut path = String::new();
        for part in self.children(node) {
            match part.kind() {
                "interpolation" => path.push_str(":_"),
                "quoted_content" | "escape_sequence" => {
                    let text = self.text(part);
                    let end = text.find(['?', '#']);
                    path.push_str(&text[..end.unwrap_or(text.len())]);
                    if end.is_some() {
                        break;
                    }
                }
                _ => {}
            }
        }
        path
    }
}
