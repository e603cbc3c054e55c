//! Clauses of functions, of `case` and of `fn`: swapped, dropped, missing.

use tree_sitter::Node;

use super::draft::{Context, Sink};
use super::place::swapped_text;
use crate::repair::mutate::Kind::*;
use crate::repair::mutate::source::{Clause, Place, arguments, do_block, field, parts};

/// All changes to the clause at a place.
pub fn clauses(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    match place.node.kind() {
        "stab_clause" => stab(context, place, sink),
        "call" => function(context, place, sink),
        _ => {}
    }
}

fn stab(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let Some(parent) = place.parent else { return };
    let siblings: Vec<Node<'_>> =
        parts(parent).into_iter().filter(|part| part.kind() == "stab_clause").collect();
    let position = siblings.iter().position(|sibling| sibling.id() == node.id()).unwrap_or(0);
    let next = siblings.get(position + 1);
    if let Some(next) = next {
        sink.edit(ClauseSwap, 1.0, node.start_byte(), next.end_byte(), swapped_text(source, node, *next));
        sink.edit(ClauseRemove, 1.0, node.start_byte(), next.start_byte(), "");
    } else if position > 0 {
        sink.edit(ClauseRemove, 1.0, siblings[position - 1].end_byte(), node.end_byte(), "");
    }
    let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else {
        return;
    };
    if let Some(right_next) = next.and_then(|next| field(*next, "right")) {
        // The answers of two clauses, each with the other's pattern.
        let new = swapped_text(source, right, right_next);
        sink.edit(ClauseSwap, 0.8, right.start_byte(), right_next.end_byte(), new);
    }
    // A clause like this one, before it: what it answers is most likely what one of its neighbours answers.
    let indent = source.indent(node);
    let start = node.start_byte();
    let answers: Vec<&str> = siblings
        .iter()
        .filter_map(|sibling| field(*sibling, "right"))
        .map(|right| source.text(right).trim())
        .filter(|text| text.len() <= 120 && !text.contains('\n'))
        .collect();
    let arity = if left.kind() == "arguments" { parts(left).len() } else { 1 };
    if position == 0 && arity == 1 {
        for pattern in ["nil", "[]", "\"\"", "%{}", "0"] {
            for answer in answers
                .iter()
                .copied()
                .take(3)
                .chain(["nil", "[]", "0", "\"\"", ":ok", ":error", "false", "true"])
            {
                sink.edit(MissingClause, 0.15, start, start, format!("{pattern} -> {answer}\n{indent}"));
            }
        }
    }
    let text = source.text(left);
    for (pattern, weight) in like_patterns(context, place, text) {
        for answer in answers.iter().take(3) {
            sink.edit(MissingClause, weight, start, start, format!("{pattern} -> {answer}\n{indent}"));
        }
    }
    if position + 1 == siblings.len() && arity == 1 && !text.starts_with('_') {
        let end = node.start_byte() + source.text(node).trim_end().len();
        for answer in answers.iter().copied().take(2).chain(["nil", "[]", ":error", "false", "true"]) {
            sink.edit(MissingClause, 0.3, end, end, format!("\n{indent}_ -> {answer}"));
        }
    }
}

/// The pattern with its string or its atom exchanged for others that occur near.
fn like_patterns(context: &Context<'_>, place: &Place<'_>, text: &str) -> Vec<(String, f64)> {
    use crate::repair::mutate::class::Class;
    let class = match text.as_bytes() {
        [b'"', ..] if text.len() > 2 && text[1..].find('"') == Some(text.len() - 2) => Class::String,
        [b':', ..] if !text.contains([' ', ',', '{']) => Class::Atom,
        _ => return Vec::new(),
    };
    let near = context.vocabulary.near(class, place.node.start_byte(), ("arguments", "", 100), 8);
    near.into_iter().map(|(other, weight)| (other.to_string(), 0.3 * weight)).collect()
}

fn function(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let Some(number) = place.clause.filter(|clause| source.clauses[*clause].node.id() == node.id()) else {
        return;
    };
    let clause = source.clauses[number];
    let above = |clause: &Clause<'_>| clause.node.parent().map(|above| above.id());
    let like = |other: &&Clause<'_>| {
        (other.name, other.arity) == (clause.name, clause.arity) && above(other) == above(&clause)
    };
    let next = source.clauses.get(number + 1).filter(like);
    let previous = number.checked_sub(1).and_then(|n| source.clauses.get(n)).filter(like);
    // A head that gives defaults comes first, and is there once.
    let has_defaults = |clause: &Clause<'_>| {
        let given = arguments(clause.called).map_or(Vec::new(), parts);
        given.iter().any(|argument| source.operator(*argument) == "\\\\") || is_head(clause.node)
    };
    if has_defaults(&clause) {
        return;
    }
    if let Some(next) = next {
        let new = swapped_text(source, node, next.node);
        sink.edit(ClauseSwap, 1.0, node.start_byte(), next.node.end_byte(), new);
        sink.edit(ClauseRemove, 1.0, node.start_byte(), next.node.start_byte(), "");
    } else if let Some(previous) = previous {
        sink.edit(ClauseRemove, 1.0, previous.node.end_byte(), node.end_byte(), "");
    }
    // One more clause before the first, for what has no value or no elements.
    let is_first = previous.is_none_or(|previous| is_head(previous.node));
    let Some(given) = arguments(clause.called).filter(|_| is_first) else { return };
    let values = parts(given);
    let indent = source.indent(node);
    let keyword = source.target(node);
    for (position, value) in values.iter().enumerate() {
        if value.kind() == "keywords" {
            continue;
        }
        let others: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(rank, other)| if rank == position { String::new() } else { plain(context, *other) })
            .collect();
        for pattern in ["[]", "nil", "\"\"", "%{}", "0"] {
            let head: Vec<&str> = others.iter().map(|o| if o.is_empty() { pattern } else { o }).collect();
            let unused: Vec<String> = head.iter().map(|part| ignored(part)).collect();
            let usual = if is_usual(context, &clause, position, pattern) { USUAL } else { 1.0 };
            for answer in ["[]", "nil", "0", "\"\"", "%{}", "false", "true", ":ok", ":error", pattern] {
                let new = format!("{keyword} {}({}), do: {answer}\n{indent}", clause.name, unused.join(", "));
                sink.edit(MissingClause, 0.2 * usual, node.start_byte(), node.start_byte(), new);
            }
            for (rank, other) in others.iter().enumerate().filter(|(_, other)| !other.is_empty()) {
                let head: Vec<&str> = unused
                    .iter()
                    .enumerate()
                    .map(|(r, part)| if r == rank { other.as_str() } else { part.as_str() })
                    .collect();
                let new = format!("{keyword} {}({}), do: {other}\n{indent}", clause.name, head.join(", "));
                sink.edit(MissingClause, 0.4 * usual, node.start_byte(), node.start_byte(), new);
            }
        }
    }
}

/// Whether a clause has no body: it declares what those after it do.
fn is_head(clause: Node<'_>) -> bool {
    let given = arguments(clause).map_or(Vec::new(), parts);
    given.len() == 1 && do_block(clause).is_none()
}

/// How much likelier a missing clause is where functions like this one have such a clause.
const USUAL: f64 = 4.0;

/// Whether another function of the file with as many arguments has a clause with `pattern` at this position.
fn is_usual(context: &Context<'_>, clause: &Clause<'_>, position: usize, pattern: &str) -> bool {
    context.source.clauses.iter().any(|other| {
        other.name != clause.name
            && other.arity == clause.arity
            && arguments(other.called)
                .and_then(|given| parts(given).get(position).copied())
                .is_some_and(|argument| context.source.text(argument) == pattern)
    })
}

/// The variable that an argument binds, or a name for it.
fn plain(context: &Context<'_>, argument: Node<'_>) -> String {
    match (argument.kind(), context.source.operator(argument)) {
        ("identifier", _) => context.source.text(argument).to_string(),
        ("binary_operator", "\\\\") => argument
            .child_by_field_name("left")
            .filter(|left| left.kind() == "identifier")
            .map_or("_".to_string(), |left| context.source.text(left).to_string()),
        _ => "_".to_string(),
    }
}

/// A variable nobody reads.
fn ignored(name: &str) -> String {
    if name.starts_with(|sign: char| sign.is_ascii_lowercase()) && name != "nil" {
        format!("_{name}")
    } else {
        name.to_string()
    }
}
