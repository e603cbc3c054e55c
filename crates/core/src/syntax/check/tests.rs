//! Snippets, one a line, as Elixir's own parser judges them.

use super::check;

fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    // A line of the table is a snippet: `⏎` stands for the end of a line.
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| line.replace('⏎', "\n"))
}

#[test]
fn valid_snippets_have_no_fault() {
    for snippet in lines(include_str!("valid.txt")) {
        assert_eq!(check(&snippet).map(|fault| fault.message), None, "{snippet}");
    }
}

#[test]
fn invalid_snippets_have_a_fault() {
    for snippet in lines(include_str!("invalid.txt")) {
        let fault = check(&snippet);
        assert!(fault.is_some(), "{snippet}");
        let at = fault.map(|fault| fault.at).unwrap_or_default();
        assert!(snippet.get(at).is_some(), "{snippet}");
    }
}

#[test]
fn a_fault_names_what_is_open_where_the_layout_says_so() {
    let said = |text: &str| {
        check(text).map(|fault| (fault.message, text[..fault.at.start].matches('\n').count() + 1))
    };
    let missing = "defmodule A do\n  def a do\n    if b do\n      c\n  end\n\n  def d, do: 1\nend\n";
    assert_eq!(said(missing), Some(("this `do` has no `end`".into(), 3)));
    assert_eq!(said("\"a\n#{b}\nc#{d\n"), Some(("this `#{` has no `}`".into(), 3)));
    assert_eq!(said("a do\nend\nend"), Some(("this `end` closes nothing".into(), 3)));
    assert_eq!(said("a(\n[1)"), Some(("`)` stands here where `[` of line 2 is still open".into(), 2)));
}

#[test]
fn deep_and_long_texts_are_judged() {
    for (open, inside, close) in
        [("(", "1", ")"), ("if a do\n", "b\n", "end\n"), ("\"#{", "1", "}\""), ("fn -> ", "1", " end")]
    {
        let text = |closed: usize| format!("{}{inside}{}", open.repeat(50_000), close.repeat(closed));
        assert_eq!(check(&text(50_000)), None, "{open}");
        assert!(check(&text(49_999)).is_some(), "{open}");
    }
    for line in ["x \"\"\"\n", "\"\n", "[1\n\n\n", "\\\n", "+  ", "end "] {
        super::long_strings(&line.repeat(50_000));
        check(&line.repeat(50_000));
    }
}
