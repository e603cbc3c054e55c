//! Definitions: what each form says.

use std::sync::Arc;

use tree_sitter::Node;

use super::names::atom;
use super::pending::{Pending, Spec};
use super::process::handled;
use super::prose::{comment, string};
use super::reader::{ErlangReader, VisitMode, arity};
use crate::source::Span;
use crate::syntax::parse::{join, span};
use crate::syntax::{Basis, Definition, DefinitionKind, ImportDirective, ReferenceKind, Shape};

impl<'t> ErlangReader<'t> {
    /// Reads one form, or what stands between forms.
    pub(super) fn form(&mut self, form: Node<'t>) {
        match form.kind() {
            "comment" => return self.comment(form),
            "fun_decl" => return self.function(form),
            "spec" => return self.spec(form),
            "wild_attribute" => return self.attribute(form),
            "pp_define" => return self.define_macro(form),
            "record_decl" => return self.define_record(form),
            "type_alias" | "opaque" | "nominal" => return self.define_type(form),
            "callback" => return self.define_callback(form),
            "module_attribute" => self.document_module(),
            "export_attribute" => self.export(form, false),
            "export_type_attribute" => self.export(form, true),
            "import_attribute" => self.import(form),
            "behaviour_attribute" => self.behaviour(form),
            "pp_include" | "pp_include_lib" => self.include(form),
            "compile_options_attribute" => self.compile_options(form),
            "ERROR" => self.visit_children(form, VisitMode::Expression),
            _ => {}
        }
        self.pending = Pending::default();
    }

    /// The definition of the module is the first of all, so that what stands outside of functions can belong to it.
    pub(super) fn define_module(&mut self) {
        let text = self.source.trim_end();
        let lines = text.bytes().filter(|byte| *byte == b'\n').count() as u32;
        let whole = Span { start: 0, end: text.len() as u32, line_start: 1, line_end: lines + 1 };
        let name = match self.module.contains(['"', ':']) || self.is_header {
            true => self.module.clone(),
            false => self.module.rsplit('.').next().unwrap_or_default().into(),
        };
        let mut module = self.blank(DefinitionKind::Module, name, None, whole);
        if let Some(form) = self.named.and_then(|name| name.parent()) {
            module.clauses = vec![span(form)];
        }
        self.facts.definitions.push(module);
    }

    /// EDoc's page about the module is a comment above it; other comments there are about the file, such as its licence.
    fn document_module(&mut self) {
        let text = self.pending.comments.and_then(|at| self.source.get(at.start as usize..at.end as usize));
        let doc = text.filter(|text| text.contains("@doc")).and_then(comment);
        if let Some(module) = self.facts.definitions.first_mut() {
            module.doc = module.doc.take().or(doc.map(Arc::from));
        }
    }

    fn comment(&mut self, node: Node<'t>) {
        let at = span(node);
        let line = self.source.get(..node.start_byte()).and_then(|before| before.rsplit('\n').next());
        if line.is_some_and(|before| !before.trim().is_empty()) {
            // It stands behind something, and is about that.
            return;
        }
        self.pending.extend(at);
        self.pending.comments = Some(self.pending.comments.map_or(at, |above| join(above, at)));
    }

    fn function(&mut self, form: Node<'t>) {
        let clause = form.child_by_field_name("clause");
        let Some(clause) = clause.filter(|clause| clause.kind() == "function_clause") else {
            self.pending = Pending::default();
            return self.visit_children(form, VisitMode::Expression);
        };
        let parameters = self.parts(clause, "args");
        let name = clause.child_by_field_name("name").and_then(|name| self.name_of(name));
        if let (Some(name), Some(arity)) = (name, arity(parameters.len())) {
            self.owner = self.clause(form, clause, name.clone(), arity);
            if let Some(at) = handled(&name, arity)
                && let Some(pattern) = parameters.get(at)
            {
                let clauses =
                    self.facts.definitions.get(self.owner as usize).map_or(0, |it| it.clauses.len());
                let (of, clause) = (self.owner, clauses.saturating_sub(1) as u32);
                let shape = self.shape(*pattern);
                self.facts.receivers.push(Shape { of, clause, shape });
            }
        }
        self.visit_children(clause, VisitMode::Expression);
    }

    /// Adds one clause to its function, which may be new. Returns the function's index.
    fn clause(&mut self, form: Node<'t>, clause: Node<'t>, name: Arc<str>, arity: u8) -> u32 {
        let last = self.facts.definitions.len().checked_sub(1).map(|last| last as u32);
        let known = self.functions.get(&(name.clone(), arity)).copied();
        let Some(index) = known else {
            let mut definition = self.blank(DefinitionKind::Function, name.clone(), Some(arity), span(form));
            definition.clauses = vec![span(clause)];
            let head = clause.child_by_field_name("body").map(|body| clause.start_byte()..body.start_byte());
            definition.signature = head.and_then(|head| self.source.get(head)).map(|head| head.trim().into());
            let index = self.record(definition);
            self.functions.insert((name, arity), index);
            return index;
        };
        let pending = std::mem::take(&mut self.pending);
        if let Some(definition) = self.facts.definitions.get_mut(index as usize) {
            definition.clauses.push(span(clause));
            definition.doc = definition.doc.take().or(pending.doc);
            if last == Some(index) {
                definition.span = join(definition.span, span(form));
            }
        }
        index
    }

    fn spec(&mut self, form: Node<'t>) {
        self.pending.extend(span(form));
        let first = self.facts.references.len();
        let signatures = form.children_by_field_name("sigs", &mut form.walk()).collect::<Vec<_>>();
        let count = signatures.first().map_or(0, |signature| self.parts(*signature, "args").len());
        let name = form.child_by_field_name("fun").and_then(|name| self.name_of(name));
        self.visit_children(form, VisitMode::Type);
        self.finish();
        let references = first..self.facts.references.len();
        if let (Some(name), Some(arity)) = (name, arity(count)) {
            let text = self.said(form);
            self.outlook.specs.push(Spec { name, arity, text, references });
        }
    }

    /// What an attribute says: without its name and the dot.
    fn said(&self, form: Node<'t>) -> Arc<str> {
        let text = self.text(form).trim_end_matches('.').trim_end();
        let text = text.strip_prefix('-').unwrap_or(text).trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
        text.get(end..).unwrap_or_default().trim().into()
    }

    fn attribute(&mut self, form: Node<'t>) {
        let name = form.child_by_field_name("name").and_then(|name| name.child_by_field_name("name"));
        let name = name.map_or("", |name| self.text(name));
        let mut value = form.child_by_field_name("value");
        while let Some(inner) = value.filter(|value| value.kind() == "paren_expr") {
            value = inner.child_by_field_name("expr");
        }
        match (name, value) {
            ("doc", Some(value)) => {
                self.pending.extend(span(form));
                if let Some(doc) = string(value, self.source) {
                    self.pending.doc = Some(doc.into());
                }
            }
            // Said of what follows.
            ("dialyzer" | "compile", _) => self.pending.extend(span(form)),
            ("moduledoc", Some(value)) => {
                let doc = string(value, self.source);
                if let (Some(module), Some(doc)) = (self.facts.definitions.first_mut(), doc) {
                    module.doc = Some(doc.into());
                }
                self.pending = Pending::default();
            }
            ("on_load", Some(value)) => {
                self.name_and_arity(value);
                self.pending = Pending::default();
            }
            _ => self.pending = Pending::default(),
        }
    }

    fn define_macro(&mut self, form: Node<'t>) {
        let Some(lhs) = form.child_by_field_name("lhs") else { return };
        let Some(name) = lhs.child_by_field_name("name") else { return };
        let replacement = form.child_by_field_name("replacement");
        let parameters = lhs.child_by_field_name("args");
        if parameters.is_none() {
            let value = replacement.and_then(|value| match self.text(value) {
                "?MODULE" if !self.is_header => self.named.and_then(|name| self.name_of(name)),
                _ => self.name_of(value),
            });
            let written = self.text(name);
            let known = self.macros.entry(written).or_insert_with(|| value.clone());
            if *known != value {
                *known = None;
            }
        }
        let count = parameters.map(|parameters| self.children(parameters).len());
        let name = self.macro_name(name);
        let mut definition = self.blank(DefinitionKind::Macro, name, count.and_then(arity), span(form));
        definition.signature = Some(self.text(lhs).into());
        self.owner = self.record(definition);
        self.is_quoted = true;
        self.visit_all(replacement, VisitMode::Expression);
    }

    fn define_record(&mut self, form: Node<'t>) {
        let Some(name) = form.child_by_field_name("name").and_then(|name| self.name_of(name)) else { return };
        let fields: Vec<_> =
            self.children(form).into_iter().filter(|field| field.kind() == "record_field").collect();
        let mut definition = self.blank(DefinitionKind::Record, name.clone(), None, span(form));
        for field in &fields {
            let field = field.child_by_field_name("name").and_then(|name| self.name_of(name));
            definition.fields.extend(field);
        }
        self.owner = self.record(definition);
        self.records.insert(name, fields.len());
        self.visit_all(fields, VisitMode::Expression);
    }

    fn define_type(&mut self, form: Node<'t>) {
        let Some(head) = form.child_by_field_name("name") else { return };
        let Some(name) = head.child_by_field_name("name").and_then(|name| self.name_of(name)) else { return };
        let Some(arity) = arity(self.parts(head, "args").len()) else { return };
        let mut definition = self.blank(DefinitionKind::Type, name, Some(arity), span(form));
        definition.spec = Some(self.said(form));
        self.owner = self.record(definition);
        self.visit_all(form.child_by_field_name("ty"), VisitMode::Type);
    }

    fn define_callback(&mut self, form: Node<'t>) {
        let Some(name) = form.child_by_field_name("fun").and_then(|name| self.name_of(name)) else { return };
        let signature = form.child_by_field_name("sigs");
        let Some(arity) = arity(signature.map_or(0, |signature| self.parts(signature, "args").len())) else {
            return;
        };
        let mut definition = self.blank(DefinitionKind::Callback, name, Some(arity), span(form));
        definition.spec = Some(self.said(form));
        self.owner = self.record(definition);
        self.visit_children(form, VisitMode::Type);
    }

    fn export(&mut self, form: Node<'t>, is_type: bool) {
        let listed = self.listed(form);
        let exported = if is_type { &mut self.outlook.exported_types } else { &mut self.outlook.exported };
        exported.extend(listed);
    }

    /// The names and arities in an attribute that lists some.
    fn listed(&mut self, form: Node<'t>) -> Vec<(Arc<str>, u8)> {
        let mut listed = Vec::new();
        for item in self.children(form).into_iter().filter(|item| item.kind() == "fa") {
            let name = item.child_by_field_name("fun").and_then(|name| self.name_of(name));
            listed.extend(name.zip(self.written_arity(item)));
        }
        listed
    }

    fn import(&mut self, form: Node<'t>) {
        let Some(site) = form.child_by_field_name("module") else { return };
        let Some(module) = self.module_of(site) else { return };
        let only = self.listed(form);
        for import in &only {
            self.outlook.imported.insert(import.clone(), module.clone());
        }
        self.reference(ReferenceKind::Import, site, Some(module.clone()), "".into(), None, Basis::Written);
        let at = span(form);
        let end = self.end.max(at.end);
        let scope = Span { end, line_end: at.line_end.max(self.lines.at(end)), ..at };
        self.facts.imports.push(ImportDirective {
            module,
            only: Some(only),
            except: Vec::new(),
            scope,
            injected_by: None,
        });
    }

    fn behaviour(&mut self, form: Node<'t>) {
        let Some(site) = form.child_by_field_name("name") else { return };
        if let Some(module) = self.module_of(site) {
            self.reference(ReferenceKind::Behaviour, site, Some(module), "".into(), None, Basis::Written);
        }
    }

    fn include(&mut self, form: Node<'t>) {
        let Some(site) = form.child_by_field_name("file") else { return };
        let Some(path) = string(site, self.source) else { return };
        let header: Arc<str> = path.rsplit('/').next().unwrap_or_default().into();
        if !header.is_empty() {
            self.outlook.headers.insert(header.clone());
            self.reference(ReferenceKind::Require, site, Some(header), "".into(), None, Basis::Written);
        }
    }

    fn compile_options(&mut self, form: Node<'t>) {
        let Some(options) = form.child_by_field_name("options") else { return };
        let options = if options.kind() == "list" { self.children(options) } else { vec![options] };
        for option in options {
            if atom(option, self.source).as_deref() == Some("export_all") {
                self.outlook.exports_all = true;
            }
            if option.kind() == "tuple"
                && let [name, module] = self.children(option)[..]
                && self.text(name) == "parse_transform"
                && let Some(transform) = self.module_of(module)
            {
                self.reference(
                    ReferenceKind::Module,
                    module,
                    Some(transform),
                    "".into(),
                    None,
                    Basis::Written,
                );
            }
        }
    }

    /// A definition of the file's module with nothing but what stands above it.
    fn blank(&mut self, kind: DefinitionKind, name: Arc<str>, arity: Option<u8>, at: Span) -> Definition {
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend(at);
        let comments = pending.comments.and_then(|at| self.source.get(at.start as usize..at.end as usize));
        Definition {
            kind,
            module: self.module.clone(),
            name,
            arity,
            defaults: 0,
            public: self.is_header || matches!(kind, DefinitionKind::Module | DefinitionKind::Callback),
            span: pending.span.unwrap_or(at),
            clauses: vec![at],
            doc: pending.doc.or_else(|| comments.and_then(comment).map(Arc::from)),
            spec: None,
            fields: Vec::new(),
            signature: None,
            guessed: false,
        }
    }

    fn record(&mut self, definition: Definition) -> u32 {
        let index = self.facts.definitions.len() as u32;
        self.facts.definitions.push(definition);
        index
    }
}
