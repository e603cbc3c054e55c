//! The shapes of messages, and of the patterns that receive them.

use std::sync::Arc;

use tree_sitter::Node;

use crate::syntax::Shape;
use crate::syntax::literal::atom;
use crate::syntax::reader::ElixirReader;

/// A longer atom or text is not told apart from others.
const LONGEST: usize = 64;

const ANYTHING: &str = "_";

impl Shape {
    /// Whether a pattern of one shape can match a message of the other. What neither shape says is taken to fit.
    pub fn can_match(pattern: &str, message: &str) -> bool {
        if pattern == ANYTHING || message == ANYTHING || pattern == message {
            return true;
        }
        match (tuple(pattern), tuple(message)) {
            (Some((one, size)), Some((other, of))) => {
                size == of && (one == other || one == ANYTHING || other == ANYTHING)
            }
            // A struct is a map too.
            _ => pattern == "%{}" && message.starts_with('%'),
        }
    }
}

/// The first element and the size of a tuple.
fn tuple(shape: &str) -> Option<(&str, &str)> {
    shape.strip_prefix('{')?.strip_suffix('}')?.rsplit_once(", ")
}

impl<'t> ElixirReader<'t> {
    /// The shape of a message, or of a pattern.
    pub(super) fn shape(&mut self, node: Node<'t>) -> Arc<str> {
        let node = self.matched(node);
        let shape = match node.kind() {
            "tuple" => {
                let parts = self.children(node);
                let first = parts.first().and_then(|first| self.atom_shape(*first));
                Some(format!("{{{}, {}}}", first.as_deref().unwrap_or(ANYTHING), parts.len()))
            }
            "map" => self.map_shape(node),
            "string" => {
                self.literal_text(node).filter(|text| text.len() <= LONGEST).map(|text| format!("\"{text}\""))
            }
            "integer" | "float" => self.number_shape(node),
            "unary_operator" if self.operator(node) == Some("-") => {
                let number = node.child_by_field_name("operand");
                number.and_then(|number| self.number_shape(number)).map(|number| format!("-{number}"))
            }
            _ => self.atom_shape(node),
        };
        shape.map_or_else(|| ANYTHING.into(), Arc::from)
    }

    /// Of `pattern = name` and `name = pattern` the one that says more.
    fn matched(&mut self, mut node: Node<'t>) -> Node<'t> {
        while let Some("=" | "\\\\") = self.operator(node)
            && let (Some(left), Some(right)) =
                (node.child_by_field_name("left"), node.child_by_field_name("right"))
        {
            node = if left.kind() == "identifier" { right } else { left };
        }
        node
    }

    fn atom_shape(&mut self, node: Node<'t>) -> Option<String> {
        if node.kind() == "alias" {
            return self
                .module_of(node)
                .filter(|name| name.len() <= LONGEST)
                .map(|name| format!(":Elixir.{name}"));
        }
        let name = atom(node, self.source).filter(|name| name.len() <= LONGEST && !name.contains("#{"))?;
        Some(format!(":{name}"))
    }

    fn map_shape(&mut self, node: Node<'t>) -> Option<String> {
        let parts = self.children(node);
        let Some(named) = parts.iter().find(|part| part.kind() == "struct") else {
            // What is updated may be a struct.
            let content = parts.first().and_then(|content| content.named_child(0));
            let updates = content.is_some_and(|first| self.operator(first) == Some("|"));
            return (!updates).then(|| "%{}".into());
        };
        let module = named.named_child(0).and_then(|name| self.literal_module(name))?;
        Some(format!("%{module}{{}}"))
    }

    fn number_shape(&self, node: Node<'t>) -> Option<String> {
        let digits: String =
            self.text(node).chars().filter(|digit| *digit != '_').take(LONGEST + 1).collect();
        let is_decimal = matches!(node.kind(), "integer" | "float")
            && digits.len() <= LONGEST
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_decimal.then_some(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse::parse;

    fn of(source: &str) -> String {
        let tree = parse(tree_sitter_elixir::LANGUAGE, source).unwrap();
        let mut reader = ElixirReader::new(source, &tree);
        reader.shape(tree.root_node().named_child(0).unwrap()).to_string()
    }

    #[test]
    fn literals_have_shapes_and_all_else_is_anything() {
        for (source, shape) in [
            (":stop", ":stop"),
            (":\"a b\"", ":a b"),
            ("nil", ":nil"),
            ("{:push, x}", "{:push, 2}"),
            ("{x, y, z}", "{_, 3}"),
            ("{}", "{_, 0}"),
            ("{Shop.Cart, 1}", "{:Elixir.Shop.Cart, 2}"),
            ("{:push, _} = message", "{:push, 2}"),
            ("message = {:push, _}", "{:push, 2}"),
            ("%Shop.Cart{a: 1}", "%Shop.Cart{}"),
            ("%{a: 1}", "%{}"),
            ("%{a | b: 1}", "_"),
            ("%module{}", "_"),
            ("\"save\"", "\"save\""),
            ("\"save \u{23}{x}\"", "_"),
            ("\"save:\" <> id", "_"),
            ("1_000", "1000"),
            ("-1.5", "-1.5"),
            ("0x10", "_"),
            ("message", "_"),
            ("[a: 1]", "_"),
            ("^pinned", "_"),
        ] {
            assert_eq!(of(source), shape, "{source}");
        }
    }

    #[test]
    fn shapes_match_where_nothing_speaks_against_it() {
        for (pattern, message, expected) in [
            ("_", "{:push, 2}", true),
            (":stop", ":stop", true),
            (":stop", ":start", false),
            (":stop", "_", true),
            ("{:push, 2}", "{:push, 2}", true),
            ("{:push, 2}", "{:push, 3}", false),
            ("{:push, 2}", "{:pop, 2}", false),
            ("{:push, 2}", "{_, 2}", true),
            ("{_, 2}", "{:push, 2}", true),
            ("{_, 2}", ":push", false),
            ("%{}", "%A{}", true),
            ("%A{}", "%{}", false),
            ("%A{}", "%B{}", false),
            ("\"a\"", "\"b\"", false),
            ("1", "1.0", false),
        ] {
            assert_eq!(Shape::can_match(pattern, message), expected, "{pattern} {message}");
        }
    }
}
