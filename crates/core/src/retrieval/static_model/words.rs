//! Words of code and prose as the static model was trained on them.
//!
//! `scripts/embedding/tokenise.py` is the same in Python; reference values that it wrote keep the two equal.

/// Longer words are data, such as encoded bytes, and in no vocabulary.
pub(super) const LONGEST_WORD: usize = 32;

/// Longer runs of operators are rulers in comments.
const LONGEST_OPERATOR: usize = 3;

/// Parts of unknown words that are shorter say nothing.
const SHORTEST_PIECE: usize = 3;

/// What stands before the name of a definition.
const DEFINERS: &[&[u8]] = &[
    b"def",
    b"defp",
    b"defmacro",
    b"defmacrop",
    b"defguard",
    b"defguardp",
    b"defdelegate",
    b"defn",
    b"defnp",
    b"defmodule",
    b"defprotocol",
    b"defimpl",
];

/// Calls `emit` with each word of `text` in lower case: runs of letters, digits and bytes from 0x80 on, cut at `_` and where
/// camel case begins a part, and runs of operators.
pub(super) fn words(text: &[u8], emit: &mut impl FnMut(&[u8])) {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let end = match kind(byte) {
            Kind::Word => {
                let end = run(text, at, Kind::Word);
                parts(&text[at..end], emit);
                end
            }
            Kind::Operator => {
                let end = run(text, at, Kind::Operator);
                if end - at <= LONGEST_OPERATOR {
                    emit(&text[at..end]);
                }
                end
            }
            Kind::Other => at + 1,
        };
        at = end;
    }
}

/// Calls `each` with the parts of code: `true` and a name that is defined, `false` and what stands between such names.
pub(super) fn definitions<'a>(text: &'a [u8], each: &mut impl FnMut(bool, &'a [u8])) {
    let (mut at, mut told) = (0, 0);
    while let Some(&byte) = text.get(at) {
        if kind(byte) != Kind::Word {
            at += 1;
            continue;
        }
        let end = run(text, at, Kind::Word);
        match defined(text, at, end) {
            Some(name) => {
                each(false, &text[told..at]);
                each(true, &text[name.clone()]);
                (at, told) = (name.end, name.end);
            }
            None => at = end,
        }
    }
    each(false, &text[told..]);
}

/// The place of the name behind the word at `start..end`, if that defines something.
fn defined(text: &[u8], start: usize, end: usize) -> Option<std::ops::Range<usize>> {
    let inside = start.checked_sub(1).is_some_and(|before| matches!(text[before], b'_' | b'@' | b':' | b'.'));
    if inside || !DEFINERS.contains(&&text[start..end]) {
        return None;
    }
    let name = end + text[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let in_name = |byte: &&u8| kind(**byte) == Kind::Word || matches!(byte, b'_' | b'.');
    let length = text[name..].iter().take_while(in_name).count();
    if name == end || length == 0 {
        return None;
    }
    let marked = matches!(text.get(name + length), Some(b'?' | b'!'));
    Some(name..name + length + usize::from(marked))
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Word,
    Operator,
    Other,
}

fn kind(byte: u8) -> Kind {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | 0x80.. => Kind::Word,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'*' | b'+' | b'-' | b'.' | b'/' | b':' | b'<' | b'=' | b'>'
        | b'?' | b'@' | b'^' | b'|' | b'~' | b'\\' => Kind::Operator,
        _ => Kind::Other,
    }
}

fn run(text: &[u8], at: usize, of: Kind) -> usize {
    text[at..].iter().position(|byte| kind(*byte) != of).map_or(text.len(), |length| at + length)
}

/// The parts of a run of word bytes: several capitals are one part, but for the last if a small letter follows it.
fn parts(run: &[u8], emit: &mut impl FnMut(&[u8])) {
    let mut lower = [0; LONGEST_WORD];
    let mut start = 0;
    while start < run.len() {
        let rest = &run[start..];
        let capitals = rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        let small_follows = rest.get(capitals).is_some_and(u8::is_ascii_lowercase);
        let length = match (capitals, small_follows) {
            (0 | 1, true) | (0, false) => capitals + tail(&rest[capitals..], u8::is_ascii_uppercase),
            (_, true) => capitals - 1,
            (_, false) => capitals + tail(&rest[capitals..], u8::is_ascii_alphabetic),
        };
        let part = &rest[..length];
        if let Some(lower) = lower.get_mut(..length) {
            lower.copy_from_slice(part);
            lower.make_ascii_lowercase();
            emit(lower);
        }
        start += length;
    }
}

fn tail(bytes: &[u8], ends: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().position(ends).unwrap_or(bytes.len())
}

/// Calls `emit` with the number of `word`, or if it has none with those of the longest known words that it is made of.
pub(super) fn numbers(word: &[u8], find: impl Fn(&[u8]) -> Option<u32>, emit: &mut impl FnMut(u32)) {
    if let Some(number) = find(word) {
        return emit(number);
    }
    let Some(first) = word.first() else { return };
    if kind(*first) == Kind::Operator || word.iter().all(u8::is_ascii_digit) {
        return;
    }
    let mut start = 0;
    while start + SHORTEST_PIECE <= word.len() {
        let ends = (start + SHORTEST_PIECE..=word.len()).rev();
        let piece = ends.into_iter().find_map(|end| Some((end, find(&word[start..end])?)));
        match piece {
            Some((end, number)) => {
                emit(number);
                start = end;
            }
            None => start += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut found = Vec::new();
        words(text.as_bytes(), &mut |word| found.push(String::from_utf8_lossy(word).into_owned()));
        assert_eq!(found.join(" "), expected, "{text}");
    }

    #[test]
    fn identifiers_fall_apart() {
        check(
            "HTTPServer_pid handleCall utf8 SHA256sum HTTP2Server",
            "http server pid handle call utf8 sha256 sum http2 server",
        );
        check("Größe x X aB", "größe x x a b");
        check("a |> b =~ ~r/x/ ====", "a |> b =~ ~ r / x /");
        check(&"a".repeat(33), "");
    }

    #[test]
    fn names_of_definitions_are_told_apart() {
        let mut found = Vec::new();
        let text = b"  @doc false\n  def  valid?(x), do: x.def y\n  defmodule A.B do undef z; def";
        definitions(text, &mut |name, part| found.push((name, String::from_utf8_lossy(part).into_owned())));
        let names: Vec<&str> =
            found.iter().filter(|(name, _)| *name).map(|(_, part)| part.as_str()).collect();
        assert_eq!(names, ["valid?", "A.B"]);
        assert_eq!(found.last().unwrap().1, " do undef z; def");
    }

    #[test]
    fn unknown_words_give_their_known_pieces() {
        let known: &[&[u8]] = &[b"char", b"list", b"lists"];
        let find = |word: &[u8]| known.iter().position(|known| *known == word).map(|at| at as u32);
        let mut found = Vec::new();
        for word in ["charlists", "xxcharxx", "list", "12345", "|>", "ch"] {
            numbers(word.as_bytes(), find, &mut |number| found.push(number));
        }
        assert_eq!(found, [0, 2, 0, 1]);
    }
}
