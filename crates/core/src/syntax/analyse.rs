//! The one function that reads a file, whatever its language.

use std::ops::ControlFlow;

use super::elixir::Reader;
use super::parse::{errors, parse, span};
use super::recover::fragments;
use super::{FileFacts, chunk};
use crate::source::{Diagnostic, File, Language, Severity, Span};

/// More syntax errors in one file say nothing new.
const MAX_DIAGNOSTICS: usize = 50;

/// All that `file` says by itself. Never fails: what cannot be read is told in the diagnostics, and the rest is read.
///
/// Elixir is read in full; of other languages only chunks are made.
pub fn analyse(file: &File) -> FileFacts {
    let mut facts = match file.language {
        Language::Elixir => elixir(file),
        _ => FileFacts::default(),
    };
    facts.chunks = chunk::chunks(file, &facts);
    facts
}

fn elixir(file: &File) -> FileFacts {
    let Some(tree) = parse(&file.text, None) else {
        let message = "the text is so far from Elixir that reading it was given up";
        return FileFacts {
            diagnostics: vec![diagnostic(file, None, "syntax", message.into())],
            ..FileFacts::default()
        };
    };
    let broken = tree.root_node().has_error();
    let fragments = if broken { fragments(&file.text, &tree) } else { Vec::new() };
    let mut reader = Reader::new(&file.text, &tree);
    reader.read(tree.root_node());
    reader.recover(&fragments);
    reader.settle();
    if broken {
        reader.part();
    }
    let mut facts = reader.facts;
    if broken {
        errors(&tree, |node| {
            let what = if node.is_missing() {
                format!("{:?} is missing", node.kind())
            } else {
                "this is not Elixir".into()
            };
            facts.diagnostics.push(diagnostic(file, Some(span(node)), "syntax", what));
            if facts.diagnostics.len() < MAX_DIAGNOSTICS {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
    }
    facts
}

fn diagnostic(file: &File, span: Option<Span>, code: &str, message: String) -> Diagnostic {
    Diagnostic { path: file.path.clone(), span, severity: Severity::Warning, code: code.into(), message }
}
