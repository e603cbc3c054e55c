//! What a module's body has said that gives a meaning to what follows.

use std::ops::Range;
use std::sync::Arc;

use tree_sitter::Node;

/// Longer names say nothing to people, and could grow with the depth of what nests.
pub(super) const LONGEST_NAME: usize = 512;

/// What is known of a module while its body is read.
#[derive(Default)]
pub(in crate::syntax) struct FrameworkContext<'t> {
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

/// What the scopes around give to a route.
#[derive(Clone, Default)]
pub(in crate::syntax) struct RouteScope {
    pub(super) path: String,
    pub(super) alias: Option<Arc<str>>,
    pub(super) pipelines: Vec<Arc<str>>,
}

impl RouteScope {
    /// The path with `added` behind it, as Phoenix joins them.
    pub(super) fn joined(&self, added: &str) -> String {
        let parts = added.split('/').filter(|part| !part.is_empty());
        let mut path = self.path.clone();
        for part in parts.take_while(|_| added.len() <= LONGEST_NAME) {
            path.push('/');
            path.push_str(part);
        }
        path
    }

    pub(super) fn enter_path(&mut self, added: &str) {
        let path = self.joined(added);
        if path.len() <= LONGEST_NAME {
            self.path = path;
        }
    }

    pub(super) fn scoped(&self, module: Arc<str>) -> Arc<str> {
        self.alias.as_ref().map_or(module.clone(), |alias| format!("{alias}.{module}").into())
    }
}

/// The text of a `@moduledoc`, `@doc` or `@typedoc` that holds sessions.
pub(super) struct Doc<'t> {
    pub(super) node: Node<'t>,
    pub(super) of_module: bool,
}
