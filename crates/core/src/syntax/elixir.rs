//! Reads an Elixir tree: one pass in the order of the text with an explicit stack, so that no input can exhaust the
//! thread's own. In Elixir's grammar every construct, `def` and `defmodule` too, is a call; what a call means is
//! decided here by its name, and is the business of `define` and `refer`.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tree_sitter::{Node, Tree, TreeCursor};

use super::define::Module;
use super::framework::RouteScope;
use super::lines::LineNumbers;
use super::parse::span;
use super::scope::{Scopes, Variables};
use super::template::Template;
use super::{Basis, FileFacts, ReferenceKind};
use crate::source::Span;

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

/// How a piece of code is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Directly in the body of a module, or in something that unfolds there.
    Statement,
    /// Evaluated for its value.
    Expression,
    /// The right side of a pipe: a call takes one argument more than is written.
    Piped,
    /// Matched against: identifiers are bound, not read.
    Pattern,
    /// What stands behind `::` in a bitstring.
    Segment,
    /// Left sides of `->` are expressions, as in `cond`.
    Conditions,
}

pub(super) enum Task<'t> {
    Visit(Node<'t>, Mode),
    LeaveScope,
    LeaveModule,
    /// With the variables around the function, if it did not see them.
    LeaveFunction(Option<Variables<'t>>),
    LeaveDescribe(Option<Arc<str>>),
    /// Sets how many quotes are around.
    Quotes(usize),
    /// Sets whether the code is left out by a condition on Elixir's version.
    LeftOut(bool),
    /// Sets whether a query is around, in which words mean what the database has.
    InQuery(bool),
    EnterOwner(Option<u32>),
    LeaveOwner,
    LeaveRoutes(Box<RouteScope>),
    LeaveTemplate,
}

/// The state of the pass.
pub(super) struct Reader<'t> {
    pub(super) source: &'t str,
    pub(super) lines: LineNumbers,
    /// The file's path.
    pub(super) path: &'t str,
    /// The templates in the file, in order of position.
    pub(super) templates: &'t [Template],
    pub(super) tasks: Vec<Task<'t>>,
    pub(super) scopes: Scopes<'t>,
    /// The modules around, outermost first; the first stands for the file itself.
    pub(super) modules: Vec<Module<'t>>,
    /// The definitions around, as indices; the last one is where references come from.
    pub(super) owners: Vec<Option<u32>>,
    /// How many functions are around, within the innermost module.
    pub(super) functions: usize,
    /// How many `quote`s are around that no `unquote` has ended.
    pub(super) quotes: usize,
    /// Whether a condition on Elixir's version leaves out the code.
    pub(super) left_out: bool,
    /// Whether the code is part of a query.
    pub(super) in_query: bool,
    /// Whether the file says what it imports of `Kernel`, so that operators may be others than usual.
    pub(super) own_operators: bool,
    /// Modules that a loop in a module's body runs over, by its variable: what the loop defines is made for each.
    pub(super) loops: FxHashMap<&'t str, Vec<Arc<str>>>,
    /// Modules that a variable of the function around may be.
    pub(super) held: FxHashMap<&'t str, Vec<Arc<str>>>,
    /// How many templates are around.
    pub(super) templates_around: usize,
    /// Definitions of what is called, by module, name and arity.
    pub(super) callables: FxHashMap<(Arc<str>, Arc<str>, u8), u32>,
    /// How many references have come of loops over modules.
    pub(super) looped: usize,
    /// How long the heads of functions are together.
    pub(super) heads: usize,
    pub(super) facts: FileFacts,
    /// The shapes of messages, by where their references begin and end.
    pub(super) messages: Vec<((u32, u32), Arc<str>)>,
    /// Of the call whose body is read apart from it: where it begins, and where all of it is.
    pub(super) outline: Option<(usize, Span)>,
    cursor: TreeCursor<'t>,
    names: FxHashMap<&'t str, Arc<str>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(source: &'t str, tree: &'t Tree) -> Self {
        Reader {
            source,
            lines: LineNumbers::of(source),
            path: "",
            templates: &[],
            tasks: Vec::new(),
            scopes: Scopes::default(),
            modules: vec![Module::default()],
            owners: vec![None],
            functions: 0,
            quotes: 0,
            left_out: false,
            in_query: false,
            own_operators: source.contains("import Kernel"),
            loops: FxHashMap::default(),
            held: FxHashMap::default(),
            templates_around: 0,
            callables: FxHashMap::default(),
            looped: 0,
            heads: 0,
            facts: FileFacts::default(),
            messages: Vec::new(),
            outline: None,
            cursor: tree.walk(),
            names: FxHashMap::default(),
        }
    }

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

    /// What the expressions of a block are: statements, unless a function or a quote is around.
    fn body_mode(&self) -> Mode {
        if self.functions == 0 && self.quotes == 0 { Mode::Statement } else { Mode::Expression }
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

    /// The module in whose body the pass is.
    pub(super) fn module(&mut self) -> &mut Module<'t> {
        if self.modules.is_empty() {
            self.modules.push(Module::default());
        }
        let last = self.modules.len() - 1;
        &mut self.modules[last]
    }

    /// Where a call is, its block included.
    pub(super) fn extent(&self, call: Node) -> Span {
        match self.outline {
            Some((start, whole)) if start == call.start_byte() => whole,
            _ => span(call),
        }
    }

    pub(super) fn text(&self, node: Node) -> &'t str {
        self.source.get(node.byte_range()).unwrap_or_default()
    }

    /// One shared copy of a name for the whole file.
    pub(super) fn intern(&mut self, name: &'t str) -> Arc<str> {
        self.names.entry(name).or_insert_with(|| name.into()).clone()
    }

    /// The operator of a binary or unary operation.
    pub(super) fn operator(&self, node: Node<'t>) -> Option<&'t str> {
        matches!(node.kind(), "binary_operator" | "unary_operator")
            .then(|| node.child_by_field_name("operator").map(|operator| self.text(operator)))
            .flatten()
    }

    /// The named children, comments left out.
    pub(super) fn children(&mut self, node: Node<'t>) -> Vec<Node<'t>> {
        node.named_children(&mut self.cursor).filter(|child| !child.is_extra()).collect()
    }

    /// The arguments of a call, in one list; a keyword list at the end is one argument.
    pub(super) fn arguments(&mut self, call: Node<'t>) -> Vec<Node<'t>> {
        let list = call.named_children(&mut self.cursor).find(|child| child.kind() == "arguments");
        list.map_or_else(Vec::new, |list| self.children(list))
    }

    pub(super) fn do_block(&mut self, call: Node<'t>) -> Option<Node<'t>> {
        call.named_children(&mut self.cursor).find(|child| child.kind() == "do_block")
    }

    pub(super) fn visit_all(&mut self, nodes: impl IntoIterator<Item = Node<'t>>, mode: Mode) {
        let first = self.tasks.len();
        self.tasks.extend(nodes.into_iter().map(|node| Task::Visit(node, mode)));
        self.tasks[first..].reverse();
    }

    pub(super) fn visit_list(&mut self, nodes: &[Node<'t>], mode: Mode) {
        self.visit_all(nodes.iter().copied(), mode);
    }

    pub(super) fn visit_children(&mut self, node: Node<'t>, mode: Mode) {
        let first = self.tasks.len();
        self.tasks.extend(node.named_children(&mut self.cursor).map(|child| Task::Visit(child, mode)));
        self.tasks[first..].reverse();
    }
}

/// The mode of what is inside: patterns hold patterns, everything else expressions.
pub(super) fn keep_pattern(mode: Mode) -> Mode {
    if mode == Mode::Pattern { mode } else { Mode::Expression }
}
