//! From failing tests to changes that may mend them: where the fault may be, and what to try there.
//!
//! [`localise`] turns test runs into suspicious lines, [`candidates`] turns those into changes that parse and that bring
//! nothing that the compiler would refuse. [`Proposer`] is what all sources of candidates have in common; a model takes part
//! by data alone: [`fill_prompts`] to be answered with code, [`rank_prompts`] to be answered with log-probabilities, and
//! [`assisted`] asks both of a local one. A [`RepairSession`] keeps all of it for who tries the candidates.

mod assisted;
mod changeable;
mod localise;
mod mutate;
mod prompts;
mod proposer;
mod session;
mod steps;

pub use assisted::assisted;
pub use changeable::changeable;
pub use localise::{Frame, Suspect, SuspectFunction, TestRun, localise, suspect_functions};
pub use mutate::{Candidate, Function, Kind, Page, Request, candidates, candidates_of, page_of};
pub use prompts::{FillPrompt, RankPrompt, fill_prompts, rank_prompts, rerank};
pub use proposer::{Donors, ModelAnswers, Proposer, Templates, merge};
pub use session::{
    CandidatePage, CandidateSummary, ChangedFunction, FilePatch, Mutant, MutantBatch, RepairSession,
    SuspectScope, TestReport,
};
