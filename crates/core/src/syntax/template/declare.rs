//! What stands above a function component and belongs to it.

use tree_sitter::Node;

use crate::syntax::literal::atom;
use crate::syntax::parse::span;
use crate::syntax::reader::{ElixirReader, VisitMode};

impl<'t> ElixirReader<'t> {
    /// Reads `attr :name, …` and `slot :name, …` in a module's body, and returns whether it is one of them. They are said
    /// of the function that follows and call nothing of the project.
    pub(in crate::syntax) fn declares_component(&mut self, node: Node<'t>) -> bool {
        let name = node.child_by_field_name("target").map_or("", |target| self.text(target));
        if !matches!(name, "attr" | "slot") || self.functions > 0 || self.quotes > 0 {
            return false;
        }
        let arguments = self.arguments(node);
        if arguments.first().is_none_or(|first| atom(*first, self.source).is_none()) {
            return false;
        }
        self.declare(span(node));
        let block = self.do_block(node);
        self.visit_all(block, VisitMode::Expression);
        self.visit_list(&arguments, VisitMode::Expression);
        true
    }
}
