//! The one function that reads a file, whatever its language.

use std::ops::ControlFlow;

use tree_sitter::Tree;

use super::elixir::Reader;
use super::parse::{errors, parse, span};
use super::recover::fragments;
use super::template::{Dialect, Overlay, renumber};
use super::{FileFacts, chunk};
use crate::source::{Diagnostic, File, Language, Severity, Span};

/// More syntax errors in one file say nothing new.
const MAX_DIAGNOSTICS: usize = 50;

/// All that `file` says by itself. Never fails: what cannot be read is told in the diagnostics, and the rest is read.
///
/// Elixir and templates are read in full; of other languages only chunks are made.
pub fn analyse(file: &File) -> FileFacts {
    let mut facts = match file.language {
        Language::Elixir => elixir(file),
        Language::Heex => template(file, Dialect::Heex),
        Language::Eex => template(file, Dialect::Eex),
        _ => FileFacts::default(),
    };
    facts.chunks = chunk::chunks(file, &facts);
    facts
}

fn elixir(file: &File) -> FileFacts {
    let Some(tree) = parse(&*file.text, None) else { return given_up(file) };
    let broken = tree.root_node().has_error();
    let fragments = if broken { fragments(&file.text, &tree) } else { Vec::new() };
    let trees = std::iter::once(&tree).chain(fragments.iter().map(|fragment| &fragment.tree));
    let overlay = Overlay::of_code(&file.text, trees);
    let mut reader = Reader::new(overlay.text(), &tree);
    (reader.path, reader.templates) = (&file.path, overlay.templates());
    reader.read(tree.root_node());
    reader.recover(&fragments);
    reader.settle();
    if broken {
        reader.part();
    }
    let mut facts = reader.facts;
    tell_errors(file, &tree, &mut facts);
    finish(file, &overlay, &mut facts);
    facts
}

fn template(file: &File, dialect: Dialect) -> FileFacts {
    let overlay = Overlay::of_template(&file.text, dialect);
    let (Some(template), Some(blank)) = (overlay.templates().first(), parse("", None)) else {
        return given_up(file);
    };
    let mut reader = Reader::new(overlay.text(), &blank);
    reader.path = &file.path;
    reader.template_file(template);
    reader.settle();
    let mut facts = reader.facts;
    finish(file, &overlay, &mut facts);
    facts
}

fn given_up(file: &File) -> FileFacts {
    let message = "the text is so far from Elixir that reading it was given up";
    FileFacts { diagnostics: vec![diagnostic(file, None, "syntax", message.into())], ..FileFacts::default() }
}

/// Adds what is wrong in templates, and puts everything on its line.
fn finish(file: &File, overlay: &Overlay, facts: &mut FileFacts) {
    if overlay.templates().is_empty() {
        return;
    }
    for template in overlay.templates() {
        let whole = (
            template.range.clone(),
            "the code of the template is so far from Elixir that reading it was given up",
        );
        let given_up = template.tree.is_none().then_some(&whole);
        for (at, what) in template.problems.iter().chain(given_up) {
            if facts.diagnostics.len() < MAX_DIAGNOSTICS {
                let at = Span { start: at.start as u32, end: at.end as u32, line_start: 1, line_end: 1 };
                facts.diagnostics.push(diagnostic(file, Some(at), "syntax", (*what).into()));
            }
        }
        if let Some(tree) = &template.tree {
            tell_errors(file, tree, facts);
        }
    }
    facts.diagnostics.sort_by_key(|diagnostic| diagnostic.span.map(|span| (span.start, span.end)));
    renumber(facts, &file.text);
}

/// Adds the syntax errors of a tree.
fn tell_errors(file: &File, tree: &Tree, facts: &mut FileFacts) {
    if !tree.root_node().has_error() {
        return;
    }
    errors(tree, |node| {
        if facts.diagnostics.len() >= MAX_DIAGNOSTICS {
            return ControlFlow::Break(());
        }
        let what = if node.is_missing() {
            format!("{:?} is missing", node.kind())
        } else {
            "this is not Elixir".into()
        };
        facts.diagnostics.push(diagnostic(file, Some(span(node)), "syntax", what));
        ControlFlow::Continue(())
    });
}

fn diagnostic(file: &File, span: Option<Span>, code: &str, message: String) -> Diagnostic {
    Diagnostic { path: file.path.clone(), span, severity: Severity::Warning, code: code.into(), message }
}
