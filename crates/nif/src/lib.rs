//! The border between the BEAM and `ambix-core`: decode, call, encode, and nothing else.
//!
//! Every NIF answers `{:ok, value}` or `{:error, %Ambix.Error{}}`. A panic is caught and becomes such an error with its
//! text ([`guard`]). Work that may take longer than a tenth of a second runs on threads of our own ([`job`]) and answers
//! by messages; it stops when its job is cancelled and when the process that ordered it ends.

mod arguments;
mod bulk;
mod embedding_cache;
mod error;
mod file;
mod graph;
mod guard;
mod index;
mod job;
mod json;
mod library;
mod live;
mod lookup;
mod model;
mod pool;
mod repair;
mod sandbox;
mod search;
mod shared;
mod signal;
mod watch;

pub use library::load;
