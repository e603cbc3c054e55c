//! What is asked of a model and what it answers: plain data.

use std::ops::Range;
use std::time::SystemTime;

use crate::job::Cancel;
use crate::{Error, Result};

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `"system"`, `"user"` or `"assistant"`, or what else the model's template knows.
    pub role: String,
    /// The text.
    pub content: String,
}

impl Message {
    /// A message of `role` that says `content`.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Message { role: role.into(), content: content.into() }
    }
}

/// How a conversation becomes a prompt.
#[derive(Clone, Debug, Default)]
pub struct ChatOptions {
    /// Whether the prompt ends where the assistant's next message begins.
    pub answer: bool,
    /// The time that a template may print, in seconds since 1970; without one, templates are told that there is none.
    pub now: Option<i64>,
    /// Stops a template that runs long.
    pub cancel: Cancel,
}

impl ChatOptions {
    /// A prompt that ends where the assistant begins. Templates that print the date print that of Greenwich.
    pub fn to_answer(cancel: &Cancel) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.ok().and_then(|now| i64::try_from(now.as_secs()).ok());
        ChatOptions { answer: true, now, cancel: cancel.clone() }
    }
}

/// What a model is to continue: a text that knows which of its parts a template wrote. Only those can be control tokens; what
/// looks like one elsewhere, in a message or in source code, is text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    text: String,
    /// Where text from outside stands: in order, apart from one another.
    outside: Vec<Range<usize>>,
}

impl Prompt {
    /// Appends text in which nothing is a control token.
    pub fn push_text(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        match self.outside.last_mut() {
            Some(last) if last.end == start => last.end = self.text.len(),
            _ if text.is_empty() => {}
            _ => self.outside.push(start..self.text.len()),
        }
    }

    /// Appends what a template writes: names of control tokens in it are these tokens.
    pub fn push_template(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// All of it as text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where what a template wrote stands.
    pub fn template_parts(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.outside.iter().map(|range| range.end));
        let ends = self.outside.iter().map(|range| range.start).chain(std::iter::once(self.text.len()));
        starts.zip(ends).map(|(start, end)| start..end).filter(|range| !range.is_empty())
    }

    #[cfg(feature = "inference")]
    pub(super) fn from_parts(text: String, outside: Vec<Range<usize>>) -> Self {
        Prompt { text, outside }
    }
}

impl From<&str> for Prompt {
    /// A text in which nothing is a control token.
    fn from(text: &str) -> Self {
        let mut prompt = Prompt::default();
        prompt.push_text(text);
        prompt
    }
}

/// How the next token is chosen from the logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most probable token (greedy).
    pub temperature: f32,
    /// Keeps the `top_k` most probable tokens; 0 keeps all.
    pub top_k: usize,
    /// Keeps the fewest tokens whose probabilities add up to at least this; 1 keeps all (nucleus sampling, Holtzman et al. 2020).
    pub top_p: f32,
    /// Keeps tokens at least this fraction as probable as the most probable one; 0 keeps all (Nguyen et al. 2024).
    pub min_p: f32,
    /// Divides positive and multiplies negative logits of tokens that occurred lately; 1 does nothing (Keskar et al. 2019).
    pub repetition_penalty: f32,
    /// How many of the last tokens the penalty looks at.
    pub repetition_window: usize,
    /// Starts the random numbers: same seed, same text.
    pub seed: u64,
}

impl Default for Sampling {
    /// Greedy.
    fn default() -> Self {
        Sampling {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            repetition_window: 64,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Refuses values that mean nothing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a number out of range.
    pub fn check(&self) -> Result<()> {
        let within = |name: &str, value: f32, low: f32, high: f32| {
            if value.is_finite() && (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::invalid(format!("{name} must be between {low} and {high}, not {value}")))
        };
        within("temperature", self.temperature, 0.0, 100.0)?;
        within("top_p", self.top_p, f32::MIN_POSITIVE, 1.0)?;
        within("min_p", self.min_p, 0.0, 1.0)?;
        within("repetition_penalty", self.repetition_penalty, 0.01, 100.0)
    }
}

/// A wish for text that continues a prompt.
#[derive(Clone, Debug, Default)]
pub struct GenerationRequest {
    /// The caller's number for it; answered nowhere, kept for logs and for schedulers.
    pub id: u64,
    /// The prompt as tokens: [`crate::inference::Tokenizer::encode_prompt`] of [`crate::inference::Model::chat_prompt`].
    pub prompt: Vec<u32>,
    /// The most tokens to generate.
    pub max_tokens: usize,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Texts that end the generation; they are not part of the answer.
    pub stop: Vec<String>,
    /// Whether [`Event::Token`]s carry log-probabilities (they cost a pass over the vocabulary for each token).
    pub logprobs: bool,
}

/// What happens while a request runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// `done` of `total` tokens of the prompt were read.
    Prefill {
        /// Tokens read.
        done: usize,
        /// Tokens of the prompt.
        total: usize,
    },
    /// A token was chosen.
    Token {
        /// The token.
        token: u32,
        /// The natural logarithm of its probability before sampling changed it, if the request asked for it.
        logprob: Option<f32>,
    },
    /// Text that is certain: whole characters that cannot be the beginning of a stop text.
    Text(&'a str),
}

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model said that it is done.
    EndOfText,
    /// One of [`GenerationRequest::stop`] came up.
    Stop,
    /// [`GenerationRequest::max_tokens`] were generated, or the session's memory is full.
    Length,
    /// The receiver of the events answered `Break`.
    Aborted,
}

impl FinishReason {
    /// A short name: `"end_of_text"`, `"stop"`, `"length"` or `"aborted"`.
    pub fn as_str(self) -> &'static str {
        match self {
            FinishReason::EndOfText => "end_of_text",
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::Aborted => "aborted",
        }
    }
}

/// The whole answer to a [`GenerationRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// The text without any stop text.
    pub text: String,
    /// The generated tokens.
    pub tokens: Vec<u32>,
    /// The log-probability of each, if the request asked for them; else empty.
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Those of them that were still in the cache and cost nothing.
    pub cached_tokens: usize,
    /// Seconds until the prompt was read.
    pub prefill_seconds: f64,
    /// Seconds from there to the end.
    pub generate_seconds: f64,
}

/// How probable a continuation of a prompt is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The sum of the natural logarithms of its tokens' probabilities.
    pub logprob: f64,
    /// Its number of tokens.
    pub tokens: usize,
}

/// What is known of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// The architecture, such as `"llama"`.
    pub architecture: String,
    /// The name that the file gives.
    pub name: String,
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Tokens that the model was trained to see at once.
    pub context_length: usize,
    /// Numbers in all weights.
    pub parameters: u64,
    /// Bytes that the weights take in memory.
    pub bytes: u64,
}
