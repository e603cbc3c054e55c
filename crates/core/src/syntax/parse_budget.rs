//! What parsing costs beyond what well-formed text takes, and the bound on it.
//!
//! tree-sitter reports once in a hundred operations, and stops or goes on as it is told, but an operation can be anything: to
//! shift a token costs a fraction of a microsecond, to recover from an error hundreds. What it does only its log tells, and to
//! write that takes three times as long as parsing. So the log is read in one of many stretches between two reports, and
//! stands for the others. Only what goes beyond well-formed text is counted, so that this may be as long and as deep as it
//! likes.

use std::cell::Cell;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use tree_sitter::{LogType, ParseOptions, ParseState, Parser, Tree};

/// How closely the parser is watched, and how much it may do.
#[derive(Clone, Copy)]
pub(super) struct Sampling {
    /// The first stretch whose log is read.
    first: u64,
    /// The log is read in one of so many stretches.
    every: u64,
    /// So much work may be done, and one unit more for each byte. A unit is about half a microsecond.
    pub(super) slack: u64,
}

/// For a file: well-formed text is slowed down by some hundredths, and that of usual length not at all.
pub(super) const WHOLE: Sampling = Sampling { first: 80, every: 61, slack: 400_000 };

/// For the parts of a file that is known to be broken. There may be many small ones, so that their stretches are counted on.
pub(super) const PART: Sampling = Sampling { first: 0, every: 7, slack: 50_000 };

/// What it takes to begin with a part.
pub(super) const WORK_OF_PART: u64 = 5;

/// What an error takes by itself.
const WORK_OF_ERROR: u64 = 50;

/// With so many comments and earlier errors before it, an error takes twice the work: all of them are passed by.
const EXTRAS_PER_ERROR: u64 = 500;

/// A unit of work is to look at so many bytes. Well-formed text is looked at two or three times.
const BYTES_LOOKED_AT: u64 = 64;

/// So many bytes are handed to the parser at once. They count as looked at.
const CHUNK: usize = 1024;

/// tree-sitter releases what it has read in many ways by recursion: one call for each list element with a minus sign, for
/// example. So it needs a stack that grows with the text: so many bytes, and so many more for each byte of text. The most
/// that a text has been seen to take is a third. It is only reserved; what is not used takes no memory.
const STACK: usize = 128 << 10;
const STACK_PER_BYTE: usize = 96;

/// The work of one parse.
pub(super) struct ParseBudget {
    sampling: Sampling,
    /// The work that may be done beyond one unit for each byte.
    allowed: u64,
    /// What the log tells of it.
    logged: u64,
    /// Comments and errors so far.
    extras: u64,
    /// Stretches that are over, those of earlier parts included.
    stretches: Cell<u64>,
    /// How many bytes the parser has got over.
    seen: Cell<u64>,
    looked_at: Cell<u64>,
}

impl ParseBudget {
    /// After so many stretches of earlier parts. `most` bounds the work beyond one unit for each byte, as `sampling` does.
    pub(super) fn new(sampling: Sampling, before: u64, most: u64) -> Self {
        ParseBudget {
            sampling,
            allowed: sampling.slack.min(most),
            logged: 0,
            extras: 0,
            stretches: Cell::new(before),
            seen: Cell::default(),
            looked_at: Cell::default(),
        }
    }

    /// Parses what is in `range`, which the parser has been told. `None` when it costs too much.
    pub(super) fn parse(&mut self, parser: &mut Parser, text: &[u8], range: Range<usize>) -> Option<Tree> {
        let stack = STACK.saturating_add(range.len().saturating_mul(STACK_PER_BYTE));
        stacker::maybe_grow(stack, stack, || self.run(parser, text, &range))
    }

    /// The work beyond one unit for each byte.
    pub(super) fn excess(&self) -> u64 {
        (self.logged + self.looked_at.get() / BYTES_LOOKED_AT).saturating_sub(self.seen.get())
    }

    /// How many stretches there have been, the last one included.
    pub(super) fn stretches(&self) -> u64 {
        self.stretches.get() + 1
    }

    fn is_over(&self) -> bool {
        self.excess() > self.allowed
    }

    fn run(&mut self, parser: &mut Parser, text: &[u8], range: &Range<usize>) -> Option<Tree> {
        loop {
            let (is_watched, length) = self.next();
            let end = self.stretches.get() + length;
            let notes = Rc::new(Notes::default());
            if is_watched {
                let notes = notes.clone();
                parser.set_logger(Some(Box::new(move |kind, message| notes.take(kind, message))));
            }
            let tree = self.stretch(parser, text, range, end);
            if is_watched {
                parser.set_logger(None);
                self.read(&notes);
            }
            if self.is_over() {
                // Here, where the stack is large enough for it.
                parser.reset();
                return None;
            }
            if tree.is_some() {
                return tree;
            }
        }
    }

    /// Whether the log of the next stretch is read, and how many are alike from here on.
    fn next(&self) -> (bool, u64) {
        let Sampling { first, every, .. } = self.sampling;
        match self.stretches.get().checked_sub(first) {
            Some(past) if past.is_multiple_of(every) => (true, 1),
            Some(past) => (false, every - past % every),
            None => (false, first - self.stretches.get()),
        }
    }

    /// Parses until `end` stretches are over.
    fn stretch(&self, parser: &mut Parser, text: &[u8], range: &Range<usize>, end: u64) -> Option<Tree> {
        let mut report = |state: &ParseState| {
            let seen = state.current_byte_offset().saturating_sub(range.start) as u64;
            self.seen.set(self.seen.get().max(seen));
            self.stretches.set(self.stretches.get() + 1);
            if self.stretches.get() >= end || self.is_over() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let mut read = |at: usize, _| {
            // A single token may look at all that follows. When that has happened too often, it sees an end.
            let end = if self.is_over() { at } else { range.end.min(at + CHUNK) };
            let chunk = text.get(at..end).unwrap_or_default();
            self.looked_at.set(self.looked_at.get() + chunk.len() as u64);
            chunk
        };
        let options = ParseOptions::new().progress_callback(&mut report);
        parser.parse_with_options(&mut read, None, Some(options))
    }

    /// Counts what the log of a stretch tells, for this stretch and for those whose log is not read.
    fn read(&mut self, notes: &Notes) {
        let stands_for = self.sampling.every;
        self.extras += stands_for * notes.extras.get();
        let work_of_error = WORK_OF_ERROR + WORK_OF_ERROR * self.extras / EXTRAS_PER_ERROR;
        self.logged += stands_for * (notes.readings.get() + notes.errors.get() * work_of_error);
    }
}

/// What the log tells of a stretch.
#[derive(Default)]
struct Notes {
    /// How many readings of the text there were besides the first, added up over all steps.
    readings: Cell<u64>,
    errors: Cell<u64>,
    /// Comments, and errors that were recovered from.
    extras: Cell<u64>,
}

impl Notes {
    /// Takes down a line of the log, as `parser.c` writes it.
    fn take(&self, kind: LogType, message: &str) {
        if kind != LogType::Parse {
            return;
        }
        let count = |counter: &Cell<u64>, more: u64| counter.set(counter.get() + more);
        if let Some(step) = message.strip_prefix("process ") {
            let readings = step.split("version_count:").nth(1).and_then(|rest| rest.split(',').next());
            let readings = readings.and_then(|readings| readings.parse::<u64>().ok());
            count(&self.readings, readings.unwrap_or_default().saturating_sub(1));
        } else if message.starts_with("resume version") {
            count(&self.errors, 1);
        } else if message.starts_with("shift_extra") || message.starts_with("recover_to_previous") {
            count(&self.extras, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excess(text: &str) -> (u64, bool) {
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_elixir::LANGUAGE.into()).unwrap();
        let mut meter = ParseBudget::new(WHOLE, 0, u64::MAX);
        let tree = meter.parse(&mut parser, text.as_bytes(), 0..text.len());
        (meter.excess(), tree.is_some())
    }

    #[test]
    fn well_formed_text_costs_nothing_beyond_its_length() {
        for (open, inside, close) in [
            ("def f(x), do: g(x, [1, 2])\n", "", ""),
            ("(", "1", ")"),
            ("if a do\n", "b\n", "end\n"),
            ("a |> ", "b", ""),
            ("# a\n", "a", ""),
            ("x.a.", "b", ""),
        ] {
            let text = format!("{}{inside}{}", open.repeat(20_000), close.repeat(20_000));
            assert_eq!(excess(&text), (0, true), "{open}");
        }
    }

    #[test]
    fn what_costs_too_much_is_given_up_wherever_it_ends() {
        for part in [
            // Errors.
            "\"a\n",
            "a b c 1 2 ",
            "def f(, do: x\n",
            // What can be read in many ways.
            "a + ",
            "a - b, ",
            "a-b|>",
            // What makes the lexer look at all that follows.
            " \n",
        ] {
            let (short, long) =
                (excess(&format!("[{}", part.repeat(60_000))), excess(&format!("[{}", part.repeat(120_000))));
            assert!(!short.1 && !long.1, "{part}");
            assert!(long.0 < short.0 * 2 && short.0 < WHOLE.slack * 2, "{part}: {} {}", short.0, long.0);
        }
    }

    #[test]
    fn a_few_errors_are_no_reason_to_give_up() {
        let text = "def f(, do: x\n".repeat(100) + &"def f(x), do: g(x, [1, 2])\n".repeat(20_000);
        assert!(excess(&text).1);
    }
}
