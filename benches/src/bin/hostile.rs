//! Reads text that is not what its name says, and prints what that costs: `hostile [--size BYTES]… [--kind NAME]…`.
//! One JSON line for each kind and size, measured in a process of its own: seconds, of the clock and of a processor, the
//! most memory in bytes for each byte of text, and what was found.

use std::error::Error;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use ambix_core::source::File;
use ambix_core::syntax::analyse;
use lexopt::prelude::*;
use serde_json::json;

#[path = "../../../crates/core/tests/hostile/mod.rs"]
mod hostile;

use hostile::{KINDS, Kind};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut sizes, mut kinds, mut here) = (Vec::new(), Vec::new(), false);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("size") => sizes.push(arguments.value()?.parse()?),
            Long("kind") => kinds.push(arguments.value()?.string()?),
            // What a process of its own does.
            Long("here") => here = true,
            other => return Err(other.unexpected().into()),
        }
    }
    if sizes.is_empty() {
        sizes = vec![1_000_000, 5_000_000];
    }
    let wanted = |kind: &&Kind| kinds.is_empty() || kinds.iter().any(|name| name == kind.name);
    for kind in KINDS.iter().filter(wanted) {
        for size in &sizes {
            if here {
                measure(kind, *size);
                continue;
            }
            let arguments = ["--here", "--kind", kind.name, "--size", &size.to_string()];
            let status = Command::new(env::current_exe()?).args(arguments).status()?;
            if !status.success() {
                return Err(format!("{} of {size} bytes ended with {status}", kind.name).into());
            }
        }
    }
    Ok(())
}

fn measure(kind: &Kind, size: usize) {
    let file = File::new(kind.path, (kind.text)(size));
    let before = peak_kibibytes();
    let (start, begun) = (Instant::now(), processor_seconds());
    let facts = analyse(&file);
    let seconds = start.elapsed().as_secs_f64();
    let processor = processor_seconds().zip(begun).map(|(end, begun)| end - begun);
    let bytes = file.text.len();
    let memory = peak_kibibytes().zip(before).map(|(peak, before)| (peak - before) * 1024 / bytes as u64);
    let report = json!({
        "kind": kind.name,
        "file": kind.path,
        "bytes": bytes,
        "seconds": (seconds * 1e3).round() / 1e3,
        "processor_seconds": processor,
        "memory_per_byte": memory,
        "definitions": facts.definitions.len(),
        "references": facts.references.len(),
        "chunks": facts.chunks.len(),
        "diagnostics": facts.diagnostics.len(),
    });
    println!("{report}");
}

/// The most memory that this process has held, where the system tells it.
fn peak_kibibytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()
}

/// The time that processors have spent on this process, in hundredths, where the system tells it. Unlike the time that has
/// passed it depends little on what else runs.
fn processor_seconds() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = status.rsplit(')').next()?.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) as f64 / 100.0)
}
