//! Candidates for a change: where the fault may be, and what to try there.

mod localise;
mod mutate;

pub use localise::{Frame, Suspect, SuspectFunction, TestRun, localise, suspect_functions};
pub use mutate::{Candidate, Kind, Request, candidates};
