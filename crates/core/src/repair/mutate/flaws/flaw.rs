//! Kinds of flaws.

/// Something that most likely does not compile, or that a compiler only warns about and that fails when it runs: what
/// kind, and the name or the sign that it is about.
pub(in crate::repair::mutate) type Flaw = (What, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::repair::mutate) enum What {
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
