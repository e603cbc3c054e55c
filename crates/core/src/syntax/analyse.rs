//! The one function that reads a file, whatever its language.

use super::elixir::Reader;
use super::parse::parse;
use super::recover::fragments;
use super::{FileFacts, chunk, diagnose, erlang};
use crate::source::{File, Language};

/// All that `file` says by itself. Never fails: what cannot be read is told in the diagnostics, and the rest is read.
///
/// Elixir and Erlang are read in full; of other languages only chunks are made.
pub fn analyse(file: &File) -> FileFacts {
    let mut facts = match file.language {
        Language::Elixir => elixir(file),
        Language::Erlang => erlang::read(file),
        _ => FileFacts::default(),
    };
    facts.chunks = chunk::chunks(file, &facts);
    facts
}

fn elixir(file: &File) -> FileFacts {
    let Some(tree) = parse(tree_sitter_elixir::LANGUAGE, &file.text, None) else {
        let mut facts = FileFacts::default();
        diagnose::given_up(file, "Elixir", None, &mut facts.diagnostics);
        return facts;
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
    diagnose::syntax(file, "Elixir", &tree, &mut facts.diagnostics);
    facts
}
