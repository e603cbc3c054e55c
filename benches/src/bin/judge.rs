//! Says of texts whether they read as Elixir, for `scripts/judge.exs`, which compares that with Elixir's own parser.
//!
//! Each text on standard input is preceded by its length, four bytes with the highest first. So is each answer on standard
//! output: the first diagnostic with the code `syntax` that reading the text gives, or nothing.

use std::error::Error;
use std::io::{ErrorKind, Read, Write, stdin, stdout};

use ambix_core::source::File;
use ambix_core::syntax::analyse;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    let mut length = [0; 4];
    loop {
        match input.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut text = vec![0; u32::from_be_bytes(length) as usize];
        input.read_exact(&mut text)?;
        let facts = analyse(&File::new("judged.exs", String::from_utf8(text)?));
        let fault = facts.diagnostics.into_iter().find(|diagnostic| diagnostic.code == "syntax");
        let answer = fault.map_or(String::new(), |diagnostic| {
            let line = diagnostic.span.map_or(0, |span| span.line_start);
            format!("line {line}: {}", diagnostic.message)
        });
        output.write_all(&u32::try_from(answer.len())?.to_be_bytes())?;
        output.write_all(answer.as_bytes())?;
        output.flush()?;
    }
}
