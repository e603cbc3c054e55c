//! Which files of a folder changed together, as far as git knows.

use std::collections::HashMap;
use std::sync::Arc;

use super::name::name_of_bytes;

/// So many commits are read, the newest.
const MOST_COMMITS: &str = "2000";
/// A commit that changes more files says nothing about any two of them.
const MOST_FILES: usize = 40;
/// Files have changed together if they did so often.
const OFTEN: u32 = 2;
/// Begins a commit; no path has it as its only character.
const COMMIT: &[u8] = b"\x02";

/// The files that each of the newest commits changed.
#[derive(Debug, Default)]
pub struct History {
    numbers: HashMap<Arc<str>, u32>,
    paths: Vec<Arc<str>>,
    /// Of each commit, the numbers of its files.
    commits: Vec<Vec<u32>>,
    /// Of each file, its commits.
    changes: Vec<Vec<u32>>,
}

impl History {
    /// How many commits are known.
    pub fn commits(&self) -> usize {
        self.commits.len()
    }

    /// The arguments of git that make it write what [`History::parse`] reads, in the folder of the index.
    pub const LOG: [&str; 11] = [
        "log",
        "-z",
        "--format=%x02",
        "--name-only",
        "--no-merges",
        "--no-renames",
        "--no-show-signature",
        "--no-ext-diff",
        "--relative",
        "-n",
        MOST_COMMITS,
    ];

    /// Reads what git wrote, called with [`History::LOG`]; of anything else, something.
    pub fn parse(log: &[u8]) -> History {
        let mut history = History::default();
        let mut commit: Vec<&[u8]> = Vec::new();
        for part in log.split(|byte| *byte == 0) {
            let part = part.strip_prefix(b"\n").unwrap_or(part);
            if part == COMMIT {
                history.add(&commit);
                commit.clear();
            } else if !part.is_empty() {
                commit.push(part);
            }
        }
        history.add(&commit);
        history
    }

    fn number(&mut self, path: &str) -> u32 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let (path, number) = (Arc::<str>::from(path), self.paths.len() as u32);
        self.numbers.insert(path.clone(), number);
        self.paths.push(path);
        self.changes.push(Vec::new());
        number
    }

    fn add(&mut self, files: &[&[u8]]) {
        if files.is_empty() || files.len() > MOST_FILES {
            return;
        }
        let mut files: Vec<u32> = files.iter().map(|path| self.number(&name_of_bytes(path))).collect();
        files.sort_unstable();
        files.dedup();
        for file in &files {
            self.changes[*file as usize].push(self.commits.len() as u32);
        }
        self.commits.push(files);
    }

    /// The files that changed in at least two of the commits in which the file at `path` did, each with the share of these commits,
    /// in order of path.
    pub fn together(&self, path: &str) -> Vec<(&str, f32)> {
        let Some(number) = self.numbers.get(path) else { return Vec::new() };
        let changes = &self.changes[*number as usize];
        let mut counts: HashMap<u32, u32> = HashMap::new();
        for file in changes.iter().flat_map(|commit| &self.commits[*commit as usize]) {
            *counts.entry(*file).or_default() += 1;
        }
        counts.remove(number);
        let often = counts.into_iter().filter(|(_, count)| *count >= OFTEN);
        let mut together: Vec<(&str, f32)> = often
            .map(|(file, count)| (&*self.paths[file as usize], count as f32 / changes.len() as f32))
            .collect();
        together.sort_unstable_by_key(|(path, _)| *path);
        together
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn files_that_changed_together_are_known_by_their_shares() {
        let log = b"\x02\0\nlib/a.ex\0lib/b.ex\0\x02\0\nlib/a.ex\0test/a test.exs\0lib/b.ex\0\x02\0\x02\0\nlib/a.ex\0\x02\0\nlib/c.ex\0lib/b.ex\0";
        let history = History::parse(log);
        assert_eq!(history.commits(), 4);
        assert_eq!(history.together("lib/a.ex"), [("lib/b.ex", 2.0 / 3.0)]);
        assert_eq!(history.together("lib/b.ex"), [("lib/a.ex", 2.0 / 3.0)]);
        assert!(history.together("lib/c.ex").is_empty() && history.together("none").is_empty());
    }

    #[test]
    fn a_commit_of_many_files_says_nothing() {
        let many: String = (0..=MOST_FILES).map(|at| format!("lib/{at}.ex\0")).collect();
        let log = format!("\x02\0\n{many}\x02\0\n{many}");
        let history = History::parse(log.as_bytes());
        assert!(history.commits() == 0 && history.together("lib/1.ex").is_empty());
    }

    proptest! {
        #[test]
        fn anything_is_read(log in prop::collection::vec(prop::sample::select(b"\0\x02\nab\xff".to_vec()), 0..80)) {
            let history = History::parse(&log);
            for path in &history.paths {
                for (other, share) in history.together(path) {
                    prop_assert!(other != &**path && share > 0.0 && share <= 1.0);
                    prop_assert!(history.together(other).iter().any(|(back, _)| *back == &**path));
                }
            }
        }
    }
}
