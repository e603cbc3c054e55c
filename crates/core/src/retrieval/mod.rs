//! From chunks to ranked places: tokens, BM25, vectors, names and features. It reads a snapshot of [`crate::project`].

mod aside;
mod fields;
mod phrase;
mod tokens;
mod trigrams;

mod entry;
mod filter;
mod patterns;

mod best;
mod bm25;
mod names;
mod vectors;

mod ceiling;
mod index;
pub mod persistence;

mod embed;
mod embedding_cache;
mod static_model;

mod answer;
mod candidates;
mod features;
mod locations;
mod nearness;
mod query;
mod question;
mod rerank;
mod weights;

mod grep;
mod lookup;

#[cfg(test)]
mod persistence_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use answer::{Answer, CommonAnswer, Hit, MadeFrom, search_all};
pub(crate) use bm25::rarities;
pub use ceiling::Memory;
pub use embed::embed_all;
pub use embedding_cache::{CacheStats, CachedEmbedder, EmbeddingCache};
pub(crate) use entry::Entry;
pub use features::{Feature, Features};
pub use filter::Filter;
pub use grep::{Case, Found, FoundLine, Grep};
pub use index::{Index, Missing, Stats};
pub use lookup::{Fit, Lookup, Named};
pub(crate) use query::Word;
pub use query::{Mode, Query};
pub use rerank::{Reranker, search_reranked};
pub use static_model::{Scratch, StaticEncoder};
pub(crate) use tokens::{Token, words};
pub use vectors::{Batch, Cut, Dense, Embedder, Scan, VectorSet};
