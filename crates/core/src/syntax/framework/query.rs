//! Ecto's queries: what they ask for, and the variables that they bind.

use tree_sitter::Node;

use super::CallSite;
use super::schema::is_query;
use crate::syntax::Basis;
use crate::syntax::reader::{ElixirReader, VisitMode, VisitTask};

/// The macros of `Ecto.Query` that may bind variables, but for `from`. Sorted.
pub(super) const MACROS: [&str; 17] = [
    "distinct",
    "dynamic",
    "group_by",
    "having",
    "join",
    "limit",
    "offset",
    "or_having",
    "or_where",
    "order_by",
    "preload",
    "prepend_order_by",
    "select",
    "select_merge",
    "update",
    "where",
    "windows",
];

fn is_macro(name: &str) -> bool {
    MACROS.binary_search(&name).is_ok()
}

impl<'t> ElixirReader<'t> {
    /// Reads a query; `false` if it is none, or binds nothing.
    pub(super) fn query_call(&mut self, call: &CallSite<'_, 't>) -> bool {
        if call.name == "from" && !call.piped() {
            return self.query_from(call);
        }
        is_macro(call.name) && self.query_macro(call)
    }

    /// `from u in User, join: p in Post, on: p.user_id == u.id`.
    fn query_from(&mut self, call: &CallSite<'_, 't>) -> bool {
        let [first, rest @ ..] = call.arguments else { return false };
        let binds = self.operator(*first) == Some("in");
        let asks = matches!(rest, [options] if options.kind() == "keywords") && first.kind() == "alias";
        if !binds && !asks {
            return false;
        }
        let mut steps = Vec::new();
        self.bound_source(*first, &mut steps);
        for (key, value) in self.pairs(rest) {
            if key == "join" || key.ends_with("_join") {
                self.bound_source(value, &mut steps);
            } else {
                steps.push((value, VisitMode::Expression));
            }
        }
        self.enter_query(call, steps);
        true
    }

    /// `where(query, [u], u.age > 1)`, and the same behind a pipe.
    fn query_macro(&mut self, call: &CallSite<'_, 't>) -> bool {
        let bindings = call.arguments.iter().take(3).position(|argument| self.is_binding_list(*argument));
        let bindings = bindings.filter(|at| at + 1 < call.arguments.len());
        if let Some(first) = call.argument(0).filter(|first| first.kind() == "alias") {
            self.queryable(first, Basis::Convention);
        }
        let Some(bindings) = bindings else { return false };
        let (before, after) = call.arguments.split_at(bindings);
        let mut steps: Vec<_> = before.iter().map(|argument| (*argument, VisitMode::Expression)).collect();
        for (at, argument) in after.iter().enumerate() {
            match at {
                0 => steps.push((*argument, VisitMode::Pattern)),
                1 if call.name == "join" => self.bound_source(*argument, &mut steps),
                _ => steps.push((*argument, VisitMode::Expression)),
            }
        }
        self.enter_query(call, steps);
        true
    }

    /// `u in User`, or a source without a variable.
    fn bound_source(&mut self, node: Node<'t>, steps: &mut Vec<(Node<'t>, VisitMode)>) {
        let mut source = node;
        if self.operator(node) == Some("in")
            && let (Some(left), Some(right)) =
                (node.child_by_field_name("left"), node.child_by_field_name("right"))
        {
            steps.push((left, VisitMode::Pattern));
            source = right;
        }
        self.queryable(source, Basis::Convention);
        steps.push((source, VisitMode::Expression));
    }

    /// Reads the parts of a query in order; what they bind ends with it.
    fn enter_query(&mut self, call: &CallSite<'_, 't>, steps: Vec<(Node<'t>, VisitMode)>) {
        self.macro_call(call);
        self.scopes.enter(call.node.end_byte());
        self.tasks.extend([VisitTask::LeaveScope, VisitTask::InQuery(self.in_query)]);
        self.tasks.extend(steps.into_iter().rev().map(|(node, mode)| VisitTask::Visit(node, mode)));
        self.tasks.push(VisitTask::InQuery(true));
    }

    /// `[u]`, `[u, ..., p]`, `[user: u]` or `[{:user, u}]`.
    fn is_binding_list(&mut self, node: Node<'t>) -> bool {
        if node.kind() != "list" {
            return false;
        }
        let mut open = self.children(node);
        if let [only] = open[..]
            && only.kind() == "keywords"
        {
            open = self.pairs(&[only]).into_iter().map(|(_, value)| value).collect();
        }
        let is_variable = |node: &Node| match node.kind() {
            "tuple" => {
                node.named_child_count() == 2
                    && node.named_child(1).is_some_and(|value| value.kind() == "identifier")
            }
            kind => kind == "identifier",
        };
        !open.is_empty() && open.iter().all(is_variable)
    }

    /// `User |> where(...)` and `User |> Repo.all()` ask for users.
    pub(in crate::syntax) fn piped(&mut self, left: Option<Node<'t>>, right: Option<Node<'t>>) {
        let Some(left) = left.filter(|left| left.kind() == "alias" && self.quotes == 0) else { return };
        let Some(target) = right.and_then(|right| right.child_by_field_name("target")) else { return };
        let asks = match target.kind() {
            "identifier" => is_macro(self.text(target)),
            "dot" => {
                let name = target.child_by_field_name("right").map_or("", |name| self.text(name));
                let module = target.child_by_field_name("left").and_then(|left| self.literal_module(left));
                module.is_some_and(|module| {
                    &*module == "Ecto.Query" && is_macro(name) || module.ends_with("Repo") && is_query(name)
                })
            }
            _ => false,
        };
        if asks {
            self.queryable(left, Basis::Convention);
        }
    }
}
