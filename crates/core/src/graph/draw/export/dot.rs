//! DOT, the language of Graphviz.

use std::fmt::{self, Write};

use super::content::{Content, ExportEdge, ExportNode};

pub(super) fn write(content: &Content, out: &mut dyn Write) -> fmt::Result {
    out.write_str("digraph code {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n")?;
    for (cluster, (module, nodes)) in content.by_module().into_iter().enumerate() {
        if module.is_empty() {
            for at in nodes {
                write_node("  ", &content.nodes[at], out)?;
            }
            continue;
        }
        writeln!(out, "  subgraph \"cluster_{cluster}\" {{\n    label={};", label(module))?;
        for at in nodes {
            write_node("    ", &content.nodes[at], out)?;
        }
        out.write_str("  }\n")?;
    }
    for edge in &content.edges {
        write_edge(content, edge, out)?;
    }
    out.write_str("}\n")
}

fn write_node(indent: &str, node: &ExportNode, out: &mut dyn Write) -> fmt::Result {
    write!(
        out,
        "{indent}{} [label={}, tooltip={}, kind={}, module={}, name={}, ",
        quoted(&node.id),
        label(&node.short()),
        label(&node.place()),
        quoted(node.kind),
        quoted(&node.module),
        quoted(&node.name)
    )?;
    if let Some(arity) = node.arity {
        write!(out, "arity={arity}, ")?;
    }
    let (public, start, end) = (node.public, node.line_start, node.line_end);
    writeln!(out, "public={public}, file={}, line_start={start}, line_end={end}];", quoted(&node.file))
}

fn write_edge(content: &Content, edge: &ExportEdge, out: &mut dyn Write) -> fmt::Result {
    let lines: Vec<String> = edge.lines.iter().map(u32::to_string).collect();
    let certain = edge.basis.is_certain();
    writeln!(
        out,
        "  {} -> {} [kind=\"{}\", basis=\"{}\", certain={certain}, lines=\"{}\"{}];",
        quoted(&content.nodes[edge.from].id),
        quoted(&content.nodes[edge.to].id),
        edge.kind.as_str(),
        edge.basis.as_str(),
        lines.join(" "),
        if certain { "" } else { ", style=dashed" }
    )
}

/// A string of DOT. It knows no escapes but that of the quotation mark; a backslash is doubled so that the last one does
/// not escape the mark at the end, and stays double.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\0', "\u{FFFD}"))
}

/// A string of DOT that Graphviz prints: in these it reads `\\` as a backslash and `\n` as the end of a line.
fn label(text: &str) -> String {
    quoted(text).replace("\r\n", "\\n").replace(['\n', '\r'], "\\n")
}
