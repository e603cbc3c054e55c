//! Sections of blocks, `else` and the like, where Elixir allows none: its parser takes them, and its compiler does not.

use tree_sitter::Node;

use super::diagnose::MAX_DIAGNOSTICS;
use super::parse::span;
use super::reader::ElixirReader;

/// What may stand behind the body of what, once each. Sorted.
const ALLOWED: [(&str, &[&str]); 15] = [
    ("case", &[]),
    ("cond", &[]),
    ("def", &OF_TRY),
    ("defimpl", &[]),
    ("defmacro", &OF_TRY),
    ("defmacrop", &OF_TRY),
    ("defmodule", &[]),
    ("defp", &OF_TRY),
    ("defprotocol", &[]),
    ("for", &[]),
    ("if", &["else"]),
    ("receive", &["after"]),
    ("try", &OF_TRY),
    ("unless", &["else"]),
    ("with", &["else"]),
];

const OF_TRY: [&str; 4] = ["after", "catch", "else", "rescue"];

impl<'t> ElixirReader<'t> {
    /// Remembers the sections of a call's block that are none of its.
    pub(super) fn check_sections(&mut self, name: &str, block: Node<'t>) {
        let Ok(at) = ALLOWED.binary_search_by(|(known, _)| (*known).cmp(name)) else { return };
        // Somebody else's `if`.
        if self.own_operators && matches!(name, "if" | "unless") {
            return;
        }
        let allowed = ALLOWED[at].1;
        let sections: Vec<_> =
            self.children(block).into_iter().filter(|part| part.kind().ends_with("_block")).collect();
        let mut seen = Vec::new();
        for section in sections {
            let word = section.kind().trim_end_matches("_block");
            let what = if !allowed.contains(&word) {
                format!("{name:?} has no {word:?}")
            } else if seen.contains(&word) {
                format!("{name:?} has a second {word:?}")
            } else if allowed == OF_TRY && word != "after" && !self.has_clauses(section) {
                format!("the {word:?} of {name:?} has no clauses: they are written with \"->\"")
            } else {
                seen.push(word);
                continue;
            };
            if self.misplaced.len() < MAX_DIAGNOSTICS {
                let word = section.child(0).unwrap_or(section);
                self.misplaced.push((span(word), what));
            }
        }
    }

    fn has_clauses(&mut self, section: Node<'t>) -> bool {
        let parts = self.children(section);
        parts.is_empty() || parts.iter().any(|part| matches!(part.kind(), "stab_clause" | "ERROR"))
    }
}
