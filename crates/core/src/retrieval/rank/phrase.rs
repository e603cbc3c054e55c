//! Runs of words that stand in a text as they are, as the parts of an error message do that were not interpolated.

/// How many words a run has.
const RUN: usize = 3;
/// More runs than this say nothing more.
const MOST: usize = 64;

/// The runs of a question's words.
pub(crate) struct Phrases(Vec<String>);

impl Phrases {
    pub(crate) fn of(text: &str) -> Phrases {
        let words = bare_words(text);
        let words: Vec<&str> = words.split_ascii_whitespace().collect();
        Phrases(words.windows(RUN).take(MOST).map(|run| format!(" {} ", run.join(" "))).collect())
    }

    /// How many of them are in `text`, as a share. Quotes, escapes and the like do not count, nor does case.
    pub(crate) fn share_in(&self, text: &str) -> f32 {
        if self.0.is_empty() {
            return 0.0;
        }
        let text = bare_words(text);
        let found = self.0.iter().filter(|run| text.contains(run.as_str())).count();
        found as f32 / self.0.len() as f32
    }
}

/// The words of a text in lower case, one space around each.
fn bare_words(text: &str) -> String {
    let mut bare = String::with_capacity(text.len() + 2);
    bare.push(' ');
    let mut rest = text;
    while let Some(start) = rest.find(char::is_alphanumeric) {
        // In a text of code `\n` is the end of a line and not a letter.
        let escaped = rest[..start].ends_with('\\') && rest[start..].starts_with(['n', 't', 'r']);
        rest = &rest[start + usize::from(escaped)..];
        let end = rest.find(|character: char| !character.is_alphanumeric()).unwrap_or(rest.len());
        if end > 0 {
            let word = &rest[..end];
            if word.is_ascii() {
                let from = bare.len();
                bare.push_str(word);
                bare[from..].make_ascii_lowercase();
            } else {
                bare.extend(word.chars().flat_map(char::to_lowercase));
            }
            bare.push(' ');
        }
        rest = &rest[end..];
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_interpolated_breaks_few_runs() {
        let phrases = Phrases::of("could not find item 17 in the cart");
        assert_eq!(phrases.share_in("raise \"could not find item #{id} in the cart\""), 3.0 / 6.0);
        assert_eq!(phrases.share_in("nothing of it"), 0.0);
        let quoted = Phrases::of("\"mix test\" is running\nin dev");
        assert_eq!(quoted.share_in(r#""\"mix test\" is running\nin dev""#), 1.0);
        assert_eq!(Phrases::of("two words").share_in("two words"), 0.0);
    }
}
