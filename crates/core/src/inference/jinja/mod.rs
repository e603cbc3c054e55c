//! Jinja2, as far as templates for conversations use it, for templates that nobody has read.
//!
//! A template is a program that came with a model file. So each value takes its memory from a budget and gives it back,
//! each step and each piece of text that is looked at takes work from it, and nesting is bounded wherever it can arise.
//! Texts remember which of their bytes came from messages, through every operation: only what the template itself wrote may
//! name control tokens.
//!
//! What is rendered is what Jinja2 3.1 renders with `trim_blocks` and `lstrip_blocks` in its immutable sandbox, which is how
//! models' templates are written to be rendered. Absent is what they do not use: inheritance, inclusion, and filters that lay
//! out pages.

mod budget;
mod text;
mod value;

mod lexer;
mod parser;
mod syntax;

mod access;
mod arguments;
mod clock;
mod filters;
mod format;
mod methods;
mod operators;
mod run;
mod state;
mod tests;
mod write;

pub(super) use budget::RenderBudget;
pub(super) use run::render;
pub(super) use syntax::Template;
pub(super) use value::Value;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod hostile_tests;

use crate::{Error, ErrorKind};

/// An error of the template's.
fn fault(message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, message)
}
