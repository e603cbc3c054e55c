//! Types in specs, in types and in callbacks; what a module derives, and which behaviour it lets others override.

use std::sync::Arc;

use tree_sitter::Node;

use super::tie::ReferenceTarget;
use super::{CallSite, FrameworkContext};
use crate::syntax::reader::{ElixirReader, VisitMode};
use crate::syntax::{Basis, DefinitionKind, ReferenceKind};

/// The types that need no definition, of any arity. Sorted.
pub(super) const BUILT_IN: [&str; 52] = [
    "any",
    "arity",
    "as_boolean",
    "atom",
    "binary",
    "bitstring",
    "boolean",
    "byte",
    "char",
    "char_list",
    "charlist",
    "dynamic",
    "float",
    "fun",
    "function",
    "identifier",
    "improper_list",
    "integer",
    "iodata",
    "iolist",
    "keyword",
    "list",
    "map",
    "maybe_improper_list",
    "mfa",
    "module",
    "neg_integer",
    "nil",
    "no_return",
    "node",
    "non_neg_integer",
    "none",
    "nonempty_binary",
    "nonempty_bitstring",
    "nonempty_charlist",
    "nonempty_improper_list",
    "nonempty_keyword",
    "nonempty_list",
    "nonempty_maybe_improper_list",
    "number",
    "optional",
    "pid",
    "port",
    "pos_integer",
    "reference",
    "required",
    "string",
    "struct",
    "term",
    "timeout",
    "tuple",
    "var",
];

impl<'t> ElixirReader<'t> {
    /// The types in a spec. What function it is about is known at the end of the module.
    pub(in crate::syntax) fn spec_types(&mut self, function: &'t str, arity: u8, spec: Node<'t>) {
        let first = self.facts.references.len();
        self.types(self.owner(), spec);
        let all = first..self.facts.references.len();
        if !all.is_empty() {
            self.module().framework.specs.push((function, arity, all));
        }
    }

    /// The types that a spec, type or callback names, as references from a definition.
    pub(in crate::syntax) fn types(&mut self, from: Option<u32>, value: Node<'t>) {
        let mut variables = Vec::new();
        let mut open = Vec::new();
        let mut head = value;
        // `head :: body when variable: type`.
        while let Some(operator @ ("when" | "::")) = self.operator(head)
            && let (Some(left), Some(right)) =
                (head.child_by_field_name("left"), head.child_by_field_name("right"))
        {
            if operator == "when" {
                let named = self.pairs(&[right]);
                variables.extend(named.iter().map(|(name, _)| *name));
            }
            open.push(right);
            head = left;
        }
        let parameters = match head.kind() {
            "call" => self.arguments(head),
            "binary_operator" | "unary_operator" => self.children(head),
            _ => Vec::new(),
        };
        // The parameters of a type are variables in it.
        let plain = parameters.iter().filter(|parameter| parameter.kind() == "identifier");
        let is_type = from.and_then(|from| self.facts.definitions.get(from as usize));
        if is_type.is_some_and(|it| it.kind == DefinitionKind::Type) {
            variables.extend(plain.map(|parameter| self.text(*parameter)));
        }
        variables.sort_unstable();
        open.extend(parameters);
        while let Some(node) = open.pop() {
            self.type_part(from, node, &variables, &mut open);
        }
    }

    fn type_part(&mut self, from: Option<u32>, node: Node<'t>, variables: &[&str], open: &mut Vec<Node<'t>>) {
        match node.kind() {
            "identifier" => {
                let name = self.text(node);
                if variables.binary_search(&name).is_err() {
                    self.own_type(from, node, name, 0);
                }
            }
            "call" => {
                let arguments = self.arguments(node);
                let Some(target) = node.child_by_field_name("target") else { return };
                match target.kind() {
                    "identifier" if self.text(target) == "unquote" => return,
                    "identifier" => self.own_type(from, target, self.text(target), arguments.len()),
                    "dot" => self.remote_type(from, target, arguments.len()),
                    _ => {}
                }
                open.extend(arguments);
            }
            "alias" => {
                if let Some(module) = self.module_of(node) {
                    self.refer(
                        from,
                        ReferenceKind::Module,
                        node,
                        ReferenceTarget::module(module),
                        Basis::Written,
                    );
                }
            }
            "struct" => {
                if let Some(module) = node.named_child(0).and_then(|name| self.literal_module(name)) {
                    self.refer(
                        from,
                        ReferenceKind::Struct,
                        node,
                        ReferenceTarget::module(module),
                        Basis::Written,
                    );
                }
            }
            "binary_operator" if self.operator(node) == Some("::") => {
                open.extend(node.child_by_field_name("right"));
            }
            "pair" => open.extend(node.child_by_field_name("value")),
            "unary_operator" | "bitstring" | "string" | "charlist" | "sigil" => {}
            _ => open.extend(self.children(node)),
        }
    }

    fn own_type(&mut self, from: Option<u32>, site: Node<'t>, name: &'t str, count: usize) {
        let known = name.starts_with('_') || name == "..." || BUILT_IN.binary_search(&name).is_ok();
        if let (Ok(arity), Some(module), false) = (u8::try_from(count), self.module().name.clone(), known) {
            let to = ReferenceTarget { module: Some(module), name: self.intern(name), arity: Some(arity) };
            self.refer(from, ReferenceKind::Type, site, to, Basis::Written);
        }
    }

    fn remote_type(&mut self, from: Option<u32>, dot: Node<'t>, count: usize) {
        let (Some(left), Some(right)) = (dot.child_by_field_name("left"), dot.child_by_field_name("right"))
        else {
            return;
        };
        if let (Some(module), Ok(arity)) = (self.module_of(left), u8::try_from(count)) {
            let to = ReferenceTarget {
                module: Some(module),
                name: self.intern(self.text(right)),
                arity: Some(arity),
            };
            self.refer(from, ReferenceKind::Type, right, to, Basis::Written);
        }
    }

    /// Gives the types in specs to the functions that these are about.
    pub(super) fn settle_specs(&mut self, module: &Arc<str>, context: &FrameworkContext<'t>) {
        for (function, arity, references) in &context.specs {
            let key = (module.clone(), self.intern(function), *arity);
            let Some(index) = self.callables.get(&key).copied() else { continue };
            for reference in self.facts.references.get_mut(references.clone()).into_iter().flatten() {
                reference.from = Some(index);
            }
        }
    }

    /// `defoverridable Mod`, for all callbacks of a behaviour.
    pub(super) fn overridable(&mut self, call: &CallSite<'_, 't>) -> bool {
        let [behaviour] = call.arguments else { return false };
        let Some(module) = self.literal_module(*behaviour) else { return false };
        self.tie(ReferenceKind::Behaviour, *behaviour, module, Basis::Written);
        true
    }

    /// `@derive Mod`, `@derive {Mod, options}`, or a list of them.
    pub(in crate::syntax) fn derive(&mut self, value: Node<'t>) {
        let derived = if value.kind() == "list" { self.children(value) } else { vec![value] };
        for one in derived {
            let parts = if one.kind() == "tuple" { self.children(one) } else { vec![one] };
            let Some((protocol, options)) = parts.split_first() else { continue };
            match self.literal_module(*protocol) {
                Some(module) => self.tie(ReferenceKind::Implements, *protocol, module, Basis::Written),
                None => self.visit_all([*protocol], VisitMode::Expression),
            }
            self.visit_list(options, VisitMode::Expression);
        }
    }
}
