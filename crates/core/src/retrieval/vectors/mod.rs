//! Vectors of chunks, named by what was encoded, and the search for the nearest ones.
//!
//! A vector is scaled to length 1, turned by a fixed rotation ([`rotate`]) and kept as one signed byte a number. Dot products
//! of bytes with the question's 16-bit numbers are sums of integers, so every processor and every number of threads gets the
//! same score ([`kernels`]).
//!
//! Few vectors are compared with the question one by one. Of many, one bit a number is looked at first, after RaBitQ (Gao and
//! Long, "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for approximate nearest neighbor
//! search", SIGMOD 2024): it gives an estimate and how far off that may be, and only what may be among the best is scored
//! ([`nearest`]). There is no graph and nothing that is built: an answer follows from the vectors that there are,
//! whatever came and went before.

mod batch;

mod block;
mod dense;
mod rotate;

mod rows;

mod kernels;
mod nearest;
mod probe;

mod set;

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
