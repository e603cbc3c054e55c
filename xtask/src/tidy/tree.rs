//! The files that belong to the project.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// All files, sorted by path.
pub struct Tree {
    pub files: Vec<File>,
}

/// One file.
pub struct File {
    /// From the project's folder, with `/` between folders.
    pub path: String,
    /// Empty for a file that is not text.
    pub text: String,
}

/// Folders that a walk leaves out; git knows them from `.gitignore`.
const NOT_OURS: &[&str] =
    &[".git", "target", "_build", "deps", "cover", ".cache", "node_modules", "__pycache__"];

impl Tree {
    /// Reads what git tracks or would track; without git, everything but folders of build products.
    pub fn read(root: &Path) -> io::Result<Tree> {
        let mut paths = match from_git(root) {
            Some(paths) => paths,
            None => from_walk(root)?,
        };
        paths.sort();
        paths.dedup();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let place = root.join(&path);
            // A tracked file may be deleted in the working tree, and a link may lead anywhere: neither is read.
            if fs::symlink_metadata(&place).is_ok_and(|data| data.is_file()) {
                let text = String::from_utf8(fs::read(&place)?).unwrap_or_default();
                files.push(File { path, text });
            }
        }
        Ok(Tree { files })
    }

    /// The file at `path`.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is a file or a folder at `path`.
    pub fn exists(&self, path: &str) -> bool {
        path.is_empty()
            || self.files.iter().any(|file| {
                file.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
    }

    /// The files in `folder` or below it whose names end in one of `endings`.
    pub fn under<'a>(
        &'a self,
        folder: &'a str,
        endings: &'a [&'a str],
    ) -> impl Iterator<Item = &'a File> + 'a {
        self.files.iter().filter(move |file| {
            file.path.starts_with(folder) && endings.iter().any(|ending| file.path.ends_with(ending))
        })
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Tree { files: files.iter().map(file).collect() }
    }
}

impl File {
    /// The lines with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

fn from_git(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let list = String::from_utf8_lossy(&output.stdout);
    Some(list.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

fn from_walk(root: &Path) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_file() {
                paths.push(path);
            } else if kind.is_dir() && !NOT_OURS.contains(&name.as_str()) {
                folders.push(path);
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_list_find_this_file() {
        let root = crate::root();
        let this = "xtask/src/tidy/tree.rs".to_owned();
        assert!(from_walk(&root).unwrap().contains(&this));
        assert!(Tree::read(&root).unwrap().get(&this).is_some());
    }

    #[test]
    fn folders_exist_by_their_files() {
        let tree = Tree::of(&[("lib/ambix/index.ex", "")]);
        assert!(tree.exists("lib") && tree.exists("lib/ambix") && tree.exists("lib/ambix/index.ex"));
        assert!(!tree.exists("lib/alu") && !tree.exists("ambix"));
    }
}
