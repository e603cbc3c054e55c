//! Texts that know which of their bytes a template wrote, and which came from messages.

use std::ops::Range;
use std::rc::Rc;

use super::budget::{Charge, RenderBudget};
use crate::Result;

/// What a text takes beside its bytes.
const OVERHEAD: usize = 128;
const PIECE: usize = 1 << 16;
const RANGE: usize = size_of::<Range<usize>>();

/// A text that does not change.
pub(crate) struct Text {
    string: String,
    /// Where what came from messages stands: in order, without gaps of no length between them.
    foreign: Vec<Range<usize>>,
    _charge: Charge,
}

impl Text {
    /// A text that is all the template's, or all a message's.
    pub(crate) fn new(budget: &Rc<RenderBudget>, string: &str, foreign: bool) -> Result<Self> {
        let mut builder = Builder::new(budget)?;
        builder.push(string, foreign)?;
        Ok(builder.finish())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.string
    }

    pub(super) fn len(&self) -> usize {
        self.string.len()
    }

    pub(super) fn budget(&self) -> &Rc<RenderBudget> {
        self._charge.budget()
    }

    /// The bytes in `range`, which ends on characters.
    pub(super) fn slice(&self, range: Range<usize>) -> Result<Text> {
        let mut builder = Builder::new(self.budget())?;
        builder.slice(self, range)?;
        Ok(builder.finish())
    }

    /// The parts in `range`, each with whether it came from a message.
    fn parts(&self, range: Range<usize>) -> impl Iterator<Item = (Range<usize>, bool)> {
        let first = self.foreign.partition_point(|foreign| foreign.end <= range.start);
        let mut foreign = self.foreign[first..].iter();
        let mut next = foreign.next();
        let mut at = range.start;
        std::iter::from_fn(move || {
            if at >= range.end {
                return None;
            }
            let (end, is_foreign) = match next {
                Some(part) if part.start <= at => {
                    next = foreign.next();
                    (part.end.min(range.end), true)
                }
                Some(part) => (part.start.min(range.end), false),
                None => (range.end, false),
            };
            let start = std::mem::replace(&mut at, end);
            Some((start..end, is_foreign))
        })
    }

    /// This text with each of its pieces changed by itself; they are short, so that what `change` allocates is little.
    pub(super) fn map(&self, change: impl Fn(&str) -> String) -> Result<Text> {
        let mut builder = Builder::new(self.budget())?;
        for (range, foreign) in self.parts(0..self.len()) {
            let mut rest = &self.string[range];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE.min(rest.len())));
                builder.push(&change(piece), foreign)?;
                rest = after;
            }
        }
        Ok(builder.finish())
    }

    /// The text, and where what came from messages stands in it.
    pub(crate) fn into_parts(self) -> (String, Vec<Range<usize>>) {
        (self.string, self.foreign)
    }
}

/// Puts a text together; every byte is taken from the budget before it is allocated.
pub(super) struct Builder {
    string: String,
    foreign: Vec<Range<usize>>,
    charge: Charge,
}

impl Builder {
    pub(super) fn new(budget: &Rc<RenderBudget>) -> Result<Self> {
        Ok(Builder { string: String::new(), foreign: Vec::new(), charge: budget.take(OVERHEAD)? })
    }

    pub(super) fn budget(&self) -> &Rc<RenderBudget> {
        self.charge.budget()
    }

    pub(super) fn push(&mut self, string: &str, foreign: bool) -> Result<()> {
        if string.is_empty() {
            return Ok(());
        }
        self.charge.grow(string.len())?;
        let start = self.string.len();
        self.string.push_str(string);
        if foreign {
            let end = self.string.len();
            match self.foreign.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => {
                    self.charge.grow(RANGE)?;
                    self.foreign.push(start..end);
                }
            }
        }
        Ok(())
    }

    pub(super) fn slice(&mut self, text: &Text, range: Range<usize>) -> Result<()> {
        for (part, foreign) in text.parts(range) {
            self.push(&text.string[part], foreign)?;
        }
        Ok(())
    }

    pub(super) fn text(&mut self, text: &Text) -> Result<()> {
        self.slice(text, 0..text.len())
    }

    /// Appends `string` so many times. Their length is taken before the first is written.
    pub(super) fn repeat(&mut self, string: &str, times: usize) -> Result<()> {
        self.charge.grow(string.len().saturating_mul(times))?;
        self.string.extend(std::iter::repeat_n(string, times));
        Ok(())
    }

    pub(super) fn finish(mut self) -> Text {
        // What was allocated in advance is not in the charge.
        self.string.shrink_to_fit();
        self.foreign.shrink_to_fit();
        Text { string: self.string, foreign: self.foreign, _charge: self.charge }
    }
}
