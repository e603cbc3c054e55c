//! How the facts of this folder are put down, and what literals they are read from.

use std::sync::Arc;

use tree_sitter::Node;

use super::CallSite;
use super::context::LONGEST_NAME;
use crate::source::Span;
use crate::syntax::literal::{atom, string};
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitMode, VisitTask};
use crate::syntax::{Basis, Definition, DefinitionKind, Reference, ReferenceKind};

/// What a reference names: a module, and a function in it unless the name is empty.
pub(super) struct ReferenceTarget {
    pub(super) module: Option<Arc<str>>,
    pub(super) name: Arc<str>,
    pub(super) arity: Option<u8>,
}

impl ReferenceTarget {
    pub(super) fn module(module: Arc<str>) -> Self {
        ReferenceTarget { module: Some(module), name: Arc::default(), arity: None }
    }

    pub(super) fn function(module: Arc<str>, name: &str, arity: u8) -> Self {
        ReferenceTarget { module: Some(module), name: name.into(), arity: Some(arity) }
    }
}

impl<'t> ElixirReader<'t> {
    /// Adds a definition that a framework's words make. It takes nothing of what stands above it, and clauses of a
    /// function may go on behind it.
    pub(super) fn fact(
        &mut self,
        kind: DefinitionKind,
        module: Arc<str>,
        name: Arc<str>,
        fields: Vec<Arc<str>>,
        at: Span,
    ) -> u32 {
        let index = self.facts.definitions.len() as u32;
        self.facts.definitions.push(Definition {
            kind,
            module,
            name,
            arity: None,
            defaults: 0,
            public: true,
            span: at,
            clauses: vec![at],
            doc: None,
            spec: None,
            fields,
            signature: None,
            guessed: false,
        });
        index
    }

    /// Adds a reference from any definition.
    pub(super) fn refer(
        &mut self,
        from: Option<u32>,
        kind: ReferenceKind,
        site: Node<'t>,
        to: ReferenceTarget,
        basis: Basis,
    ) {
        let ReferenceTarget { module, name, arity } = to;
        self.facts.references.push(Reference { kind, from, module, name, arity, span: span(site), basis });
    }

    /// Adds a reference from the definition around to a module.
    pub(super) fn tie(&mut self, kind: ReferenceKind, site: Node<'t>, module: Arc<str>, basis: Basis) {
        self.refer(self.owner(), kind, site, ReferenceTarget::module(module), basis);
    }

    /// Adds a call that a framework makes for the definition around.
    pub(super) fn tie_call(&mut self, site: Node<'t>, module: Arc<str>, name: &str, arity: u8, basis: Basis) {
        let to = ReferenceTarget::function(module, name, arity);
        self.refer(self.owner(), ReferenceKind::Call, site, to, basis);
    }

    /// The call of the macro itself.
    pub(super) fn macro_call(&mut self, call: &CallSite<'_, 't>) {
        if call.remote.is_none() {
            let count = call.arguments.len() + usize::from(call.block.is_some()) + usize::from(call.piped());
            self.local(call.site, call.name, count);
        }
    }

    /// An Elixir module that is written out, or held by an attribute.
    pub(super) fn literal_module(&mut self, node: Node<'t>) -> Option<Arc<str>> {
        let is_name = matches!(node.kind(), "alias" | "dot" | "identifier" | "unary_operator");
        is_name.then(|| self.module_of(node)).flatten().filter(|module| !module.starts_with(':'))
    }

    /// The value of a string that is written out.
    pub(super) fn literal_text(&mut self, node: Node<'t>) -> Option<String> {
        let plain =
            node.kind() == "string" && !self.children(node).iter().any(|part| part.kind() == "interpolation");
        plain.then(|| string(node, self.source)).flatten().filter(|text| text.len() <= LONGEST_NAME)
    }

    /// The atoms of a list, of a sigil of words, or one alone.
    pub(super) fn literal_atoms(&mut self, node: Node<'t>) -> Vec<Arc<str>> {
        match node.kind() {
            "list" => {
                let parts = self.children(node);
                parts.into_iter().filter_map(|part| atom(part, self.source)).map(Arc::from).collect()
            }
            "sigil" => string(node, self.source)
                .map(|words| words.split_whitespace().map(Arc::from).collect())
                .unwrap_or_default(),
            _ => atom(node, self.source).map(Arc::from).into_iter().collect(),
        }
    }

    /// The `key: value` pairs of the keyword lists among `nodes`, as nodes.
    pub(super) fn pair_nodes(&mut self, nodes: &[Node<'t>]) -> Vec<(&'t str, Node<'t>)> {
        let lists: Vec<_> = nodes.iter().flat_map(|node| self.children(*node)).collect();
        let inner = lists.iter().filter(|one| one.kind() == "keywords");
        let mut pairs: Vec<_> = inner.flat_map(|list| self.children(*list)).collect();
        pairs.extend(lists.iter().filter(|one| one.kind() == "pair"));
        pairs.into_iter().filter_map(|pair| Some((self.key(pair)?, pair))).collect()
    }

    /// Goes on with the body of a call, a block or behind `do:`.
    pub(super) fn visit_body(&mut self, call: &CallSite<'_, 't>, options: &[(&'t str, Node<'t>)]) {
        let body = options.iter().find(|(key, _)| *key == "do").map(|(_, value)| *value);
        let mode = if self.functions == 0 { VisitMode::Statement } else { VisitMode::Expression };
        self.tasks.extend(body.map(|body| VisitTask::Visit(body, mode)));
        self.visit_all(call.block, VisitMode::Expression);
    }

    /// Goes on with the values of options, but for those whose keys are in `done` and the body.
    pub(super) fn visit_options(&mut self, options: &[(&'t str, Node<'t>)], done: &[&str]) {
        let left = options.iter().filter(|(key, _)| *key != "do" && !done.contains(key));
        self.visit_all(left.map(|(_, value)| *value), VisitMode::Expression);
    }

    /// What a function gives: the last expression of its body.
    pub(super) fn returned(&mut self, rest: &[Node<'t>], block: Option<Node<'t>>) -> Option<Node<'t>> {
        if let Some(block) = block {
            let body = self.children(block);
            return body.into_iter().rev().find(|node| !node.kind().ends_with("_block"));
        }
        self.pairs(rest).into_iter().find(|(key, _)| *key == "do").map(|(_, value)| value)
    }
}
