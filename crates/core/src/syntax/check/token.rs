//! Elixir's tokens, as its own tokenizer cuts them.

use std::ops::Range;

/// What a token is to the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name that can be called, `foo`; behind a dot also a keyword, an operator or a quoted name.
    Name,
    Alias,
    /// A number, a character, an atom, a string, a sigil.
    Literal,
    /// `foo:`, or a quoted key.
    Key,
    /// An operator between two operands.
    Binary,
    /// `+` or `-`, which stand between operands or before one.
    Dual,
    /// An operator before its operand.
    Unary,
    When,
    Not,
    /// `..`, which also stands alone.
    Range,
    /// `|`
    Bar,
    /// `=>`
    Arrow,
    /// `->`
    Stab,
    Percent,
    Dot,
    Comma,
    Semicolon,
    Newline,
    Open(Bracket),
    Close(Bracket),
    /// A string with interpolations begins.
    StringStart,
    Do,
    /// `else`, `rescue`, `catch`, `after`
    Section,
    Fn,
    End,
    /// No token of Elixir.
    Bad(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    Round,
    Square,
    Curly,
    /// `<<` and `>>`
    Angle,
    /// `#{` and its `}`
    Interpolation,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
    /// Whether white space stands before it.
    pub(super) spaced: bool,
}

/// A string that an interpolation has interrupted.
#[derive(Clone, Copy)]
struct Quoted {
    start: usize,
    close: u8,
    heredoc: bool,
    raw: bool,
    role: Role,
    /// How many lines had ended before it.
    lines: usize,
    /// How many `{` are open in the interpolation.
    curly: usize,
}

/// What a string is when it is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    Sigil,
    Atom,
}

const UNTERMINATED: &str = "this string has no end";

/// Operators: first those that stand most often and begin no other, then the longest first.
#[rustfmt::skip]
const OPERATORS: &[(&str, TokenKind)] = &[
    (",", TokenKind::Comma), ("(", TokenKind::Open(Bracket::Round)), (")", TokenKind::Close(Bracket::Round)),
    ("[", TokenKind::Open(Bracket::Square)), ("]", TokenKind::Close(Bracket::Square)), ("{", TokenKind::Open(Bracket::Curly)),
    ("}", TokenKind::Close(Bracket::Curly)), ("@", TokenKind::Unary), ("%", TokenKind::Percent), (";", TokenKind::Semicolon),
    ("<<~", TokenKind::Binary), ("~>>", TokenKind::Binary), ("<<<", TokenKind::Binary), (">>>", TokenKind::Binary), ("|||", TokenKind::Binary),
    ("&&&", TokenKind::Binary), ("^^^", TokenKind::Binary), ("===", TokenKind::Binary), ("!==", TokenKind::Binary), ("+++", TokenKind::Binary),
    ("---", TokenKind::Binary), ("<|>", TokenKind::Binary), ("<~>", TokenKind::Binary), ("~~~", TokenKind::Unary), ("...", TokenKind::Name),
    ("<<", TokenKind::Open(Bracket::Angle)), (">>", TokenKind::Close(Bracket::Angle)), ("=>", TokenKind::Arrow), ("->", TokenKind::Stab),
    ("..", TokenKind::Range), ("::", TokenKind::Binary), ("||", TokenKind::Binary), ("&&", TokenKind::Binary), ("==", TokenKind::Binary),
    ("!=", TokenKind::Binary), ("<=", TokenKind::Binary), (">=", TokenKind::Binary), ("=~", TokenKind::Binary), ("<-", TokenKind::Binary),
    ("\\\\", TokenKind::Binary), ("|>", TokenKind::Binary), ("<~", TokenKind::Binary), ("~>", TokenKind::Binary), ("<>", TokenKind::Binary),
    ("++", TokenKind::Binary), ("--", TokenKind::Binary), ("**", TokenKind::Binary), ("//", TokenKind::Binary), ("=", TokenKind::Binary),
    ("<", TokenKind::Binary), (">", TokenKind::Binary), ("|", TokenKind::Bar), ("*", TokenKind::Binary), ("/", TokenKind::Binary),
    ("+", TokenKind::Dual), ("-", TokenKind::Dual), ("!", TokenKind::Unary), ("^", TokenKind::Unary), ("&", TokenKind::Unary),
    (".", TokenKind::Dot),
];

/// What is an atom with a colon before it, or a key with one behind, besides the operators.
const CONTAINERS: [&str; 5] = ["%{}", "<<>>", "{}", "..//", "%"];

/// Cuts a text into tokens.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    interrupted: Vec<Quoted>,
    after_dot: bool,
    /// Whether the string before has been announced, and its first interpolation is next.
    announced: bool,
    /// How many lines have ended.
    lines: usize,
    /// What closes no string from here on: its quote, and whether it is a heredoc's.
    unclosed: Vec<(u8, bool)>,
    /// Where the last string began that has no end.
    pub(super) open_string: Option<usize>,
    /// Strings over several lines, in order.
    pub(super) long_strings: Vec<Range<usize>>,
}

impl<'t> Lexer<'t> {
    /// Begins at a place that is in no string.
    pub(super) fn new(text: &'t str, at: usize) -> Self {
        let mark = if at == 0 && text.starts_with('\u{feff}') { 3 } else { 0 };
        Lexer {
            text,
            at: at + mark,
            end: text.len(),
            interrupted: Vec::new(),
            after_dot: false,
            announced: false,
            lines: 0,
            unclosed: Vec::new(),
            open_string: None,
            long_strings: Vec::new(),
        }
    }

    pub(super) fn text(&self, token: &Token) -> &'t str {
        &self.text[token.range.clone()]
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..self.end]
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes()[..self.end].get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Whether what stands `ahead` is white space; the end of the text is none.
    pub(super) fn space(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t' | b'\r' | b'\n')
    }

    /// The next token; `None` at the end.
    pub(super) fn token(&mut self) -> Option<Token> {
        let before = self.at;
        if std::mem::take(&mut self.announced) {
            self.at += 2;
            return Some(Token {
                kind: TokenKind::Open(Bracket::Interpolation),
                range: before..self.at,
                spaced: false,
            });
        }
        self.skip_space();
        let start = self.at;
        let kind = self.kind()?;
        self.after_dot = kind == TokenKind::Dot || (self.after_dot && kind == TokenKind::Newline);
        Some(Token { kind, range: start..self.at, spaced: start > before })
    }

    fn skip_space(&mut self) {
        loop {
            match (self.byte(0), self.byte(1)) {
                (b' ' | b'\t', _) => self.at += 1,
                (b'\r', _) => self.at += 1,
                (b'\\', b'\n') => self.at += 2,
                (b'\\', b'\r') if self.byte(2) == b'\n' => self.at += 3,
                (b'#', _) => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                _ => return,
            }
        }
    }

    fn kind(&mut self) -> Option<TokenKind> {
        if self.at >= self.end {
            return None;
        }
        let first = self.byte(0);
        Some(match first {
            b'\n' => {
                self.at += 1;
                self.lines += 1;
                TokenKind::Newline
            }
            b'0'..=b'9' => self.number(),
            b'?' => self.character(),
            b'"' | b'\'' => self.string(0, Role::Plain),
            b':' if matches!(self.byte(1), b'"' | b'\'') => self.string(1, Role::Atom),
            b':' if self.byte(1) != b':' || self.byte(2) == b':' => self.atom(),
            b'~' if self.byte(1).is_ascii_alphabetic() => self.sigil(),
            b'&' if self.byte(1).is_ascii_digit() && !self.after_dot => {
                self.at += 1;
                self.number()
            }
            b'}' if self.interrupted.last().is_some_and(|quoted| quoted.curly == 0) => {
                self.at += 1;
                TokenKind::Close(Bracket::Interpolation)
            }
            _ if self.rest().starts_with(is_name_start) => self.name(),
            _ => self.operator(),
        })
    }

    /// Goes on with the string that the interpolation before has interrupted.
    pub(super) fn resume(&mut self) -> Option<Token> {
        let quoted = self.interrupted.pop()?;
        let start = self.at;
        let kind = self.quoted(quoted);
        // An interpolation is its own two characters, not the text before it.
        let start = if matches!(kind, TokenKind::Open(_)) { self.at - 2 } else { start };
        Some(Token { kind, range: start..self.at, spaced: false })
    }

    fn number(&mut self) -> TokenKind {
        let radix = match (self.byte(0), self.byte(1)) {
            (b'0', b'x') => 16,
            (b'0', b'o') => 8,
            (b'0', b'b') => 2,
            _ => 10,
        };
        if radix != 10 {
            self.at += 2;
        }
        let digits = self.digits(radix);
        if radix == 10 && self.byte(0) == b'.' && self.byte(1).is_ascii_digit() {
            self.at += 1;
            self.digits(10);
            let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if matches!(self.byte(0), b'e' | b'E') && self.byte(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.digits(10);
            }
        }
        if !digits || self.byte(0).is_ascii_alphanumeric() || self.byte(0) == b'_' {
            return TokenKind::Bad("this is no number");
        }
        TokenKind::Literal
    }

    /// Digits with single `_` between them.
    fn digits(&mut self, radix: u32) -> bool {
        let start = self.at;
        while char::from(self.byte(0)).is_digit(radix)
            || (self.byte(0) == b'_' && self.at > start && char::from(self.byte(1)).is_digit(radix))
        {
            self.at += 1;
        }
        self.at > start
    }

    fn character(&mut self) -> TokenKind {
        self.at += 1;
        let mut rest = self.rest().chars();
        match rest.next() {
            Some('\\') => self.at += 1 + rest.next().map_or(0, char::len_utf8),
            Some(char) => self.at += char.len_utf8(),
            None => return TokenKind::Bad("`?` needs a character"),
        }
        TokenKind::Literal
    }

    fn string(&mut self, prefix: usize, role: Role) -> TokenKind {
        let (start, quote) = (self.at, self.byte(prefix));
        let heredoc =
            role == Role::Plain && !self.after_dot && self.rest().as_bytes().get(..3) == Some(&[quote; 3]);
        self.at += prefix + if heredoc { 3 } else { 1 };
        self.quoted_from(Quoted {
            start,
            close: quote,
            heredoc,
            raw: false,
            role,
            lines: self.lines,
            curly: 0,
        })
    }

    fn sigil(&mut self) -> TokenKind {
        let start = self.at;
        let upper = self.byte(1).is_ascii_uppercase();
        self.at += 2;
        while upper && (self.byte(0).is_ascii_uppercase() || self.byte(0).is_ascii_digit()) {
            self.at += 1;
        }
        let open = self.byte(0);
        let close = match open {
            b'/' | b'|' | b'"' | b'\'' => open,
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            b'<' => b'>',
            _ => return TokenKind::Bad("a sigil needs a delimiter such as `(` or `\"`"),
        };
        let heredoc = matches!(open, b'"' | b'\'') && self.rest().as_bytes().get(..3) == Some(&[open; 3]);
        self.at += if heredoc { 3 } else { 1 };
        self.quoted_from(Quoted {
            start,
            close,
            heredoc,
            raw: upper,
            role: Role::Sigil,
            lines: self.lines,
            curly: 0,
        })
    }

    /// The string whose opening has just been read: all of it, or what stands before its first interpolation.
    fn quoted_from(&mut self, quoted: Quoted) -> TokenKind {
        let is_alone = |rest: &str| rest.split('\n').next().is_none_or(|line| line.trim().is_empty());
        if quoted.heredoc && !is_alone(self.rest()) {
            return TokenKind::Bad("a heredoc begins on the line below its quotes");
        }
        match self.quoted(quoted) {
            TokenKind::Open(_) => {
                self.at -= 2;
                self.announced = true;
                TokenKind::StringStart
            }
            other => other,
        }
    }

    fn quoted(&mut self, quoted: Quoted) -> TokenKind {
        let bytes = &self.text.as_bytes()[..self.end];
        let Quoted { start, close, heredoc, raw, .. } = quoted;
        // The terminator of a heredoc is the first thing on its line.
        let mut fresh = false;
        let hopeless = self.unclosed.contains(&(close, heredoc));
        while let Some(byte) = bytes.get(self.at).copied().filter(|_| !hopeless) {
            match byte {
                b'\\' => {
                    let next = self.text[self.at + 1..self.end].chars().next();
                    if quoted.role != Role::Sigil && !self.is_escape() {
                        self.at += 1;
                        return TokenKind::Bad("`\\x` and `\\u` need the number of a character");
                    }
                    // An escaped end of a line ends it all the same.
                    self.at += 1 + next.filter(|next| *next != '\n').map_or(0, char::len_utf8);
                    fresh = false;
                    continue;
                }
                b'#' if !raw && bytes.get(self.at + 1) == Some(&b'{') => {
                    self.at += 2;
                    self.interrupted.push(quoted);
                    return TokenKind::Open(Bracket::Interpolation);
                }
                b'\n' => {
                    self.lines += 1;
                    fresh = heredoc;
                }
                b' ' | b'\t' | b'\r' if heredoc => {}
                _ if byte == close && heredoc => {
                    if fresh && bytes.get(self.at..self.at + 3) == Some(&[close; 3]) {
                        self.at += 3;
                        return self.quoted_end(quoted);
                    }
                    fresh = false;
                }
                _ if byte == close => {
                    self.at += 1;
                    return self.quoted_end(quoted);
                }
                _ => fresh = false,
            }
            self.at += 1;
        }
        self.unclosed.push((close, heredoc));
        self.open_string = Some(start);
        // Whatever follows may be code: a quote is missing, and nobody knows where.
        let line = self.text[start..self.end].find('\n').map_or(self.end, |line| start + line);
        self.at = line.max(start + 1);
        TokenKind::Bad(UNTERMINATED)
    }

    /// Whether the escape that stands next gives a number, if it is of those that must.
    fn is_escape(&self) -> bool {
        let (least, most) = match self.byte(1) {
            b'x' => (1, 2),
            b'u' => (4, 4),
            _ => return true,
        };
        let rest = &self.rest().as_bytes()[2..];
        let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        match rest.strip_prefix(b"{") {
            Some(rest) => (1..=6).contains(&digits(rest)) && rest.get(digits(rest)) == Some(&b'}'),
            None => digits(&rest[..most.min(rest.len())]) >= least,
        }
    }

    fn quoted_end(&mut self, quoted: Quoted) -> TokenKind {
        if self.lines > quoted.lines {
            self.long_strings.push(quoted.start..self.at);
        }
        match quoted.role {
            Role::Sigil => {
                while self.byte(0).is_ascii_alphanumeric() {
                    self.at += 1;
                }
                TokenKind::Literal
            }
            Role::Plain if self.after_dot => TokenKind::Name,
            Role::Plain if !quoted.heredoc => self.key_or(TokenKind::Literal),
            _ => TokenKind::Literal,
        }
    }

    /// A key, if a colon and white space follow.
    fn key_or(&mut self, kind: TokenKind) -> TokenKind {
        if self.byte(0) != b':' || matches!(self.byte(1), b':') {
            return kind;
        }
        self.at += 1;
        if self.space(0) { TokenKind::Key } else { TokenKind::Bad("white space must follow a key") }
    }

    fn atom(&mut self) -> TokenKind {
        self.at += 1;
        if self.rest().starts_with(is_name_start) {
            let rest = self.rest();
            let length = rest.find(|c: char| !is_name(c) && c != '@').unwrap_or(rest.len());
            self.at += length;
            if matches!(self.byte(0), b'?' | b'!') {
                self.at += 1;
            }
            return TokenKind::Literal;
        }
        let rest = self.rest();
        let operators = OPERATORS
            .iter()
            .filter(|(text, _)| {
                !matches!(*text, "<<" | ">>" | "(" | ")" | "[" | "]" | "{" | "}" | "," | ";" | ".")
            })
            .map(|(text, _)| *text);
        let found = CONTAINERS
            .into_iter()
            .chain(["."])
            .chain(operators)
            .filter(|text| rest.starts_with(text))
            .max_by_key(|text| text.len());
        match found {
            Some(text) => {
                self.at += text.len();
                TokenKind::Literal
            }
            None => TokenKind::Bad("a colon needs a name"),
        }
    }

    fn name(&mut self) -> TokenKind {
        let start = self.at;
        self.skip_name();
        let is_marked = matches!(self.byte(0), b'?' | b'!');
        self.at += usize::from(is_marked);
        let word = &self.text[start..self.at];
        if self.byte(0) == b'@' {
            return self.name_with_at();
        }
        let kind = match word {
            _ if starts_upper(word) => {
                if is_marked || !word.is_ascii() {
                    TokenKind::Bad("the name of a module is made of ASCII letters, digits and `_`")
                } else {
                    TokenKind::Alias
                }
            }
            _ if self.after_dot => TokenKind::Name,
            "do" => TokenKind::Do,
            "end" => TokenKind::End,
            "fn" => TokenKind::Fn,
            "else" | "rescue" | "catch" | "after" => TokenKind::Section,
            "and" | "or" | "in" => TokenKind::Binary,
            "when" => TokenKind::When,
            "not" => TokenKind::Not,
            "true" | "false" | "nil" => TokenKind::Literal,
            _ => TokenKind::Name,
        };
        self.key_or(kind)
    }

    /// The rest of a name with an `@`, which only a key can have.
    fn name_with_at(&mut self) -> TokenKind {
        let rest = self.rest();
        self.at += rest.find(|c: char| !is_name(c) && c != '@').unwrap_or(rest.len());
        self.at += usize::from(matches!(self.byte(0), b'?' | b'!'));
        match self.key_or(TokenKind::Name) {
            TokenKind::Key => TokenKind::Key,
            _ => TokenKind::Bad("`@` cannot stand in a name"),
        }
    }

    fn skip_name(&mut self) {
        let bytes = &self.text.as_bytes()[..self.end];
        while bytes.get(self.at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            self.at += 1;
        }
        if bytes.get(self.at).is_some_and(|byte| !byte.is_ascii()) {
            let rest = self.rest();
            self.at += rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
        }
    }

    fn operator(&mut self) -> TokenKind {
        let rest = self.rest();
        let is_key = |text: &str| {
            let mut behind = rest[text.len()..].chars();
            behind.next() == Some(':') && behind.next().is_some_and(|c| matches!(c, ' ' | '\t' | '\r' | '\n'))
        };
        let container = CONTAINERS
            .into_iter()
            .filter(|_| rest.starts_with(['%', '<', '{', '.']))
            .find(|text| rest.starts_with(text) && is_key(text));
        if let Some(text) = container {
            self.at += text.len() + 1;
            return TokenKind::Key;
        }
        // What is no name of a function begins with one that is.
        let found = operator_at(rest).map(|(text, kind)| match *text {
            "->" | "=>" | "//" | "<<" | ">>" if self.after_dot => (&text[..1], &TokenKind::Binary),
            text => (text, kind),
        });
        let Some((text, kind)) = found else {
            self.at += rest.chars().next().map_or(0, char::len_utf8);
            return TokenKind::Bad("this character means nothing in Elixir");
        };
        self.at += text.len();
        match kind {
            TokenKind::Open(Bracket::Curly) => {
                if let Some(quoted) = self.interrupted.last_mut() {
                    quoted.curly += 1;
                }
                *kind
            }
            TokenKind::Close(Bracket::Curly) => {
                if let Some(quoted) = self.interrupted.last_mut() {
                    quoted.curly = quoted.curly.saturating_sub(1);
                }
                *kind
            }
            TokenKind::Open(_) | TokenKind::Close(_) | TokenKind::Comma | TokenKind::Semicolon => *kind,
            _ if is_key(text) => {
                self.at += 1;
                TokenKind::Key
            }
            TokenKind::Dot => TokenKind::Dot,
            TokenKind::Percent => *kind,
            _ if self.after_dot => TokenKind::Name,
            _ => *kind,
        }
    }

    /// Whether the expression of the line that has just ended goes on: the next line begins with an operator.
    pub(super) fn continues(&mut self) -> bool {
        let start = self.at;
        loop {
            self.skip_space();
            if self.byte(0) != b'\n' {
                break;
            }
            self.at += 1;
        }
        let word = ["and", "or", "in", "when", "not", "do"].iter().any(|word| self.rest().starts_with(word));
        let operator = !self.rest().starts_with(is_name_start) && operator_at(self.rest()).is_some();
        let goes_on = (word || operator) && {
            let resumed = self.at;
            let is_sigil = self.byte(0) == b'~' && self.byte(1).is_ascii_alphabetic();
            let is_atom = self.byte(0) == b':' && self.byte(1) != b':';
            let kind = if is_sigil || is_atom {
                TokenKind::Literal
            } else if word {
                self.name()
            } else {
                self.operator_ahead()
            };
            let kind = match kind {
                TokenKind::Not => {
                    self.skip_space();
                    if self.rest().starts_with("in") && self.name() == TokenKind::Binary {
                        TokenKind::Binary
                    } else {
                        TokenKind::Not
                    }
                }
                other => other,
            };
            // As in `+/2`, which begins an expression.
            let is_name = self.slash_follows() && kind != TokenKind::Dot;
            self.at = resumed;
            !is_name
                && matches!(
                    kind,
                    TokenKind::Do
                        | TokenKind::Binary
                        | TokenKind::When
                        | TokenKind::Range
                        | TokenKind::Bar
                        | TokenKind::Arrow
                        | TokenKind::Stab
                        | TokenKind::Dot
                )
        };
        if !goes_on {
            self.at = start;
        }
        goes_on
    }

    /// The operator that stands next; brackets are not counted.
    fn operator_ahead(&mut self) -> TokenKind {
        match operator_at(self.rest()) {
            Some((_, kind @ (TokenKind::Open(_) | TokenKind::Close(_)))) => *kind,
            _ => self.operator(),
        }
    }

    /// Whether a `/` comes next, as in `&+/2`.
    pub(super) fn slash_follows(&self) -> bool {
        self.rest().trim_start_matches([' ', '\t']).starts_with('/')
    }

    /// Whether a `//` comes next, as in `&//2`.
    pub(super) fn step_follows(&self) -> bool {
        self.rest().trim_start_matches([' ', '\t']).starts_with("//")
    }

    /// Whether the word `in` comes next, as in `not in`.
    pub(super) fn in_follows(&self) -> bool {
        let rest = self.rest().trim_start_matches([' ', '\t']);
        rest.strip_prefix("in").is_some_and(|rest| !rest.starts_with(|c| is_name(c) || c == ':'))
    }

    /// Whether the token that comes next stands without white space before it, and is an operand.
    pub(super) fn touches_operand(&self) -> bool {
        !self.space(0)
            && !matches!(self.byte(0), b'(' | b'[' | b'<' | b'{' | b'%' | b'+' | b'-' | b'/' | b'>' | b':')
    }
}

/// The longest operator with which a text begins.
fn operator_at(text: &str) -> Option<&'static (&'static str, TokenKind)> {
    let first = text.as_bytes().first()?;
    OPERATORS
        .iter()
        .find(|(operator, _)| operator.as_bytes().first() == Some(first) && text.starts_with(operator))
}

fn starts_upper(word: &str) -> bool {
    match word.as_bytes().first() {
        Some(byte) if byte.is_ascii() => byte.is_ascii_uppercase(),
        _ => word.starts_with(char::is_uppercase),
    }
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphabetic() || c.is_ascii_digit() || is_mark(c)
}

/// Marks that join with the letter before.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{b7}' | '\u{200c}' | '\u{200d}' | '\u{903}'..='\u{94f}' | '\u{3099}' | '\u{309a}')
}
