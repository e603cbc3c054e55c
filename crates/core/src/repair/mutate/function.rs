//! Functions as stretches of a file, so that a change of one can be told from a change of anything else.

use std::collections::HashMap;

use tree_sitter::Node;

use super::source::{Source, parse, parser};
use crate::Result;
use crate::edit::Edit;

/// All clauses of a function that stand together, with nothing else between them: written one by one, or by code such as
/// `for … do def … end` in the body of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// How many arguments it takes, those with defaults included.
    pub arity: usize,
    /// The first byte of its first clause.
    pub start: usize,
    /// One past the last byte of its last clause.
    pub end: usize,
    /// The line of `start`, from 1.
    pub first_line: u32,
    /// The line of `end`, from 1.
    pub last_line: u32,
}

fn functions(text: &str) -> Result<Vec<Function>> {
    let Some(tree) = parse(&mut parser()?, text) else { return Ok(Vec::new()) };
    let source = Source::new(text, &tree);
    // Statements of bodies by what they define, and which they are: (body, name, arity).
    let mut order = Vec::new();
    let mut members: HashMap<(usize, &str, usize), Vec<Node<'_>>> = HashMap::new();
    let mut defines: HashMap<usize, Option<(&str, usize)>> = HashMap::new();
    for clause in &source.clauses {
        let Some((body, statement)) = statement(&source, clause.node) else { continue };
        let key = (body.id(), clause.name, clause.arity);
        let function = matches!(source.target(clause.node), "def" | "defp");
        let this = function.then_some((clause.name, clause.arity));
        let known = defines.entry(statement.id()).or_insert(this);
        if *known != this {
            *known = None;
        }
        let statements = members.entry(key).or_insert_with(|| {
            order.push(key);
            Vec::new()
        });
        if statements.last().is_none_or(|last| last.id() != statement.id()) {
            statements.push(statement);
        }
    }
    let together = |key: (usize, &str, usize)| {
        let statements = &members[&key];
        let alike = |node: &Node<'_>| defines.get(&node.id()) == Some(&Some((key.1, key.2)));
        let adjacent = |pair: &[Node<'_>]| next(pair[0]).is_some_and(|next| next.id() == pair[1].id());
        let (first, last) = (statements.first()?, statements.last()?);
        let whole = statements.iter().all(alike) && statements.windows(2).all(adjacent);
        whole.then(|| Function {
            name: key.1.to_string(),
            arity: key.2,
            start: first.start_byte(),
            end: last.end_byte(),
            first_line: first.start_position().row as u32 + 1,
            last_line: last.end_position().row as u32 + 1,
        })
    };
    Ok(order.into_iter().filter_map(together).collect())
}

impl Function {
    /// The functions (no macros) of a text, in the order of the text. A function whose clauses are scattered is none of them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Version`] when the grammar does not load.
    pub fn all(text: &str) -> Result<Vec<Self>> {
        functions(text)
    }

    /// The innermost of `functions` that all edits lie in, and its bytes together with a clause that is added right before
    /// or after it.
    pub fn around<'a>(functions: &'a [Self], text: &str, edits: &[Edit]) -> Option<(&'a Self, usize, usize)> {
        let start = edits.iter().map(|edit| edit.start).min()?;
        let end = edits.iter().map(|edit| edit.end).max()?;
        let blank = |from: usize, to: usize| text.get(from..to).is_some_and(|text| text.trim().is_empty());
        // What is added between two functions belongs to the one that it names.
        let named = |function: &Self| edits.iter().any(|edit| edit.replacement.contains(&function.name));
        let holds = |function: &&Self| {
            let inside = function.start <= start && end <= function.end;
            inside || ((blank(end, function.start) || blank(function.end, start)) && named(function))
        };
        let function = functions.iter().filter(holds).min_by_key(|function| function.end - function.start)?;
        Some((function, function.start.min(start), function.end.max(end)))
    }
}

/// The body of a module, an implementation or a quotation around a clause, and the statement of it that holds the clause;
/// `None` for what stands in the body of a function.
fn statement<'t>(source: &Source<'_>, clause: Node<'t>) -> Option<(Node<'t>, Node<'t>)> {
    let mut node = clause;
    while let Some(parent) = node.parent() {
        let owner = match parent.kind() {
            "do_block" => parent.parent(),
            "block" => source.keyword_owner(parent),
            "pair" if node.kind() != "block" => source.keyword_owner(node),
            _ => None,
        };
        match owner.map_or("", |call| source.target(call)) {
            "defmodule" | "defimpl" | "quote" => return Some((parent, node)),
            owner if owner.starts_with("def") => return None,
            _ => {}
        }
        node = parent;
    }
    None
}

/// The statement after one, comments aside.
fn next(node: Node<'_>) -> Option<Node<'_>> {
    let mut next = node.next_named_sibling();
    while next.is_some_and(|node| node.is_extra()) {
        next = next?.next_named_sibling();
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "defmodule A do
  def add(a, b \\\\ 1), do: a + b

  def sign(n) when n < 0, do: -1
  # Nothing.
  def sign(0), do: 0
  def sign(_), do: 1

  def far(1), do: 1
  @doc false
  def near, do: 2
  def far(2), do: 2

  for n <- 1..3 do
    def name(unquote(n)), do: n
  end

  def name(_), do: 0

  for n <- 1..3 do
    def one(unquote(n)), do: n
    def two(unquote(n)), do: n
  end

  defmacro __using__(_) do
    quote do
      def kind(x), do: x
    end
  end

  def make(module) do
    defmodule module do
      def inner(x) do
        x
      end
    end
  end

  def left + right, do: plus(left, right)
end
";

    fn found(text: &str) -> Vec<(String, usize, u32, u32)> {
        let functions = functions(text).unwrap();
        functions.into_iter().map(|one| (one.name, one.arity, one.first_line, one.last_line)).collect()
    }

    fn around(from: &str, to: &str) -> Option<String> {
        let start = TEXT.find(from).unwrap();
        let edits = [Edit::new(start, start + from.len(), to)];
        let all = functions(TEXT).unwrap();
        Function::around(&all, TEXT, &edits).map(|(function, ..)| function.name.clone())
    }

    #[test]
    fn clauses_that_stand_together_are_found() {
        let expected = [
            ("add", 2, 2, 2),
            ("sign", 1, 4, 7),
            ("near", 0, 11, 11),
            ("name", 1, 14, 18),
            ("kind", 1, 27, 27),
            ("make", 1, 31, 37),
            ("inner", 1, 33, 35),
        ];
        let expected = expected.map(|(name, arity, first, last)| (name.to_string(), arity, first, last));
        let found = found(TEXT);
        for one in &expected {
            assert!(found.contains(one), "{one:?} in {found:?}");
        }
        for name in ["far", "one", "two", "__using__"] {
            assert!(!found.iter().any(|one| one.0 == name), "{name}");
        }
    }

    #[test]
    fn a_change_belongs_to_the_innermost_function_around_it() {
        assert_eq!(around("n < 0", "n > 0").as_deref(), Some("sign"));
        assert_eq!(around("        x\n", "        y\n").as_deref(), Some("inner"));
        assert_eq!(around("quote do\n      def kind(x), do: x", "nil"), None);
        assert_eq!(around("@doc false", "@doc true"), None);
        assert_eq!(around("def two", "def too"), None);
    }

    #[test]
    fn a_clause_that_is_added_belongs_to_the_function_that_it_names() {
        let between = TEXT.find("\n  def sign(n)").unwrap();
        let all = functions(TEXT).unwrap();
        for (new, name) in [("  def add(nil, _), do: 0\n", "add"), ("  def sign(nil), do: 0\n", "sign")] {
            let edits = [Edit::new(between, between, new)];
            let (function, start, end) = Function::around(&all, TEXT, &edits).unwrap();
            assert_eq!(function.name, name);
            assert!(start <= between && between <= end);
        }
    }

    #[test]
    fn nothing_is_found_in_nothing_and_deep_text_is_no_danger() {
        assert!(found("").is_empty());
        assert!(found("def f(x), do: x").is_empty());
        found(&"defmodule A do\n def f do\n".repeat(3000));
        found(&"(".repeat(20_000));
    }
}
