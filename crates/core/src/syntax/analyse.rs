//! The one function that reads a file, whatever its language.

use std::ops::Range;

use super::check::check;
use super::parse::parse;
use super::reader::ElixirReader;
use super::recover::{Parsed, Piece, parsed};
use super::template::{Dialect, Overlay, renumber};
use super::{FileFacts, chunk, diagnose, erlang};
use crate::source::{File, Language, Span};

/// All that `file` says by itself. Never fails: what cannot be read is told in the diagnostics, and the rest is read.
///
/// Elixir, Erlang, templates and the cells of Livebooks are read in full; of other languages only chunks are made.
pub fn analyse(file: &File) -> FileFacts {
    let mut facts = match file.language {
        Language::Elixir => elixir(file),
        Language::Livebook => elixir(&File { text: chunk::livebook_code(&file.text).into(), ..file.clone() }),
        Language::Erlang => erlang::read(file),
        Language::Heex => template(file, Dialect::Heex),
        Language::Eex => template(file, Dialect::Eex),
        _ => FileFacts::default(),
    };
    facts.chunks = chunk::chunks(file, &facts);
    facts
}

fn elixir(file: &File) -> FileFacts {
    let fault = check(&file.text);
    let Parsed { pieces, given_up } = parsed(&file.text, fault.is_some());
    let trees = || pieces.iter().filter_map(Piece::tree);
    let Some(first) = trees().next() else { return given_up_at(file, given_up) };
    let broken = fault.is_some() || given_up.is_some() || trees().any(|tree| tree.root_node().has_error());
    let overlay = Overlay::of_code(&file.text, trees());
    let mut reader = ElixirReader::new(overlay.text(), first);
    (reader.path, reader.templates) = (&file.path, overlay.templates());
    reader.read_pieces(&pieces);
    reader.settle();
    if broken {
        reader.part();
    }
    let mut facts = reader.facts;
    if given_up.is_some() {
        diagnose::given_up(file, "Elixir", given_up, &mut facts.diagnostics);
    }
    if let Some(fault) = fault {
        diagnose::fault(file, fault, &mut facts.diagnostics);
    }
    finish(file, &overlay, &mut facts);
    facts
}

fn template(file: &File, dialect: Dialect) -> FileFacts {
    let overlay = Overlay::of_template(&file.text, dialect);
    let blank = parse(tree_sitter_elixir::LANGUAGE, "");
    let (Some(template), Some(blank)) = (overlay.templates().first(), blank) else {
        return given_up_at(file, None);
    };
    let mut reader = ElixirReader::new(overlay.text(), &blank);
    reader.path = &file.path;
    reader.template_file(template);
    reader.settle();
    let mut facts = reader.facts;
    finish(file, &overlay, &mut facts);
    facts
}

fn given_up_at(file: &File, at: Option<Span>) -> FileFacts {
    let mut facts = FileFacts::default();
    diagnose::given_up(file, "Elixir", at, &mut facts.diagnostics);
    facts
}

/// Adds what is wrong in templates, and puts everything on its line.
fn finish(file: &File, overlay: &Overlay, facts: &mut FileFacts) {
    if overlay.templates().is_empty() {
        return;
    }
    for template in overlay.templates() {
        let place = |at: &Range<usize>| Span {
            start: at.start as u32,
            end: at.end as u32,
            line_start: 1,
            line_end: 1,
        };
        for (at, what) in &template.problems {
            diagnose::problem(file, place(at), what, &mut facts.diagnostics);
        }
        match &template.tree {
            Some(tree) => diagnose::syntax(file, "Elixir", tree, &mut facts.diagnostics),
            None => diagnose::given_up(file, "Elixir", Some(place(&template.range)), &mut facts.diagnostics),
        }
    }
    facts.diagnostics.sort_by_key(|diagnostic| diagnostic.span.map(|span| (span.start, span.end)));
    renumber(facts, &file.text);
}
