//! Compiled modules: from the bytes of a `.beam` file to what the compiler knew of the module.
//!
//! What macros made is there like what was written, calls are resolved, and nothing is guessed. What was written, and where
//! exactly, only the source tells: [`crate::syntax`].

mod limits;
mod module;

mod damage;
mod etf;
mod iff;
mod term;

mod name;
mod tables;

mod docs;
mod specs;

mod elixir;
mod erlang;
mod expanded;
mod references;

mod read;

mod file;
mod trace;

pub use file::{CompiledFile, TracedCall};
pub use limits::Limits;
pub use module::*;
pub use trace::trace;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;
