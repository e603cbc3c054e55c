//! Reads an Elixir tree: one pass in the order of the text with an explicit stack, so that no input can exhaust the
//! thread's own. In Elixir's grammar every construct, `def` and `defmodule` too, is a call; what a call means is
//! decided here by its name, and is the business of `define` and `refer`.

use tree_sitter::Node;

use super::reader::{ElixirReader, Mode, Task, keep_pattern};
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
        self.tasks.push(Task::Visit(node, Mode::Statement));
        self.run_until(before);
    }

    /// Does what is to be done until so many tasks are left.
    pub(super) fn run_until(&mut self, left: usize) {
        while self.tasks.len() > left {
            let Some(task) = self.tasks.pop() else { return };
            match task {
                Task::Visit(node, Mode::Statement) => self.statement(node),
                Task::Visit(node, mode) => self.visit(node, mode),
                Task::LeaveScope => self.scopes.leave(),
                Task::LeaveModule => self.leave_module(),
                Task::LeaveFunction(variables) => {
                    if let Some(variables) = variables {
                        self.scopes.restore(variables);
                    }
                    self.owners.pop();
                    self.functions -= 1;
                }
                Task::LeaveDescribe(outer) => {
                    self.module().describe = outer;
                    self.owners.pop();
                }
                Task::Quotes(quotes) => self.quotes = quotes,
                Task::LeftOut(left_out) => self.left_out = left_out,
                Task::InQuery(in_query) => self.in_query = in_query,
                Task::EnterOwner(owner) => self.owners.push(owner),
                Task::LeaveOwner => {
                    self.owners.pop();
                }
                Task::LeaveRoutes(outer) => self.module().framework.routes = *outer,
                Task::LeaveTemplate => self.leave_template(),
            }
        }
    }

    fn visit(&mut self, node: Node<'t>, mode: Mode) {
        match node.kind() {
            "call" => self.call(node, mode),
            "identifier" => self.identifier(node, mode),
            "alias" => self.mention(node),
            "binary_operator" => self.binary(node, mode),
            "unary_operator" => self.unary(node, mode),
            "dot" => match self.module_of(node) {
                Some(_) => self.mention(node),
                None => self.visit_children(node, Mode::Expression),
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
                self.tasks.push(Task::LeaveScope);
                self.visit_all(node.child_by_field_name("value"), keep_pattern(mode));
            }
            "pair" => {
                self.visit_all(node.child_by_field_name("value"), keep_pattern(mode));
                let key = node.child_by_field_name("key").filter(|key| key.kind() == "quoted_keyword");
                self.visit_all(key, Mode::Expression);
            }
            "interpolation" => self.visit_children(node, Mode::Expression),
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
                self.visit_children(node, Mode::Expression);
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
    fn block(&mut self, node: Node<'t>, mode: Mode) {
        let timeout = node.kind() == "after_block" || mode == Mode::Conditions;
        let inner = if timeout { Mode::Conditions } else { self.body_mode() };
        let children: Vec<_> = node.named_children(&mut self.cursor).collect();
        let sections = children.iter().position(|child| child.kind().ends_with("_block"));
        let (body, sections) = children.split_at(sections.unwrap_or(children.len()));
        self.visit_list(sections, inner);
        self.scopes.enter(sections.first().map_or(node.end_byte(), Node::start_byte));
        self.tasks.push(Task::LeaveScope);
        self.visit_list(body, inner);
    }

    fn stab(&mut self, node: Node<'t>, mode: Mode) {
        self.scopes.enter(node.end_byte());
        self.tasks.push(Task::LeaveScope);
        self.visit_all(node.child_by_field_name("right"), Mode::Expression);
        let left = if mode == Mode::Conditions { Mode::Expression } else { Mode::Pattern };
        self.visit_all(node.child_by_field_name("left"), left);
    }

    fn identifier(&mut self, node: Node<'t>, mode: Mode) {
        let name = self.text(node);
        match mode {
            Mode::Segment => {}
            Mode::Pattern if name == "_" || name.starts_with("__") => {}
            Mode::Pattern => self.scopes.bind(name),
            _ if self.quotes > 0 || name.starts_with('_') || name == "..." => {}
            Mode::Piped => self.local(node, name, 1),
            // A template has variables from anywhere; calls without parentheses are a thing of the past.
            _ if self.templates_around == 0 && !self.scopes.is_bound(name) => self.local(node, name, 0),
            _ => {}
        }
    }

    fn binary(&mut self, node: Node<'t>, mode: Mode) {
        let operator = node.child_by_field_name("operator").map_or("", |operator| self.text(operator));
        let (left, right) = (node.child_by_field_name("left"), node.child_by_field_name("right"));
        let inner = keep_pattern(mode);
        self.operation(node, operator, 2, mode);
        // The task that is pushed last is done first.
        match operator {
            "|>" => {
                self.piped(left, right);
                self.visit_all(right, Mode::Piped);
                self.visit_all(left, inner);
            }
            "=" | "<-" if mode != Mode::Pattern => {
                self.assigned(left, right);
                if let (Some(left), Some(right)) = (left, right) {
                    self.hold(left, right);
                }
                self.visit_all(left, Mode::Pattern);
                self.visit_all(right, Mode::Expression);
            }
            "when" | "\\\\" => {
                self.visit_all(right, Mode::Expression);
                self.visit_all(left, inner);
            }
            "=>" => {
                self.visit_all(right, inner);
                self.visit_all(left, Mode::Expression);
            }
            "::" => {
                self.visit_all(right, Mode::Segment);
                self.visit_all(left, inner);
            }
            "not in" => {
                self.word(node, "not", 1);
                self.visit_all(right, inner);
                self.visit_all(left, inner);
            }
            "in" if mode == Mode::Pattern => {
                self.visit_all(right, Mode::Expression);
                self.visit_all(left, Mode::Pattern);
            }
            _ => {
                let inner = if mode == Mode::Segment { mode } else { inner };
                self.visit_all(right, inner);
                self.visit_all(left, inner);
            }
        }
    }

    /// An operator is a call, unless it is part of the language. Those of `Kernel` are left out where nothing else can be
    /// meant: there are as many of them as of all other calls.
    fn operation(&mut self, node: Node<'t>, operator: &'t str, arity: u8, mode: Mode) {
        let is_kernel = KERNEL_OPERATORS.binary_search(&operator).is_ok();
        let is_call = !NO_CALLS.contains(&operator) && (!is_kernel || self.own_operators);
        if is_call && !self.in_query && !matches!(mode, Mode::Pattern | Mode::Segment) {
            let site = node.child_by_field_name("operator").unwrap_or(node);
            self.local(site, operator, usize::from(arity));
        }
    }

    fn unary(&mut self, node: Node<'t>, mode: Mode) {
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
                        _ => self.visit_list(&arguments, Mode::Expression),
                    }
                }
            }
            "not" => {
                self.word(node, "not", 1);
                self.visit_children(node, Mode::Expression);
            }
            // What is pinned into a query is evaluated before it.
            "^" => {
                self.tasks.push(Task::InQuery(self.in_query));
                self.visit_children(node, Mode::Expression);
                self.tasks.push(Task::InQuery(false));
            }
            _ => self.visit_children(node, keep_pattern(mode)),
        }
    }

    fn map(&mut self, node: Node<'t>, mode: Mode) {
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

    fn bitstring(&mut self, node: Node<'t>, mode: Mode) {
        let parts = self.children(node);
        let generator = parts.last().is_some_and(|last| self.operator(*last) == Some("<-"));
        let (last, first) = match parts.split_last() {
            Some((last, first)) if generator => (Some(*last), first),
            _ => (None, &parts[..]),
        };
        // In `<<a, b <- c>>` all but `c` is a pattern.
        let inner = if generator { Mode::Pattern } else { keep_pattern(mode) };
        self.visit_all(last, Mode::Expression);
        self.visit_list(first, inner);
    }
}
