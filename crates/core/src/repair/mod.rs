//! Candidates for a change: where the fault may be, and what to try there.
//!
//! [`localise`] turns test runs into suspicious lines, [`candidates`] turns those into changes. [`Proposer`] is what all
//! sources of candidates have in common; a model takes part by data alone: [`fill_prompts`] to be answered with code,
//! [`rank_prompts`] to be answered with log-probabilities.

mod localise;
mod mutate;
mod prompts;
mod proposer;

pub use localise::{Frame, Suspect, SuspectFunction, TestRun, localise, suspect_functions};
pub use mutate::{Candidate, Function, Kind, Page, Request, candidates, candidates_of, page_of};
pub use prompts::{FillPrompt, RankPrompt, fill_prompts, rank_prompts, rerank};
pub use proposer::{Donors, ModelAnswers, Proposer, Templates, merge};
