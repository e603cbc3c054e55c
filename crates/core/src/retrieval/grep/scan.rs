//! Searching one text.

use std::ops::Range;
use std::sync::Arc;

use grep_matcher::{LineMatchKind, Match, Matcher};
use memchr::{memchr, memchr_iter, memrchr};

use super::pattern::Pattern;
use super::request::{FoundLine, Grep};
use crate::retrieval::entry::Entry;
use crate::syntax::{Definition, DefinitionKind};
use crate::{Cancel, Result};

/// So many bytes, and the rest of a line, are searched between two looks at the token that cancels.
const AT_ONCE: usize = 16 << 10;
/// More of a line is not told, nor more of the lines of one match.
const MOST_OF_LINE: usize = 400;
const MOST_OF_LINES: usize = 4000;
/// So much is told of what stands before a match in a long line.
const BEFORE_MATCH: usize = 100;
/// More matches of a line are not told.
const MOST_MATCHES: usize = 100;

/// How texts are searched.
pub(super) struct Scan<'g> {
    pub(super) grep: &'g Grep,
    pub(super) cancel: &'g Cancel,
}

/// What was found in one text.
#[derive(Default)]
pub(super) struct Scanned {
    pub(super) lines: Vec<FoundLine>,
    /// How many lines match, up to where the search ended.
    pub(super) count: usize,
    /// Whether the text was not searched to its end.
    pub(super) truncated: bool,
}

/// Lines that match, and the bytes of the text that do.
struct Group {
    /// Without the last line's end.
    lines: Range<usize>,
    /// The first ones.
    matches: Vec<Range<usize>>,
    symbol: Option<(Arc<str>, DefinitionKind)>,
}

impl Scan<'_> {
    pub(super) fn file(&self, pattern: &Pattern, entry: &Entry) -> Result<Scanned> {
        let text = &*entry.file.text;
        let most = if self.grep.count {
            usize::MAX
        } else {
            self.grep.per_file.min(self.grep.limit.saturating_add(1))
        };
        let mut sink = Sink { scan: self, entry, enclosing: None, groups: Vec::new(), count: 0, most };
        let whole = if self.grep.multiline {
            self.across(pattern, text, &mut sink)?
        } else if pattern.by_line {
            self.by_line(pattern, text, &mut sink)?
        } else {
            self.lines(pattern, text, &mut sink)?
        };
        let lines = told(&sink.groups, entry, self.grep.context);
        Ok(Scanned { lines, count: sink.count, truncated: !whole })
    }

    /// Finds matches that do not go across lines, in many lines at once. Says whether the end was reached.
    fn lines(&self, pattern: &Pattern, text: &str, sink: &mut Sink<'_>) -> Result<bool> {
        let bytes = text.as_bytes();
        let mut start = beginning(text);
        while start < bytes.len() {
            self.cancel.check()?;
            let end = line_end(bytes, (start + AT_ONCE).min(bytes.len()));
            let block = &bytes[..end];
            while start <= end && start < bytes.len() {
                let candidate = pattern.matcher.find_candidate_line(&block[start..]).ok().flatten();
                let Some(kind) = candidate else { break };
                let (LineMatchKind::Confirmed(at) | LineMatchKind::Candidate(at)) = kind;
                let at = start + at;
                // Behind the last line's end there is no line.
                if at == bytes.len() && bytes[at - 1] == b'\n' {
                    break;
                }
                let first = start + memrchr(b'\n', &block[start..at]).map_or(0, |before| before + 1);
                let line = first..line_end(block, at);
                start = line.end + 1;
                if !sink.line(pattern, line, matches!(kind, LineMatchKind::Confirmed(_))) {
                    return Ok(false);
                }
            }
            start = end + 1;
        }
        Ok(true)
    }

    /// Finds matches in each line by itself.
    fn by_line(&self, pattern: &Pattern, text: &str, sink: &mut Sink<'_>) -> Result<bool> {
        let bytes = text.as_bytes();
        let (mut start, mut checked) = (beginning(text), 0);
        while start < bytes.len() {
            if start >= checked {
                self.cancel.check()?;
                checked = start + AT_ONCE;
            }
            let end = line_end(bytes, start);
            if !sink.line(pattern, start..end, false) {
                return Ok(false);
            }
            start = end + 1;
        }
        Ok(true)
    }

    /// Finds matches that may go across lines.
    fn across(&self, pattern: &Pattern, text: &str, sink: &mut Sink<'_>) -> Result<bool> {
        let bytes = text.as_bytes();
        self.cancel.check()?;
        let mut whole = true;
        let skipped = beginning(text);
        let searched = pattern.matcher.try_find_iter(&bytes[skipped..], |found| -> Result<bool> {
            self.cancel.check()?;
            let found = Match::new(skipped + found.start(), skipped + found.end());
            let is_behind = found.start() == bytes.len() && bytes.last().is_none_or(|last| *last == b'\n');
            whole = is_behind || sink.found(bytes, found);
            Ok(whole)
        });
        searched.unwrap_or(Ok(()))?;
        Ok(whole)
    }
}

/// Where the first line begins: behind a mark of the byte order.
fn beginning(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// Where the line that `at` is in ends; its end is not part of it.
fn line_end(bytes: &[u8], at: usize) -> usize {
    memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |behind| at + behind)
}

/// Takes what is found, as far as it is wanted.
struct Sink<'s> {
    scan: &'s Scan<'s>,
    entry: &'s Entry,
    /// Made for the first match.
    enclosing: Option<Enclosing<'s>>,
    groups: Vec<Group>,
    count: usize,
    most: usize,
}

impl<'s> Sink<'s> {
    /// Takes a line that matches, if `is_sure`, or may match. Says whether more is wanted.
    fn line(&mut self, pattern: &Pattern, line: Range<usize>, is_sure: bool) -> bool {
        if is_sure && self.scan.grep.count && self.scan.grep.kinds.is_empty() {
            self.count += 1;
            return true;
        }
        let text = self.entry.file.text.as_bytes();
        // What stands for the end of a line has to see it, and what stands for that of a text has to be at it.
        let bytes = match pattern.by_line {
            true => text[line.clone()].strip_suffix(b"\r").unwrap_or(&text[line.clone()]),
            false => &text[line.start..(line.end + 1).min(text.len())],
        };
        let mut group: Option<Group> = None;
        let mut is_full = false;
        let searched = pattern.matcher.find_iter(bytes, |found| {
            let found = found.start() + line.start..found.end() + line.start;
            if found.end > line.end {
                return true;
            }
            let Some(symbol) = self.is_wanted(&found) else { return true };
            match &mut group {
                Some(group) => group.matches.push(found),
                None => {
                    is_full = self.count == self.most;
                    group = Some(Group { lines: line.clone(), matches: vec![found], symbol });
                }
            }
            let enough = if self.scan.grep.count { 1 } else { MOST_MATCHES };
            !is_full && group.as_ref().is_none_or(|group| group.matches.len() < enough)
        });
        if let Some(group) = group.filter(|_| searched.is_ok() && !is_full) {
            self.count += 1;
            if !self.scan.grep.count {
                self.groups.push(group);
            }
        }
        !is_full
    }

    /// Takes a match. Says whether more is wanted.
    fn found(&mut self, bytes: &[u8], found: Match) -> bool {
        let range = found.start()..found.end();
        let Some(symbol) = self.is_wanted(&range) else { return true };
        let first = memrchr(b'\n', &bytes[..found.start()])
            .map_or(beginning(&self.entry.file.text), |before| before + 1);
        // A line's end belongs to the line.
        let last = found.end() - usize::from(!found.is_empty() && bytes[found.end() - 1] == b'\n');
        let lines = first..line_end(bytes, last);
        match self.groups.last_mut() {
            Some(group) if lines.start <= group.lines.end => {
                group.lines.end = group.lines.end.max(lines.end);
                if group.matches.len() < MOST_MATCHES {
                    group.matches.push(range);
                }
            }
            _ if self.count == self.most => return false,
            _ => {
                self.count += 1;
                // To count, the last one is enough.
                if self.scan.grep.count {
                    self.groups.clear();
                }
                self.groups.push(Group { lines, matches: vec![range], symbol });
            }
        }
        true
    }

    /// The symbol of a match that begins in a definition of the right kind. Asked in order of position.
    fn is_wanted(&mut self, found: &Range<usize>) -> Option<Option<(Arc<str>, DefinitionKind)>> {
        let kinds = &self.scan.grep.kinds;
        if self.scan.grep.count && kinds.is_empty() {
            return Some(None);
        }
        let enclosing =
            self.enclosing.get_or_insert_with(|| Enclosing::new(&self.entry.facts.definitions, kinds));
        match enclosing.at(found.start) {
            Some(definition) => Some(Some((definition.qualified().into(), definition.kind))),
            None if kinds.is_empty() => Some(None),
            None => None,
        }
    }
}

/// Finds the innermost definition around places that are asked for in order.
struct Enclosing<'d> {
    /// In order of position, outer ones first.
    definitions: Vec<&'d Definition>,
    next: usize,
    /// Begun before the last place; those that ended may be among them.
    open: Vec<&'d Definition>,
}

impl<'d> Enclosing<'d> {
    fn new(definitions: &'d [Definition], kinds: &[DefinitionKind]) -> Enclosing<'d> {
        let mut definitions: Vec<_> =
            definitions.iter().filter(|it| kinds.is_empty() || kinds.contains(&it.kind)).collect();
        definitions.sort_by_key(|it| (it.span.start, std::cmp::Reverse(it.span.end)));
        Enclosing { definitions, next: 0, open: Vec::new() }
    }

    fn at(&mut self, place: usize) -> Option<&'d Definition> {
        while let Some(definition) = self.definitions.get(self.next)
            && definition.span.start as usize <= place
        {
            self.open.push(definition);
            self.next += 1;
        }
        while self.open.last().is_some_and(|last| last.span.end as usize <= place) {
            self.open.pop();
        }
        self.open.last().copied()
    }
}

/// The groups with their lines and what stands around them.
fn told(groups: &[Group], entry: &Entry, context: usize) -> Vec<FoundLine> {
    let (text, bytes) = (&*entry.file.text, entry.file.text.as_bytes());
    let mut lines = Vec::with_capacity(groups.len());
    // Lines up to here are told, and line ends up to there are counted.
    let (mut told, mut counted, mut number) = (beginning(text), 0, 1);
    for (at, group) in groups.iter().enumerate() {
        let Some(first) = group.matches.first() else { continue };
        number += memchr_iter(b'\n', &bytes[counted..group.lines.start]).count() as u32;
        let several = memchr_iter(b'\n', &bytes[group.lines.clone()]).count() as u32;
        counted = group.lines.start;
        let before = lines_before(text, told, group.lines.start, context);
        let next = groups.get(at + 1).map_or(bytes.len(), |next| next.lines.start);
        let (after, end) = lines_after(text, group.lines.end, next, context);
        told = end;
        let shown = shown(text, &group.lines, first.start, several > 0);
        // Bytes that do not begin a character: 10xxxxxx.
        let characters = bytes[group.lines.start..first.start].iter().filter(|byte| **byte & 0xc0 != 0x80);
        let (symbol, kind) = group.symbol.clone().unzip();
        lines.push(FoundLine {
            file: entry.file.path.clone(),
            line: number,
            line_end: number + several,
            column: characters.count() as u32 + 1,
            matches: group.matches.iter().map(|range| range.start as u32..range.end as u32).collect(),
            text: text[shown.clone()].trim_end_matches('\r').to_string(),
            text_start: shown.start as u32,
            before,
            after,
            symbol: symbol.unwrap_or_else(|| "".into()),
            kind,
        });
    }
    lines
}

/// The part of `lines` that is told: what is around the byte `first`, if they are long.
fn shown(text: &str, lines: &Range<usize>, first: usize, several: bool) -> Range<usize> {
    let most = if several { MOST_OF_LINES } else { MOST_OF_LINE };
    if lines.len() <= most {
        return lines.clone();
    }
    // As much before the match as is left when all behind it is told.
    let start = first.saturating_sub(BEFORE_MATCH).min(lines.end - most).max(lines.start);
    let start = text.floor_char_boundary(start);
    start..text.floor_char_boundary(start + most)
}

/// Up to `count` lines that end before `start`, and do not begin before `told`.
fn lines_before(text: &str, told: usize, start: usize, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut end = start;
    while lines.len() < count && end > told {
        let from = text[told..end - 1].rfind('\n').map_or(told, |before| told + before + 1);
        lines.push(shortened(&text[from..end - 1]));
        end = from;
    }
    lines.reverse();
    lines
}

/// Up to `count` lines behind the line that ends at `end`, before `next`, and where the line behind them begins.
fn lines_after(text: &str, end: usize, next: usize, count: usize) -> (Vec<String>, usize) {
    let mut lines = Vec::new();
    let mut start = (end + 1).min(text.len());
    while lines.len() < count && start < next {
        let end = line_end(text.as_bytes(), start);
        lines.push(shortened(&text[start..end]));
        start = (end + 1).min(text.len());
    }
    (lines, start)
}

fn shortened(line: &str) -> String {
    line[..line.floor_char_boundary(MOST_OF_LINE)].trim_end_matches('\r').to_string()
}
