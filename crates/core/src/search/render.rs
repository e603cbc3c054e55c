use std::fmt::Write;

use super::{Node, NodeId, State, Trace};

/// Labels and notes are cut to this many characters.
const LINE: usize = 60;

impl Trace {
    /// The tree as lines of text. Of each node at most `children` children that were tried are shown, the best first, and a
    /// line says how many there are besides.
    pub fn to_text(&self, children: usize) -> String {
        let mut out = String::new();
        let mut stack = vec![Line::Node { id: 0, prefix: String::new(), branch: "", below: "" }];
        while let Some(line) = stack.pop() {
            match line {
                Line::More { prefix, count } => _ = writeln!(out, "{prefix}└─ … {count} more"),
                Line::Node { id, prefix, branch, below } => {
                    let node = &self.nodes[id as usize];
                    _ = writeln!(out, "{prefix}{branch}{}", describe(node));
                    let prefix = format!("{prefix}{below}");
                    let (shown, hidden) = self.shown(node, children);
                    if hidden > 0 {
                        stack.push(Line::More { prefix: prefix.clone(), count: hidden });
                    }
                    for (place, &id) in shown.iter().enumerate().rev() {
                        let last = place + 1 == shown.len() && hidden == 0;
                        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                        stack.push(Line::Node { id, prefix: prefix.clone(), branch, below });
                    }
                }
            }
        }
        out
    }

    /// The tree as a Mermaid flow chart, cut like [`Trace::to_text`].
    pub fn to_mermaid(&self, children: usize) -> String {
        let mut out = String::from("flowchart TD\n");
        let mut stack: Vec<NodeId> = vec![0];
        while let Some(id) = stack.pop() {
            let node = &self.nodes[id as usize];
            _ = writeln!(out, "  n{id}[\"{}\"]{}", escape(&describe(node)), class(node.state));
            if let Some(parent) = node.parent {
                _ = writeln!(out, "  n{parent} --> n{id}");
            }
            let (shown, hidden) = self.shown(node, children);
            if hidden > 0 {
                _ = writeln!(out, "  n{id} -.-> m{id}[\"… {hidden} more\"]");
            }
            stack.extend(shown.iter().rev());
        }
        out.push_str(
            "  classDef solved stroke:#2a2,stroke-width:3px\n  classDef pruned stroke-dasharray:3\n",
        );
        out
    }

    /// The children of a node that are worth a line, and how many are left out.
    fn shown(&self, node: &Node, limit: usize) -> (Vec<NodeId>, usize) {
        let waits = |id: &NodeId| self.nodes[*id as usize].state == State::Waiting;
        let key = |&id: &NodeId| {
            let child = &self.nodes[id as usize];
            (child.state == State::Solved, child.score)
        };
        let mut shown: Vec<NodeId> = node.children.iter().copied().filter(|id| !waits(id)).collect();
        shown.sort_by(|a, b| key(b).partial_cmp(&key(a)).unwrap_or(std::cmp::Ordering::Equal).then(a.cmp(b)));
        shown.truncate(limit);
        let hidden = node.children.len() - shown.len();
        (shown, hidden)
    }
}

enum Line {
    Node { id: NodeId, prefix: String, branch: &'static str, below: &'static str },
    More { prefix: String, count: usize },
}

/// Label, score, state, cost and note, in one line.
fn describe(node: &Node) -> String {
    let mut line = match node.parent {
        None => "problem".to_string(),
        Some(_) => short(&node.label),
    };
    if let Some(score) = node.score {
        _ = write!(line, "  {score:.2}");
    }
    match node.state {
        State::Solved => line.push_str("  solved"),
        State::Pruned => line.push_str("  pruned"),
        State::Duplicate => line.push_str("  duplicate"),
        State::Evaluating | State::Expanding => line.push_str("  running"),
        State::Waiting => line.push_str("  not tried"),
        State::Open | State::Expanded => {}
    }
    if node.cost.seconds > 0.0 {
        _ = write!(line, "  {:.2} s", node.cost.seconds);
    }
    if node.cost.tokens > 0 {
        _ = write!(line, "  {} tokens", node.cost.tokens);
    }
    if !node.note.is_empty() {
        _ = write!(line, "  ({})", short(&node.note));
    }
    line
}

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Mermaid reads `#name;` and quotes inside of a quoted label; entities keep both literal.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            other => out.push(other),
        }
    }
    out
}

fn class(state: State) -> &'static str {
    match state {
        State::Solved => ":::solved",
        State::Pruned | State::Duplicate => ":::pruned",
        _ => "",
    }
}
