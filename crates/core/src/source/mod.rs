//! Files of a project: which there are, what language they are in, and what they hold.

mod diagnostic;
mod file;
mod walk;

pub use diagnostic::{Diagnostic, Severity};
pub use file::{ContentHash, File, Language, Span};
pub use walk::{WalkOptions, read_one, walk, walk_some};
