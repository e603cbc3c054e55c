//! What functions with known names give: `mix.exs` its application, others their children.

use tree_sitter::Node;

use super::supervise::is_children;
use super::tie::ReferenceTarget;
use crate::syntax::literal::atom;
use crate::syntax::parse::span;
use crate::syntax::reader::ElixirReader;
use crate::syntax::{Basis, DefinitionKind, ReferenceKind};

impl<'t> ElixirReader<'t> {
    /// A clause of a function that a framework or OTP calls by its name.
    pub(in crate::syntax) fn framework_function(
        &mut self,
        function: u32,
        name: &str,
        parameters: &[Node<'t>],
        rest: &[Node<'t>],
        block: Option<Node<'t>>,
    ) {
        self.receives(function, name, parameters);
        let project = self.module().framework.project && parameters.is_empty();
        match name {
            "project" | "application" if project => {
                if let Some(list) = self.returned(rest, block) {
                    self.project(list);
                }
            }
            name if is_children(name) => {
                if let Some(list) = self.returned(rest, block) {
                    self.children_of(list);
                }
            }
            _ => {}
        }
    }

    /// `app: :name` and `mod: {Mod, arguments}`.
    fn project(&mut self, list: Node<'t>) {
        for (key, pair) in self.pair_nodes(&[list]) {
            let Some(value) = pair.child_by_field_name("value") else { continue };
            match key {
                "app" => {
                    if let (Some(name), Some(module)) = (atom(value, self.source), self.module().name.clone())
                    {
                        let name = self.intern(name);
                        let app = self.fact(DefinitionKind::App, module, name, Vec::new(), span(pair));
                        self.module().framework.app = Some(app);
                    }
                }
                "mod" if value.kind() == "tuple" => {
                    let Some(site) = value.named_child(0) else { continue };
                    let Some(module) = self.literal_module(site) else { continue };
                    let from = self.module().framework.app.or(self.owner());
                    let to = ReferenceTarget::module(module.clone());
                    self.refer(from, ReferenceKind::Supervise, site, to, Basis::Convention);
                    let to = ReferenceTarget::function(module, "start", 2);
                    self.refer(from, ReferenceKind::Call, site, to, Basis::Convention);
                }
                _ => {}
            }
        }
    }
}
