//! From ranked places to the sections of a prompt, within a budget of tokens.

mod pack;

pub use pack::{Context, Section, pack};
