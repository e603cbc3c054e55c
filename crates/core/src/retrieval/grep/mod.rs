//! Searching the texts of an index for a pattern, as `grep` does in files: a regular expression or a string, line by line or
//! across lines. Files that cannot match are left out by their trigrams, and what is found is told with the definition it
//! is in.

mod needed;
mod pattern;
mod scan;
pub(crate) mod trigrams;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rayon::prelude::*;

use self::needed::Needed;
use self::pattern::Pattern;
use self::scan::Scan;
use super::entry::Entry;
use super::index::Index;
use crate::source::Language;
use crate::syntax::DefinitionKind;
use crate::{Cancel, Error, Result};

/// The first round searches so many files, and each further one twice as many, until there are enough lines.
const FIRST_ROUND: usize = 32;
/// More context is not given.
const MOST_CONTEXT: usize = 100;

/// What to search for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grep {
    /// A regular expression in the syntax of the `regex` crate, or a string.
    pub pattern: String,
    /// Whether `pattern` stands for itself.
    pub fixed: bool,
    /// Whether capitals differ from small letters.
    pub case: Case,
    /// Whether there must be no letter, digit or `_` beside a match.
    pub word: bool,
    /// Whether a match may go over several lines.
    pub multiline: bool,
    /// Only files that these globs name, by the rules of `.gitignore` files: `lib`, `*.exs`, `apps/*/test/**`. Globs
    /// behind `!` take files away, of all if there are no others. All files, if empty.
    pub paths: Vec<String>,
    /// Only files in these languages; in all, if empty.
    pub languages: Vec<Language>,
    /// Only matches that begin in a definition of one of these kinds; anywhere, if empty.
    pub kinds: Vec<DefinitionKind>,
    /// How many lines before and after each found one are told; at most 100.
    pub context: usize,
    /// The most lines of one file.
    pub per_file: usize,
    /// The most lines.
    pub limit: usize,
    /// Whether lines are only counted: all of them, whatever the limits.
    pub count: bool,
}

/// Whether capitals differ from small letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// They do.
    #[default]
    Sensitive,
    /// They do not.
    Insensitive,
    /// They do if there is a capital in the pattern.
    Smart,
}

impl Grep {
    /// A search for a regular expression in all files, for a hundred lines.
    pub fn new(pattern: impl Into<String>) -> Grep {
        Grep {
            pattern: pattern.into(),
            fixed: false,
            case: Case::default(),
            word: false,
            multiline: false,
            paths: Vec::new(),
            languages: Vec::new(),
            kinds: Vec::new(),
            context: 0,
            per_file: usize::MAX,
            limit: 100,
            count: false,
        }
    }
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In order of path and position. Empty when lines were only counted.
    pub lines: Vec<FoundLine>,
    /// When lines were only counted, how many there are in each file, in order of path; files without any are left out.
    pub counts: Vec<(Arc<str>, usize)>,
    /// Whether there are more than the limits allow.
    pub truncated: bool,
    /// How many files were read to find them; all others were known not to match, or not to be needed.
    pub searched: usize,
}

/// A line that matches; of a match over several lines all of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLine {
    /// Relative to the root.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The last line, from 1; that of a match over several lines is another one than the first.
    pub line_end: u32,
    /// The character of the line at which the first match begins, from 1.
    pub column: u32,
    /// The bytes of the file that match, in order; at most 100 of them.
    pub matches: Vec<std::ops::Range<u32>>,
    /// The line without its end; a part of it around the first match, if it is long.
    pub text: String,
    /// The byte of the file at which `text` begins.
    pub text_start: u32,
    /// The lines before it that are not told already.
    pub before: Vec<String>,
    /// The lines after it, up to the next that matches.
    pub after: Vec<String>,
    /// The innermost definition in which the first match begins, among those of the kinds that were asked for; empty where
    /// there is none.
    pub symbol: Arc<str>,
    /// What kind of thing that is.
    pub kind: Option<DefinitionKind>,
}

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
            self.inner_files().entries().par_iter().filter(may_match).collect();

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
        let trigrams = self.inner_files().entries().iter().map(|entry| entry.trigram_bytes()).sum();
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
