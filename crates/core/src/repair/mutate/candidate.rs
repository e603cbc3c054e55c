//! What candidates are made for, and what they are.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::Result;
use crate::edit::{Edit, Patch, unified_diff};
use crate::repair::Suspect;
use crate::syntax::FileFacts;

/// What candidates are to be made for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The file to change, relative to the root.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Suspicious lines; those of other files are passed over.
    pub suspects: &'a [Suspect],
    /// Facts of the project's files, this one included, as far as known: which functions there are to call.
    pub facts: &'a [(&'a str, &'a FileFacts)],
    /// Other files of the project, to take words and code from.
    pub donors: &'a [(&'a str, &'a str)],
    /// The failing tests and their messages: their words are hints.
    pub evidence: &'a str,
    /// The most candidates to make.
    pub max: usize,
}

impl<'a> Request<'a> {
    /// A request for at most 5000 candidates, with nothing known but the file and its suspects.
    pub fn new(path: &'a str, text: &'a str, suspects: &'a [Suspect]) -> Self {
        Request { path, text, suspects, facts: &[], donors: &[], evidence: "", max: 5000 }
    }
}

/// A change that may mend the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Relative to the root.
    pub file: Arc<str>,
    /// Against the text that the request had.
    pub edits: Vec<Edit>,
    /// What kind of change it is.
    pub kind: Kind,
    /// Where, from 1.
    pub line: u32,
    /// How likely it is, relative to the others of its list, from 0 to 1.
    pub prior: f64,
    /// One short line for a person: `"comparison: `<` becomes `<=`"`.
    pub label: String,
}

impl Candidate {
    /// The change as a patch.
    pub fn patch(&self) -> Patch {
        Patch::new(self.file.clone(), self.edits.clone())
    }

    /// The change as a unified diff.
    ///
    /// # Errors
    /// As [`Patch::apply`], when `text` is not the text of the request.
    pub fn diff(&self, text: &str) -> Result<String> {
        Ok(unified_diff(&self.file, text, &self.patch().apply(text)?))
    }
}

/// Some candidates of a longer list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The most likely first.
    pub candidates: Vec<Candidate>,
    /// Where the next page begins, if there may be more.
    pub next: Option<usize>,
}
