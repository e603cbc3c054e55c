use std::collections::BTreeMap;

use tree_sitter::{Node, Parser, Tree};

use crate::{Error, ErrorKind, Result};

/// A parser of Elixir.
pub(in crate::repair) fn parser() -> Result<Parser> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_elixir::LANGUAGE.into()).map_err(|error| {
        Error::new(ErrorKind::Version, format!("the Elixir grammar does not load: {error}"))
    })?;
    Ok(parser)
}

/// The tree of `text`; `None` when the parser gave up.
pub(in crate::repair) fn parse(parser: &mut Parser, text: &str) -> Option<Tree> {
    parser.parse(text, None)
}

/// What a place is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::repair) enum Zone {
    Code,
    Pattern,
    Guard,
    /// The type of a part of a binary, right of `::`.
    Bits,
}

/// A node with what stands around it.
#[derive(Clone, Copy, Debug)]
pub(in crate::repair) struct Place<'t> {
    pub node: Node<'t>,
    pub parent: Option<Node<'t>>,
    pub grand: Option<Node<'t>>,
    /// The field of the parent that the node fills.
    pub field: Option<&'static str>,
    /// How many named siblings come before it.
    pub index: usize,
    /// Index into [`Source::clauses`] of the innermost clause around it, itself included.
    pub clause: Option<usize>,
    /// The smallest statement that can be parsed by itself and that an edit here stays within.
    pub unit: Option<Node<'t>>,
    pub zone: Zone,
}

/// A clause of a function or macro: a call of something that begins with `def`.
#[derive(Clone, Copy, Debug)]
pub(in crate::repair) struct Clause<'t> {
    pub node: Node<'t>,
    /// `f(x)`, `f(x) when g`, `f`.
    pub head: Node<'t>,
    pub name: &'t str,
    /// `f(x)`, `f`: the head without its guard.
    pub called: Node<'t>,
    pub arity: usize,
}

/// A file as places in the order of the text.
pub(in crate::repair) struct Source<'t> {
    pub text: &'t str,
    pub places: Vec<Place<'t>>,
    pub clauses: Vec<Clause<'t>>,
}

/// Nothing in these attributes runs.
const PROSE: [&str; 18] = [
    "compile",
    "before_compile",
    "external_resource",
    "doc",
    "moduledoc",
    "typedoc",
    "spec",
    "type",
    "typep",
    "opaque",
    "callback",
    "macrocallback",
    "impl",
    "behaviour",
    "deprecated",
    "since",
    "dialyzer",
    "optional_callbacks",
];

impl<'t> Source<'t> {
    pub fn new(text: &'t str, tree: &'t Tree) -> Self {
        let mut source = Source { text, places: Vec::new(), clauses: Vec::new() };
        let mut stack = vec![Place {
            node: tree.root_node(),
            parent: None,
            grand: None,
            field: None,
            index: 0,
            clause: None,
            unit: None,
            zone: Zone::Code,
        }];
        let mut cursor = tree.walk();
        let mut children = Vec::new();
        while let Some(mut place) = stack.pop() {
            if source.is_prose(&place) {
                continue;
            }
            if let Some(clause) = source.clause(place.node) {
                place.clause = Some(source.clauses.len());
                place.unit = Some(place.node);
                source.clauses.push(clause);
            }
            source.places.push(place);
            cursor.reset(place.node);
            let mut index = 0;
            let mut more = cursor.goto_first_child();
            while more {
                let node = cursor.node();
                if node.is_named() && !node.is_extra() {
                    children.push(source.below(&place, node, cursor.field_name(), index));
                    index += 1;
                }
                more = cursor.goto_next_sibling();
            }
            stack.extend(children.drain(..).rev());
        }
        source
    }

    pub fn text(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or("")
    }

    /// `if`, `Enum.map`; empty for what is not a call.
    pub fn target(&self, node: Node<'_>) -> &'t str {
        match node.kind() {
            "call" => node.child_by_field_name("target").map_or("", |target| self.text(target)),
            _ => "",
        }
    }

    /// The operator of a unary or binary operation; empty for anything else.
    pub fn operator(&self, node: Node<'_>) -> &'t str {
        match node.kind() {
            "binary_operator" | "unary_operator" => {
                node.child_by_field_name("operator").map_or("", |operator| self.text(operator))
            }
            _ => "",
        }
    }

    /// The white space before the first sign of the node's line.
    pub fn indent(&self, node: Node<'_>) -> &'t str {
        let before = &self.text[..node.start_byte()];
        let line = &self.text[before.rfind('\n').map_or(0, |at| at + 1)..];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    fn below(
        &self,
        above: &Place<'t>,
        node: Node<'t>,
        field: Option<&'static str>,
        index: usize,
    ) -> Place<'t> {
        let parent = above.node;
        let operator = self.operator(parent);
        let zone = match (parent.kind(), field) {
            ("arguments", _)
                if above.clause.is_some_and(|clause| self.clauses[clause].head.id() == node.id()) =>
            {
                Zone::Pattern
            }
            ("stab_clause", Some("left")) if !self.is_cond(above) => Zone::Pattern,
            ("binary_operator", Some("left")) if matches!(operator, "=" | "<-") => Zone::Pattern,
            ("binary_operator", Some("right")) if operator == "when" => Zone::Guard,
            ("binary_operator", Some("right")) if operator == "\\\\" => Zone::Code,
            ("binary_operator", Some("right"))
                if operator == "::" && above.parent.is_some_and(|grand| grand.kind() == "bitstring") =>
            {
                Zone::Bits
            }
            ("do_block" | "body", _) => Zone::Code,
            _ => above.zone,
        };
        let in_module = match parent.kind() {
            "source" => !self.is_module(node),
            "do_block" => above.parent.is_some_and(|call| self.is_module(call)),
            "block" => self.keyword_owner(parent).is_some_and(|call| self.is_module(call)),
            "pair" if node.kind() != "block" => {
                self.keyword_owner(node).is_some_and(|call| self.is_module(call))
            }
            _ => false,
        };
        let unit = if in_module { Some(node) } else { above.unit };
        Place {
            node,
            parent: Some(parent),
            grand: above.parent,
            field,
            index,
            clause: above.clause,
            unit,
            zone,
        }
    }

    /// Left of `->` in a `cond` stands no pattern.
    fn is_cond(&self, stab: &Place<'_>) -> bool {
        stab.grand.is_some_and(|call| self.target(call) == "cond")
    }

    fn is_module(&self, node: Node<'_>) -> bool {
        matches!(self.target(node), "defmodule" | "defimpl" | "defprotocol")
    }

    fn is_prose(&self, place: &Place<'_>) -> bool {
        let node = place.node;
        match node.kind() {
            "comment" => true,
            // The name of a module runs nothing; its body may be the keyword `do:`.
            kind if kind != "keywords" && self.names_module(place) => true,
            "call" => matches!(self.target(node), "alias" | "import" | "require" | "use" | "@"),
            "unary_operator" if self.operator(node) == "@" => {
                let name = node.child_by_field_name("operand").map_or("", |operand| match operand.kind() {
                    "call" => self.target(operand),
                    _ => "",
                });
                PROSE.contains(&name)
            }
            _ => false,
        }
    }

    fn names_module(&self, place: &Place<'_>) -> bool {
        place.parent.is_some_and(|parent| parent.kind() == "arguments")
            && place.grand.is_some_and(|call| self.is_module(call))
    }

    /// The call that has this node as its body after `do:`, as in `defmodule M, do: (…)`.
    pub fn keyword_owner<'n>(&self, body: Node<'n>) -> Option<Node<'n>> {
        let pair = body.parent().filter(|pair| pair.kind() == "pair")?;
        let key = pair.child_by_field_name("key")?;
        let arguments = pair.parent()?.parent().filter(|node| node.kind() == "arguments")?;
        (self.text(key).trim_end() == "do:").then(|| arguments.parent())?
    }

    fn clause(&self, node: Node<'t>) -> Option<Clause<'t>> {
        let target = self.target(node);
        let makes_modules =
            ["defmodule", "defimpl", "defprotocol", "defstruct", "defexception", "defdelegate"];
        if !target.starts_with("def") || makes_modules.contains(&target) {
            return None;
        }
        let head = arguments(node)?.named_child(0)?;
        let called = match (head.kind(), self.operator(head)) {
            ("binary_operator", "when") => head.child_by_field_name("left")?,
            _ => head,
        };
        let name = match called.kind() {
            "call" => self.target(called),
            "identifier" => self.text(called),
            _ => return None,
        };
        let arity = arguments(called).map_or(0, |given| parts(given).len());
        Some(Clause { node, head, name, called, arity })
    }
}

/// The `arguments` of a call.
pub(super) fn arguments(call: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = call.walk();
    call.children(&mut cursor).find(|child| child.kind() == "arguments")
}

/// The `do_block` of a call.
pub(super) fn do_block(call: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = call.walk();
    call.children(&mut cursor).find(|child| child.kind() == "do_block")
}

/// What fills a field of a node: not the parenthesis that the grammar gives first where there is one.
pub(super) fn field<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    let first = node.child_by_field_name(name)?;
    std::iter::successors(Some(first), |child| child.next_sibling())
        .find(|child| child.is_named() || child.kind() != "(")
}

/// The bytes of what fills a field of a node, its parentheses included.
pub(super) fn field_range(node: Node<'_>, name: &str) -> Option<std::ops::Range<usize>> {
    let mut cursor = node.walk();
    let filling = node.children_by_field_name(name, &mut cursor).map(|child| child.byte_range());
    filling.reduce(|whole, part| whole.start..part.end)
}

/// The named children of a node, comments left out.
pub(super) fn parts(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.is_extra()).collect()
}

/// How suspicious each line is that has any suspicion, by what is known of its own line, its clause and its function.
pub(super) fn line_scores(source: &Source<'_>, exact: &BTreeMap<u32, f64>) -> BTreeMap<u32, f64> {
    /// The head and the guard of a clause are never counted as run, nor are clauses that should have been chosen.
    const CLAUSE: f64 = 0.6;
    const FUNCTION: f64 = 0.35;
    /// Code of a module outside of functions: attributes and tables.
    const MODULE: f64 = 0.1;
    let lines = |node: Node<'_>| node.start_position().row as u32 + 1..=node.end_position().row as u32 + 1;
    let most = |range: std::ops::RangeInclusive<u32>| exact.range(range).map(|(_, s)| *s).fold(0.0, f64::max);
    let top = exact.values().copied().fold(0.0, f64::max);
    let mut functions: BTreeMap<&str, f64> = BTreeMap::new();
    for clause in &source.clauses {
        let score = functions.entry(clause.name).or_default();
        *score = score.max(most(lines(clause.node)));
    }
    let used = used_attributes(source, exact);
    let mut scores = BTreeMap::new();
    for place in &source.places {
        let line = place.node.start_position().row as u32 + 1;
        let score = match place.clause.map(|clause| &source.clauses[clause]) {
            Some(clause) => (CLAUSE * most(lines(clause.node))).max(FUNCTION * functions[clause.name]),
            None => match place.unit.filter(|unit| source.operator(*unit) == "@") {
                Some(unit) if used.contains(&attribute(source, unit)) => FUNCTION * top,
                _ => MODULE * top,
            },
        };
        let known: &mut f64 = scores.entry(line).or_default();
        *known = known.max(score).max(exact.get(&line).copied().unwrap_or(0.0));
    }
    scores
}

/// The name of an attribute that is set or read.
pub(super) fn attribute<'t>(source: &Source<'t>, node: Node<'_>) -> &'t str {
    node.child_by_field_name("operand").map_or("", |operand| match operand.kind() {
        "call" => source.target(operand),
        _ => source.text(operand),
    })
}

fn used_attributes<'t>(
    source: &Source<'t>,
    exact: &BTreeMap<u32, f64>,
) -> std::collections::BTreeSet<&'t str> {
    let on_suspect = |node: Node<'_>| exact.contains_key(&(node.start_position().row as u32 + 1));
    let places = source.places.iter().map(|place| place.node);
    places
        .filter(|node| source.operator(*node) == "@" && on_suspect(*node))
        .map(|n| attribute(source, n))
        .collect()
}
