//! Which paths the ignore files of a tree leave out.
//!
//! The files are opened here and not by the crate that knows their language: what bears such a name may be a link to a device,
//! a pipe, or of any size. As for git, a link in the tree is not followed. What cannot be read names nothing and gives a diagnostic.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::git_folder::GitFolder;
use super::name::relative;
use super::open::{Links, open};
use super::{Diagnostic, Severity};
use crate::{Cancel, ErrorKind, Result};

/// Files of more bytes are not read, and all of a tree have at most so many together: to compile patterns takes time and memory.
const MAX_FILE_BYTES: u64 = 1 << 18;
const MAX_BYTES: u64 = 1 << 22;

/// What the ignore files of the folders above say, the nearest last.
pub(super) type Rules = Arc<[Arc<FolderRules>]>;

/// What the ignore files of one folder say.
#[derive(Debug)]
pub(super) struct FolderRules {
    /// Of `.ignore`, which goes before all others, of `.gitignore`, and of the repository's `info/exclude`.
    own: [Gitignore; 3],
    /// Rules of git from folders above do not reach into a repository.
    is_repository: bool,
}

/// Reads the rules of folders.
pub(super) struct RuleReader<'c> {
    root: PathBuf,
    cancel: &'c Cancel,
    left: u64,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl<'c> RuleReader<'c> {
    pub(super) fn new(root: &Path, cancel: &'c Cancel) -> Self {
        RuleReader { root: root.to_path_buf(), cancel, left: MAX_BYTES, diagnostics: Vec::new() }
    }

    /// The rules that hold for what is in `folder`, given those of the folders above it.
    ///
    /// # Errors
    /// Those of [`Cancel::check`].
    pub(super) fn enter(&mut self, above: &Rules, folder: &Path, found: FolderMarks) -> Result<Rules> {
        let mut own = [Gitignore::empty(), Gitignore::empty(), Gitignore::empty()];
        if found.ignore {
            own[0] = self.read(folder, &folder.join(".ignore"), Links::Refused)?;
        }
        if found.git_ignore {
            own[1] = self.read(folder, &folder.join(".gitignore"), Links::Refused)?;
        }
        if found.git
            && let Some(git) = GitFolder::at(folder)
        {
            own[2] = self.read(folder, &git.exclude(), Links::Followed)?;
        }
        if !found.git && own.iter().all(Gitignore::is_empty) {
            return Ok(above.clone());
        }
        let rules = Arc::new(FolderRules { own, is_repository: found.git });
        Ok(above.iter().cloned().chain([rules]).collect())
    }

    fn read(&mut self, folder: &Path, file: &Path, links: Links) -> Result<Gitignore> {
        let most = MAX_FILE_BYTES.min(self.left);
        let bytes = match open(file, links).and_then(|opened| opened.read(file, most, self.cancel)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Gitignore::empty()),
            Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Timeout) => {
                return Err(error);
            }
            Err(error) => {
                self.diagnostics.push(Diagnostic {
                    path: relative(&self.root, file).into(),
                    span: None,
                    severity: Severity::Error,
                    code: "unreadable".into(),
                    message: format!("what this file leaves out is not known: {error}"),
                });
                return Ok(Gitignore::empty());
            }
        };
        self.left -= bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes);
        let mut builder = GitignoreBuilder::new(folder);
        for line in text.strip_prefix('\u{feff}').unwrap_or(&text).lines() {
            // As for git, a line that is no pattern names nothing.
            let _ = builder.add_line(None, line);
        }
        Ok(builder.build().unwrap_or_else(|_| Gitignore::empty()))
    }
}

/// Which of the files that matter here a folder has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FolderMarks {
    pub(super) ignore: bool,
    pub(super) git_ignore: bool,
    pub(super) git: bool,
}

/// Whether the rules leave out what is at `path`, given in full.
pub(super) fn leave_out(rules: &Rules, path: &Path, is_folder: bool) -> bool {
    let mut found = [Match::None, Match::None, Match::None];
    let mut in_repository = true;
    for folder in rules.iter().rev() {
        for (nth, own) in folder.own.iter().enumerate() {
            if found[nth].is_none() && (nth == 0 || in_repository) {
                found[nth] = own.matched(path, is_folder);
            }
        }
        in_repository &= !folder.is_repository;
    }
    let [first, second, third] = found;
    first.or(second).or(third).is_ignore()
}
