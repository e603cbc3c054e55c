//! What must hold for any bytes whatsoever, one function for each reader of foreign data.
//!
//! `targets` hands these functions to libFuzzer. `crates/core/tests/fuzz.rs` includes this file and runs them on seeds and on
//! mutations of them, so that they hold on every machine and in every test run.

mod beam;
#[cfg(feature = "inference")]
mod gguf;
mod patch;
mod static_model;
mod store;
mod syntax;

pub use beam::beam;
#[cfg(feature = "inference")]
pub use gguf::gguf;
pub use patch::patch;
pub use static_model::static_model;
pub use store::store;
pub use syntax::{eex, elixir, erlang, heex, prose};

/// A reader of foreign data.
pub struct Target {
    /// As `cargo fuzz run` knows it.
    pub name: &'static str,
    /// Panics when the property does not hold.
    pub run: fn(&[u8]),
    /// Inputs that reach deep into the reader.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "elixir", run: elixir, seeds: syntax::elixir_seeds },
    Target { name: "heex", run: heex, seeds: syntax::heex_seeds },
    Target { name: "eex", run: eex, seeds: syntax::eex_seeds },
    Target { name: "erlang", run: erlang, seeds: syntax::erlang_seeds },
    Target { name: "prose", run: prose, seeds: syntax::prose_seeds },
    Target { name: "patch", run: patch, seeds: patch::seeds },
    Target { name: "store", run: store, seeds: store::seeds },
    Target { name: "beam", run: beam, seeds: beam::seeds },
    Target { name: "static_model", run: static_model, seeds: static_model::seeds },
    #[cfg(feature = "inference")]
    Target { name: "gguf", run: gguf, seeds: gguf::seeds },
];
