//! Requests that tests make of an application's own routes: `get(conn, "/orders")` of `Phoenix.ConnTest`, `live(conn, "/orders")` of
//! `Phoenix.LiveViewTest`, `conn(:get, "/orders")` of `Plug.Test`.

use super::CallSite;
use super::tie::ReferenceTarget;
use crate::syntax::literal::atom;
use crate::syntax::reader::ElixirReader;
use crate::syntax::{Basis, ReferenceKind};

const VERBS: [&str; 7] = ["delete", "get", "head", "options", "patch", "post", "put"];

impl<'t> ElixirReader<'t> {
    /// What stands in a test and has the path behind the connection; elsewhere such a call asks another server.
    pub(super) fn request(&mut self, call: &CallSite<'_, 't>) {
        if !self.path.ends_with("_test.exs") && !self.path.split('/').any(|folder| folder == "test") {
            return;
        }
        let Some(path) = call.argument(1).filter(|path| path.kind() == "string") else { return };
        let first = call.argument(0);
        let verb = match call.name {
            "conn" => first.and_then(|verb| atom(verb, self.source)).filter(|verb| VERBS.contains(verb)),
            "live" => Some("get"),
            verb => VERBS.contains(&verb).then_some(verb),
        };
        let Some(verb) = verb else { return };
        let written = self.written_path(path);
        if written.starts_with('/') {
            let name = format!("{} {written}", verb.to_ascii_uppercase());
            let to = ReferenceTarget { module: None, name: name.into(), arity: None };
            self.refer(self.owner(), ReferenceKind::Route, path, to, Basis::Convention);
        }
    }
}
