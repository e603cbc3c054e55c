//! A file, its language and places in it.

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
    /// `.md`.
    Markdown,
    /// Any other text: configuration, data, scripts, style sheets, programs in other languages.
    Text,
    /// `.livemd`: Markdown with cells of Elixir.
    Livebook,
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
    /// When it was written, in milliseconds since 1970, for one that was just read, if the system told.
    pub modified: Option<u64>,
}

impl Language {
    /// Every language.
    pub const ALL: [Language; 7] = [
        Language::Elixir,
        Language::Heex,
        Language::Eex,
        Language::Erlang,
        Language::Markdown,
        Language::Text,
        Language::Livebook,
    ];

    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Elixir => "elixir",
            Language::Heex => "heex",
            Language::Eex => "eex",
            Language::Erlang => "erlang",
            Language::Markdown => "markdown",
            Language::Text => "text",
            Language::Livebook => "livebook",
        }
    }

    /// What a file of this name is written in, by its extension.
    pub fn of_path(path: &str) -> Self {
        match extension(path) {
            Some("ex" | "exs") => Language::Elixir,
            Some("heex") => Language::Heex,
            Some("eex" | "leex") => Language::Eex,
            Some("erl" | "hrl") => Language::Erlang,
            Some("md") => Language::Markdown,
            Some("livemd") => Language::Livebook,
            _ => Language::Text,
        }
    }
}

impl File {
    /// A file with this text; language and hash follow from the arguments.
    pub fn new(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let (path, text) = (path.into(), text.into());
        File {
            language: Language::of_path(&path),
            hash: ContentHash::of(text.as_bytes()),
            path,
            text,
            modified: None,
        }
    }

    /// The text at `span`; empty when the span is not of this file.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }
}

/// What stands behind the last dot of a file's name.
pub(super) fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_tells_the_language() {
        for (path, language) in [
            ("mix.exs", Language::Elixir),
            ("lib/a.b/c.ex", Language::Elixir),
            ("lib/page.html.heex", Language::Heex),
            ("old.html.leex", Language::Eex),
            ("src/a.hrl", Language::Erlang),
            ("guide.md", Language::Markdown),
            ("guide.livemd", Language::Livebook),
            ("config/runtime.json", Language::Text),
            ("Makefile", Language::Text),
            ("a.ex/readme", Language::Text),
            ("", Language::Text),
        ] {
            assert_eq!(Language::of_path(path), language, "{path}");
        }
    }

    #[test]
    fn a_file_knows_its_hash_and_cuts_only_what_it_has() {
        let file = File::new("a.ex", "äb");
        assert_eq!(file.hash, ContentHash::of("äb".as_bytes()));
        let cut = |start, end| file.slice(Span { start, end, ..Span::default() });
        assert_eq!((cut(0, 2), cut(2, 3), cut(1, 2), cut(2, 9)), ("ä", "b", "", ""));
    }
}
