//! Candidates for a change: where the fault may be, and what to try there.
