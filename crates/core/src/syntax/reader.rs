//! What a pass over an Elixir tree knows at each place, and how it looks at the tree.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tree_sitter::{Node, Tree, TreeCursor};

use super::framework::{FrameworkContext, RouteScope};
use super::lines::LineNumbers;
use super::literal::atom;
use super::parse::{join, span};
use super::scope::{Scopes, Variables};
use super::template::EmbeddedTemplate;
use super::{Basis, FileFacts, Reference, ReferenceKind};
use crate::source::Span;

/// How a piece of code is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum VisitMode {
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

pub(super) enum VisitTask<'t> {
    Visit(Node<'t>, VisitMode),
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

/// A module around the place that is read, and what its body has said so far.
#[derive(Default)]
pub(super) struct Module<'t> {
    /// `None` for the file itself, and where the name cannot be told from the text.
    pub(super) name: Option<Arc<str>>,
    /// Attributes that hold a module.
    pub(super) attributes: FxHashMap<&'t str, Arc<str>>,
    /// Modules that other attributes may be.
    pub(super) values: FxHashMap<&'t str, Vec<Arc<str>>>,
    /// Modules that functions without parameters may give.
    pub(super) returns: FxHashMap<&'t str, Vec<Arc<str>>>,
    /// Calls through what such functions give.
    pub(super) through: Vec<Through<'t>>,
    /// The text of the `describe` around.
    pub(super) describe: Option<Arc<str>>,
    pub(super) definition: Option<u32>,
    pub(super) pending: Pending,
    /// The definition that was added to last: a clause that follows belongs to its span.
    pub(super) last: Option<u32>,
    pub(super) specs: FxHashMap<(&'t str, u8), Vec<&'t str>>,
    pub(super) outer_functions: usize,
    /// What frameworks make of it.
    pub(super) framework: FrameworkContext<'t>,
}

/// What stands above a definition and belongs to it.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) doc: Option<Arc<str>>,
    pub(super) span: Option<Span>,
    /// Whether it holds what must be followed by a function.
    pub(super) declares: bool,
}

impl Pending {
    /// Adds what stands at `at`; what is separated from it by empty lines is about something else, unless it is
    /// documentation or a declaration.
    pub(super) fn extend(&mut self, at: Span) {
        let above = self
            .span
            .filter(|above| self.doc.is_some() || self.declares || above.line_end + 1 >= at.line_start);
        self.span = Some(above.map_or(at, |above| join(above, at)));
    }
}

/// A call of a function of the module that a local function gives: `impl().fun(x)`.
pub(super) struct Through<'t> {
    /// The local function.
    pub(super) by: &'t str,
    pub(super) call: Reference,
}

/// The state of the pass.
pub(super) struct ElixirReader<'t> {
    pub(super) source: &'t str,
    pub(super) lines: LineNumbers,
    /// The file's path.
    pub(super) path: &'t str,
    /// The templates in the file, in order of position.
    pub(super) templates: &'t [EmbeddedTemplate],
    pub(super) tasks: Vec<VisitTask<'t>>,
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
    pub(super) cursor: TreeCursor<'t>,
    names: FxHashMap<&'t str, Arc<str>>,
}

impl<'t> ElixirReader<'t> {
    pub(super) fn new(source: &'t str, tree: &'t Tree) -> Self {
        ElixirReader {
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

    /// What the expressions of a block are: statements, unless a function or a quote is around.
    pub(super) fn body_mode(&self) -> VisitMode {
        if self.functions == 0 && self.quotes == 0 { VisitMode::Statement } else { VisitMode::Expression }
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

    pub(super) fn visit_all(&mut self, nodes: impl IntoIterator<Item = Node<'t>>, mode: VisitMode) {
        let first = self.tasks.len();
        self.tasks.extend(nodes.into_iter().map(|node| VisitTask::Visit(node, mode)));
        self.tasks[first..].reverse();
    }

    pub(super) fn visit_list(&mut self, nodes: &[Node<'t>], mode: VisitMode) {
        self.visit_all(nodes.iter().copied(), mode);
    }

    pub(super) fn visit_children(&mut self, node: Node<'t>, mode: VisitMode) {
        let first = self.tasks.len();
        self.tasks.extend(node.named_children(&mut self.cursor).map(|child| VisitTask::Visit(child, mode)));
        self.tasks[first..].reverse();
    }

    /// A word of `Kernel` that a query has, too.
    pub(super) fn word(&mut self, site: Node<'t>, name: &'t str, arguments: usize) {
        if !self.in_query {
            self.local(site, name, arguments);
        }
    }

    pub(super) fn local(&mut self, site: Node<'t>, name: &'t str, arguments: usize) {
        self.reference(ReferenceKind::Call, site, None, name, arity(arguments), Basis::Written);
    }

    pub(super) fn reference(
        &mut self,
        kind: ReferenceKind,
        site: Node<'t>,
        module: Option<Arc<str>>,
        name: &'t str,
        arity: Option<u8>,
        basis: Basis,
    ) {
        let name = self.intern(name);
        self.reference_at(kind, span(site), module, name, arity, basis);
    }

    pub(super) fn reference_at(
        &mut self,
        kind: ReferenceKind,
        span: Span,
        module: Option<Arc<str>>,
        name: Arc<str>,
        arity: Option<u8>,
        basis: Basis,
    ) {
        if kind == ReferenceKind::Call && arity.is_none() {
            return;
        }
        // What is quoted is no surer than that it is quoted.
        let basis = match basis {
            sure if sure.is_certain() && self.quotes > 0 => Basis::Quoted,
            sure if sure.is_certain() && self.left_out => Basis::Conditional,
            other => other,
        };
        self.facts.references.push(Reference { kind, from: self.owner(), module, name, arity, span, basis });
    }

    pub(super) fn owner(&self) -> Option<u32> {
        self.owners.last().copied().flatten()
    }

    /// The key of a `key: value` pair.
    pub(super) fn key(&self, pair: Node<'t>) -> Option<&'t str> {
        pair.child_by_field_name("key").and_then(|key| atom(key, self.source))
    }

    /// The pairs of the keyword lists among `nodes`.
    pub(super) fn pairs(&mut self, nodes: &[Node<'t>]) -> Vec<(&'t str, Node<'t>)> {
        let mut open = nodes.to_vec();
        open.reverse();
        let mut pairs = Vec::new();
        while let Some(node) = open.pop() {
            match node.kind() {
                "keywords" | "list" => {
                    let first = open.len();
                    open.extend(self.children(node));
                    open[first..].reverse();
                }
                "pair" => {
                    if let (Some(key), Some(value)) = (self.key(node), node.child_by_field_name("value")) {
                        pairs.push((key, value));
                    }
                }
                _ => {}
            }
        }
        pairs
    }
}

/// The mode of what is inside: patterns hold patterns, everything else expressions.
pub(super) fn keep_pattern(mode: VisitMode) -> VisitMode {
    if mode == VisitMode::Pattern { mode } else { VisitMode::Expression }
}

/// An arity that a function can have.
pub(super) fn arity(count: usize) -> Option<u8> {
    u8::try_from(count).ok()
}
