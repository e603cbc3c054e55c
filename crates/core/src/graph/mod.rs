//! The graph of code: who calls whom, what a change touches, what matters most.

mod symbol;

mod names;
mod shards;
mod std_lib;

mod observed;
mod unit;
mod view;

mod expand;
mod resolve;

mod build;

mod impact;
mod query;
mod rank;

pub use build::{CodeGraph, Source};
pub use impact::Impact;
pub use symbol::{Edge, Hit, LinkKind, Relation, Symbol, SymbolId};

#[cfg(test)]
mod tests;
