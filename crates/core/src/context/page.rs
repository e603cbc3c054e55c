//! What of one file is shown: a set of lines, so that no line is there twice.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::retrieval::Entry;
use crate::source::Language;

/// A file, and which of its lines are shown. Lines count from 0.
pub(super) struct Page<'a> {
    /// Which of the sources it is from.
    pub(super) source: usize,
    /// As it is shown.
    pub(super) path: Arc<str>,
    pub(super) entry: &'a Entry,
    lines: Vec<Range<usize>>,
    pub(super) shown: BTreeSet<usize>,
    /// What is shown, best first.
    pub(super) symbols: Vec<Arc<str>>,
}

impl<'a> Page<'a> {
    pub(super) fn of(source: usize, name: &str, entry: &'a Entry) -> Self {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in entry.file.text.split_inclusive('\n') {
            lines.push(start..start + line.trim_end_matches(['\n', '\r']).len());
            start += line.len();
        }
        let path = match name {
            "" => entry.file.path.clone(),
            name => format!("{name}/{}", entry.file.path).into(),
        };
        Page { source, path, entry, lines, shown: BTreeSet::new(), symbols: Vec::new() }
    }

    pub(super) fn language(&self) -> Language {
        self.entry.file.language
    }

    pub(super) fn count(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn line(&self, line: usize) -> &'a str {
        let entry: &'a Entry = self.entry;
        self.lines.get(line).and_then(|range| entry.file.text.get(range.clone())).unwrap_or_default()
    }

    /// Some lines, each with its end.
    pub(super) fn text(&self, lines: &[usize]) -> String {
        let mut text = String::new();
        for line in lines {
            text.push_str(self.line(*line));
            text.push('\n');
        }
        text
    }

    pub(super) fn is_blank(&self, line: usize) -> bool {
        self.line(line).trim().is_empty()
    }

    /// The bytes of lines `first..=last`.
    pub(super) fn bytes(&self, first: usize, last: usize) -> Range<usize> {
        self.lines[first].start..self.lines[last].end
    }

    /// Those of `lines` that are not shown.
    pub(super) fn missing(&self, lines: &[usize]) -> Vec<usize> {
        let mut missing: Vec<usize> =
            lines.iter().copied().filter(|line| *line < self.count() && !self.shown.contains(line)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// What is shown without a gap, first and last line; blank lines are no gap.
    pub(super) fn runs(&self) -> Vec<(usize, usize)> {
        self.runs_of(&self.shown)
    }

    /// How many runs there would be with some more lines.
    pub(super) fn runs_with(&self, more: &[usize]) -> usize {
        let all: BTreeSet<usize> = self.shown.iter().chain(more).copied().collect();
        self.runs_of(&all).len()
    }

    fn runs_of(&self, lines: &BTreeSet<usize>) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for line in lines {
            match runs.last_mut() {
                Some((_, last)) if (*last + 1..*line).all(|between| self.is_blank(between)) => *last = *line,
                _ => runs.push((*line, *line)),
            }
        }
        runs
    }

    /// `line` and those after it that end what it began: while brackets are open, but `most` lines at most.
    pub(super) fn statement(&self, line: usize, most: usize) -> Vec<usize> {
        let mut open = 0_i32;
        let mut lines = Vec::new();
        for at in line..(line + most).min(self.count()) {
            lines.push(at);
            for byte in self.line(at).bytes() {
                match byte {
                    b'(' | b'[' | b'{' => open += 1,
                    b')' | b']' | b'}' => open -= 1,
                    _ => {}
                }
            }
            if open <= 0 && !self.line(at).trim_end().ends_with(',') {
                break;
            }
        }
        lines
    }
}
