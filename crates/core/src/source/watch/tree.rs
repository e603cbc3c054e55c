//! What an event of the file system means for the files that are read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use notify::EventKind;
use notify::event::ModifyKind;

use super::FETCHED;
use super::git::Git;
use crate::source::WalkOptions;
use crate::source::list::{folders, lies_in};
use crate::source::name::{below as full, relative};

/// What an event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// None of the files that are read has changed.
    Nothing,
    /// The root itself was touched.
    Root,
    /// Git is at work.
    Git,
    /// The rules that say which files are read may have changed.
    Rules,
    /// The file at this path has changed, come or gone.
    File(String),
    /// The same of a folder that is looked into, or may be.
    Folder(String),
}

/// The folders of a root that are looked into.
#[derive(Debug)]
pub(super) struct WatchedTree {
    root: PathBuf,
    identity: Option<Identity>,
    folders: BTreeSet<String>,
    git: Option<Git>,
    options: WalkOptions,
}

/// Which folder it is, whatever it is called.
type Identity = (u64, u64);

fn identity(path: &Path) -> Option<Identity> {
    let metadata = fs::metadata(path).ok().filter(|metadata| metadata.is_dir())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let created = metadata.created().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some((created.as_secs(), u64::from(created.subsec_nanos())))
    }
}

impl WatchedTree {
    /// The tree of a folder, of which no folder is known yet; `None` if it is not there.
    pub(super) fn new(root: &Path, options: &WalkOptions) -> Option<WatchedTree> {
        let root = root.canonicalize().ok()?;
        let identity = Some(identity(&root)?);
        Some(WatchedTree {
            git: Git::find(&root),
            root,
            identity,
            folders: BTreeSet::new(),
            options: options.clone(),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn git(&self) -> Option<&Git> {
        self.git.as_ref()
    }

    /// Looks again for the repository, and returns it if it is another one.
    pub(super) fn find_git(&mut self) -> Option<&Git> {
        let found = Git::find(&self.root);
        let changed = found != self.git;
        self.git = found;
        self.git.as_ref().filter(|_| changed)
    }

    /// Whether what is at `path` now is this folder.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.identity.is_some() && identity(path) == self.identity
    }

    /// Lists the folders at or below these paths anew, all of them without any. Returns those that have come and gone.
    pub(super) fn relist(&mut self, below: Option<&BTreeSet<String>>) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let is_wanted = |path: &str| below.is_none_or(|below| lies_in(path, below));
        let mut found = folders(&self.root, below, &self.options);
        let fetched = FETCHED.iter().filter(|path| is_wanted(path) && self.root.join(path).is_dir());
        found.extend(fetched.map(|path| path.to_string()));
        let come = found.difference(&self.folders).map(|path| full(&self.root, path)).collect();
        let is_gone = |path: &&String| is_wanted(path) && !found.contains(*path);
        let gone = self.folders.iter().filter(is_gone).map(|path| full(&self.root, path)).collect();
        self.folders.retain(|path| !is_wanted(path));
        self.folders.extend(found);
        (come, gone)
    }

    /// Forgets the folders at or below these paths and returns them.
    pub(super) fn forget(&mut self, below: &BTreeSet<String>) -> Vec<PathBuf> {
        let (gone, kept) =
            std::mem::take(&mut self.folders).into_iter().partition(|path| lies_in(path, below));
        self.folders = kept;
        let gone: BTreeSet<String> = gone;
        gone.into_iter().map(|path| full(&self.root, &path)).collect()
    }

    /// Whether a folder at or below `path` is looked into.
    pub(super) fn knows(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.folders.contains(path)
            || self.folders.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
    }

    /// What an event of this kind at `path` means.
    pub(super) fn meaning(&self, kind: &EventKind, path: &Path) -> Meaning {
        // Neither has come, gone or got another name.
        let stays = matches!(kind, EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)));
        if let Some(git) = &self.git {
            if git.is_exclude(path) {
                return Meaning::Rules;
            }
            if git.is_touched(path) {
                return Meaning::Git;
            }
        }
        if !path.starts_with(&self.root) || matches!(kind, EventKind::Access(_)) {
            return Meaning::Nothing;
        }
        let path = relative(&self.root, path);
        if path.is_empty() {
            return Meaning::Root;
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if !self.folders.contains(parent) {
            return Meaning::Nothing;
        }
        if FETCHED.contains(&parent) {
            return Meaning::File(parent.to_string());
        }
        // What is ignored is looked up beside `mix.exs`, and `.git` brings rules of its own.
        let rules = matches!(name, ".gitignore" | ".ignore")
            || (!stays && (name == ".git" || (name == "mix.exs" && !parent.is_empty())));
        let is_folder = || fs::symlink_metadata(full(&self.root, &path)).is_ok_and(|it| it.is_dir());
        if rules {
            Meaning::Rules
        } else if self.knows(&path) || is_folder() {
            Meaning::Folder(path)
        } else if FETCHED.contains(&&*path) || self.options.reads(name) {
            Meaning::File(path)
        } else {
            Meaning::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, CreateKind, DataChange, RemoveKind};

    const MADE: EventKind = EventKind::Create(CreateKind::Any);
    const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const REMOVED: EventKind = EventKind::Remove(RemoveKind::Any);

    fn tree(files: &[&str]) -> (tempfile::TempDir, WatchedTree) {
        let root = tempfile::tempdir().unwrap();
        for path in files {
            let full = root.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, "_build\n*.tmp.ex\nlib/generated/\n").unwrap();
        }
        let tree = WatchedTree::new(root.path(), &WalkOptions::default()).unwrap();
        (root, tree)
    }

    fn names(tree: &WatchedTree, paths: Vec<PathBuf>) -> Vec<String> {
        paths.iter().map(|path| relative(tree.root(), path)).collect()
    }

    #[test]
    fn only_folders_that_are_read_are_looked_into() {
        let (root, mut tree) = tree(&[
            ".gitignore",
            "lib/a/b.ex",
            "lib/generated/c.ex",
            "_build/dev/d.ex",
            "node_modules/e/f.ex",
            ".git/HEAD",
            ".elixir_ls/g.ex",
            "deps/h/lib/h.ex",
            "apps/one/mix.exs",
            "apps/one/deps/i/i.ex",
        ]);
        let (come, gone) = tree.relist(None);
        assert_eq!(names(&tree, come), ["", "apps", "apps/one", "deps", "lib", "lib/a"]);
        assert_eq!(gone, [] as [PathBuf; 0]);

        fs::create_dir_all(root.path().join("lib/new/deep")).unwrap();
        fs::remove_dir_all(root.path().join("lib/a")).unwrap();
        let new = BTreeSet::from(["lib/new".to_string()]);
        let (come, gone) = tree.relist(Some(&new));
        assert_eq!(
            (names(&tree, come), names(&tree, gone)),
            (vec!["lib/new".into(), "lib/new/deep".into()], vec![])
        );
        let (come, gone) = tree.relist(None);
        assert_eq!((names(&tree, come), names(&tree, gone)), (vec![], vec!["lib/a".to_string()]));
        let forgotten = tree.forget(&new);
        assert_eq!(names(&tree, forgotten), ["lib/new", "lib/new/deep"]);
    }

    #[test]
    fn events_mean_what_they_change_in_what_is_read() {
        let (_root, mut tree) = tree(&[
            ".gitignore",
            ".git/HEAD",
            "lib/a/b.ex",
            "_build/x/y.ex",
            "deps/z/z.ex",
            "apps/one/mix.exs",
        ]);
        tree.relist(None);
        let file = |path: &str| Meaning::File(path.into());
        let folder = |path: &str| Meaning::Folder(path.into());
        for (kind, path, meaning) in [
            (WRITTEN, "lib/a/b.ex", file("lib/a/b.ex")),
            (REMOVED, "lib/a/gone.ex", file("lib/a/gone.ex")),
            (MADE, "lib/a/b.beam", Meaning::Nothing),
            (MADE, "lib/a/.b.ex", Meaning::Nothing),
            (MADE, "lib/a/4913", Meaning::Nothing),
            (EventKind::Access(AccessKind::Any), "lib/a/b.ex", Meaning::Nothing),
            (MADE, "_build/x/y.ex", Meaning::Nothing),
            (MADE, "lib/a", folder("lib/a")),
            (REMOVED, "lib", folder("lib")),
            (WRITTEN, "lib/.gitignore", Meaning::Rules),
            (WRITTEN, ".ignore", Meaning::Rules),
            (MADE, ".git", Meaning::Rules),
            (WRITTEN, ".git/HEAD", Meaning::Git),
            (MADE, ".git/index.lock", Meaning::Git),
            (WRITTEN, ".git/config", Meaning::Nothing),
            (WRITTEN, ".git/info/exclude", Meaning::Rules),
            (WRITTEN, "mix.lock", file("mix.lock")),
            (MADE, "deps/new", file("deps")),
            (WRITTEN, "deps/z/z.ex", Meaning::Nothing),
            (MADE, "deps", folder("deps")),
            (WRITTEN, "apps/one/mix.exs", file("apps/one/mix.exs")),
            (MADE, "apps/one/mix.exs", Meaning::Rules),
            (MADE, "mix.exs", file("mix.exs")),
            (MADE, "", Meaning::Root),
        ] {
            assert_eq!(tree.meaning(&kind, &tree.root().join(path)), meaning, "{kind:?} {path}");
        }
        assert_eq!(tree.meaning(&MADE, Path::new("/elsewhere/a.ex")), Meaning::Nothing);
    }

    #[test]
    fn a_root_is_known_by_more_than_its_name() {
        let (root, mut tree) = tree(&["lib/a.ex"]);
        tree.relist(None);
        assert!(tree.is_at(root.path()));
        assert!(!tree.is_at(&root.path().join("lib")) && !tree.is_at(&root.path().join("none")));
        assert!(WatchedTree::new(&root.path().join("none"), &WalkOptions::default()).is_none());
        assert!(WatchedTree::new(&root.path().join("lib/a.ex"), &WalkOptions::default()).is_none());
    }
}
