//! From texts to embeddings.

use std::cmp::Reverse;
use std::fmt;
use std::path::Path;

use tokenizers::{Tokenizer, TruncationParams};

use super::backend::Backend;
use super::bert::{Bert, Config};
use super::cpu::Cpu;
use super::safetensors::SafeTensors;
use super::tensors::Tensors;
use super::tokenizer::TokenizerFile;
use crate::inference::{Device, Kernel, LoadOptions, Precision};
use crate::job::Cancel;
use crate::source::{Links, open, read_file};
use crate::{Error, ErrorKind, Result};

/// The most tokens of a batch that passes through the layers at once, unless a single text has more. Texts are not padded, so
/// what it bounds is memory: a thread works on one batch, and what passes between its layers stays in the second cache.
const BATCH_TOKENS: usize = 128;
/// Files that describe an encoder have a few hundred bytes.
const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// What sentence-transformers assumes where the model does not say.
const DEFAULT_LENGTH: usize = 512;

/// An encoder of the BERT family, such as all-MiniLM-L6-v2: a text becomes a vector of length 1 (Reimers and Gurevych 2019).
pub struct Encoder {
    engine: Engine,
    tokenizer: Tokenizer,
    pooling: Pooling,
    dimensions: usize,
    max_tokens: usize,
    fingerprint: String,
}

enum Engine {
    Cpu(Bert<Cpu>),
    Tensors(Bert<Tensors>),
}

#[derive(Clone, Copy)]
enum Pooling {
    /// The mean of all tokens.
    Mean,
    /// The first token.
    First,
}

impl Encoder {
    /// Loads the model in the folder `path`, which holds `config.json`, `model.safetensors` and `tokenizer.json`, and may hold
    /// `sentence_bert_config.json` (for the length that texts are cut to) and `1_Pooling/config.json`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a missing file, [`ErrorKind::Corrupt`] for a damaged one, [`ErrorKind::Model`] for a model that
    /// cannot be run or a tokenizer that does not belong to it, [`ErrorKind::Limit`] above [`LoadOptions::max_bytes`].
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self> {
        let mut hasher = blake3::Hasher::new();
        let config: Config = json(&path.join("config.json"), &mut hasher)?;
        let weights = path.join("model.safetensors");
        let file = SafeTensors::open(&weights, options.max_bytes)?;
        let bytes = config.bytes(options.precision);
        if let Some(ceiling) = options.max_bytes.filter(|&ceiling| bytes > ceiling) {
            let message =
                format!("the encoder's weights need {bytes} bytes of memory, and {ceiling} are allowed");
            return Err(Error::new(ErrorKind::Limit, message).with_path(path));
        }
        let max_tokens = max_tokens(path, &config, &mut hasher)?;
        let tokenizer =
            tokenizer(&path.join("tokenizer.json"), &config, max_tokens, options.max_bytes, &mut hasher)?;
        let pooling = pooling(&path.join("1_Pooling").join("config.json"), &mut hasher)?;
        let opened = open(&weights, Links::Followed)?;
        opened.blocks(&weights, opened.metadata.len(), &options.cancel, &mut |block| {
            hasher.update(block);
        })?;
        if options.precision == Precision::Int8 {
            hasher.update(b"int8");
        }
        let engine = if options.device == Device::Cpu && options.kernel == Kernel::Own {
            Engine::Cpu(Bert::load(Cpu::new(options)?, &config, &file, options.precision, &options.cancel)?)
        } else {
            Engine::Tensors(Bert::load(
                Tensors::new(options)?,
                &config,
                &file,
                options.precision,
                &options.cancel,
            )?)
        };
        Ok(Encoder {
            engine,
            tokenizer,
            pooling,
            dimensions: config.hidden_size,
            max_tokens,
            fingerprint: hasher.finalize().to_hex().to_string(),
        })
    }

    /// A vector of length 1 for each text, in their order. Texts longer than [`Encoder::max_tokens`] are cut. A text's vector does
    /// not depend on the others, and several threads may call this at once.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the tokenizer fails, and those of [`Cancel::check`].
    pub fn embed(&self, texts: &[&str], cancel: &Cancel) -> Result<Vec<Vec<f32>>> {
        match &self.engine {
            Engine::Cpu(bert) => self.embed_with(bert, texts, cancel),
            Engine::Tensors(bert) => self.embed_with(bert, texts, cancel),
        }
    }

    fn embed_with<B: Backend>(
        &self,
        bert: &Bert<B>,
        texts: &[&str],
        cancel: &Cancel,
    ) -> Result<Vec<Vec<f32>>> {
        bert.backend.run(|| {
            let tokens = bert.backend.each(texts.len(), |text| {
                cancel.check()?;
                Ok(self.encode(texts[text])?.get_ids().to_vec())
            })?;
            let batches = batches(&tokens);
            let embedded = bert.backend.each(batches.len(), |batch| {
                cancel.check()?;
                let texts: Vec<&[u32]> = batches[batch].iter().map(|&text| tokens[text].as_slice()).collect();
                let lengths: Vec<usize> = texts.iter().map(|tokens| tokens.len()).collect();
                let states = bert.forward(&texts.concat(), &lengths)?;
                let mut rest = states.as_slice();
                let pooled = lengths.iter().map(|&length| {
                    let (text, after) = rest.split_at(length * self.dimensions);
                    rest = after;
                    self.pool(text)
                });
                Ok(pooled.collect::<Vec<_>>())
            })?;
            // Those without a token keep this.
            let mut embeddings = vec![vec![0.0; self.dimensions]; texts.len()];
            for (text, embedding) in batches.into_iter().flatten().zip(embedded.into_iter().flatten()) {
                embeddings[text] = embedding;
            }
            Ok(embeddings)
        })
    }

    fn encode(&self, text: &str) -> Result<tokenizers::Encoding> {
        let encoding = self.tokenizer.encode_fast(text, true);
        encoding.map_err(|error| Error::new(ErrorKind::Model, format!("the tokenizer failed: {error}")))
    }

    fn pool(&self, states: &[f32]) -> Vec<f32> {
        let rows = match self.pooling {
            Pooling::Mean => states,
            Pooling::First => &states[..self.dimensions.min(states.len())],
        };
        let mut sum = vec![0f32; self.dimensions];
        for row in rows.chunks_exact(self.dimensions) {
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        // The length becomes 1, so the mean need not be divided by the number of rows.
        let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        sum.iter_mut().for_each(|value| *value /= length);
        sum
    }

    /// Numbers in each vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The number of tokens that texts are cut to.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The number of tokens of `text`, at most [`Encoder::max_tokens`].
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the tokenizer fails.
    pub fn count(&self, text: &str) -> Result<usize> {
        Ok(self.encode(text)?.len())
    }

    /// A hash of everything that determines the vectors: vectors of two encoders can be compared if their fingerprints are equal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// The numbers of the texts that have tokens, in batches of [`BATCH_TOKENS`] tokens at most, longest texts first: those of a batch have like lengths,
/// and what is left to do when threads run out of work is small.
fn batches(tokens: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..tokens.len()).filter(|&text| !tokens[text].is_empty()).collect();
    order.sort_by_key(|&text| Reverse(tokens[text].len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for text in order {
        let length = tokens[text].len();
        match batches.last_mut() {
            Some(batch) if length <= room => {
                room -= length;
                batch.push(text);
            }
            _ => {
                room = BATCH_TOKENS.saturating_sub(length);
                batches.push(vec![text]);
            }
        }
    }
    batches
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("dimensions", &self.dimensions)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path, hasher: &mut blake3::Hasher) -> Result<T> {
    let text = read_file(path, MAX_CONFIG_BYTES, &Cancel::new())?;
    hasher.update(&text);
    serde_json::from_slice(&text).map_err(|error| {
        Error::new(ErrorKind::Model, format!("{} does not describe an encoder: {error}", path.display()))
            .with_path(path)
    })
}

fn max_tokens(path: &Path, config: &Config, hasher: &mut blake3::Hasher) -> Result<usize> {
    #[derive(serde::Deserialize)]
    struct Sentences {
        max_seq_length: Option<usize>,
    }
    let path = path.join("sentence_bert_config.json");
    let given = if path.exists() { json::<Sentences>(&path, hasher)?.max_seq_length } else { None };
    Ok(given.unwrap_or(DEFAULT_LENGTH).min(config.max_position_embeddings))
}

fn tokenizer(
    path: &Path,
    config: &Config,
    max_tokens: usize,
    max_bytes: Option<u64>,
    hasher: &mut blake3::Hasher,
) -> Result<Tokenizer> {
    let TokenizerFile { text, encoder: mut tokenizer, .. } = TokenizerFile::open(path, max_bytes)?;
    hasher.update(&text);
    let wrong = |message: String| {
        Error::new(ErrorKind::Model, format!("{}: {message}", path.display())).with_path(path)
    };
    let largest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0) as usize;
    if largest >= config.vocab_size || largest < config.vocab_size / 2 {
        let message = format!(
            "its greatest token is {largest} and the model knows {}: they do not belong together",
            config.vocab_size
        );
        return Err(wrong(message));
    }
    tokenizer.with_padding(None);
    // What looks like a control token in a text is text.
    tokenizer.set_encode_special_tokens(true);
    let truncation = TruncationParams { max_length: max_tokens, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(truncation)).map_err(|error| wrong(error.to_string()))?;
    Ok(tokenizer)
}

fn pooling(path: &Path, hasher: &mut blake3::Hasher) -> Result<Pooling> {
    #[derive(serde::Deserialize)]
    struct Modes {
        #[serde(default)]
        pooling_mode_mean_tokens: bool,
        #[serde(default)]
        pooling_mode_cls_token: bool,
    }
    if !path.exists() {
        return Ok(Pooling::Mean);
    }
    match json(path, hasher)? {
        Modes { pooling_mode_mean_tokens: true, pooling_mode_cls_token: false } => Ok(Pooling::Mean),
        Modes { pooling_mode_mean_tokens: false, pooling_mode_cls_token: true } => Ok(Pooling::First),
        _ => {
            Err(Error::new(ErrorKind::Model, "the encoder's way of pooling is neither mean nor first token")
                .with_path(path))
        }
    }
}
