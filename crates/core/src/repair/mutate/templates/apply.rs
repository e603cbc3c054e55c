//! All templates.

use super::draft::{Context, Sink};
use super::{calls, clauses, conditions, elements, literals, names, operators, pipes, statements};
use crate::repair::mutate::source::Place;

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
pub(in crate::repair::mutate) fn apply(context: &Context<'_>, place: &Place<'_>, sink: &mut Sink<'_>) {
    for template in TEMPLATES {
        template(context, place, sink);
    }
}
