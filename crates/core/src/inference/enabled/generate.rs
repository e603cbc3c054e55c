//! The loop that writes text.

use std::ops::ControlFlow;
use std::time::Instant;

use super::model::{KvCache, Model};
use crate::inference::{
    Event, FinishReason, Generation, GenerationRequest, Sampler, Utf8Stream, log_probability,
};
use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

/// Continues the prompt of `request`, and tells `events` what happens; `Break` ends the generation.
///
/// # Errors
/// Those of [`generate_with`], and of [`Model::cache`] if prompt and answer do not fit into the model's context.
pub fn generate(
    model: &Model,
    request: &GenerationRequest,
    events: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    cancel: &Cancel,
) -> Result<Generation> {
    let wanted = request.prompt.len().saturating_add(request.max_tokens);
    // A prompt that fills the context is refused; an answer is cut short.
    let capacity = wanted.min(model.info().context_length.max(request.prompt.len() + 1));
    generate_with(model, &mut model.cache(capacity.max(1))?, request, events, cancel)
}

/// As [`generate`], in a session: tokens that `cache` holds and that begin the prompt are not computed again.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] for an empty prompt or sampling numbers out of range, [`crate::ErrorKind::Limit`] if
/// the cache has no room for the prompt, and those of [`Cancel::check`].
pub fn generate_with(
    model: &Model,
    cache: &mut KvCache,
    request: &GenerationRequest,
    events: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    cancel: &Cancel,
) -> Result<Generation> {
    request.sampling.check()?;
    if request.stop.iter().any(String::is_empty) {
        return Err(Error::invalid("a stop text must not be empty"));
    }
    let prompt = &request.prompt;
    let started = Instant::now();
    // The last token is always computed, for its logits.
    let cached_tokens = cache.keep_prefix(&prompt[..prompt.len().saturating_sub(1)]);
    let mut aborted = false;
    let prefilled = model.advance(&prompt[cached_tokens..], cache, false, &mut |done| {
        cancel.check()?;
        if events(Event::Prefill { done: cached_tokens + done, total: prompt.len() }).is_break() {
            aborted = true;
            return Err(Error::new(ErrorKind::Cancelled, "the receiver wants no more"));
        }
        Ok(())
    });
    let mut logits = match prefilled {
        Err(_) if aborted => Vec::new(),
        other => other?,
    };
    let prefill_seconds = started.elapsed().as_secs_f64();

    let mut sampler = Sampler::new(request.sampling.clone());
    let mut history = prompt.clone();
    let mut text = StopText::new(&request.stop);
    let mut characters = Utf8Stream::default();
    let mut logprobs = Vec::new();
    let finish_reason = loop {
        if aborted {
            break FinishReason::Aborted;
        }
        let generated = history.len() - prompt.len();
        if generated >= request.max_tokens {
            break FinishReason::Length;
        }
        cancel.check()?;
        let unchanged = request.logprobs.then(|| logits.clone());
        let token = sampler.sample(&mut logits, &history);
        if model.tokenizer().end_of_text().contains(&token) {
            break FinishReason::EndOfText;
        }
        history.push(token);
        let logprob = unchanged.map(|logits| log_probability(&logits, token));
        logprobs.extend(logprob);
        aborted |= events(Event::Token { token, logprob }).is_break();
        let stopped = text.push(&characters.push(model.tokenizer().token_bytes(token)));
        aborted |= text.emit(events).is_break();
        if stopped {
            break FinishReason::Stop;
        }
        if generated + 1 < request.max_tokens {
            if cache.tokens().len() == cache.capacity() {
                break FinishReason::Length;
            }
            logits = model.advance(&[token], cache, false, &mut |_| Ok(()))?;
        }
    };
    if finish_reason != FinishReason::Stop {
        let rest = characters.finish();
        let stopped = text.push(&rest);
        if !stopped {
            text.release();
        }
        // The receiver's wish to end is met either way.
        let _ = text.emit(events);
    }
    Ok(Generation {
        text: text.emitted,
        tokens: history.split_off(prompt.len()),
        logprobs,
        finish_reason,
        prompt_tokens: prompt.len(),
        cached_tokens,
        prefill_seconds,
        generate_seconds: started.elapsed().as_secs_f64() - prefill_seconds,
    })
}

/// Holds text back while it may be the beginning of a stop text.
struct StopText<'a> {
    stop: &'a [String],
    emitted: String,
    pending: String,
    /// Bytes of `pending` that are certain.
    certain: usize,
}

impl<'a> StopText<'a> {
    fn new(stop: &'a [String]) -> Self {
        StopText { stop, emitted: String::new(), pending: String::new(), certain: 0 }
    }

    /// Takes text; true if a stop text came up, which is then cut off with everything after it.
    fn push(&mut self, text: &str) -> bool {
        self.pending.push_str(text);
        if let Some(at) = self.stop.iter().filter_map(|stop| self.pending.find(stop.as_str())).min() {
            self.pending.truncate(at);
            self.release();
            return true;
        }
        let held = self.stop.iter().filter_map(|stop| {
            // The longest end of the text that begins this stop text.
            let starts = self
                .pending
                .char_indices()
                .map(|(at, _)| at)
                .filter(|at| self.pending.len() - at < stop.len());
            starts.into_iter().find(|&at| stop.starts_with(&self.pending[at..]))
        });
        self.certain = held.min().unwrap_or(self.pending.len());
        false
    }

    fn release(&mut self) {
        self.certain = self.pending.len();
    }

    fn emit(&mut self, events: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        if self.certain == 0 {
            return ControlFlow::Continue(());
        }
        let rest = self.pending.split_off(self.certain);
        let text = std::mem::replace(&mut self.pending, rest);
        self.certain = 0;
        self.emitted.push_str(&text);
        events(Event::Text(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Pushes pieces; the pieces that came out, and whether it stopped.
    fn run(stop: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let stop: Vec<String> = stop.iter().map(|stop| (*stop).to_owned()).collect();
        let mut text = StopText::new(&stop);
        let mut out = Vec::new();
        let mut collect = |event: Event<'_>| {
            if let Event::Text(piece) = event {
                out.push(piece.to_owned());
            }
            ControlFlow::Continue(())
        };
        let mut stopped = false;
        for piece in pieces {
            stopped = text.push(piece);
            let _ = text.emit(&mut collect);
            if stopped {
                break;
            }
        }
        text.release();
        let _ = text.emit(&mut collect);
        (out, stopped)
    }

    #[test]
    fn stop_texts_are_found_across_pieces_and_never_shown() {
        assert_eq!(run(&["\n\n"], &["a", "\n", "b", "\n", "\nc"]), (vec!["a".into(), "\nb".into()], true));
        assert_eq!(run(&["END", "E2"], &["x E", "2 y"]), (vec!["x ".into()], true));
        assert_eq!(run(&["END"], &["EN", "EN", "D"]), (vec!["EN".into()], true));
        assert_eq!(run(&["END"], &["an E", "N"]), (vec!["an ".into(), "EN".into()], false));
        assert_eq!(run(&["é!"], &["caf", "é", "é", "!"]), (vec!["caf".into(), "é".into()], true));
    }

    proptest! {
        #[test]
        fn what_comes_out_is_what_stands_before_the_first_stop_text(pieces in proptest::collection::vec("[abé]{0,3}", 0..12), stop in "[abé]{1,4}") {
            let whole: String = pieces.concat();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let (out, stopped) = run(&[&stop], &pieces);
            let expected = whole.find(&stop).map_or(whole.as_str(), |at| &whole[..at]);
            prop_assert_eq!(out.concat(), expected);
            prop_assert_eq!(stopped, whole.contains(&stop));
        }
    }
}
