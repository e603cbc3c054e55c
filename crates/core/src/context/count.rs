//! How many tokens a text is.

use crate::inference::Model;

/// Counts tokens as a model's tokenizer makes them.
///
/// A budget is kept by what this says of the whole text, so it may be any function: the tokens of a text need not be the
/// sum of those of its parts.
pub trait TokenCounter {
    /// The tokens of `text`.
    fn count(&self, text: &str) -> usize;
}

impl<F: Fn(&str) -> usize> TokenCounter for F {
    fn count(&self, text: &str) -> usize {
        self(text)
    }
}

/// Where the tokenizer fails, as many as the text has bytes, which is never too few.
impl TokenCounter for Model {
    fn count(&self, text: &str) -> usize {
        self.tokenizer().count(text).unwrap_or(text.len())
    }
}

/// For a model that is not known: a token for each two bytes. Tokenizers make one of three to four bytes of code, so that
/// this is too many rather than too few, and what was packed by it fits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate;

impl TokenCounter for Estimate {
    fn count(&self, text: &str) -> usize {
        text.len().div_ceil(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_half_of_the_bytes_rounded_up() {
        assert_eq!(["", "a", "ab", "abc", "ä"].map(|text| Estimate.count(text)), [0, 1, 1, 2, 1]);
    }
}
