//! The graph in the formats of other programs: for drawing, for databases, for scripts.

mod request;

mod content;
mod holders;
mod names;

mod cypher;
mod dot;
mod graphml;
mod json;
mod mermaid;

pub(super) use graphml::escaped;
pub use request::{Export, Format};

#[cfg(test)]
mod tests;
