//! What all formats write: nodes and edges, without any syntax.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde::Serialize;

use super::{holders, names};
use crate::graph::ask::dense::NumberedGraph;
use crate::graph::{CodeGraph, LinkKind, Symbol, SymbolId};
use crate::syntax::Basis;

/// Nodes in order of path and position, a file before what it holds; edges sorted by their ends and kind.
pub(super) struct Content {
    pub(super) nodes: Vec<ExportNode>,
    pub(super) edges: Vec<ExportEdge>,
}

/// A symbol or a file.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ExportNode {
    /// Unique in the whole graph.
    pub(super) id: String,
    /// That of [`crate::syntax::DefinitionKind::as_str`], or `"file"`.
    pub(super) kind: &'static str,
    /// Empty for files.
    pub(super) module: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) arity: Option<u8>,
    pub(super) public: bool,
    pub(super) file: Arc<str>,
    pub(super) line_start: u32,
    pub(super) line_end: u32,
}

/// The kind of the nodes of files.
pub(super) const FILE: &str = "file";

/// A link, or that one holds the other.
pub(super) struct ExportEdge {
    /// Index of a node.
    pub(super) from: usize,
    /// Index of a node.
    pub(super) to: usize,
    pub(super) kind: EdgeKind,
    pub(super) basis: Basis,
    /// Sorted, each once.
    pub(super) lines: Vec<u32>,
}

/// What an edge says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EdgeKind {
    /// A file, module or `describe` holds a symbol.
    Contains,
    /// A symbol depends on another.
    Link(LinkKind),
}

impl EdgeKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            EdgeKind::Contains => "contains",
            EdgeKind::Link(kind) => kind.as_str(),
        }
    }
}

impl ExportNode {
    fn of_symbol(id: &str, symbol: &Symbol) -> Self {
        ExportNode {
            id: id.to_owned(),
            kind: symbol.kind.as_str(),
            module: symbol.module.clone(),
            name: symbol.name.clone(),
            arity: symbol.arity,
            public: symbol.public,
            file: symbol.file.clone(),
            line_start: symbol.span.line_start,
            line_end: symbol.span.line_end,
        }
    }

    fn of_file(id: &str, path: &Arc<str>, lines: u32) -> Self {
        ExportNode {
            id: id.to_owned(),
            kind: FILE,
            module: "".into(),
            name: path.clone(),
            arity: None,
            public: true,
            file: path.clone(),
            line_start: 1,
            line_end: lines,
        }
    }

    /// What it is called inside of its module: `"add/2"`; modules by their whole name.
    pub(super) fn short(&self) -> String {
        match self.arity {
            Some(arity) => format!("{}/{arity}", self.name),
            None if self.is_module() => self.module.to_string(),
            None => self.name.to_string(),
        }
    }

    /// `"lib/shop/cart.ex:12"`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line_start)
    }

    fn is_module(&self) -> bool {
        matches!(self.kind, "module" | "protocol" | "implementation")
    }
}

impl Content {
    /// The part of `graph` that an export asks for.
    pub(super) fn of(
        graph: &CodeGraph,
        symbols: Option<&[SymbolId]>,
        kinds: &[LinkKind],
        with_holders: bool,
    ) -> Self {
        let dense = NumberedGraph::of(graph, kinds);
        let ids = names::unique(&dense.symbols);
        let chosen: Vec<bool> = match symbols {
            None => vec![true; dense.symbols.len()],
            Some(symbols) => {
                let wanted: FxHashSet<_> = symbols.iter().filter_map(|id| dense.number(*id)).collect();
                (0..dense.symbols.len()).map(|at| wanted.contains(&at)).collect()
            }
        };

        let mut nodes = Vec::new();
        let mut node_of: Vec<Option<usize>> = vec![None; chosen.len()];
        let mut file_nodes: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, symbol) in dense.symbols.iter().enumerate().filter(|(at, _)| chosen[*at]) {
            if with_holders && !file_nodes.contains_key(&*symbol.file) {
                file_nodes.insert(&symbol.file, nodes.len());
                nodes.push(ExportNode::of_file(
                    ids.file(&symbol.file),
                    &symbol.file,
                    last_line(&dense, symbol),
                ));
            }
            node_of[at] = Some(nodes.len());
            nodes.push(ExportNode::of_symbol(ids.symbol(at), symbol));
        }

        let mut edges: Vec<ExportEdge> = Vec::new();
        for tie in &dense.ties {
            let (Some(from), Some(to)) = (node_of[tie.from], node_of[tie.to]) else { continue };
            let mut lines: Vec<u32> = tie.relation.sites.iter().map(|site| site.line_start).collect();
            lines.sort_unstable();
            lines.dedup();
            let kind = EdgeKind::Link(tie.relation.kind);
            edges.push(ExportEdge { from, to, kind, basis: tie.relation.basis, lines });
        }
        if with_holders {
            let holders = holders::of(&dense.symbols);
            for (at, symbol) in dense.symbols.iter().enumerate() {
                let Some(to) = node_of[at] else { continue };
                // Whatever is not exported is passed over: then a function may hang on its file.
                let mut holder = holders[at];
                while let Some(outer) = holder.filter(|outer| node_of[*outer].is_none()) {
                    holder = holders[outer];
                }
                let from = match holder {
                    Some(outer) => node_of[outer],
                    None => file_nodes.get(&*symbol.file).copied(),
                };
                let lines = vec![symbol.span.line_start];
                let basis = Basis::Written;
                edges.extend(from.map(|from| ExportEdge {
                    from,
                    to,
                    kind: EdgeKind::Contains,
                    basis,
                    lines,
                }));
            }
        }
        edges.sort_by_key(|edge| (edge.from, edge.to, edge.kind));
        Content { nodes, edges }
    }

    /// The nodes by module, both in order of names and of nodes; those of files, and of symbols outside of any module,
    /// under the empty name.
    pub(super) fn by_module(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut modules: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            modules.entry(&node.module).or_default().push(at);
        }
        modules
    }
}

/// The last line that anything in the file of `symbol` is on.
fn last_line(dense: &NumberedGraph, symbol: &Symbol) -> u32 {
    let start = dense.symbols.partition_point(|other| other.file < symbol.file);
    let same = dense.symbols[start..].iter().take_while(|other| other.file == symbol.file);
    same.map(|other| other.span.line_end).max().unwrap_or(1)
}
