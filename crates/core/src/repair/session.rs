//! A repair as a handle: it holds what is suspected and every candidate that was made, and a caller, who tries them in a
//! sandbox of his own, speaks of them by their numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::changeable::{most_suspicious, test_source};
use super::steps::{EditStep, Texts, apply, text_of, without};
use super::{Candidate, Function, Kind, Page, Request, Suspect, TestRun};
use super::{assisted, changeable, localise, page_of};
use crate::edit::unified_diff;
use crate::inference::Model;
use crate::project::Snapshot;
use crate::source::File;
use crate::syntax::{self, FileFacts};
use crate::{Cancel, Error, Result};

/// Files that words and code are taken from.
const MAX_DONORS: usize = 60;

/// What the tests said before the repair.
#[derive(Clone, Debug, Default)]
pub struct TestReport {
    /// The tests that tell where the fault is.
    pub runs: Vec<TestRun>,
    /// What the failing ones said: words in it are hints.
    pub messages: String,
    /// File and line of each failing one.
    pub failing: Vec<(String, u32)>,
}

/// Where a repair may look for the fault.
#[derive(Clone, Debug, Default)]
pub struct SuspectScope {
    /// Nowhere else but in this file.
    pub file: Option<String>,
    /// Nowhere else but in this line of the file.
    pub line: Option<u32>,
    /// Not in these folders at the root: what stands beside tests is no part of what they test.
    pub outside: Vec<String>,
}

impl SuspectScope {
    fn holds(&self, suspect: &Suspect) -> bool {
        let folder = suspect.file.split('/').next().unwrap_or_default();
        self.file.as_ref().is_none_or(|file| **file == *suspect.file)
            && self.line.is_none_or(|line| line == suspect.line)
            && !self.outside.iter().any(|one| one == folder)
    }
}

/// What a caller needs to know of a candidate to decide whether and when to try it.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidateSummary {
    /// From 1, in the order in which candidates are made.
    pub number: usize,
    /// The candidate that it changes further; `None` for one of the project as it is.
    pub parent: Option<usize>,
    /// The file that it changes.
    pub file: Arc<str>,
    /// Where, from 1.
    pub line: u32,
    /// What kind of change it is.
    pub kind: Kind,
    /// As [`Candidate::prior`].
    pub prior: f64,
    /// Tokens that it changes, those of its parents included.
    pub size: usize,
    /// Whether it changes one function only, so that it can be compiled together with others.
    pub within: bool,
    /// As [`Candidate::label`].
    pub label: String,
}

/// Some candidates of a longer list.
#[derive(Clone, Debug, PartialEq)]
pub struct CandidatePage {
    /// The most likely first.
    pub candidates: Vec<CandidateSummary>,
    /// Where the next page begins, if there may be more.
    pub next: Option<usize>,
}

/// Candidates to try, all on top of the same texts.
#[derive(Clone, Debug, PartialEq)]
pub struct MutantBatch {
    /// Files that are changed before.
    pub base: Texts,
    /// What each adds.
    pub mutants: Vec<Mutant>,
}

/// A candidate as a sandbox takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutant {
    /// The number of the candidate.
    pub number: usize,
    /// Files with the text that it gives them.
    pub changes: Texts,
    /// The one function that it changes.
    pub within: Option<ChangedFunction>,
}

/// A function with its new text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFunction {
    /// Relative to the root.
    pub file: Arc<str>,
    /// The first byte of its clauses, in the text before the change.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The line of its first clause, from 1.
    pub first_line: u32,
    /// The last line of its last clause.
    pub last_line: u32,
    /// What its clauses become.
    pub text: String,
}

/// A file that a repair changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePatch {
    /// Relative to the root.
    pub file: Arc<str>,
    /// The change as `git apply` and `patch -p1` take it.
    pub diff: String,
    /// The new text.
    pub text: String,
    /// The text of the project.
    pub original: Arc<str>,
}

/// The bytes and lines of the function that a candidate changes.
#[derive(Clone, Copy, Debug)]
struct FunctionPlace {
    start: usize,
    end: usize,
    first_line: u32,
    last_line: u32,
}

#[derive(Debug)]
struct MadeCandidate {
    summary: CandidateSummary,
    /// On top of those of its parent.
    steps: Vec<EditStep>,
    within: Option<FunctionPlace>,
}

/// A repair of one version of a project. Any thread may ask it; what takes time is done outside of its lock.
#[derive(Debug)]
pub struct RepairSession {
    project: Snapshot,
    suspects: Vec<Suspect>,
    evidence: String,
    made: RwLock<Vec<Arc<MadeCandidate>>>,
}

impl RepairSession {
    /// Suspects at most `limit` lines of the project by what the tests said, and of those the ones of the scope.
    pub fn new(project: Snapshot, observed: &TestReport, scope: &SuspectScope, limit: usize) -> Self {
        let mut suspects = localise(&observed.runs, &changeable(&project));
        suspects.truncate(limit);
        suspects.retain(|suspect| scope.holds(suspect));
        let mut evidence = observed.messages.clone();
        for (file, line) in &observed.failing {
            evidence.push('\n');
            evidence.push_str(test_source(&project, file, *line));
        }
        RepairSession { project, suspects, evidence, made: RwLock::default() }
    }

    /// The lines that may hold the fault, the most suspicious first.
    pub fn suspects(&self) -> &[Suspect] {
        &self.suspects
    }

    /// Makes at most `max` candidates on top of `parent`, or of the project as it is, the likeliest first. `from` is 0, or
    /// what the page before gave as the next one of the same parent. A model adds its own and helps to order the likeliest,
    /// on the first page.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] for a number that no candidate has; what the model says;
    /// [`crate::ErrorKind::Cancelled`] and [`crate::ErrorKind::Timeout`].
    pub fn page(
        &self,
        parent: Option<usize>,
        from: usize,
        max: usize,
        model: Option<&Model>,
        cancel: &Cancel,
    ) -> Result<CandidatePage> {
        let (size, changed) = match parent {
            Some(number) => (self.candidate(number)?.summary.size, self.texts(number)?),
            None => (0, Texts::new()),
        };
        let analysed: BTreeMap<&str, FileFacts> = changed
            .iter()
            .map(|(path, text)| (&**path, syntax::analyse(&File::new(path.clone(), text.as_str()))))
            .collect();
        let mut facts = changeable(&self.project);
        for (path, known) in &mut facts {
            *known = analysed.get(path).unwrap_or(known);
        }
        let texts: BTreeMap<&str, &str> = facts
            .iter()
            .filter_map(|(path, _)| Some((*path, text_of(&self.project, &changed, path).ok()?)))
            .collect();
        let files = most_suspicious(&self.suspects);
        // Every file is compared with every donor: in a large project those with suspects serve, and some more.
        let mut donors: Vec<(&str, &str)> =
            facts.iter().filter_map(|(path, _)| Some((*path, *texts.get(path)?))).collect();
        donors.sort_by_key(|(path, _)| !files.contains(path));
        donors.truncate(MAX_DONORS);
        let (facts, donors) = (&facts[..], &donors[..]);
        let request = |(path, text)| Request {
            path,
            text,
            suspects: &self.suspects,
            facts,
            donors,
            evidence: &self.evidence,
            max,
        };
        let known =
            files.iter().filter_map(|path| texts.get_key_value(path).map(|(path, text)| (*path, *text)));
        let requests: Vec<Request<'_>> = known.map(request).collect();
        let Page { mut candidates, next } = page_of(&requests, from, cancel)?;
        if let Some(model) = model
            && from == 0
        {
            candidates = assisted(model, &requests, candidates, cancel)?;
        }
        let mut functions = BTreeMap::new();
        for request in &requests {
            functions.insert(request.path, Function::all(request.text)?);
        }
        let made = candidates.into_iter().map(|candidate| {
            let text = texts.get(&*candidate.file).copied().unwrap_or_default();
            let functions = functions.get(&*candidate.file).map_or(&[][..], Vec::as_slice);
            made(candidate, parent, size, text, functions)
        });
        let candidates = self.add(made.collect::<Result<_>>()?);
        Ok(CandidatePage { candidates, next })
    }

    /// Makes the candidates that lack one of the steps of this one. A step that another one has changed again cannot be left
    /// out, and of a single step nothing can.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] for a number that no candidate has.
    pub fn reductions(&self, number: usize) -> Result<Vec<CandidateSummary>> {
        let whole = self.candidate(number)?;
        let steps = self.steps(&whole)?;
        let count = if steps.len() > 1 { steps.len() } else { 0 };
        let fewer = (0..count).filter_map(|nth| without(&steps, nth));
        let fewer = fewer.filter(|steps| apply(&self.project, Texts::new(), steps).is_ok());
        let made = fewer.map(|steps| {
            let size = steps.iter().map(|step| step.size).sum::<f64>().round() as usize;
            MadeCandidate {
                summary: CandidateSummary { parent: None, size, within: false, ..whole.summary.clone() },
                steps,
                within: None,
            }
        });
        Ok(self.add(made.collect()))
    }

    /// Candidates of one parent as a sandbox takes them, each by its number and whether it is to be compiled together with
    /// others, if it can be.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] for a number that no candidate has, [`crate::ErrorKind::InvalidArgument`] for
    /// candidates of several parents.
    pub fn batch(&self, asked: &[(usize, bool)]) -> Result<MutantBatch> {
        let candidates = asked.iter().map(|(number, together)| Ok((self.candidate(*number)?, *together)));
        let candidates: Vec<(Arc<MadeCandidate>, bool)> = candidates.collect::<Result<_>>()?;
        let parent = candidates.first().and_then(|(first, _)| first.summary.parent);
        if candidates.iter().any(|(one, _)| one.summary.parent != parent) {
            return Err(Error::invalid("the candidates of a batch have one parent"));
        }
        let base = parent.map_or(Ok(Texts::new()), |parent| self.texts(parent))?;
        let mutants = candidates.iter().map(|(one, together)| self.mutant(one, *together, &base));
        Ok(MutantBatch { mutants: mutants.collect::<Result<_>>()?, base })
    }

    fn mutant(&self, made: &MadeCandidate, together: bool, base: &Texts) -> Result<Mutant> {
        let mut changes = apply(&self.project, base.clone(), &made.steps)?;
        let file = &made.summary.file;
        let within = match made.within.filter(|_| together) {
            Some(place) => {
                let (old, new) =
                    (text_of(&self.project, base, file)?, text_of(&self.project, &changes, file)?);
                // What stands behind the function stays as it is.
                let end = (place.end + new.len()).saturating_sub(old.len());
                let text = new.get(place.start..end).unwrap_or_default().to_owned();
                let FunctionPlace { start, end, first_line, last_line } = place;
                Some(ChangedFunction { file: file.clone(), start, end, first_line, last_line, text })
            }
            None => None,
        };
        changes.retain(|file, text| base.get(file) != Some(text));
        Ok(Mutant { number: made.summary.number, changes, within })
    }

    /// The files that a candidate and its parents change, with their new texts.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] for a number that no candidate has.
    pub fn texts(&self, number: usize) -> Result<Texts> {
        apply(&self.project, Texts::new(), &self.steps(&*self.candidate(number)?)?)
    }

    /// What a candidate and its parents change, file by file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] for a number that no candidate has.
    pub fn patches(&self, number: usize) -> Result<Vec<FilePatch>> {
        let patch = |(file, text): (Arc<str>, String)| {
            let original = self.project.text(&file).filter(|original| ***original != *text)?.clone();
            Some(FilePatch { diff: unified_diff(&file, &original, &text), file, text, original })
        };
        Ok(self.texts(number)?.into_iter().filter_map(patch).collect())
    }

    fn candidate(&self, number: usize) -> Result<Arc<MadeCandidate>> {
        let at = number.checked_sub(1);
        let found = at.and_then(|at| self.made.read().get(at).cloned());
        found.ok_or_else(|| Error::new(crate::ErrorKind::NotFound, format!("there is no candidate {number}")))
    }

    /// All steps from the project as it is.
    fn steps(&self, made: &MadeCandidate) -> Result<Vec<EditStep>> {
        let mut steps = match made.summary.parent {
            Some(parent) => self.steps(&*self.candidate(parent)?)?,
            None => Vec::new(),
        };
        steps.extend_from_slice(&made.steps);
        Ok(steps)
    }

    /// Numbers them.
    fn add(&self, made: Vec<MadeCandidate>) -> Vec<CandidateSummary> {
        let mut all = self.made.write();
        let mut summaries = Vec::with_capacity(made.len());
        for mut one in made {
            one.summary.number = all.len() + 1;
            summaries.push(one.summary.clone());
            all.push(Arc::new(one));
        }
        summaries
    }
}

/// A candidate of `text` on top of a parent of so many tokens, without a number.
fn made(
    candidate: Candidate,
    parent: Option<usize>,
    parent_size: usize,
    text: &str,
    functions: &[Function],
) -> Result<MadeCandidate> {
    let size = candidate.patch().size(text)?.tokens;
    let within = Function::around(functions, text, &candidate.edits).map(|(function, start, end)| {
        FunctionPlace { start, end, first_line: function.first_line, last_line: function.last_line }
    });
    let Candidate { file, edits, kind, line, prior, label } = candidate;
    let steps = EditStep::all(&file, edits, size);
    let summary = CandidateSummary {
        number: 0,
        parent,
        file,
        line,
        kind,
        prior: prior.clamp(0.0, 1.0),
        size: size + parent_size,
        within: within.is_some(),
        label,
    };
    Ok(MadeCandidate { summary, steps, within })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::ProjectFile;
    use crate::project::testing::snapshot_of;
    use crate::repair::Frame;

    const TEXT: &str =
        "defmodule A do\n  def f(x), do: x + 1\n\n  def g(x) do\n    y = f(x)\n    y * 2\n  end\nend\n";
    const TEST: &str =
        "defmodule ATest do\n  use ExUnit.Case\n  test \"f\" do\n    assert A.f(1) == 11\n  end\nend\n";

    fn observed() -> TestReport {
        let frames = [(2, "lib/a.ex"), (6, "lib/a.ex"), (1, "support/b.ex")];
        let frames = frames.map(|(line, file)| Frame { file: file.into(), line });
        let run = TestRun { name: "f".into(), frames: frames.to_vec(), ..TestRun::default() };
        TestReport { runs: vec![run], messages: "f".into(), failing: vec![("test/a_test.exs".into(), 3)] }
    }

    fn project() -> Snapshot {
        let helper = "defmodule B do\n  def b, do: 10\nend\n";
        let files = [("lib/a.ex", TEXT), ("support/b.ex", helper), ("test/a_test.exs", TEST)];
        snapshot_of(files.map(|(path, text)| Arc::new(ProjectFile::read(File::new(path, text)))).to_vec())
    }

    fn session() -> RepairSession {
        let scope = SuspectScope { outside: vec!["support".into()], ..SuspectScope::default() };
        RepairSession::new(project(), &observed(), &scope, 10)
    }

    fn all(session: &RepairSession, parent: Option<usize>) -> Vec<CandidateSummary> {
        session.page(parent, 0, 5000, None, &Cancel::new()).unwrap().candidates
    }

    /// The candidate that makes this text of the file.
    fn making(session: &RepairSession, parent: Option<usize>, text: &str) -> CandidateSummary {
        let mut candidates = all(session, parent).into_iter();
        candidates.find(|one| session.texts(one.number).unwrap()["lib/a.ex"] == text).unwrap()
    }

    #[test]
    fn suspects_are_those_of_the_scope() {
        let lines = |scope: SuspectScope| -> Vec<(String, u32)> {
            let session = RepairSession::new(project(), &observed(), &scope, 10);
            session.suspects().iter().map(|one| (one.file.to_string(), one.line)).collect()
        };
        let a = |line| ("lib/a.ex".to_string(), line);
        assert_eq!(lines(SuspectScope::default()), [a(2), a(6), ("support/b.ex".into(), 1)]);
        assert_eq!(
            lines(SuspectScope { outside: vec!["support".into()], ..SuspectScope::default() }),
            [a(2), a(6)]
        );
        let file = Some("lib/a.ex".to_string());
        assert_eq!(lines(SuspectScope { file: file.clone(), ..SuspectScope::default() }), [a(2), a(6)]);
        assert_eq!(lines(SuspectScope { file, line: Some(6), ..SuspectScope::default() }), [a(6)]);
        assert!(session().evidence.contains("assert A.f(1) == 11"));
    }

    #[test]
    fn pages_are_parts_of_one_list_and_numbers_go_on() {
        let (whole, parts) = (session(), session());
        let mut found = Vec::new();
        let mut from = Some(0);
        while let Some(place) = from {
            let page = parts.page(None, place, 7, None, &Cancel::new()).unwrap();
            assert!(page.candidates.len() <= 7);
            found.extend(page.candidates);
            from = page.next;
        }
        assert_eq!(found, all(&whole, None));
        assert!(found.iter().map(|one| one.number).eq(1..=found.len()));
    }

    #[test]
    fn a_candidate_is_tried_as_a_text_and_as_a_function() {
        let session = session();
        let changed = TEXT.replace("y * 2", "y + 2");
        let one = making(&session, None, &changed);
        assert!(one.within);
        let batch = session.batch(&[(one.number, true), (one.number, false)]).unwrap();
        assert!(batch.base.is_empty());
        let [together, alone] = &batch.mutants[..] else { panic!("{batch:?}") };
        let texts = Texts::from([("lib/a.ex".into(), changed)]);
        assert_eq!((&together.changes, &alone.changes, &alone.within), (&texts, &texts, &None));
        let within = together.within.as_ref().unwrap();
        assert_eq!(within.text, "def g(x) do\n    y = f(x)\n    y + 2\n  end");
        assert_eq!(&TEXT[within.start..within.end], "def g(x) do\n    y = f(x)\n    y * 2\n  end");
        assert_eq!((within.first_line, within.last_line), (4, 7));
        let patches = session.patches(one.number).unwrap();
        assert!(patches[0].diff.contains("-    y * 2\n+    y + 2\n"), "{}", patches[0].diff);
        assert_eq!(&*patches[0].original, TEXT);
    }

    #[test]
    fn of_two_changes_each_can_be_left_out() {
        let session = session();
        let first = TEXT.replace("x + 1", "x - 1");
        let parent = making(&session, None, &first);
        let both = first.replace("y * 2", "y + 2");
        let child = making(&session, Some(parent.number), &both);
        assert_eq!((child.parent, child.size), (Some(parent.number), 2 * parent.size));
        let batch = session.batch(&[(child.number, true)]).unwrap();
        assert_eq!(batch.base, session.texts(parent.number).unwrap());
        assert!(session.batch(&[(child.number, true), (parent.number, true)]).is_err());

        let fewer = session.reductions(child.number).unwrap();
        let texts: Vec<String> =
            fewer.iter().map(|one| session.texts(one.number).unwrap()["lib/a.ex"].clone()).collect();
        assert_eq!(texts, [TEXT.replace("y * 2", "y + 2"), first]);
        assert!(fewer.iter().all(|one| one.size == parent.size && one.parent.is_none() && !one.within));
        assert_eq!(session.reductions(parent.number).unwrap(), []);
    }

    #[test]
    fn what_was_changed_again_cannot_be_left_out() {
        let session = session();
        let first = TEXT.replace("x + 1", "x + 10");
        let parent = making(&session, None, &first);
        let child = making(&session, Some(parent.number), &TEXT.replace("x + 1", "x + 11"));
        let fewer = session.reductions(child.number).unwrap();
        assert_eq!(fewer.len(), 1);
        assert_eq!(session.texts(fewer[0].number).unwrap()["lib/a.ex"], first);
    }

    #[test]
    fn a_number_that_no_candidate_has_is_an_error() {
        let session = session();
        for number in [0, 1, usize::MAX] {
            assert!(session.texts(number).is_err());
            assert!(session.batch(&[(number, true)]).is_err());
            assert!(session.reductions(number).is_err());
            assert!(session.page(Some(number), 0, 1, None, &Cancel::new()).is_err());
        }
    }
}
