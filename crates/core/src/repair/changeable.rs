//! What of a project a repair may change, and what it takes hints from.

use crate::project::Snapshot;
use crate::syntax::{Definition, DefinitionKind, FileFacts};

use super::Suspect;

/// Files that candidates are made for: those with the most suspicious lines.
const MAX_FILES: usize = 12;

/// The files that a repair may change: Elixir code outside of tests, dependencies and scripts.
pub fn changeable(project: &Snapshot) -> Vec<(&str, &FileFacts)> {
    let code = |path: &str| path.ends_with(".ex") && !path.starts_with("test/") && !path.contains("/test/");
    let paths = project.files().map(|file| &*file.path).filter(|path| code(path));
    paths.filter_map(|path| Some((path, project.facts(path)?))).collect()
}

/// The files of suspects by their most suspicious line.
pub(super) fn most_suspicious(suspects: &[Suspect]) -> Vec<&str> {
    let mut files: Vec<(&str, f64)> = Vec::new();
    for suspect in suspects {
        match files.iter_mut().find(|(file, _)| *file == &*suspect.file) {
            Some((_, score)) => *score = score.max(suspect.score),
            None => files.push((&suspect.file, suspect.score)),
        }
    }
    files.sort_by(|left, right| right.1.total_cmp(&left.1));
    files.truncate(MAX_FILES);
    files.into_iter().map(|(file, _)| file).collect()
}

/// The source of the test that begins at `line` of `file`; empty where there is none.
pub(super) fn test_source<'a>(project: &'a Snapshot, file: &str, line: u32) -> &'a str {
    let is_it = |definition: &&Definition| {
        definition.kind == DefinitionKind::Test
            && definition.span.line_start <= line
            && line <= definition.span.line_end
    };
    let span =
        project.facts(file).and_then(|facts| facts.definitions.iter().find(is_it)).map(|test| test.span);
    let text = project.text(file).zip(span);
    text.and_then(|(text, span)| text.get(span.start as usize..span.end as usize)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_by_their_most_suspicious_line() {
        let suspect = |file: &str, score| Suspect { file: file.into(), line: 1, score, why: String::new() };
        let suspects = [suspect("a", 0.2), suspect("b", 0.5), suspect("a", 0.9), suspect("c", 0.1)];
        assert_eq!(most_suspicious(&suspects), ["a", "b", "c"]);
        let many: Vec<Suspect> = (0..20).map(|n| suspect(&n.to_string(), 0.5)).collect();
        assert_eq!(most_suspicious(&many).len(), MAX_FILES);
    }
}
