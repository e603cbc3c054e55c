//! Whether a text is Elixir: a second judge beside tree-sitter, whose grammar rejects some of what Elixir's own accepts and
//! repairs some of what it does not accept.
//!
//! It reads tokens and keeps what is open on an explicit stack: brackets, blocks, and for each what the grammar allows next.
//! It builds no tree, so it takes a small part of the time that parsing takes.

mod grammar;
mod strings;
mod token;

pub(super) use grammar::{Fault, check};
pub(super) use strings::long_strings;

#[cfg(test)]
mod tests;
