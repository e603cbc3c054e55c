//! Conditions: negated, their branches swapped, guards added and taken away.

use tree_sitter::Node;

use super::draft::{Context, Sink};
use super::place::{enclosed, is_value, swapped_text};
use crate::repair::mutate::Kind::*;
use crate::repair::mutate::class::Class;
use crate::repair::mutate::source::{Place, Zone, arguments, do_block, field, parts};

/// Functions whose answer is a condition although nothing around them says so.
fn is_condition(text: &str) -> bool {
    let name = text.rsplit('.').next().unwrap_or(text);
    name.ends_with('?') || name.starts_with("is_")
}

/// `if`, `unless`, `cond` and every value that is a condition.
pub fn branches(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let target = source.target(node);
    if matches!(target, "if" | "unless") {
        let other = if target == "if" { "unless" } else { "if" };
        sink.edit(Negate, 1.0, node.start_byte(), node.start_byte() + target.len(), other);
        swap_branches(context, node, sink);
        if let Some(condition) = arguments(node).and_then(|given| given.named_child(0)) {
            sink.replace(Negate, 0.2, condition, "true");
            sink.replace(Negate, 0.2, condition, "false");
        }
    }
    let tested = place.index == 0
        && place.parent.is_some_and(|above| above.kind() == "arguments")
        && place.grand.is_some_and(|call| matches!(source.target(call), "if" | "unless"));
    let called = node.kind() == "call" && is_condition(target);
    let joined =
        place.parent.is_some_and(|above| matches!(source.operator(above), "and" | "or" | "&&" | "||"));
    let computed = is_value(context, place) || place.zone == Zone::Guard && node.kind() != "arguments";
    let negated = place.parent.is_some_and(|above| matches!(source.operator(above), "not" | "!"));
    if computed && !negated && (tested || called || joined && node.kind() != "binary_operator") {
        let text = source.text(node);
        let bare = matches!(node.kind(), "call" | "identifier" | "access_call") && !text.contains(" do");
        let strict = called || place.zone == Zone::Guard;
        let new = match (strict, bare) {
            (true, true) => format!("not {text}"),
            (true, false) => format!("not ({text})"),
            (false, true) => format!("!{text}"),
            (false, false) => format!("!({text})"),
        };
        sink.replace(Negate, 0.8, node, if strict { enclosed(context, place, &new) } else { new });
    }
}

fn swap_branches(context: &Context<'_>, node: Node<'_>, sink: &mut Sink<'_>) {
    let source = context.source;
    // `if c, do: a, else: b`
    if let Some(pairs) = arguments(node)
        .and_then(|given| parts(given).last().copied())
        .filter(|last| last.kind() == "keywords")
    {
        let values: Vec<_> = parts(pairs).into_iter().filter_map(|pair| field(pair, "value")).collect();
        if let [first, second] = values[..] {
            let new = swapped_text(source, first, second);
            sink.edit(SwapBranches, 1.0, first.start_byte(), second.end_byte(), new);
        }
    }
    let Some(block) = do_block(node) else { return };
    let inner = parts(block);
    let (Some(otherwise), true) = (inner.last().filter(|last| last.kind() == "else_block"), inner.len() > 1)
    else {
        return;
    };
    let (first, last) = (inner[0], inner[inner.len() - 2]);
    let other = parts(*otherwise);
    if let (Some(from), Some(to)) = (other.first(), other.last()) {
        let text = |start: usize, end: usize| source.text.get(start..end).unwrap_or("");
        let (a, b) = (text(first.start_byte(), last.end_byte()), text(from.start_byte(), to.end_byte()));
        let between = text(last.end_byte(), from.start_byte());
        sink.edit(SwapBranches, 1.0, first.start_byte(), to.end_byte(), format!("{b}{between}{a}"));
    }
}

/// Guards of functions and of `->` clauses.
pub fn guards(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if source.operator(node) == "when" {
        if let (Some(left), Some(right)) = (field(node, "left"), field(node, "right")) {
            sink.replace(Guard, 1.0, node, source.text(left));
            if let (Some(a), Some(b)) = (field(right, "left"), field(right, "right"))
                && matches!(source.operator(right), "and" | "or")
            {
                sink.replace(Guard, 0.5, right, source.text(a));
                sink.replace(Guard, 0.5, right, source.text(b));
            }
            let guard = source.text(right);
            for (other, weight) in context.vocabulary.near(Class::Guard, node.start_byte(), ("", "", 0), 16) {
                sink.replace(Guard, 0.5 * weight, right, other);
                sink.replace(Guard, 0.2 * weight, right, format!("{guard} and {other}"));
            }
        }
        return;
    }
    let head = place.clause.is_some_and(|clause| source.clauses[clause].head.id() == node.id());
    let stab = place.field == Some("left") && place.parent.is_some_and(|above| above.kind() == "stab_clause");
    if !(head || stab && place.zone == Zone::Pattern) {
        return;
    }
    let text = source.text(node);
    let bound: Vec<&str> =
        super::names::in_scope(context, place, 12).into_iter().map(|(name, _)| name).collect();
    let words = crate::edit::tokens(text);
    for (guard, weight) in context.vocabulary.near(Class::Guard, node.start_byte(), ("", "", 0), 24) {
        // A guard may only speak of what the head binds.
        let speaks = crate::edit::tokens(guard);
        if bound.iter().any(|name| words.contains(name) && speaks.contains(name)) {
            sink.edit(Guard, 1.2 * weight, node.end_byte(), node.end_byte(), format!(" when {guard}"));
            // What another clause asks for, this one may be the opposite of.
            for (sign, others) in
                [(" > ", [" < ", " <= "]), (" < ", [" > ", " >= "]), (" == ", [" != ", " > "])]
            {
                for other in others.iter().filter(|_| guard.contains(sign)) {
                    let opposite = guard.replacen(sign, other, 1);
                    sink.edit(
                        Guard,
                        0.7 * weight,
                        node.end_byte(),
                        node.end_byte(),
                        format!(" when {opposite}"),
                    );
                }
            }
        }
    }
    for name in bound.iter().filter(|name| words.contains(name)).take(4) {
        for test in ["is_nil", "is_list", "is_map", "is_binary", "is_atom", "is_integer"] {
            sink.edit(Guard, 0.2, node.end_byte(), node.end_byte(), format!(" when {test}({name})"));
        }
        for test in ["> 0", ">= 0", "== 0", "!= nil", "< 0"] {
            sink.edit(Guard, 0.15, node.end_byte(), node.end_byte(), format!(" when {name} {test}"));
        }
    }
}
