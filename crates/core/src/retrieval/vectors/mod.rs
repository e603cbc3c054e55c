//! Vectors of chunks, named by what was encoded, and the search for the nearest ones.
//!
//! A vector is scaled to length 1, turned by a fixed rotation ([`rotate`]) and kept as one signed byte a number. Dot products
//! of bytes with the question's 16-bit numbers are sums of integers, so every processor and every number of threads gets the
//! same score ([`kernels`]).
//!
//! Few vectors are compared with the question one by one. Of many, one bit a number is looked at first, after RaBitQ (Gao and
//! Long, "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for approximate nearest neighbor
//! search", SIGMOD 2024): it gives an estimate and how far off that may be, and only what may be among the best is scored
//! ([`nearest`]). Nothing is built for that: an answer follows from the vectors that there are, whatever came and went before.
//!
//! Of a million and more, rows that are near each other are put into cells in the background, and a search then looks at a
//! fifth of them, which finds 98 of 100 ([`cells`]). Cells are made again when many rows are in none; which rows a search of so
//! many misses may thus differ between two histories of the same files. A filter that leaves less than three quarters has all
//! its rows looked at. Where the ceiling of memory leaves no room for cells, there are none ([`cell_cache`]).
//!
//! There is no graph of neighbours (HNSW): to find as many it takes longer than a scan, several times the memory, and minutes to
//! build (`benches/results/2026-11-30-vectors.md`).

mod batch;

mod block;
mod dense;
mod rotate;
mod signs;

mod cell_cache;
mod cells;
mod rows;

mod estimates;
mod kernels;
mod nearest;
mod probe;

mod set;

#[cfg(test)]
mod cells_tests;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Cut, Embedder};
pub(crate) use block::Block;
pub use dense::Dense;
pub use nearest::Scan;
pub(crate) use nearest::{Allowed, Nearest};
pub(crate) use probe::Probe;
pub(crate) use rows::{Placed, Vectors};
pub use set::VectorSet;
