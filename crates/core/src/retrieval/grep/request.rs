//! What is searched for, and what was found.

use std::sync::Arc;

use crate::source::Language;
use crate::syntax::DefinitionKind;

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
