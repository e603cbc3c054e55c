//! Doctests: sessions of `iex` in documentation, and the tests that run them.

use std::sync::Arc;

use tree_sitter::Node;

use super::tie::Named;
use super::{CallSite, Context};
use crate::source::Span;
use crate::syntax::elixir::{Mode, Reader};
use crate::syntax::parse::span;
use crate::syntax::{Basis, DefinitionKind, Reference, ReferenceKind};

/// The text of a `@moduledoc`, `@doc` or `@typedoc` that holds sessions.
pub(super) struct Doc<'t> {
    node: Node<'t>,
    of_module: bool,
}

impl<'t> Reader<'t> {
    /// `doctest Mod`.
    pub(super) fn doctest(&mut self, call: &CallSite<'_, 't>) -> bool {
        let [site, options @ ..] = call.arguments else { return false };
        let Some(module) = self.literal_module(*site) else { return false };
        self.macro_call(call);
        self.tie(ReferenceKind::Doctest, *site, module, Basis::Written);
        self.visit_list(options, Mode::Expression);
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
    pub(super) fn settle_doctests(&mut self, module: &Arc<str>, own: Option<u32>, context: &Context<'t>) {
        use DefinitionKind::{Callback, Delegate, Function, Guard, Macro, Type};
        if context.docs.is_empty() {
            return;
        }
        let first = own.unwrap_or(0) as usize;
        let mut documented: Vec<(u32, u32, usize)> = Vec::new();
        for (index, definition) in self.facts.definitions.iter().enumerate().skip(first) {
            let has_doc = matches!(definition.kind, Function | Macro | Guard | Delegate | Type | Callback);
            if has_doc && definition.module == *module {
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
            for session in sessions(doc.node, self.source) {
                number += 1;
                let definition = about.and_then(|index| self.facts.definitions.get(index));
                let (to, name) = match definition {
                    Some(it) => (
                        Named { module: Some(module.clone()), name: it.name.clone(), arity: it.arity },
                        format!("{} ({number})", it.qualified()),
                    ),
                    None => (Named::module(module.clone()), format!("module {module} ({number})")),
                };
                let test =
                    self.fact(DefinitionKind::Doctest, module.clone(), name.into(), Vec::new(), session);
                self.refer_at(test, to, session);
            }
        }
    }

    fn refer_at(&mut self, from: u32, to: Named, span: Span) {
        let Named { module, name, arity } = to;
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
