//! Whether `cargo test --workspace` and the build that `mix compile` starts share their compiled dependencies.
//!
//! Cargo compiles a crate once for each set of features. Tests bring dependencies of their own, and one feature that
//! these turn on below candle is enough to have candle compiled a second time, which takes minutes on a small machine.
//! Nothing would fail then, so this looks.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// What `native/cargo.exs` builds, and what `cargo xtask ci` tests.
const LIBRARY: &[&str] = &["--package", "ambix_native", "--edges", "normal,build"];
const TESTS: &[&str] = &["--workspace", "--edges", "all"];

/// Fails with the crates that would be compiled twice.
pub fn check(root: &Path) -> Result<(), String> {
    let apart = apart(&tree(root, LIBRARY)?, &tree(root, TESTS)?);
    if apart.is_empty() {
        println!("one-build: the library and the tests share all that they both depend on");
        return Ok(());
    }
    Err(format!(
        "tests compile these with other features than the library:\n  {}\n\
         Name the features that are missing in native/ambix/Cargo.toml.",
        apart.join("\n  ")
    ))
}

/// Crates, with the features that only the library has. Each line of a tree is `name version [features]`.
fn apart(library: &str, tests: &str) -> Vec<String> {
    let in_tests: BTreeSet<&str> = units(tests).collect();
    units(library).collect::<BTreeSet<_>>().difference(&in_tests).map(|unit| (*unit).to_owned()).collect()
}

/// A crate that was printed before ends in `(*)`.
fn units(tree: &str) -> impl Iterator<Item = &str> {
    tree.lines().map(|line| line.trim_end_matches(" (*)"))
}

fn tree(root: &Path, which: &[&str]) -> Result<String, String> {
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p} [{f}]"])
        .args(which)
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_with_other_features_are_named() {
        let library = "candle v1 [a]\nrand v2 []\nrand v2 [] (*)\n";
        assert_eq!(
            apart(library, "candle v1 [a] (*)\nrand v2 []\nproptest v1 [std]\n"),
            Vec::<String>::new()
        );
        assert_eq!(apart(library, "candle v1 [a]\nrand v2 [std]\n"), ["rand v2 []"]);
    }
}
