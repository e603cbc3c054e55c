//! What `use` and `import` make of the module around, and what the end of a module settles.

use std::sync::Arc;

use tree_sitter::Node;

use super::context::{FrameworkContext, Router};
use crate::syntax::ReferenceKind;
use crate::syntax::literal::atom;
use crate::syntax::reader::ElixirReader;

impl<'t> ElixirReader<'t> {
    /// What can be said of a module only once all of it is read.
    pub(in crate::syntax) fn settle_framework(&mut self, module: &Arc<str>, context: &FrameworkContext<'t>) {
        self.settle_specs(module, context);
        self.settle_doctests(module, context);
    }

    /// Remembers what `use module, :which` or `import module` makes of the module around.
    pub(in crate::syntax) fn framework_directive(
        &mut self,
        kind: ReferenceKind,
        module: &str,
        arguments: &[Node<'t>],
    ) {
        if self.quotes > 0 || !matches!(kind, ReferenceKind::Use | ReferenceKind::Import) {
            return;
        }
        let which = arguments.get(1).and_then(|which| atom(*which, self.source));
        let used = kind == ReferenceKind::Use;
        let context = &mut self.module().framework;
        context.open = true;
        match (module, which) {
            ("Config" | "Mix.Config", _) => context.config = true,
            _ if !used => {}
            ("Phoenix.Router", _) | (_, Some("router")) => context.router = Some(Router::Phoenix),
            ("Plug.Router", _) => context.router = Some(Router::Plug),
            ("Phoenix.Endpoint" | "Phoenix.Socket", _) | (_, Some("endpoint" | "socket")) => {
                context.sockets = true;
            }
            ("Tesla" | "Tesla.Builder", _) => context.tesla = true,
            ("Mix.Project", _) => context.project = true,
            _ if module.rsplit('.').next() == Some("Migration") => context.migration = true,
            _ => {}
        }
    }
}
