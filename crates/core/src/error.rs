//! The one error that leaves the crate, and the list of its kinds.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::visible::visible;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// What went wrong, coarse enough to match on. The Elixir library lists the same kinds, and a test compares the two lists.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $($(#[doc = $doc])+ $variant,)+ }

        impl ErrorKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$variant,)+];

            /// The kind's name: the atom that Elixir sees.
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorKind::$variant => $name,)+ }
            }
        }
    };
}

kinds! {
    /// An argument has the wrong type or a value out of range.
    InvalidArgument => "invalid_argument",
    /// What was asked for does not exist.
    NotFound => "not_found",
    /// The operating system refused to read or write.
    Io => "io",
    /// Data cannot be read: it is truncated, damaged or of another format.
    Corrupt => "corrupt",
    /// Data was written by a newer version than this one.
    Version => "version",
    /// Data was written by an older version, which is no more read: it has to be made anew.
    Outdated => "outdated",
    /// Somebody else holds what is needed.
    Locked => "locked",
    /// A limit of size, depth, memory or number was reached.
    Limit => "limit",
    /// The caller, or the end of the owner, stopped the work.
    Cancelled => "cancelled",
    /// The time that was given is over.
    Timeout => "timeout",
    /// A model file does not hold a model that can be run.
    Model => "model",
    /// This build does not contain the capability.
    NotCompiled => "not_compiled",
    /// A program, library or model that the work needs is not on this machine.
    Unavailable => "unavailable",
    /// The sandbox could not do its work.
    Sandbox => "sandbox",
    /// The folder is not a project that can be worked on.
    Project => "project",
    /// A bug in Ambix: native code panicked, and the panic was caught.
    Panic => "panic",
}

/// An error: its kind, one sentence for a person, and where it came from.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`: one sentence, with what to do about it where that is known. What would rule a
    /// terminal, as the name of a file may, is written as an escape.
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        let message = visible(&message.to_string()).into_owned();
        Error { kind, message, path: None, source: None }
    }

    /// Shorthand for [`ErrorKind::InvalidArgument`].
    pub fn invalid(message: impl fmt::Display) -> Self {
        Error::new(ErrorKind::InvalidArgument, message)
    }

    /// An input or output error at `path`.
    pub fn io(path: &Path, doing: &str, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        let message = format!("cannot {doing} {}: {source}", path.display());
        Error::new(kind, message).with_path(path).with_source(source)
    }

    /// Names the file or folder concerned.
    #[must_use]
    pub fn with_path(mut self, path: &Path) -> Self {
        self.path = Some(path.to_path_buf());
        self
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The file or folder concerned.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_distinct_names() {
        let mut names: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn io_errors_name_the_path_and_tell_missing_from_forbidden() {
        let path = Path::new("/no/such/file");
        let missing = Error::io(path, "read", std::io::ErrorKind::NotFound.into());
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.to_string().contains("/no/such/file"));
        let odd = Error::io(Path::new("/a\u{1b}[2J"), "read", std::io::ErrorKind::NotFound.into());
        assert!(odd.to_string().contains("/a\\u{1b}[2J"), "{odd}");
        assert_eq!(
            Error::io(path, "read", std::io::ErrorKind::PermissionDenied.into()).kind(),
            ErrorKind::Io
        );
    }
}
