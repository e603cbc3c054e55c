use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::edit::tokens;
use crate::source::Span;
use crate::syntax::{DefinitionKind, FileFacts};

/// A test as it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRun {
    /// For people.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// Lines of the project that it ran, as file and line; empty when coverage was not measured.
    pub covered: Vec<(Arc<str>, u32)>,
    /// For a failing test, the stack where it failed, innermost first. Frames outside of the project do no harm.
    pub frames: Vec<Frame>,
    /// For a failing test, its source and its failure message, as far as known: names in it are hints.
    pub text: String,
}

/// A place of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Relative to the root.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
}

/// A line that may hold the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// Relative to the root.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 0 to 1; it ranks, it is no probability.
    pub score: f64,
    /// One short line for a person.
    pub why: String,
}

/// A function by the most suspicious of its lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuspectFunction {
    /// `Mod.fun/arity`.
    pub symbol: String,
    /// Relative to the root.
    pub file: Arc<str>,
    /// All its clauses.
    pub span: Span,
    /// Of its most suspicious line.
    pub score: f64,
}

/// What a line that all failing tests and no passing test ran has by that alone; the rest is for the stack to add.
const SPECTRUM: f64 = 0.6;
/// What a stack frame adds, from the innermost frame of the project outwards.
const FRAME_BONUS: [f64; 4] = [0.6, 0.35, 0.2, 0.1];
/// Lines of a function that a failing test names, when there is neither coverage nor a stack.
const NAMED: f64 = 0.2;
/// Any other line of a definition then.
const UNNAMED: f64 = 0.02;

/// Lines by suspicion, the most suspicious first.
///
/// Spectrum-based: a line's score is Ochiai's coefficient (Abreu et al., 2007), the number of failing tests that ran it
/// over the geometric mean of the failing tests and the tests that ran it. Each frame of the project on a failing test's
/// stack raises its line as an independent hint would, the innermost most. Without coverage the frames alone count;
/// without frames too, every line of a definition is a suspect with a low score, and definitions that the failing tests
/// name come first. `why` says which it was.
///
/// `project` are the files that may be changed: nothing else becomes a suspect.
pub fn localise(tests: &[TestRun], project: &[(&str, &FileFacts)]) -> Vec<Suspect> {
    let failing: Vec<&TestRun> = tests.iter().filter(|test| !test.passed).collect();
    let known: BTreeSet<&str> = project.iter().map(|(path, _)| *path).collect();
    let mut scores = ochiai(tests, failing.len());
    scores.retain(|(file, _), _| known.contains(&**file));
    for test in &failing {
        let mut raised = BTreeSet::new();
        let frames = test.frames.iter().filter(|frame| known.contains(&*frame.file));
        for (frame, bonus) in frames.filter(|frame| raised.insert((&frame.file, frame.line))).zip(FRAME_BONUS)
        {
            let place = scores.entry((frame.file.clone(), frame.line)).or_insert((0.0, String::new()));
            // Each failing test's stack counts for its share, so that ten failures of one cause do not drown the rest.
            place.0 = 1.0 - (1.0 - place.0) * (1.0 - bonus / (failing.len() as f64).sqrt());
            place.1 = match place.1.as_str() {
                "" => "on the stack".to_string(),
                why if why.ends_with("on the stack") => continue,
                why => format!("{why}, on the stack"),
            };
        }
    }
    if scores.is_empty() && !failing.is_empty() {
        scores = named(&failing, project);
    }
    let mut suspects: Vec<Suspect> = scores
        .into_iter()
        .filter(|(_, (score, _))| *score > 0.0)
        .map(|((file, line), (score, why))| Suspect { file, line, score, why })
        .collect();
    suspects
        .sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line))));
    suspects
}

/// The functions and macros that hold suspects, the most suspicious first.
pub fn suspect_functions(suspects: &[Suspect], project: &[(&str, &FileFacts)]) -> Vec<SuspectFunction> {
    let mut functions: Vec<SuspectFunction> = Vec::new();
    for (path, facts) in project {
        for definition in &facts.definitions {
            if !matches!(definition.kind, DefinitionKind::Function | DefinitionKind::Macro) {
                continue;
            }
            let inside = |line: u32| {
                let holds = |span: &Span| (span.line_start..=span.line_end).contains(&line);
                definition.clauses.iter().any(holds)
                    || definition.clauses.is_empty() && holds(&definition.span)
            };
            let score = suspects
                .iter()
                .filter(|suspect| *suspect.file == **path && inside(suspect.line))
                .map(|suspect| suspect.score)
                .fold(0.0, f64::max);
            if score > 0.0 {
                let (symbol, file) = (definition.qualified(), Arc::from(*path));
                functions.push(SuspectFunction { symbol, file, span: definition.span, score });
            }
        }
    }
    functions
        .sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| (&a.file, a.span).cmp(&(&b.file, b.span))));
    functions
}

type Scores = BTreeMap<(Arc<str>, u32), (f64, String)>;

fn ochiai(tests: &[TestRun], failing: usize) -> Scores {
    let mut counts: BTreeMap<(Arc<str>, u32), (usize, usize)> = BTreeMap::new();
    for test in tests {
        for place in test.covered.iter().collect::<BTreeSet<_>>() {
            let (failed, passed) = counts.entry(place.clone()).or_default();
            *(if test.passed { passed } else { failed }) += 1;
        }
    }
    let score = |(failed, passed): (usize, usize)| {
        let score = failed as f64 / ((failing * (failed + passed)) as f64).sqrt();
        (SPECTRUM * score, format!("run by {failed} failing and {passed} passing tests"))
    };
    counts
        .into_iter()
        .filter(|(_, (failed, _))| *failed > 0)
        .map(|(place, count)| (place, score(count)))
        .collect()
}

fn named(failing: &[&TestRun], project: &[(&str, &FileFacts)]) -> Scores {
    let words: BTreeSet<&str> =
        failing.iter().flat_map(|test| tokens(&test.text).into_iter().chain(tokens(&test.name))).collect();
    let mut scores = Scores::new();
    for (path, facts) in project {
        let path: Arc<str> = Arc::from(*path);
        for definition in &facts.definitions {
            if !matches!(
                definition.kind,
                DefinitionKind::Function | DefinitionKind::Macro | DefinitionKind::Guard
            ) {
                continue;
            }
            let (score, why) = match words.contains(&*definition.name) {
                true => (NAMED, "named by a failing test; no coverage, no stack"),
                false => (UNNAMED, "in the project; no coverage, no stack"),
            };
            let whole = [definition.span];
            let spans = if definition.clauses.is_empty() { &whole[..] } else { &definition.clauses };
            for line in spans.iter().flat_map(|span| span.line_start..=span.line_end) {
                scores.insert((path.clone(), line), (score, why.to_string()));
            }
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Definition;

    fn function(name: &str, lines: std::ops::RangeInclusive<u32>) -> Definition {
        let span = Span { line_start: *lines.start(), line_end: *lines.end(), ..Span::default() };
        Definition {
            kind: DefinitionKind::Function,
            module: "Shop".into(),
            name: name.into(),
            arity: Some(1),
            defaults: 0,
            public: true,
            span,
            clauses: vec![span],
            doc: None,
            spec: None,
            fields: Vec::new(),
            signature: None,
            guessed: false,
        }
    }

    fn facts() -> FileFacts {
        FileFacts {
            definitions: vec![function("total", 2..=4), function("tax", 6..=7)],
            ..FileFacts::default()
        }
    }

    fn run(passed: bool, lines: &[u32], frames: &[(&str, u32)]) -> TestRun {
        TestRun {
            passed,
            covered: lines.iter().map(|&line| ("lib/shop.ex".into(), line)).collect(),
            frames: frames.iter().map(|&(file, line)| Frame { file: file.into(), line }).collect(),
            ..TestRun::default()
        }
    }

    fn lines(suspects: &[Suspect]) -> Vec<u32> {
        suspects.iter().map(|suspect| suspect.line).collect()
    }

    #[test]
    fn lines_that_only_failing_tests_run_come_first() {
        let facts = facts();
        let tests = [run(false, &[3, 6], &[]), run(true, &[3], &[]), run(true, &[7], &[])];
        let suspects = localise(&tests, &[("lib/shop.ex", &facts)]);
        assert_eq!(lines(&suspects), [6, 3], "a line that no failing test runs is no suspect");
        assert_eq!(suspects[0].score, SPECTRUM);
        assert!((suspects[1].score - SPECTRUM * 0.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(suspects[1].why, "run by 1 failing and 1 passing tests");
        let functions = suspect_functions(&suspects, &[("lib/shop.ex", &facts)]);
        assert_eq!(
            functions.iter().map(|f| f.symbol.as_str()).collect::<Vec<_>>(),
            ["Shop.tax/1", "Shop.total/1"]
        );
    }

    #[test]
    fn the_stack_raises_its_lines_and_foreign_frames_do_nothing() {
        let facts = facts();
        let stack = [("lib/enum.ex", 1), ("lib/shop.ex", 3), ("lib/shop.ex", 7), ("test/shop_test.exs", 9)];
        let with = localise(&[run(false, &[2, 3, 7], &stack)], &[("lib/shop.ex", &facts)]);
        assert_eq!(lines(&with), [3, 7, 2]);
        assert_eq!(with[0].why, "run by 1 failing and 0 passing tests, on the stack");
        let alone = localise(&[run(false, &[], &stack)], &[("lib/shop.ex", &facts)]);
        assert_eq!(lines(&alone), [3, 7]);
        assert_eq!(alone[0].why, "on the stack");
    }

    #[test]
    fn with_nothing_measured_names_are_all_there_is() {
        let facts = facts();
        let test = TestRun { text: "assert Shop.tax(3) == 1".into(), ..TestRun::default() };
        let suspects = localise(&[test], &[("lib/shop.ex", &facts)]);
        assert_eq!(lines(&suspects), [6, 7, 2, 3, 4]);
        assert!(suspects.iter().all(|suspect| suspect.score <= NAMED));
        assert!(suspects[0].why.contains("named by a failing test"));
        assert_eq!(localise(&[run(true, &[2], &[])], &[("lib/shop.ex", &facts)]), []);
    }
}
