//! Files of a project: which there are, what language they are in, and what they hold.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a file: bytes `start..end`, lines `line_start..=line_end` counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// First line, from 1.
    pub line_start: u32,
    /// Last line, from 1, inclusive.
    pub line_end: u32,
}

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Language {
    /// `.ex` and `.exs`.
    Elixir,
    /// `.heex`.
    Heex,
    /// `.eex` and `.leex`.
    Eex,
    /// `.erl` and `.hrl`.
    Erlang,
    /// `.md` and `.livemd`.
    Markdown,
    /// Any other text.
    Text,
}

/// The first 16 bytes of the BLAKE3 hash of some content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContentHash(pub [u8; 16]);

impl ContentHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        ContentHash(short)
    }
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Relative to the root, with `/` between folders.
    pub path: Arc<str>,
    /// What it is written in.
    pub language: Language,
    /// Of `text`.
    pub hash: ContentHash,
    /// All of it; invalid UTF-8 is replaced, with a diagnostic.
    pub text: Arc<str>,
}

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
