//! What names mean at a place: aliases and variables, by lexical scope.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::literal::as_atom;

/// Aliases and variables in force. Entering a scope and leaving it again forgets what was added in between.
#[derive(Default)]
pub(crate) struct Scopes<'t> {
    aliases: FxHashMap<Arc<str>, Vec<Arc<str>>>,
    added: Vec<Arc<str>>,
    variables: Variables<'t>,
    marks: Vec<Mark>,
}

/// What there was when a scope was entered, and where in the text the scope ends.
struct Mark {
    aliases: usize,
    variables: usize,
    end: usize,
}

/// Variables that are bound.
#[derive(Default)]
pub(crate) struct Variables<'t> {
    bound: FxHashMap<&'t str, u32>,
    added: Vec<&'t str>,
}

impl Variables<'_> {
    pub(crate) fn is_bound(&self, variable: &str) -> bool {
        self.bound.get(variable).is_some_and(|count| *count > 0)
    }
}

impl<'t> Scopes<'t> {
    pub(crate) fn enter(&mut self, end: usize) {
        let (aliases, variables) = (self.added.len(), self.variables.added.len());
        self.marks.push(Mark { aliases, variables, end });
    }

    pub(crate) fn leave(&mut self) {
        let Some(mark) = self.marks.pop() else { return };
        while self.added.len() > mark.aliases {
            let Some(stack) = self.added.pop().and_then(|short| self.aliases.get_mut(&short)) else { break };
            stack.pop();
        }
        while self.variables.added.len() > mark.variables {
            let added = self.variables.added.pop();
            let Some(count) = added.and_then(|name| self.variables.bound.get_mut(name)) else { break };
            *count -= 1;
        }
    }

    /// Where in the text the innermost scope ends; `whole` outside of all scopes.
    pub(crate) fn end(&self, whole: usize) -> usize {
        self.marks.last().map_or(whole, |mark| mark.end)
    }

    /// Functions do not see the variables around them: takes those away until [`Scopes::restore`].
    pub(crate) fn isolate(&mut self) -> Variables<'t> {
        std::mem::take(&mut self.variables)
    }

    pub(crate) fn restore(&mut self, variables: Variables<'t>) {
        self.variables = variables;
    }

    pub(crate) fn bind(&mut self, variable: &'t str) {
        *self.variables.bound.entry(variable).or_default() += 1;
        self.variables.added.push(variable);
    }

    pub(crate) fn is_bound(&self, variable: &str) -> bool {
        self.variables.is_bound(variable)
    }

    /// How many variables are bound: those that a pattern binds come after.
    pub(crate) fn bound_so_far(&self) -> usize {
        self.variables.added.len()
    }

    /// Whether the variable was bound when so many were.
    pub(crate) fn was_bound(&self, variable: &str, so_far: usize) -> bool {
        self.variables.added.iter().take(so_far).any(|bound| *bound == variable)
    }

    /// How many scopes are around.
    pub(crate) fn depth(&self) -> usize {
        self.marks.len()
    }

    pub(crate) fn alias(&mut self, short: Arc<str>, full: Arc<str>) {
        self.aliases.entry(short.clone()).or_default().push(full);
        self.added.push(short);
    }

    /// The full name of a module as written, such as `Cart` or `Cart.Item`.
    pub(crate) fn resolve(&self, written: &str) -> Arc<str> {
        let compact: String;
        let written = if written.contains(char::is_whitespace) {
            compact = written.split_whitespace().collect();
            &compact
        } else {
            written
        };
        if let Some(absolute) = written.strip_prefix("Elixir.") {
            return as_atom(absolute).into();
        }
        let (first, rest) = written.split_once('.').map_or((written, None), |(f, r)| (f, Some(r)));
        match (self.aliases.get(first).and_then(|stack| stack.last()), rest) {
            (Some(full), None) => full.clone(),
            (Some(full), Some(rest)) => as_atom(&format!("{full}.{rest}")).into(),
            (None, _) => as_atom(written).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_variables_end_with_their_scope() {
        let mut scopes = Scopes::default();
        scopes.alias("Cart".into(), "Shop.Cart".into());
        scopes.enter(9);
        scopes.alias("Cart".into(), "Other.Cart".into());
        scopes.bind("x");
        assert_eq!(&*scopes.resolve("Cart . Item"), "Other.Cart.Item");
        let outer = scopes.isolate();
        assert!(!scopes.is_bound("x"));
        scopes.restore(outer);
        assert!(scopes.is_bound("x"));
        scopes.leave();
        assert!(!scopes.is_bound("x"));
        assert_eq!(&*scopes.resolve("Cart"), "Shop.Cart");
        assert_eq!(&*scopes.resolve("Elixir.Cart"), "Cart");
        assert_eq!(&*scopes.resolve("Cartoon"), "Cartoon");
    }
}
