//! What a module's body has said that gives a meaning to what follows.

use std::ops::Range;
use std::sync::Arc;

use tree_sitter::Node;

use super::doctest::Doc;
use super::router::RouteScope;
use crate::syntax::ReferenceKind;
use crate::syntax::elixir::Reader;
use crate::syntax::literal::atom;

/// What is known of a module while its body is read.
#[derive(Default)]
pub(in crate::syntax) struct Context<'t> {
    /// Whose router it is, if it is one.
    pub(super) router: Option<Router>,
    /// Whether something is used or imported that can bring in `plug`.
    pub(super) open: bool,
    /// Whether its `plug`s are Tesla's middleware.
    pub(super) tesla: bool,
    /// Whether it has `socket`, as an endpoint, or `channel`, as a socket.
    pub(super) sockets: bool,
    pub(super) migration: bool,
    /// Whether it is the module of a `mix.exs`.
    pub(super) project: bool,
    /// Whether it is a configuration file.
    pub(super) config: bool,
    /// The application that the project defines.
    pub(super) app: Option<u32>,
    /// The scope of the routes that follow.
    pub(in crate::syntax) routes: RouteScope,
    /// Of each spec the function, and which references are its types.
    pub(super) specs: Vec<(&'t str, u8, Range<usize>)>,
    /// What is defined directly in the module.
    pub(in crate::syntax) defined: Vec<u32>,
    /// The documentation that holds sessions of `iex`.
    pub(super) docs: Vec<Doc<'t>>,
}

/// The two kinds of routers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Router {
    Phoenix,
    Plug,
}

impl<'t> Reader<'t> {
    /// What can be said of a module only once all of it is read.
    pub(in crate::syntax) fn settle_framework(&mut self, module: &Arc<str>, context: &Context<'t>) {
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
