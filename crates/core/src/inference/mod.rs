//! Local models: from a prompt to tokens, log-probabilities and embeddings.
//!
//! Four things are kept apart so that each can be replaced: the weights ([`Model`], which never change and are shared), the
//! memory of a session ([`KvCache`], allocated once), the choice of the next token ([`Sampler`]) and the loop
//! ([`generate`], [`score`]). A request is data ([`GenerationRequest`]).
//!
//! Without the feature `inference` the same names exist, and loading a model answers [`crate::ErrorKind::NotCompiled`].

mod options;
mod request;
mod sampling;
mod utf8;

// Compiled for tests also without the rest, which takes minutes.
#[cfg(any(test, feature = "inference"))]
#[cfg_attr(not(feature = "inference"), allow(dead_code, unused_imports))]
mod jinja;

#[cfg(feature = "inference")]
mod enabled;

#[cfg(not(feature = "inference"))]
#[path = "disabled.rs"]
mod enabled;

pub use enabled::{Encoder, KvCache, Model, Tokenizer, generate, generate_with, score};
pub use options::{Device, Kernel, LoadOptions, Precision};
pub use request::{
    ChatOptions, Event, FinishReason, Generation, GenerationRequest, Message, ModelInfo, Prompt, Sampling,
    Score,
};
pub use sampling::{Sampler, log_probability};
pub use utf8::Utf8Stream;
