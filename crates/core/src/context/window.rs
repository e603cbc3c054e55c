//! The part of a long place that has most to do with the question.

use super::TokenCounter;
use super::page::Page;
use super::words::QuestionWords;

/// Of the lines `first..=last` those in a row that have most of the question's words and no more than `room` tokens, with
/// as much around these words as fits; the first ones if no line has any. Empty if not one line fits.
pub(super) fn window(
    page: &Page,
    (first, last): (usize, usize),
    words: &QuestionWords,
    room: usize,
    counter: &dyn TokenCounter,
) -> Vec<usize> {
    let lines: Vec<(usize, usize)> = (first..=last)
        .map(|line| {
            let text = page.line(line);
            (words.count(text).each.iter().filter(|count| **count > 0).count(), counter.count(text) + 1)
        })
        .collect();
    let mut windows: Vec<(usize, usize, usize)> = Vec::new();
    let (mut end, mut cost, mut sum) = (0, 0, 0);
    for start in 0..lines.len() {
        while end < lines.len() && cost + lines[end].1 <= room {
            sum += lines[end].0;
            cost += lines[end].1;
            end += 1;
        }
        if end > start {
            // Not one that is a part of the one before it.
            if windows.last().is_none_or(|(.., before)| end > *before) {
                windows.push((sum, start, end));
            }
            sum -= lines[start].0;
            cost -= lines[start].1;
        } else {
            end += 1;
        }
    }
    let most = windows.iter().map(|(sum, ..)| *sum).max().unwrap_or_default();
    let equals: Vec<_> =
        windows.iter().skip_while(|(sum, ..)| *sum < most).take_while(|(sum, ..)| *sum == most).collect();
    // Around what matches, rather than up to it.
    let chosen = if most == 0 { equals.first() } else { equals.get(equals.len() / 2) };
    chosen.map_or_else(Vec::new, |(_, start, end)| (first + start..first + end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::testing::analysed;

    fn check(text: &str, words: &[&str], room: usize, expected: &[usize]) {
        let entry = analysed("a.txt", text);
        let words = QuestionWords::of(&words.join(" "), &[]);
        let count = |text: &str| text.split_whitespace().count();
        let page = Page::of(0, "", &entry);
        assert_eq!(window(&page, (0, page.count() - 1), &words, room, &count), expected, "{text} {room}");
    }

    #[test]
    fn the_part_with_the_words_is_shown() {
        let text = "a b\nc d\nround the cents\ne f\ng h\n";
        check(text, &["cent"], 4, &[2]);
        check(text, &["cent"], 7, &[2, 3]);
        check(text, &["cent"], 10, &[1, 2, 3]);
        check(text, &["nothing"], 7, &[0, 1]);
        check(text, &["h", "g"], 3, &[4]);
        check(text, &["round"], 100, &[0, 1, 2, 3, 4]);
        check(text, &["round"], 2, &[]);
    }
}
