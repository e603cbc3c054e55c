//! Operators and their operands.

use super::{Context, Sink, enclosed};
use crate::propose::mutate::Kind::{self, *};
use crate::propose::mutate::source::{Place, Zone};

/// What may be meant instead of an operator.
fn relatives(operator: &str) -> &'static [(Kind, &'static str, f64)] {
    match operator {
        "<" => &[
            (Comparison, "<=", 1.0),
            (Comparison, ">", 0.7),
            (Comparison, ">=", 0.5),
            (Comparison, "==", 0.1),
        ],
        "<=" => &[
            (Comparison, "<", 1.0),
            (Comparison, ">=", 0.7),
            (Comparison, ">", 0.5),
            (Comparison, "==", 0.1),
        ],
        ">" => &[
            (Comparison, ">=", 1.0),
            (Comparison, "<", 0.7),
            (Comparison, "<=", 0.5),
            (Comparison, "==", 0.1),
        ],
        ">=" => &[
            (Comparison, ">", 1.0),
            (Comparison, "<=", 0.7),
            (Comparison, "<", 0.5),
            (Comparison, "==", 0.1),
        ],
        "==" => &[
            (Comparison, "!=", 1.0),
            (Comparison, "<=", 0.3),
            (Comparison, ">=", 0.3),
            (Comparison, "<", 0.2),
            (Comparison, ">", 0.2),
            (Comparison, "===", 0.1),
            (Comparison, "=~", 0.05),
        ],
        "!=" => &[
            (Comparison, "==", 1.0),
            (Comparison, "<", 0.2),
            (Comparison, ">", 0.2),
            (Comparison, "!==", 0.1),
        ],
        "===" => &[(Comparison, "!==", 1.0), (Comparison, "==", 0.3)],
        "!==" => &[(Comparison, "===", 1.0), (Comparison, "!=", 0.3)],
        "=~" => &[(Comparison, "==", 0.3)],
        "+" => &[(Arithmetic, "-", 1.0), (Arithmetic, "*", 0.6), (Arithmetic, "/", 0.1)],
        "-" => &[(Arithmetic, "+", 1.0), (Arithmetic, "*", 0.3), (Arithmetic, "/", 0.2)],
        "*" => {
            &[(Arithmetic, "/", 0.8), (Arithmetic, "+", 0.8), (Arithmetic, "-", 0.3), (Arithmetic, "**", 0.1)]
        }
        "/" => &[(Arithmetic, "*", 1.0), (Arithmetic, "-", 0.3), (Arithmetic, "+", 0.2)],
        "**" => &[(Arithmetic, "*", 0.5)],
        "and" => &[(Boolean, "or", 1.0)],
        "or" => &[(Boolean, "and", 1.0)],
        "&&" => &[(Boolean, "||", 1.0), (Boolean, "and", 0.1)],
        "||" => &[(Boolean, "&&", 1.0), (Boolean, "or", 0.1)],
        "in" => &[(Boolean, "not in", 1.0)],
        "not in" => &[(Boolean, "in", 1.0)],
        "++" => &[(ListOperator, "--", 1.0)],
        "--" => &[(ListOperator, "++", 1.0)],
        "|||" => &[(ListOperator, "&&&", 1.0)],
        "&&&" => &[(ListOperator, "|||", 1.0)],
        "<<<" => &[(ListOperator, ">>>", 1.0)],
        ">>>" => &[(ListOperator, "<<<", 1.0)],
        "<-" => &[(ListOperator, "=", 0.3)],
        _ => &[],
    }
}

/// Another operator.
pub fn swapped(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if node.kind() != "binary_operator" || place.zone == Zone::Bits {
        return;
    }
    let Some(sign) = node.child_by_field_name("operator") else { return };
    for (kind, other, weight) in relatives(source.text(sign).trim()) {
        sink.replace(*kind, *weight, sign, *other);
    }
}

/// Operands: swapped, dropped, off by one, divided otherwise.
pub fn operands(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
    else {
        return;
    };
    if node.kind() != "binary_operator" || matches!(place.zone, Zone::Bits | Zone::Pattern) {
        return;
    }
    let operator = source.operator(node);
    let (left_text, right_text) = (source.text(left), source.text(right));
    let order = match operator {
        "-" | "/" | "++" | "--" | "<>" => 1.0,
        "<" | ">" | "<=" | ">=" | ".." | "**" => 0.3,
        "&&" | "||" => 0.2,
        "in" | "not in" | "=~" => 0.1,
        _ => 0.0,
    };
    if order > 0.0 {
        let kind = if operator == ".." { Range } else { SwapOperands };
        sink.replace(kind, order, node, swapped_sides(context, place));
    }
    if matches!(operator, "+" | "-" | "*" | "/" | "++" | "--" | "<>" | "and" | "or" | "&&" | "||") {
        let weight = if matches!(operator, "*" | "/" | "||") { 0.7 } else { 1.0 };
        let kind = if operator == "||" { DefaultValue } else { DropOperand };
        sink.replace(kind, weight, node, left_text);
        sink.replace(DropOperand, 0.6 * weight, node, right_text);
    }
    let number = |node: tree_sitter::Node<'_>| matches!(node.kind(), "integer" | "float");
    if matches!(operator, "<" | "<=" | ">" | ">=") && !number(right) && place.zone != Zone::Bits {
        for sign in ["+", "-"] {
            sink.replace(Boundary, 0.5, right, format!("{right_text} {sign} 1"));
            sink.replace(Boundary, 0.2, left, format!("{left_text} {sign} 1"));
        }
    }
    if operator == ".." {
        for (side, text, weights) in [(right, right_text, [0.7, 1.0]), (left, left_text, [0.7, 0.4])] {
            if !number(side) {
                sink.replace(Range, weights[0], side, format!("({text} + 1)"));
                sink.replace(Range, weights[1], side, format!("({text} - 1)"));
            }
        }
    }
    if operator == "/" && node.child(0).is_some_and(|first| first.kind() != "operator_identifier") {
        sink.replace(Division, 1.0, node, format!("div({left_text}, {right_text})"));
        sink.replace(Division, 0.4, node, format!("rem({left_text}, {right_text})"));
    }
}

fn swapped_sides(context: &Context<'_>, place: &Place<'_>) -> String {
    let node = place.node;
    match (node.child_by_field_name("left"), node.child_by_field_name("right")) {
        (Some(left), Some(right)) => super::swapped_text(context.source, left, right),
        _ => context.source.text(node).to_string(),
    }
}

/// Signs and negations before a value, pins and captures.
pub fn unary(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if node.kind() != "unary_operator" {
        return;
    }
    let Some(operand) = node.child_by_field_name("operand") else { return };
    let bare = source.text(operand);
    match source.operator(node) {
        "!" | "not" => sink.replace(Negate, 1.0, node, bare),
        "-" => sink.replace(Arithmetic, 1.0, node, enclosed(context, place, bare)),
        "^" => sink.replace(Pin, 1.0, node, bare),
        "&" if operand.kind() == "integer" => {
            for other in ["&1", "&2", "&3"] {
                sink.replace(Capture, if other == "&3" { 0.2 } else { 1.0 }, node, other);
            }
        }
        "&" if source.operator(operand) == "/" => {
            let arity = operand.child_by_field_name("right").and_then(|right| {
                source
                    .text(right)
                    .parse::<u32>()
                    .ok()
                    .filter(|arity| *arity < 255)
                    .map(|arity| (right, arity))
            });
            if let Some((right, arity)) = arity {
                sink.replace(Capture, 0.6, right, (arity + 1).to_string());
                sink.replace(Capture, 0.6, right, arity.saturating_sub(1).to_string());
            }
        }
        _ => {}
    }
}
