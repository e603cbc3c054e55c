//! Templates: HEEx and EEx, as files and inside of Elixir code.
//!
//! What the graph wants of a template is its code, and which components it uses; how its HTML nests does not matter.
//! So one linear scanner of our own finds the pieces of code (`scan`) rather than a grammar: of EEx none is at hand,
//! that of HEEx reads each piece by itself and takes HTML that does not nest for an error, and a `for` that begins in
//! one tag and ends in another would have to be put together from its tree all the same. The scanner follows
//! LiveView's tokenizer, which counts braces in `{…}` and knows nothing of the strings in it.
//!
//! The pieces are one Elixir program: `overlay` makes a text of the same length that has them at their places and
//! spaces for everything else, so the parser sees `for x <- xs do … end` whole, and each node lies where it lies in
//! the file. The reader of Elixir code reads the tree like any other (`read`), inside of a function with the aliases
//! and variables that are in force around the sigil.
//!
//! A name by itself is a variable in a template, never a call: what is bound by `:for` or `:let`, or given to the
//! template when it is rendered, cannot all be seen, and Elixir calls nothing without parentheses any more.

mod scan;

mod overlay;

mod read;

mod declare;
mod render;

pub(super) use overlay::{EmbeddedTemplate, Overlay, renumber};
pub(super) use scan::Dialect;

#[cfg(test)]
mod tests;
