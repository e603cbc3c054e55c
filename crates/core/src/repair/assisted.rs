//! The model as a proposer of changes, and as the one who puts the likeliest candidates in order.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Candidate, ModelAnswers, Proposer, Request, fill_prompts, merge, rank_prompts, rerank};
use crate::inference::{self, ChatOptions, GenerationRequest, Message, Model};
use crate::{Cancel, Result};

/// Suspicious lines that the model is asked to write anew.
const FILLED_LINES: usize = 3;
/// Tokens of such an answer.
const ANSWER_TOKENS: usize = 64;
/// Candidates that it ranks: the likeliest ones.
const RANKED: usize = 64;
/// What a nat of log-probability counts for in nats of the prior. A small model has weak opinions.
const WEIGHT: f64 = 0.15;

/// The candidates with what a model adds and prefers, file by file: it sees one text at a time. The best of each file
/// stays where it was among those of the others.
///
/// # Errors
/// What the model says, [`crate::ErrorKind::Cancelled`] and [`crate::ErrorKind::Timeout`].
pub fn assisted(
    model: &Model,
    requests: &[Request<'_>],
    candidates: Vec<Candidate>,
    cancel: &Cancel,
) -> Result<Vec<Candidate>> {
    let mut by_file: BTreeMap<Arc<str>, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_file.entry(candidate.file.clone()).or_default().push(candidate);
    }
    let mut lists = Vec::new();
    for request in requests {
        cancel.check()?;
        let Some(own) = by_file.remove(request.path) else { continue };
        let highest = own.first().map_or(1.0, |first| first.prior).max(f64::MIN_POSITIVE);
        let relative = |one: Candidate| Candidate { prior: one.prior / highest, ..one };
        let own = assist(model, request, own.into_iter().map(relative).collect(), cancel)?;
        lists.push(own.into_iter().map(|one| Candidate { prior: one.prior * highest, ..one }).collect());
    }
    Ok(merge(lists))
}

/// Candidates of the request with the model's own among them, the likeliest ones ordered by the model too.
fn assist(
    model: &Model,
    request: &Request<'_>,
    candidates: Vec<Candidate>,
    cancel: &Cancel,
) -> Result<Vec<Candidate>> {
    let written = write(model, request, cancel)?;
    let mut candidates = merge(vec![candidates, written]);
    let rest = candidates.split_off(candidates.len().min(RANKED));
    let mut candidates = rank(model, request.text, candidates, cancel)?;
    // Ranking sets the priors anew, from 1 downwards; the rest keeps its place behind.
    let least = candidates.last().map_or(1.0, |last| last.prior);
    candidates.extend(rest.into_iter().map(|one| Candidate { prior: one.prior.min(least), ..one }));
    Ok(candidates)
}

fn write(model: &Model, request: &Request<'_>, cancel: &Cancel) -> Result<Vec<Candidate>> {
    let prompts = fill_prompts(request, FILLED_LINES);
    let mut answers = Vec::with_capacity(prompts.len());
    for prompt in &prompts {
        let options = ChatOptions::to_answer(cancel);
        let text = model.chat_prompt(&[Message::new("user", prompt.text.as_str())], &options)?;
        let tokens = model.tokenizer().encode_prompt(&text)?;
        // A function that is too long for the model gets no answer, like one that the model has none for.
        if tokens.len() + ANSWER_TOKENS > model.info().context_length {
            answers.push(String::new());
            continue;
        }
        let wish =
            GenerationRequest { prompt: tokens, max_tokens: ANSWER_TOKENS, ..GenerationRequest::default() };
        answers.push(inference::generate(model, &wish, &mut |_| ControlFlow::Continue(()), cancel)?.text);
    }
    ModelAnswers { prompts: &prompts, answers: &answers }.propose(request, cancel)
}

fn rank(model: &Model, text: &str, candidates: Vec<Candidate>, cancel: &Cancel) -> Result<Vec<Candidate>> {
    let prompts = rank_prompts(text, &candidates)?;
    let mut logprobs = Vec::with_capacity(prompts.len());
    for place in prompts.chunk_by(|left, right| left.prefix == right.prefix) {
        let continuations: Vec<&str> = place.iter().map(|prompt| prompt.continuation.as_str()).collect();
        // A model starts at a line break where nothing stands before the change.
        let prefix = if place[0].prefix.is_empty() { "\n" } else { &place[0].prefix };
        let scores = inference::score(model, prefix, &continuations, cancel)?;
        logprobs.extend(scores.iter().map(|score| score.logprob));
    }
    rerank(candidates, &prompts, &logprobs, WEIGHT)
}
