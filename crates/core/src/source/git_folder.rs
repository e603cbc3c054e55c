//! The folders of a git repository.

use std::path::{Path, PathBuf};

use super::open::{Links, open};
use crate::Cancel;

/// The files of git that name a folder hold little more than a path.
const MAX_BYTES: u64 = 1 << 16;

/// Where git keeps what it knows of a working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GitFolder {
    /// Of this working tree: its `HEAD`, its index and the lock of that.
    pub(super) own: PathBuf,
    /// Of the whole repository.
    pub(super) common: PathBuf,
}

impl GitFolder {
    /// That of the working tree whose top is `folder`.
    pub(super) fn at(folder: &Path) -> Option<GitFolder> {
        let entry = folder.join(".git");
        let own = match entry.is_dir() {
            true => entry,
            // Worktrees and submodules have a file that says where it is.
            false => folder.join(line(&entry)?.strip_prefix("gitdir:")?.trim()),
        };
        let common = line(&own.join("commondir")).map_or_else(|| own.clone(), |path| own.join(path));
        Some(GitFolder { own, common })
    }

    /// The file that names what is left out of this repository alone.
    pub(super) fn exclude(&self) -> PathBuf {
        self.common.join("info").join("exclude")
    }
}

fn line(path: &Path) -> Option<String> {
    let bytes = open(path, Links::Followed).and_then(|opened| opened.read(path, MAX_BYTES, &Cancel::new()));
    Some(String::from_utf8(bytes.ok()?).ok()?.trim().to_owned())
}
