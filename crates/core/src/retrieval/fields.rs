//! The parts of a chunk that are searched apart, and the words in each.

use super::tokens::{Token, tokens, words};
use crate::project::ProjectFile;
use crate::source::Language;
use crate::syntax::{Definition, DefinitionKind, without_aliases};

/// How many fields there are.
pub(crate) const FIELDS: usize = 6;

/// A part of a chunk with a weight of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The names that it defines.
    Name,
    /// The module it stands in; for prose the titles above it.
    Module,
    /// The path of its file.
    Path,
    /// Documentation.
    Doc,
    /// Comments.
    Comment,
    /// All else.
    Body,
}

/// Calls `emit` with each token of chunk `at`, its field, and what kind of token it is.
pub(crate) fn field_tokens(entry: &ProjectFile, at: usize, emit: &mut impl FnMut(Field, Token, &str)) {
    let chunk = &entry.chunks()[at];
    let mut named = false;
    for definition in entry.definitions_in(at) {
        named = true;
        words(bare_name(definition), &mut |kind, token| emit(Field::Name, kind, token));
        wholes(&definition.qualified(), emit);
    }
    if !named {
        words(last_name(&chunk.symbol), &mut |kind, token| emit(Field::Name, kind, token));
        wholes(&chunk.symbol, emit);
    }
    let header = without_aliases(&chunk.header);
    let place = header.strip_suffix(')').and_then(|header| header.rsplit_once('('));
    let above = place.map_or("", |(above, _)| above);
    words(above, &mut |kind, token| emit(Field::Module, kind, token));
    words(&entry.file.path, &mut |kind, token| emit(Field::Path, kind, token));
    parts(entry.chunk_text(at), entry.file.language, &mut |field, text| {
        words(text, &mut |kind, token| emit(field, kind, token));
    });
}

/// What a question calls a definition by: the last part of its name.
fn bare_name(definition: &Definition) -> &str {
    if is_module(definition.kind) { last_name(&definition.module) } else { &definition.name }
}

pub(crate) fn is_module(kind: DefinitionKind) -> bool {
    use DefinitionKind::{Implementation, Module, Protocol};
    matches!(kind, Module | Protocol | Implementation)
}

/// `add` of `Shop.Cart.add/2`, `Cart` of `Shop.Cart`.
fn last_name(symbol: &str) -> &str {
    let name = symbol.rsplit_once('/').map_or(symbol, |(name, _)| name);
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

/// The dotted forms of a name and those with its arity, by which it is asked for as a whole.
fn wholes(symbol: &str, emit: &mut impl FnMut(Field, Token, &str)) {
    tokens(symbol, true, &mut |kind, token| {
        if kind == Token::Whole {
            emit(Field::Name, kind, token);
        }
    });
}

/// The lines of a text by what they are. What a line is, its beginning tells: a comment behind code is part of the code.
fn parts<'t>(text: &'t str, language: Language, each: &mut impl FnMut(Field, &'t str)) {
    let (comment, documents): (&str, &[&str]) = match language {
        Language::Elixir => ("#", &["@doc", "@moduledoc", "@typedoc", "@shortdoc"]),
        Language::Erlang => ("%", &["-doc", "-moduledoc"]),
        _ => return each(Field::Body, text),
    };
    let mut closing: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let field = if let Some(mark) = closing {
            closing = (!bare.starts_with(mark)).then_some(mark);
            Field::Doc
        } else if bare.starts_with(comment) {
            Field::Comment
        } else if documents.iter().any(|attribute| begins_with_word(bare, attribute)) {
            closing = ["\"\"\"", "'''"].into_iter().find(|mark| bare.matches(mark).count() == 1);
            Field::Doc
        } else {
            Field::Body
        };
        each(field, line);
    }
}

fn begins_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: Language, text: &str, expected: &[(Field, &str)]) {
        let mut found: Vec<(Field, String)> = Vec::new();
        parts(text, language, &mut |field, part| match found.last_mut() {
            Some((before, text)) if *before == field => text.push_str(part),
            _ => found.push((field, part.to_owned())),
        });
        let found: Vec<_> = found.iter().map(|(field, text)| (*field, text.trim())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn documentation_and_comments_are_told_from_code() {
        check(
            Language::Elixir,
            "# Above.\n@doc \"\"\"\nAdds.\n# not a comment\n\"\"\"\n@spec a\ndef a, do: 1 # behind\n",
            &[
                (Field::Comment, "# Above."),
                (Field::Doc, "@doc \"\"\"\nAdds.\n# not a comment\n\"\"\""),
                (Field::Body, "@spec a\ndef a, do: 1 # behind"),
            ],
        );
        check(
            Language::Elixir,
            "@doc \"One line.\"\n@document 1\n",
            &[(Field::Doc, "@doc \"One line.\""), (Field::Body, "@document 1")],
        );
        check(
            Language::Erlang,
            "%% Adds.\n-doc \"\"\"\nMore.\n\"\"\".\na() -> 1.\n",
            &[
                (Field::Comment, "%% Adds."),
                (Field::Doc, "-doc \"\"\"\nMore.\n\"\"\"."),
                (Field::Body, "a() -> 1."),
            ],
        );
        check(Language::Markdown, "# Title\ntext\n", &[(Field::Body, "# Title\ntext")]);
    }

    #[test]
    fn the_last_part_of_a_symbol_is_its_name() {
        for (symbol, name) in [("Shop.Cart.add/2", "add"), ("Shop.Cart", "Cart"), ("add/2", "add"), ("", "")]
        {
            assert_eq!(last_name(symbol), name);
        }
    }
}
