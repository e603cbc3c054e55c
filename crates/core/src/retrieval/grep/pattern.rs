//! From what is asked for to what is searched with: a matcher, and the trigrams that a match needs.

use grep_matcher::Matcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};

use super::needed::Needed;
use super::request::{Case, Grep};
use crate::{Error, ErrorKind, Result};

/// Longer patterns are not taken for what somebody meant.
const MOST_BYTES: usize = 64 << 10;
/// The size of a compiled pattern, which with the length of the text bounds the time that a search takes.
const MOST_COMPILED: usize = 8 << 20;
/// For the states that are made while it searches, of each thread.
const STATES: usize = 8 << 20;
/// How deep parentheses may be nested.
const MOST_NESTED: u32 = 100;

/// A pattern, compiled.
#[derive(Clone)]
pub(super) struct Pattern {
    pub(super) matcher: RegexMatcher,
    pub(super) needed: Needed,
    /// Whether each line is searched by itself, as those anchors ask for that stand for the ends of a text.
    pub(super) by_line: bool,
}

impl Pattern {
    pub(super) fn new(grep: &Grep) -> Result<Pattern> {
        if grep.pattern.is_empty() {
            return Err(Error::invalid("the pattern is empty; search for some text"));
        }
        if grep.pattern.len() > MOST_BYTES {
            let message = format!("the pattern has {} bytes; give at most {MOST_BYTES}", grep.pattern.len());
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let escaped = if grep.fixed { regex_syntax::escape(&grep.pattern) } else { grep.pattern.clone() };
        let hir = regex_syntax::ParserBuilder::new()
            .nest_limit(MOST_NESTED)
            .utf8(false)
            // Trigrams do not tell case anyway.
            .case_insensitive(grep.case != Case::Sensitive)
            .multi_line(true)
            .build()
            .parse(&escaped)
            .map_err(|error| refused(&error))?;
        let needed = Needed::of(&hir);
        let mut builder = RegexMatcherBuilder::new();
        builder
            .case_insensitive(grep.case == Case::Insensitive)
            .case_smart(grep.case == Case::Smart)
            .fixed_strings(grep.fixed)
            .word(grep.word)
            .multi_line(true)
            .nest_limit(MOST_NESTED)
            .size_limit(MOST_COMPILED)
            .dfa_size_limit(STATES)
            .line_terminator((!grep.multiline).then_some(b'\n'));
        // `$` stands before the end of a line and `.` for none of it, whichever end that is.
        let pattern = if grep.fixed { grep.pattern.clone() } else { format!("(?R){}", grep.pattern) };
        let matcher = builder.build(&pattern).map_err(|error| match error.kind() {
            grep_regex::ErrorKind::NotAllowed(_) => Error::invalid(
                "the pattern has a line break, and lines are searched one by one; ask for multiline",
            ),
            _ => Error::new(
                ErrorKind::Limit,
                format!(
                    "the pattern becomes too large when it is compiled, which more than {MOST_COMPILED} bytes are; repeat less in it"
                ),
            ),
        })?;
        let by_line = !grep.multiline && matcher.line_terminator().is_none();
        Ok(Pattern { matcher, needed, by_line })
    }
}

fn refused(error: &regex_syntax::Error) -> Error {
    let (what, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(*error.span())),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(*error.span())),
        _ => (error.to_string(), None),
    };
    let place = span.map_or(String::new(), |span| format!(" at character {}", span.start.column));
    Error::invalid(format!(
        "the pattern is no regular expression: {}{place}; mend it, or search for it as a fixed string",
        what.replace('\n', " ")
    ))
}
