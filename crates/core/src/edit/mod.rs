//! Changes to files as data: applying them, undoing them, and showing them as diffs.

mod diff;
mod patch;

pub(crate) use diff::tokens;
pub use diff::{PatchSize, unified_diff};
pub use patch::{Edit, Patch};
