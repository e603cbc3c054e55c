//! Reads Erlang trees: form by form in the order of the text, and inside of a form with an explicit stack, so that no input
//! can exhaust the thread's own. What a name means is settled at the end, when all forms are known.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tree_sitter::{Node, TreeCursor};

use super::names::{atom, inspect};
use super::pending::{Outlook, Pending};
use super::trees::trees;
use crate::source::File;
use crate::syntax::lines::LineNumbers;
use crate::syntax::literal::as_atom;
use crate::syntax::parse::span;
use crate::syntax::{Basis, FileFacts, Reference, ReferenceKind};

/// The index of the definition of the file's own module.
pub(super) const MODULE: u32 = 0;

/// All that an Erlang file says by itself, but for its chunks.
pub(in crate::syntax) fn read(file: &File) -> FileFacts {
    let mut diagnostics = Vec::new();
    let trees = trees(file, &mut diagnostics);
    let Some(first) = trees.first() else { return FileFacts { diagnostics, ..FileFacts::default() } };
    let mut reader = ErlangReader::new(file, first.walk());
    for tree in &trees {
        reader.name_module(tree.root_node());
    }
    reader.define_module();
    for tree in &trees {
        reader.forms(tree.root_node());
    }
    FileFacts { diagnostics, ..reader.settle() }
}

/// How a piece of code is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum VisitMode {
    /// Evaluated or matched against: patterns hold no calls that could be mistaken for some.
    Expression,
    /// A type: what looks like a call names a type.
    Type,
}

/// The state of the pass.
pub(super) struct ErlangReader<'t> {
    pub(super) source: &'t str,
    pub(super) lines: LineNumbers,
    /// Where the text ends, but for white space.
    pub(super) end: u32,
    /// The module of all that the file defines.
    pub(super) module: Arc<str>,
    /// Whether the file is a header.
    pub(super) is_header: bool,
    /// The node of the name in `-module`.
    pub(super) named: Option<Node<'t>>,
    pub(super) tasks: Vec<(Node<'t>, VisitMode)>,
    /// Where references come from: the definition that the form makes.
    pub(super) owner: u32,
    /// Whether the form is a macro.
    pub(super) is_quoted: bool,
    pub(super) pending: Pending,
    /// Functions by name and arity.
    pub(super) functions: FxHashMap<(Arc<str>, u8), u32>,
    /// What macros without arguments stand for, if it is a single atom: `None` where branches differ.
    pub(super) macros: FxHashMap<&'t str, Option<Arc<str>>>,
    /// How many fields the records have.
    pub(super) records: FxHashMap<Arc<str>, usize>,
    /// What only the end of the file tells.
    pub(super) outlook: Outlook,
    pub(super) facts: FileFacts,
    cursor: TreeCursor<'t>,
    names: FxHashMap<&'t str, Arc<str>>,
    modules: FxHashMap<Arc<str>, Arc<str>>,
}

impl<'t> ErlangReader<'t> {
    fn new(file: &'t File, cursor: TreeCursor<'t>) -> Self {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let is_header = name.ends_with(".hrl");
        let module =
            if is_header { name.to_owned() } else { inspect(name.strip_suffix(".erl").unwrap_or(name)) };
        ErlangReader {
            source: &file.text,
            lines: LineNumbers::of(&file.text),
            end: file.text.trim_end().len() as u32,
            module: module.into(),
            is_header,
            named: None,
            tasks: Vec::new(),
            owner: MODULE,
            is_quoted: false,
            pending: Pending::default(),
            functions: FxHashMap::default(),
            macros: FxHashMap::default(),
            records: FxHashMap::default(),
            outlook: Outlook::default(),
            facts: FileFacts::default(),
            cursor,
            names: FxHashMap::default(),
            modules: FxHashMap::default(),
        }
    }

    /// Takes the module's name from the first `-module` that there is.
    fn name_module(&mut self, root: Node<'t>) {
        if self.is_header || self.named.is_some() {
            return;
        }
        let form = root.named_children(&mut self.cursor).find(|form| form.kind() == "module_attribute");
        self.named = form.and_then(|form| form.child_by_field_name("name"));
        if let Some(name) = self.named.and_then(|name| atom(name, self.source)) {
            self.module = inspect(&name).into();
        }
    }

    fn forms(&mut self, root: Node<'t>) {
        for form in root.named_children(&mut root.walk()) {
            (self.owner, self.is_quoted) = (MODULE, false);
            self.form(form);
            self.finish();
        }
    }

    /// Visits all that is left to visit.
    pub(super) fn finish(&mut self) {
        while let Some((node, mode)) = self.tasks.pop() {
            self.visit(node, mode);
        }
    }

    fn visit(&mut self, node: Node<'t>, mode: VisitMode) {
        match node.kind() {
            "call" => self.call(node, mode),
            "remote" => self.remote(node, mode),
            "internal_fun" => self.local_fun(node),
            "external_fun" => self.remote_fun(node),
            "macro_call_expr" => self.macro_call(node, mode),
            "record_name" | "qualified_record_name" => self.record_name(node),
            "field_type" => self.visit_children(node, VisitMode::Type),
            "binary_op_expr" => self.operation(node, mode),
            "tuple" => self.tuple(node, mode),
            "map_field" => self.map_field(node, mode),
            _ => self.visit_children(node, mode),
        }
    }

    pub(super) fn text(&self, node: Node) -> &'t str {
        self.source.get(node.byte_range()).unwrap_or_default()
    }

    /// One shared copy of a name for the whole file.
    pub(super) fn intern(&mut self, name: &'t str) -> Arc<str> {
        self.names.entry(name).or_insert_with(|| name.into()).clone()
    }

    /// The atom that a node is or that its macro stands for.
    pub(super) fn name_of(&mut self, node: Node<'t>) -> Option<Arc<str>> {
        match node.kind() {
            "atom" => {
                let text = self.text(node);
                if text.starts_with('\'') {
                    atom(node, self.source).map(Arc::from)
                } else {
                    Some(self.intern(as_atom(text)))
                }
            }
            "macro_call_expr" if node.child_by_field_name("args").is_none() => {
                let name = self.text(node.child_by_field_name("name")?);
                self.macros.get(name).cloned().flatten()
            }
            _ => None,
        }
    }

    /// The name of a macro as its definition has it.
    pub(super) fn macro_name(&mut self, node: Node<'t>) -> Arc<str> {
        let name = self.text(node);
        match atom(node, self.source) {
            Some(atom) if atom != name => atom.into(),
            _ => self.intern(name),
        }
    }

    /// The module that the code is compiled in: a header's is the one that includes it, which can be any.
    pub(super) fn own(&self) -> Option<Arc<str>> {
        (!self.is_header).then(|| self.module.clone())
    }

    /// The module that an expression names, if that can be told from the text.
    pub(super) fn module_of(&mut self, node: Node<'t>) -> Option<Arc<str>> {
        if node.kind() == "macro_call_expr" && self.text(node) == "?MODULE" {
            return self.own();
        }
        let name = self.name_of(node)?;
        Some(self.modules.entry(name).or_insert_with_key(|name| inspect(name).into()).clone())
    }

    /// The named children, comments left out.
    pub(super) fn children(&mut self, node: Node<'t>) -> Vec<Node<'t>> {
        node.named_children(&mut self.cursor).filter(|child| !child.is_extra()).collect()
    }

    /// The children of the child in a field, such as the arguments of a call.
    pub(super) fn parts(&mut self, node: Node<'t>, field: &str) -> Vec<Node<'t>> {
        node.child_by_field_name(field).map_or_else(Vec::new, |list| self.children(list))
    }

    pub(super) fn visit_all(&mut self, nodes: impl IntoIterator<Item = Node<'t>>, mode: VisitMode) {
        self.tasks.extend(nodes.into_iter().map(|node| (node, mode)));
    }

    pub(super) fn visit_children(&mut self, node: Node<'t>, mode: VisitMode) {
        // Leaves are left out: most nodes are some, and those that mean something are looked at with their parents.
        let inner = node.named_children(&mut self.cursor).filter(|child| child.named_child_count() > 0);
        self.tasks.extend(inner.map(|child| (child, mode)));
    }

    /// Records a reference from the form's own definition, and returns its index.
    pub(super) fn reference(
        &mut self,
        kind: ReferenceKind,
        site: Node<'t>,
        module: Option<Arc<str>>,
        name: Arc<str>,
        arity: Option<u8>,
        basis: Basis,
    ) -> u32 {
        // What a macro holds means what it means where the macro is used.
        let basis = if self.is_quoted && basis.is_certain() { Basis::Quoted } else { basis };
        let (index, from) = (self.facts.references.len() as u32, Some(self.owner));
        self.facts.references.push(Reference { kind, from, module, name, arity, span: span(site), basis });
        index
    }
}

/// A number of arguments that a function can have.
pub(super) fn arity(count: usize) -> Option<u8> {
    u8::try_from(count).ok()
}
