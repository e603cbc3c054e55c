//! The project's own commands, started by `cargo xtask`.
//!
//! It depends on almost nothing, so that it builds in seconds on a machine that has built nothing else.

mod ci;
mod library;
mod one_build;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::prelude::*;

const HELP: &str = "\
cargo xtask COMMAND

  ci [--skip STEP]… [--only STEP]… [--list]   every check, each with its time; stops at the first that fails
  tidy                                        what compilers do not check: file sizes, links, lists in documents

A STEP is a name from `cargo xtask ci --list`, or the last word of several: `--skip tests` skips all tests.
";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}

/// Whether the command found all well; `Err` when it could not be understood or begun.
fn run() -> Result<bool, lexopt::Error> {
    let mut arguments = lexopt::Parser::from_env();
    let command = match arguments.next()? {
        Some(Value(name)) => name.string()?,
        Some(Short('h') | Long("help")) | None => "help".to_owned(),
        Some(other) => return Err(other.unexpected()),
    };
    match command.as_str() {
        "ci" => Ok(ci::run(&root(), &ci::Selection::parse(&mut arguments)?)),
        "tidy" => {
            if let Some(extra) = arguments.next()? {
                return Err(extra.unexpected());
            }
            Ok(tidy::check(&root()).inspect_err(|message| eprintln!("tidy: {message}")).is_ok())
        }
        "help" => {
            print!("{HELP}");
            Ok(true)
        }
        other => Err(format!("there is no command {other:?}; the commands are ci and tidy").into()),
    }
}

/// The project's folder, wherever the command is started from.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
