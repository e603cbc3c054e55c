//! What a word of the code can stand for.

/// What a word of the code can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Atom,
    Key,
    String,
    Number,
    Char,
    Variable,
    Attribute,
    /// The name of a called function with its arity: `"Enum.map/2"`.
    Call,
    /// `"Enum"`, `":binary"`: what stands before the dot of a call.
    Module,
    /// What stands after `|>`.
    Step,
    /// What stands after `when`.
    Guard,
    /// What stands after `||`.
    Default,
    /// What stands after `::` in a binary.
    BitType,
}
