//! What a compiler left behind for the sources of a snapshot: BEAM files and traces of calls.

mod artifact;
mod observe;
mod table;

pub(crate) use artifact::{Artifact, ArtifactStamp, Said};
pub use observe::Observations;
pub(crate) use table::CompiledFacts;

#[cfg(test)]
mod tests;
