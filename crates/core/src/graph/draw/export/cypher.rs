//! openCypher statements, for an empty database.
//!
//! Nodes are found again by their id, so the index comes first. Neither labels nor types of relationships can be values
//! of a row, so there is at least one statement for each.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::content::{Content, EdgeKind, ExportEdge, ExportNode, FILE};
use crate::graph::LinkKind;

/// How many nodes or relationships one statement creates at most.
const BATCH: usize = 500;

/// The type of a relationship.
fn relationship(kind: EdgeKind) -> &'static str {
    let EdgeKind::Link(kind) = kind else { return "CONTAINS" };
    match kind {
        LinkKind::Call => "CALLS",
        LinkKind::Message => "MESSAGES",
        LinkKind::Dispatch => "DISPATCHES_TO",
        LinkKind::Route => "ROUTES_TO",
        LinkKind::Plug => "PLUGS",
        LinkKind::Render => "RENDERS",
        LinkKind::Doctest => "DOCTESTS",
        LinkKind::Supervise => "SUPERVISES",
        LinkKind::Use => "USES",
        LinkKind::Import => "IMPORTS",
        LinkKind::Require => "REQUIRES",
        LinkKind::Alias => "ALIASES",
        LinkKind::Behaviour => "HAS_BEHAVIOUR",
        LinkKind::Implements => "IMPLEMENTS",
        LinkKind::Struct => "USES_STRUCT",
        LinkKind::Module => "NAMES",
        LinkKind::Type => "USES_TYPE",
        LinkKind::Schema => "USES_SCHEMA",
        LinkKind::Config => "READS_CONFIG",
    }
}

/// The label that all symbols have, and the one of files.
fn base_label(node: &ExportNode) -> &'static str {
    if node.kind == FILE { "File" } else { "Symbol" }
}

pub(super) fn write(content: &Content, out: &mut dyn Write) -> fmt::Result {
    out.write_str("CREATE INDEX FOR (n:Symbol) ON (n.id);\n")?;
    if content.nodes.iter().any(|node| node.kind == FILE) {
        out.write_str("CREATE INDEX FOR (n:File) ON (n.id);\n")?;
    }
    let mut kinds: BTreeMap<&str, Vec<&ExportNode>> = BTreeMap::new();
    for node in &content.nodes {
        kinds.entry(node.kind).or_default().push(node);
    }
    for (kind, nodes) in kinds {
        let labels = if kind == FILE { "File".into() } else { format!("Symbol:{}", capitalised(kind)) };
        for batch in nodes.chunks(BATCH) {
            out.write_str("UNWIND [")?;
            rows(batch.iter().map(|node| node_row(node)), out)?;
            writeln!(out, "] AS row CREATE (n:{labels}) SET n = row;")?;
        }
    }
    let mut types: BTreeMap<(EdgeKind, &str, &str), Vec<&ExportEdge>> = BTreeMap::new();
    for edge in &content.edges {
        let (from, to) = (base_label(&content.nodes[edge.from]), base_label(&content.nodes[edge.to]));
        types.entry((edge.kind, from, to)).or_default().push(edge);
    }
    for ((kind, from, to), edges) in types {
        for batch in edges.chunks(BATCH) {
            out.write_str("UNWIND [")?;
            rows(batch.iter().map(|edge| edge_row(content, edge)), out)?;
            writeln!(
                out,
                "] AS row MATCH (a:{from} {{id: row.from}}), (b:{to} {{id: row.to}}) CREATE (a)-[:{} {{kind: row.kind, \
                 basis: row.basis, certain: row.certain, lines: row.lines}}]->(b);",
                relationship(kind)
            )?;
        }
    }
    Ok(())
}

fn rows(rows: impl Iterator<Item = String>, out: &mut dyn Write) -> fmt::Result {
    for (at, row) in rows.enumerate() {
        write!(out, "{}\n{row}", if at == 0 { "" } else { "," })?;
    }
    out.write_char('\n')
}

fn node_row(node: &ExportNode) -> String {
    // A property without a value is left out: databases do not keep nulls.
    let arity = node.arity.map(|arity| format!("arity: {arity}, ")).unwrap_or_default();
    format!(
        "{{id: {}, kind: {}, module: {}, name: {}, {arity}public: {}, file: {}, line_start: {}, line_end: {}}}",
        quoted(&node.id),
        quoted(node.kind),
        quoted(&node.module),
        quoted(&node.name),
        node.public,
        quoted(&node.file),
        node.line_start,
        node.line_end
    )
}

fn edge_row(content: &Content, edge: &ExportEdge) -> String {
    let lines: Vec<String> = edge.lines.iter().map(u32::to_string).collect();
    format!(
        "{{from: {}, to: {}, kind: {}, basis: {}, certain: {}, lines: [{}]}}",
        quoted(&content.nodes[edge.from].id),
        quoted(&content.nodes[edge.to].id),
        quoted(edge.kind.as_str()),
        quoted(edge.basis.as_str()),
        edge.basis.is_certain(),
        lines.join(", ")
    )
}

fn capitalised(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A string of Cypher, on one line. Control characters other than the usual ones become U+FFFD, since not every database
/// reads escapes by number.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push('\u{FFFD}'),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
