//! Markdown: its sections, each under the titles that lead to it.

use std::sync::Arc;

use super::{JOINED, Lines, SMALL, Unit, text_unit};
use crate::source::File;

/// The sections of a Markdown file.
pub(super) fn units(file: &File, lines: &Lines) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let (mut headings, mut fences) = (Headings::of(file), Fences::default());
    let mut begun = 0;
    let mut close = |first: usize, end: usize, header: &Arc<str>| {
        let Some((first, last)) = end.checked_sub(1).and_then(|last| lines.trimmed(first, last)) else {
            return;
        };
        match units.last_mut() {
            Some(before)
                if lines.size(before.first, before.last) < SMALL && lines.size(first, last) < JOINED =>
            {
                before.last = last;
                before.header = header.clone();
            }
            _ => units.push(text_unit(first, last, header.clone())),
        }
    };
    for line in 0..lines.count() {
        let text = &file.text[lines.starts[line]..lines.ends[line]];
        let before = headings.header.clone();
        if fences.read(text) == FencePosition::Outside && headings.read(text) {
            close(begun, line, &before);
            begun = line;
        }
    }
    close(begun, lines.count(), &headings.header);
    units
}

/// The titles that lead to a line.
pub(super) struct Headings<'a> {
    path: &'a str,
    titles: Vec<(usize, &'a str)>,
    /// The titles and the path.
    pub(super) header: Arc<str>,
}

impl<'a> Headings<'a> {
    pub(super) fn of(file: &'a File) -> Self {
        Headings { path: &file.path, titles: Vec::new(), header: file.path.clone() }
    }

    /// Takes in a line that is in no fence; whether it is a heading.
    pub(super) fn read(&mut self, line: &'a str) -> bool {
        let Some((level, title)) = heading(line.trim()) else { return false };
        self.titles.retain(|(outer, _)| *outer < level);
        self.titles.push((level, title));
        let path: Vec<&str> = self.titles.iter().map(|(_, title)| *title).collect();
        self.header = format!("{} ({})", path.join(" › "), self.path).into();
        true
    }
}

/// The level and title of an ATX heading.
fn heading(text: &str) -> Option<(usize, &str)> {
    let level = text.bytes().take_while(|byte| *byte == b'#').count();
    let title = text[level..].strip_prefix(' ')?.trim().trim_end_matches('#').trim_end();
    (1..=6).contains(&level).then_some((level, title))
}

/// Where a line is with regard to code blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FencePosition {
    Outside,
    /// The line that opens a block.
    Opens,
    Inside,
    /// The line that ends it.
    Closes,
}

/// Fenced code blocks, line by line.
#[derive(Default)]
pub(super) struct Fences {
    open: Option<(char, usize)>,
}

impl Fences {
    pub(super) fn read(&mut self, line: &str) -> FencePosition {
        let text = line.trim();
        let mark = text.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        let length = mark.map_or(0, |mark| text.chars().take_while(|c| *c == mark).count());
        match (self.open, mark) {
            (None, Some(mark)) if length >= 3 && !(mark == '`' && text[length..].contains('`')) => {
                self.open = Some((mark, length));
                FencePosition::Opens
            }
            (None, _) => FencePosition::Outside,
            // What ends a block is at least as long as what opened it, and alone on its line.
            (Some((open, least)), Some(mark)) if open == mark && length >= least && text.len() == length => {
                self.open = None;
                FencePosition::Closes
            }
            (Some(_), _) => FencePosition::Inside,
        }
    }
}
