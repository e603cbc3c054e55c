use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::mutate::{Draft, Source, parse, parser};
use super::{Candidate, Kind, Request};
use crate::edit::Edit;
use crate::{Error, Result};

/// Lines of a function that a prompt shows before and after the place.
const LINES: usize = 40;
/// Characters of the failing tests that a prompt shows.
const EVIDENCE: usize = 1200;

/// A question to a model: which code should stand in a line?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FillPrompt {
    /// The line in question, from 1.
    pub line: u32,
    /// Its bytes in the request's text, without indentation and line break.
    pub place: Range<usize>,
    /// How suspicious it is.
    pub score: f64,
    /// The whole prompt, for one message of a user; the chat template is the caller's.
    pub text: String,
}

impl FillPrompt {
    /// The code of an answer: of its first fenced block, or of the answer as a whole when it has none, without a line
    /// number or a mark that the model took over. `None` when there is no code, or more than is plausible for a line.
    pub fn code(&self, answer: &str) -> Option<String> {
        let fenced = answer.split_once("```").map(|(_, rest)| {
            let body = rest.split("```").next().unwrap_or(rest);
            body.split_once('\n').map_or(body, |(_, code)| code)
        });
        let lines: Vec<&str> = fenced
            .unwrap_or(answer)
            .lines()
            .map(|line| line.split_once(MARK).map_or(line, |(code, _)| code).trim_end())
            .filter(|line| !line.trim().is_empty())
            .collect();
        let plausible = !lines.is_empty() && lines.len() <= 12 && lines.iter().all(|line| line.len() <= 300);
        plausible.then(|| lines.join("\n"))
    }

    /// An answer as a change of its line, with the line's suspicion.
    pub(super) fn drafts(&self, text: &str, answer: &str) -> Vec<(f64, Draft)> {
        let Some(code) = self.code(answer).filter(|_| text.get(self.place.clone()).is_some()) else {
            return Vec::new();
        };
        let start = text[..self.place.start].rfind('\n').map_or(0, |at| at + 1);
        let indent = &text[start..self.place.start];
        // The model's own indentation of the first line gives way to the file's.
        let own = code.len() - code.trim_start().len();
        let lines = code.lines().map(|line| line.get(own..).unwrap_or(line.trim_start()));
        let new = lines.collect::<Vec<_>>().join(&format!("\n{indent}"));
        let edit = Edit::new(self.place.start, self.place.end, new);
        vec![(self.score, Draft { edit, kind: Kind::Model, line: self.line, weight: 1.0, unit: None })]
    }
}

const MARK: &str = "# <- change this line";

/// Prompts for the `limit` most suspicious lines of the request's file that hold code.
pub fn fill_prompts(request: &Request<'_>, limit: usize) -> Vec<FillPrompt> {
    let lines = line_ranges(request.text);
    let functions = functions(request.text);
    let mut suspects: Vec<_> =
        request.suspects.iter().filter(|suspect| *suspect.file == *request.path).collect();
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.line.cmp(&b.line)));
    suspects.dedup_by_key(|suspect| suspect.line);
    let evidence = cut(request.evidence.trim(), EVIDENCE);
    let mut prompts = Vec::new();
    for suspect in suspects {
        let Some(range) = (suspect.line as usize).checked_sub(1).and_then(|number| lines.get(number)) else {
            continue;
        };
        let whole = &request.text[range.clone()];
        let code = whole.trim();
        if prompts.len() == limit {
            break;
        }
        if code.is_empty() || code.starts_with('#') || matches!(code, "end" | "do" | "else" | ")" | "]" | "}")
        {
            continue;
        }
        let start = range.start + whole.len() - whole.trim_start().len();
        let place = start..start + code.len();
        let mut text = String::from("This Elixir function has a bug in one line.\n");
        if !evidence.is_empty() {
            _ = write!(text, "This test fails:\n```elixir\n{evidence}\n```\n");
        }
        text.push_str("```elixir\n");
        for number in around(&functions, &lines, start) {
            let line = &request.text[lines[number].clone()];
            let mark = if number + 1 == suspect.line as usize { format!("  {MARK}") } else { String::new() };
            _ = writeln!(text, "{line}{mark}");
        }
        text.push_str("```\nAnswer with the corrected line only, in a code block.\n");
        prompts.push(FillPrompt { line: suspect.line, place, score: suspect.score, text });
    }
    prompts
}

/// A text whose log-probability tells how natural a candidate is. All prompts of a place have the same prefix, so a
/// model reads it once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankPrompt {
    /// Index into the candidates; `None` for the code as it stands, against which the others are measured.
    pub candidate: Option<usize>,
    /// The function up to the line of the change.
    pub prefix: Arc<str>,
    /// The changed lines and one line more: the part to be scored.
    pub continuation: String,
}

/// What to score so that [`rerank`] can order `candidates` of `text`: place by place, each place's own code first.
///
/// # Errors
/// As [`crate::edit::Patch::apply`], when the candidates are not of this text.
pub fn rank_prompts(text: &str, candidates: &[Candidate]) -> Result<Vec<RankPrompt>> {
    let lines = line_ranges(text);
    let functions = functions(text);
    let mut places: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (number, candidate) in candidates.iter().enumerate() {
        let first = candidate.edits.iter().map(|edit| edit.start).min();
        let last = candidate.edits.iter().map(|edit| edit.end).max();
        let (Some(first), Some(last)) = (first, last) else { continue };
        if last > text.len() {
            return Err(Error::invalid("the candidates are not of this text"));
        }
        places.entry((line_at(&lines, first), line_at(&lines, last))).or_default().push(number);
    }
    let mut prompts = Vec::new();
    for ((first, last), numbers) in places {
        let start = lines[first].start;
        let shown = around(&functions, &lines, start).next().unwrap_or(first).min(first);
        let prefix: Arc<str> = Arc::from(&text[lines[shown].start..start]);
        let end = lines[(last + 1).min(lines.len() - 1)].end;
        prompts.push(RankPrompt {
            candidate: None,
            prefix: prefix.clone(),
            continuation: text[start..end].to_string(),
        });
        for number in numbers {
            let new = candidates[number].patch().apply(text)?;
            let end = (new.len() + end).checked_sub(text.len()).filter(|end| *end >= start);
            let continuation = end.and_then(|end| new.get(start..end)).unwrap_or("").to_string();
            prompts.push(RankPrompt { candidate: Some(number), prefix: prefix.clone(), continuation });
        }
    }
    Ok(prompts)
}

/// The candidates by prior and by how much more natural they are than the code that they replace, the best first, with
/// priors to match: each nat of log-probability gained counts as `weight` nats of prior. Candidates without a
/// log-probability keep their prior.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] when there is not one log-probability for each prompt, or one is not a number.
pub fn rerank(
    candidates: Vec<Candidate>,
    prompts: &[RankPrompt],
    logprobs: &[f64],
    weight: f64,
) -> Result<Vec<Candidate>> {
    if prompts.len() != logprobs.len() {
        let (asked, told) = (prompts.len(), logprobs.len());
        return Err(Error::invalid(format!("{asked} prompts need as many log-probabilities, not {told}")));
    }
    if logprobs.iter().any(|logprob| logprob.is_nan()) {
        return Err(Error::invalid("a log-probability is not a number"));
    }
    let mut scores: Vec<f64> =
        candidates.iter().map(|candidate| candidate.prior.max(f64::MIN_POSITIVE).ln()).collect();
    let mut original = 0.0;
    for (prompt, logprob) in prompts.iter().zip(logprobs) {
        match prompt.candidate {
            None => original = *logprob,
            Some(number) => {
                let Some(score) = scores.get_mut(number) else {
                    return Err(Error::invalid(format!(
                        "a prompt is for candidate {number}, which there is not"
                    )));
                };
                let gain = weight * (logprob - original);
                *score = if gain.is_nan() { f64::NEG_INFINITY } else { *score + gain };
            }
        }
    }
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut scored: Vec<(f64, Candidate)> = scores.into_iter().zip(candidates).collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let prior = |score: f64| if top.is_finite() { (score - top).exp() } else { 0.0 };
    Ok(scored.into_iter().map(|(score, one)| Candidate { prior: prior(score), ..one }).collect())
}

/// The bytes of each line, without its line break.
fn line_ranges(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut lines: Vec<Range<usize>> = text
        .split_inclusive('\n')
        .map(|line| {
            let range = start..start + line.trim_end_matches(['\n', '\r']).len();
            start += line.len();
            range
        })
        .collect();
    if lines.is_empty() {
        lines.push(0..0);
    }
    lines
}

fn line_at(lines: &[Range<usize>], byte: usize) -> usize {
    lines.partition_point(|line| line.start <= byte).saturating_sub(1)
}

/// The bytes of all clauses of functions, outer ones first.
fn functions(text: &str) -> Vec<Range<usize>> {
    let Some(tree) = parser().ok().and_then(|mut parser| parse(&mut parser, text)) else { return Vec::new() };
    Source::new(text, &tree).clauses.iter().map(|clause| clause.node.byte_range()).collect()
}

/// The numbers of the lines of the function around a byte, or of the lines before and after it, [`LINES`] at most each way.
fn around(functions: &[Range<usize>], lines: &[Range<usize>], byte: usize) -> Range<usize> {
    let at = line_at(lines, byte);
    let mut inner = functions.iter().filter(|function| {
        line_at(lines, function.start) <= at && at <= line_at(lines, function.end.saturating_sub(1))
    });
    let (first, last) = match inner.next_back() {
        Some(function) => (line_at(lines, function.start), line_at(lines, function.end.saturating_sub(1))),
        None => (at.saturating_sub(LINES / 4), at + LINES / 4),
    };
    first.max(at.saturating_sub(LINES))..(last + 1).min(at + LINES).min(lines.len())
}

fn cut(text: &str, characters: usize) -> &str {
    text.char_indices().nth(characters).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cancel;
    use crate::repair::{ModelAnswers, Proposer, Suspect, candidates};

    const TEXT: &str =
        "defmodule A do\n  def f(a) do\n    b = a + 1\n    g(b)\n  end\n\n  def g(b), do: b\nend\n";

    fn suspects() -> Vec<Suspect> {
        [(3, 1.0), (5, 0.9), (4, 0.5)]
            .map(|(line, score)| Suspect { file: "lib/a.ex".into(), line, score, why: String::new() })
            .to_vec()
    }

    #[test]
    fn a_prompt_shows_the_function_the_test_and_the_line() {
        let suspects = suspects();
        let request = Request { evidence: "assert A.f(1) == 1", ..Request::new("lib/a.ex", TEXT, &suspects) };
        let prompts = fill_prompts(&request, 2);
        assert_eq!(prompts.iter().map(|prompt| prompt.line).collect::<Vec<_>>(), [3, 4], "`end` is no place");
        assert_eq!(&TEXT[prompts[0].place.clone()], "b = a + 1");
        let shown = "```elixir\n  def f(a) do\n    b = a + 1  # <- change this line\n    g(b)\n  end\n```";
        assert!(prompts[0].text.contains(shown), "{}", prompts[0].text);
        assert!(prompts[0].text.contains("assert A.f(1) == 1"));
    }

    #[test]
    fn answers_become_candidates_whatever_they_are_wrapped_in() {
        let suspects = suspects();
        let request = Request::new("lib/a.ex", TEXT, &suspects);
        let prompts = fill_prompts(&request, 1);
        let check = |answer: &str, line: Option<&str>| {
            let answers = [answer.to_string()];
            let model = ModelAnswers { prompts: &prompts, answers: &answers };
            let found = model.propose(&request, &Cancel::new()).unwrap();
            let texts: Vec<String> = found.iter().map(|one| one.patch().apply(TEXT).unwrap()).collect();
            let expected: Vec<String> =
                line.map(|line| TEXT.replace("b = a + 1", line)).into_iter().collect();
            assert_eq!(texts, expected, "for {answer:?}");
        };
        check("```elixir\n    b = a - 1\n```", Some("b = a - 1"));
        check("Sure! ```elixir\nb = a - 1  # <- change this line\n``` That is it.", Some("b = a - 1"));
        check("b = a - 1", Some("b = a - 1"));
        check("  c = a\n  b = c - 1\n", Some("c = a\n    b = c - 1"));
        check("b = a + 1", None);
        check("b = (a +", None);
        check("", None);
    }

    #[test]
    fn rank_prompts_of_a_place_share_their_prefix_and_rerank_prefers_what_is_likely() {
        let suspects = suspects();
        let request = Request { max: 60, ..Request::new("lib/a.ex", TEXT, &suspects) };
        let found = candidates(&request, &Cancel::new()).unwrap();
        let prompts = rank_prompts(TEXT, &found).unwrap();
        assert_eq!(prompts.iter().filter_map(|prompt| prompt.candidate).count(), found.len());
        let mut last: Option<&RankPrompt> = None;
        for prompt in &prompts {
            match prompt.candidate {
                None => last = Some(prompt),
                Some(number) => {
                    let original = last.expect("each place begins with its own code");
                    assert_eq!(prompt.prefix, original.prefix);
                    let new = found[number].patch().apply(TEXT).unwrap();
                    assert!(new.contains(&format!("{}{}", prompt.prefix, prompt.continuation)));
                    assert!(TEXT.contains(&format!("{}{}", original.prefix, original.continuation)));
                }
            }
        }
        let wanted = found
            .iter()
            .position(|one| {
                one.label.contains("`a + 1` becomes `a - 1`") || one.label == "arithmetic: `+` becomes `-`"
            })
            .unwrap();
        let logprobs: Vec<f64> = prompts
            .iter()
            .map(|prompt| if prompt.candidate == Some(wanted) { -1.0 } else { -20.0 })
            .collect();
        let best = rerank(found.clone(), &prompts, &logprobs, 1.0).unwrap();
        assert_eq!((best[0].label.as_str(), best[0].prior), (found[wanted].label.as_str(), 1.0));
        assert!(rerank(found.clone(), &prompts, &logprobs[1..], 1.0).is_err());
        assert!(rerank(found.clone(), &prompts, &vec![f64::NAN; prompts.len()], 1.0).is_err());
        assert!(rank_prompts("def", &found).is_err());
    }
}
