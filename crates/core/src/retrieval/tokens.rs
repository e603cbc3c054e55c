//! Words of code and prose: what the lexical index and its queries are made of.
//!
//! An identifier gives itself in lower case, its camel-case and snake-case parts, and a light stem of each part; a
//! dotted name gives its segments and itself; `name/2` also gives its arity form. Stems are added and never replace the
//! word, so that an exact match always weighs more.

/// Longer words are data, such as encoded bytes, and nobody asks for them.
const LONGEST: usize = 96;

/// What a token is of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A word: an identifier of one part, or a part of one.
    Word,
    /// The stem of the word before it.
    Stem,
    /// An identifier of several parts, a dotted name, a name with its arity.
    Whole,
}

/// Calls `emit` with each token of `text`, in order of position; a token occurs as often as it is found.
pub(crate) fn words(text: &str, emit: &mut impl FnMut(Token, &str)) {
    tokens(text, false, emit);
}

/// As [`words`]; with `tails` a dotted name also gives its tails, so that `Shop.Cart.add/2` is found by `Cart.add/2`.
pub(crate) fn tokens(text: &str, tails: bool, emit: &mut impl FnMut(Token, &str)) {
    let mut buffer = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let name = dotted(&rest[start..]);
        rest = &rest[start + name.len()..];
        let arity = arity(rest);
        rest = &rest[arity.len()..];
        emit_name(name, arity, tails, &mut buffer, emit);
    }
}

/// English words that say nothing about code. They are left out of queries, for in code they are rare and would count
/// for much.
pub fn is_stop_word(word: &str) -> bool {
    const STOP: &[&str] = &[
        "a", "an", "and", "any", "are", "as", "at", "be", "been", "being", "but", "by", "can", "could",
        "did", "do", "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into", "is", "it",
        "its", "may", "me", "my", "of", "on", "or", "our", "should", "so", "such", "than", "that", "the",
        "their", "them", "then", "there", "these", "they", "this", "those", "to", "was", "we", "were",
        "what", "when", "where", "which", "while", "who", "whose", "why", "will", "with", "would", "you",
        "your",
    ];
    STOP.binary_search(&word).is_ok()
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The longest `a.b.c` that `text` begins with.
fn dotted(text: &str) -> &str {
    let mut end = segment(text);
    while let Some(next) = text[end..].strip_prefix('.') {
        if !next.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            break;
        }
        end += 1 + segment(next);
    }
    &text[..end]
}

/// The length of the identifier that `text` begins with, its `?` or `!` included.
fn segment(text: &str) -> usize {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let mut after = text[end..].chars();
    match (after.next(), after.next()) {
        (Some('?' | '!'), Some('=')) => end,
        (Some('?' | '!'), _) => end + 1,
        _ => end,
    }
}

/// `"/2"`, if `text` begins with an arity.
fn arity(text: &str) -> &str {
    let Some(digits) = text.strip_prefix('/') else { return "" };
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&count) && !digits[count..].starts_with(is_word) { &text[..=count] } else { "" }
}

fn emit_name(name: &str, arity: &str, tails: bool, buffer: &mut String, emit: &mut impl FnMut(Token, &str)) {
    let mut last = "";
    for part in name.split('.') {
        last = part;
        if part.len() <= LONGEST {
            emit_identifier(part, buffer, emit);
        }
    }
    if name.len() > LONGEST {
        return;
    }
    if !arity.is_empty() {
        emit_lower(&[last, arity], buffer, emit);
    }
    // A dot after a variable is a field access, whose whole says nothing more than its parts.
    if last.len() == name.len() || !name.starts_with(char::is_uppercase) {
        return;
    }
    let mut tail = name;
    loop {
        emit_lower(&[tail], buffer, emit);
        if !arity.is_empty() {
            emit_lower(&[tail, arity], buffer, emit);
        }
        match tail.split_once('.') {
            Some((_, next)) if tails && next.contains('.') => tail = next,
            _ => break,
        }
    }
    let module = &name[..name.len() - last.len() - 1];
    if module.contains('.') && !last.starts_with(char::is_uppercase) {
        emit_lower(&[module], buffer, emit);
    }
}

/// The identifier, its parts, and a stem of each.
fn emit_identifier(identifier: &str, buffer: &mut String, emit: &mut impl FnMut(Token, &str)) {
    let bare = identifier.trim_matches('_').trim_end_matches(['?', '!']);
    if bare.is_empty() {
        return;
    }
    if bare.len() != identifier.len() {
        emit_lower(&[identifier], buffer, emit);
    }
    let mut parts = 0;
    each_part(bare, |part| {
        parts += 1;
        lower(&[part], buffer);
        emit(Token::Word, buffer);
        if let Some(stem) = stem(buffer) {
            emit(Token::Stem, stem);
        }
    });
    if parts > 1 {
        emit_lower(&[bare], buffer, emit);
    }
}

/// Calls `each` with the camel-case and snake-case parts of `identifier`: `HTTPServer_pid` has `HTTP`, `Server`, `pid`.
fn each_part(identifier: &str, mut each: impl FnMut(&str)) {
    for word in identifier.split('_').filter(|word| !word.is_empty()) {
        let mut start = 0;
        let mut before = None;
        let mut characters = word.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let next_is_lower = characters.peek().is_some_and(|(_, next)| next.is_lowercase());
            let border = match before {
                Some(previous) => {
                    let previous: char = previous;
                    character.is_uppercase() && (!previous.is_uppercase() || next_is_lower)
                }
                None => false,
            };
            if border {
                each(&word[start..at]);
                start = at;
            }
            before = Some(character);
        }
        each(&word[start..]);
    }
}

fn emit_lower(pieces: &[&str], buffer: &mut String, emit: &mut impl FnMut(Token, &str)) {
    lower(pieces, buffer);
    emit(Token::Whole, buffer);
}

fn lower(pieces: &[&str], buffer: &mut String) {
    buffer.clear();
    for piece in pieces {
        if piece.is_ascii() {
            buffer.push_str(piece);
            let from = buffer.len() - piece.len();
            buffer[from..].make_ascii_lowercase();
        } else {
            buffer.extend(piece.chars().flat_map(char::to_lowercase));
        }
    }
}

/// The word without a common English ending, if it has one and enough is left.
fn stem(word: &str) -> Option<&str> {
    const ENDINGS: &[&str] = &["ings", "ing", "ers", "ies", "ied", "er", "ed", "es", "s", "e", "y"];
    if !word.is_ascii() || word.ends_with("ss") {
        return None;
    }
    ENDINGS
        .iter()
        .filter_map(|ending| word.strip_suffix(ending))
        .next()
        .filter(|left| left.len() >= 3 && left.bytes().any(|byte| byte.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        let mut found = Vec::new();
        words(text, &mut |_, token| found.push(token.to_string()));
        assert_eq!(found.join(" "), expected, "{text}");
    }

    #[test]
    fn identifiers_give_whole_parts_and_stems() {
        check("cart", "cart");
        check("add_item", "add item add_item");
        check("HTTPServer", "http server serv httpserver");
        check("parsing", "parsing pars");
        check("valid?", "valid? valid");
        check("a!=b", "a b");
        check("_unused __MODULE__", "_unused unused unus __module__ module modul");
        check("utf8", "utf8");
        check("Größe straßeName", "größe straße name nam straßename");
    }

    #[test]
    fn dotted_names_give_their_segments_and_themselves() {
        check("Shop.Cart", "shop cart shop.cart");
        check("Shop.Cart.add/2", "shop cart add add/2 shop.cart.add shop.cart.add/2 shop.cart");
        check("cart.items", "cart items item");
        check("&add/2", "add add/2");
        check("1/2.", "1 1/2");
        check("end.", "end");
    }

    #[test]
    fn names_also_give_their_tails() {
        let mut found = Vec::new();
        tokens("Shop.Cart.add/2", true, &mut |_, token| found.push(token.to_string()));
        assert!(found.iter().any(|token| token == "cart.add/2"), "{found:?}");
        assert!(found.iter().any(|token| token == "cart.add"), "{found:?}");
    }

    #[test]
    fn stop_words_are_sorted_for_the_search() {
        for word in ["a", "the", "your", "which", "do"] {
            assert!(is_stop_word(word), "{word}");
        }
        assert!(!is_stop_word("cart"));
    }

    proptest! {
        #[test]
        fn any_text_gives_bounded_lower_case_tokens(text in "\\PC{0,200}") {
            words(&text, &mut |_, token| {
                assert!(!token.is_empty());
                assert!(!token.contains(char::is_whitespace));
                assert!(!token.bytes().any(|byte| byte.is_ascii_uppercase()));
            });
        }
    }
}
