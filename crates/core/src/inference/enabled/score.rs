//! How probable continuations of a prompt are.

use super::model::Model;
use crate::inference::{Score, log_probability};
use crate::job::Cancel;
use crate::{Error, Result};

/// Tokens of a continuation that are computed at once; each takes a row of logits of the vocabulary's size.
const AT_ONCE: usize = 32;

/// The log-probability of each of `continuations` after `prompt`. The prompt is computed once, and every continuation goes on
/// from there.
///
/// Prompt and continuation are made tokens separately, as a generation would see the prompt. An empty continuation has
/// probability 1.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] for a prompt without tokens or longer than the model's context, and those of
/// [`Cancel::check`].
pub fn score(model: &Model, prompt: &str, continuations: &[&str], cancel: &Cancel) -> Result<Vec<Score>> {
    let tokenizer = model.tokenizer();
    let prompt = tokenizer.encode_prompt(&prompt.into())?;
    if prompt.is_empty() {
        return Err(Error::invalid("the prompt has no tokens"));
    }
    let continuations =
        continuations.iter().map(|text| tokenizer.encode(text)).collect::<Result<Vec<_>>>()?;
    let longest = continuations.iter().map(Vec::len).max().unwrap_or(0);
    let mut cache = model.cache(prompt.len() + longest)?;
    let first = model.forward(&prompt, &mut cache, cancel)?;
    let mut scores = Vec::with_capacity(continuations.len());
    for tokens in &continuations {
        cache.truncate(prompt.len());
        let mut logprob = tokens.first().map_or(0.0, |&token| f64::from(log_probability(&first, token)));
        // The logits after each token are those of the next one.
        let followed = tokens.len().saturating_sub(1);
        for (chunk, next) in
            tokens[..followed].chunks(AT_ONCE).zip(tokens.get(1..).unwrap_or_default().chunks(AT_ONCE))
        {
            let logits = model.forward_all(chunk, &mut cache, cancel)?;
            let rows = logits.chunks_exact(model.info().vocabulary);
            logprob +=
                rows.zip(next).map(|(logits, &token)| f64::from(log_probability(logits, token))).sum::<f64>();
        }
        scores.push(Score { logprob, tokens: tokens.len() });
    }
    Ok(scores)
}
