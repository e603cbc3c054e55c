//! What is exported, and in which format.

use std::fmt::{self, Write};

use super::content::Content;
use super::{cypher, dot, graphml, json, mermaid};
use crate::graph::{CodeGraph, LinkKind, SymbolId};

/// What an export is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The language of Graphviz, with a cluster for each module.
    Dot,
    /// GraphML with typed keys, for Gephi, yEd, networkx or igraph.
    GraphMl,
    /// `{"nodes": […], "edges": […]}`.
    Json,
    /// A Mermaid flowchart, with a subgraph for each module. Mermaid itself refuses more than 500 edges unless told so.
    Mermaid,
    /// openCypher statements that fill an empty graph database such as Neo4j or FalkorDB.
    ///
    /// Each ends with `;` at the end of a line, and no other line ends so.
    Cypher,
}

impl Format {
    /// All of them, in order.
    pub const ALL: [Format; 5] =
        [Format::Dot, Format::GraphMl, Format::Json, Format::Mermaid, Format::Cypher];

    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Dot => "dot",
            Format::GraphMl => "graphml",
            Format::Json => "json",
            Format::Mermaid => "mermaid",
            Format::Cypher => "cypher",
        }
    }

    /// The format of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Format::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// Which part of a graph is exported: at first all symbols with links of all kinds, without what holds what.
///
/// Every node has an `id`: `"Shop.Cart.add/2"`, and more where several symbols of the graph share that name. The id does
/// not depend on which part is exported. An edge has the kind of its link, why it is believed, whether that is certain,
/// and the lines where it is written, in the file of its first end. The same graph gives the same text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    symbols: Option<Vec<SymbolId>>,
    kinds: Vec<LinkKind>,
    holders: bool,
}

impl Default for Export {
    fn default() -> Self {
        Export { symbols: None, kinds: LinkKind::ALL.to_vec(), holders: false }
    }
}

impl Export {
    /// All symbols with links of all kinds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only these symbols, and the links among them. Unknown ones are ignored.
    #[must_use]
    pub fn symbols(mut self, symbols: impl IntoIterator<Item = SymbolId>) -> Self {
        self.symbols = Some(symbols.into_iter().collect());
        self
    }

    /// Only links of these kinds.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = LinkKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// Whether there are also nodes for files and edges of the kind `contains`: from a file to its modules, from a module
    /// to what it defines, from a `describe` to its tests.
    #[must_use]
    pub fn holders(mut self, holders: bool) -> Self {
        self.holders = holders;
        self
    }

    /// Writes this part of `graph`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, graph: &CodeGraph, format: Format, out: &mut dyn Write) -> fmt::Result {
        let content = Content::of(graph, self.symbols.as_deref(), &self.kinds, self.holders);
        match format {
            Format::Dot => dot::write(&content, out),
            Format::GraphMl => graphml::write(&content, out),
            Format::Json => json::write(&content, out),
            Format::Mermaid => mermaid::write(&content, out),
            Format::Cypher => cypher::write(&content, out),
        }
    }

    /// This part of `graph` as text.
    pub fn text(&self, graph: &CodeGraph, format: Format) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(graph, format, &mut text);
        text
    }
}
