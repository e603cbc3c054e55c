//! From a file to facts: definitions, references, directives, chunks and diagnostics.

mod facts;

mod meter;
mod parse;

mod literal;
mod scope;

mod elixir;

mod define;
mod refer;
mod value;

mod framework;

mod template;

mod check;
mod layout;
mod recover;

mod lines;

mod version;

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
