//! Operators and their operands.

use super::draft::{Context, Sink};
use super::place::enclosed;
use crate::repair::mutate::Kind::{self, *};
use crate::repair::mutate::source::{Place, Zone, field, field_range};

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

/// Whether a `/` stands between the name and the arity of a function: `&name/1`.
fn is_named(context: &Context<'_>, place: &Place<'_>) -> bool {
    context.source.operator(place.node) == "/"
        && place.parent.is_some_and(|above| context.source.operator(above) == "&")
        && field(place.node, "right").is_some_and(|right| right.kind() == "integer")
        && field(place.node, "left").is_some_and(|left| matches!(left.kind(), "identifier" | "call"))
}

/// Another operator.
pub fn swapped(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if node.kind() != "binary_operator" || place.zone == Zone::Bits {
        return;
    }
    let Some(sign) = node.child_by_field_name("operator").filter(|_| !is_named(context, place)) else {
        return;
    };
    for (kind, other, weight) in relatives(source.text(sign).trim()) {
        sink.replace(*kind, *weight, sign, *other);
    }
}

/// Operands: swapped, dropped, off by one, divided otherwise.
pub fn operands(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) else { return };
    let (Some(left_bytes), Some(right_bytes)) = (field_range(node, "left"), field_range(node, "right"))
    else {
        return;
    };
    if node.kind() != "binary_operator"
        || matches!(place.zone, Zone::Bits | Zone::Pattern)
        || is_named(context, place)
    {
        return;
    }
    let operator = source.operator(node);
    let text = |bytes: std::ops::Range<usize>| source.text.get(bytes).unwrap_or("");
    let (left_text, right_text) = (text(left_bytes.clone()), text(right_bytes.clone()));
    let order = match operator {
        "-" | "/" | "++" | "--" | "<>" => 1.0,
        "<" | ">" | "<=" | ">=" | ".." | "**" => 0.3,
        "&&" | "||" => 0.2,
        "in" | "not in" | "=~" => 0.1,
        _ => 0.0,
    };
    if order > 0.0 {
        let kind = if operator == ".." { Range } else { SwapOperands };
        let between = text(left_bytes.end..right_bytes.start);
        sink.replace(kind, order, node, format!("{right_text}{between}{left_text}"));
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
            let (end, start) = (right_bytes.end, left_bytes.start);
            sink.edit(Boundary, 0.5, right_bytes.start, end, format!("{right_text} {sign} 1"));
            sink.edit(Boundary, 0.2, start, left_bytes.end, format!("{left_text} {sign} 1"));
        }
    }
    if operator == ".." {
        let sides = [(right, right_bytes, [0.7, 1.0]), (left, left_bytes, [0.7, 0.4])];
        for (side, bytes, weights) in sides {
            if !number(side) {
                let text = text(bytes.clone());
                sink.edit(Range, weights[0], bytes.start, bytes.end, format!("({text} + 1)"));
                sink.edit(Range, weights[1], bytes.start, bytes.end, format!("({text} - 1)"));
            }
        }
    }
    if operator == "/" && node.child(0).is_some_and(|first| first.kind() != "operator_identifier") {
        sink.replace(Division, 1.0, node, format!("div({left_text}, {right_text})"));
        sink.replace(Division, 0.4, node, format!("rem({left_text}, {right_text})"));
    }
}

/// Signs and negations before a value, pins and captures.
pub fn unary(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if node.kind() != "unary_operator" {
        return;
    }
    let Some(operand) = field(node, "operand") else { return };
    let bare = field_range(node, "operand").and_then(|bytes| source.text.get(bytes)).unwrap_or("");
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
