//! From the facts of all files to the graph.

mod source;

mod names;
mod shards;
pub(in crate::graph) mod std_lib;
mod templates;

mod observed;
mod unit;
mod view;

mod expand;
mod imports;
mod resolve;

mod graph;

pub use graph::CodeGraph;
pub use source::GraphInput;
pub(crate) use std_lib::is_of_kernel;
