use std::collections::BTreeSet;

use super::mutate::{self, Ways};
use super::{Candidate, FillPrompt, Request};
use crate::{Cancel, Result};

/// A source of candidates. Each gives its own best first, with priors from 0 to 1.
pub trait Proposer {
    /// For traces: one word.
    fn name(&self) -> &'static str;

    /// At most [`Request::max`] candidates for a request.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`] and [`crate::ErrorKind::Timeout`].
    fn propose(&self, request: &Request<'_>, cancel: &Cancel) -> Result<Vec<Candidate>>;
}

/// Mutation templates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Templates;

/// Code from similar places, in the file and in [`Request::donors`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Donors;

/// What a model answered to prompts of the same request: one answer for each prompt, in their order.
#[derive(Clone, Copy, Debug)]
pub struct ModelAnswers<'a> {
    /// What was asked.
    pub prompts: &'a [FillPrompt],
    /// What came back.
    pub answers: &'a [String],
}

impl Proposer for Templates {
    fn name(&self) -> &'static str {
        "templates"
    }

    fn propose(&self, request: &Request<'_>, cancel: &Cancel) -> Result<Vec<Candidate>> {
        mutate::by(Ways::Templates, &[*request], cancel)
    }
}

impl Proposer for Donors {
    fn name(&self) -> &'static str {
        "donors"
    }

    fn propose(&self, request: &Request<'_>, cancel: &Cancel) -> Result<Vec<Candidate>> {
        mutate::by(Ways::Donors, &[*request], cancel)
    }
}

impl Proposer for ModelAnswers<'_> {
    fn name(&self) -> &'static str {
        "model"
    }

    fn propose(&self, request: &Request<'_>, cancel: &Cancel) -> Result<Vec<Candidate>> {
        let answered = self.prompts.iter().zip(self.answers);
        let drafts = answered.flat_map(|(prompt, answer)| prompt.drafts(request.text, answer)).collect();
        mutate::finish(request, drafts, cancel)
    }
}

/// One list of several, by prior; of candidates of the same file that make the same edits, the most likely stays.
pub fn merge(lists: Vec<Vec<Candidate>>) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = lists.into_iter().flatten().collect();
    all.sort_by(|a, b| {
        b.prior
            .total_cmp(&a.prior)
            .then_with(|| (&a.file, &a.edits, a.kind).cmp(&(&b.file, &b.edits, b.kind)))
    });
    let mut seen = BTreeSet::new();
    all.retain(|candidate| seen.insert((candidate.file.clone(), candidate.edits.clone())));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repair::{Kind, Suspect, fill_prompts};

    const TEXT: &str = "def f(a, b) do\n  x = g(a + 1)\n  h(x, b)\nend\n";

    fn suspects() -> Vec<Suspect> {
        (2..=3)
            .map(|line| Suspect { file: "lib/a.ex".into(), line, score: 1.0, why: String::new() })
            .collect()
    }

    #[test]
    fn each_proposer_makes_its_own_and_merging_keeps_each_change_once() {
        let suspects = suspects();
        let donor = [("lib/b.ex", "def z(a, b), do: h(b, g(a))\n")];
        let request = Request { donors: &donor, ..Request::new("lib/a.ex", TEXT, &suspects) };
        let prompts = fill_prompts(&request, 2);
        let answers: Vec<String> = prompts.iter().map(|_| "x = g(a - 1)".to_string()).collect();
        let proposers: [&dyn Proposer; 3] =
            [&Templates, &Donors, &ModelAnswers { prompts: &prompts, answers: &answers }];
        let lists: Vec<Vec<Candidate>> =
            proposers.iter().map(|one| one.propose(&request, &Cancel::new()).unwrap()).collect();
        for (proposer, list) in proposers.iter().zip(&lists) {
            assert!(!list.is_empty(), "{} made nothing", proposer.name());
        }
        assert!(lists[0].iter().all(|one| !matches!(one.kind, Kind::Donor | Kind::Model)));
        assert!(lists[1].iter().all(|one| one.kind == Kind::Donor));
        assert!(lists[2].iter().all(|one| one.kind == Kind::Model));
        let total: usize = lists.iter().map(Vec::len).sum();
        let merged = merge(lists);
        assert!(merged.len() < total, "`a - 1` was made by templates and by the model");
        assert!(merged.windows(2).all(|pair| pair[0].prior >= pair[1].prior));
    }
}
