use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use similar::TextDiff;

/// The change from `old` to `new` in the unified format, with three lines of context; empty when there is none.
/// `path` is relative to the root: the header names `a/path` and `b/path`, so `git apply` and `patch -p1` take it.
pub fn unified_diff(path: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    TextDiff::from_lines(old, new)
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string()
}

/// How much a change touches. Smaller is better: tokens first, then characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PatchSize {
    /// Words, numbers and signs that go or come.
    pub tokens: usize,
    /// Characters that go or come, white space not counted.
    pub characters: usize,
}

impl PatchSize {
    /// What differs between two texts, once the tokens that both begin or end with are set aside.
    pub fn between(old: &str, new: &str) -> Self {
        let (old, new) = (tokens(old), tokens(new));
        let front = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
        let rest = old.len().min(new.len()) - front;
        let back = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
        let changed = |side: &[&str]| -> PatchSize {
            let side = &side[front..side.len() - back];
            PatchSize { tokens: side.len(), characters: side.iter().map(|token| token.chars().count()).sum() }
        };
        let mut size = changed(&old);
        size += changed(&new);
        size
    }
}

impl AddAssign for PatchSize {
    fn add_assign(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.characters += other.characters;
    }
}

/// Words of letters, digits and `_`, and every other sign by itself; white space only separates.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut word = None;
    for (at, sign) in text.char_indices() {
        if sign.is_alphanumeric() || sign == '_' {
            word.get_or_insert(at);
            continue;
        }
        if let Some(start) = word.take() {
            tokens.push(&text[start..at]);
        }
        if !sign.is_whitespace() {
            tokens.push(&text[at..at + sign.len_utf8()]);
        }
    }
    if let Some(start) = word {
        tokens.push(&text[start..]);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_what_git_apply_takes() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9";
        assert_eq!(
            unified_diff("lib/a.ex", old, new),
            "--- a/lib/a.ex\n+++ b/lib/a.ex\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
        );
        assert_eq!(unified_diff("lib/a.ex", old, old), "");
    }

    #[test]
    fn a_missing_last_newline_is_told() {
        let diff = unified_diff("a", "x\ny", "x\nz");
        assert_eq!(diff.matches("\\ No newline at end of file").count(), 2, "{diff}");
    }

    #[test]
    fn size_counts_tokens_that_differ() {
        let size = |old, new| PatchSize::between(old, new);
        assert_eq!(size("a < b", "a <= b"), PatchSize { tokens: 1, characters: 1 });
        assert_eq!(size("f(a, b)", "f(b, a)"), PatchSize { tokens: 6, characters: 6 });
        assert_eq!(size("same", "same "), PatchSize::default());
        assert!(size("a", "b") < size("a", "b + c"));
    }
}
