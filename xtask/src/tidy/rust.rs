//! As much of Rust's shape as the checks need. It relies on rustfmt's layout, which `cargo fmt --check` guarantees.

use super::tree::File;

/// The lines of `file` that a library is built from, with comments cut off: no test modules and no test files.
pub fn code_lines(file: &File) -> Vec<(usize, &str)> {
    if file.name() == "tests.rs" || file.path.contains("/tests/") {
        return Vec::new();
    }
    let mut code = Vec::new();
    let mut lines = file.lines();
    while let Some((number, line)) = lines.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            skip_item(&mut lines, indentation(line));
        } else {
            code.push((number, without_comment(line)));
        }
    }
    code
}

/// Skips the item that an attribute with this indentation stands before: to its `;`, or to the `}` below its start.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>, indentation_of_item: usize) {
    for (_, line) in lines {
        let text = without_comment(line).trim_end();
        let closes = text.ends_with(';') || text.ends_with('}');
        if indentation(line) == indentation_of_item && closes && !line.trim_start().starts_with("#[") {
            return;
        }
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// `line` up to a `//` that does not stand in a string.
fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    let mut before = ' ';
    for (index, c) in line.char_indices() {
        match c {
            '"' if before != '\\' => in_string = !in_string,
            '/' if before == '/' && !in_string => return &line[..index - 1],
            _ => {}
        }
        before = c;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_comments_are_not_code() {
        let text = "\
use a; // why
let link = \"http://x\";
#[cfg(test)]
mod fixtures;
fn b() {}
#[cfg(test)]
#[path = \"t.rs\"]
mod tests {
    fn c() {
    }
}
fn d() {}
";
        let file = File { path: "src/a.rs".into(), text: text.into() };
        let numbers: Vec<usize> = code_lines(&file).iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 2, 5, 12]);
        assert_eq!(code_lines(&file)[0].1, "use a; ");
        assert!(code_lines(&file)[1].1.contains("http://x"));
        assert!(code_lines(&File { path: "src/a/tests.rs".into(), text: text.into() }).is_empty());
    }
}
