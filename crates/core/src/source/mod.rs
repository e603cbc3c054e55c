//! Files of a project: which there are, what language they are in, what they hold, and when they change.

mod diagnostic;
mod file;
mod generated;
mod history;
mod walk;

mod stamp;
mod watch;

pub use diagnostic::{Diagnostic, Severity};
pub use file::{ContentHash, File, Language, Span};
pub use history::History;
pub(crate) use stamp::Stamp;
pub use stamp::Stamps;
pub(crate) use walk::{Looked, TOO_MANY, lies_in, walk_known};
pub use walk::{WalkOptions, read_one, walk, walk_some};
pub(crate) use watch::FETCHED;
pub use watch::{Batch, Changed, Means, Watch, WatchOptions, WatchState, watch};
