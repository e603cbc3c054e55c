//! The module as it is when candle is not compiled in: the same names, and loading answers that they are not there.
//!
//! The types have no values, so nothing after loading can be called.

use std::ops::ControlFlow;
use std::path::Path;

use super::{
    ChatOptions, Event, Generation, GenerationRequest, LoadOptions, Message, ModelInfo, Prompt, Score,
};
use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

fn not_compiled<T>() -> Result<T> {
    Err(Error::new(
        ErrorKind::NotCompiled,
        "this build has no local models; build it with the feature \"inference\"",
    ))
}

/// The weights of a language model.
#[derive(Debug)]
pub enum Model {}

impl Model {
    /// Answers [`ErrorKind::NotCompiled`].
    ///
    /// # Errors
    /// Always.
    pub fn load(_: &Path, _: &LoadOptions) -> Result<Self> {
        not_compiled()
    }

    /// What is known of the model.
    pub fn info(&self) -> &ModelInfo {
        match *self {}
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        match *self {}
    }

    /// The prompt for a conversation.
    ///
    /// # Errors
    /// None, for there is no model.
    pub fn chat_prompt(&self, _: &[Message], _: &ChatOptions) -> Result<Prompt> {
        match *self {}
    }

    /// Memory for a session.
    ///
    /// # Errors
    /// None, for there is no model.
    pub fn cache(&self, _: usize) -> Result<KvCache> {
        match *self {}
    }

    /// The logits of the next token.
    ///
    /// # Errors
    /// None, for there is no model.
    pub fn forward(&self, _: &[u32], _: &mut KvCache, _: &Cancel) -> Result<Vec<f32>> {
        match *self {}
    }

    /// The logits after each token.
    ///
    /// # Errors
    /// None, for there is no model.
    pub fn forward_all(&self, _: &[u32], _: &mut KvCache, _: &Cancel) -> Result<Vec<f32>> {
        match *self {}
    }
}

/// The keys and values of a session.
#[derive(Debug)]
pub enum KvCache {}

impl KvCache {
    /// The tokens that it holds.
    pub fn tokens(&self) -> &[u32] {
        match *self {}
    }

    /// How many tokens it has room for.
    pub fn capacity(&self) -> usize {
        match *self {}
    }

    /// Forgets all but the first tokens.
    pub fn truncate(&mut self, _: usize) {
        match *self {}
    }

    /// Forgets what does not begin a prompt.
    pub fn keep_prefix(&mut self, _: &[u32]) -> usize {
        match *self {}
    }
}

/// Turns text into tokens and back.
#[derive(Debug)]
pub enum Tokenizer {}

impl Tokenizer {
    /// The tokens of a text.
    ///
    /// # Errors
    /// None, for there is no tokenizer.
    pub fn encode(&self, _: &str) -> Result<Vec<u32>> {
        match *self {}
    }

    /// The tokens of a text that begins everything.
    ///
    /// # Errors
    /// None, for there is no tokenizer.
    pub fn encode_prompt(&self, _: &Prompt) -> Result<Vec<u32>> {
        match *self {}
    }

    /// The number of tokens of a text.
    ///
    /// # Errors
    /// None, for there is no tokenizer.
    pub fn count(&self, _: &str) -> Result<usize> {
        match *self {}
    }

    /// The text of tokens.
    pub fn decode(&self, _: &[u32]) -> String {
        match *self {}
    }

    /// The bytes of a token.
    pub fn token_bytes(&self, _: u32) -> &[u8] {
        match *self {}
    }

    /// The token that begins a text.
    pub fn begin_of_text(&self) -> Option<u32> {
        match *self {}
    }

    /// The tokens that end a text.
    pub fn end_of_text(&self) -> &[u32] {
        match *self {}
    }

    /// The number of tokens.
    pub fn vocabulary(&self) -> usize {
        match *self {}
    }
}

/// An encoder of texts.
#[derive(Debug)]
pub enum Encoder {}

impl Encoder {
    /// Answers [`ErrorKind::NotCompiled`].
    ///
    /// # Errors
    /// Always.
    pub fn load(_: &Path, _: &LoadOptions) -> Result<Self> {
        not_compiled()
    }

    /// A vector for each text.
    ///
    /// # Errors
    /// None, for there is no encoder.
    pub fn embed(&self, _: &[&str], _: &Cancel) -> Result<Vec<Vec<f32>>> {
        match *self {}
    }

    /// Numbers in each vector.
    pub fn dimensions(&self) -> usize {
        match *self {}
    }

    /// The number of tokens that texts are cut to.
    pub fn max_tokens(&self) -> usize {
        match *self {}
    }

    /// The number of tokens of a text.
    ///
    /// # Errors
    /// None, for there is no encoder.
    pub fn count(&self, _: &str) -> Result<usize> {
        match *self {}
    }

    /// A hash of what determines the vectors.
    pub fn fingerprint(&self) -> &str {
        match *self {}
    }
}

/// Continues a prompt.
///
/// # Errors
/// None, for there is no model.
pub fn generate(
    model: &Model,
    _: &GenerationRequest,
    _: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    _: &Cancel,
) -> Result<Generation> {
    match *model {}
}

/// Continues a prompt in a session.
///
/// # Errors
/// None, for there is no model.
pub fn generate_with(
    model: &Model,
    _: &mut KvCache,
    _: &GenerationRequest,
    _: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    _: &Cancel,
) -> Result<Generation> {
    match *model {}
}

/// The log-probabilities of continuations.
///
/// # Errors
/// None, for there is no model.
pub fn score(model: &Model, _: &str, _: &[&str], _: &Cancel) -> Result<Vec<Score>> {
    match *model {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loading_says_that_it_is_not_compiled() {
        let options = LoadOptions::default();
        assert_eq!(
            Model::load(Path::new("m.gguf"), &options).err().map(|e| e.kind()),
            Some(ErrorKind::NotCompiled)
        );
        assert_eq!(
            Encoder::load(Path::new("m"), &options).err().map(|e| e.kind()),
            Some(ErrorKind::NotCompiled)
        );
    }
}
