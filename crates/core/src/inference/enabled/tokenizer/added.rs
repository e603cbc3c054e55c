//! Tokens with a name of their own, which are found in a text before the rest of it is cut up.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use tokenizers::tokenizer::normalizer::Range as Part;
use tokenizers::{NormalizedString, PreTokenizedString, Token};

use crate::{Error, ErrorKind, Result};

/// The most bytes that the names of them take together. Those of the largest vocabularies take a tenth.
const LONGEST: usize = 1 << 20;

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
        if names.clone().map(<[u8]>::len).sum::<usize>() > LONGEST {
            let message = format!("the names of the tokenizer's own tokens take more than {LONGEST} bytes");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        // The other kinds take a kilobyte for each byte of a name.
        let finder = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::LeftmostLongest)
            .build(names);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: u32, name: &str, strips: (bool, bool), whole_word: bool) -> AddedToken {
        AddedToken { id, name: name.to_owned(), strips, whole_word }
    }

    #[test]
    fn tokens_are_found_as_the_tokenizers_library_finds_them() {
        let tokens = vec![
            token(1, "<a>", (false, false), false),
            token(2, "<a><b>", (false, false), false),
            token(3, "<l>", (true, false), false),
            token(4, "<r>", (false, true), false),
            token(5, "<w>", (false, false), true),
        ];
        let tokens = AddedTokens::new(tokens).unwrap();
        let check = |text: &str, expected: &[(&str, u32)]| {
            let found: Vec<_> = tokens.find(text).map(|(range, id)| (&text[range], id)).collect();
            assert_eq!(found, expected, "{text:?}");
        };
        check("x<a>y<a><b>", &[("<a>", 1), ("<a><b>", 2)]);
        check("x  <l> y", &[("  <l>", 3)]);
        check("x <r>  y", &[("<r>  ", 4)]);
        check("<r>  <l>", &[("<r>  ", 4), ("<l>", 3)]);
        check("a<w> <w> <w>b", &[("<w>", 5)]);
        check("<a", &[]);
        let long = AddedTokens::new(vec![token(1, &"x".repeat(2 << 20), (false, false), false)]);
        assert_eq!(long.err().map(|error| error.kind()), Some(ErrorKind::Limit));
    }
}
