//! Files of a project: which there are, what language they are in, what they hold, and when they change.

mod diagnostic;
mod file;
mod generated;
mod git_folder;
mod history;
mod list;
mod name;
mod open;
mod options;
mod read;
mod rules;
mod stamp;
mod walk;

mod watch;

pub use diagnostic::{Diagnostic, Severity};
pub use file::{ContentHash, File, Language, Span};
pub use history::History;
pub(crate) use list::{TOO_MANY, lies_in};
pub use name::{below, name_of_bytes};
pub(crate) use name::{canonical, name};
pub use open::read_file;
pub(crate) use open::{Links, create_anew, open, open_or_create, open_to_write, sync_folder};
pub use options::WalkOptions;
pub(crate) use stamp::Stamp;
pub use stamp::Stamps;
pub(crate) use walk::{WalkResult, walk_known};
pub use walk::{read_one, walk, walk_some};
pub(crate) use watch::FETCHED;
pub use watch::{ChangeBatch, Changed, Means, Watch, WatchOptions, WatchState, watch};
