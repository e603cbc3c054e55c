//! Names as `inspect` prints them.

use std::sync::Arc;

use rustc_hash::FxHashSet;

/// What the names of Elixir's modules begin with, as atoms.
const ELIXIR: &str = "Elixir.";
/// What the functions behind macros are called.
const MACRO: &str = "MACRO-";

/// Names that occur often are kept once.
#[derive(Default)]
pub(super) struct Names {
    known: FxHashSet<Arc<str>>,
}

impl Names {
    /// The atom as it is.
    pub(super) fn plain(&mut self, atom: &str) -> Arc<str> {
        if let Some(name) = self.known.get(atom) {
            return name.clone();
        }
        let name: Arc<str> = atom.into();
        self.known.insert(name.clone());
        name
    }

    /// A module: `"Shop.Cart"`, `":lists"`.
    pub(super) fn module(&mut self, atom: &str) -> Arc<str> {
        match alias(atom) {
            Some(alias) => self.plain(alias),
            None => self.plain(&inspect(atom)),
        }
    }
}

/// The module that an atom is in Elixir, if it is one of Elixir: `"Shop.Cart"`.
pub(super) fn alias(atom: &str) -> Option<&str> {
    let alias = atom.strip_prefix(ELIXIR)?;
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_uppercase())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    alias.split('.').all(is_part).then_some(alias)
}

/// Name and arity of the macro behind a function, if there is one: it takes the caller's environment before its arguments.
pub(super) fn behind_macro(name: &str, arity: u8) -> Option<(&str, u8)> {
    Some((name.strip_prefix(MACRO)?, arity.checked_sub(1)?))
}

fn inspect(atom: &str) -> String {
    if matches!(atom, "nil" | "true" | "false" | "Elixir") {
        return atom.into();
    }
    if is_bare(atom) {
        return format!(":{atom}");
    }
    let mut quoted = String::from(":\"");
    let mut characters = atom.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '#' if characters.peek() == Some(&'{') => quoted.push_str("\\#"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether an atom needs no quotes. Operators do not either, but no module is called like one.
fn is_bare(atom: &str) -> bool {
    let stem = atom.strip_suffix(['?', '!']).unwrap_or(atom);
    stem.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && stem.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_as_inspect_does() {
        let mut names = Names::default();
        for (atom, printed) in [
            ("Elixir.Shop.Cart_2", "Shop.Cart_2"),
            ("Elixir", "Elixir"),
            ("Elixir.shop", ":\"Elixir.shop\""),
            ("Elixir.", ":\"Elixir.\""),
            ("lists", ":lists"),
            ("Shop", ":Shop"),
            ("nil", "nil"),
            ("my_app@host!", ":my_app@host!"),
            ("größe", ":größe"),
            ("two words", ":\"two words\""),
            ("a\"b\\c#{d\n", ":\"a\\\"b\\\\c\\#{d\\n\""),
            ("", ":\"\""),
            ("1st", ":\"1st\""),
        ] {
            assert_eq!(&*names.module(atom), printed, "{atom:?}");
        }
    }

    #[test]
    fn macros_are_found_behind_their_functions() {
        assert_eq!(behind_macro("MACRO-if", 3), Some(("if", 2)));
        assert_eq!(behind_macro("MACRO-if", 0), None);
        assert_eq!(behind_macro("if", 3), None);
    }
}
