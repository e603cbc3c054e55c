//! GraphML. Its ids are XML name tokens, which hold neither `/` nor blanks, so nodes are `n0`, `n1`, … and the id of other
//! formats is a datum. That is called `symbol`, because readers keep the XML id under the name `id`.

use std::fmt::{self, Write};

use super::content::{Content, ExportEdge, ExportNode};

/// Name and type of what is said of nodes. The ids of all keys are distinct in a document: hence the prefix.
const NODE_KEYS: [(&str, &str); 9] = [
    ("symbol", "string"),
    ("kind", "string"),
    ("module", "string"),
    ("name", "string"),
    ("arity", "int"),
    ("public", "boolean"),
    ("file", "string"),
    ("line_start", "int"),
    ("line_end", "int"),
];

/// Name and type of what is said of edges.
const EDGE_KEYS: [(&str, &str); 4] =
    [("kind", "string"), ("basis", "string"), ("certain", "boolean"), ("lines", "string")];

pub(super) fn write(content: &Content, out: &mut dyn Write) -> fmt::Result {
    out.write_str(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"http://graphml.graphdrawing.org/xmlns \
         http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd\">\n",
    )?;
    for (of, keys) in [("node", &NODE_KEYS[..]), ("edge", &EDGE_KEYS[..])] {
        for (name, kind) in keys {
            writeln!(
                out,
                "  <key id=\"{of}_{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>"
            )?;
        }
    }
    out.write_str("  <graph id=\"code\" edgedefault=\"directed\">\n")?;
    for (at, node) in content.nodes.iter().enumerate() {
        write_node(at, node, out)?;
    }
    for (at, edge) in content.edges.iter().enumerate() {
        write_edge(at, edge, out)?;
    }
    out.write_str("  </graph>\n</graphml>\n")
}

fn write_node(at: usize, node: &ExportNode, out: &mut dyn Write) -> fmt::Result {
    write!(out, "    <node id=\"n{at}\">")?;
    let arity = node.arity.map(|arity| arity.to_string());
    let values: [Option<&dyn fmt::Display>; 9] = [
        Some(&node.id),
        Some(&node.kind),
        Some(&node.module),
        Some(&node.name),
        arity.as_ref().map(|arity| arity as &dyn fmt::Display),
        Some(&node.public),
        Some(&node.file),
        Some(&node.line_start),
        Some(&node.line_end),
    ];
    for ((name, _), value) in NODE_KEYS.iter().zip(values) {
        if let Some(value) = value {
            datum("node", name, value, out)?;
        }
    }
    out.write_str("</node>\n")
}

fn write_edge(at: usize, edge: &ExportEdge, out: &mut dyn Write) -> fmt::Result {
    write!(out, "    <edge id=\"e{at}\" source=\"n{}\" target=\"n{}\">", edge.from, edge.to)?;
    let lines: Vec<String> = edge.lines.iter().map(u32::to_string).collect();
    let values: [&dyn fmt::Display; 4] =
        [&edge.kind.as_str(), &edge.basis.as_str(), &edge.basis.is_certain(), &lines.join(" ")];
    for ((name, _), value) in EDGE_KEYS.iter().zip(values) {
        datum("edge", name, value, out)?;
    }
    out.write_str("</edge>\n")
}

fn datum(of: &str, name: &str, value: &dyn fmt::Display, out: &mut dyn Write) -> fmt::Result {
    write!(out, "<data key=\"{of}_{name}\">{}</data>", escaped(&value.to_string()))
}

/// Text as XML. What XML cannot hold, not even as a reference, becomes U+FFFD.
pub(in crate::graph) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // A reader would turn a bare carriage return into a line feed.
            '\r' => escaped.push_str("&#13;"),
            '\t' | '\n' => escaped.push(c),
            '\0'..'\u{20}' | '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            c => escaped.push(c),
        }
    }
    escaped
}
