//! From a file to facts: definitions, references, directives, chunks and diagnostics.

mod facts;

pub use facts::*;
