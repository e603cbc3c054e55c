//! Searching the texts of an index for a pattern, as `grep` does in files: a regular expression or a string, line by line or
//! across lines. Files that cannot match are left out by their trigrams, and what is found is told with the definition it
//! is in.

mod request;

mod needed;
mod pattern;
mod scan;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::prelude::*;

pub use self::request::{Case, Found, FoundLine, Grep};

use self::needed::Needed;
use self::pattern::Pattern;
use self::scan::Scan;
use super::entry::Entry;
use super::index::Index;
use super::patterns;
use crate::{Cancel, Error, Result};

/// The first round searches so many files, and each further one twice as many, until there are enough lines.
const FIRST_ROUND: usize = 32;
/// More context is not given.
const MOST_CONTEXT: usize = 100;

impl Index {
    /// The lines that match `grep.pattern`.
    ///
    /// The time it takes grows with the length of the texts, and never faster: the regular expressions of the `regex` crate
    /// have no look-around and no back references.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a pattern or a glob that is none, an empty one, and a limit of 0;
    /// [`crate::ErrorKind::Limit`] for a pattern that is too large; those of [`Cancel::check`].
    pub fn grep(&self, grep: &Grep, cancel: &Cancel) -> Result<Found> {
        if grep.limit == 0 || grep.per_file == 0 {
            return Err(Error::invalid("the limits of lines must be at least 1"));
        }
        if grep.context > MOST_CONTEXT {
            return Err(Error::invalid(format!("the context is at most {MOST_CONTEXT} lines")));
        }
        cancel.check()?;
        let pattern = Pattern::new(grep)?;
        let globs = Globs::new(&grep.paths)?;
        let has_room = self.has_room_for_trigrams();
        let has_what_is_needed = |entry: &Entry| {
            pattern.needed == Needed::Nothing
                || !(has_room || entry.trigram_bytes() > 0)
                || pattern.needed.holds(entry.trigrams())
        };
        let may_match = |entry: &&Arc<Entry>| {
            (grep.languages.is_empty() || grep.languages.contains(&entry.file.language))
                && (grep.paths.is_empty() || globs.select(&entry.file.path))
                && has_what_is_needed(entry)
        };
        let candidates: Vec<&Arc<Entry>> =
            self.chunk_table().entries().par_iter().filter(may_match).collect();

        let scan = Scan { grep, cancel };
        let mut found = Found::default();
        let mut rest = &candidates[..];
        let mut round = if grep.count { rest.len() } else { FIRST_ROUND };
        while !rest.is_empty() && found.lines.len() <= grep.limit {
            cancel.check()?;
            let (now, later) = rest.split_at(round.min(rest.len()));
            let scanned: Vec<scan::Scanned> = now
                .par_iter()
                .map_init(|| pattern.clone(), |pattern, entry| scan.file(pattern, entry))
                .collect::<Result<_>>()?;
            for (entry, scanned) in now.iter().zip(scanned) {
                found.add(grep, &entry.file.path, scanned);
            }
            (rest, round) = (later, round * 2);
        }
        found.lines.truncate(grep.limit);
        Ok(found)
    }

    /// The bytes that the tables for [`Index::lookup`] and, as far as they were needed so far, for [`Index::grep`] take.
    pub fn table_bytes(&self) -> (usize, usize) {
        let trigrams = self.chunk_table().entries().iter().map(|entry| entry.trigram_bytes()).sum();
        (self.names().bytes(), trigrams)
    }
}

impl Found {
    fn add(&mut self, grep: &Grep, file: &Arc<str>, scanned: scan::Scanned) {
        self.searched += 1;
        if grep.count {
            if scanned.count > 0 {
                self.counts.push((file.clone(), scanned.count));
            }
            return;
        }
        self.lines.extend(scanned.lines);
        self.truncated |= scanned.truncated || self.lines.len() > grep.limit;
    }
}

/// The globs of a search: those that name files, and those that take files away.
struct Globs {
    named: Gitignore,
    without: Gitignore,
}

impl Globs {
    fn new(globs: &[String]) -> Result<Globs> {
        patterns::check(globs)?;
        let mut builders = [GitignoreBuilder::new(""), GitignoreBuilder::new("")];
        for glob in globs {
            let (builder, bare) = match glob.strip_prefix('!') {
                Some(bare) => (&mut builders[1], bare),
                None => (&mut builders[0], &**glob),
            };
            let refused = |what: String| Error::invalid(format!("{glob:?} is no glob: {what}"));
            if bare.trim().is_empty() {
                return Err(refused("it names nothing".into()));
            }
            builder
                .allow_unclosed_class(false)
                .add_line(None, bare)
                .map_err(|error| refused(error.to_string()))?;
        }
        let [named, without] = builders.map(|builder| builder.build().map_err(Error::invalid));
        Ok(Globs { named: named?, without: without? })
    }

    /// A glob that names a folder names what is below it.
    fn select(&self, path: &str) -> bool {
        let names = |globs: &Gitignore| globs.matched_path_or_any_parents(path, false).is_ignore();
        (self.named.is_empty() || names(&self.named)) && !names(&self.without)
    }
}
