//! Links from one document to another.

use super::Finding;
use super::tree::{File, Tree};

/// Every relative link in a Markdown file leads to a file or folder of the project, and its fragment to a heading.
pub fn relative(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.under("", &[".md", ".livemd"]) {
        for (line, text) in prose(file) {
            for target in targets(&text) {
                if let Some(message) = broken(tree, file, target) {
                    findings.push(Finding::new(&file.path, line, message));
                }
            }
        }
    }
    findings
}

/// What is wrong with the link from `file` to `target`.
fn broken(tree: &Tree, file: &File, target: &str) -> Option<String> {
    let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
    if is_elsewhere {
        return None;
    }
    let (place, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if place.is_empty() { Some(file.path.clone()) } else { resolve(&file.path, place) };
    let Some(path) = path.filter(|path| tree.exists(path)) else {
        return Some(format!("The link to {target} leads nowhere. Correct it."));
    };
    let is_document = path.ends_with(".md");
    let known = |document: &File| headings(document).any(|known| known == heading);
    if !heading.is_empty() && is_document && !tree.get(&path).is_some_and(known) {
        return Some(format!("There is no heading for #{heading} in {path}. Correct the link."));
    }
    None
}

/// `link` as seen from the folder of `from`; `None` if it leaves the project.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The lines outside code blocks, without what stands between backticks.
fn prose(file: &File) -> impl Iterator<Item = (usize, String)> {
    let mut in_block = false;
    file.lines().filter_map(move |(line, text)| {
        let is_fence = text.trim_start().starts_with("```");
        in_block ^= is_fence;
        (!in_block && !is_fence).then(|| (line, text.split('`').step_by(2).collect()))
    })
}

/// The targets of `[text](target)` and `[text](target "title")`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("](").filter_map(|(start, mark)| {
        let rest = &text[start + mark.len()..];
        rest[..rest.find(')')?].split_whitespace().next()
    })
}

/// The fragments of a document's headings, made as common renderers of Markdown make them.
fn headings(file: &File) -> impl Iterator<Item = String> {
    let mut in_block = false;
    file.lines()
        .filter_map(move |(_, text)| {
            in_block ^= text.trim_start().starts_with("```");
            let title = text.trim_start_matches('#');
            let is_heading = !in_block && title.len() < text.len() && title.starts_with(' ');
            is_heading.then(|| {
                let kept = title.trim().to_lowercase();
                kept.chars()
                    .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                    .collect::<String>()
            })
        })
        .map(|title| title.replace(' ', "-"))
}

#[cfg(test)]
mod tests {
    use super::super::assert_places;
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let text = "\
# The `one` thing: a-b
[a](docs/b.md), [b](./lib), [c](https://x.example/y), [d](#the-one-thing-a-b) and `[e](nowhere)`
```
[f](nowhere)
```
[g](nowhere.md) [h](docs/b.md \"title\")
[i](#two)
[j](docs/b.md#two) [k](../x)
";
        let back = "## Two\n[a](../README.md#the-one-thing-a-b)\n[b](README.md)\n";
        let files = [("README.md", text), ("docs/b.md", back), ("lib/a.ex", "")];
        let places = ["README.md:6", "README.md:7", "README.md:8", "docs/b.md:3"];
        assert_places(relative, &files, &places);
    }
}
