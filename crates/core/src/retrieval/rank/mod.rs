//! What speaks for a candidate, as numbers, and what they count.

mod features;
mod phrase;

pub(crate) use features::{COUNT, Weights};
pub use features::{Feature, Features};
pub(crate) use phrase::{Phrases, sieve};
