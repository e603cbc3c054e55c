//! Steps of pipes.

use super::draft::{Context, Sink};
use super::place::{is_value, swapped_text};
use crate::repair::mutate::Kind::*;
use crate::repair::mutate::class::Class;
use crate::repair::mutate::source::Place;
use crate::repair::mutate::vocabulary::role;

/// Steps that are often forgotten.
const COMMON: [&str; 16] = [
    "hd()",
    "Enum.reverse()",
    "to_string()",
    "String.trim()",
    "Enum.sort()",
    "Enum.uniq()",
    "String.downcase()",
    "Enum.to_list()",
    "List.first()",
    "Map.new()",
    "Enum.sum()",
    "List.flatten()",
    "IO.iodata_to_binary()",
    "Enum.join()",
    "length()",
    "elem(0)",
];

/// A step goes, or one more comes after any.
pub fn steps(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
        && source.operator(node) == "|>"
    {
        sink.edit(PipeRemove, 1.0, left.end_byte(), right.end_byte(), "");
        if let Some(before) = left.child_by_field_name("right").filter(|_| source.operator(left) == "|>") {
            let new = swapped_text(source, before, right);
            sink.edit(PipeRemove, 0.4, before.start_byte(), right.end_byte(), new);
        }
    }
    if !is_value(context, place) || matches!(node.kind(), "integer" | "atom" | "nil" | "boolean" | "float") {
        return;
    }
    let parent = place.parent.map_or("", |parent| parent.kind());
    let above = place.parent.map_or("", |parent| source.operator(parent));
    let weight = match (above, place.field, source.operator(node)) {
        // After a step, and at the beginning.
        ("|>", Some("right"), _) => 1.0,
        ("|>", Some("left"), "|>") => return,
        ("|>", Some("left"), _) => 0.8,
        (_, _, "|>") => return,
        ("=", Some("right"), _) => 0.4,
        _ if matches!(parent, "body" | "do_block" | "pair") => 0.3,
        _ if parent == "arguments" && node.kind() == "call" => 0.15,
        _ => return,
    };
    if matches!(
        source.target(node),
        "if" | "case"
            | "cond"
            | "with"
            | "for"
            | "unless"
            | "quote"
            | "try"
            | "raise"
            | "alias"
            | "import"
            | "require"
            | "use"
    ) {
        return;
    }
    // Steps on lines of their own stay so.
    let line_break = place.parent.filter(|_| above == "|>").is_some_and(|pipe| {
        pipe.child_by_field_name("left").zip(pipe.child_by_field_name("right")).is_some_and(
            |(left, right)| source.text.get(left.end_byte()..right.start_byte()).unwrap_or("").contains('\n'),
        )
    });
    let joint = if line_break {
        let pipe = place.parent.unwrap_or(node);
        format!("\n{}|> ", source.indent(pipe.child_by_field_name("operator").unwrap_or(pipe)))
    } else {
        " |> ".to_string()
    };
    let end = node.end_byte();
    for (step, fit) in context.vocabulary.near(Class::Step, node.start_byte(), role(source, place), 24) {
        sink.edit(PipeInsert, weight * fit, end, end, format!("{joint}{step}"));
        // The same step, lazily or at once.
        let other = match step.split_once('.') {
            Some(("Enum", rest)) => format!("Stream.{rest}"),
            Some(("Stream", rest)) => format!("Enum.{rest}"),
            _ => continue,
        };
        sink.edit(PipeInsert, 0.4 * weight * fit, end, end, format!("{joint}{other}"));
    }
    for step in COMMON {
        sink.edit(PipeInsert, 0.3 * weight, end, end, format!("{joint}{step}"));
    }
}
