//! From tokens to a tree.

use super::fault;
use super::lexer::{Token, tokens};
use super::syntax::{Comparison, Conditional, Expr, Given, Macro, Node, Operator, Postfix, Target, Template};
use crate::{Error, Result};

/// Several times the longest template in use.
const LONGEST: usize = 1 << 16;
/// How deep statements and expressions may nest, together.
const DEEPEST: usize = 64;
/// A level of the grammar takes a dozen calls, and many more bytes without optimisation. Only what is used is ever touched.
const STACK: usize = 16 << 20;

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Model`] for one that is malformed, nests too deep, is too long or uses what is not known.
    pub(crate) fn new(source: &str) -> Result<Self> {
        parse(source)
    }
}

pub(super) fn parse(source: &str) -> Result<Template> {
    if source.len() > LONGEST {
        return Err(fault(format!("it is {} bytes long, and {LONGEST} are the most", source.len())));
    }
    let mut parser = Parser { tokens: tokens(source)?, at: 0, depth: 0, loops: 0, macros: Vec::new() };
    stacker::grow(STACK, || {
        let body = parser.nodes(&[])?;
        Ok(Template { body, macros: parser.macros })
    })
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    /// Loops that are open.
    loops: usize,
    macros: Vec<Macro>,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn fault(&self, what: impl std::fmt::Display) -> Error {
        let line = self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line);
        fault(format!("{what} (line {line})"))
    }

    fn unexpected(&self, wanted: &str) -> Error {
        let found = match self.peek() {
            None => "its end".to_owned(),
            Some(Token::Data(_) | Token::Print | Token::Block) => "text".to_owned(),
            Some(Token::End) => "the end of the tag".to_owned(),
            Some(Token::Name(name)) => format!("'{name}'"),
            Some(Token::String(_)) => "a string".to_owned(),
            Some(Token::Int(_) | Token::Float(_)) => "a number".to_owned(),
            Some(Token::Operator(operator)) => format!("'{operator}'"),
        };
        self.fault(format!("{wanted} is expected and {found} found"))
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEEPEST {
            return Err(self.fault(format!("it nests more than {DEEPEST} deep")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn skip(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn operator(&mut self, operator: &'static str) -> bool {
        self.skip(&Token::Operator(operator))
    }

    fn is_keyword(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(name)) if name == word)
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = self.is_keyword(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, operator: &'static str) -> Result<()> {
        if self.operator(operator) { Ok(()) } else { Err(self.unexpected(&format!("'{operator}'"))) }
    }

    fn end(&mut self) -> Result<()> {
        if self.skip(&Token::End) { Ok(()) } else { Err(self.unexpected("the end of the tag")) }
    }

    fn name(&mut self) -> Result<String> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    /// Nodes up to a block that begins with one of `ends`, whose name is passed; without `ends`, up to the end.
    fn nodes(&mut self, ends: &[&str]) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            match self.peek() {
                None if ends.is_empty() => return Ok(nodes),
                None => return Err(self.fault(format!("{{% {} %}} is missing", ends[ends.len() - 1]))),
                Some(Token::Data(_)) => {
                    if let Token::Data(text) = &mut self.tokens[self.at].0 {
                        nodes.push(Node::Data(std::mem::take(text)));
                    }
                    self.at += 1;
                }
                Some(Token::Print) => {
                    self.at += 1;
                    nodes.push(Node::Print(self.tuple(true)?));
                    self.end()?;
                }
                _ => {
                    self.at += 1;
                    if ends.iter().any(|end| self.is_keyword(end)) {
                        return Ok(nodes);
                    }
                    let node = self.nested(Self::statement)?;
                    nodes.push(node);
                }
            }
        }
    }

    /// As [`Parser::nodes`], and passes the block that ends them.
    fn body(&mut self, end: &str) -> Result<Vec<Node>> {
        let nodes = self.nodes(&[end])?;
        self.at += 1;
        self.end()?;
        Ok(nodes)
    }

    fn statement(&mut self) -> Result<Node> {
        let at = self.at;
        match self.name()?.as_str() {
            "if" => self.branches(),
            "for" => self.for_loop(),
            "set" => self.set(),
            "macro" => self.macro_definition(),
            "with" => {
                let mut bindings = Vec::new();
                while !self.skip(&Token::End) {
                    if !bindings.is_empty() {
                        self.expect(",")?;
                    }
                    let target = Target::Name(self.name()?);
                    self.expect("=")?;
                    bindings.push((target, self.expression(true)?));
                }
                Ok(Node::Scope { bindings, body: self.body("endwith")? })
            }
            "generation" => {
                self.end()?;
                Ok(Node::Scope { bindings: Vec::new(), body: self.body("endgeneration")? })
            }
            "filter" => {
                let mut filters = vec![self.filter()?];
                while self.operator("|") {
                    filters.push(self.filter()?);
                }
                self.end()?;
                Ok(Node::Filter { filters, body: self.body("endfilter")? })
            }
            word @ ("break" | "continue") if self.loops > 0 => {
                let node = if word == "break" { Node::Break } else { Node::Continue };
                self.end()?;
                Ok(node)
            }
            word => {
                self.at = at;
                Err(self.fault(format!("{{% {word} %}} is not known here")))
            }
        }
    }

    fn branches(&mut self) -> Result<Node> {
        let mut branches = Vec::new();
        loop {
            let condition = self.tuple(false)?;
            self.end()?;
            let body = self.nodes(&["elif", "else", "endif"])?;
            branches.push((condition, body));
            match self.name()?.as_str() {
                "elif" => {}
                "else" => {
                    self.end()?;
                    return Ok(Node::If { branches, otherwise: self.body("endif")? });
                }
                _ => {
                    self.end()?;
                    return Ok(Node::If { branches, otherwise: Vec::new() });
                }
            }
        }
    }

    fn for_loop(&mut self) -> Result<Node> {
        let target = self.target("in")?;
        if !self.keyword("in") {
            return Err(self.unexpected("'in'"));
        }
        let over = self.tuple(false)?;
        let filter = if self.keyword("if") { Some(self.expression(true)?) } else { None };
        self.end()?;
        self.loops += 1;
        let body = self.nodes(&["else", "endfor"])?;
        self.loops -= 1;
        let has_else = self.is_keyword("else");
        self.at += 1;
        self.end()?;
        let otherwise = if has_else { self.body("endfor")? } else { Vec::new() };
        Ok(Node::For { target, over, filter, body, otherwise })
    }

    /// Names up to the token that ends them: one, or several between commas.
    fn target(&mut self, end: &str) -> Result<Target> {
        let mut targets = Vec::new();
        let mut tuple = false;
        loop {
            let target = if self.operator("(") {
                let inner = self.nested(|parser| parser.target(")"))?;
                self.expect(")")?;
                inner
            } else {
                let name = self.name()?;
                if matches!(name.as_str(), "true" | "false" | "none" | "True" | "False" | "None") {
                    return Err(self.fault(format!("{name} cannot be set")));
                }
                if self.operator(".") { Target::Attribute(name, self.name()?) } else { Target::Name(name) }
            };
            targets.push(target);
            if !self.operator(",") {
                break;
            }
            tuple = true;
            if self.is_keyword(end) || matches!(self.peek(), Some(Token::Operator(next)) if *next == end) {
                break;
            }
        }
        match targets.pop() {
            Some(target) if !tuple => Ok(target),
            last => {
                targets.extend(last);
                Ok(Target::Tuple(targets))
            }
        }
    }

    fn set(&mut self) -> Result<Node> {
        let target = self.target("=")?;
        if self.operator("=") {
            let value = self.tuple(true)?;
            self.end()?;
            return Ok(Node::Set { target, value });
        }
        let mut filters = Vec::new();
        while self.operator("|") {
            filters.push(self.filter()?);
        }
        self.end()?;
        // A loop is not left from inside of what is set.
        let loops = std::mem::take(&mut self.loops);
        let body = self.body("endset")?;
        self.loops = loops;
        Ok(Node::Capture { target, filters, body })
    }

    fn macro_definition(&mut self) -> Result<Node> {
        let name = self.name()?;
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.operator(")") {
            if !parameters.is_empty() {
                self.expect(",")?;
                if self.operator(")") {
                    break;
                }
            }
            let parameter = self.name()?;
            let default = if self.operator("=") { Some(self.expression(true)?) } else { None };
            parameters.push((parameter, default));
        }
        self.end()?;
        let loops = std::mem::take(&mut self.loops);
        let body = self.body("endmacro")?;
        self.loops = loops;
        self.macros.push(Macro { name, parameters, body });
        Ok(Node::Macro(self.macros.len() - 1))
    }

    /// An expression, or several between commas.
    fn tuple(&mut self, conditional: bool) -> Result<Expr> {
        let first = self.expression(conditional)?;
        if self.peek() != Some(&Token::Operator(",")) {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.operator(",") {
            let ends = match self.peek() {
                None | Some(Token::End | Token::Operator(")" | "]" | "}" | "=")) => true,
                _ => self.is_keyword("if"),
            };
            if ends {
                break;
            }
            items.push(self.expression(conditional)?);
        }
        Ok(Expr::Sequence { items, tuple: true })
    }

    /// `conditional`: whether `a if b else c` is one here, which it is not where an `if` would belong to the statement.
    fn expression(&mut self, conditional: bool) -> Result<Expr> {
        self.nested(|parser| {
            let value = parser.or()?;
            if !conditional || !parser.keyword("if") {
                return Ok(value);
            }
            let condition = parser.or()?;
            let otherwise = if parser.keyword("else") { Some(parser.expression(true)?) } else { None };
            Ok(Expr::Conditional(Box::new(Conditional { condition, value, otherwise })))
        })
    }

    fn or(&mut self) -> Result<Expr> {
        let first = self.and()?;
        if !self.is_keyword("or") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.keyword("or") {
            all.push(self.and()?);
        }
        Ok(Expr::Or(all))
    }

    fn and(&mut self) -> Result<Expr> {
        let first = self.not()?;
        if !self.is_keyword("and") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.keyword("and") {
            all.push(self.not()?);
        }
        Ok(Expr::And(all))
    }

    fn not(&mut self) -> Result<Expr> {
        if self.keyword("not") {
            return Ok(Expr::Not(Box::new(self.nested(Self::not)?)));
        }
        let first = self.sum()?;
        let mut rest = Vec::new();
        while let Some(comparison) = self.comparison() {
            rest.push((comparison, self.sum()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Compare(Box::new(first), rest) })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let comparison = match self.peek()? {
            Token::Operator("==") => Comparison::Equal,
            Token::Operator("!=") => Comparison::Unequal,
            Token::Operator("<") => Comparison::Less,
            Token::Operator("<=") => Comparison::LessOrEqual,
            Token::Operator(">") => Comparison::Greater,
            Token::Operator(">=") => Comparison::GreaterOrEqual,
            Token::Name(name) if name == "in" => Comparison::In,
            Token::Name(name) if name == "not" => {
                let next = self.tokens.get(self.at + 1).map(|(token, _)| token);
                if !matches!(next, Some(Token::Name(next)) if next == "in") {
                    return None;
                }
                self.at += 1;
                Comparison::NotIn
            }
            _ => return None,
        };
        self.at += 1;
        Some(comparison)
    }

    /// Operands of `next`, tied from left to right by those of `operators` that stand between them.
    fn chain(
        &mut self,
        operators: &[(&'static str, Operator)],
        next: fn(&mut Self) -> Result<Expr>,
    ) -> Result<Expr> {
        let first = next(self)?;
        let mut rest = Vec::new();
        while let Some((_, operator)) = operators.iter().find(|(written, _)| self.operator(written)) {
            rest.push((*operator, next(self)?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Chain(Box::new(first), rest) })
    }

    fn sum(&mut self) -> Result<Expr> {
        self.chain(&[("+", Operator::Add), ("-", Operator::Subtract)], Self::concat)
    }

    fn concat(&mut self) -> Result<Expr> {
        let first = self.product()?;
        if self.peek() != Some(&Token::Operator("~")) {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.operator("~") {
            all.push(self.product()?);
        }
        Ok(Expr::Concat(all))
    }

    fn product(&mut self) -> Result<Expr> {
        let operators = [
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("//", Operator::FloorDivide),
            ("%", Operator::Remainder),
        ];
        self.chain(&operators, Self::power)
    }

    fn power(&mut self) -> Result<Expr> {
        self.chain(&[("**", Operator::Power)], |parser| parser.unary(true))
    }

    fn unary(&mut self, with_filters: bool) -> Result<Expr> {
        let expr = if self.operator("-") {
            Expr::Negative(Box::new(self.nested(|parser| parser.unary(false))?))
        } else if self.operator("+") {
            Expr::Positive(Box::new(self.nested(|parser| parser.unary(false))?))
        } else {
            self.primary()?
        };
        let mut postfixes = Vec::new();
        while let Some(postfix) = self.postfix()? {
            postfixes.push(postfix);
        }
        while let Some(postfix) = if with_filters { self.filter_or_test()? } else { None } {
            postfixes.push(postfix);
        }
        Ok(if postfixes.is_empty() { expr } else { Expr::Postfix(Box::new(expr), postfixes) })
    }

    fn filter_or_test(&mut self) -> Result<Option<Postfix>> {
        if self.operator("|") {
            return self.filter().map(Some);
        }
        if self.keyword("is") {
            return self.test().map(Some);
        }
        if self.operator("(") {
            return Ok(Some(Postfix::Call(self.given()?)));
        }
        Ok(None)
    }

    fn primary(&mut self) -> Result<Expr> {
        let Some(token) = self.peek().cloned() else { return Err(self.unexpected("an expression")) };
        let expr = match token {
            Token::Name(name) => match name.as_str() {
                "true" | "True" => Expr::Bool(true),
                "false" | "False" => Expr::Bool(false),
                "none" | "None" => Expr::None,
                "if" | "else" | "in" | "is" | "and" | "or" | "not" => {
                    return Err(self.unexpected("an expression"));
                }
                _ => Expr::Name(name),
            },
            Token::Int(value) => Expr::Int(value),
            Token::Float(value) => Expr::Float(value),
            Token::String(mut text) => {
                self.at += 1;
                while let Some(Token::String(more)) = self.peek() {
                    text.push_str(more);
                    self.at += 1;
                }
                return Ok(Expr::String(text));
            }
            Token::Operator("(") => {
                self.at += 1;
                if self.operator(")") {
                    return Ok(Expr::Sequence { items: Vec::new(), tuple: true });
                }
                let inner = self.tuple(true)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Operator("[") => {
                self.at += 1;
                let items = self.separated("]", |parser| parser.expression(true))?;
                return Ok(Expr::Sequence { items, tuple: false });
            }
            Token::Operator("{") => {
                self.at += 1;
                let entries = self.separated("}", |parser| {
                    let key = parser.expression(true)?;
                    parser.expect(":")?;
                    Ok((key, parser.expression(true)?))
                })?;
                return Ok(Expr::Map(entries));
            }
            _ => return Err(self.unexpected("an expression")),
        };
        self.at += 1;
        Ok(expr)
    }

    /// Parts between commas up to `end`, which is passed.
    fn separated<T>(&mut self, end: &'static str, part: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut parts = Vec::new();
        while !self.operator(end) {
            if !parts.is_empty() {
                self.expect(",")?;
                if self.operator(end) {
                    break;
                }
            }
            parts.push(part(self)?);
        }
        Ok(parts)
    }

    /// What applies to an expression before its filters do.
    fn postfix(&mut self) -> Result<Option<Postfix>> {
        if self.operator(".") {
            if let Some(Token::Int(index)) = self.peek() {
                let index = *index;
                self.at += 1;
                return Ok(Some(Postfix::Item(Expr::Int(index))));
            }
            return Ok(Some(Postfix::Attribute(self.name()?)));
        }
        if self.operator("[") {
            let mut bounds = [None, None, None];
            let mut colons = 0;
            loop {
                match self.peek() {
                    Some(Token::Operator("]")) => break,
                    Some(Token::Operator(":")) if colons < 2 => {
                        colons += 1;
                        self.at += 1;
                    }
                    _ if bounds[colons].is_none() => bounds[colons] = Some(self.expression(true)?),
                    _ => break,
                }
            }
            self.expect("]")?;
            let [start, end, step] = bounds;
            return match start {
                Some(index) if colons == 0 => Ok(Some(Postfix::Item(index))),
                None if colons == 0 => Err(self.unexpected("an index")),
                start => Ok(Some(Postfix::Slice { start, end, step })),
            };
        }
        if self.operator("(") {
            return Ok(Some(Postfix::Call(self.given()?)));
        }
        Ok(None)
    }

    /// Arguments, after the parenthesis that opens them.
    fn given(&mut self) -> Result<Given> {
        let mut given = Given::default();
        self.separated(")", |parser| {
            let named = match (parser.peek(), parser.tokens.get(parser.at + 1)) {
                (Some(Token::Name(name)), Some((Token::Operator("="), _))) => Some(name.clone()),
                _ => None,
            };
            parser.at += if named.is_some() { 2 } else { 0 };
            Ok((named, parser.expression(true)?))
        })?
        .into_iter()
        .for_each(|(name, value)| match name {
            Some(name) => given.named.push((name, value)),
            None => given.positional.push(value),
        });
        Ok(given)
    }

    fn filter(&mut self) -> Result<Postfix> {
        let name = self.name()?;
        let given = if self.operator("(") { self.given()? } else { Given::default() };
        Ok(Postfix::Filter(name, given))
    }

    fn test(&mut self) -> Result<Postfix> {
        let negated = self.keyword("not");
        let name = self.name()?;
        let mut given = Given::default();
        let argument = match self.peek() {
            Some(Token::Operator("(")) => {
                self.at += 1;
                given = self.given()?;
                false
            }
            Some(Token::Operator("[" | "{") | Token::String(_) | Token::Int(_) | Token::Float(_)) => true,
            Some(Token::Name(name)) => {
                !matches!(name.as_str(), "else" | "or" | "and" | "is" | "if" | "in" | "not")
            }
            _ => false,
        };
        if argument {
            let argument = self.nested(|parser| {
                let base = parser.primary()?;
                let mut postfixes = Vec::new();
                while let Some(postfix) = parser.postfix()? {
                    postfixes.push(postfix);
                }
                Ok(if postfixes.is_empty() { base } else { Expr::Postfix(Box::new(base), postfixes) })
            })?;
            given.positional.push(argument);
        }
        Ok(Postfix::Test { name, given, negated })
    }
}
