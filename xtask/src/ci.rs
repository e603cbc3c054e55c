//! Everything that a change must pass, in the order in which it is cheapest to fail.

use std::io::IsTerminal;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use lexopt::prelude::*;

use crate::{library, one_build, tidy};

/// One check.
struct Step {
    /// How `--skip` and `--only` call it.
    name: &'static str,
    work: Work,
}

enum Work {
    /// A check of xtask itself, which fails with a sentence.
    Check(fn(&Path) -> Result<(), String>),
    /// A program with its arguments, and what it finds in its environment.
    Run { command: &'static [&'static str], environment: &'static [(&'static str, &'static str)] },
}

/// The steps. All that compile Rust use the release profile: the model code is too slow to test without it, and one
/// profile means that its dependencies, which take minutes, are compiled once.
const STEPS: &[Step] = &[
    Step { name: "tidy", work: Work::Check(tidy::check) },
    Step { name: "one-build", work: Work::Check(one_build::check) },
    program("rust-format", &["cargo", "fmt", "--all", "--check"]),
    program("mix-format", &["mix", "format", "--check-formatted"]),
    program(
        "clippy",
        &["cargo", "clippy", "--locked", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"],
    ),
    program("rust-tests", &["cargo", "test", "--locked", "--release", "--workspace"]),
    Step {
        name: "rust-docs",
        work: Work::Run {
            command: &["cargo", "doc", "--locked", "--release", "--workspace", "--no-deps"],
            // In a table of contents it is right to name private modules; in what users read they are plain words.
            environment: &[("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links")],
        },
    },
    Step {
        name: "mix-compile",
        work: Work::Run {
            command: &["mix", "compile", "--force", "--warnings-as-errors"],
            environment: &[("MIX_ENV", "test")],
        },
    },
    Step { name: "library", work: Work::Check(library::check) },
    program("elixir-tests", &["mix", "test"]),
    program("host-app", &["mix", "test", "--only", "integration"]),
    Step {
        name: "fuzz",
        work: Work::Run {
            // The tests of the workspace run the targets as well, with fewer mutations.
            command: &["cargo", "test", "--locked", "--release", "--workspace", "--test", "fuzz"],
            environment: &[("PROPTEST_CASES", "3000")],
        },
    },
];

const fn program(name: &'static str, command: &'static [&'static str]) -> Step {
    Step { name, work: Work::Run { command, environment: &[] } }
}

/// Which steps to take.
#[derive(Default)]
pub struct Selection {
    skip: Vec<String>,
    only: Vec<String>,
    list: bool,
}

impl Selection {
    /// Reads `--skip STEP`, `--only STEP` and `--list`.
    pub fn parse(arguments: &mut lexopt::Parser) -> Result<Selection, lexopt::Error> {
        let mut selection = Selection::default();
        while let Some(argument) = arguments.next()? {
            let into = match argument {
                Long("skip") => &mut selection.skip,
                Long("only") => &mut selection.only,
                Long("list") => {
                    selection.list = true;
                    continue;
                }
                other => return Err(other.unexpected()),
            };
            let wanted = arguments.value()?.string()?;
            if !STEPS.iter().any(|step| answers_to(step.name, &wanted)) {
                return Err(format!("there is no step {wanted:?}; `cargo xtask ci --list` names them").into());
            }
            into.push(wanted);
        }
        Ok(selection)
    }

    fn takes(&self, name: &str) -> bool {
        let asked = self.only.is_empty() || self.only.iter().any(|wanted| answers_to(name, wanted));
        asked && !self.skip.iter().any(|wanted| answers_to(name, wanted))
    }
}

/// Whether `wanted` is the step's name or its last word.
fn answers_to(name: &str, wanted: &str) -> bool {
    name == wanted || name.strip_suffix(wanted).is_some_and(|rest| rest.ends_with('-'))
}

/// Takes the steps one after another until one fails; `true` if none did.
pub fn run(root: &Path, selection: &Selection) -> bool {
    let steps = STEPS.iter().filter(|step| selection.takes(step.name));
    if selection.list {
        steps.for_each(|step| println!("{}", step.name));
        return true;
    }
    let style = Style { coloured: std::io::stdout().is_terminal() };
    let begun = Instant::now();
    let mut done: Vec<(&str, Duration)> = Vec::new();
    for step in steps {
        println!("{}", style.bold(&format!("==> {}", step.name)));
        let step_begun = Instant::now();
        let outcome = step.work.run(root);
        done.push((step.name, step_begun.elapsed()));
        if let Err(message) = outcome {
            summary(&done);
            println!("{}", style.red(&format!("ci: {} failed: {message}", step.name)));
            println!("ci: to take this step alone: cargo xtask ci --only {}", step.name);
            return false;
        }
    }
    summary(&done);
    let all = format!("ci: {} steps passed in {:.0} s", done.len(), begun.elapsed().as_secs_f64());
    println!("{}", style.green(&all));
    true
}

fn summary(done: &[(&str, Duration)]) {
    println!();
    for (name, duration) in done {
        println!("{:>8.1} s  {name}", duration.as_secs_f64());
    }
}

impl Work {
    fn run(&self, root: &Path) -> Result<(), String> {
        match self {
            Work::Check(check) => check(root),
            Work::Run { command, environment } => {
                let mut process = Command::new(command[0]);
                process.args(&command[1..]).envs(environment.iter().copied()).current_dir(root);
                let line = command.join(" ");
                match process.status() {
                    Ok(status) if status.success() => Ok(()),
                    Ok(status) => Err(format!("`{line}` ended with {status}")),
                    Err(error) => {
                        Err(format!("cannot start `{line}`: {error}; `make setup` installs what is missing"))
                    }
                }
            }
        }
    }
}

struct Style {
    coloured: bool,
}

impl Style {
    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>, lexopt::Error> {
        let selection = Selection::parse(&mut lexopt::Parser::from_args(arguments))?;
        Ok(STEPS.iter().map(|step| step.name).filter(|name| selection.takes(name)).collect())
    }

    #[test]
    fn steps_are_chosen_by_name_or_last_word() {
        assert_eq!(names(&[]).unwrap().len(), STEPS.len());
        assert_eq!(names(&["--only", "tests"]).unwrap(), ["rust-tests", "elixir-tests"]);
        assert_eq!(names(&["--only", "tidy", "--only", "clippy"]).unwrap(), ["tidy", "clippy"]);
        let rest = names(&["--skip", "tests", "--skip", "fuzz"]).unwrap();
        assert_eq!(rest.len(), STEPS.len() - 3);
        assert!(!rest.contains(&"rust-tests") && !rest.contains(&"fuzz"));
    }

    #[test]
    fn unknown_steps_and_options_are_refused() {
        assert!(names(&["--only", "test"]).unwrap_err().to_string().contains("no step \"test\""));
        assert!(names(&["--fast"]).is_err());
        assert!(names(&["--skip"]).is_err());
    }

    #[test]
    fn a_step_that_fails_says_which_command() {
        let root = crate::root();
        let work = |command| Work::Run { command, environment: &[] };
        assert_eq!(work(&["true"]).run(&root), Ok(()));
        assert!(work(&["false"]).run(&root).unwrap_err().contains("`false` ended with"));
        assert!(work(&["no-such-program", "x"]).run(&root).unwrap_err().contains("make setup"));
    }
}
