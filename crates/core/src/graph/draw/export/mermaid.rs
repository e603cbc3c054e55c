//! Mermaid's flowcharts.

use std::fmt::{self, Write};

use super::content::Content;

pub(super) fn write(content: &Content, out: &mut dyn Write) -> fmt::Result {
    out.write_str("graph LR\n")?;
    for (subgraph, (module, nodes)) in content.by_module().into_iter().enumerate() {
        let indent = if module.is_empty() { "  " } else { "    " };
        if !module.is_empty() {
            writeln!(out, "  subgraph m{subgraph}[\"{}\"]", label(module))?;
        }
        for at in nodes {
            writeln!(out, "{indent}n{at}[\"{}\"]", label(&content.nodes[at].short()))?;
        }
        if !module.is_empty() {
            out.write_str("  end\n")?;
        }
    }
    for edge in &content.edges {
        let arrow = if edge.basis.is_certain() { "-->" } else { "-.->" };
        writeln!(out, "  n{} {arrow}|{}| n{}", edge.from, edge.kind.as_str(), edge.to)?;
    }
    Ok(())
}

/// Text for a quoted label. What could mean something to Mermaid, to Markdown or to HTML becomes a numeric reference,
/// which Mermaid writes `#35;`.
fn label(text: &str) -> String {
    let mut label = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => label.push(' '),
            c if c.is_control() => label.push('\u{FFFD}'),
            c if c.is_alphanumeric() || matches!(c, ' ' | '.' | ',' | '/' | '?' | '!' | '-' | '_') => {
                label.push(c)
            }
            c if c.is_ascii() => {
                label.push_str(&format!("#{};", u32::from(c)));
            }
            c => label.push(c),
        }
    }
    // A label of nothing is an error of syntax.
    if label.is_empty() { " ".into() } else { label }
}
