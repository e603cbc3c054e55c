//! From a file to facts: definitions, references, directives, chunks and diagnostics.

mod chunk;
mod facts;

pub use facts::*;
