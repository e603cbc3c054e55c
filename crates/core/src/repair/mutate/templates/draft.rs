//! What templates are given, and what they write.

use tree_sitter::Node;

use crate::edit::Edit;
use crate::repair::mutate::Kind;
use crate::repair::mutate::source::{Place, Source};
use crate::repair::mutate::vocabulary::Vocabulary;

/// What templates know besides the place.
pub(in crate::repair::mutate) struct Context<'t> {
    pub source: &'t Source<'t>,
    pub vocabulary: Vocabulary<'t>,
    /// Functions of the project, as they are called from outside, with their arities: `("Shop.Cart", "add", 2)`.
    pub functions: &'t [(&'t str, &'t str, usize)],
}

/// A change before it is ranked and checked.
#[derive(Clone, Debug)]
pub(in crate::repair) struct Draft {
    pub edit: Edit,
    pub kind: Kind,
    /// From 1.
    pub line: u32,
    /// How well it fits there, relative to others of its kind.
    pub weight: f64,
    pub unit: Option<std::ops::Range<usize>>,
}

/// Where templates write.
pub(in crate::repair::mutate) struct Sink<'t> {
    pub drafts: Vec<Draft>,
    pub place: Place<'t>,
}

impl Sink<'_> {
    /// `new` instead of bytes `start..end`.
    pub fn edit(&mut self, kind: Kind, weight: f64, start: usize, end: usize, new: impl Into<String>) {
        let line = self.place.node.start_position().row as u32 + 1;
        let unit = self.place.unit.map(|unit| unit.byte_range());
        self.drafts.push(Draft { edit: Edit::new(start, end, new), kind, line, weight, unit });
    }

    /// `new` instead of a node.
    pub fn replace(&mut self, kind: Kind, weight: f64, node: Node<'_>, new: impl Into<String>) {
        self.edit(kind, weight, node.start_byte(), node.end_byte(), new);
    }
}
