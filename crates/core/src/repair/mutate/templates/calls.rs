//! Calls: which function, on which module, with which arguments.

use super::draft::{Context, Sink};
use super::place::{enclosed, is_value};
use crate::repair::mutate::Kind::*;
use crate::repair::mutate::class::Class;
use crate::repair::mutate::flaws::is_called;
use crate::repair::mutate::source::{Place, Zone, arguments, parts};
use crate::repair::mutate::vocabulary::{arity, role};

/// Functions that are taken for one another, by what follows the module; arguments stay as they are.
const FAMILIES: &[&str] = &[
    "min max",
    "min_by max_by",
    "first last",
    "hd tl",
    "take drop take_while drop_while",
    "take_while drop_while split_while reject filter",
    "filter reject",
    "any? all?",
    "ceil floor round trunc",
    "trim trim_leading trim_trailing",
    "pad_leading pad_trailing",
    "upcase downcase capitalize",
    "starts_with? ends_with? contains?",
    "length byte_size bit_size tuple_size map_size count",
    "sum product",
    "map flat_map each filter",
    "sort reverse",
    "uniq dedup",
    "uniq_by dedup_by group_by",
    "reduce reduce_while",
    "foldl foldr",
    "get fetch fetch! pop",
    "get pop",
    "put put_new update",
    "put replace",
    "delete drop",
    "insert_at replace_at delete_at",
    "keyfind keystore keydelete",
    "union intersection difference",
    "member? subset?",
    "div rem",
    "rem mod",
    "elem put_elem",
    "is_list is_map is_tuple is_binary is_atom is_integer is_float is_number is_boolean is_nil is_bitstring is_function is_pid",
    "encode decode encode! decode!",
    "encode16 encode32 encode64",
    "add diff",
    "before? after?",
    "shift add",
    "to_integer to_float to_atom to_existing_atom",
    "to_string inspect",
    "with_index each_with_index",
    "zip concat",
    "zip_with zip_reduce",
    "chunk_every chunk_by",
    "slice split split_at take",
    "join concat",
    "replace replace_leading replace_trailing replace_prefix replace_suffix",
    "graphemes codepoints to_charlist",
    "at fetch!",
    "keys values",
    "merge merge_with",
    "find find_value find_index",
    "scan map_reduce",
    "head tail",
    "ok error",
    "call cast",
    "reply noreply stop",
    "start start_link",
    "abs round",
    "send send_after",
    "wrap flatten",
    "match? not",
];

/// Conversions: any may be missing, too much or another.
const CONVERSIONS: [&str; 12] = [
    "to_string",
    "inspect",
    "String.to_integer",
    "Integer.to_string",
    "String.to_atom",
    "Atom.to_string",
    "String.to_float",
    "Float.to_string",
    "trunc",
    "round",
    "List.wrap",
    "Enum.to_list",
];

/// Another function, or another module.
pub fn functions(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let captured = node.kind() == "identifier"
        && place.field == Some("left")
        && place.parent.is_some_and(|above| source.operator(above) == "/");
    let is_head = place.clause.is_some_and(|clause| source.clauses[clause].called.id() == node.id());
    let Some(target) = (if captured { Some(node) } else { node.child_by_field_name("target") }) else {
        return;
    };
    if !(captured || node.kind() == "call") || is_head || place.zone == Zone::Pattern && !captured {
        return;
    }
    let name_node = match target.kind() {
        "dot" => target.child_by_field_name("right"),
        "identifier" => Some(target),
        _ => None,
    };
    let Some(name_node) = name_node.filter(|name| name.kind() == "identifier") else { return };
    let (name, whole) = (source.text(name_node), source.text(target));
    if name.starts_with("def")
        || matches!(
            whole,
            "if" | "unless"
                | "case"
                | "cond"
                | "with"
                | "for"
                | "quote"
                | "unquote"
                | "fn"
                | "try"
                | "receive"
                | "raise"
        )
    {
        return;
    }
    if arguments(node).is_none() && !captured && target.kind() == "dot" {
        return;
    }
    for family in FAMILIES {
        let members: Vec<&str> = family.split(' ').collect();
        let Some(own) = members.iter().position(|member| *member == name) else { continue };
        for (rank, other) in members.iter().enumerate().filter(|(rank, _)| *rank != own) {
            let apart = rank.abs_diff(own) as f64;
            sink.replace(SiblingFunction, 1.0 / apart.sqrt(), name_node, *other);
        }
    }
    if let Some(bang) = name.strip_suffix('!') {
        sink.replace(SiblingFunction, 0.3, name_node, bang);
    } else if !name.ends_with('?') && target.kind() == "dot" {
        sink.replace(SiblingFunction, 0.05, name_node, format!("{name}!"));
    }
    let count = arity(source, place);
    for (other, weight) in context.vocabulary.near(Class::Call, node.start_byte(), ("arity", "", count), 24) {
        let form =
            matches!(other, "if" | "unless" | "case" | "cond" | "with" | "for" | "try" | "receive" | "quote");
        if form || other.starts_with("unquote") {
            continue;
        }
        let like = 0.4 + super::names::likeness(whole, other);
        let local = target.kind() == "identifier" && !other.contains('.');
        let same_module = other.rsplit_once('.').zip(whole.rsplit_once('.')).is_some_and(|(a, b)| a.0 == b.0);
        let share = if local || same_module { 1.0 } else { 0.4 };
        sink.replace(ProjectFunction, weight * like * share, target, other);
    }
    let module = whole.rsplit_once('.').map(|(module, _)| module);
    let own_module = |full: &str| module.is_some_and(|module| is_called(full, module));
    for (full, other, others) in context.functions {
        if *others == count && own_module(full) && *other != name {
            sink.replace(ProjectFunction, 0.4 + super::names::likeness(name, other), name_node, *other);
        }
    }
    // Local functions: the clauses of this file.
    if module.is_none() {
        let mut seen = std::collections::BTreeSet::new();
        for clause in &source.clauses {
            if clause.arity == count
                && clause.name != name
                && clause.name != "unquote"
                && seen.insert(clause.name)
            {
                let like = 0.3 + super::names::likeness(name, clause.name);
                sink.replace(ProjectFunction, like, name_node, clause.name);
            }
        }
    }
    if let Some(left) = target.child_by_field_name("left").filter(|left| left.kind() == "alias") {
        let at = left.start_byte();
        for (other, weight) in context.vocabulary.near(Class::Module, at, ("dot", "left", 0), 12) {
            sink.replace(Module, weight, left, other);
        }
        let pairs = [
            ("Enum", "Stream"),
            ("Enum", "List"),
            ("Map", "Keyword"),
            ("Integer", "Float"),
            ("String", "List"),
        ];
        for (a, b) in pairs {
            match source.text(left) {
                own if own == a => sink.replace(Module, 0.6, left, b),
                own if own == b => sink.replace(Module, 0.6, left, a),
                _ => {}
            }
        }
    }
}

/// Arguments in another order, or fewer of them; and divisions, which are calls.
pub fn arguments_of(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    let Some(given) = arguments(node) else { return };
    let target = source.target(node);
    if node.kind() != "call" || target.starts_with("def") || target.is_empty() {
        return;
    }
    let values = parts(given);
    let positional: Vec<_> = values.iter().filter(|value| value.kind() != "keywords").copied().collect();
    for first in 0..positional.len() {
        for second in first + 1..positional.len() {
            let (a, b) = (positional[first], positional[second]);
            let apart = (second - first) as f64;
            let middle = source.text.get(a.end_byte()..b.start_byte()).unwrap_or("");
            let new = format!("{}{middle}{}", source.text(b), source.text(a));
            sink.edit(SwapArguments, 1.0 / apart, a.start_byte(), b.end_byte(), new);
        }
    }
    if place.zone == Zone::Pattern {
        return;
    }
    if let ("div" | "rem", [a, b]) = (target, &values[..]) {
        let divided = format!("{} / {}", source.text(*a), source.text(*b));
        sink.replace(Division, 0.8, node, enclosed(context, place, &divided));
    }
    if values.len() > 1 {
        for pair in values.windows(2) {
            sink.edit(DropElement, 0.3, pair[0].end_byte(), pair[1].end_byte(), "");
        }
        sink.edit(DropElement, 0.2, values[0].start_byte(), values[1].start_byte(), "");
    }
    let parent_is_pipe =
        place.field == Some("right") && place.parent.is_some_and(|above| source.operator(above) == "|>");
    let control =
        matches!(target, "if" | "unless" | "case" | "cond" | "with" | "for" | "quote" | "try" | "receive");
    if is_value(context, place) && !parent_is_pipe && !control {
        for (rank, value) in positional.iter().enumerate() {
            let kind = if CONVERSIONS.contains(&target) { Conversion } else { UnwrapCall };
            let weight = if positional.len() == 1 { 1.0 } else { 0.5 / (1.0 + rank as f64) };
            sink.replace(kind, weight, node, enclosed(context, place, source.text(*value)));
        }
    }
}

/// One more function around a value: those called near, conversions, results.
pub fn wrapping(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    let (source, node) = (context.source, place.node);
    if !is_value(context, place) {
        return;
    }
    let parent = place.parent.map_or("", |parent| parent.kind());
    let argument =
        parent == "arguments" && place.grand.is_some_and(|call| !source.target(call).starts_with("def"));
    let above = place.parent.map_or("", |parent| source.operator(parent));
    let ends = matches!((parent, place.field), ("body" | "do_block", _) | ("pair", Some("value")))
        || matches!((above, place.field), ("=", Some("right")));
    let operand = parent == "binary_operator" && !matches!(above, "|>" | "=" | "->");
    let element = matches!(parent, "tuple" | "list");
    if !(argument || ends || operand || element) {
        return;
    }
    let text = source.text(node);
    let small = text.len() <= 60 && !text.contains('\n');
    let rich = matches!(node.kind(), "identifier" | "call" | "access_call");
    if small && rich {
        for (other, weight) in context.vocabulary.near(Class::Call, node.start_byte(), ("arity", "", 1), 10) {
            if source.target(node) != other
                && !matches!(
                    other,
                    "if" | "unless"
                        | "case"
                        | "with"
                        | "for"
                        | "fn"
                        | "quote"
                        | "unquote"
                        | "unquote_splicing"
                        | "raise"
                )
            {
                sink.replace(WrapCall, weight, node, format!("{other}({text})"));
            }
        }
        let used = context.vocabulary.near(Class::Module, node.start_byte(), ("dot", "left", 0), 8);
        for (full, name, _) in context.functions.iter().filter(|(_, _, arity)| *arity == 1) {
            if let Some((module, weight)) = used.iter().find(|(module, _)| is_called(full, module)) {
                sink.replace(WrapCall, 0.3 * weight, node, format!("{module}.{name}({text})"));
            }
        }
        for other in CONVERSIONS {
            sink.replace(
                Conversion,
                if operand || argument { 0.4 } else { 0.2 },
                node,
                format!("{other}({text})"),
            );
        }
        for other in [
            "abs",
            "length",
            "Enum.reverse",
            "String.trim",
            "String.downcase",
            "Enum.uniq",
            "Enum.sort",
            "List.flatten",
            "String.length",
            "byte_size",
            "hd",
            "List.first",
        ] {
            sink.replace(WrapCall, 0.15, node, format!("{other}({text})"));
        }
        let at = node.start_byte();
        for (default, weight) in context.vocabulary.near(Class::Default, at, role(source, place), 4) {
            sink.replace(
                DefaultValue,
                0.5 * weight,
                node,
                enclosed(context, place, &format!("{text} || {default}")),
            );
        }
        if node.kind() != "identifier" || ends {
            for (default, weight) in context.vocabulary.near(Class::Attribute, at, role(source, place), 4) {
                sink.replace(
                    DefaultValue,
                    0.3 * weight,
                    node,
                    enclosed(context, place, &format!("{text} || {default}")),
                );
            }
            for default in ["[]", "%{}", "0", "\"\"", "nil", "1", "false"] {
                sink.replace(
                    DefaultValue,
                    0.2,
                    node,
                    enclosed(context, place, &format!("{text} || {default}")),
                );
            }
        }
    }
    if ends && small {
        for tag in [":ok", ":error"] {
            sink.replace(ResultTuple, 0.5, node, format!("{{{tag}, {text}}}"));
        }
    }
}
