//! Statements of a body: deleted and moved.

use super::draft::{Context, Sink};
use super::place::swapped_text;
use crate::repair::mutate::Kind::*;
use crate::repair::mutate::source::{Place, field, parts};

/// The statements of the block at a place.
pub fn statements(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let Some(parent) = place.parent else { return };
    let block = matches!(
        parent.kind(),
        "do_block" | "else_block" | "body" | "block" | "after_block" | "rescue_block"
    );
    if !block
        || place.clause.is_none()
        || matches!(
            node.kind(),
            "stab_clause" | "else_block" | "after_block" | "rescue_block" | "catch_block"
        )
    {
        return;
    }
    let siblings: Vec<_> =
        parts(parent).into_iter().filter(|part| !part.kind().ends_with("_block")).collect();
    let Some(position) = siblings.iter().position(|sibling| sibling.id() == node.id()) else { return };
    if source.target(node).starts_with("def") {
        return;
    }
    if let Some(next) = siblings.get(position + 1) {
        sink.edit(DeleteStatement, 1.0, node.start_byte(), next.start_byte(), "");
        sink.edit(MoveStatement, 1.0, node.start_byte(), next.end_byte(), swapped_text(source, node, *next));
        if let Some(value) = field(node, "right").filter(|_| source.operator(node) == "=") {
            sink.replace(DeleteStatement, 0.2, node, source.text(value));
        }
    } else if position > 0 {
        sink.edit(DeleteStatement, 0.7, siblings[position - 1].end_byte(), node.end_byte(), "");
    }
}
