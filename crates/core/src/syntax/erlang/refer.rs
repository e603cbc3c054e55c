//! References: calls, functions as values, records, macros and types.

use std::sync::Arc;

use tree_sitter::Node;

use super::pending::{Local, Use};
use super::reader::{ErlangReader, VisitMode, arity};
use crate::syntax::parse::span;
use crate::syntax::{Basis, ReferenceKind};

impl<'t> ErlangReader<'t> {
    /// `f(X)`, and in types `t(X)`.
    pub(super) fn call(&mut self, node: Node<'t>, mode: VisitMode) {
        let arguments = self.parts(node, "args");
        if let Some(called) = node.child_by_field_name("expr") {
            match self.name_of(called) {
                Some(name) => {
                    self.local(called, name.clone(), arguments.len(), mode);
                    if mode == VisitMode::Expression {
                        self.passed(":erlang", &name, &arguments);
                    }
                }
                None => self.visit_all([called], mode),
            }
        }
        self.visit_all(arguments, mode);
    }

    /// `m:f(X)`. In the tree the call is inside: `m` and `f(X)` are the parts of a `remote`.
    pub(super) fn remote(&mut self, node: Node<'t>, mode: VisitMode) {
        let written =
            node.child_by_field_name("module").and_then(|module| module.child_by_field_name("module"));
        let module = written.and_then(|written| self.module_of(written));
        if module.is_none() {
            self.visit_all(written, mode);
        }
        let Some(mut called) = node.child_by_field_name("fun") else { return };
        // Of `m:f(X)(Y)` the innermost call is the one of `m:f`.
        let mut arguments = None;
        while called.kind() == "call"
            && let Some(inner) = called.child_by_field_name("expr")
        {
            if let Some(outer) = arguments.replace(self.parts(called, "args")) {
                self.visit_all(outer, mode);
            }
            called = inner;
        }
        let mut name = self.name_of(called);
        if called.kind() == "macro_call_expr" && arguments.is_none() {
            name = self.called_by_macro(called);
            arguments = name.is_some().then(|| self.parts(called, "args"));
        }
        if name.is_none() {
            self.visit_all([called], mode);
        }
        let Some(arguments) = arguments else { return };
        if let (Some(module), Some(name), Some(arity)) = (module, name, arity(arguments.len())) {
            let kind = if mode == VisitMode::Type { ReferenceKind::Type } else { ReferenceKind::Call };
            self.reference(kind, called, Some(module.clone()), name.clone(), Some(arity), Basis::Written);
            if mode == VisitMode::Expression {
                self.passed(&module, &name, &arguments);
            }
        }
        self.visit_all(arguments, mode);
    }

    /// `fun f/1`.
    pub(super) fn local_fun(&mut self, node: Node<'t>) {
        let site = node.child_by_field_name("fun");
        if let Some(site) = site
            && let Some(name) = self.name_of(site)
            && let Some(arity) = self.written_arity(node)
        {
            self.local(site, name, usize::from(arity), VisitMode::Expression);
        }
    }

    /// `fun m:f/1`.
    pub(super) fn remote_fun(&mut self, node: Node<'t>) {
        let module = node.child_by_field_name("module").and_then(|module| module.child_by_field_name("name"));
        let module = module.and_then(|module| self.module_of(module));
        if let (Some(module), Some(site)) = (module, node.child_by_field_name("fun"))
            && let Some(name) = self.name_of(site)
            && let Some(arity) = self.written_arity(node)
        {
            self.reference(ReferenceKind::Call, site, Some(module), name, Some(arity), Basis::Written);
        }
    }

    /// `f/1` where the grammar sees a division, as in `-on_load(f/1)`.
    pub(super) fn name_and_arity(&mut self, node: Node<'t>) {
        if let (Some(site), Some(count)) = (node.child_by_field_name("lhs"), node.child_by_field_name("rhs"))
            && let Some(name) = self.name_of(site)
            && let Ok(count) = self.text(count).parse()
        {
            self.local(site, name, count, VisitMode::Expression);
        }
    }

    /// `?M(X)`. What the macro holds is read where it is defined.
    pub(super) fn macro_call(&mut self, node: Node<'t>, mode: VisitMode) {
        self.used(node);
        let Some(arguments) = node.child_by_field_name("args") else { return };
        let arguments = self.children(arguments);
        if let Some(name) = self.called_by_macro(node) {
            self.local(node, name, arguments.len(), mode);
        } else if let Some(site) = node.child_by_field_name("name")
            && let Some(arity) = arity(arguments.len())
        {
            let name = self.macro_name(site);
            let index = self.reference(ReferenceKind::Call, site, None, name, Some(arity), Basis::Written);
            self.outlook.locals.push((index, Local::Macro));
        }
        self.visit_all(arguments, mode);
    }

    /// Notes that a macro is used.
    fn used(&mut self, node: Node<'t>) {
        let Some(site) = node.child_by_field_name("name") else { return };
        let arity = match node.child_by_field_name("args") {
            Some(arguments) => arity(self.children(arguments).len()),
            None => None,
        };
        let (name, from) = (self.macro_name(site), self.owner);
        self.outlook.uses.push(Use { name, arity, from, span: span(node) });
    }

    /// The function that is called by `?F(X)` where `?F` is its name: a macro without parameters leaves the arguments alone.
    fn called_by_macro(&mut self, node: Node<'t>) -> Option<Arc<str>> {
        let name = self.text(node.child_by_field_name("name")?);
        node.child_by_field_name("args").and_then(|_| self.macros.get(name).cloned().flatten())
    }

    /// `#r` of any expression with a record.
    pub(super) fn record_name(&mut self, node: Node<'t>) {
        let Some(site) = node.child_by_field_name("name") else { return };
        let Some(name) = self.name_of(site) else { return };
        let module = node.child_by_field_name("module").and_then(|module| module.child_by_field_name("name"));
        let module = module.and_then(|module| self.module_of(module));
        let is_local = module.is_none();
        let index = self.reference(ReferenceKind::Struct, site, module, name, None, Basis::Written);
        if is_local {
            self.outlook.locals.push((index, Local::Record));
        }
    }

    /// A name without a module. Whose it is, is known when all of the file is.
    fn local(&mut self, site: Node<'t>, name: Arc<str>, arguments: usize, mode: VisitMode) {
        let Some(arity) = arity(arguments) else { return };
        let (kind, local) = match mode {
            VisitMode::Expression => (ReferenceKind::Call, Local::Function),
            VisitMode::Type => (ReferenceKind::Type, Local::Type),
        };
        let index = self.reference(kind, site, None, name, Some(arity), Basis::Written);
        self.outlook.locals.push((index, local));
    }

    /// The number in `f/1`.
    pub(super) fn written_arity(&self, node: Node<'t>) -> Option<u8> {
        self.text(node.child_by_field_name("arity")?.child_by_field_name("value")?).parse().ok()
    }
}
