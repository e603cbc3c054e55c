//! Ambix's engine: it reads Elixir code, finds what matters for a question, proposes changes, searches among them and
//! runs local models, all in this process.
//!
//! The crate knows nothing of the BEAM, starts no process, opens no socket and reads no environment variable: policy
//! belongs to the caller. Bad source code is never an error here; reading it gives a value and diagnostics.
//!
//! The modules follow the way of the data:
//!
//! ```text
//! source ─► syntax ─► graph ─► project ─► retrieval ─► context ─► repair ─► search ─► edit
//!                                                                    ▲
//!                                                                inference
//! ```

pub mod error;
pub mod job;
pub mod lanes;
mod visible;

pub mod source;
pub mod syntax;

pub mod compiled;

pub mod graph;
pub mod project;
pub mod retrieval;

pub mod context;

pub mod inference;

pub mod edit;
pub mod repair;
pub mod search;

pub use error::{Error, ErrorKind, Result};
pub use job::Cancel;

#[cfg(test)]
mod allocated;
