//! What a prompt is made from, and what goes into it.

use std::sync::Arc;

use crate::retrieval::Index;
use crate::source::Span;

/// An index that places come from.
#[derive(Clone, Copy, Debug)]
pub struct IndexSource<'a> {
    /// The index.
    pub index: &'a Index,
    /// What its paths are shown behind, such as `ecto-3.12.1`; empty for the project itself.
    pub name: &'a str,
}

/// What goes into a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// In the order in which they stand in the text: [`super::Order`].
    pub sections: Vec<Section>,
    /// All sections as Markdown; empty without sections.
    pub text: String,
    /// The tokens of `text`, as the caller counts them: never more than the budget.
    pub tokens: usize,
    /// How many of the places that are worth it are not in it.
    pub omitted: usize,
    /// How many of the places are not worth their tokens: [`super::PackOptions::worth`].
    pub unworthy: usize,
    /// Why there is nothing or not everything in it, if that is so: a sentence for a person.
    pub note: Option<&'static str>,
}

/// What is shown of one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// From 1, in the order of the text: a model cites it as `[1]`.
    pub number: usize,
    /// `[1] lib/shop/cart.ex:3-17,20-24 Shop.Cart.add/2`.
    pub title: String,
    /// Which of the sources it is from.
    pub source: usize,
    /// As it is shown: relative to the root, behind the name of the source.
    pub file: Arc<str>,
    /// From the first to the last line that is shown.
    pub span: Span,
    /// The lines that are shown, from 1, first and last of each part; between two parts something is left out.
    pub lines: Vec<(u32, u32)>,
    /// The places in it, best first, and what it names besides.
    pub symbols: Vec<Arc<str>>,
    /// The source text, with the mark `# …` for lines that are left out.
    pub text: String,
    /// Whether one of its places is not shown as a whole.
    pub trimmed: bool,
    /// The tokens of the section with its title, counted by itself.
    pub tokens: usize,
}
