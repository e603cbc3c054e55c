//! From chunks to ranked places: tokens, BM25, vectors, fusion and the store.

mod bm25;
mod entry;
mod tokens;
mod vectors;

#[cfg(test)]
mod testing;

pub use vectors::{Batch, Embedder};
