//! Plug's own routers, whose routes have bodies.

use tree_sitter::Node;

use super::CallSite;
use crate::syntax::reader::{ElixirReader, VisitMode, VisitTask};

/// The macros that are named after a verb of HTTP, and the two that take any.
const WORDS: [&str; 9] = ["delete", "forward", "get", "head", "match", "options", "patch", "post", "put"];

impl<'t> ElixirReader<'t> {
    /// Reads a word of Plug's router; `false` if it is none.
    pub(super) fn plug_route(&mut self, call: &CallSite<'_, 't>) -> bool {
        let Some((first, _)) = call.arguments.split_first().filter(|_| WORDS.contains(&call.name)) else {
            return false;
        };
        let (path, guard) = match self.operator(*first) {
            Some("when") => (first.child_by_field_name("left"), first.child_by_field_name("right")),
            _ => (Some(*first), None),
        };
        let options = self.pairs(call.arguments);
        let option = |wanted: &str| options.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
        let (to, body) = (option("to"), call.block.or_else(|| option("do")));
        let Some(path) = path.filter(|_| to.is_some() || body.is_some()) else { return false };
        self.macro_call(call);
        let verbs = match call.name {
            "match" | "forward" => option("via").map(|verbs| self.literal_atoms(verbs)).unwrap_or_default(),
            verb => vec![verb.into()],
        };
        let verbs: Vec<String> = verbs.iter().map(|verb| verb.to_ascii_uppercase()).collect();
        let verb = if verbs.is_empty() { "*".into() } else { verbs.join("|") };
        let is_any = path.kind() == "identifier";
        let written = if is_any { "/*".into() } else { self.path(path) };
        let route = self.route_at(&verb, &written, None, call.node);
        if let Some(to) = to {
            self.answer(route, to, (to, "call"), false);
        }
        // The body is a function of its own, in which the parts of the path are bound.
        self.owners.push(route.or(self.owner()));
        self.functions += 1;
        let outer = self.scopes.isolate();
        self.scopes.enter(call.node.end_byte());
        self.tasks.extend([VisitTask::LeaveFunction(Some(outer)), VisitTask::LeaveScope]);
        self.scopes.bind("conn");
        self.scopes.bind("opts");
        self.bind_segments(path);
        self.visit_body(call, &options);
        self.visit_all(guard, VisitMode::Expression);
        self.visit_options(&options, &["to", "via"]);
        true
    }

    /// Binds `:id` and `*rest` of a path.
    fn bind_segments(&mut self, path: Node<'t>) {
        for part in self.text(path).split([':', '*']).skip(1) {
            let end = part.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(part.len());
            if end > 0 {
                self.scopes.bind(&part[..end]);
            }
        }
    }
}
