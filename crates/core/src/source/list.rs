//! Which files a tree has, by the rules that say what is left out.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use super::name::to_text;
use super::rules::{FolderMarks, RuleReader, Rules, leave_out};
use super::{Diagnostic, Severity, WalkOptions};
use crate::{Cancel, Error, ErrorKind, Result};

/// The code of the diagnostic that says that files beyond the limit were left out.
pub(crate) const TOO_MANY: &str = "too_many";

/// Folders that hold what tools made or fetched, wherever they lie.
const SKIPPED: [&str; 4] = ["_build", "node_modules", ".elixir_ls", ".git"];

/// The same, but with names that source folders may have too: skipped at the root and beside a `mix.exs`.
const SKIPPED_IN_PROJECTS: [&str; 3] = ["deps", "cover", "priv/static"];

/// A tree with more files and folders than this is no project.
const MAX_ENTRIES: usize = 4_000_000;

/// Among so many paths, to compare each with a path is faster than to look up the folders above it.
const FEW: usize = 4;

/// So many entries of a folder are read between two looks at the token that cancels.
const ENTRIES_AT_ONCE: usize = 1024;

/// Something in a tree that is not left out.
struct Entry<'e> {
    /// Relative to the root.
    path: &'e str,
    is_folder: bool,
}

/// The relative paths of all files that are to be read, sorted; only of those at or below `wanted`, if given.
pub(super) fn list(
    root: &Path,
    wanted: Option<&BTreeSet<String>>,
    options: &WalkOptions,
    cancel: &Cancel,
) -> Result<(Vec<String>, Vec<Diagnostic>)> {
    cancel.check()?;
    let mut paths = Vec::new();
    let mut diagnostics = entries(root, wanted, options, cancel, &mut |entry| {
        if !entry.is_folder && options.reads(entry.path) {
            paths.push(entry.path.to_owned());
        }
    })?;
    paths.sort_unstable();
    if paths.len() > options.max_files {
        let message = format!("only the first {} of {} files are read", options.max_files, paths.len());
        diagnostics.push(diagnostic("", Severity::Error, TOO_MANY, message));
        paths.truncate(options.max_files);
    }
    Ok((paths, diagnostics))
}

pub(super) fn check_root(root: &Path) -> Result<()> {
    let metadata = fs::metadata(root).map_err(|error| Error::io(root, "read", error))?;
    match metadata.is_dir() {
        true => Ok(()),
        false => Err(Error::invalid(format!("{} is not a folder", root.display())).with_path(root)),
    }
}

/// The relative paths of the folders that are looked into, the root (which is empty) among them; only of those at or below
/// `wanted`, if given. Without a folder at `root` there are none.
pub(super) fn folders(
    root: &Path,
    wanted: Option<&BTreeSet<String>>,
    options: &WalkOptions,
) -> BTreeSet<String> {
    let covered = |path: &str| wanted.is_none_or(|wanted| lies_in(path, wanted));
    let mut folders = BTreeSet::new();
    if root.is_dir() && covered("") {
        folders.insert(String::new());
    }
    // What could not be read of the tree is told when its files are.
    let _ = entries(root, wanted, options, &Cancel::new(), &mut |entry| {
        if entry.is_folder && covered(entry.path) {
            folders.insert(entry.path.to_owned());
        }
    });
    folders
}

/// Hands what lies below `root` by the rules that say what is left out to `see`; only what is at or below `wanted`, if given,
/// and the folders that lead there. Links are not followed.
fn entries(
    root: &Path,
    wanted: Option<&BTreeSet<String>>,
    options: &WalkOptions,
    cancel: &Cancel,
    see: &mut dyn FnMut(Entry<'_>),
) -> Result<Vec<Diagnostic>> {
    let mut reader = RuleReader::new(root, cancel);
    let mut diagnostics = Vec::new();
    let mut open: Vec<(PathBuf, String, Rules)> = vec![(root.to_path_buf(), String::new(), Rules::default())];
    let mut seen = 0;
    while let Some((folder, at, above)) = open.pop() {
        let found = match read_folder(&folder, cancel)? {
            Ok(found) => found,
            // It has gone since its parent was read.
            Err(error) if error.kind() == IoErrorKind::NotFound => continue,
            Err(error) => {
                let message = format!("this part of the folder could not be read: {error}");
                diagnostics.push(diagnostic(&at, Severity::Error, "unreadable", message));
                continue;
            }
        };
        seen += found.len();
        if seen > MAX_ENTRIES {
            let message = format!(
                "{} has more than {MAX_ENTRIES} files and folders: name a folder with less in it",
                root.display()
            );
            return Err(Error::new(ErrorKind::Limit, message).with_path(root));
        }
        let marks = marks(&found);
        if marks.git && !at.is_empty() && !options.nested_repositories {
            let message = "the folder is a repository or a worktree of its own and was left out: allow \
                           nested_repositories to read it";
            diagnostics.push(diagnostic(&at, Severity::Warning, "nested_repository", message.into()));
            continue;
        }
        let rules = reader.enter(&above, &folder, marks)?;
        if !at.is_empty() {
            see(Entry { path: &at, is_folder: true });
        }
        for entry in found {
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            let name = to_text(&name);
            let path = if at.is_empty() { name.to_string() } else { format!("{at}/{name}") };
            let full = entry.path();
            let is_hidden = name.starts_with('.') && !options.names(&name);
            let is_wanted = || wanted.is_none_or(|wanted| leads_to(&path, wanted));
            let is_regular = kind.is_file() || kind.is_dir();
            if !is_regular || is_hidden || !is_wanted() || leave_out(&rules, &full, kind.is_dir()) {
                continue;
            }
            if kind.is_file() {
                see(Entry { path: &path, is_folder: false });
            } else if !is_skipped(root, &full) {
                open.push((full, path, rules.clone()));
            }
        }
    }
    diagnostics.append(&mut reader.diagnostics);
    diagnostics.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(diagnostics)
}

/// What is in a folder, or why that is not known.
fn read_folder(folder: &Path, cancel: &Cancel) -> Result<std::io::Result<Vec<DirEntry>>> {
    let read = match fs::read_dir(folder) {
        Ok(read) => read,
        Err(error) => return Ok(Err(error)),
    };
    let mut entries = Vec::new();
    for entry in read {
        if entries.len() % ENTRIES_AT_ONCE == 0 {
            cancel.check()?;
        }
        match entry {
            Ok(entry) => entries.push(entry),
            Err(error) => return Ok(Err(error)),
        }
        if entries.len() > MAX_ENTRIES {
            break;
        }
    }
    Ok(Ok(entries))
}

fn marks(entries: &[DirEntry]) -> FolderMarks {
    let mut found = FolderMarks::default();
    for entry in entries {
        let name = entry.file_name();
        found.ignore |= name == ".ignore";
        found.git_ignore |= name == ".gitignore";
        found.git |= name == ".git";
    }
    found
}

/// Whether a path is one of those wanted, lies below one, or is a folder above one.
fn leads_to(path: &str, wanted: &BTreeSet<String>) -> bool {
    let folder = format!("{path}/");
    let below = || wanted.range(folder.clone()..).next().is_some_and(|next| next.starts_with(&folder));
    path.is_empty() || lies_in(path, wanted) || below()
}

/// Whether a path is one of those wanted or lies below one.
pub(crate) fn lies_in(path: &str, wanted: &BTreeSet<String>) -> bool {
    // Every file of a project is asked about, and mostly about one path.
    if wanted.len() <= FEW {
        let covers = |above: &String| {
            path.strip_prefix(&**above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        return wanted.iter().any(covers);
    }
    wanted.contains(path) || path.match_indices('/').any(|(at, _)| wanted.contains(&path[..at]))
}

fn is_skipped(root: &Path, folder: &Path) -> bool {
    let named = |name: &str| folder.ends_with(name);
    let in_project = |name: &str| {
        let levels = Path::new(name).components().count();
        folder
            .ancestors()
            .nth(levels)
            .is_some_and(|parent| parent == root || parent.join("mix.exs").is_file())
    };
    SKIPPED.into_iter().any(named)
        || SKIPPED_IN_PROJECTS.into_iter().any(|name| named(name) && in_project(name))
}

pub(super) fn diagnostic(path: &str, severity: Severity, code: &str, message: String) -> Diagnostic {
    Diagnostic { path: path.into(), span: None, severity, code: code.into(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_lies_in_few_paths_as_it_does_in_many() {
        let far = (0..FEW).map(|at| format!("z{at}"));
        let paths = ["", "a", "a/b", "a/b.ex", "ab", "a.ex", "a/b/c.ex", "b"];
        for wanted in paths {
            let few = BTreeSet::from([wanted.to_string()]);
            let many: BTreeSet<String> = few.iter().cloned().chain(far.clone()).collect();
            for path in paths {
                let expected = path == wanted || path.starts_with(&format!("{wanted}/"));
                assert_eq!(lies_in(path, &few), expected, "{path} in {wanted}");
                assert_eq!(lies_in(path, &many), expected, "{path} in {wanted} and others");
            }
        }
    }
    use crate::source::{read_one, walk};

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let full = root.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, text).unwrap();
        }
        root
    }

    /// The paths of the files, and the path and the code of each diagnostic.
    fn seen(root: &Path, options: &WalkOptions) -> (Vec<String>, Vec<(String, String)>) {
        let (paths, diagnostics) = list(root, None, options, &Cancel::new()).unwrap();
        (paths, diagnostics.into_iter().map(|told| (told.path.to_string(), told.code)).collect())
    }

    fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(path, code)| (path.into(), code.into())).collect()
    }

    #[test]
    fn nearer_rules_go_before_others_and_those_for_all_programs_before_those_of_git() {
        let root = tree(&[
            (".gitignore", "*.md\n/build\n!/lib/kept.md\nlib/*.txt\n"),
            (".ignore", "!wanted.md\n"),
            (".git/info/exclude", "excluded.ex\n"),
            ("a.md", ""),
            ("wanted.md", ""),
            ("excluded.ex", ""),
            ("build/b.ex", ""),
            ("lib/build/b.ex", ""),
            ("lib/kept.md", ""),
            ("lib/other.md", ""),
            ("lib/a.txt", ""),
            ("lib/.gitignore", "\u{feff}!*.txt\r\nexact.ex\r\n[\n"),
            ("lib/exact.ex", ""),
            ("lib/deep/exact.ex", ""),
            ("lib/deep/a.ex", ""),
        ]);
        let (paths, told) = seen(root.path(), &WalkOptions::default());
        assert_eq!(paths, ["lib/a.txt", "lib/build/b.ex", "lib/deep/a.ex", "lib/kept.md", "wanted.md"]);
        assert_eq!(told, []);
    }

    #[test]
    fn a_repository_below_the_root_is_not_a_part_of_it_unless_that_is_allowed() {
        let root = tree(&[
            (".git/HEAD", ""),
            (".gitignore", "*.md\n"),
            ("lib/a.ex", ""),
            ("clone/.git/HEAD", ""),
            ("clone/lib/b.ex", ""),
            ("clone/README.md", ""),
            ("trees/one/.git", "gitdir: ../../.git/worktrees/one"),
            ("trees/one/lib/a.ex", ""),
        ]);
        let (paths, codes) = seen(root.path(), &WalkOptions::default());
        assert_eq!(paths, ["lib/a.ex"]);
        assert_eq!(codes, told(&[("clone", "nested_repository"), ("trees/one", "nested_repository")]));
        let all = WalkOptions { nested_repositories: true, ..WalkOptions::default() };
        let (paths, codes) = seen(root.path(), &all);
        assert_eq!(paths, ["clone/README.md", "clone/lib/b.ex", "lib/a.ex", "trees/one/lib/a.ex"]);
        assert_eq!(codes, []);
        assert!(!folders(root.path(), None, &WalkOptions::default()).contains("clone"));
    }

    #[cfg(unix)]
    #[test]
    fn ignore_files_that_are_none_are_told_and_nobody_waits_for_them() {
        use std::os::unix::fs::symlink;
        let root = tree(&[
            ("a/x.ex", ""),
            ("b/x.ex", ""),
            ("c/x.ex", ""),
            ("d/x.ex", ""),
            ("e/x.ex", ""),
            ("f/x.ex", ""),
            ("g/real", "x.ex"),
            ("g/x.ex", ""),
        ]);
        let at = |path: &str| root.path().join(path);
        symlink("/dev/zero", at("a/.gitignore")).unwrap();
        let pipe = std::ffi::CString::new(at("b/.gitignore").to_str().unwrap()).unwrap();
        // SAFETY: the path is a C string that lives through the call.
        assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
        fs::create_dir(at("c/.ignore")).unwrap();
        fs::File::create(at("d/.gitignore")).unwrap().set_len(1 << 40).unwrap();
        symlink(at("e/.gitignore"), at("e/.gitignore")).unwrap();
        fs::create_dir_all(at(".git/info")).unwrap();
        symlink("/dev/zero", at(".git/info/exclude")).unwrap();
        symlink(at("g/real"), at("g/.gitignore")).unwrap();
        symlink("/dev/zero", at("f/.git")).unwrap();
        let began = std::time::Instant::now();
        let (paths, codes) = seen(root.path(), &WalkOptions::default());
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
        assert_eq!(paths, ["a/x.ex", "b/x.ex", "c/x.ex", "d/x.ex", "e/x.ex", "g/x.ex"]);
        let unreadable = [
            (".git/info/exclude", "unreadable"),
            ("a/.gitignore", "unreadable"),
            ("b/.gitignore", "unreadable"),
            ("c/.ignore", "unreadable"),
            ("d/.gitignore", "unreadable"),
            ("e/.gitignore", "unreadable"),
            ("f", "nested_repository"),
            ("g/.gitignore", "unreadable"),
        ];
        assert_eq!(codes, told(&unreadable));
    }

    #[test]
    fn all_ignore_files_together_have_a_ceiling() {
        let most = "#".repeat(1 << 18);
        let files: Vec<(String, &str)> =
            (0..17).map(|nth| (format!("{nth:02}/.gitignore"), most.as_str())).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let (_, codes) = seen(tree(&files).path(), &WalkOptions::default());
        assert_eq!(codes.len(), 1, "{codes:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_with_odd_names_are_listed_by_names_that_lead_to_them() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let root = tree(&[]);
        for name in [&b"a\xff.ex"[..], b"b\x1b[31m.ex", "c\u{202e}.ex".as_bytes(), b"d\\xFF.ex", b"e\nf.ex"] {
            let folder = root.path().join("lib").join(OsStr::from_bytes(b"\xe9"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(OsStr::from_bytes(name)), name).unwrap();
        }
        let (files, _) = walk(root.path(), &WalkOptions::default(), &Cancel::new()).unwrap();
        let paths: Vec<&str> = files.iter().map(|file| &*file.path).collect();
        assert_eq!(
            paths,
            [
                "lib/\\xE9/a\\xFF.ex",
                "lib/\\xE9/b\\u{1b}[31m.ex",
                "lib/\\xE9/c\\u{202e}.ex",
                "lib/\\xE9/d\\x5CxFF.ex",
                "lib/\\xE9/e\\u{a}f.ex"
            ]
        );
        for file in &files {
            let (again, _) =
                read_one(root.path(), &file.path, &WalkOptions::default(), &Cancel::new()).unwrap();
            assert_eq!(again.unwrap().text, file.text);
        }
        let one = BTreeSet::from([paths[0].to_owned()]);
        let (some, _) =
            crate::source::walk_some(root.path(), &one, &WalkOptions::default(), &Cancel::new()).unwrap();
        assert_eq!(some.len(), 1);
    }

    #[test]
    fn a_list_can_be_stopped() {
        let cancel = Cancel::new();
        cancel.cancel();
        let error = list(tree(&[]).path(), None, &WalkOptions::default(), &cancel).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}
