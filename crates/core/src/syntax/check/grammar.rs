//! Which token may follow which.

use std::ops::Range;

use super::token::{Bracket, Lexer, Token, TokenKind};

/// Why a text is not Elixir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: Range<usize>,
    pub(crate) message: String,
}

/// Why a text is not Elixir: the first reason.
pub(crate) fn check(text: &str) -> Option<Fault> {
    let mut lexer = Lexer::new(text, 0);
    let mut grammar = Grammar::new(text);
    while let Some(token) = lexer.token() {
        if let Err(message) = grammar.take(&mut lexer, &token) {
            return Some(Fault { at: token.range, message });
        }
    }
    grammar.finish(text.len())
}

const AMBIGUOUS: &str = "the call before this has several arguments and needs parentheses";

/// Lines are looked at so far for their indentation.
const MOST_INDENT: usize = 256;

/// What is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    File,
    Group,
    Arguments,
    List,
    Access,
    Tuple,
    Map,
    Bits,
    Fn,
    Block,
    Interpolation,
}

/// Where in an expression the reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the beginning of one, or of nothing.
    Start,
    /// Behind a comma.
    Comma,
    /// Where an operand must follow.
    Operand,
    /// Behind a dot.
    Dot,
    /// Behind an operand.
    After,
}

/// What the operand before is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// A name, which takes arguments.
    Name,
    /// A name with arguments in parentheses.
    Call,
    Alias,
    Block,
    Other,
}

/// The first of the operators that bind more tightly than `//` since the last that does not, as far as `//` asks: before it must
/// stand a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tight {
    None,
    Range,
    Other,
}

/// Operators that are as tight as `..`, and those that are tighter.
const AS_TIGHT: [&str; 5] = ["++", "--", "+++", "---", "<>"];
const TIGHTER: [&str; 5] = ["+", "-", "*", "/", "**"];

#[derive(Clone, Debug)]
struct Frame {
    around: Around,
    /// The token that opened it.
    open: Range<usize>,
    state: State,
    last: Last,
    /// Calls without parentheses in the expression.
    calls: u32,
    /// Whether the innermost of them has a comma, and whether one around it has.
    comma_in_call: bool,
    comma_around: bool,
    /// Whether only keys may follow a comma in the innermost call.
    keys_in_call: bool,
    /// Whether it is in the value of a key of another call, where it may have several arguments.
    in_value: bool,
    /// Whether only keys may follow a comma outside of calls.
    keys: bool,
    commas: u32,
    /// Whether a `->` must follow, one has been there, one is in this expression, and an expression was before the first.
    awaits_stab: bool,
    stabs: bool,
    in_clause: bool,
    plain: bool,
    /// Whether a `do` must follow: the call has a comma where that could separate other things.
    awaits_block: bool,
    /// Whether a `{` must follow a `%`.
    percent: bool,
    /// Whether a line has ended behind the operand.
    line_over: bool,
    semicolon: bool,
    /// Whether it began where a clause of `fn` can begin.
    begins_clause: bool,
    /// Whether pairs may follow without brackets: behind a `when`, and behind the `|` of a map.
    takes_pairs: bool,
    /// Whether the element of a map has an operator, and a `=>`.
    operators: bool,
    assigns: bool,
    /// Whether the map has its `|`.
    updates: bool,
    tight: Tight,
}

impl Frame {
    fn new(around: Around, open: Range<usize>) -> Self {
        Frame {
            around,
            open,
            state: State::Start,
            last: Last::Other,
            calls: 0,
            comma_in_call: false,
            comma_around: false,
            keys_in_call: false,
            in_value: false,
            keys: false,
            commas: 0,
            awaits_stab: false,
            stabs: false,
            in_clause: false,
            plain: false,
            awaits_block: false,
            percent: false,
            line_over: false,
            semicolon: false,
            begins_clause: false,
            takes_pairs: false,
            operators: false,
            assigns: false,
            updates: false,
            tight: Tight::None,
        }
    }

    fn is_body(&self) -> bool {
        use Around::{Block, File, Fn, Group, Interpolation};
        matches!(self.around, File | Group | Fn | Block | Interpolation)
    }

    fn takes_clauses(&self) -> bool {
        matches!(self.around, Around::Group | Around::Fn | Around::Block)
    }

    fn forget_calls(&mut self) {
        self.calls = 0;
        self.comma_in_call = false;
        self.comma_around = false;
        self.keys_in_call = false;
        self.in_value = false;
    }

    /// An operand begins; `key` says whether it is the key of a pair.
    fn begin(&mut self, key: bool) -> Result<(), String> {
        match self.state {
            State::After if self.percent && !key => return Err("`{` is missing behind `%`".into()),
            State::After if self.last == Last::Name && !self.line_over => {
                self.in_value |= self.keys_in_call;
                self.comma_around = !self.keys_in_call && (self.comma_around || self.comma_in_call);
                self.comma_in_call = false;
                self.calls += 1;
                self.keys_in_call = key;
                self.tight = Tight::None;
            }
            State::After => {
                return Err("an operator or the end of the expression is missing before this".into());
            }
            State::Dot => return Err("a name must follow the dot".into()),
            State::Comma if self.around == Around::Access && self.calls == 0 && !self.keys => {
                return Err("one key can be looked up at once".into());
            }
            State::Comma if !key && if self.calls > 0 { self.keys_in_call } else { self.keys } => {
                return Err("only pairs can follow pairs such as `key: value`".into());
            }
            _ => {}
        }
        self.takes_pairs &= key;
        Ok(())
    }

    fn operand(&mut self, last: Last) -> Result<(), String> {
        self.begin(false)?;
        self.is_over(last);
        Ok(())
    }

    /// An operator before its operand.
    fn unary(&mut self) -> Result<(), String> {
        self.begin(false)?;
        self.operators |= self.calls == 0;
        self.state = State::Operand;
        Ok(())
    }

    /// An operand has ended.
    fn is_over(&mut self, last: Last) {
        self.state = State::After;
        self.last = last;
        self.takes_pairs = false;
        self.line_over = false;
        self.semicolon = false;
    }

    /// An element of a map ends.
    fn end_element(&mut self) -> Result<(), String> {
        let is_pair = self.around != Around::Map || self.keys || self.assigns;
        let is_simple = !self.operators && (self.calls > 0 || matches!(self.last, Last::Name | Last::Call));
        if !is_pair && !is_simple && self.state == State::After {
            return Err("`=>` is missing in this map".into());
        }
        self.operators = false;
        self.assigns = false;
        Ok(())
    }

    /// What is in one expression, or one element, ends.
    fn end_expression(&mut self) -> Result<(), String> {
        if matches!(self.state, State::Operand | State::Comma | State::Dot) {
            return Err("an expression is missing before this".into());
        }
        if self.percent {
            return Err("`{` is missing behind `%`".into());
        }
        if self.awaits_block {
            return Err(AMBIGUOUS.into());
        }
        if self.awaits_stab {
            return Err("`->` is missing before this".into());
        }
        if self.state == State::After {
            if self.around == Around::Fn && !self.stabs {
                return Err("`->` is missing in this `fn`".into());
            }
            self.plain |= !self.stabs;
        }
        self.state = State::Start;
        self.in_clause = false;
        self.commas = 0;
        self.keys = false;
        self.line_over = false;
        self.tight = Tight::None;
        self.forget_calls();
        Ok(())
    }
}

struct Grammar<'t> {
    text: &'t str,
    frames: Vec<Frame>,
    /// A block that was closed by an `end` which the layout gives to another.
    suspect: Option<Range<usize>>,
}

impl<'t> Grammar<'t> {
    fn new(text: &'t str) -> Self {
        Grammar { text, frames: vec![Frame::new(Around::File, 0..0)], suspect: None }
    }

    fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::new(Around::File, 0..0));
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn take(&mut self, lexer: &mut Lexer, token: &Token) -> Result<(), String> {
        // `//` is a name only as a part of that of `..//`.
        let is_step = lexer.text(token) == "//" && !self.text[..token.range.start].ends_with("..");
        let text = self.text;
        let frame = self.frame();
        // Operators as names, as in `&+/2`.
        let is_operator = matches!(
            token.kind,
            TokenKind::Binary
                | TokenKind::Dual
                | TokenKind::Unary
                | TokenKind::When
                | TokenKind::Not
                | TokenKind::Range
                | TokenKind::Bar
        );
        // But `&//2` captures `/`.
        let captures = || lexer.text(token) == "&" && lexer.step_follows();
        if is_operator && lexer.slash_follows() && !is_step && !captures() {
            return frame.operand(Last::Name);
        }
        if frame.percent
            && frame.state == State::After
            && !matches!(
                token.kind,
                TokenKind::Dot | TokenKind::Open(_) | TokenKind::Name | TokenKind::Newline
            )
        {
            return Err("`{` is missing behind `%`".into());
        }
        match token.kind {
            TokenKind::Bad(message) => Err(message.into()),
            TokenKind::Name if frame.state == State::Dot => {
                frame.is_over(Last::Name);
                Ok(())
            }
            TokenKind::Name => frame.operand(Last::Name),
            TokenKind::Alias if frame.state == State::Dot => {
                frame.is_over(Last::Alias);
                Ok(())
            }
            TokenKind::Alias => frame.operand(Last::Alias),
            TokenKind::Literal => frame.operand(Last::Other),
            TokenKind::Key => self.key(),
            TokenKind::Unary => frame.unary(),
            TokenKind::Dual => {
                let argument = frame.last == Last::Name && token.spaced && lexer.touches_operand();
                if frame.state != State::After || frame.line_over || argument {
                    return frame.unary();
                }
                frame.operators |= frame.calls == 0;
                frame.state = State::Operand;
                Ok(())
            }
            TokenKind::Not if frame.state == State::After && lexer.in_follows() => {
                lexer.token();
                self.binary("not in")
            }
            TokenKind::Not => frame.unary(),
            // Elixir takes the operator of steps before an operand, too.
            TokenKind::Binary if frame.state != State::After && lexer.text(token) == "//" => frame.unary(),
            TokenKind::Range if frame.state != State::After => frame.operand(Last::Other),
            TokenKind::When => {
                self.binary("when")?;
                self.frame().takes_pairs = true;
                Ok(())
            }
            TokenKind::Binary | TokenKind::Range => self.binary(lexer.text(token)),
            TokenKind::Bar => {
                self.binary("|")?;
                let frame = self.frame();
                let is_first = frame.commas == 0 && !frame.keys && !frame.assigns;
                if frame.around == Around::Map && frame.calls == 0 && is_first && !frame.updates {
                    frame.updates = true;
                    frame.takes_pairs = true;
                    frame.operators = false;
                }
                Ok(())
            }
            TokenKind::Arrow if frame.assigns || frame.keys => Err("`=>` stands once in a pair".into()),
            TokenKind::Arrow if frame.around == Around::Map => {
                self.binary("=>")?;
                self.frame().assigns = true;
                self.frame().forget_calls();
                Ok(())
            }
            TokenKind::Arrow => Err("`=>` stands in maps alone".into()),
            TokenKind::Stab => self.stab(),
            TokenKind::Percent if frame.percent => Err("`{` is missing behind `%`".into()),
            TokenKind::Newline if frame.percent && frame.state == State::After => Ok(()),
            TokenKind::Newline if frame.percent => Err("`{` is missing behind `%`".into()),
            TokenKind::Percent => {
                frame.begin(false)?;
                frame.state = State::Operand;
                frame.percent = true;
                Ok(())
            }
            TokenKind::Dot => {
                if frame.state != State::After || frame.last == Last::Block {
                    return Err("an expression is missing before the dot".into());
                }
                frame.state = State::Dot;
                frame.line_over = false;
                Ok(())
            }
            TokenKind::Comma => self.comma(),
            TokenKind::Semicolon => {
                if !frame.is_body() || frame.semicolon {
                    return Err("`;` separates expressions, and none is before it".into());
                }
                frame.end_expression()?;
                frame.semicolon = true;
                Ok(())
            }
            TokenKind::Newline => {
                if frame.state != State::After || frame.line_over || lexer.continues() {
                    return Ok(());
                }
                if frame.is_body() {
                    return frame.end_expression();
                }
                frame.line_over = true;
                Ok(())
            }
            TokenKind::Open(bracket) => self.open(bracket, token),
            TokenKind::Close(bracket) => self.close(bracket, lexer, token),
            TokenKind::StringStart => {
                // Whether it is a key its end will tell.
                if frame.state == State::Dot {
                    return Err("a name in quotes takes no interpolation".into());
                }
                let calls = frame.calls;
                frame.begin(true)?;
                frame.keys_in_call &= frame.calls == calls;
                frame.is_over(Last::Other);
                Ok(())
            }
            TokenKind::Do => {
                // The `do` of a name alone stands on the line of the name.
                let attaches = frame.calls > 0
                    || frame.last == Last::Call
                    || (frame.last == Last::Name && !begins_line(text, token.range.start));
                if frame.state != State::After || frame.line_over || !attaches {
                    return Err("this `do` belongs to no call".into());
                }
                frame.forget_calls();
                frame.awaits_block = false;
                self.push(Around::Block, token);
                Ok(())
            }
            TokenKind::Fn => {
                frame.begin(false)?;
                self.push(Around::Fn, token);
                Ok(())
            }
            TokenKind::Section => {
                if frame.around != Around::Block {
                    return Err(format!("`{}` stands in no block", lexer.text(token)));
                }
                frame.end_expression()?;
                frame.stabs = false;
                frame.plain = false;
                Ok(())
            }
            TokenKind::End => self.end(token),
        }
    }

    fn push(&mut self, around: Around, token: &Token) {
        let begins_clause = self.frame().takes_clauses() && self.frame().state == State::Start;
        let mut frame = Frame::new(around, token.range.clone());
        frame.begins_clause = begins_clause;
        self.frames.push(frame);
    }

    fn key(&mut self) -> Result<(), String> {
        let frame = self.frame();
        match frame.state {
            State::Operand if frame.takes_pairs && frame.around == Around::Map => frame.keys = true,
            // `when key: value`, as in a spec.
            State::Operand if frame.takes_pairs => {
                let is_element = matches!(
                    frame.around,
                    Around::List | Around::Tuple | Around::Map | Around::Bits | Around::Access
                );
                if is_element || frame.commas > 0 || frame.comma_in_call {
                    return Err(AMBIGUOUS.into());
                }
                frame.calls += 1;
                frame.keys_in_call = true;
            }
            State::Operand | State::Dot => return Err("an expression must stand here, not a pair".into()),
            State::After => {
                if frame.last != Last::Name || frame.line_over {
                    return Err("a comma is missing before this".into());
                }
                frame.begin(true)?;
            }
            State::Comma if frame.calls > 0 => frame.keys_in_call = true,
            State::Start | State::Comma => {
                let is_first = frame.state == State::Start;
                match frame.around {
                    Around::File | Around::Interpolation => {
                        return Err("a pair such as `key: value` stands in a list, a map or a call".into());
                    }
                    Around::Access if !is_first && !frame.keys => {
                        return Err("one key can be looked up at once".into());
                    }
                    Around::Tuple | Around::Bits if is_first => {
                        return Err("pairs alone make no tuple: put them in a list".into());
                    }
                    Around::Group | Around::Fn | Around::Block => frame.awaits_stab = true,
                    _ => {}
                }
                frame.keys = true;
            }
        }
        frame.state = State::Operand;
        frame.semicolon = false;
        frame.takes_pairs = false;
        frame.tight = Tight::None;
        Ok(())
    }

    fn binary(&mut self, operator: &str) -> Result<(), String> {
        let frame = self.frame();
        if frame.state != State::After {
            return Err("an expression is missing before this operator".into());
        }
        if operator == "//" && frame.tight != Tight::Range {
            return Err("`//` stands behind a range such as `1..9` alone; `\\\\` gives a default".into());
        }
        frame.tight = match (operator, frame.tight) {
            ("..", Tight::None) => Tight::Range,
            (operator, Tight::None) if AS_TIGHT.contains(&operator) => Tight::Other,
            (operator, tight) if operator == ".." || AS_TIGHT.contains(&operator) => tight,
            (operator, tight) if TIGHTER.contains(&operator) => tight,
            _ => Tight::None,
        };
        frame.state = State::Operand;
        frame.line_over = false;
        frame.takes_pairs = false;
        frame.operators |= frame.calls == 0;
        Ok(())
    }

    fn stab(&mut self) -> Result<(), String> {
        let frame = self.frame();
        if !frame.takes_clauses() {
            return Err("`->` stands in blocks, in `fn` and in parentheses alone".into());
        }
        if !matches!(frame.state, State::After | State::Start) {
            return Err("an expression is missing before `->`".into());
        }
        if (frame.plain && !frame.stabs) || frame.in_clause {
            return Err("`->` must stand in the first expression, and once in each".into());
        }
        if frame.state == State::After && frame.last == Last::Block {
            return Err("a call with a block cannot stand before `->`".into());
        }
        frame.awaits_stab = false;
        frame.stabs = true;
        frame.end_expression()?;
        frame.in_clause = true;
        frame.semicolon = false;
        Ok(())
    }

    fn comma(&mut self) -> Result<(), String> {
        let frame = self.frame();
        if frame.state != State::After || frame.line_over {
            return Err("an expression is missing before this comma".into());
        }
        if frame.calls > 0 {
            let alone = match frame.around {
                Around::List | Around::Tuple | Around::Map | Around::Bits | Around::Access => false,
                _ => frame.commas == 0 && !frame.keys,
            };
            if frame.calls > 1 && frame.comma_around && !frame.keys_in_call {
                return Err(AMBIGUOUS.into());
            }
            // A block would make it clear: `[for a <- b, c do d end]`.
            frame.awaits_block |= !alone && !frame.keys_in_call && !frame.in_value;
            frame.comma_in_call = true;
        } else {
            match frame.around {
                Around::File | Around::Interpolation => {
                    return Err("a comma stands in lists, maps, tuples and calls alone".into());
                }
                Around::Group | Around::Fn | Around::Block => {
                    if frame.in_clause {
                        return Err("a comma stands in lists, maps, tuples and calls alone".into());
                    }
                    frame.awaits_stab = true;
                }
                _ => {}
            }
            frame.end_element()?;
            frame.commas += 1;
        }
        frame.state = State::Comma;
        frame.tight = Tight::None;
        Ok(())
    }

    fn open(&mut self, bracket: Bracket, token: &Token) -> Result<(), String> {
        let frame = self.frame();
        let behind = frame.state == State::After && !frame.line_over;
        let around = match bracket {
            Bracket::Interpolation => Around::Interpolation,
            Bracket::Round if frame.state == State::Dot => Around::Arguments,
            Bracket::Round if behind && frame.last == Last::Name && !token.spaced => Around::Arguments,
            Bracket::Round if behind && frame.last == Last::Call => Around::Arguments,
            Bracket::Square if behind && matches!(frame.last, Last::Call | Last::Other | Last::Alias) => {
                Around::Access
            }
            Bracket::Square if behind && frame.last == Last::Name && !token.spaced => Around::Access,
            Bracket::Curly if frame.state == State::Dot => Around::Tuple,
            Bracket::Curly if frame.percent && (frame.state == State::After || !token.spaced) => {
                frame.percent = false;
                Around::Map
            }
            _ if frame.percent && frame.state == State::Operand => {
                return Err("`{` is missing behind `%`".into());
            }
            _ => {
                frame.begin(false)?;
                match bracket {
                    Bracket::Round => Around::Group,
                    Bracket::Square => Around::List,
                    Bracket::Curly => Around::Tuple,
                    _ => Around::Bits,
                }
            }
        };
        self.push(around, token);
        Ok(())
    }

    fn close(&mut self, bracket: Bracket, lexer: &mut Lexer, token: &Token) -> Result<(), String> {
        let frame = self.frame();
        let expected = match frame.around {
            Around::Group | Around::Arguments => Some(Bracket::Round),
            Around::List | Around::Access => Some(Bracket::Square),
            Around::Tuple | Around::Map => Some(Bracket::Curly),
            Around::Bits => Some(Bracket::Angle),
            Around::Interpolation => Some(Bracket::Interpolation),
            Around::File | Around::Fn | Around::Block => None,
        };
        if expected != Some(bracket) {
            return Err(self.unexpected(token));
        }
        let allowed = match (frame.around, frame.state) {
            (Around::Access, State::Start) => false,
            (_, State::Start | State::After) => true,
            (Around::Arguments, State::Comma) => frame.calls == 0 && frame.keys,
            (Around::List | Around::Tuple | Around::Map | Around::Bits | Around::Access, State::Comma) => {
                frame.calls == 0
            }
            _ => false,
        };
        if !allowed {
            return Err("an expression is missing before this".into());
        }
        let mut parameters = false;
        if frame.around == Around::Group && frame.awaits_stab {
            if !frame.begins_clause || frame.stabs {
                return Err("a comma stands in lists, maps, tuples and calls alone".into());
            }
            parameters = true;
            frame.awaits_stab = false;
        }
        // `(1..9)//2`
        let is_range = frame.around == Around::Group && frame.tight == Tight::Range;
        if frame.state != State::Comma {
            frame.end_element()?;
            frame.end_expression()?;
        }
        let last = if frame.around == Around::Arguments { Last::Call } else { Last::Other };
        self.frames.pop();
        let frame = self.frame();
        frame.is_over(last);
        if is_range && frame.tight == Tight::None {
            frame.tight = Tight::Range;
        }
        frame.awaits_stab |= parameters;
        if bracket == Bracket::Interpolation {
            return self.resume(lexer);
        }
        Ok(())
    }

    /// A string goes on behind an interpolation.
    fn resume(&mut self, lexer: &mut Lexer) -> Result<(), String> {
        let Some(token) = lexer.resume() else { return Ok(()) };
        match token.kind {
            TokenKind::Open(_) => {
                self.push(Around::Interpolation, &token);
                Ok(())
            }
            TokenKind::Key => {
                let frame = self.frame();
                frame.state = State::Operand;
                if frame.calls > 0 {
                    frame.keys_in_call = true
                } else {
                    frame.keys = true
                }
                Ok(())
            }
            TokenKind::Bad(message) => Err(message.into()),
            kind => {
                self.frame().is_over(if kind == TokenKind::Name { Last::Name } else { Last::Other });
                Ok(())
            }
        }
    }

    fn end(&mut self, token: &Token) -> Result<(), String> {
        let frame = self.frame();
        let last = match frame.around {
            Around::Block => Last::Block,
            Around::Fn => Last::Other,
            _ => return Err(self.unexpected(token)),
        };
        frame.end_expression()?;
        if frame.around == Around::Fn && !frame.stabs {
            return Err("`->` is missing in this `fn`".into());
        }
        let open = frame.open.clone();
        if self.suspect.is_none() && self.indent(open.start) > self.indent(token.range.start) {
            self.suspect = Some(open);
        }
        self.frames.pop();
        self.frame().is_over(last);
        Ok(())
    }

    /// What is wrong with a token that closes something else than what is open, or nothing.
    fn unexpected(&mut self, token: &Token) -> String {
        let text = &self.text[token.range.clone()];
        match self.frames.last().filter(|frame| frame.around != Around::File) {
            Some(frame) => {
                let line = self.text[..frame.open.start].matches('\n').count() + 1;
                format!(
                    "`{text}` stands here where `{}` of line {line} is still open",
                    &self.text[frame.open.clone()]
                )
            }
            None => format!("this `{text}` closes nothing"),
        }
    }

    /// How far the line that holds `at` is indented.
    fn indent(&self, at: usize) -> usize {
        let bytes = &self.text.as_bytes()[..at];
        let line = bytes.iter().rev().take(MOST_INDENT).position(|byte| *byte == b'\n');
        let line = line.map_or(0, |back| at - back);
        bytes[line..].iter().take(MOST_INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }

    fn finish(mut self, end: usize) -> Option<Fault> {
        if self.frames.len() > 1 {
            let frame = self.frame();
            let at = frame.open.clone();
            let is_block = matches!(frame.around, Around::Block | Around::Fn);
            let at = self.suspect.clone().filter(|_| is_block).unwrap_or(at);
            let text = &self.text[at.clone()];
            let closer = match text {
                "(" => ")",
                "[" => "]",
                "{" => "}",
                "<<" => ">>",
                "#{" => "}",
                _ => "end",
            };
            return Some(Fault { message: format!("this `{text}` has no `{closer}`"), at });
        }
        let message = self.frame().end_expression().err()?;
        Some(Fault { at: end..end, message })
    }
}

/// Whether nothing but blanks stands before `at` on its line; an escaped end of a line ends none.
fn begins_line(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end_matches([' ', '\t']).strip_suffix('\n');
    before.is_some_and(|line| !line.ends_with('\\'))
}
