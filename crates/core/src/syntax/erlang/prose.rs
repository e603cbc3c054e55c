//! Documentation: literals of text and comments.

use tree_sitter::Node;

/// The value of a string node, a triple-quoted one and a sigil too: dedented, with the common escapes replaced. `None` for
/// any other node.
pub(super) fn string(node: Node, source: &str) -> Option<String> {
    if node.kind() != "string" {
        return None;
    }
    let text = source.get(node.byte_range())?;
    let (sigil, quoted) = match text.strip_prefix('~') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_alphabetic())?),
        None => ("", text),
    };
    let raw = matches!(sigil, "B" | "S");
    let mut value = String::with_capacity(quoted.len());
    let quotes = quoted.bytes().take_while(|byte| *byte == b'"').count();
    // A triple-quoted string holds escapes only if its sigil says so.
    if quotes >= 3 && quoted.contains('\n') {
        dedent(quoted, quotes, raw || sigil.is_empty(), &mut value);
        return Some(value);
    }
    let mut chars = quoted.chars();
    chars.next();
    chars.next_back();
    if raw {
        value.push_str(chars.as_str())
    } else {
        unescape(chars.as_str(), &mut value)
    }
    Some(value)
}

/// What stands between lines of quotes, without the indentation of the last.
fn dedent(quoted: &str, quotes: usize, raw: bool, into: &mut String) {
    let inside = quoted.split_once('\n').map_or("", |(_, inside)| inside);
    let inside = inside.get(..inside.len().saturating_sub(quotes)).unwrap_or_default();
    let (inside, last) = inside.rsplit_once('\n').unwrap_or(("", inside));
    for (number, line) in inside.lines().enumerate() {
        if number > 0 {
            into.push('\n');
        }
        let line = line.strip_prefix(last).unwrap_or_else(|| line.trim_start());
        if raw { into.push_str(line) } else { unescape(line, into) }
    }
}

/// Replaces the common escapes; the others stay as they are written.
pub(super) fn unescape(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        into.push_str(before);
        let mut chars = after.chars();
        match chars.next() {
            Some('n') => into.push('\n'),
            Some('t') => into.push('\t'),
            Some('r') => into.push('\r'),
            Some('s') => into.push(' '),
            Some(other @ ('"' | '\'' | '\\')) => into.push(other),
            Some('\n') | None => {}
            Some(other) => into.extend(['\\', other]),
        }
        rest = chars.as_str();
    }
    into.push_str(rest);
}

/// The text of the comment lines among others: without their signs, EDoc's `@doc` and lines that only separate. `None` when nothing is left.
pub(super) fn comment(text: &str) -> Option<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let Some(line) = line.trim().strip_prefix('%') else { continue };
        let line = line.trim_start_matches('%');
        let line = line.strip_prefix(' ').unwrap_or(line);
        if !line.is_empty()
            && line.chars().all(|c| matches!(c, '-' | '=' | '*' | '#' | '+' | '_' | '%' | ' '))
        {
            continue;
        }
        lines.push(line.strip_prefix("@doc").map_or(line, str::trim_start));
    }
    let text = lines.join("\n");
    let text = text.trim_matches('\n');
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse::parse;

    fn check(source: &str, value: &str) {
        let text = format!("-doc {source}.");
        let tree = parse(tree_sitter_erlang::LANGUAGE, &text).unwrap();
        let form = tree.root_node().named_child(0).unwrap();
        let node = form.child_by_field_name("value").unwrap();
        assert_eq!(string(node, &text).as_deref(), Some(value), "{source}");
    }

    #[test]
    fn strings_are_dedented_and_unescaped() {
        check(r#""a \"b\" \\ \n\x41""#, "a \"b\" \\ \n\\x41");
        check("\"\"\"\n  One\n\n    two\\n\n  \"\"\"", "One\n\n  two\\n");
        check("~\"\"\"\n  One\\tt\n  \"\"\"", "One\\tt");
        check("~s\"\"\"\n  One\\tt\n  \"\"\"", "One\tt");
        check("~B(a\\nb)", "a\\nb");
        check("~\"ü\"", "ü");
        check("\"\"", "");
        check("\"\"\"\n\n\"\"\"", "");
    }

    #[test]
    fn comments_lose_their_signs() {
        let text = "%%-------\n%% @doc Adds\n%%   two.\n%%\n%% === %%\n";
        assert_eq!(comment(text).as_deref(), Some("Adds\n  two."));
        assert_eq!(comment("% One\n-spec f() -> ok.\n% two").as_deref(), Some("One\ntwo"));
        assert_eq!(comment("%%%----\n%%\n"), None);
    }
}
