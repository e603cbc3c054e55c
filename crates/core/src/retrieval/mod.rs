//! From chunks to ranked places: tokens, BM25, vectors, fusion and the store.
