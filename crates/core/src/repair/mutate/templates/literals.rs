//! Numbers, strings, atoms, sigils.

use super::draft::{Context, Sink};
use super::place::enclosed;
use crate::repair::mutate::Kind::*;
use crate::repair::mutate::class::Class;
use crate::repair::mutate::source::{Place, Zone};
use crate::repair::mutate::vocabulary::role;

/// How many words of the surroundings are tried for one literal.
const NEAR: usize = 24;

/// Whole and floating point numbers, and characters.
pub fn numbers(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let text = source.text(node);
    let parent = place.parent;
    match node.kind() {
        "integer" if parent.is_some_and(|above| matches!(source.operator(above), "&")) => return,
        "integer" => {
            if let Ok(value) = text.replace('_', "").parse::<i128>() {
                let around =
                    [(value.saturating_sub(1), 1.0), (value.saturating_add(1), 1.0), (0, 0.6), (1, 0.6)];
                for (other, weight) in around {
                    match u128::try_from(other) {
                        Ok(other) => sink.replace(Integer, weight, node, other.to_string()),
                        Err(_) => {
                            sink.replace(Integer, weight, node, enclosed(context, place, &other.to_string()))
                        }
                    }
                }
                sink.replace(Integer, 0.3, node, enclosed(context, place, &format!("-{text}")));
                for (other, weight) in [
                    (2, 0.3),
                    (value.saturating_mul(10), 0.3),
                    (value.saturating_mul(2), 0.2),
                    (value / 10, 0.2),
                    (value / 2, 0.1),
                ] {
                    sink.replace(Integer, weight, node, other.to_string());
                }
            } else if let Some(value) =
                text.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok())
            {
                for other in [value.wrapping_sub(1), value.wrapping_add(1)] {
                    sink.replace(Integer, 1.0, node, format!("0x{other:0width$X}", width = text.len() - 2));
                }
            }
        }
        "float" => {
            if let Ok(value) = text.replace('_', "").parse::<f64>() {
                for (other, weight) in [
                    (value + 1.0, 0.6),
                    (value - 1.0, 0.6),
                    (0.0, 0.8),
                    (1.0, 0.8),
                    (value * 10.0, 0.6),
                    (value / 10.0, 0.6),
                    (-value, 0.4),
                ] {
                    if other.is_finite() {
                        sink.replace(Float, weight, node, format!("{other:?}"));
                    }
                }
                if value.fract() == 0.0 && value.abs() < 1e15 {
                    sink.replace(Float, 0.5, node, format!("{}", value as i64));
                }
            }
        }
        "char" => {
            for (other, weight) in
                context.vocabulary.near(Class::Char, node.start_byte(), role(source, place), NEAR)
            {
                sink.replace(Integer, 0.5 * weight, node, other);
            }
            return;
        }
        _ => return,
    }
    let kind = if node.kind() == "float" { Float } else { Integer };
    for (other, weight) in
        context.vocabulary.near(Class::Number, node.start_byte(), role(source, place), NEAR / 2)
    {
        sink.replace(kind, 0.4 * weight, node, other);
    }
    if place.zone == Zone::Code {
        for (other, weight) in super::names::in_scope(context, place, 6) {
            sink.replace(Variable, 0.2 * weight, node, other);
        }
    }
}

/// Strings: those around, the empty one, common separators, one letter less at either end.
pub fn strings(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    const COMMON: [&str; 12] = [" ", ".", ",", "-", "_", "/", ":", ";", "\\n", "\\t", "#", "="];
    let (source, node) = (context.source, place.node);
    let text = source.text(node);
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return };
    if node.kind() != "string" || text.starts_with("\"\"\"") || inner.contains("#{") {
        return;
    }
    let mut put =
        |weight: f64, inner: &str| sink.replace(StringLiteral, weight, node, format!("\"{inner}\""));
    put(0.7, "");
    // Punctuation alone is a separator; words are names.
    let separator = !inner.contains(|sign: char| sign.is_alphabetic());
    for other in COMMON {
        put(if separator && inner.chars().count() <= 2 { 0.5 } else { 0.05 }, other);
    }
    if !inner.contains('\\') {
        let mut signs = inner.chars();
        if let (Some(_), rest) = (signs.next(), signs.as_str()) {
            put(0.3, rest);
        }
        let mut signs = inner.chars();
        if let (Some(_), rest) = (signs.next_back(), signs.as_str()) {
            put(0.3, rest);
        }
        let cased = [inner.to_lowercase(), inner.to_uppercase()];
        cased.iter().for_each(|other| put(0.2, other));
        for (extra, weight) in [(" ", 0.2), ("s", 0.05), (".", 0.05), ("/", 0.05), (":", 0.05)] {
            put(weight, &format!("{inner}{extra}"));
            put(weight / 2.0, &format!("{extra}{inner}"));
        }
    }
    for (other, weight) in
        context.vocabulary.near(Class::String, node.start_byte(), role(source, place), NEAR)
    {
        if !other.contains("#{") {
            sink.replace(StringLiteral, weight, node, other);
        }
    }
}

/// Atoms, `true`, `false` and `nil`.
pub fn atoms(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let text = source.text(node);
    match node.kind() {
        "boolean" => {
            sink.replace(Literal, 1.0, node, if text == "true" { "false" } else { "true" });
            sink.replace(Literal, 0.2, node, "nil");
        }
        "nil" => {
            for (other, weight) in [
                ("[]", 0.6),
                ("%{}", 0.4),
                ("\"\"", 0.5),
                ("0", 0.4),
                ("false", 0.3),
                ("true", 0.4),
                ("{}", 0.1),
            ] {
                sink.replace(Literal, weight, node, other);
            }
        }
        "atom" => {}
        _ => return,
    }
    let at = node.start_byte();
    if place.parent.is_some_and(|above| above.kind() == "dot") {
        for (other, weight) in context.vocabulary.near(Class::Module, at, role(source, place), NEAR / 2) {
            sink.replace(Module, weight, node, other);
        }
        return;
    }
    let kind = if node.kind() == "atom" { Atom } else { Literal };
    let near = |class, share: f64| {
        context
            .vocabulary
            .near(class, at, role(source, place), NEAR)
            .into_iter()
            .map(move |(w, weight)| (w, share * weight))
    };
    for (other, weight) in near(Class::Atom, if kind == Atom { 1.0 } else { 0.4 }) {
        sink.replace(kind, weight, node, other);
    }
    for (other, weight) in near(Class::Key, if kind == Atom { 0.4 } else { 0.3 }) {
        sink.replace(kind, weight, node, format!(":{other}"));
    }
    if node.kind() == "nil" && place.zone == Zone::Code {
        for (other, weight) in super::names::in_scope(context, place, 8) {
            sink.replace(Variable, 0.5 * weight, node, other);
        }
    }
    if kind == Atom && place.zone == Zone::Code {
        for (other, weight) in [("nil", 0.2), ("true", 0.1), ("false", 0.1)] {
            sink.replace(Literal, weight, node, other);
        }
    }
}

/// Modifiers of regular expressions and word lists.
pub fn sigils(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if node.kind() != "sigil" {
        return;
    }
    let text = source.text(node);
    let end = node.end_byte();
    let modifiers = text.len() - text.trim_end_matches(|sign: char| sign.is_ascii_alphanumeric()).len();
    let known: &[&str] = match text.as_bytes().get(1) {
        Some(b'r' | b'R') => &["u", "i", "s", "m", "x", "U", "iu", "us", "ui"],
        Some(b'w' | b'W') => &["a", "c", "s"],
        _ => return,
    };
    if modifiers > 0 {
        sink.edit(Sigil, 1.0, end - modifiers, end, "");
        known.iter().for_each(|other| sink.edit(Sigil, 0.3, end, end, *other));
    }
    known.iter().for_each(|other| sink.edit(Sigil, 0.7, end - modifiers, end, *other));
}
