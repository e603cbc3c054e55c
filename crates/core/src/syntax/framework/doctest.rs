//! Doctests: sessions of `iex` in documentation, and the tests that run them.

use std::sync::Arc;

use tree_sitter::Node;

use super::context::Doc;
use super::tie::ReferenceTarget;
use super::{CallSite, FrameworkContext};
use crate::source::Span;
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitMode};
use crate::syntax::{Basis, DefinitionKind, Reference, ReferenceKind};

impl<'t> ElixirReader<'t> {
    /// `doctest Mod`.
    pub(super) fn doctest(&mut self, call: &CallSite<'_, 't>) -> bool {
        let [site, options @ ..] = call.arguments else { return false };
        let Some(module) = self.literal_module(*site) else { return false };
        self.macro_call(call);
        self.tie(ReferenceKind::Doctest, *site, module, Basis::Written);
        self.visit_list(options, VisitMode::Expression);
        true
    }

    /// Remembers documentation until the module is known whole.
    pub(in crate::syntax) fn documentation(&mut self, node: Node<'t>, of_module: bool) {
        let text = self.text(node);
        if matches!(node.kind(), "string" | "sigil") && (text.contains("iex>") || text.contains("iex(")) {
            self.module().framework.docs.push(Doc { node, of_module });
        }
    }

    /// Makes definitions of the sessions in a module's documentation, numbered as ExUnit does.
    pub(super) fn settle_doctests(&mut self, module: &Arc<str>, context: &FrameworkContext<'t>) {
        use DefinitionKind::{Callback, Delegate, Function, Guard, Macro, Type};
        if context.docs.is_empty() {
            return;
        }
        let mut documented: Vec<(u32, u32, usize)> = Vec::new();
        for index in &context.defined {
            let index = *index as usize;
            let Some(definition) = self.facts.definitions.get(index) else { continue };
            if matches!(definition.kind, Function | Macro | Guard | Delegate | Type | Callback) {
                documented.push((definition.span.start, definition.span.end, index));
            }
        }
        documented.sort_unstable();
        let mut number = 0;
        for doc in &context.docs {
            let at = span(doc.node).start;
            let behind = documented.partition_point(|(start, ..)| *start <= at);
            let about = behind.checked_sub(1).and_then(|before| documented.get(before));
            let about = about.filter(|(_, end, _)| at < *end && !doc.of_module).map(|(.., index)| *index);
            if about.is_none() && !doc.of_module {
                continue;
            }
            let definition = about.and_then(|index| self.facts.definitions.get(index));
            let (name, arity, label) = match definition {
                Some(it) => (it.name.clone(), it.arity, it.qualified()),
                None => (Arc::default(), None, format!("module {module}")),
            };
            for session in sessions(doc.node, self.source) {
                number += 1;
                let to = ReferenceTarget { module: Some(module.clone()), name: name.clone(), arity };
                let name = format!("{label} ({number})").into();
                let test = self.fact(DefinitionKind::Doctest, module.clone(), name, Vec::new(), session);
                self.refer_at(test, to, session);
            }
        }
    }

    fn refer_at(&mut self, from: u32, to: ReferenceTarget, span: Span) {
        let ReferenceTarget { module, name, arity } = to;
        let (kind, basis, from) = (ReferenceKind::Doctest, Basis::Written, Some(from));
        self.facts.references.push(Reference { kind, from, module, name, arity, span, basis });
    }
}

/// Where the sessions in a text are: each from a prompt to the next line that is blank or a fence.
fn sessions(node: Node, source: &str) -> Vec<Span> {
    let start = node.child_by_field_name("quoted_start").map(|quote| quote.end_byte());
    let end = node.child_by_field_name("quoted_end").map(|quote| quote.start_byte());
    let Some((start, end)) = start.zip(end) else { return Vec::new() };
    let Some(text) = source.get(start..end) else { return Vec::new() };
    let (mut found, mut open): (Vec<Span>, Option<Span>) = (Vec::new(), None);
    let mut at = start;
    for (row, line) in (node.start_position().row as u32 + 1..).zip(text.split_inclusive('\n')) {
        let content = line.trim();
        let begin = (at + line.len() - line.trim_start().len()) as u32;
        let end = begin + content.len() as u32;
        at += line.len();
        if content.is_empty() || content.starts_with("```") || content.starts_with("~~~") {
            found.extend(open.take());
        } else if let Some(session) = &mut open {
            (session.end, session.line_end) = (end, row);
        } else if content.starts_with("iex>") || content.starts_with("iex(") {
            open = Some(Span { start: begin, end, line_start: row, line_end: row });
        }
    }
    found.extend(open);
    found
}
