//! From text to tokens and back.

mod added;
mod build;
mod file;

use std::ops::Range;
use std::path::Path;

use tokenizers::{
    Model as _, Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _,
    Tokenizer as Encoder,
};

use self::added::{AddedToken, AddedTokens};
pub(super) use self::file::TokenizerFile;
use super::gguf::Gguf;
use crate::inference::{Prompt, Utf8Stream};
use crate::{Error, ErrorKind, Result};

/// The most bytes that are cut into tokens at once, after the tokenizer's steps. Each takes some twenty bytes of memory.
const LONGEST_TEXT: usize = 32 << 20;
/// What the steps of tokenizers in model files make of a text at most: spaces of SentencePiece, normal form C.
const GROWTH: usize = 3;
/// Four times the largest vocabulary in use.
const LARGEST_VOCABULARY: usize = 1 << 20;

/// Turns text into a model's tokens and back.
pub struct Tokenizer {
    /// It knows no tokens with names of their own; those are found here.
    encoder: Encoder,
    control: AddedTokens,
    defined: AddedTokens,
    /// The bytes of each token, one after another, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<u32>,
    special: Vec<bool>,
    begin: Option<u32>,
    adds_begin: bool,
    adds_space: bool,
    /// How many times as long a text becomes before it is cut into tokens, at most.
    growth: usize,
    /// The one that the header names comes first.
    end_of_text: Vec<u32>,
}

/// How a vocabulary writes bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// Each byte is a printable character (GPT-2).
    ByteLevel,
    /// Spaces are `▁` and bytes that are no character `<0xNN>` (SentencePiece).
    SentencePiece,
}

/// What the GGUF format says of a token.
mod kind {
    pub(super) const UNKNOWN: u32 = 2;
    pub(super) const CONTROL: u32 = 3;
    pub(super) const USER_DEFINED: u32 = 4;
}

impl Tokenizer {
    /// The tokenizer that a model file holds, for a model of `vocabulary` tokens.
    pub(super) fn from_gguf(gguf: &Gguf, vocabulary: usize) -> Result<Self> {
        let missing = |what: &str| {
            Error::new(ErrorKind::Model, format!("the model file holds no {what}; give a tokenizer.json"))
        };
        let tokens: Vec<&str> =
            gguf.strings("tokenizer.ggml.tokens").ok_or_else(|| missing("tokens"))?.collect();
        if tokens.len() > LARGEST_VOCABULARY {
            let message =
                format!("the tokenizer has {} tokens, and {LARGEST_VOCABULARY} are the most", tokens.len());
            return Err(Error::new(ErrorKind::Limit, message));
        }
        if tokens.len() != vocabulary {
            let message = format!(
                "the tokenizer has {} tokens and the model {vocabulary}: they do not belong together",
                tokens.len()
            );
            return Err(Error::new(ErrorKind::Model, message));
        }
        let mut kinds: Vec<u32> = gguf
            .numbers("tokenizer.ggml.token_type")
            .map_or_else(Vec::new, |kinds| kinds.map(|kind| kind as u32).collect());
        kinds.resize(vocabulary, 1);
        let (encoder, spelling) = match gguf.string("tokenizer.ggml.model") {
            Some("gpt2") => (build::byte_level(gguf, &tokens)?, Spelling::ByteLevel),
            Some("llama") => (build::sentence_piece(gguf, &tokens, &kinds)?, Spelling::SentencePiece),
            other => {
                let message = format!(
                    "the tokenizer {other:?} is not known (gpt2 and llama are); give a tokenizer.json"
                );
                return Err(Error::new(ErrorKind::Model, message));
            }
        };
        let added = added_tokens(&tokens, &kinds);
        let mut this = Self::new(encoder, spelling, &tokens, &kinds, added)?;
        this.begin = known_token(gguf, "bos_token_id", vocabulary);
        this.adds_begin =
            gguf.bool("tokenizer.ggml.add_bos_token").unwrap_or(spelling == Spelling::SentencePiece);
        this.adds_space = spelling == Spelling::SentencePiece
            && gguf.bool("tokenizer.ggml.add_space_prefix").unwrap_or(true);
        this.ends_with(gguf);
        Ok(this)
    }

    /// The tokenizer in the file at `path`, for the model in `gguf`.
    pub(super) fn from_file(
        path: &Path,
        gguf: &Gguf,
        vocabulary: usize,
        max_bytes: Option<u64>,
    ) -> Result<Self> {
        let TokenizerFile { encoder, byte_level, growth, .. } = TokenizerFile::open(path, max_bytes)?;
        if vocabulary > LARGEST_VOCABULARY {
            let message = format!("the model has {vocabulary} tokens, and {LARGEST_VOCABULARY} are the most");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let mut tokens = vec![String::new(); vocabulary];
        let mut foreign = 0;
        let entries = encoder.get_vocab(true);
        let known: Option<Vec<&str>> = gguf.strings("tokenizer.ggml.tokens").map(Iterator::collect);
        for (token, id) in &entries {
            let Some(slot) = tokens.get_mut(*id as usize) else {
                foreign += vocabulary;
                continue;
            };
            if known.as_ref().is_some_and(|known| known.get(*id as usize) != Some(&token.as_str())) {
                foreign += 1;
            }
            slot.clone_from(token);
        }
        // Vocabularies are padded to a round number, so a few tokens of the model may be unnamed.
        if foreign > vocabulary / 100 || entries.len() < vocabulary - vocabulary / 16 {
            let message = format!(
                "{} does not belong to this model: it has {} tokens and the model {vocabulary}, and {foreign} differ",
                path.display(),
                entries.len()
            );
            return Err(Error::new(ErrorKind::Model, message).with_path(path));
        }
        let spelling = if byte_level { Spelling::ByteLevel } else { Spelling::SentencePiece };
        let mut kinds: Vec<u32> = gguf
            .numbers("tokenizer.ggml.token_type")
            .map_or_else(Vec::new, |kinds| kinds.map(|kind| kind as u32).collect());
        kinds.resize(vocabulary, 1);
        let mut added = Vec::new();
        for (id, token) in encoder.get_added_tokens_decoder() {
            let Some(kind) = kinds.get_mut(id as usize) else { continue };
            // What the model file calls a control token is one, whatever the tokenizer's file says.
            if *kind != kind::CONTROL {
                *kind = if token.special { kind::CONTROL } else { kind::USER_DEFINED };
            }
            added.push(AddedToken {
                id,
                name: token.content,
                strips: (token.lstrip, token.rstrip),
                whole_word: token.single_word,
            });
        }
        added.sort_unstable_by_key(|token| token.id);
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let known = |id: usize| added.iter().any(|token| token.id as usize == id);
        let more: Vec<AddedToken> =
            added_tokens(&tokens, &kinds).into_iter().filter(|token| !known(token.id as usize)).collect();
        added.extend(more);
        let mut this = Self::new(encoder, spelling, &tokens, &kinds, added)?;
        this.begin = known_token(gguf, "bos_token_id", vocabulary);
        this.growth = growth;
        this.ends_with(gguf);
        Ok(this)
    }

    /// `added` are the tokens with names of their own.
    fn new(
        encoder: Encoder,
        spelling: Spelling,
        tokens: &[&str],
        kinds: &[u32],
        added: Vec<AddedToken>,
    ) -> Result<Self> {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(tokens.len());
        for (token, kind) in tokens.iter().zip(kinds) {
            let literal = matches!(*kind, kind::CONTROL | kind::USER_DEFINED | kind::UNKNOWN);
            spell(token, if literal { None } else { Some(spelling) }, &mut bytes);
            ends.push(bytes.len() as u32);
        }
        let special: Vec<bool> = kinds.iter().map(|kind| *kind == kind::CONTROL).collect();
        let is_control = |token: &AddedToken| {
            special.get(token.id as usize).copied().unwrap_or(true) || looks_like_control(&token.name)
        };
        let (control, defined): (Vec<_>, Vec<_>) = added.into_iter().partition(is_control);
        // Models for conversations end a turn with one of these, which the header seldom names.
        let ends_turn = ["<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end|>", "<end_of_turn>", "</s>"];
        let end_of_text = (0..tokens.len())
            .filter(|&id| special[id] && ends_turn.contains(&tokens[id]))
            .map(|id| id as u32);
        let end_of_text = end_of_text.collect();
        Ok(Tokenizer {
            encoder,
            control: AddedTokens::new(control)?,
            defined: AddedTokens::new(defined)?,
            bytes,
            ends,
            special,
            begin: None,
            adds_begin: false,
            adds_space: false,
            growth: GROWTH,
            end_of_text,
        })
    }

    /// The tokens by which the header says that a text or a turn ends go before those that were found by their names.
    fn ends_with(&mut self, gguf: &Gguf) {
        let named = ["eos_token_id", "eot_token_id"];
        let mut ends: Vec<u32> =
            named.into_iter().filter_map(|key| known_token(gguf, key, self.vocabulary())).collect();
        ends.append(&mut self.end_of_text);
        for end in ends {
            if !self.end_of_text.contains(&end) {
                self.end_of_text.push(end);
            }
        }
    }

    /// The tokens of `text`. Names of control tokens in it are text like any other.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the tokenizer fails, which well-formed ones do not, [`ErrorKind::Limit`] for megabytes of text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_with(text, &[])
    }

    /// The tokens of a text whose control tokens stand in these places.
    fn encode_with(&self, text: &str, control: &[(Range<usize>, u32)]) -> Result<Vec<u32>> {
        if text.len().saturating_mul(self.growth) > LONGEST_TEXT {
            let message = format!(
                "the text is {} bytes long, and the tokenizer takes {} at most; give it parts",
                text.len(),
                LONGEST_TEXT / self.growth
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let encode = || -> tokenizers::Result<Vec<u32>> {
            let mut pieces = PreTokenizedString::from(text);
            added::cut(&mut pieces, |_| control.to_vec())?;
            added::cut(&mut pieces, |piece| self.defined.find(piece).collect())?;
            if let Some(normalizer) = self.encoder.get_normalizer() {
                pieces.normalize(|piece| normalizer.normalize(piece))?;
            }
            if let Some(pre_tokenizer) = self.encoder.get_pre_tokenizer() {
                pre_tokenizer.pre_tokenize(&mut pieces)?;
            }
            pieces.tokenize(|piece| self.encoder.get_model().tokenize(piece.get()))?;
            let splits = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
            Ok(splits
                .iter()
                .filter_map(|(_, _, tokens)| tokens.as_ref())
                .flatten()
                .map(|token| token.id)
                .collect())
        };
        encode().map_err(|error| Error::new(ErrorKind::Model, format!("the tokenizer failed: {error}")))
    }

    /// The tokens of `prompt`, which is all that the model sees: with the token that begins a text in front, if the model wants
    /// one and the prompt does not already have it. What a template wrote may name control tokens; nothing else does.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_prompt(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        let mut control = Vec::new();
        for part in prompt.template_parts() {
            let found = self.control.find(&prompt.text()[part.clone()]);
            control.extend(found.map(|(range, id)| (range.start + part.start..range.end + part.start, id)));
        }
        let mut tokens = self.encode_with(prompt.text(), &control)?;
        if let Some(begin) = self.begin.filter(|begin| self.adds_begin && tokens.first() != Some(begin)) {
            tokens.insert(0, begin);
        }
        Ok(tokens)
    }

    /// The number of tokens of `text`.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn count(&self, text: &str) -> Result<usize> {
        Ok(self.encode(text)?.len())
    }

    /// The text of `tokens`, without control tokens. Bytes that are no UTF-8 become U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let mut stream = Utf8Stream::default();
        let mut text: String = tokens.iter().map(|&token| stream.push(self.token_bytes(token))).collect();
        text.push_str(&stream.finish());
        match text.strip_prefix(' ') {
            Some(rest) if self.adds_space => rest.to_owned(),
            _ => text,
        }
    }

    /// The bytes that a token stands for: none for control tokens and for numbers that are no tokens. They need not be whole
    /// characters; [`Utf8Stream`] puts them together.
    pub fn token_bytes(&self, token: u32) -> &[u8] {
        let token = token as usize;
        if self.special.get(token).copied().unwrap_or(true) {
            return &[];
        }
        self.raw_bytes(token)
    }

    fn raw_bytes(&self, token: usize) -> &[u8] {
        let start = if token == 0 { 0 } else { self.ends[token - 1] as usize };
        &self.bytes[start..self.ends[token] as usize]
    }

    /// The text of a control token, as templates need it.
    pub(super) fn token_text(&self, token: u32) -> String {
        String::from_utf8_lossy(self.raw_bytes(token as usize)).into_owned()
    }

    /// The token that begins a text.
    pub fn begin_of_text(&self) -> Option<u32> {
        self.begin
    }

    /// The tokens by which the model says that it is done.
    pub fn end_of_text(&self) -> &[u32] {
        &self.end_of_text
    }

    /// The number of tokens.
    pub fn vocabulary(&self) -> usize {
        self.ends.len()
    }
}

/// The token that the header names under this key.
fn known_token(gguf: &Gguf, key: &str, vocabulary: usize) -> Option<u32> {
    gguf.usize(&format!("tokenizer.ggml.{key}")).filter(|&id| id < vocabulary).map(|id| id as u32)
}

/// The control tokens of a vocabulary, and those that its maker defined.
fn added_tokens(tokens: &[&str], kinds: &[u32]) -> Vec<AddedToken> {
    let named = tokens.iter().zip(kinds).zip(0..).filter(|((token, kind), _)| {
        matches!(**kind, kind::CONTROL | kind::USER_DEFINED) && !token.is_empty()
    });
    named
        .map(|((token, _), id)| AddedToken { id, name: (*token).to_owned(), ..AddedToken::default() })
        .collect()
}

/// Whether a token that its maker defined is one by which models are steered, such as `<|fim_prefix|>`: some files do not say so.
fn looks_like_control(name: &str) -> bool {
    name.len() > 4 && name.starts_with("<|") && name.ends_with("|>")
}

/// Appends the bytes of a token; `None` takes its text as it is.
fn spell(token: &str, spelling: Option<Spelling>, bytes: &mut Vec<u8>) {
    match spelling {
        None => bytes.extend_from_slice(token.as_bytes()),
        Some(Spelling::ByteLevel) => {
            for char in token.chars() {
                match byte_of(char) {
                    Some(byte) => bytes.push(byte),
                    None => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
        }
        Some(Spelling::SentencePiece) => {
            let hexadecimal = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
            match hexadecimal.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) => bytes.push(byte),
                None => bytes.extend_from_slice(token.replace('▁', " ").as_bytes()),
            }
        }
    }
}

/// The byte that GPT-2 writes as this character: printable ones stand for themselves, the others follow from U+0100 on.
fn byte_of(char: char) -> Option<u8> {
    let itself = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    match u32::from(char) {
        code @ 0..=0xff if itself(code as u8) => Some(code as u8),
        code @ 0x100..0x144 => (0..=0xff).filter(|byte| !itself(*byte)).nth(code as usize - 0x100),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_character() {
        let mut bytes: Vec<u8> = (0..0x144).filter_map(char::from_u32).filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(
            (byte_of('Ġ'), byte_of('Ċ'), byte_of('a'), byte_of('▁')),
            (Some(b' '), Some(b'\n'), Some(b'a'), None)
        );
    }

    #[test]
    fn tokens_spell_bytes() {
        let spelled = |token, spelling| {
            let mut bytes = Vec::new();
            spell(token, spelling, &mut bytes);
            bytes
        };
        assert_eq!(spelled("ĠdÃ©", Some(Spelling::ByteLevel)), " dé".as_bytes());
        assert_eq!(spelled("▁a▁b", Some(Spelling::SentencePiece)), b" a b");
        assert_eq!(spelled("<0xE2>", Some(Spelling::SentencePiece)), b"\xe2");
        assert_eq!(spelled("<|Ġ|>", None), "<|Ġ|>".as_bytes());
    }
}
