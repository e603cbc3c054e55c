//! Templates: each looks at one place and writes down what might stand there instead.

mod calls;
mod clauses;
mod conditions;
mod elements;
mod literals;
mod names;
mod operators;
mod pipes;
mod statements;

use tree_sitter::Node;

use super::Kind;
use super::source::{Place, Source, Zone};
use super::vocabulary::{Vocabulary, is_variable};
use crate::edit::Edit;

/// What templates know besides the place.
pub(super) struct Context<'t> {
    pub source: &'t Source<'t>,
    pub vocabulary: Vocabulary<'t>,
    /// Functions of the project, as they are called from outside, with their arities: `("Shop.Cart", "add", 2)`.
    pub functions: &'t [(&'t str, &'t str, usize)],
}

/// A change before it is ranked and checked.
#[derive(Clone, Debug)]
pub(in crate::repair) struct Draft {
    pub edit: Edit,
    pub kind: Kind,
    /// From 1.
    pub line: u32,
    /// How well it fits there, relative to others of its kind.
    pub weight: f64,
    pub unit: Option<std::ops::Range<usize>>,
}

/// Where templates write.
pub(super) struct Sink<'t> {
    pub drafts: Vec<Draft>,
    pub place: Place<'t>,
}

impl Sink<'_> {
    /// `new` instead of bytes `start..end`.
    pub fn edit(&mut self, kind: Kind, weight: f64, start: usize, end: usize, new: impl Into<String>) {
        let line = self.place.node.start_position().row as u32 + 1;
        let unit = self.place.unit.map(|unit| unit.byte_range());
        self.drafts.push(Draft { edit: Edit::new(start, end, new), kind, line, weight, unit });
    }

    /// `new` instead of a node.
    pub fn replace(&mut self, kind: Kind, weight: f64, node: Node<'_>, new: impl Into<String>) {
        self.edit(kind, weight, node.start_byte(), node.end_byte(), new);
    }
}

const TEMPLATES: [fn(&Context<'_>, &Place<'_>, &mut Sink<'_>); 20] = [
    operators::swapped,
    operators::operands,
    operators::unary,
    literals::numbers,
    literals::strings,
    literals::atoms,
    literals::sigils,
    names::variables,
    names::keys,
    names::attributes,
    names::bit_types,
    conditions::branches,
    conditions::guards,
    calls::functions,
    calls::arguments_of,
    calls::wrapping,
    pipes::steps,
    elements::collections,
    clauses::clauses,
    statements::statements,
];

/// All changes at a place.
pub(super) fn apply(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    for template in TEMPLATES {
        template(context, place, sink);
    }
}

/// Whether a place holds a value that is computed, so that another expression may stand there.
fn is_value(context: &Context<'_>, place: &Place<'_>) -> bool {
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
fn enclosed(context: &Context<'_>, place: &Place<'_>, text: &str) -> String {
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
fn swapped_text(source: &Source<'_>, first: Node<'_>, second: Node<'_>) -> String {
    let (a, whole) = (source.text(first).trim_end(), source.text(second));
    let b = whole.trim_end();
    let between = source.text.get(first.start_byte() + a.len()..second.start_byte()).unwrap_or("");
    format!("{b}{between}{a}{}", &whole[b.len()..])
}
