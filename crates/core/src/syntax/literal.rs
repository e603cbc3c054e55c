//! Literals as text: documentation, atoms, keys of keywords.

use tree_sitter::Node;

/// The value of a string, heredoc or sigil node: dedented, with the common escapes replaced; interpolation stays as it
/// is written. `None` for any other node.
pub(super) fn string(node: Node, source: &str) -> Option<String> {
    let (sigil, mut indent) = (node.kind() == "sigil", None);
    if !sigil && !matches!(node.kind(), "string" | "charlist") {
        return None;
    }
    let start = node.child_by_field_name("quoted_start")?;
    let end = node.child_by_field_name("quoted_end")?;
    let mut text = source.get(start.end_byte()..end.start_byte())?;
    if matches!(source.get(start.byte_range())?, "\"\"\"" | "'''") {
        text = text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')).unwrap_or(text);
        indent = Some(end.start_position().column);
    }
    let raw = sigil && node.named_child(0).is_some_and(|name| is_upper(&source[name.byte_range()]));
    let mut value = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let skip =
            line.bytes().take(indent.unwrap_or(0)).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if raw { value.push_str(&line[skip..]) } else { unescape(&line[skip..], &mut value) }
    }
    if indent.is_some() {
        // What stands before the closing quotes is their own indentation.
        value.truncate(value.trim_end_matches([' ', '\t']).len());
    }
    Some(value)
}

fn is_upper(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
}

fn unescape(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        into.push_str(before);
        let mut chars = after.chars();
        match chars.next() {
            Some('n') => into.push('\n'),
            Some('t') => into.push('\t'),
            Some('r') => into.push('\r'),
            Some('s') => into.push(' '),
            // Rare in documentation, and readable as they are.
            Some(kind @ ('x' | 'u')) => into.extend(['\\', kind]),
            Some('\n') | None => {}
            Some(other) => into.push(other),
        }
        rest = chars.as_str();
    }
    into.push_str(rest);
}

/// The name of an atom node, or of a keyword's key: without the colon, and without quotes.
pub(super) fn atom<'t>(node: Node, source: &'t str) -> Option<&'t str> {
    let text = source.get(node.byte_range())?.trim();
    let text = match node.kind() {
        "atom" | "quoted_atom" => text.strip_prefix(':')?,
        "keyword" | "quoted_keyword" => text.strip_suffix(':')?,
        "boolean" | "nil" => text,
        _ => return None,
    };
    Some(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text))
}

/// A name cut to what an atom can hold, which is 255 characters: a longer one would be none, and could grow with the depth of
/// what nests.
pub(super) fn as_atom(name: &str) -> &str {
    match name.char_indices().nth(255).filter(|_| name.len() > 255) {
        Some((end, _)) => &name[..end],
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse::parse;

    fn check(source: &str, value: Option<&str>) {
        let tree = parse(tree_sitter_elixir::LANGUAGE, source).unwrap();
        assert_eq!(string(tree.root_node().named_child(0).unwrap(), source).as_deref(), value, "{source}");
    }

    #[test]
    fn strings_are_dedented_and_unescaped() {
        check(r#""one \"two\" \\ #{x}""#, Some(r#"one "two" \ #{x}"#));
        check("\"\"\"\n  One\n\n    two\\n\n  \"\"\"", Some("One\n\n  two\n\n"));
        check("~S\"\"\"\n  a\\n\n  \"\"\"", Some("a\\n\n"));
        check("~s(a\\nb)", Some("a\nb"));
        check("\"\"", Some(""));
        check(":atom", None);
    }

    #[test]
    fn atoms_and_keys_lose_their_marks() {
        for (source, name) in [("[a: 1]", "a"), ("[\"a b\": 1]", "a b")] {
            let tree = parse(tree_sitter_elixir::LANGUAGE, source).unwrap();
            let key = tree.root_node().descendant_for_byte_range(1, 1).unwrap();
            let key = if key.is_named() { key } else { key.parent().unwrap() };
            assert_eq!(atom(key, source), Some(name));
        }
    }
}
