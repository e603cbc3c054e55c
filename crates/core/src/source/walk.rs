//! From a root folder to its files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::list::{check_root, list};
use super::name::{self, below, to_path};
use super::open::{Links, open};
use super::read::read;
use super::stamp::Stamp;
use super::{Diagnostic, File, Stamps, WalkOptions};
use crate::{Cancel, Error, ErrorKind, Result};

/// The files under `root`, sorted by path, and what could not be read.
///
/// Hidden files but for [`WalkOptions::names`], and what `.gitignore` or `.ignore` files under `root` name, are left out,
/// also outside of a git repository, and so are `_build`, `deps`, `node_modules`, `.elixir_ls`, `cover` and `priv/static`.
/// Links are not followed. Which rules hold depends on nothing outside of `root`.
///
/// What a tool wrote says little and would drown what people did. Locks of package managers and `.min.` files are left out
/// silently; text that is not Elixir, Erlang, a template or Markdown is left out with a diagnostic `generated` if its
/// lines are longer than people write them, if a mark at its top says so, or if it is data of more than 128 KiB.
///
/// # Errors
/// [`crate::ErrorKind::NotFound`] without `root`, [`crate::ErrorKind::InvalidArgument`] when it is not a folder, and those of
/// [`Cancel::check`]; [`ErrorKind::Limit`] for more than `max_bytes`.
pub fn walk(root: &Path, options: &WalkOptions, cancel: &Cancel) -> Result<(Vec<File>, Vec<Diagnostic>)> {
    let read = walk_known(root, None, options, &Stamps::default(), &|_| None, cancel)?;
    Ok((read.files, read.diagnostics))
}

/// What was read of a folder.
#[derive(Debug)]
pub(crate) struct WalkResult {
    /// Sorted by path.
    pub(crate) files: Vec<File>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What they looked like when they were read.
    pub(crate) stamps: Stamps,
}

/// As [`walk`], or [`walk_some`] if there are paths that are `wanted`, but without reading those files again of which `stamps`
/// prove that they are as they were, and `known` knows what they were.
pub(crate) fn walk_known(
    root: &Path,
    wanted: Option<&BTreeSet<String>>,
    options: &WalkOptions,
    stamps: &Stamps,
    known: &(dyn Fn(&str) -> Option<File> + Sync),
    cancel: &Cancel,
) -> Result<WalkResult> {
    for path in wanted.into_iter().flatten() {
        let plain = to_path(path).components().all(|part| matches!(part, Component::Normal(_)));
        if path.is_empty() || !plain {
            return Err(
                Error::invalid(format!("{path:?} is not a path below the root")).with_path(Path::new(path))
            );
        }
    }
    let (paths, mut diagnostics) = match wanted {
        Some(wanted) if wanted.is_empty() => (Vec::new(), Vec::new()),
        None => {
            check_root(root)?;
            list(root, None, options, cancel)?
        }
        Some(_) => list(root, wanted, options, cancel)?,
    };
    let bytes = AtomicU64::new(0);
    let looked: Vec<_> = paths
        .par_iter()
        .with_min_len(16)
        .map(|path| {
            cancel.check()?;
            let full = below(root, path);
            let stamp = Stamp::of(&full);
            let same = stamp.and_then(|stamp| {
                let file = known(path)?;
                (stamps.prove(path, &stamp)? == file.hash).then_some(file)
            });
            let (file, diagnostics) = match same {
                Some(file) => (Some(file), Vec::new()),
                None => read(&full, path, options, cancel)?,
            };
            let length = file.as_ref().map_or(0, |file| file.text.len() as u64);
            if bytes.fetch_add(length, Relaxed) + length > options.max_bytes {
                let message = format!(
                    "the files have more than the {} MiB of text that may be read: raise max_memory, or max_bytes of the walk, take a folder with less in it, or leave files out by a .gitignore",
                    options.max_bytes >> 20
                );
                return Err(Error::new(ErrorKind::Limit, message).with_path(root));
            }
            Ok((stamp, file, diagnostics))
        })
        .collect::<Result<_>>()?;
    let (mut files, mut seen) = (Vec::with_capacity(looked.len()), Stamps::default());
    for (path, (stamp, file, new)) in paths.iter().zip(looked) {
        if let Some(stamp) = stamp {
            let hash = file.as_ref().map(|file: &File| file.hash);
            let path = file.as_ref().map_or_else(|| path.as_str().into(), |file| file.path.clone());
            seen.put(path, stamp, hash);
        }
        files.extend(file);
        diagnostics.extend(new);
    }
    diagnostics.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(WalkResult { files, diagnostics, stamps: seen })
}

/// Likewise, but only what lies at or below `paths`, which are relative to `root`: the same files that [`walk`] would give
/// of them. No other folder is looked into but those that lead there.
///
/// # Errors
/// As [`walk`], and [`crate::ErrorKind::InvalidArgument`] for a path that leads out of `root`.
pub fn walk_some(
    root: &Path,
    paths: &BTreeSet<String>,
    options: &WalkOptions,
    cancel: &Cancel,
) -> Result<(Vec<File>, Vec<Diagnostic>)> {
    let read = walk_known(root, Some(paths), options, &Stamps::default(), &|_| None, cancel)?;
    Ok((read.files, read.diagnostics))
}

/// The file at `path`, relative to `root`; `None` with a diagnostic when it is too large or not text.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] when `path` leads out of `root`, also by a link, or is not a file;
/// [`crate::ErrorKind::NotFound`] when it does not exist, [`crate::ErrorKind::Io`] when it cannot be opened.
pub fn read_one(
    root: &Path,
    path: &str,
    options: &WalkOptions,
    cancel: &Cancel,
) -> Result<(Option<File>, Vec<Diagnostic>)> {
    let relative = &to_path(path);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if path.is_empty() || !plain {
        return Err(Error::invalid(format!("{path:?} is not a path below the root")).with_path(relative));
    }
    let canonical = |path: &Path| fs::canonicalize(path).map_err(|error| Error::io(path, "read", error));
    let (root, full) = (canonical(root)?, canonical(&root.join(relative))?);
    if !full.starts_with(&root) || !full.is_file() {
        return Err(Error::invalid(format!("{path:?} is not a file below the root")).with_path(relative));
    }
    open(&full, Links::Refused)?;
    read(&full, &name::relative(&root, &root.join(relative)), options, cancel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let full = root.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, content).unwrap();
        }
        root
    }

    fn seen(root: &Path, options: &WalkOptions) -> (Vec<String>, Vec<(String, String)>) {
        let (files, diagnostics) = walk(root, options, &Cancel::new()).unwrap();
        let codes = diagnostics.into_iter().map(|d| (d.path.to_string(), d.code)).collect();
        (files.iter().map(|file| file.path.to_string()).collect(), codes)
    }

    #[test]
    fn reads_sources_in_order_and_skips_what_tools_made() {
        let root = tree(&[
            ("mix.exs", b"1"),
            ("lib/b.ex", b""),
            ("lib/a.ex", b"1"),
            ("lib/deps/in_lib.ex", b"1"),
            ("lib/page.html.heex", b"1"),
            ("README.md", b"1"),
            ("data.json", b"{}"),
            ("deps/x/lib/x.ex", b"1"),
            ("_build/dev/y.ex", b"1"),
            ("apps/one/mix.exs", b"1"),
            ("apps/one/deps/z.ex", b"1"),
            ("apps/one/node_modules/z.ex", b"1"),
            ("priv/static/s.md", b"1"),
            ("cover/c.ex", b"1"),
            (".hidden/h.ex", b"1"),
            (".formatter.exs", b"1"),
            (".env", b"SECRET=1"),
            (".env.example", b"SECRET="),
            (".hidden.ex", b"1"),
            ("Makefile", b"1"),
            ("LICENSE", b"1"),
            ("package-lock.json", b"{}"),
            ("assets/app.min.js", b"1"),
            ("assets/app.js", b"1"),
            ("ignored/i.ex", b"1"),
            (".gitignore", b"/ignored\n*.tmp.ex\n"),
            ("lib/a.tmp.ex", b"1"),
        ]);
        let (files, codes) = seen(root.path(), &WalkOptions::default());
        assert_eq!(
            files,
            [
                ".env.example",
                ".formatter.exs",
                "Makefile",
                "README.md",
                "apps/one/mix.exs",
                "assets/app.js",
                "data.json",
                "lib/a.ex",
                "lib/b.ex",
                "lib/deps/in_lib.ex",
                "lib/page.html.heex",
                "mix.exs"
            ]
        );
        assert_eq!(codes, []);
        let json =
            WalkOptions { extensions: vec!["json".into()], names: Vec::new(), ..WalkOptions::default() };
        assert_eq!(seen(root.path(), &json).0, ["data.json"]);
    }

    #[test]
    fn what_is_no_text_or_too_much_is_told() {
        let root = tree(&[("a.ex", b"\xff = 1"), ("b.ex", b"a\0b"), ("c.ex", &[b'#'; 2000]), ("d.ex", b"1")]);
        let options = WalkOptions { max_file_bytes: 1999, ..WalkOptions::default() };
        let (files, codes) = seen(root.path(), &options);
        assert_eq!(files, ["a.ex", "d.ex"]);
        let told = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(p, c)| (p.to_string(), c.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(codes, told(&[("a.ex", "encoding"), ("b.ex", "binary"), ("c.ex", "too_large")]));

        let (files, codes) = seen(root.path(), &WalkOptions { max_files: 1, ..WalkOptions::default() });
        assert_eq!((files, codes), (vec!["a.ex".into()], told(&[("", "too_many"), ("a.ex", "encoding")])));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed_and_nothing_leads_out_of_the_root() {
        use std::os::unix::fs::symlink;
        let outside = tree(&[("secret.ex", b"1")]);
        let root = tree(&[("lib/a.ex", b"1")]);
        let at = |path: &str| root.path().join(path);
        symlink(outside.path(), at("out")).unwrap();
        symlink(outside.path().join("secret.ex"), at("lib/out.ex")).unwrap();
        symlink(at("self.ex"), at("self.ex")).unwrap();
        symlink(root.path(), at("loop")).unwrap();
        assert_eq!(seen(root.path(), &WalkOptions::default()), (vec!["lib/a.ex".to_string()], vec![]));

        let kind = |path: &str| {
            read_one(root.path(), path, &WalkOptions::default(), &Cancel::new()).map_err(|e| e.kind())
        };
        assert_eq!(kind("./lib/a.ex").unwrap().0.unwrap().path.as_ref(), "lib/a.ex");
        for path in ["../x.ex", "lib/../../x.ex", "/etc/passwd", "", "out/secret.ex", "lib/out.ex", "lib"] {
            assert_eq!(kind(path), Err(ErrorKind::InvalidArgument), "{path}");
        }
        assert_eq!(kind("lib/none.ex"), Err(ErrorKind::NotFound));
    }

    #[test]
    fn a_root_must_be_a_folder_and_the_work_can_be_stopped() {
        let root = tree(&[("a.ex", b"1")]);
        let cancel = Cancel::new();
        let kind =
            |path: &Path| walk(path, &WalkOptions::default(), &cancel).map(|_| ()).map_err(|e| e.kind());
        assert_eq!(kind(&root.path().join("none")), Err(ErrorKind::NotFound));
        assert_eq!(kind(&root.path().join("a.ex")), Err(ErrorKind::InvalidArgument));
        cancel.cancel();
        assert_eq!(kind(root.path()), Err(ErrorKind::Cancelled));
    }
}
