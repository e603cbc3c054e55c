//! What the compiler would refuse, as far as a tree and a project's names show it.
//!
//! A walk over a text collects [`Flaw`]s. Macros can make good what looks bad, so only those count that a change brings
//! and that the file did not show before: in doubt a candidate stays.

mod bits;
mod file;
mod flaw;
mod known;
mod walk;

pub(super) use file::FileFlaws;
pub(super) use flaw::Flaw;
pub(super) use known::is_called;

#[cfg(test)]
mod tests;
