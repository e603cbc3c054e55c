//! Sections as Markdown.

use std::sync::Arc;

use super::options::Order;
use super::page::Page;
use super::section::Section;
use crate::source::{Language, Span};

/// So many names, and so many runs of lines, stand in a title.
const MOST_NAMES: usize = 4;
const MOST_RUNS: usize = 6;

/// The section of what is shown of a file; `None` if that is nothing.
pub(super) fn section(page: &Page, number: usize, is_whole: bool) -> Option<Section> {
    let runs = page.runs();
    let (first, last) = (runs.first()?.0, runs.last()?.1);
    let language = Language::of_path(&page.path);
    let mut text = String::new();
    for (at, (start, end)) in runs.iter().enumerate() {
        if at > 0 {
            text.push_str(elision(language));
        }
        text.push_str(&page.entry.file.text[page.bytes(*start, *end)]);
        text.push('\n');
    }
    text.pop();
    let bytes = page.bytes(first, last);
    let place = |line: usize| line as u32 + 1;
    let span = Span {
        start: bytes.start as u32,
        end: bytes.end as u32,
        line_start: place(first),
        line_end: place(last),
    };
    let lines = |(first, last): &(usize, usize)| match first == last {
        true => place(*first).to_string(),
        false => format!("{}-{}", place(*first), place(*last)),
    };
    let places: Vec<String> = runs.iter().take(MOST_RUNS).map(lines).collect();
    let more = if runs.len() > MOST_RUNS { ",…" } else { "" };
    let mut title = format!("[{number}] {}:{}{more}", page.path, places.join(","));
    title.push_str(&names(&page.symbols));
    Some(Section {
        number,
        title,
        source: page.source,
        file: page.path.clone(),
        span,
        lines: runs.iter().map(|(first, last)| (place(*first), place(*last))).collect(),
        symbols: page.symbols.clone(),
        text,
        trimmed: !is_whole,
        tokens: 0,
    })
}

/// What stands for lines that are left out; the title says which ones are shown.
fn elision(language: Language) -> &'static str {
    match language {
        Language::Elixir => "# …\n",
        Language::Erlang => "% …\n",
        _ => "…\n",
    }
}

fn names(symbols: &[Arc<str>]) -> String {
    let mut text = String::new();
    for (at, symbol) in symbols.iter().take(MOST_NAMES).enumerate() {
        text.push_str(if at == 0 { " " } else { ", " });
        text.push_str(symbol);
    }
    if symbols.len() > MOST_NAMES {
        text.push_str(", …");
    }
    text
}

pub(super) fn markdown(section: &Section) -> String {
    let Section { title, text, .. } = section;
    // A fence is longer than any run of its marks in the text, or the text could end it.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let language = match Language::of_path(&section.file) {
        Language::Livebook => "markdown",
        Language::Text => extension(&section.file),
        language => language.as_str(),
    };
    format!("### {title}\n\n{fence}{language}\n{text}\n{fence}\n\n")
}

fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if extension.chars().all(|c| c.is_ascii_alphanumeric()) { extension } else { "" }
}

/// Which page, of `count` from the best to the worst, stands where.
pub(super) fn arrangement(order: Order, paths: &[&str]) -> Vec<usize> {
    let mut ranks: Vec<usize> = (0..paths.len()).collect();
    match order {
        Order::Best => {}
        Order::Last => ranks.reverse(),
        Order::Path => ranks.sort_by_key(|rank| paths[*rank]),
        Order::Ends if ranks.len() > 2 => {
            let second = ranks.remove(1);
            ranks.push(second);
        }
        Order::Ends => {}
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_most_stands_where_the_order_says() {
        let paths = ["d", "b", "c", "a"];
        assert_eq!(arrangement(Order::Ends, &paths), [0, 2, 3, 1]);
        assert_eq!(arrangement(Order::Ends, &paths[..2]), [0, 1]);
        assert_eq!(arrangement(Order::Best, &paths), [0, 1, 2, 3]);
        assert_eq!(arrangement(Order::Last, &paths), [3, 2, 1, 0]);
        assert_eq!(arrangement(Order::Path, &paths), [3, 1, 2, 0]);
        assert!(Order::ALL.iter().all(|order| arrangement(*order, &[]).is_empty()));
    }

    #[test]
    fn fences_are_longer_than_those_of_the_text() {
        let section = Section { text: "a ```` b".into(), file: "a.md".into(), ..Section::default() };
        assert!(markdown(&section).contains("\n`````markdown\n"));
        let section = Section { file: "config/a.json".into(), ..Section::default() };
        assert!(markdown(&section).contains("\n```json\n"));
    }
}
