//! What a compiler left behind, for an index of the sources it was made from.

mod artifact;
mod kept;
mod observe;

pub(super) use artifact::{Artifact, Said, Stamp};
pub(super) use kept::Compiled;
pub use observe::Observations;

#[cfg(test)]
mod tests;
