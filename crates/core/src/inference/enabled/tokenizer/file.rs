//! Reads `tokenizer.json`, which anybody may have written.
//!
//! Such a file describes steps that a text passes through. Each of them is checked before the tokenizer is made: how many there
//! are, how long what they insert is, and how many times as long they can make a text in all.

use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer as Encoder;

use crate::source::{Links, open};
use crate::{Cancel, Error, ErrorKind, Result};

/// Half as large again as the largest in use.
const LARGEST: u64 = 48 << 20;
/// What reading takes for each byte of a file.
const COST: u64 = 16;
/// What a trie of pieces takes for each of their bytes.
const TRIE_COST: u64 = 400;
/// The most that such a trie may take where the caller gives no ceiling.
const LARGEST_TRIE: u64 = 1 << 30;
/// Steps of one kind, however they are nested. Those in use have six at most.
const STEPS: usize = 32;
/// The longest pattern, and the longest text that a step inserts.
const LONGEST_PATTERN: usize = 4096;
const LONGEST_INSERTION: usize = 64;
/// How many times as long a text may become.
const GROWTH: usize = 64;
/// What all normal forms of Unicode together make of a text at most.
const UNICODE_GROWTH: usize = 12;
/// Tokens that are put around every text.
const AROUND: usize = 64;
const LONGEST_WORD: u64 = 1024;
const ADDED: usize = 1 << 16;
const LONGEST_ADDED: usize = 1024;

/// A tokenizer from a file.
pub(in super::super) struct TokenizerFile {
    pub(in super::super) text: Vec<u8>,
    pub(in super::super) encoder: Encoder,
    /// Whether its tokens spell bytes as GPT-2 does.
    pub(super) byte_level: bool,
    /// How many times as long its steps may make a text.
    pub(super) growth: usize,
}

impl TokenizerFile {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for a file that is no tokenizer, [`ErrorKind::Limit`] for one that would take more than `max_bytes`
    /// of memory or makes texts too long.
    pub(in super::super) fn open(path: &Path, max_bytes: Option<u64>) -> Result<Self> {
        let opened = open(path, Links::Followed)?;
        let size = opened.metadata.len();
        let named = |error: Error| {
            let message = format!("the tokenizer {} cannot be used: {error}", path.display());
            Error::new(error.kind(), message).with_path(path)
        };
        if size > LARGEST {
            return Err(named(limit(format!("it is {size} bytes long, and {LARGEST} are the most"))));
        }
        within(size.saturating_mul(COST), max_bytes).map_err(named)?;
        let text = opened.read(path, LARGEST, &Cancel::new())?;
        Self::parse(text, max_bytes).map_err(named)
    }

    fn parse(text: Vec<u8>, max_bytes: Option<u64>) -> Result<Self> {
        let value: Value =
            serde_json::from_slice(&text).map_err(|error| fault(format!("it is no JSON: {error}")))?;
        let growth = check(&value, max_bytes)?;
        let byte_level = steps(&value["decoder"], "decoders")?.iter().any(|step| step["type"] == "ByteLevel");
        drop(value);
        let encoder =
            Encoder::from_bytes(&text).map_err(|error| fault(format!("it is no tokenizer: {error}")))?;
        Ok(TokenizerFile { text, encoder, byte_level, growth })
    }
}

fn fault(message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, message)
}

fn limit(message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Limit, message)
}

fn within(bytes: u64, max_bytes: Option<u64>) -> Result<()> {
    match max_bytes {
        Some(ceiling) if bytes > ceiling => {
            Err(limit(format!("it may need {bytes} bytes of memory, and {ceiling} are allowed")))
        }
        _ => Ok(()),
    }
}

/// Refuses what takes too much, and answers how many times as long a text may become.
fn check(value: &Value, max_bytes: Option<u64>) -> Result<usize> {
    let growth = growth(&steps(&value["normalizer"], "normalizers")?)?;
    for (key, inner) in [("pre_tokenizer", "pretokenizers"), ("decoder", "decoders")] {
        steps(&value[key], inner)?.into_iter().try_for_each(strings)?;
    }
    for processor in steps(&value["post_processor"], "processors")? {
        let pieces = ["single", "pair"].map(|key| processor[key].as_array().map_or(0, Vec::len));
        let special = processor["special_tokens"].as_object();
        let ids = special.into_iter().flatten().map(|(_, token)| token["ids"].as_array().map_or(0, Vec::len));
        if pieces.into_iter().sum::<usize>() > AROUND || ids.sum::<usize>() > AROUND {
            return Err(limit(format!("it puts more than {AROUND} tokens around a text")));
        }
    }
    let model = &value["model"];
    for key in ["continuing_subword_prefix", "end_of_word_suffix", "unk_token"] {
        let longest = if key == "unk_token" { LONGEST_ADDED } else { LONGEST_INSERTION };
        if model[key].as_str().is_some_and(|text| text.len() > longest) {
            return Err(limit(format!("its {key} is longer than {longest} bytes")));
        }
    }
    if model["max_input_chars_per_word"].as_u64().is_some_and(|longest| longest > LONGEST_WORD) {
        return Err(limit(format!("its max_input_chars_per_word is more than {LONGEST_WORD}")));
    }
    if let Some(pieces) = model["vocab"].as_array() {
        let bytes: u64 =
            pieces.iter().filter_map(|piece| piece[0].as_str()).map(|text| text.len() as u64).sum();
        within(bytes.saturating_mul(TRIE_COST), Some(max_bytes.unwrap_or(LARGEST_TRIE)))?;
    }
    let added = value["added_tokens"].as_array().map_or(&[][..], Vec::as_slice);
    let longest = added.iter().filter_map(|token| token["content"].as_str()).map(str::len).max().unwrap_or(0);
    if added.len() > ADDED || longest > LONGEST_ADDED {
        return Err(limit("it adds too many tokens, or too long ones"));
    }
    Ok(growth)
}

/// The steps of a kind, without the sequences that hold them.
fn steps<'v>(value: &'v Value, inner: &str) -> Result<Vec<&'v Value>> {
    let mut found = Vec::new();
    let mut open = vec![value];
    while let Some(step) = open.pop() {
        match step[inner].as_array() {
            Some(inner) => open.extend(inner.iter().rev()),
            None if step.is_null() => {}
            None => found.push(step),
        }
        if found.len() + open.len() > STEPS {
            return Err(limit(format!("it has more than {STEPS} {inner}")));
        }
    }
    Ok(found)
}

/// Refuses long patterns and long texts of a step.
fn strings(step: &Value) -> Result<()> {
    let pattern = ["String", "Regex"].map(|kind| step["pattern"][kind].as_str().map_or(0, str::len));
    let inserted =
        ["content", "prepend", "replacement", "str_rep", "prefix", "suffix", "word_delimiter_token"];
    let inserted = inserted.map(|key| step[key].as_str().map_or(0, str::len));
    if pattern.into_iter().any(|length| length > LONGEST_PATTERN) {
        return Err(limit(format!("one of its patterns is longer than {LONGEST_PATTERN} bytes")));
    }
    if inserted.into_iter().any(|length| length > LONGEST_INSERTION) {
        return Err(limit(format!("it inserts a text of more than {LONGEST_INSERTION} bytes")));
    }
    Ok(())
}

/// How many times as long normalizers may make a text.
fn growth(steps: &[&Value]) -> Result<usize> {
    let mut growth = 1usize;
    let mut unicode = 1;
    for step in steps {
        strings(step)?;
        let factor = match step["type"].as_str() {
            Some("Replace") => {
                let inserted = step["content"].as_str().map_or(0, str::len);
                let shortest = match (&step["pattern"]["String"], &step["pattern"]["Regex"]) {
                    (Value::String(text), _) => text.len(),
                    (_, Value::String(pattern)) => shortest_match(pattern),
                    _ => 0,
                };
                // What matches nothing is found between all characters.
                if shortest == 0 { 1 + inserted } else { inserted.div_ceil(shortest).max(1) }
            }
            // Once for each text, and again behind each token of its own that it holds.
            Some("Prepend") => 2,
            Some("ByteLevel") => 2,
            Some("Precompiled") => {
                unicode = UNICODE_GROWTH;
                precompiled(step["precompiled_charsmap"].as_str().unwrap_or_default())?;
                1
            }
            Some("Strip" | "StripAccents") => 1,
            _ => {
                unicode = UNICODE_GROWTH;
                1
            }
        };
        growth = growth.saturating_mul(factor);
    }
    let growth = growth.saturating_mul(unicode);
    if growth > GROWTH {
        return Err(limit(format!(
            "it may make a text {growth} times as long, and {GROWTH} times is the most"
        )));
    }
    Ok(growth)
}

/// The bytes of the shortest text that a pattern matches; 0 for one that is not known.
fn shortest_match(pattern: &str) -> usize {
    let parsed = regex_syntax::Parser::new().parse(pattern).ok();
    parsed.and_then(|parsed| parsed.properties().minimum_len()).unwrap_or(0)
}

/// Checks the table of a normalizer that SentencePiece has compiled: the size of a trie, the trie, and texts that end with 0.
fn precompiled(base64: &str) -> Result<()> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(base64.len());
    for four in base64.trim_end_matches('=').as_bytes().chunks(4) {
        let mut bits = 0u32;
        for byte in four {
            let digit = digit(*byte).ok_or_else(|| fault("its table of characters is damaged"))?;
            bits = bits << 6 | u32::from(digit);
        }
        bits <<= 6 * (4 - four.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len().max(1)]);
    }
    let (size, rest) =
        bytes.split_first_chunk().ok_or_else(|| fault("its table of characters is damaged"))?;
    let texts = rest.get(u32::from_le_bytes(*size) as usize..);
    let texts = texts.ok_or_else(|| fault("its table of characters is damaged"))?;
    if texts.split(|byte| *byte == 0).any(|text| text.len() > LONGEST_INSERTION) {
        return Err(limit(format!(
            "it puts more than {LONGEST_INSERTION} bytes in the place of a character"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::allocated::most_held;

    fn file(parts: Value) -> Value {
        let mut file = json!({
            "version": "1.0",
            "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]},
        });
        for (key, value) in parts.as_object().unwrap() {
            file[key] = value.clone();
        }
        file
    }

    fn parse(parts: Value) -> Result<TokenizerFile> {
        TokenizerFile::parse(file(parts).to_string().into_bytes(), None)
    }

    fn replace(pattern: &str, content: &str) -> Value {
        json!({"type": "Replace", "pattern": {"String": pattern}, "content": content})
    }

    #[test]
    fn usual_files_are_read() {
        let llama = json!([{"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")]);
        let albert = json!([
            replace("``", "\""), replace("''", "\""), {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        ]);
        for (normalizers, growth) in
            [(llama, 6), (albert, 12), (json!([{"type": "NFC"}]), 12), (json!([]), 1)]
        {
            let read =
                parse(json!({"normalizer": {"type": "Sequence", "normalizers": normalizers}})).unwrap();
            assert_eq!(read.growth, growth);
        }
        let bytes =
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        let read = parse(json!({"pre_tokenizer": bytes, "decoder": bytes, "post_processor": bytes})).unwrap();
        assert!(read.byte_level && read.growth == 1);
    }

    #[test]
    fn files_that_take_much_are_refused_before_they_do() {
        let sequence = |steps: Vec<Value>| json!({"normalizer": {"type": "Sequence", "normalizers": steps}});
        let long = "x".repeat(10 << 20);
        let mut nested = replace("a", "aa");
        for _ in 0..40 {
            nested = json!({"type": "Sequence", "normalizers": [nested, {"type": "NFC"}]});
        }
        let cases = [
            sequence(vec![replace("a", "aa"); 30]),
            sequence(vec![replace("a", "aa"); 10_000]),
            sequence(vec![replace("", "aaaaaaaaaa"); 2]),
            sequence(vec![replace("a", &long)]),
            sequence(vec![json!({"type": "Prepend", "prepend": long})]),
            sequence(vec![json!({"type": "Replace", "pattern": {"Regex": "x*"}, "content": "y".repeat(64)})]),
            sequence(vec![
                json!({"type": "Replace", "pattern": {"Regex": "(?=a)"}, "content": "y".repeat(64)}),
            ]),
            sequence(vec![json!({"type": "Replace", "pattern": {"Regex": long}, "content": "y"})]),
            sequence(vec![
                json!({"type": "Precompiled", "precompiled_charsmap": "AAAA".repeat(2) + &"YWFh".repeat(50)}),
            ]),
            json!({"normalizer": nested}),
            json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": vec![json!({"type": "Whitespace"}); 99]}}),
            json!({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": long}, "behavior": "Isolated", "invert": false}}),
            json!({"decoder": {"type": "Sequence", "decoders": vec![json!({"type": "Fuse"}); 99]}}),
            json!({"post_processor": {"type": "TemplateProcessing", "pair": [], "special_tokens": {},
                "single": vec![json!({"Sequence": {"id": "A", "type_id": 0}}); 999]}}),
            json!({"post_processor": {"type": "TemplateProcessing", "single": [], "pair": [],
                "special_tokens": {"a": {"id": "a", "ids": vec![0; 999], "tokens": vec!["a"; 999]}}}}),
            json!({"model": {"type": "BPE", "vocab": {}, "merges": [], "continuing_subword_prefix": long}}),
            json!({"model": {"type": "BPE", "vocab": {}, "merges": [], "end_of_word_suffix": long}}),
            json!({"model": {"type": "WordPiece", "vocab": {}, "unk_token": "a", "continuing_subword_prefix": "#",
                "max_input_chars_per_word": 1_000_000}}),
            json!({"model": {"type": "Unigram", "vocab": [[long, 0.0]], "unk_id": 0}}),
            json!({"added_tokens": [{"id": 3, "content": long, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true}]}),
        ];
        for case in cases {
            let text = file(case).to_string().into_bytes();
            let (head, length) =
                (String::from_utf8_lossy(&text[..text.len().min(400)]).into_owned(), text.len());
            let (read, held) = most_held(|| TokenizerFile::parse(text, None));
            let error = read.err().unwrap_or_else(|| panic!("{head} is read"));
            assert_eq!(error.kind(), ErrorKind::Limit, "{head}: {error}");
            assert!(held < (16 << 20) + 16 * length, "{head} took {held} bytes");
        }
        let damaged =
            parse(sequence(vec![json!({"type": "Precompiled", "precompiled_charsmap": "/////w=="})]));
        assert_eq!(damaged.err().map(|error| error.kind()), Some(ErrorKind::Model));
        let small = TokenizerFile::parse(
            file(json!({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["abc", 0.0]]}}))
                .to_string()
                .into_bytes(),
            Some(100),
        );
        assert_eq!(small.err().map(|error| error.kind()), Some(ErrorKind::Limit));
    }
}
