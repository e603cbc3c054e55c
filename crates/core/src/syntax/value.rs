//! Modules that a value may be, so that a call through it has a callee: `m = Mod`, a default, what a configuration falls back
//! to. Whether it is another one when the code runs nobody can tell, so all that follows from it is a guess.

use std::sync::Arc;

use tree_sitter::Node;

use super::literal::atom;
use super::parse::span;
use super::reader::{ElixirReader, Through};
use super::{Basis, Reference, ReferenceKind};

/// So many expressions are looked at for one value.
const MOST_LOOKED_AT: usize = 64;

/// A value may be one of so many modules.
const MOST_MODULES: usize = 16;

impl<'t> ElixirReader<'t> {
    /// The modules that an expression may give.
    pub(super) fn may_be(&mut self, node: Node<'t>) -> Vec<Arc<str>> {
        let (mut open, mut found, mut looked_at) = (vec![node], Vec::new(), 0);
        while let Some(node) = open.pop() {
            looked_at += 1;
            if looked_at > MOST_LOOKED_AT || found.len() >= MOST_MODULES {
                break;
            }
            match node.kind() {
                "alias" | "dot" => found.extend(self.module_of(node)),
                "identifier" if self.text(node) == "__MODULE__" => found.extend(self.module_of(node)),
                "identifier" => found.extend(self.held.get(self.text(node)).into_iter().flatten().cloned()),
                "unary_operator" if self.operator(node) == Some("@") => match self.module_of(node) {
                    Some(module) => found.push(module),
                    None => {
                        let name = node.child_by_field_name("operand").map_or("", |name| self.text(name));
                        let values = &self.module().values;
                        found.extend(values.get(name).into_iter().flatten().cloned());
                    }
                },
                "binary_operator" if matches!(self.operator(node), Some("||" | "&&" | "or" | "and")) => {
                    open.extend(["right", "left"].iter().filter_map(|side| node.child_by_field_name(side)));
                }
                "block" | "body" | "do_block" | "else_block" => {
                    let parts = self.children(node);
                    let is_section = |part: &&Node| part.kind().ends_with("_block");
                    open.extend(parts.iter().rev().find(|part| !is_section(part)));
                    open.extend(parts.iter().filter(|part| part.kind() == "else_block"));
                }
                "stab_clause" => open.extend(node.child_by_field_name("right")),
                "call" => self.given_by_call(node, &mut open),
                _ => {}
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// Adds what a call may give: the last argument of what looks something up, the branches of a condition.
    fn given_by_call(&mut self, call: Node<'t>, open: &mut Vec<Node<'t>>) {
        let Some(target) = call.child_by_field_name("target") else { return };
        let arguments = self.arguments(call);
        match target.kind() {
            "identifier" if matches!(self.text(target), "if" | "unless") => {
                let branches =
                    self.pairs(&arguments).into_iter().filter(|(key, _)| matches!(*key, "do" | "else"));
                open.extend(branches.map(|(_, value)| value));
                open.extend(self.do_block(call));
            }
            "identifier" if matches!(self.text(target), "case" | "cond") => {
                if let Some(block) = self.do_block(call) {
                    open.extend(self.children(block));
                }
            }
            "dot" => {
                let looks_up = matches!(
                    self.text(target),
                    "Application.get_env" | "Application.compile_env" | "Keyword.get" | "Map.get"
                );
                if let ([_, _, default], true) = (&arguments[..], looks_up) {
                    open.push(*default);
                }
            }
            _ => {}
        }
    }

    /// Remembers what a variable may be.
    pub(super) fn hold(&mut self, variable: Node<'t>, value: Node<'t>) {
        if variable.kind() == "identifier" {
            let modules = self.may_be(value);
            let name = self.text(variable);
            if modules.is_empty() {
                self.held.remove(name)
            } else {
                self.held.insert(name, modules)
            };
        }
    }

    /// Remembers what the parameters of a function that have defaults may be, and what a function without any gives.
    pub(super) fn hold_function(
        &mut self,
        name: Option<&'t str>,
        parameters: &[Node<'t>],
        rest: &[Node<'t>],
        block: Option<Node<'t>>,
    ) {
        self.held.clear();
        for parameter in parameters {
            if let (Some("\\\\"), Some(left), Some(right)) = (
                self.operator(*parameter),
                parameter.child_by_field_name("left"),
                parameter.child_by_field_name("right"),
            ) {
                self.hold(left, right);
            }
        }
        let Some(name) = name.filter(|_| parameters.is_empty()) else { return };
        let body = self.pairs(rest).into_iter().find(|(key, _)| *key == "do").map(|(_, value)| value);
        let Some(body) = block.or(body) else { return };
        let modules = self.may_be(body);
        if !modules.is_empty() {
            self.module().returns.entry(name).or_default().extend(modules);
        }
    }

    /// `target.name(...)`, where `target` is a value.
    pub(super) fn call_through(
        &mut self,
        target: Node<'t>,
        site: Node<'t>,
        name: &'t str,
        arity: Option<u8>,
    ) {
        for module in self.may_be(target) {
            self.reference(ReferenceKind::Call, site, Some(module), name, arity, Basis::Dispatch);
        }
        let by = target.child_by_field_name("target").filter(|by| by.kind() == "identifier");
        let Some(by) = by.filter(|_| target.kind() == "call" && arity.is_some()) else { return };
        if self.arguments(target).is_empty() && self.quotes == 0 {
            let (kind, from, basis) = (ReferenceKind::Call, self.owner(), Basis::Dispatch);
            let (name, span) = (self.intern(name), span(site));
            let call = Reference { kind, from, module: None, name, arity, span, basis };
            let by = self.text(by);
            self.module().through.push(Through { by, call });
        }
    }

    /// A module is over: what its local functions give is known.
    pub(super) fn settle_through(
        &mut self,
        returns: &rustc_hash::FxHashMap<&'t str, Vec<Arc<str>>>,
        through: Vec<Through<'t>>,
    ) {
        for Through { by, call } in through {
            for module in returns.get(by).into_iter().flatten().take(MOST_MODULES) {
                self.facts.references.push(Reference { module: Some(module.clone()), ..call.clone() });
            }
        }
    }

    /// `Mod, :fun, [a, b]`, where `Mod` is a value.
    pub(super) fn named_by_value(&mut self, module: Node<'t>, name: Node<'t>, count: usize) {
        if let (Some(function), "identifier" | "unary_operator") = (atom(name, self.source), module.kind()) {
            for module in self.may_be(module) {
                let arity = u8::try_from(count).ok();
                self.reference(ReferenceKind::Call, name, Some(module), function, arity, Basis::ByName);
            }
        }
    }
}
