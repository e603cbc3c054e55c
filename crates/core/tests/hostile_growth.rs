//! Text that is not what its name says takes time in proportion to its length, whatever it is. A test program of its own, so
//! that the time its process takes is this one's.

use std::fs;
use std::thread;
use std::time::Instant;

use ambix_core::source::File;
use ambix_core::syntax::analyse;

#[path = "hostile/mod.rs"]
mod hostile;

use hostile::{KINDS, Kind};

/// The length of the shorter text. Without optimisation everything takes several times as long.
const LENGTH: usize = if cfg!(debug_assertions) { 10_000 } else { 50_000 };

/// The other is so many times as long.
const TIMES: usize = 8;

/// In proportion it would take `TIMES` times as long, and with the square of the length `TIMES * TIMES` times.
const MOST: f64 = 3.0 * TIMES as f64;

/// Less is not told apart from what else happens in the process.
const SECONDS: f64 = 1.0;

#[test]
fn time_grows_no_faster_than_text() {
    let grown: Vec<String> = KINDS
        .iter()
        .map(|kind| (kind.name, seconds(kind, LENGTH), seconds(kind, LENGTH * TIMES)))
        .filter(|(_, short, long)| *long > short * MOST + SECONDS)
        .map(|(name, short, long)| format!("{name}: {short:.2} s, {long:.2} s"))
        .collect();
    assert!(grown.is_empty(), "{}", grown.join("\n"));
}

/// How long it takes to read a text of a kind, on a stack that is smaller than a dirty scheduler's.
fn seconds(kind: &Kind, length: usize) -> f64 {
    let file = File::new(kind.path, (kind.text)(length));
    let start = Instant::now();
    let begun = processor_seconds();
    let read = thread::Builder::new().stack_size(256 * 1024).spawn(move || analyse(&file));
    let facts = read.expect("a thread").join().expect("no panic");
    let seconds = match (begun, processor_seconds()) {
        (Some(begun), Some(end)) => end - begun,
        _ => start.elapsed().as_secs_f64(),
    };
    assert!(!facts.chunks.is_empty(), "{}", kind.name);
    seconds
}

/// The time that processors have spent on this process, where the system tells it: it depends little on what else runs.
fn processor_seconds() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = status.rsplit(')').next()?.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) as f64 / 100.0)
}
