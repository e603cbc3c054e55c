//! Builds tokenizers from what GGUF files say of them.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{NFC, Prepend, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper, SplitDelimiterBehavior, Tokenizer};

use super::super::gguf::Gguf;
use super::kind;
use crate::{Error, ErrorKind, Result};

/// Longer pieces exist in no vocabulary; looking for their parts would take time that grows with the square of the length.
const LONGEST_PIECE: usize = 256;

/// Ways in which a token can be put together of two others, on average: two or three in vocabularies in use.
const MERGES: usize = 16;

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, format!("the model file's tokenizer is damaged: {error}"))
}

/// Byte-pair encoding of bytes, after the text was cut as `tokenizer.ggml.pre` says.
pub(super) fn byte_level(gguf: &Gguf, tokens: &[&str]) -> Result<Tokenizer> {
    let merges = gguf.strings("tokenizer.ggml.merges").ok_or_else(|| failed("it has no merges"))?;
    let merges = merges.map(|merge| match merge.split_once(' ') {
        Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
        None => Err(failed(format!("{merge:?} is no merge"))),
    });
    let split = |pattern: &str| {
        let split =
            Split::new(SplitPattern::Regex(pattern.to_owned()), SplitDelimiterBehavior::Isolated, false);
        split.map(PreTokenizerWrapper::from).map_err(failed)
    };
    let bytes = |cuts| PreTokenizerWrapper::from(ByteLevel::new(false, false, cuts));
    let style = gguf.string("tokenizer.ggml.pre").unwrap_or("default");
    let (cuts, whole_words) = match style {
        "gpt-2" | "default" => (vec![bytes(true)], false),
        "smollm" | "starcoder" | "refact" | "command-r" => {
            (vec![Digits::new(true).into(), bytes(true)], false)
        }
        "qwen2" | "deepseek-r1-qwen" => (vec![split(QWEN2)?, bytes(false)], false),
        "llama-bpe" | "llama3" | "llama-v3" => (vec![split(LLAMA3)?, bytes(false)], true),
        other => {
            let message =
                format!("the model's way of cutting text, {other:?}, is not known; give a tokenizer.json");
            return Err(Error::new(ErrorKind::Model, message));
        }
    };
    let model = BPE::builder()
        .vocab_and_merges(vocabulary(tokens), merges.collect::<Result<Vec<_>>>()?)
        .ignore_merges(whole_words);
    let mut tokenizer = Tokenizer::new(model.build().map_err(failed)?);
    tokenizer.with_pre_tokenizer(Some(Sequence::new(cuts)));
    if style == "qwen2" {
        tokenizer.with_normalizer(Some(NFC));
    }
    Ok(tokenizer)
}

/// SentencePiece's byte-pair encoding: the pair whose union has the best score is merged first.
pub(super) fn sentence_piece(gguf: &Gguf, tokens: &[&str], kinds: &[u32]) -> Result<Tokenizer> {
    let scores: Vec<f64> =
        gguf.numbers("tokenizer.ggml.scores").ok_or_else(|| failed("it has no scores"))?.collect();
    if scores.len() != tokens.len() {
        return Err(failed("it has another number of scores than tokens"));
    }
    let vocabulary = vocabulary(tokens);
    let mut merges = Vec::new();
    // No text becomes a control token.
    let from_text = tokens.iter().zip(&scores).zip(kinds).filter(|(_, kind)| **kind != kind::CONTROL);
    let from_text = from_text.map(|(token, _)| token).filter(|(token, _)| token.len() <= LONGEST_PIECE);
    for (token, score) in from_text {
        let mut parts: Vec<_> = (token.char_indices().skip(1))
            .map(|(at, _)| token.split_at(at))
            .filter_map(|(left, right)| Some((vocabulary.get(left)?, vocabulary.get(right)?, left, right)))
            .collect();
        parts.sort_unstable();
        merges.extend(parts.into_iter().map(|(_, _, left, right)| (*score, left, right)));
        if merges.len() > MERGES * tokens.len() {
            let message = "the model file's tokens can be put together in too many ways";
            return Err(Error::new(ErrorKind::Limit, message));
        }
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0));
    let merges: Vec<_> =
        merges.into_iter().map(|(_, left, right)| (left.to_owned(), right.to_owned())).collect();
    let unknown = gguf
        .usize("tokenizer.ggml.unknown_token_id")
        .and_then(|id| tokens.get(id))
        .copied()
        .unwrap_or("<unk>");
    let model = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .byte_fallback(true)
        .fuse_unk(true)
        .unk_token(unknown.to_owned());
    let mut tokenizer = Tokenizer::new(model.build().map_err(failed)?);
    let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
    if gguf.bool("tokenizer.ggml.add_space_prefix").unwrap_or(true) {
        normalizers.push(Prepend::new("▁".to_owned()).into());
    }
    normalizers.push(Replace::new(" ", "▁").map_err(failed)?.into());
    tokenizer.with_normalizer(Some(Normalizers::new(normalizers)));
    Ok(tokenizer)
}

fn vocabulary(tokens: &[&str]) -> Vocab {
    tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id as u32)).collect()
}
