//! Paths of files that are seldom the answer.

/// Whether a path holds tests, examples, old things or a log of changes, which answer few questions.
pub(super) fn is_aside(path: &str) -> bool {
    const FOLDERS: &[&str] = &[
        "test",
        "tests",
        "spec",
        "fixtures",
        "bench",
        "benches",
        "benchmarks",
        "example",
        "examples",
        "legacy",
        "deprecated",
    ];
    // What changed tells of everything that ever was, and is seldom what is asked for.
    let name = path.rsplit('/').next().unwrap_or(path);
    path.ends_with("_test.exs")
        || name.to_ascii_lowercase().starts_with("changelog")
        || path.rsplit('/').skip(1).any(|folder| FOLDERS.contains(&folder))
}
