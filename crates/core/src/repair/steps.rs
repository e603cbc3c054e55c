//! Changes that were made one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::edit::{Edit, Patch};
use crate::project::Snapshot;
use crate::{Error, ErrorKind, Result};

/// Files with their changed text.
pub(super) type Texts = BTreeMap<Arc<str>, String>;

/// An edit against the text that the steps before it leave.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EditStep {
    pub file: Arc<str>,
    pub edit: Edit,
    /// Its share of the tokens that its candidate changes.
    pub size: f64,
}

impl EditStep {
    /// The edits of a candidate, which are all against the same text: from the last one on, none moves those before it.
    pub fn all(file: &Arc<str>, mut edits: Vec<Edit>, size: usize) -> Vec<EditStep> {
        let size = size as f64 / edits.len().max(1) as f64;
        edits.sort_by(|left, right| right.cmp(left));
        edits.into_iter().map(|edit| EditStep { file: file.clone(), edit, size }).collect()
    }
}

/// The text of a file of the project as `texts` have it.
pub(super) fn text_of<'a>(project: &'a Snapshot, texts: &'a Texts, file: &str) -> Result<&'a str> {
    let changed = texts.get(file).map(String::as_str);
    let text = changed.or_else(|| project.text(file).map(|text| &**text));
    text.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("the project has no file {file}")))
}

/// Takes the steps on top of `texts`.
pub(super) fn apply(project: &Snapshot, mut texts: Texts, steps: &[EditStep]) -> Result<Texts> {
    for EditStep { file, edit, .. } in steps {
        let text = text_of(project, &texts, file)?;
        let text = Patch::new(file.clone(), vec![edit.clone()]).apply(text)?;
        texts.insert(file.clone(), text);
    }
    Ok(texts)
}

/// The steps but for the one at `nth`; `None` if a later one lies in what that one wrote.
pub(super) fn without(steps: &[EditStep], nth: usize) -> Option<Vec<EditStep>> {
    let left_out = steps.get(nth)?;
    let (gone, came) = (left_out.edit.end - left_out.edit.start, left_out.edit.replacement.len());
    // What it wrote, where the steps after it have moved it to.
    let (mut first, mut last) = (left_out.edit.start, left_out.edit.start + came);
    let mut kept = steps[..nth].to_vec();
    for step in &steps[nth + 1..] {
        let mut step = step.clone();
        let edit = &mut step.edit;
        if step.file == left_out.file {
            if edit.start >= last {
                edit.start = edit.start - came + gone;
                edit.end = edit.end - came + gone;
            } else if edit.end <= first {
                let (gone, came) = (edit.end - edit.start, edit.replacement.len());
                first = first - gone + came;
                last = last - gone + came;
            } else {
                return None;
            }
        }
        kept.push(step);
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(start: usize, end: usize, text: &str) -> EditStep {
        EditStep { file: "a".into(), edit: Edit::new(start, end, text), size: 1.0 }
    }

    fn applied(steps: Option<Vec<EditStep>>) -> String {
        steps.unwrap().iter().fold("one two three four".to_string(), |text, step| {
            Patch::new("a", vec![step.edit.clone()]).apply(&text).unwrap()
        })
    }

    #[test]
    fn an_edit_that_is_left_out_moves_those_after_it_and_only_those() {
        let steps = [step(4, 7, "2"), step(0, 3, "first"), step(14, 18, "4")];
        assert_eq!(applied(Some(steps.to_vec())), "first 2 three 4");
        assert_eq!(applied(without(&steps, 0)), "first two three 4");
        assert_eq!(applied(without(&steps, 1)), "one 2 three 4");
        assert_eq!(applied(without(&steps, 2)), "first 2 three four");
        assert_eq!(without(&steps, 3), None);
        let steps = [step(0, 1, "long"), step(7, 8, "x")];
        assert_eq!(without(&steps, 0), Some(vec![step(4, 5, "x")]));
    }

    #[test]
    fn an_edit_that_was_changed_again_cannot_be_left_out_one_of_another_file_can() {
        let other = EditStep { file: "b".into(), ..step(0, 1, "x") };
        let steps = [step(0, 3, "first"), step(2, 4, "RS"), other];
        assert_eq!(without(&steps, 0), None);
        assert_eq!(without(&steps, 1), Some(vec![steps[0].clone(), steps[2].clone()]));
        assert_eq!(without(&steps, 2), Some(steps[..2].to_vec()));
    }

    #[test]
    fn edits_of_one_candidate_are_steps_from_the_last_one_on() {
        let steps = EditStep::all(&"a".into(), vec![Edit::new(0, 3, "1"), Edit::new(4, 7, "zwei")], 4);
        assert_eq!(steps.iter().map(|step| step.size).sum::<f64>(), 4.0);
        assert_eq!(applied(Some(steps)), "1 zwei three four");
    }
}
