//! Names as Elixir's `inspect` prints them.

use std::borrow::Cow;

use tree_sitter::Node;

use super::prose::unescape;
use crate::syntax::literal::as_atom;

/// The value of an atom node: without quotes, and no longer than an atom can be. `None` for any other node.
pub(super) fn atom<'t>(node: Node, source: &'t str) -> Option<Cow<'t, str>> {
    if node.kind() != "atom" {
        return None;
    }
    let text = source.get(node.byte_range())?;
    let Some(quoted) = text.strip_prefix('\'') else { return Some(Cow::Borrowed(as_atom(text))) };
    let quoted = quoted.strip_suffix('\'').unwrap_or(quoted);
    if !quoted.contains('\\') {
        return Some(Cow::Borrowed(as_atom(quoted)));
    }
    let mut value = String::with_capacity(quoted.len());
    unescape(quoted, &mut value);
    value.truncate(as_atom(&value).len());
    Some(Cow::Owned(value))
}

/// An atom as Elixir writes it: `:lists`, `:"foo-bar"`, `Shop.Cart` for `'Elixir.Shop.Cart'`, `nil`.
pub(super) fn inspect(atom: &str) -> String {
    if matches!(atom, "nil" | "true" | "false" | "Elixir") {
        return atom.to_owned();
    }
    if let Some(alias) = atom.strip_prefix("Elixir.").filter(|alias| is_alias(alias)) {
        return alias.to_owned();
    }
    if is_identifier(atom) {
        return format!(":{atom}");
    }
    format!(":\"{}\"", atom.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn is_alias(name: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_uppercase())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    name.split('.').all(is_part)
}

fn is_identifier(name: &str) -> bool {
    let name = name.strip_suffix(['?', '!']).unwrap_or(name);
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atoms_look_as_elixir_prints_them() {
        for (atom, shown) in [
            ("lists", ":lists"),
            ("Upper", ":Upper"),
            ("node@host", ":node@host"),
            ("valid?", ":valid?"),
            ("foo-bar", r#":"foo-bar""#),
            ("a\"b\\", r#":"a\"b\\""#),
            ("", r#":"""#),
            ("é", ":é"),
            ("nil", "nil"),
            ("Elixir", "Elixir"),
            ("Elixir.Shop.Cart", "Shop.Cart"),
            ("Elixir.shop", r#":"Elixir.shop""#),
            ("Elixir.", r#":"Elixir.""#),
        ] {
            assert_eq!(inspect(atom), shown);
        }
    }
}
