//! Conditions on the version of Elixir around definitions: the usual version meets them or not.

use tree_sitter::Node;

use super::literal::string;
use super::reader::ElixirReader;

/// The version of Elixir that code is read for.
const USUAL: (u32, u32) = (1, 18);

impl<'t> ElixirReader<'t> {
    /// Whether the usual version of Elixir meets the condition; `None` for all other conditions.
    pub(super) fn usual(&mut self, condition: Node<'t>) -> Option<bool> {
        match self.operator(condition) {
            Some("not" | "!") => Some(!self.compared(condition.child_by_field_name("operand")?)?),
            Some("==") => {
                let wanted = self.text(condition.child_by_field_name("right")?);
                Some(self.ordering(condition.child_by_field_name("left")?)? == wanted)
            }
            Some("!=") => {
                let wanted = self.text(condition.child_by_field_name("right")?);
                Some(self.ordering(condition.child_by_field_name("left")?)? != wanted)
            }
            Some("in") => {
                let list = condition.child_by_field_name("right").filter(|list| list.kind() == "list")?;
                let ordering = self.ordering(condition.child_by_field_name("left")?)?;
                let wanted = self.children(list);
                Some(wanted.into_iter().any(|wanted| self.text(wanted) == ordering))
            }
            _ => self.compared(condition),
        }
    }

    /// `Version.match?(System.version(), requirement)`
    fn compared(&mut self, call: Node<'t>) -> Option<bool> {
        let requirement = self.version_call(call, "Version.match?")?;
        // Requirements that are joined by `and` or `or` are no question of one bound.
        let (operator, version) = requirement.trim().split_once(' ')?;
        let bound = version_of(version)?;
        match operator {
            ">=" => Some(USUAL >= bound),
            ">" => Some(USUAL > bound),
            "<" => Some(USUAL < bound),
            "<=" => Some(USUAL <= bound),
            "==" => Some(USUAL == bound),
            "~>" => Some(USUAL >= bound && USUAL.0 == bound.0),
            _ => None,
        }
    }

    /// `Version.compare(System.version(), version)`, as the atom it gives.
    fn ordering(&mut self, call: Node<'t>) -> Option<&'static str> {
        let version = self.version_call(call, "Version.compare")?;
        Some(match USUAL.cmp(&version_of(&version)?) {
            std::cmp::Ordering::Less => ":lt",
            std::cmp::Ordering::Equal => ":eq",
            std::cmp::Ordering::Greater => ":gt",
        })
    }

    /// The second argument of a call of `function` with Elixir's version as the first.
    fn version_call(&mut self, call: Node<'t>, function: &str) -> Option<String> {
        call.child_by_field_name("target").filter(|target| self.text(*target) == function)?;
        let arguments = self.arguments(call);
        let [version, other] = &arguments[..] else { return None };
        if self.text(*version).trim_end_matches("()") != "System.version" {
            return None;
        }
        string(*other, self.source).filter(|text| !text.contains(" and ") && !text.contains(" or "))
    }
}

/// Major and minor version.
fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().split('.');
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next()?.split('-').next()?.parse().ok()?))
}
