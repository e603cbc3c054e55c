//! From chunks to ranked places: tokens, BM25, vectors, fusion and the store.

mod entry;
mod tokens;

mod bm25;
mod names;
mod vectors;

mod index;

mod compiled;
mod outside;

mod embed;

mod answer;
mod query;

mod grep;
mod lookup;

pub mod store;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Hit, MadeFrom};
pub use compiled::Observations;
pub use embed::embed_all;
pub(crate) use entry::Entry;
pub use grep::{Case, Found, FoundLine, Grep};
pub use index::{BuildOptions, Changes, Index, Missing, Stats};
pub use lookup::{Fit, Lookup, Named};
pub use query::{Mode, Query};
pub use vectors::{Batch, Embedder};
