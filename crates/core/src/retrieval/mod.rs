//! From chunks to ranked places: tokens, BM25, vectors, fusion and the store.

mod entry;
mod tokens;

mod bm25;
mod vectors;

mod index;

mod compiled;
mod outside;

mod embed;
mod embedding_cache;

mod answer;
mod query;

pub mod store;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Hit, MadeFrom};
pub use compiled::Observations;
pub use embed::embed_all;
pub use embedding_cache::{CacheStats, CachedEmbedder, EmbeddingCache};
pub(crate) use entry::Entry;
pub use index::{BuildOptions, Changes, Index, Missing, Stats};
pub use query::{Mode, Query};
pub use vectors::{Batch, Embedder};
