//! What the compiler would refuse, as far as a tree and a project's names show it.
//!
//! A walk over a text collects [`Flaw`]s. Macros can make good what looks bad, so only those count that a change brings
//! and that the file did not show before: in doubt a candidate stays.

mod bits;
mod known;
mod walk;

pub(super) use known::{Known, is_called};

use std::collections::BTreeSet;

/// Something that most likely does not compile, or that a compiler only warns about and that fails when it runs: what
/// kind, and the name or the sign that it is about.
pub(super) type Flaw = (What, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// A name that is neither bound nor a function.
    Unbound,
    /// A pin of something that is not bound before the pattern.
    Pin,
    /// A local call of a function that is neither here nor imported.
    Local,
    /// A call of a function that the module does not have.
    Remote,
    /// What cannot stand in a pattern.
    Pattern,
    /// What cannot stand in a guard.
    Guard,
    /// `&` without `&1`, `&2` without `&1`, one `&` within another.
    Capture,
    /// `|` elsewhere than before the tail of a list.
    Cons,
    /// The type of a part of a binary.
    Bits,
    /// The same key twice in a literal.
    Twice,
    /// An option that the form does not know, or a field that the struct does not have.
    Option,
}

/// The flaws of a text.
pub(super) fn flaws(known: &Known<'_>, text: &str, root: tree_sitter::Node<'_>) -> BTreeSet<Flaw> {
    walk::Walk::new(known, text).run(root).0
}

#[cfg(test)]
mod tests;
