//! Tokens with a name of their own, which are found in a text before the rest of it is cut up.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use tokenizers::tokenizer::normalizer::Range as Part;
use tokenizers::{NormalizedString, PreTokenizedString, Token};

use crate::{Error, ErrorKind, Result};

/// Such a token.
#[derive(Clone, Debug, Default)]
pub(super) struct AddedToken {
    pub(super) id: u32,
    pub(super) name: String,
    /// Whether the white space before it belongs to it, and that after it.
    pub(super) strips: (bool, bool),
    /// Whether it is found between words only.
    pub(super) whole_word: bool,
}

/// Finds tokens by their names.
pub(super) struct AddedTokens {
    finder: AhoCorasick,
    tokens: Vec<AddedToken>,
}

impl AddedTokens {
    pub(super) fn new(tokens: Vec<AddedToken>) -> Result<Self> {
        let names = tokens.iter().map(|token| token.name.as_bytes());
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(names);
        let finder = finder.map_err(|error| {
            Error::new(ErrorKind::Model, format!("the tokenizer's own tokens cannot be looked for: {error}"))
        })?;
        Ok(AddedTokens { finder, tokens })
    }

    /// Those in `text`, in order: where each stands and which it is. The longest is taken where several begin.
    pub(super) fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (Range<usize>, u32)> + 'a {
        let mut after = 0;
        self.finder.find_iter(text).filter_map(move |found| {
            let token = &self.tokens[found.pattern().as_usize()];
            let (before, behind) = (&text[after.min(found.start())..found.start()], &text[found.end()..]);
            let in_word = |char: char| char.is_alphanumeric() || char == '_';
            if token.whole_word && (before.ends_with(in_word) || behind.starts_with(in_word)) {
                return None;
            }
            let start = match token.strips.0 {
                true => found.start() - (before.len() - before.trim_end().len()),
                false => found.start(),
            };
            let end = match token.strips.1 {
                true => found.end() + (behind.len() - behind.trim_start().len()),
                false => found.end(),
            };
            // White space that the one before has taken may hold the beginning of this one.
            let start = start.max(after);
            after = end;
            (start < end).then_some((start..end, token.id))
        })
    }
}

/// Cuts `text` at the tokens that stand in these places.
pub(super) fn cut(
    text: &mut PreTokenizedString,
    places: impl Fn(&str) -> Vec<(Range<usize>, u32)>,
) -> tokenizers::Result<()> {
    text.split(|_, piece: NormalizedString| {
        let places = places(piece.get());
        let mut pieces: Vec<(NormalizedString, Option<Vec<Token>>)> =
            Vec::with_capacity(2 * places.len() + 1);
        let mut start = 0;
        let part = |range: Range<usize>| piece.slice(Part::Normalized(range));
        for (range, id) in places {
            pieces.extend(part(start..range.start).map(|text| (text, None)));
            start = range.end;
            let token = Token::new(id, String::new(), (0, range.len()));
            pieces.extend(part(range).map(|text| (text, Some(vec![token]))));
        }
        pieces.extend(part(start..piece.get().len()).map(|text| (text, None)));
        Ok(pieces)
    })
}
