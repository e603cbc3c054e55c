//! The snapshot of a source tree: its files with their facts, the graph of them, what the compiler and the dependencies add.
//!
//! A [`Snapshot`] is a value. An update gives another one that shares with it whatever did not change. Readers of a snapshot,
//! such as `retrieval`, `graph` and `context`, build on it; it knows none of them but the graph.

mod dependencies;
mod facts;
mod file;
mod table;

pub(crate) mod artifacts;

mod differences;
mod snapshot;
mod update;

pub mod store;
mod stored;

#[cfg(test)]
pub(crate) mod testing;

pub use artifacts::Observations;
pub(crate) use file::{ProjectFile, too_much};
pub use snapshot::{BuildOptions, Snapshot};
pub(crate) use stored::file_key;
pub(crate) use table::FileTable;
pub use update::Changes;
