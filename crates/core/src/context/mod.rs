//! From ranked places to the sections of a prompt, within a budget of tokens.

mod count;
mod options;
mod section;

mod near;
mod related;
mod words;

mod rank;

mod page;
mod place;

mod needs;
mod window;

mod pack;
mod render;

#[cfg(test)]
mod tests;

pub use count::{Estimate, TokenCounter};
pub use options::{Order, PackOptions};
pub use pack::{pack, pack_all};
pub use section::{Context, IndexSource, Section};
