//! Which flaws of a file are its own, and which a change would bring.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::flaw::{Flaw, What};
use super::known::Known;
use super::walk::Walk;
use crate::repair::mutate::source::Source;
use crate::syntax::FileFacts;

/// A file by its flaws.
pub(in crate::repair::mutate) struct FileFlaws<'t> {
    known: Known<'t>,
    /// Local calls of the project's other files that go to none of their own functions; of use if this file imports too.
    elsewhere: BTreeSet<Flaw>,
    /// What the file shows as it is.
    before: BTreeSet<Flaw>,
}

impl<'t> FileFlaws<'t> {
    pub fn new(
        path: &str,
        source: &Source<'t>,
        root: Node<'t>,
        donors: &[(&str, &Source<'t>, Node<'t>)],
        facts: &[(&'t str, &'t FileFacts)],
    ) -> Self {
        let (mut known, open) = Known::of_file(path, source, donors, facts);
        let mut elsewhere = BTreeSet::new();
        for (_, donor, root) in donors.iter().filter(|_| open) {
            let (found, _) = Walk::new(&Known::of_text(donor), donor.text).run(*root);
            elsewhere.extend(found.into_iter().filter(|(what, _)| *what == What::Local));
        }
        let (before, outer) = Walk::new(&known, source.text).run(root);
        known.binds_outside(outer);
        FileFlaws { known, elsewhere, before }
    }

    /// The flaws of a text that is to stand in the file.
    pub fn of(&self, text: &str, root: Node<'_>) -> BTreeSet<Flaw> {
        Walk::new(&self.known, text).run(root).0
    }

    /// Whether a flaw is one that the file had, or that the project shows to be none.
    pub fn excuses(&self, flaw: &Flaw) -> bool {
        self.before.contains(flaw) || self.elsewhere.contains(flaw)
    }
}
