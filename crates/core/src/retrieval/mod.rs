//! From chunks to ranked places: tokens, BM25, vectors, fusion and the store.

mod entry;
mod facts;
mod fields;
mod filter;
mod tokens;

mod best;
mod bm25;
mod names;
mod vectors;

mod ceiling;
mod index;

mod compiled;
mod fresh;
mod outside;

mod embed;
mod embedding_cache;
mod resident;
mod static_model;

mod answer;
mod candidates;
mod nearness;
mod places;
mod query;
mod question;
mod rank;
mod rerank;
mod weights;

mod grep;
mod lookup;

pub mod store;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use answer::{Answer, CommonAnswer, Hit, MadeFrom, search_all};
pub use ceiling::Memory;
pub use compiled::Observations;
pub use embed::embed_all;
pub use embedding_cache::{CacheStats, CachedEmbedder, EmbeddingCache};
pub(crate) use entry::Entry;
pub use filter::Filter;
pub use grep::{Case, Found, FoundLine, Grep};
pub use index::{BuildOptions, Changes, Index, Missing, Stats};
pub use lookup::{Fit, Lookup, Named};
pub use query::{Mode, Query};
pub use rank::{Feature, Features};
pub use rerank::{Reranker, search_reranked};
pub use static_model::{Scratch, StaticEncoder};
pub use vectors::{Batch, Cut, Dense, Embedder, Scan, VectorSet};
