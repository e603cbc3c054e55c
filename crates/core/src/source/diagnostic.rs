//! What could not be read, as values.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Span;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Something could not be read at all.
    Error,
    /// Something was read in part.
    Warning,
}

/// Something that could not be read as it stands. Work goes on past it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file, relative to the root.
    pub path: Arc<str>,
    /// Where in it, if that is known.
    pub span: Option<Span>,
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for the cause, such as `"syntax"`, `"encoding"` or `"too_large"`.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
}
