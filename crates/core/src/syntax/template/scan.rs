//! Finds the code of a template, in one pass that never goes back.

use std::ops::Range;

/// What is code in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::syntax) enum Dialect {
    /// `<% … %>` alone.
    Eex,
    /// That, and in HTML also `{…}` and components.
    Heex,
}

/// A piece of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TemplatePiece {
    /// Without what encloses it.
    pub(super) code: Range<usize>,
    pub(super) kind: PieceKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// `<% … %>`: its expression may go on in other tags.
    Tag,
    /// `{…}`: a whole expression or pattern.
    Value,
}

/// `<.name` or `<Mod.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) module: Option<Box<str>>,
    pub(super) name: Box<str>,
    /// Where the name is.
    pub(super) at: usize,
}

/// What is wrong, and where.
pub(super) type Problem = (Range<usize>, &'static str);

/// What there is in a template, each in order of position.
#[derive(Default)]
pub(super) struct TemplateScan {
    pub(super) pieces: Vec<TemplatePiece>,
    pub(super) components: Vec<Component>,
    pub(super) problems: Vec<Problem>,
}

/// More problems in one template say nothing new.
const MAX_PROBLEMS: usize = 50;

/// Elements that have no content.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];

/// Reads `range` of `text`, which must lie between characters.
pub(super) fn scan(text: &str, range: Range<usize>, dialect: Dialect) -> TemplateScan {
    let (state, braces) = match dialect {
        Dialect::Eex => (ScanState::Bare, Vec::new()),
        Dialect::Heex => (ScanState::Text, pair_braces(text.as_bytes(), range.clone())),
    };
    let mut scanner = Scanner {
        text: text.get(..range.end).unwrap_or_default(),
        at: range.start,
        state,
        tag: 0..0,
        braces,
        next_brace: 0,
        plain: None,
        found: TemplateScan::default(),
    };
    while scanner.at < scanner.text.len() {
        scanner.step();
    }
    scanner.found
}

#[derive(Clone, Copy)]
enum ScanState {
    /// Text that is no HTML.
    Bare,
    /// Between tags.
    Text,
    /// In `<!-- -->`.
    Comment,
    /// In `<! >`.
    Declaration,
    /// In the content of an element that ends only with this.
    Raw(&'static str),
    /// In an opening tag.
    Tag,
    /// In an attribute's value, up to this quotation mark.
    Quoted(u8),
}

struct Scanner<'s> {
    text: &'s str,
    at: usize,
    state: ScanState,
    /// The name of the opening tag that is read.
    tag: Range<usize>,
    braces: Vec<(u32, u32)>,
    next_brace: usize,
    /// How many elements are open from the one on whose content has no `{…}`.
    plain: Option<usize>,
    found: TemplateScan,
}

impl Scanner<'_> {
    /// Reads on by at least one byte.
    fn step(&mut self) {
        if self.sees("<%") {
            return self.eex();
        }
        let byte = self.text.as_bytes()[self.at];
        match self.state {
            ScanState::Bare => self.skip_to(|byte| byte == b'<'),
            ScanState::Text => match byte {
                b'<' => self.markup(),
                b'{' if self.plain.is_none() => self.braces(),
                _ => self.skip_to(|byte| matches!(byte, b'<' | b'{')),
            },
            ScanState::Comment if self.sees("-->") => self.enter(ScanState::Text, 3),
            ScanState::Comment => self.skip_to(|byte| matches!(byte, b'<' | b'-')),
            ScanState::Declaration if byte == b'>' => self.enter(ScanState::Text, 1),
            ScanState::Declaration => self.skip_to(|byte| matches!(byte, b'<' | b'>')),
            ScanState::Raw(end) if self.sees(end) => self.enter(ScanState::Text, 0),
            ScanState::Raw(_) => self.skip_to(|byte| byte == b'<'),
            ScanState::Tag => self.tag(byte),
            ScanState::Quoted(quote) if byte == quote => self.enter(ScanState::Tag, 1),
            ScanState::Quoted(quote) => self.skip_to(|byte| byte == quote || byte == b'<'),
        }
    }

    fn eex(&mut self) {
        let open = self.at;
        if self.sees("<%%") {
            self.at += 3;
            return;
        }
        let is_long_comment = self.sees("<%!--");
        let (mark, close) = if is_long_comment { (5, "--%>") } else { (2, "%>") };
        let rest = self.text.get(open + mark..).unwrap_or_default();
        let Some(length) = rest.find(close) else {
            self.problem(open..self.text.len(), "this tag is never closed");
            self.at = self.text.len();
            return;
        };
        let end = open + mark + length;
        self.at = end + close.len();
        if !is_long_comment && !rest.starts_with('#') {
            let marked = rest[..length].starts_with(['=', '|', '/']);
            self.piece(open + mark + usize::from(marked)..end, PieceKind::Tag);
        }
    }

    /// At a `<` between tags.
    fn markup(&mut self) {
        if self.sees("<!--") {
            return self.enter(ScanState::Comment, 4);
        }
        if self.sees("<!") {
            return self.enter(ScanState::Declaration, 2);
        }
        if self.sees("</") {
            self.plain = self.plain.filter(|open| *open > 1).map(|open| open - 1);
            self.at = end_of(self.text, self.at + 2, |byte| matches!(byte, b'<' | b'>'));
            return;
        }
        let name = self.name_from(self.at + 1);
        let first = self.text.as_bytes().get(name.start).copied().unwrap_or_default();
        if !(first.is_ascii_alphabetic() || matches!(first, b'.' | b':')) {
            self.at += 1;
            return;
        }
        self.found.components.extend(component(self.text, name.clone()));
        self.at = name.end;
        self.tag = name;
        self.state = ScanState::Tag;
    }

    /// In an opening tag.
    fn tag(&mut self, byte: u8) {
        match byte {
            b'>' => self.end_tag(false),
            b'/' if self.sees("/>") => self.end_tag(true),
            // A tag that is not closed yet ends where the next begins.
            b'<' => self.state = ScanState::Text,
            b'"' | b'\'' => self.enter(ScanState::Quoted(byte), 1),
            b'{' => self.braces(),
            _ if is_stop(byte) => self.at += 1,
            _ => {
                let name = self.name_from(self.at);
                if self.plain.is_none() && self.text.get(name.clone()) == Some("phx-no-curly-interpolation") {
                    self.plain = Some(0);
                }
                self.at = name.end;
            }
        }
    }

    fn end_tag(&mut self, closes_itself: bool) {
        let name = self.text.get(self.tag.clone()).unwrap_or_default();
        let content = match name {
            "script" => ScanState::Raw("</script"),
            "style" => ScanState::Raw("</style"),
            _ => ScanState::Text,
        };
        if closes_itself || VOID.contains(&name) {
            self.plain = self.plain.filter(|open| *open > 0);
            return self.enter(ScanState::Text, 1 + usize::from(closes_itself));
        }
        self.plain = self.plain.map(|open| open + 1);
        self.enter(content, 1);
    }

    /// At a `{` that begins code.
    fn braces(&mut self) {
        let open = self.at;
        while self.braces.get(self.next_brace).is_some_and(|(at, _)| (*at as usize) < open) {
            self.next_brace += 1;
        }
        match self.braces.get(self.next_brace).copied() {
            Some((at, close)) if at as usize == open && close > 0 => {
                self.piece(open + 1..close as usize, PieceKind::Value);
                self.at = close as usize + 1;
            }
            _ => {
                self.problem(open..open + 1, "this brace is never closed");
                self.at += 1;
            }
        }
    }

    fn piece(&mut self, code: Range<usize>, kind: PieceKind) {
        if self.text.get(code.clone()).is_some_and(|code| !code.trim().is_empty()) {
            self.found.pieces.push(TemplatePiece { code, kind });
        }
    }

    fn problem(&mut self, at: Range<usize>, what: &'static str) {
        if self.found.problems.len() < MAX_PROBLEMS {
            self.found.problems.push((at, what));
        }
    }

    fn sees(&self, what: &str) -> bool {
        self.text.as_bytes()[self.at..].starts_with(what.as_bytes())
    }

    fn enter(&mut self, state: ScanState, length: usize) {
        self.state = state;
        self.at += length;
    }

    /// Leaves this byte and goes on to the next that stops.
    fn skip_to(&mut self, stops: impl Fn(u8) -> bool) {
        self.at = end_of(self.text, self.at + 1, stops);
    }

    /// The name of a tag or an attribute.
    fn name_from(&self, start: usize) -> Range<usize> {
        start..end_of(self.text, start, is_stop)
    }
}

/// The first byte from `start` on that stops, or the end.
fn end_of(text: &str, start: usize, stops: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    rest.iter().position(|byte| stops(*byte)).map_or(text.len(), |length| start + length)
}

/// Whether a name ends before this byte.
fn is_stop(byte: u8) -> bool {
    matches!(byte, b'>' | b'/' | b'=' | b'"' | b'\'' | b'<' | b'{' | b'}') || byte.is_ascii_whitespace()
}

/// What a tag of this name calls.
fn component(text: &str, name: Range<usize>) -> Option<Component> {
    let written = text.get(name.clone())?;
    let (module, function) = written.rsplit_once('.')?;
    let is_function = function.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && function.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'?' | b'!'));
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_uppercase())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let is_module = module.is_empty() || module.split('.').all(is_part);
    (is_function && is_module).then(|| Component {
        module: (!module.is_empty()).then(|| module.into()),
        name: function.into(),
        at: name.end - function.len(),
    })
}

/// Each `{` in order with its `}`, or with 0 if it has none.
fn pair_braces(text: &[u8], range: Range<usize>) -> Vec<(u32, u32)> {
    let (mut pairs, mut open) = (Vec::new(), Vec::new());
    let mut at = range.start;
    while at < range.end {
        match text[at] {
            b'\\' => at += 1,
            b'{' => {
                open.push(pairs.len());
                pairs.push((at as u32, 0));
            }
            b'}' => {
                if let Some(pair) = open.pop() {
                    pairs[pair].1 = at as u32;
                }
            }
            _ => {}
        }
        at += 1;
    }
    pairs
}
