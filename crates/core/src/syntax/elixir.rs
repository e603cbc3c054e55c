//! Reads an Elixir tree: one pass in the order of the text with an explicit stack, so that no input can exhaust the
//! thread's own. In Elixir's grammar every construct, `def` and `defmodule` too, is a call; what a call means is
//! decided here by its name, and is the business of `define` and `refer`.

use tree_sitter::Node;

use super::reader::{ElixirReader, VisitMode, VisitTask, keep_pattern};
use super::{Basis, ReferenceKind};

/// Operators that are part of the language, or are looked at apart.
const NO_CALLS: [&str; 13] =
    ["=", "|", "::", "<-", "->", "\\\\", "when", "=>", "&", "@", "^", "not", "not in"];

/// The operators that every module imports. Sorted.
const KERNEL_OPERATORS: [&str; 28] = [
    "!", "!=", "!==", "&&", "*", "**", "+", "++", "-", "--", "..", "..//", "/", "//", "<", "<=", "<>", "==",
    "===", "=~", ">", ">=", "and", "in", "or", "|>", "||", "~",
];

/// Keys whose values are blocks.
const SECTIONS: [&str; 5] = ["after", "catch", "do", "else", "rescue"];

impl<'t> ElixirReader<'t> {
    /// Reads `node` and all that is in it.
    pub(super) fn read(&mut self, node: Node<'t>) {
        let before = self.tasks.len();
        self.tasks.push(VisitTask::Visit(node, VisitMode::Statement));
        self.run_until(before);
    }

    /// Does what is to be done until so many tasks are left.
    pub(super) fn run_until(&mut self, left: usize) {
        while self.tasks.len() > left {
            let Some(task) = self.tasks.pop() else { return };
            match task {
                VisitTask::Visit(node, VisitMode::Statement) => self.statement(node),
                VisitTask::Visit(node, mode) => self.visit(node, mode),
                VisitTask::LeaveScope => self.scopes.leave(),
                VisitTask::LeaveModule => self.leave_module(),
                VisitTask::LeaveFunction(variables) => {
                    if let Some(variables) = variables {
                        self.scopes.restore(variables);
                    }
                    self.owners.pop();
                    self.functions -= 1;
                }
                VisitTask::LeaveDescribe(outer) => {
                    self.module().describe = outer;
                    self.owners.pop();
                }
                VisitTask::Quotes(quotes) => self.quotes = quotes,
                VisitTask::LeftOut(left_out) => self.left_out = left_out,
                VisitTask::InQuery(in_query) => self.in_query = in_query,
                VisitTask::EnterOwner(owner) => self.owners.push(owner),
                VisitTask::LeaveOwner => {
                    self.owners.pop();
                }
                VisitTask::LeaveRoutes(outer) => self.module().framework.routes = *outer,
                VisitTask::LeaveTemplate => self.leave_template(),
            }
        }
    }

    fn visit(&mut self, node: Node<'t>, mode: VisitMode) {
        match node.kind() {
            "call" => self.call(node, mode),
            "identifier" => self.identifier(node, mode),
            "alias" => self.mention(node),
            "binary_operator" => self.binary(node, mode),
            "unary_operator" => self.unary(node, mode),
            "dot" => match self.module_of(node) {
                Some(_) => self.mention(node),
                None => self.visit_children(node, VisitMode::Expression),
            },
            "map" => self.map(node, mode),
            "access_call" => self.access(node),
            "bitstring" => self.bitstring(node, mode),
            "tuple" => {
                self.tuple(node, mode);
                self.visit_children(node, keep_pattern(mode));
            }
            "pair" if self.key(node).is_some_and(|key| SECTIONS.contains(&key)) => {
                self.scopes.enter(node.end_byte());
                self.tasks.push(VisitTask::LeaveScope);
                self.visit_all(node.child_by_field_name("value"), keep_pattern(mode));
            }
            "pair" => {
                self.visit_all(node.child_by_field_name("value"), keep_pattern(mode));
                let key = node.child_by_field_name("key").filter(|key| key.kind() == "quoted_keyword");
                self.visit_all(key, VisitMode::Expression);
            }
            "interpolation" => self.visit_children(node, VisitMode::Expression),
            "quoted_atom" | "quoted_keyword" => {
                if self.children(node).iter().any(|part| part.kind() == "interpolation") {
                    let module = Some(":erlang".into());
                    self.reference(
                        ReferenceKind::Call,
                        node,
                        module,
                        "binary_to_atom",
                        Some(2),
                        Basis::Written,
                    );
                }
                self.visit_children(node, VisitMode::Expression);
            }
            "sigil" => self.sigil(node, mode),
            "do_block" | "after_block" | "rescue_block" | "catch_block" | "else_block" => {
                self.block(node, mode)
            }
            "stab_clause" => self.stab(node, mode),
            "ERROR" => self.visit_children(node, self.body_mode()),
            "comment" => {}
            _ => self.visit_children(node, keep_pattern(mode)),
        }
    }

    /// A block and the sections behind it, which see nothing of what it brings into scope.
    fn block(&mut self, node: Node<'t>, mode: VisitMode) {
        let timeout = node.kind() == "after_block" || mode == VisitMode::Conditions;
        let inner = if timeout { VisitMode::Conditions } else { self.body_mode() };
        let children: Vec<_> = node.named_children(&mut self.cursor).collect();
        let sections = children.iter().position(|child| child.kind().ends_with("_block"));
        let (body, sections) = children.split_at(sections.unwrap_or(children.len()));
        self.visit_list(sections, inner);
        self.scopes.enter(sections.first().map_or(node.end_byte(), Node::start_byte));
        self.tasks.push(VisitTask::LeaveScope);
        self.visit_list(body, inner);
    }

    fn stab(&mut self, node: Node<'t>, mode: VisitMode) {
        self.scopes.enter(node.end_byte());
        self.tasks.push(VisitTask::LeaveScope);
        self.visit_all(node.child_by_field_name("right"), VisitMode::Expression);
        let left = if mode == VisitMode::Conditions { VisitMode::Expression } else { VisitMode::Pattern };
        self.visit_all(node.child_by_field_name("left"), left);
    }

    fn identifier(&mut self, node: Node<'t>, mode: VisitMode) {
        let name = self.text(node);
        match mode {
            VisitMode::Segment => {}
            VisitMode::Pattern if name == "_" || name.starts_with("__") => {}
            VisitMode::Pattern => self.scopes.bind(name),
            _ if self.quotes > 0 || name.starts_with('_') || name == "..." => {}
            VisitMode::Piped => self.local(node, name, 1),
            // A template has variables from anywhere; calls without parentheses are a thing of the past.
            _ if self.templates_around == 0 && !self.scopes.is_bound(name) => self.local(node, name, 0),
            _ => {}
        }
    }

    fn binary(&mut self, node: Node<'t>, mode: VisitMode) {
        let operator = node.child_by_field_name("operator").map_or("", |operator| self.text(operator));
        let (left, right) = (node.child_by_field_name("left"), node.child_by_field_name("right"));
        let inner = keep_pattern(mode);
        self.operation(node, operator, 2, mode);
        // The task that is pushed last is done first.
        match operator {
            "|>" => {
                self.piped(left, right);
                self.visit_all(right, VisitMode::Piped);
                self.visit_all(left, inner);
            }
            "=" | "<-" if mode != VisitMode::Pattern => {
                self.assigned(left, right);
                if let (Some(left), Some(right)) = (left, right) {
                    self.hold(left, right);
                }
                self.visit_all(left, VisitMode::Pattern);
                self.visit_all(right, VisitMode::Expression);
            }
            "when" | "\\\\" => {
                self.visit_all(right, VisitMode::Expression);
                self.visit_all(left, inner);
            }
            "=>" => {
                self.visit_all(right, inner);
                self.visit_all(left, VisitMode::Expression);
            }
            "::" => {
                self.visit_all(right, VisitMode::Segment);
                self.visit_all(left, inner);
            }
            "not in" => {
                self.word(node, "not", 1);
                self.visit_all(right, inner);
                self.visit_all(left, inner);
            }
            "in" if mode == VisitMode::Pattern => {
                self.visit_all(right, VisitMode::Expression);
                self.visit_all(left, VisitMode::Pattern);
            }
            _ => {
                let inner = if mode == VisitMode::Segment { mode } else { inner };
                self.visit_all(right, inner);
                self.visit_all(left, inner);
            }
        }
    }

    /// An operator is a call, unless it is part of the language. Those of `Kernel` are left out where nothing else can be
    /// meant: there are as many of them as of all other calls.
    fn operation(&mut self, node: Node<'t>, operator: &'t str, arity: u8, mode: VisitMode) {
        let is_kernel = KERNEL_OPERATORS.binary_search(&operator).is_ok();
        let is_call = !NO_CALLS.contains(&operator) && (!is_kernel || self.own_operators);
        if is_call && !self.in_query && !matches!(mode, VisitMode::Pattern | VisitMode::Segment) {
            let site = node.child_by_field_name("operator").unwrap_or(node);
            self.local(site, operator, usize::from(arity));
        }
    }

    fn unary(&mut self, node: Node<'t>, mode: VisitMode) {
        let operator = node.child_by_field_name("operator").map_or("", |operator| self.text(operator));
        self.operation(node, operator, 1, mode);
        match operator {
            "&" => self.capture(node),
            "@" => {
                // The attribute's name is no call, but its value may hold some.
                if let Some(call) = node.child_by_field_name("operand").filter(|o| o.kind() == "call") {
                    let arguments = self.arguments(call);
                    let name = call.child_by_field_name("target").map_or("", |target| self.text(target));
                    match (name, &arguments[..]) {
                        ("behaviour" | "before_compile", [value]) => self.commit_to(name, *value),
                        _ => self.visit_list(&arguments, VisitMode::Expression),
                    }
                }
            }
            "not" => {
                self.word(node, "not", 1);
                self.visit_children(node, VisitMode::Expression);
            }
            // What is pinned into a query is evaluated before it.
            "^" => {
                self.tasks.push(VisitTask::InQuery(self.in_query));
                self.visit_children(node, VisitMode::Expression);
                self.tasks.push(VisitTask::InQuery(false));
            }
            _ => self.visit_children(node, keep_pattern(mode)),
        }
    }

    fn map(&mut self, node: Node<'t>, mode: VisitMode) {
        let mut inner = Vec::new();
        for child in self.children(node) {
            if child.kind() != "struct" {
                inner.push(child);
                continue;
            }
            let Some(name) = child.named_child(0) else { continue };
            match self.module_of(name) {
                Some(module) => {
                    self.reference(ReferenceKind::Struct, name, Some(module), "", None, Basis::Written)
                }
                None => inner.push(name),
            }
        }
        self.visit_list(&inner, keep_pattern(mode));
    }

    fn bitstring(&mut self, node: Node<'t>, mode: VisitMode) {
        let parts = self.children(node);
        let generator = parts.last().is_some_and(|last| self.operator(*last) == Some("<-"));
        let (last, first) = match parts.split_last() {
            Some((last, first)) if generator => (Some(*last), first),
            _ => (None, &parts[..]),
        };
        // In `<<a, b <- c>>` all but `c` is a pattern.
        let inner = if generator { VisitMode::Pattern } else { keep_pattern(mode) };
        self.visit_all(last, VisitMode::Expression);
        self.visit_list(first, inner);
    }
}
