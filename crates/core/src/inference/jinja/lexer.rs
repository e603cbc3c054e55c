//! Cuts a template into tokens, with the treatment of white space of Jinja2's `trim_blocks` and `lstrip_blocks`.

use super::fault;
use crate::{Error, Result};

/// Every operator, longer ones before their beginnings.
const OPERATORS: [&str; 25] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",",
];

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Text outside of tags.
    Data(String),
    /// `{{`
    Print,
    /// `{%`
    Block,
    /// `}}` or `%}`
    End,
    Name(String),
    String(String),
    Int(i64),
    Float(f64),
    Operator(&'static str),
}

/// The tokens of `source`, each with its line.
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, usize)>> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = source.strip_suffix('\n').unwrap_or(&source);
    let mut lexer = Lexer { source, at: 0, counted: 0, line: 1, tokens: Vec::new() };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    /// Lines are counted up to here.
    counted: usize,
    line: usize,
    tokens: Vec<(Token, usize)>,
}

/// What opens next in a template.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    Print,
    Block,
    Comment,
}

impl<'s> Lexer<'s> {
    fn run(&mut self) -> Result<()> {
        while self.at < self.source.len() {
            let rest = self.rest();
            let Some((length, opening)) = opening(rest) else {
                self.data(rest);
                self.at = self.source.len();
                break;
            };
            let sign = rest[length + 2..].chars().next();
            let before = match sign {
                Some('-') => trim_end(&rest[..length]),
                Some('+') => &rest[..length],
                _ if opening == Opening::Print => &rest[..length],
                _ => self.without_indentation(&rest[..length]),
            };
            self.data(before);
            self.at += length + 2 + usize::from(matches!(sign, Some('-' | '+')));
            match opening {
                Opening::Comment => self.comment()?,
                Opening::Print => self.tag(Token::Print, "}}")?,
                Opening::Block => match self.raw() {
                    Some(raw) => raw?,
                    None => self.tag(Token::Block, "%}")?,
                },
            }
        }
        Ok(())
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn push(&mut self, token: Token) {
        let passed = &self.source.as_bytes()[self.counted..self.at];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.counted = self.at;
        self.tokens.push((token, self.line));
    }

    fn data(&mut self, text: &str) {
        if !text.is_empty() {
            self.push(Token::Data(text.to_owned()));
        }
    }

    fn fault(&self, what: impl std::fmt::Display) -> Error {
        let line = 1 + self.source[..self.at].matches('\n').count();
        fault(format!("{what} (line {line})"))
    }

    /// `text`, which stands before a tag, without the blanks between the beginning of its line and the tag.
    fn without_indentation<'t>(&self, text: &'t str) -> &'t str {
        let line = text.rfind('\n').map_or(0, |at| at + 1);
        let begins_line = line > 0 || self.at == 0 || self.source.as_bytes()[self.at - 1] == b'\n';
        if begins_line && text[line..].chars().all(is_space) { &text[..line] } else { text }
    }

    /// Passes a closing tag if one is here, and the white space behind it that belongs to it.
    fn close(&mut self, closing: &str) -> bool {
        let rest = self.rest();
        let (sign, unsigned) = match rest.as_bytes().first() {
            Some(sign @ (b'-' | b'+')) => (*sign, &rest[1..]),
            _ => (0, rest),
        };
        // A `+` is known at the end of blocks and comments only.
        if !unsigned.starts_with(closing) || (sign == b'+' && closing == "}}") {
            return false;
        }
        self.at += rest.len() - unsigned.len() + closing.len();
        let rest = self.rest();
        match sign {
            b'-' => self.at += rest.len() - rest.trim_start_matches(is_space).len(),
            0 if closing != "}}" && rest.starts_with('\n') => self.at += 1,
            _ => {}
        }
        true
    }

    fn comment(&mut self) -> Result<()> {
        let Some(length) = self.rest().find("#}") else {
            return Err(self.fault("a comment is not closed"));
        };
        let signed = length > 0 && matches!(self.rest().as_bytes()[length - 1], b'-' | b'+');
        self.at += length - usize::from(signed);
        self.close("#}");
        Ok(())
    }

    /// What stands between `{% raw %}` and `{% endraw %}`, if that is what opens here.
    fn raw(&mut self) -> Option<Result<()>> {
        let begin = self.at;
        let inner = self.rest().trim_start_matches(is_space).strip_prefix("raw")?;
        let inner = inner.trim_start_matches(is_space);
        self.at = self.source.len() - inner.len();
        if !self.close("%}") {
            self.at = begin;
            return None;
        }
        // Unlike other blocks, this one keeps the line break behind it.
        let keeps = self.source[..self.at].ends_with("%}\n");
        let start = self.at - usize::from(keeps);
        let mut from = start;
        while let Some(found) = self.source[from..].find("{%") {
            let open = from + found;
            from = open + 2;
            let inner = &self.source[from..];
            let sign = inner.chars().next().filter(|sign| matches!(sign, '-' | '+'));
            let inner = &inner[usize::from(sign.is_some())..];
            let Some(inner) = inner.trim_start_matches(is_space).strip_prefix("endraw") else { continue };
            self.at = self.source.len() - inner.trim_start_matches(is_space).len();
            if !self.close("%}") {
                continue;
            }
            let after = std::mem::replace(&mut self.at, start);
            let text = &self.source[start..open];
            let text = match sign {
                Some('-') => trim_end(text),
                Some(_) => text,
                None => self.without_indentation(text),
            };
            self.data(text);
            self.at = after;
            return Some(Ok(()));
        }
        Some(Err(self.fault("a raw block is not closed")))
    }

    /// The tokens of a tag, up to its end.
    fn tag(&mut self, open: Token, closing: &str) -> Result<()> {
        self.push(open);
        // Inside of brackets nothing closes the tag: `{{ {"a": {}} }}`.
        let mut open_brackets = Vec::new();
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(is_space).len();
            let Some(first) = self.rest().chars().next() else {
                return Err(self.fault("a tag is not closed"));
            };
            if open_brackets.is_empty() && self.close(closing) {
                self.push(Token::End);
                return Ok(());
            }
            let token = match first {
                '\'' | '"' => self.string(first)?,
                '0'..='9' => self.number()?,
                _ if first == '_' || first.is_alphanumeric() => {
                    let rest = self.rest();
                    let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
                    self.at += end;
                    Token::Name(rest[..end].to_owned())
                }
                _ => {
                    let rest = self.rest();
                    let Some(operator) = OPERATORS.into_iter().find(|operator| rest.starts_with(operator))
                    else {
                        return Err(self.fault(format!("unexpected {first:?}")));
                    };
                    self.at += operator.len();
                    match operator {
                        "(" => open_brackets.push(")"),
                        "[" => open_brackets.push("]"),
                        "{" => open_brackets.push("}"),
                        ")" | "]" | "}" if open_brackets.pop() != Some(operator) => {
                            return Err(self.fault(format!("unexpected '{operator}'")));
                        }
                        _ => {}
                    }
                    Token::Operator(operator)
                }
            };
            self.push(token);
        }
    }

    fn string(&mut self, quote: char) -> Result<Token> {
        let mut text = String::new();
        let mut chars = self.rest()[1..].chars();
        loop {
            let Some(char) = chars.next() else { return Err(self.fault("a string is not closed")) };
            if char == quote {
                break;
            }
            if char != '\\' {
                text.push(char);
                continue;
            }
            let Some(escaped) = chars.next() else { return Err(self.fault("a string is not closed")) };
            let mut code = |digits: usize, radix: u32| {
                let written: String = chars.clone().take(digits).collect();
                let code = u32::from_str_radix(&written, radix).ok().filter(|_| written.len() == digits)?;
                chars.nth(digits - 1);
                char::from_u32(code)
            };
            let plain = match escaped {
                'n' => Some('\n'),
                't' => Some('\t'),
                'r' => Some('\r'),
                'a' => Some('\x07'),
                'b' => Some('\x08'),
                'f' => Some('\x0c'),
                'v' => Some('\x0b'),
                '0' => Some('\0'),
                '\\' | '\'' | '"' => Some(escaped),
                'x' => code(2, 16),
                'u' => code(4, 16),
                'U' => code(8, 16),
                '\n' => continue,
                _ => {
                    text.push('\\');
                    Some(escaped)
                }
            };
            match plain {
                Some(char) => text.push(char),
                None => return Err(self.fault(format!("the escape \\{escaped} in a string is damaged"))),
            }
        }
        self.at = self.source.len() - chars.as_str().len();
        Ok(Token::String(text))
    }

    fn number(&mut self) -> Result<Token> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'_') {
                at += 1;
            }
            at
        };
        let mut end = digits(0);
        let mut float = false;
        if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
            (end, float) = (digits(end + 1), true);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let exponent = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            if bytes.get(exponent).is_some_and(u8::is_ascii_digit) {
                (end, float) = (digits(exponent), true);
            }
        }
        let written = rest[..end].replace('_', "");
        self.at += end;
        let token =
            if float { written.parse().ok().map(Token::Float) } else { written.parse().ok().map(Token::Int) };
        token.ok_or_else(|| self.fault(format!("the number {written} is too large")))
    }
}

/// What Python takes for white space.
pub(super) fn is_space(char: char) -> bool {
    char.is_whitespace() || ('\x1c'..='\x1f').contains(&char)
}

fn trim_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

fn opening(text: &str) -> Option<(usize, Opening)> {
    text.match_indices('{').find_map(|(at, _)| {
        let opening = match text.as_bytes().get(at + 1)? {
            b'{' => Opening::Print,
            b'%' => Opening::Block,
            b'#' => Opening::Comment,
            _ => return None,
        };
        Some((at, opening))
    })
}
