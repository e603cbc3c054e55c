//! Where git keeps what tells of its operations.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::git_folder::GitFolder;

/// The folders of the repository that a root lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Git {
    /// Of this working tree: its `HEAD`, its index and the lock of that.
    folder: PathBuf,
    /// Of the whole repository: the file `exclude` is in it.
    info: PathBuf,
}

impl Git {
    /// The repository of the folder `root`, which may lie deep in it; no file is read but git's own.
    pub(super) fn find(root: &Path) -> Option<Git> {
        let top = root.ancestors().find(|at| at.join(".git").exists())?;
        let GitFolder { own, common } = GitFolder::at(top)?;
        let real = |path: PathBuf| path.canonicalize().unwrap_or(path);
        Some(Git { info: real(common.join("info")), folder: real(own) })
    }

    /// The folders to be watched, not what is below them.
    pub(super) fn folders(&self) -> [&Path; 2] {
        [&self.folder, &self.info]
    }

    /// Whether an operation is going on that changes many files.
    pub(super) fn is_locked(&self) -> bool {
        fs::symlink_metadata(self.folder.join("index.lock")).is_ok()
    }

    /// Whether `path` is one of the files that git touches in each such operation.
    pub(super) fn is_touched(&self, path: &Path) -> bool {
        let tells = |name: &str| matches!(name, "HEAD" | "index") || name.ends_with(".lock");
        path.parent() == Some(&self.folder) && path.file_name().and_then(OsStr::to_str).is_some_and(tells)
    }

    /// Whether `path` is the file of the repository that names what is ignored.
    pub(super) fn is_exclude(&self, path: &Path) -> bool {
        path.strip_prefix(&self.info).is_ok_and(|name| name == Path::new("exclude"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_found_from_below_and_from_a_worktree() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        for folder in ["repo/apps/one", "repo/.git/info", "repo/.git/worktrees/other", "other"] {
            fs::create_dir_all(top.join(folder)).unwrap();
        }
        fs::write(top.join("repo/.git/worktrees/other/commondir"), "../..\n").unwrap();
        fs::write(top.join("other/.git"), "gitdir: ../repo/.git/worktrees/other\n").unwrap();

        let main = Git::find(&top.join("repo/apps/one")).unwrap();
        assert_eq!(main.folders(), [&*top.join("repo/.git"), &*top.join("repo/.git/info")]);
        let other = Git::find(&top.join("other")).unwrap();
        assert_eq!(other.folders(), [&*top.join("repo/.git/worktrees/other"), &*top.join("repo/.git/info")]);

        assert!(!other.is_locked());
        fs::write(top.join("repo/.git/worktrees/other/index.lock"), "").unwrap();
        assert!(other.is_locked() && !main.is_locked());
    }

    #[test]
    fn a_file_that_names_no_repository_is_no_repository() {
        let root = tempfile::tempdir().unwrap();
        for text in ["", "gitdir", "\u{0}"] {
            fs::write(root.path().join(".git"), text).unwrap();
            assert_eq!(Git::find(root.path()), None, "{text:?}");
        }
    }

    #[test]
    fn what_git_touches_is_told_from_what_it_keeps() {
        let git = Git { folder: "/r/.git".into(), info: "/r/.git/info".into() };
        for (path, touched, exclude) in [
            ("/r/.git/HEAD", true, false),
            ("/r/.git/index.lock", true, false),
            ("/r/.git/index", true, false),
            ("/r/.git/FETCH_HEAD", false, false),
            ("/r/.git/refs/HEAD", false, false),
            ("/r/HEAD", false, false),
            ("/r/.git/info/exclude", false, true),
            ("/r/.git/info/attributes", false, false),
        ] {
            let path = Path::new(path);
            assert_eq!((git.is_touched(path), git.is_exclude(path)), (touched, exclude), "{path:?}");
        }
    }
}
