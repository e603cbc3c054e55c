//! Configuration: what files set, and what code reads.

use std::sync::Arc;

use tree_sitter::Node;

use super::CallSite;
use super::tie::ReferenceTarget;
use crate::syntax::literal::atom;
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitMode, VisitTask};
use crate::syntax::{Basis, DefinitionKind, ReferenceKind};

impl<'t> ElixirReader<'t> {
    /// `config :app, key: value` and `config :app, Key, options`.
    pub(super) fn config(&mut self, call: &CallSite<'_, 't>) -> bool {
        let [app, rest @ ..] = call.arguments else { return false };
        let Some(app) = self.app(*app) else { return false };
        let key = match rest {
            [key, _, ..] => self.config_key(*key),
            [_] => None,
            [] => return false,
        };
        if rest.len() > 1 && key.is_none() {
            return false;
        }
        self.macro_call(call);
        match (key, rest) {
            (Some(key), [name, values @ ..]) => {
                self.tasks.push(VisitTask::LeaveOwner);
                self.visit_list(values, VisitMode::Expression);
                self.visit_all([*name], VisitMode::Expression);
                self.enter_config(call.node, app, key, values);
            }
            _ => {
                for (key, pair) in self.pair_nodes(rest).into_iter().rev() {
                    let Some(value) = pair.child_by_field_name("value") else { continue };
                    self.tasks.push(VisitTask::LeaveOwner);
                    self.visit_all([value], VisitMode::Expression);
                    self.enter_config(pair, app.clone(), key.into(), &[value]);
                }
            }
        }
        true
    }

    fn enter_config(&mut self, node: Node<'t>, app: Arc<str>, key: Arc<str>, values: &[Node<'t>]) {
        let lists = values.iter().filter(|value| matches!(value.kind(), "keywords" | "list"));
        let lists: Vec<_> = lists.copied().collect();
        let fields = self.pairs(&lists).into_iter().map(|(key, _)| self.intern(key)).collect();
        let index = self.fact(DefinitionKind::Config, app, key, fields, span(node));
        self.tasks.push(VisitTask::EnterOwner(Some(index)));
    }

    /// `Application.get_env(:app, :key)` and its like.
    pub(super) fn environment(&mut self, call: &CallSite<'_, 't>) {
        let reads = matches!(
            call.name,
            "get_env"
                | "fetch_env"
                | "fetch_env!"
                | "compile_env"
                | "compile_env!"
                | "put_env"
                | "delete_env"
        );
        let (Some(app), Some(key)) = (call.argument(0), call.argument(1)) else { return };
        let Some(app) = self.app(app).filter(|_| reads) else { return };
        // `compile_env` takes a path of keys too.
        let first = if key.kind() == "list" { self.children(key).first().copied() } else { Some(key) };
        if let Some(name) = first.and_then(|first| self.config_key(first)) {
            let to = ReferenceTarget { module: Some(app), name, arity: None };
            self.refer(self.owner(), ReferenceKind::Config, key, to, Basis::Written);
        }
    }

    /// The name of an application, also where an attribute holds it: `":shop"`.
    fn app(&mut self, node: Node<'t>) -> Option<Arc<str>> {
        self.module_of(node).filter(|app| app.starts_with(':'))
    }

    fn config_key(&mut self, node: Node<'t>) -> Option<Arc<str>> {
        match atom(node, self.source) {
            Some(name) => Some(self.intern(name)),
            None => self.literal_module(node),
        }
    }
}
