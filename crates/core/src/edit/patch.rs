use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::PatchSize;
use crate::{Error, Result};

/// Bytes `start..end` of a text become `replacement`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edit {
    /// First byte that goes.
    pub start: usize,
    /// One past the last byte that goes; equal to `start` for an insertion.
    pub end: usize,
    /// What comes in its place.
    pub replacement: String,
}

impl Edit {
    /// Replaces bytes `start..end`.
    pub fn new(start: usize, end: usize, replacement: impl Into<String>) -> Self {
        Edit { start, end, replacement: replacement.into() }
    }
}

/// Edits of one file, all against the same text. Their order does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Patch {
    /// Relative to the root, with `/` between folders.
    pub file: Arc<str>,
    /// Must not overlap.
    pub edits: Vec<Edit>,
}

impl Patch {
    /// A patch of `file`.
    pub fn new(file: impl Into<Arc<str>>, edits: Vec<Edit>) -> Self {
        Patch { file: file.into(), edits }
    }

    /// The text after the edits.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] when an edit lies outside of `text`, splits a character, or overlaps
    /// another; two insertions at one place count as an overlap, because their order would be a guess.
    pub fn apply(&self, text: &str) -> Result<String> {
        let edits = self.checked(text)?;
        let grown: usize = edits.iter().map(|edit| edit.replacement.len()).sum();
        let mut new = String::with_capacity(text.len() + grown);
        let mut copied = 0;
        for edit in edits {
            new.push_str(&text[copied..edit.start]);
            new.push_str(&edit.replacement);
            copied = edit.end;
        }
        new.push_str(&text[copied..]);
        Ok(new)
    }

    /// The patch that brings `text` back once this patch was applied to it.
    ///
    /// # Errors
    /// As [`Patch::apply`].
    pub fn invert(&self, text: &str) -> Result<Patch> {
        let mut undo: Vec<Edit> = Vec::with_capacity(self.edits.len());
        let (mut gone, mut come) = (0, 0);
        for edit in self.checked(text)? {
            let start = edit.start - gone + come;
            let (end, old) = (start + edit.replacement.len(), &text[edit.start..edit.end]);
            match undo.last_mut() {
                // Neighbours come back as one edit: of two insertions at one place none would be the first.
                Some(Edit { end: last, replacement, .. }) if *last == start => {
                    *last = end;
                    replacement.push_str(old);
                }
                _ => undo.push(Edit::new(start, end, old)),
            }
            gone += edit.end - edit.start;
            come += edit.replacement.len();
        }
        Ok(Patch { file: self.file.clone(), edits: undo })
    }

    /// How much the patch changes.
    ///
    /// # Errors
    /// As [`Patch::apply`].
    pub fn size(&self, text: &str) -> Result<PatchSize> {
        let mut size = PatchSize::default();
        for edit in self.checked(text)? {
            size += PatchSize::between(&text[edit.start..edit.end], &edit.replacement);
        }
        Ok(size)
    }

    /// The edits by position, known to be applicable.
    fn checked(&self, text: &str) -> Result<Vec<&Edit>> {
        let mut edits: Vec<&Edit> = self.edits.iter().collect();
        edits.sort();
        let mut free = 0;
        for (position, edit) in edits.iter().enumerate() {
            if edit.start > edit.end || edit.end > text.len() {
                return Err(self.refuse(edit, &format!("lies outside of its {} bytes", text.len())));
            }
            if !text.is_char_boundary(edit.start) || !text.is_char_boundary(edit.end) {
                return Err(self.refuse(edit, "splits a character"));
            }
            let doubled = position > 0 && edits[position - 1].start == edit.start;
            if edit.start < free || doubled {
                return Err(self.refuse(edit, "overlaps another edit"));
            }
            free = edit.end;
        }
        Ok(edits)
    }

    fn refuse(&self, edit: &Edit, why: &str) -> Error {
        Error::invalid(format!("the edit of bytes {}..{} of {} {why}", edit.start, edit.end, self.file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn patch(edits: &[(usize, usize, &str)]) -> Patch {
        Patch::new("lib/a.ex", edits.iter().map(|&(start, end, new)| Edit::new(start, end, new)).collect())
    }

    #[test]
    fn edits_apply_in_any_order() {
        let text = "a <= b";
        for edits in [[(2, 4, ">"), (0, 1, "left")], [(0, 1, "left"), (2, 4, ">")]] {
            assert_eq!(patch(&edits).apply(text).unwrap(), "left > b");
        }
    }

    #[test]
    fn what_cannot_be_applied_is_refused() {
        let check = |text: &str, edits: &[(usize, usize, &str)], why: &str| {
            let error = patch(edits).apply(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error} should say {why}");
            assert!(patch(edits).invert(text).is_err());
            assert!(patch(edits).size(text).is_err());
        };
        check("abc", &[(2, 4, "")], "outside");
        check("abc", &[(2, 1, "")], "outside");
        check("aéc", &[(2, 3, "")], "splits a character");
        check("abc", &[(0, 2, ""), (1, 3, "")], "overlaps");
        check("abc", &[(1, 1, "x"), (1, 1, "y")], "overlaps");
    }

    #[test]
    fn neighbours_that_go_come_back() {
        let patch = patch(&[(0, 2, ""), (2, 4, ""), (4, 5, "x")]);
        let new = patch.apply("abcde").unwrap();
        assert_eq!(patch.invert("abcde").unwrap().apply(&new).unwrap(), "abcde");
    }

    proptest! {
        #[test]
        fn undo_brings_the_text_back(
            text in "[a-zé\n ]{0,40}",
            cuts in proptest::collection::btree_set(0usize..40, 0..8),
            words in proptest::collection::vec("[xyz]{0,5}", 4),
        ) {
            let marks: Vec<usize> =
                cuts.into_iter().filter(|&at| at <= text.len() && text.is_char_boundary(at)).collect();
            let edits: Vec<Edit> =
                marks.chunks_exact(2).zip(&words).map(|(pair, word)| Edit::new(pair[0], pair[1], word)).collect();
            let patch = Patch::new("f", edits);
            let new = patch.apply(&text).unwrap();
            prop_assert_eq!(patch.invert(&text).unwrap().apply(&new).unwrap(), text);
        }
    }
}
