//! JSON: an object of two lists, one node or edge a line.

use std::fmt::{self, Write};

use serde::Serialize;

use super::content::{Content, ExportEdge};

#[derive(Serialize)]
struct Row<'a> {
    from: &'a str,
    to: &'a str,
    kind: &'static str,
    basis: &'static str,
    certain: bool,
    lines: &'a [u32],
}

pub(super) fn write(content: &Content, out: &mut dyn Write) -> fmt::Result {
    let row = |edge: &ExportEdge| {
        line(&Row {
            from: &content.nodes[edge.from].id,
            to: &content.nodes[edge.to].id,
            kind: edge.kind.as_str(),
            basis: edge.basis.as_str(),
            certain: edge.basis.is_certain(),
            lines: &edge.lines,
        })
    };
    out.write_str("{\"nodes\": [")?;
    list(content.nodes.iter().map(line), out)?;
    out.write_str("],\n\"edges\": [")?;
    list(content.edges.iter().map(row), out)?;
    out.write_str("]}\n")
}

fn line(value: &impl Serialize) -> Result<String, fmt::Error> {
    serde_json::to_string(value).map_err(|_| fmt::Error)
}

fn list(lines: impl Iterator<Item = Result<String, fmt::Error>>, out: &mut dyn Write) -> fmt::Result {
    for (at, line) in lines.enumerate() {
        write!(out, "{}\n{}", if at == 0 { "" } else { "," }, line?)?;
    }
    Ok(())
}
