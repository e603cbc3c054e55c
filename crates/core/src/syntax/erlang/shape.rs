//! What messages look like, and the patterns that receive them. The same message has the same shape in Erlang and Elixir.

use std::sync::Arc;

use tree_sitter::Node;

use super::reader::ErlangReader;

/// Anything may match it.
const ANYTHING: &str = "_";

/// Names and numbers that are longer, in bytes, are not compared.
const LONGEST: usize = 64;

impl<'t> ErlangReader<'t> {
    /// What is known of a message or of a pattern for one.
    pub(super) fn shape(&mut self, node: Node<'t>) -> Arc<str> {
        let node = matched(node);
        let shape = match node.kind() {
            "tuple" => {
                let parts = self.children(node);
                let first = parts.first().and_then(|first| self.atom_shape(*first));
                Some(format!("{{{}, {}}}", first.as_deref().unwrap_or(ANYTHING), parts.len()))
            }
            // A record is a tuple that begins with its name.
            "record_expr" => {
                let name = node.child_by_field_name("name").and_then(|name| name.child_by_field_name("name"));
                let name = name.and_then(|name| self.name_of(name)).filter(|name| name.len() <= LONGEST);
                let fields = name.as_ref().and_then(|name| self.records.get(name)).copied();
                name.zip(fields).map(|(name, fields)| format!("{{:{name}, {}}}", fields + 1))
            }
            "map_expr" => Some("%{}".into()),
            "integer" | "float" => self.number_shape(node),
            "unary_op_expr" if self.text(node).starts_with('-') => {
                let number = node.child_by_field_name("operand");
                number.and_then(|number| self.number_shape(number)).map(|number| format!("-{number}"))
            }
            _ => self.atom_shape(node),
        };
        shape.map_or_else(|| ANYTHING.into(), Arc::from)
    }

    fn atom_shape(&mut self, node: Node<'t>) -> Option<String> {
        self.name_of(node).filter(|name| name.len() <= LONGEST).map(|name| format!(":{name}"))
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

/// Of `Pattern = Name` and `Name = Pattern` the one that says more.
fn matched(mut node: Node) -> Node {
    loop {
        let inner = match node.kind() {
            "paren_expr" => node.child_by_field_name("expr"),
            "match_expr" => {
                let sides = (node.child_by_field_name("lhs"), node.child_by_field_name("rhs"));
                if sides.0.is_some_and(|left| left.kind() == "var") { sides.1 } else { sides.0 }
            }
            _ => None,
        };
        let Some(inner) = inner else { return node };
        node = inner;
    }
}
