//! What could not be read, told as diagnostics.

use std::ops::ControlFlow;

use tree_sitter::Tree;

use super::check::Fault;
use super::lines::LineNumbers;
use super::parse::{errors, span};
use crate::source::{Diagnostic, File, Severity, Span};

/// More syntax errors in one file say nothing new.
pub(super) const MAX_DIAGNOSTICS: usize = 50;

/// Tells of the syntax errors of a tree. `language` is the name of what the file should be written in.
pub(super) fn syntax(file: &File, language: &str, tree: &Tree, diagnostics: &mut Vec<Diagnostic>) {
    if !tree.root_node().has_error() {
        return;
    }
    errors(tree, |node| {
        if diagnostics.len() >= MAX_DIAGNOSTICS {
            return ControlFlow::Break(());
        }
        let what = if node.is_missing() {
            format!("{:?} is missing", node.kind())
        } else {
            format!("this is not {language}")
        };
        diagnostics.push(warning(file, Some(span(node)), what));
        ControlFlow::Continue(())
    });
}

/// Tells why a text is not Elixir.
pub(super) fn fault(file: &File, fault: Fault, diagnostics: &mut Vec<Diagnostic>) {
    let lines = LineNumbers::of(&file.text);
    let (start, end) = (fault.at.start as u32, fault.at.end as u32);
    let place = Span { start, end, line_start: lines.at(start), line_end: lines.at(end) };
    problem(file, place, &fault.message, diagnostics);
}

/// Tells of what Elixir reads, but does not compile.
pub(super) fn misplaced(file: &File, at: Span, what: String, diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.len() < MAX_DIAGNOSTICS {
        diagnostics.push(Diagnostic { code: "misplaced".into(), ..warning(file, Some(at), what) });
    }
}

/// Tells of something else that is wrong.
pub(super) fn problem(file: &File, at: Span, what: &str, diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.len() < MAX_DIAGNOSTICS {
        diagnostics.push(warning(file, Some(at), what.into()));
    }
}

/// Tells that the file, or the part of it at `at`, was not read at all.
pub(super) fn given_up(file: &File, language: &str, at: Option<Span>, diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.len() < MAX_DIAGNOSTICS {
        let message = format!("the text is so far from {language} that reading it was given up");
        diagnostics.push(warning(file, at, message));
    }
}

fn warning(file: &File, span: Option<Span>, message: String) -> Diagnostic {
    Diagnostic { path: file.path.clone(), span, severity: Severity::Warning, code: "syntax".into(), message }
}
