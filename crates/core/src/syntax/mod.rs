//! From a file to facts: definitions, references, directives, chunks and diagnostics.

mod facts;

mod parse;
mod parse_budget;

mod lines;
mod literal;
mod scope;

mod reader;

mod define;
mod elixir;
mod refer;
mod sections;
mod value;
mod version;

mod framework;

mod template;

mod check;
mod layout;
mod recover;

mod erlang;

mod diagnose;

mod chunk;

mod analyse;

pub use analyse::analyse;
pub(crate) use chunk::without_aliases;
pub use facts::*;
pub(crate) use scope::{Scopes, Variables};

#[cfg(test)]
mod tests;
