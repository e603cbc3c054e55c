//! Whether a snapshot is what its folder holds now.

use std::collections::{BTreeSet, HashSet};

use super::snapshot::{BuildOptions, Snapshot};
use crate::source::{FETCHED, Stamps};
use crate::{Cancel, Result};

impl Snapshot {
    /// The paths whose content on the disk differs from this snapshot: with these, [`Snapshot::update_paths`] brings it up to
    /// date. Empty if and only if nothing has changed. Overlays differ on purpose, and are passed over.
    ///
    /// `stamps` remembers which files need not be read the next time; it may come from any version of the snapshot.
    ///
    /// # Errors
    /// As [`Snapshot::build`].
    pub fn differences(
        &self,
        stamps: &mut Stamps,
        options: &BuildOptions,
        cancel: &Cancel,
    ) -> Result<BTreeSet<String>> {
        if stamps.is_empty() {
            *stamps = self.stamps().clone();
        }
        let contents = stamps.contents(self.root(), &options.walk, cancel)?;
        let here: HashSet<&str> = contents.iter().map(|(path, _)| &**path).collect();
        let told = |path: &str| self.files.get(path).map(|file| file.file.hash);
        let gone = self.files().map(|file| &*file.path).filter(|path| !here.contains(path));
        let other = contents.iter().filter(|(path, hash)| told(path) != *hash).map(|(path, _)| &**path);
        let differing = gone.chain(other).filter(|path| !self.overlays.contains_key(*path));
        let mut paths: BTreeSet<String> = differing.map(str::to_string).collect();
        if !self.dependencies.is_as_fetched(self.root()) {
            paths.extend(FETCHED.map(String::from));
        }
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::testing::project;
    use std::fs;

    #[test]
    fn differences_are_what_an_update_needs() {
        let root = project();
        let (options, cancel) = (BuildOptions::default(), Cancel::new());
        let mut stamps = Stamps::default();
        let mut index = Snapshot::build(root.path(), &options, &mut |_| {}, &cancel).unwrap();
        let at = |path: &str| root.path().join(path);
        let mut check = |index: &mut Snapshot, expected: &[&str]| {
            let found = index.differences(&mut stamps, &options, &cancel).unwrap();
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
            *index = index.update_paths(&found, &options, &mut |_| {}, &cancel).unwrap().0;
            assert_eq!(index.differences(&mut stamps, &options, &cancel).unwrap(), BTreeSet::new());
        };
        check(&mut index, &[]);
        // Of the same size, and in the same tick.
        fs::write(at("lib/new.ex"), "defmodule New do\nend\n").unwrap();
        check(&mut index, &["lib/new.ex"]);
        fs::write(at("lib/new.ex"), "defmodule Now do\nend\n").unwrap();
        fs::remove_file(at("guide.md")).unwrap();
        check(&mut index, &["guide.md", "lib/new.ex"]);
        // What is too strange to be read is not in the index, before and after.
        fs::write(at("lib/new.ex"), "a\0b").unwrap();
        check(&mut index, &["lib/new.ex"]);
        fs::write(at(".gitignore"), "lib/cart.ex\n").unwrap();
        check(&mut index, &["lib/cart.ex"]);
        fs::write(at("mix.lock"), "%{}").unwrap();
        check(&mut index, &["deps", "mix.lock"]);
        fs::remove_dir_all(root.path()).unwrap();
        assert!(index.differences(&mut stamps, &options, &cancel).is_err());
    }

    #[test]
    fn a_limit_of_files_holds_for_updates_by_path_too() {
        let root = project();
        let mut options = BuildOptions::default();
        options.walk.max_files = 3;
        let cancel = Cancel::new();
        let build = || Snapshot::build(root.path(), &options, &mut |_| {}, &cancel).unwrap();
        let mut index = build();
        for (path, text) in
            [("aaa.ex", Some("1")), ("zzz.ex", Some("1")), ("guide.md", None), ("aaa.ex", None)]
        {
            match text {
                Some(text) => fs::write(root.path().join(path), text).unwrap(),
                None => fs::remove_file(root.path().join(path)).unwrap(),
            }
            let paths = BTreeSet::from([path.to_string()]);
            index = index.update_paths(&paths, &options, &mut |_| {}, &cancel).unwrap().0;
            let names = |index: &Snapshot| index.files().map(|file| file.path.clone()).collect::<Vec<_>>();
            assert_eq!(names(&index), names(&build()), "{path}");
            assert!(index.diagnostics().eq(build().diagnostics()), "{path}");
        }
    }
}
