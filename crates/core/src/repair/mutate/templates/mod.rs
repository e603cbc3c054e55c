//! Templates: each looks at one place and writes down what might stand there instead.

mod apply;
mod calls;
mod clauses;
mod conditions;
mod draft;
mod elements;
mod literals;
mod names;
mod operators;
mod pipes;
mod place;
mod statements;

pub(super) use apply::apply;
pub(in crate::repair) use draft::Draft;
pub(super) use draft::{Context, Sink};
