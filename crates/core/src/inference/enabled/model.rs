//! A model and the memory of a session with it.

use std::fmt;
use std::path::Path;

use super::backend::Backend;
use super::chat::ChatTemplate;
use super::cpu::{self, Cpu};
use super::decoder::{Config, Decoder, weight_bytes};
use super::gguf::Gguf;
use super::tensors::{self, Tensors};
use super::tokenizer::Tokenizer;
use crate::inference::{ChatOptions, Device, Kernel, LoadOptions, Message, ModelInfo, Prompt};
use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

/// What a vocabulary takes in memory, for each byte that it takes in a file.
const HEADER_COST: u64 = 12;

/// The weights of a language model with its tokenizer. It never changes; share it in an `Arc`.
pub struct Model {
    decoder: Engine,
    info: ModelInfo,
    tokenizer: Tokenizer,
    /// One that cannot be read is an error only for those who want it.
    template: Option<std::result::Result<ChatTemplate, String>>,
}

enum Engine {
    Cpu(Decoder<Cpu>),
    Tensors(Decoder<Tensors>),
}

/// The keys and values of a session's tokens. Its memory is taken once, for `capacity` tokens, and written in place.
///
/// It belongs to the model that made it.
pub struct KvCache {
    layers: Layers,
    capacity: usize,
    tokens: Vec<u32>,
}

enum Layers {
    Cpu(Vec<<Cpu as Backend>::Cache>),
    Tensors(Vec<<Tensors as Backend>::Cache>),
}

impl Model {
    /// Loads the model in the GGUF file at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a file that is damaged or no GGUF file, [`ErrorKind::Version`] for one of a newer version,
    /// [`ErrorKind::Model`] for a model that cannot be run or a tokenizer that does not belong to it, [`ErrorKind::Limit`] above
    /// [`LoadOptions::max_bytes`], [`ErrorKind::Unavailable`] for a device that is not there, and those of reading the file.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self> {
        options.cancel.check()?;
        let gguf = Gguf::open(path)?;
        Self::from_gguf(&gguf, options).map_err(|error| match error.path() {
            Some(_) => error,
            None => error.with_path(path),
        })
    }

    fn from_gguf(gguf: &Gguf, options: &LoadOptions) -> Result<Self> {
        if let Some(ceiling) =
            options.max_bytes.filter(|ceiling| gguf.header_bytes() * HEADER_COST > *ceiling)
        {
            let message = format!(
                "the {} bytes of the model file's header may need {HEADER_COST} times as many of memory, and {ceiling} are allowed",
                gguf.header_bytes()
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let config = Config::new(gguf)?;
        let tokenizer = match &options.tokenizer {
            Some(path) => Tokenizer::from_file(path, gguf, config.vocabulary, options.max_bytes)?,
            None => Tokenizer::from_gguf(gguf, config.vocabulary)?,
        };
        let template = gguf.string("tokenizer.chat_template").map(|source| {
            let text =
                |token: Option<&u32>| token.map_or_else(String::new, |&token| tokenizer.token_text(token));
            let (begin, end) = (tokenizer.begin_of_text(), tokenizer.end_of_text());
            ChatTemplate::new(source, text(begin.as_ref()), text(end.first()))
                .map_err(|error| error.to_string())
        });
        let mut info = ModelInfo {
            architecture: config.architecture.clone(),
            name: gguf.string("general.name").unwrap_or_default().to_owned(),
            vocabulary: config.vocabulary,
            context_length: config.context_length,
            parameters: gguf.tensors().map(|(_, tensor)| tensor.elements() as u64).sum(),
            bytes: 0,
        };
        let decoder = if options.device == Device::Cpu && options.kernel == Kernel::Own {
            let backend = Cpu::new(options)?;
            info.bytes = within_ceiling(weight_bytes(&backend, gguf), options)?;
            Engine::Cpu(Decoder::load(backend, gguf, config, &options.cancel)?)
        } else {
            let backend = Tensors::new(options)?;
            info.bytes = within_ceiling(weight_bytes(&backend, gguf), options)?;
            Engine::Tensors(Decoder::load(backend, gguf, config, &options.cancel)?)
        };
        Ok(Model { decoder, info, tokenizer, template })
    }

    /// What is known of the model.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The prompt for a conversation, by the template in the model file. What the messages say is never read as control tokens.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the file holds no template that can be used or the template refuses the messages,
    /// [`ErrorKind::Limit`] if it takes too much memory or too many steps, and those of [`Cancel::check`].
    pub fn chat_prompt(&self, messages: &[Message], options: &ChatOptions) -> Result<Prompt> {
        match &self.template {
            Some(Ok(template)) => template.render(messages, options),
            Some(Err(message)) => Err(Error::new(ErrorKind::Model, message)),
            None => Err(Error::new(
                ErrorKind::Model,
                "the model file holds no template for conversations; give it plain text",
            )),
        }
    }

    /// Memory for a session of up to `capacity` tokens.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for no tokens or more than [`ModelInfo::context_length`], [`ErrorKind::Limit`] if there is
    /// no memory.
    pub fn cache(&self, capacity: usize) -> Result<KvCache> {
        if capacity == 0 || capacity > self.info.context_length {
            let message = format!(
                "a session of {capacity} tokens is not possible: the model's context has {}",
                self.info.context_length
            );
            return Err(Error::invalid(message));
        }
        let layers = match &self.decoder {
            Engine::Cpu(decoder) => Layers::Cpu(decoder.caches(capacity)?),
            Engine::Tensors(decoder) => Layers::Tensors(decoder.caches(capacity)?),
        };
        Ok(KvCache { layers, capacity, tokens: Vec::new() })
    }

    /// The logits of the token that follows `tokens`, which are put into the cache after those that it holds.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for no tokens, unknown tokens or a foreign cache, [`ErrorKind::Limit`] if the cache has no
    /// room for them, and those of [`Cancel::check`]. After an error the cache holds what it held before.
    pub fn forward(&self, tokens: &[u32], cache: &mut KvCache, cancel: &Cancel) -> Result<Vec<f32>> {
        self.advance(tokens, cache, false, &mut |_| cancel.check())
    }

    /// As [`Model::forward`], for every one of `tokens`: a row of [`ModelInfo::vocabulary`] logits each.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn forward_all(&self, tokens: &[u32], cache: &mut KvCache, cancel: &Cancel) -> Result<Vec<f32>> {
        self.advance(tokens, cache, true, &mut |_| cancel.check())
    }

    /// `step` is called with the number of tokens done, many times while a long prompt is read.
    pub(super) fn advance(
        &self,
        tokens: &[u32],
        cache: &mut KvCache,
        all: bool,
        step: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Vec<f32>> {
        let position = cache.tokens.len();
        if tokens.is_empty() {
            return Err(Error::invalid("there must be at least one token to compute with"));
        }
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= self.info.vocabulary) {
            return Err(Error::invalid(format!(
                "{token} is no token: the vocabulary has {}",
                self.info.vocabulary
            )));
        }
        if tokens.len() > cache.capacity - position {
            let message = format!(
                "the session has room for {} tokens, holds {position} and cannot take {} more",
                cache.capacity,
                tokens.len()
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let foreign = || Error::invalid("the cache belongs to another model");
        let logits = match (&self.decoder, &mut cache.layers) {
            (Engine::Cpu(decoder), Layers::Cpu(layers)) if decoder.fits(layers, cpu::Keys::shape) => {
                decoder.forward(tokens, position, layers, all, step)?
            }
            (Engine::Tensors(decoder), Layers::Tensors(layers))
                if decoder.fits(layers, tensors::Keys::shape) =>
            {
                decoder.forward(tokens, position, layers, all, step)?
            }
            _ => return Err(foreign()),
        };
        cache.tokens.extend_from_slice(tokens);
        Ok(logits)
    }
}

fn within_ceiling(bytes: u64, options: &LoadOptions) -> Result<u64> {
    match options.max_bytes {
        Some(ceiling) if bytes > ceiling => {
            let message = format!(
                "the model's weights need {bytes} bytes of memory, and {ceiling} are allowed; take a smaller model"
            );
            Err(Error::new(ErrorKind::Limit, message))
        }
        _ => Ok(bytes),
    }
}

impl KvCache {
    /// The tokens whose keys and values it holds.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many tokens it has room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets all but the first `length` tokens. Costs nothing.
    pub fn truncate(&mut self, length: usize) {
        self.tokens.truncate(length);
    }

    /// Forgets what does not begin `prompt`, and answers how many of its tokens are left.
    pub fn keep_prefix(&mut self, prompt: &[u32]) -> usize {
        let common = self.tokens.iter().zip(prompt).take_while(|(held, wanted)| held == wanted).count();
        self.truncate(common);
        common
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("info", &self.info).finish_non_exhaustive()
    }
}

impl fmt::Debug for KvCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvCache")
            .field("capacity", &self.capacity)
            .field("tokens", &self.tokens.len())
            .finish_non_exhaustive()
    }
}
