//! What may stand at a place.

use tree_sitter::Node;

use super::draft::Context;
use crate::repair::mutate::source::{Place, Source, Zone};
use crate::repair::mutate::vocabulary::is_variable;

/// Whether a place holds a value that is computed, so that another expression may stand there.
pub(super) fn is_value(context: &Context<'_>, place: &Place<'_>) -> bool {
    let source = context.source;
    let parent = place.parent.map_or("", |parent| parent.kind());
    let kind = place.node.kind();
    let expression = match kind {
        "identifier" => is_variable(source, place),
        "call" => !source.target(place.node).starts_with("def"),
        "unary_operator" => !matches!(source.operator(place.node), "^" | "&"),
        "binary_operator" => !matches!(
            source.operator(place.node),
            "=" | "<-" | "->" | "when" | "::" | "=>" | "|" | "\\\\" | ".." | "//"
        ),
        "access_call" | "list" | "tuple" | "map" | "string" | "integer" | "float" | "atom" | "nil"
        | "boolean" => true,
        _ => false,
    };
    expression
        && place.zone == Zone::Code
        && !matches!(
            (parent, place.field),
            ("dot", _) | ("call", Some("target")) | ("struct", _) | ("source", _)
        )
        && parent != "interpolation"
        && place.parent.is_none_or(|above| !matches!(source.operator(above), "&" | "^" | "@" | "::"))
}

/// `text` in parentheses if it is to stand where an operator would take only a part of it.
pub(super) fn enclosed(context: &Context<'_>, place: &Place<'_>, text: &str) -> String {
    let Some(parent) = place.parent else { return text.to_string() };
    let open = match parent.kind() {
        "binary_operator" => {
            matches!(context.source.operator(parent), "=" | "->" | "when" | "<-" | "=>" | "::" | "\\\\")
        }
        kind => !matches!(kind, "unary_operator" | "access_call" | "dot"),
    };
    if open { text.to_string() } else { format!("({text})") }
}

/// The text from the start of one node to the end of a later one, with the two in each other's place. White space at
/// the end of a node (a `->` clause holds its line break) stays where it is.
pub(super) fn swapped_text(source: &Source<'_>, first: Node<'_>, second: Node<'_>) -> String {
    let (a, whole) = (source.text(first).trim_end(), source.text(second));
    let b = whole.trim_end();
    let between = source.text.get(first.start_byte() + a.len()..second.start_byte()).unwrap_or("");
    format!("{b}{between}{a}{}", &whole[b.len()..])
}
