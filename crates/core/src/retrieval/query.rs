//! Questions, and the symbols that they name.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::filter::Filter;
use super::tokens::{Token, is_stop_word, words};
use crate::source::History;
use crate::syntax::{Definition, DefinitionKind};

/// Of a longer text only so many different words are looked for.
pub(super) const MOST_WORDS: usize = 512;

/// What an answer is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Words alone.
    Lexical,
    /// Vectors alone.
    Semantic,
    /// Both, as far as there are vectors.
    #[default]
    Hybrid,
}

/// A question to an index.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Words, a symbol such as `Shop.Cart.add/2`, or both.
    pub text: String,
    /// How many places are wanted at most.
    pub limit: usize,
    /// What the answer is to be made from.
    pub mode: Mode,
    /// Paths of files that the caller is at: what is near to them comes first among equals.
    pub near: Vec<String>,
    /// Which files changed together: those that did with one of `near` are near to it, too.
    pub history: Option<Arc<History>>,
    /// `text` encoded by the encoder of the index. Without it the resident encoder encodes it ([`super::Index::with_encoder`]); without
    /// that, [`Mode::Hybrid`] answers from the words alone.
    pub vector: Option<Vec<f32>>,
    /// Which places may be in the answer.
    pub filter: Filter,
}

impl Query {
    /// A question for ten places, without a vector.
    pub fn new(text: impl Into<String>) -> Query {
        Query { text: text.into(), limit: 10, ..Query::default() }
    }

    /// The words to look for: those of all words but stop words, unless there are no others.
    pub(crate) fn words(&self) -> Vec<Word> {
        let bare = |word: &&str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let telling: Vec<&str> =
            self.text.split_whitespace().filter(|word| !is_stop_word(&bare(word))).collect();
        let mut found = Words::default();
        match telling.is_empty() {
            true => found.add(&self.text),
            false => telling.iter().for_each(|word| found.add(word)),
        }
        found.words
    }
}

/// A word to look for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Word {
    /// Itself and its stem.
    pub(crate) tokens: Vec<String>,
    /// Whether it is a whole of words that are looked for themselves.
    pub(crate) whole: bool,
    /// How much it counts.
    pub(crate) weight: f32,
}

impl Word {
    /// A word that is looked for as it is.
    pub(crate) fn whole(token: &str) -> Word {
        Word { tokens: vec![token.to_owned()], whole: true, weight: 1.0 }
    }

    /// The words of `text`, which count `weight` each.
    pub(crate) fn all_of(text: &str, weight: f32) -> Vec<Word> {
        let mut found = Words::default();
        found.add(text);
        found.words.iter_mut().for_each(|word| word.weight = weight);
        found.words
    }
}

/// Different words, in order.
#[derive(Default)]
struct Words {
    words: Vec<Word>,
    seen: HashSet<String>,
}

impl Words {
    fn add(&mut self, text: &str) {
        let Words { words: found, seen } = self;
        let mut last_is_new = false;
        words(text, &mut |kind, token| match kind {
            Token::Stem if last_is_new => {
                if let Some(word) = found.last_mut() {
                    word.tokens.push(token.to_owned());
                }
            }
            Token::Stem => {}
            _ => {
                last_is_new = found.len() < MOST_WORDS && seen.insert(token.to_owned());
                if last_is_new {
                    found.push(Word { whole: kind == Token::Whole, ..Word::whole(token) });
                }
            }
        });
    }
}

/// A symbol that a question names: `Shop.Cart`, `add/2`, `Cart.add`, `cart:add/2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueryMention {
    /// As written, without the arity; with a point after the module, also of Erlang's.
    name: String,
    arity: Option<u8>,
}

/// The symbols in `text`, and whether the text is nothing but one symbol.
pub(crate) fn mentions(text: &str) -> (Vec<QueryMention>, bool) {
    let words: Vec<&str> = text.split_whitespace().filter(|word| !is_keyword(word)).collect();
    let alone = words.len() == 1;
    let found: Vec<QueryMention> = words
        .iter()
        .enumerate()
        .filter_map(|(at, word)| {
            mention(
                word,
                if alone {
                    Position::Alone
                } else if at == 0 {
                    Position::First
                } else {
                    Position::Inside
                },
            )
        })
        .collect();
    let only = alone && !found.is_empty();
    (found, only)
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "def"
            | "defp"
            | "defmacro"
            | "defmacrop"
            | "defmodule"
            | "defprotocol"
            | "defimpl"
            | "defguard"
            | "defguardp"
            | "defdelegate"
            | "defstruct"
            | "defexception"
            | "@type"
            | "@opaque"
            | "@typep"
            | "@callback"
            | "@spec"
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Position {
    Alone,
    First,
    Inside,
}

fn mention(word: &str, position: Position) -> Option<QueryMention> {
    let word = word.trim_matches(|c: char| {
        matches!(c, '`' | '"' | '\'' | ',' | ';' | ':' | '&' | '%' | '(' | ')' | '{' | '}' | '.')
    });
    let word = word.split('(').next()?;
    let (name, arity) = match word.rsplit_once('/') {
        Some((name, digits)) => (name, Some(digits.parse().ok()?)),
        None => (word.trim_end_matches(['.', ',']), None),
    };
    // Erlang has a colon where Elixir has a point.
    let name = &*match name.split_once(':') {
        Some((module, function)) => Cow::Owned(format!("{module}.{function}")),
        None => Cow::Borrowed(name),
    };
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.trim_end_matches(['?', '!']).chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    if name.is_empty() || !name.split('.').all(is_name) {
        return None;
    }
    let camel = name.chars().skip(1).any(char::is_uppercase) && name.chars().any(char::is_lowercase);
    let module = name.starts_with(char::is_uppercase);
    let telling = arity.is_some()
        || name.contains('.')
        || name.trim_matches('_').contains('_')
        || name.ends_with('!')
        || (name.ends_with('?') && position == Position::Alone)
        || camel
        || (module && position == Position::Inside)
        || position == Position::Alone;
    telling.then(|| QueryMention { name: name.to_string(), arity })
}

impl QueryMention {
    /// The last part of the name, which is the key of all definitions that it can fit.
    pub(crate) fn key(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(&self.name)
    }

    /// How well the definition is what is named: 0 not at all, 1 by the end of its name, 1.5 by all of it.
    pub(crate) fn fit(&self, definition: &Definition) -> f32 {
        use DefinitionKind::{Implementation, Module, Protocol, Test};
        let is_module = matches!(definition.kind, Module | Protocol | Implementation);
        if definition.kind == Test || (is_module && self.arity.is_some()) {
            return 0.0;
        }
        if let Some(wanted) = self.arity {
            let Some(arity) = definition.arity else { return 0.0 };
            if !(arity.saturating_sub(definition.defaults)..=arity).contains(&wanted) {
                return 0.0;
            }
        }
        let module = if is_module {
            Some(&*self.name)
        } else {
            match self.name.rsplit_once('.') {
                Some((module, name)) if name == &*definition.name => Some(module),
                None if self.name == *definition.name => None,
                _ => return 0.0,
            }
        };
        match module {
            None => 1.0,
            Some(module) if *module == *definition.module.trim_start_matches(':') => 1.5,
            Some(module)
                if definition.module.strip_suffix(module).is_some_and(|rest| rest.ends_with('.')) =>
            {
                1.0
            }
            Some(_) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str], expected_only: bool) {
        let (found, only) = mentions(text);
        let shown: Vec<String> = found
            .iter()
            .map(|it| it.arity.map_or(it.name.clone(), |arity| format!("{}/{arity}", it.name)))
            .collect();
        assert_eq!(
            (shown.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), only),
            (expected, expected_only),
            "{text}"
        );
    }

    #[test]
    fn symbols_are_told_from_words() {
        check("Decoder", &["Decoder"], true);
        check("decode", &["decode"], true);
        check("Shop.Cart.add/2", &["Shop.Cart.add/2"], true);
        check("defmodule Shop.Cart", &["Shop.Cart"], true);
        check("defp add_item(cart)", &["add_item"], true);
        check("how does `Cart.add/2` round?", &["Cart.add/2"], false);
        check("Returns the total of a cart", &[], false);
        check("where is handle_call used in the Server", &["handle_call", "Server"], false);
        check("retry when the connection drops", &[], false);
        check("1/2 3.4 a/b/c ??", &[], false);
        check("shop_cart:add/2", &["shop_cart.add/2"], true);
        check("what does :shop_cart.add return", &["shop_cart.add"], false);
        check("a::b http://c.d {:error, :e}", &[], false);
    }

    #[test]
    fn questions_lose_their_stop_words() {
        let tokens = |text: &str| -> Vec<String> {
            Query::new(text).words().into_iter().map(|word| word.tokens.join(" ")).collect()
        };
        assert_eq!(tokens("where is the cart"), ["cart"]);
        assert_eq!(tokens("to the"), ["to", "the"]);
        assert_eq!(tokens("parsing the parsing_table"), ["parsing pars", "table tabl", "parsing_table"]);
    }
}
