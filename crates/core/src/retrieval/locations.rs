//! The places that a question names: paths, lines of a stack trace, the parts of a diff.

use std::ops::RangeInclusive;

/// Of a longer text only so many places are looked at.
const MOST: usize = 64;

/// The endings of files that are spoken of; without one, what has a slash may be anything.
const ENDINGS: &[&str] =
    &[".ex", ".exs", ".heex", ".eex", ".leex", ".erl", ".hrl", ".md", ".livemd", ".cheatmd"];

/// A file that a question names, and the lines, if it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    path: String,
    pub(crate) lines: Option<RangeInclusive<u32>>,
}

impl Location {
    /// Whether `path`, relative to the root, may be the file: one path is the end of the other.
    pub(crate) fn is_in(&self, path: &str) -> bool {
        let ends = |long: &str, short: &str| {
            long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        ends(path, &self.path) || ends(&self.path, path)
    }
}

/// The places in `text`, each once.
pub(crate) fn places(text: &str) -> Vec<Location> {
    let mut found: Vec<Location> = Vec::new();
    let mut push = |place: Location| {
        if found.len() < MOST && !found.contains(&place) {
            found.push(place);
        }
    };
    let mut changed: Option<&str> = None;
    for line in text.lines() {
        if let Some(path) = line.strip_prefix("+++ ").or_else(|| line.strip_prefix("--- ")) {
            let path = path.split('\t').next().unwrap_or(path).trim();
            let path = path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).unwrap_or(path);
            changed = (path != "/dev/null").then_some(path).or(changed);
            continue;
        }
        if let (Some(path), Some(lines)) = (changed, hunk(line)) {
            push(Location { path: path.to_owned(), lines: Some(lines) });
            continue;
        }
        for word in line.split_whitespace() {
            if let Some((path, line)) = path_in(word) {
                push(Location { path: path.to_owned(), lines: line.map(|line| line..=line) });
            }
        }
    }
    found
}

/// The new lines of `@@ -12,3 +14,5 @@`.
fn hunk(line: &str) -> Option<RangeInclusive<u32>> {
    let new = line.strip_prefix("@@ ")?.split(' ').nth(1)?.strip_prefix('+')?;
    let (first, count) = new.split_once(',').unwrap_or((new, "1"));
    let (first, count): (u32, u32) = (first.parse().ok()?, count.parse().ok()?);
    Some(first..=first.saturating_add(count.saturating_sub(1)))
}

/// The path in a word such as `(lib/cart.ex:12:` or `test/cart_test.exs`, and the line.
fn path_in(word: &str) -> Option<(&str, Option<u32>)> {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '/' | '_'));
    let (end, rest) = ENDINGS
        .iter()
        .filter_map(|ending| {
            let end = word.find(ending)? + ending.len();
            let rest = &word[end..];
            (!rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/')) || rest == ".")
                .then_some((end, rest))
        })
        .next()?;
    let path = &word[..end];
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.starts_with('.') || !path.chars().next()?.is_alphanumeric() && !path.starts_with(['/', '_']) {
        return None;
    }
    let digits = rest.strip_prefix(':').unwrap_or_default();
    let digits = &digits[..digits.bytes().take_while(u8::is_ascii_digit).count()];
    Some((path, digits.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let shown: Vec<String> = places(text)
            .into_iter()
            .map(|place| match place.lines {
                Some(lines) => format!("{} {}-{}", place.path, lines.start(), lines.end()),
                None => place.path,
            })
            .collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn stack_traces_paths_and_diffs_name_places() {
        check("    (shop 0.1.0) lib/shop/cart.ex:12: Shop.Cart.add/2", &["lib/shop/cart.ex 12-12"]);
        check("** (CompileError) ./lib/a.ex:3:7: unexpected", &["lib/a.ex 3-3"]);
        check(
            "what does `lib/shop/cart.ex` do, and test/cart_test.exs?",
            &["lib/shop/cart.ex", "test/cart_test.exs"],
        );
        check("see mix.exs.", &["mix.exs"]);
        check("in (/home/me/shop/lib/a.ex:1)", &["/home/me/shop/lib/a.ex 1-1"]);
        check(
            "--- a/lib/a.ex\n+++ b/lib/a.ex\n@@ -1,2 +3,4 @@ def a\n- x\n@@ -9 +12 @@\n",
            &["lib/a.ex 3-6", "lib/a.ex 12-12"],
        );
        check("no a.example, .ex, @@ -1 +1 @@, lib/a.exe or x.ex.y", &[]);
    }

    #[test]
    fn a_path_is_that_of_a_file_by_its_end() {
        let place = |path: &str| Location { path: path.into(), lines: None };
        assert!(place("cart.ex").is_in("lib/cart.ex"));
        assert!(place("/home/me/shop/lib/cart.ex").is_in("lib/cart.ex"));
        assert!(!place("art.ex").is_in("lib/cart.ex"));
        assert!(!place("lib/cart.ex").is_in("lib/other.ex"));
    }
}
