//! What long work shares with the one who ordered it: a token to stop it and a place to report progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::{Error, ErrorKind, Result};

/// A token that stops work. Clones share one flag; a deadline stops the work by itself.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Cancel {
    /// A token that nobody has pulled.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same flag, and the work also stops at `deadline`.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        Cancel { flag: self.flag.clone(), deadline: Some(deadline) }
    }

    /// Asks the work to stop. It does at its next [`Cancel::check`].
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Whether the work was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// To be called in every loop that may run long.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] after [`Cancel::cancel`], [`ErrorKind::Timeout`] after the deadline.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "the work was cancelled"));
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => {
                Err(Error::new(ErrorKind::Timeout, "the time that was given for the work is over"))
            }
            _ => Ok(()),
        }
    }
}

/// How far long work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The part of the work that is running, such as `"read"` or `"embed"`.
    pub phase: &'static str,
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_flag_and_deadlines_pass() {
        let cancel = Cancel::new();
        let clone = cancel.clone();
        assert!(cancel.check().is_ok());
        clone.cancel();
        assert_eq!(cancel.check().unwrap_err().kind(), ErrorKind::Cancelled);
        let late = Cancel::new().with_deadline(Instant::now());
        assert_eq!(late.check().unwrap_err().kind(), ErrorKind::Timeout);
    }
}
