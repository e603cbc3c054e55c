//! Which imports hold at a place, and what each of them brings.

use std::sync::Arc;

use crate::syntax::ImportDirective;

type Listed = [(Arc<str>, u8)];

/// An import of a module, with all that later ones have taken back.
pub(super) struct InForce<'f> {
    pub(super) module: &'f Arc<str>,
    pub(super) only: Option<&'f Listed>,
    pub(super) except: Vec<(Arc<str>, u8)>,
}

/// The imports in whose scope `at` is, in order. Of several of one module the last counts; one with `except:` alone takes
/// away from what was imported before it.
pub(super) fn in_force<'f>(imports: impl Iterator<Item = &'f ImportDirective>, at: u32) -> Vec<InForce<'f>> {
    let mut found: Vec<InForce> = Vec::new();
    for import in imports.filter(|import| (import.scope.start..import.scope.end).contains(&at)) {
        let next =
            InForce { module: &import.module, only: import.only.as_deref(), except: import.except.clone() };
        match found.iter_mut().find(|before| *before.module == import.module) {
            Some(before) if next.only.is_none() && !next.except.is_empty() => {
                before.except.extend(next.except)
            }
            Some(before) => *before = next,
            None => found.push(next),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    /// `only`, then `except`, as names of functions of one argument; whether a name is brought after all of them.
    fn brings(imports: &[(Option<&[&str]>, &[&str])], name: &str) -> bool {
        let list = |names: &[&str]| names.iter().map(|name| (Arc::from(*name), 1)).collect::<Vec<_>>();
        let imports: Vec<_> = imports
            .iter()
            .map(|(only, except)| ImportDirective {
                module: "A".into(),
                only: only.map(list),
                except: list(except),
                scope: Span { start: 0, end: 9, line_start: 1, line_end: 1 },
                injected_by: None,
            })
            .collect();
        let found = in_force(imports.iter(), 5);
        assert!(found.len() <= 1 && in_force(imports.iter(), 9).is_empty());
        let listed = |list: &Listed| list.iter().any(|(listed, _)| &**listed == name);
        found.iter().any(|import| import.only.is_none_or(listed) && !listed(&import.except))
    }

    #[test]
    fn a_later_import_of_a_module_counts() {
        assert!(brings(&[(None, &[])], "a"));
        assert!(!brings(&[(None, &[]), (Some(&[]), &[])], "a"));
        assert!(brings(&[(Some(&[]), &[]), (None, &[])], "a"));
        assert!(!brings(&[(Some(&["b"]), &[]), (None, &["c"])], "a"));
        assert!(brings(&[(Some(&["a"]), &[]), (None, &["c"])], "a"));
        assert!(!brings(&[(Some(&["a"]), &[]), (None, &["a"])], "a"));
    }
}
