//! Elements of tuples, lists, maps, binaries and keyword lists.

use super::draft::{Context, Sink};
use super::place::swapped_text;
use crate::repair::mutate::Kind::*;
use crate::repair::mutate::source::{Place, Zone, field, parts};

/// Elements: swapped, dropped; results unwrapped.
pub fn collections(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let kind = node.kind();
    if !matches!(kind, "tuple" | "list" | "bitstring" | "keywords" | "map_content") {
        return;
    }
    let values = parts(node);
    // Long lists are tables: their order rarely matters.
    if values.len() > 12 {
        return;
    }
    let ordered = matches!(kind, "tuple" | "list" | "bitstring");
    for pair in values.windows(2).filter(|_| ordered) {
        if pair.iter().all(|value| value.kind() != "keywords") {
            let new = swapped_text(source, pair[0], pair[1]);
            sink.edit(SwapElements, 1.0, pair[0].start_byte(), pair[1].end_byte(), new);
        }
    }
    let pattern = if place.zone == Zone::Pattern { 0.6 } else { 1.0 };
    let branches = kind == "keywords" && source.text(node).starts_with("do:");
    if values.len() > 1 && kind != "tuple" && !branches {
        for pair in values.windows(2) {
            sink.edit(DropElement, pattern, pair[0].end_byte(), pair[1].end_byte(), "");
        }
        sink.edit(DropElement, pattern, values[0].start_byte(), values[1].start_byte(), "");
    } else if kind == "list" && values.len() == 1 && place.zone == Zone::Code {
        sink.replace(DropElement, 0.3, node, "[]");
        sink.replace(UnwrapCall, 0.3, node, source.text(values[0]));
    }
    if let ("list", [cell]) = (kind, &values[..])
        && let (Some(left), Some(right)) = (field(*cell, "left"), field(*cell, "right"))
        && source.operator(*cell) == "|"
    {
        let (head, tail) = (source.text(left), source.text(right));
        sink.replace(SwapElements, 0.7, *cell, swapped_text(source, left, right));
        if place.zone == Zone::Code {
            sink.replace(DropElement, 0.7, node, tail);
            sink.replace(ListOperator, 0.5, node, format!("{tail} ++ [{head}]"));
            sink.replace(ListOperator, 0.3, node, format!("{head} ++ {tail}"));
        }
    }
    if let ("tuple", [tag, value]) = (kind, &values[..])
        && tag.kind() == "atom"
        && place.zone == Zone::Code
    {
        sink.replace(ResultTuple, 1.0, node, source.text(*value));
        if source.text(*tag) == ":error" {
            sink.replace(ResultTuple, 0.3, node, ":error");
        }
    }
}
