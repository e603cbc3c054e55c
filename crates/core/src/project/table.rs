//! The files of one version of a snapshot.

use std::sync::Arc;

use super::file::ProjectFile;

/// Files, sorted by path.
#[derive(Debug, Default)]
pub(crate) struct FileTable(Vec<Arc<ProjectFile>>);

impl FileTable {
    pub(crate) fn new(mut files: Vec<Arc<ProjectFile>>) -> FileTable {
        files.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        FileTable(files)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Arc<ProjectFile>> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Arc<ProjectFile>> {
        let at = self.0.binary_search_by(|file| (*file.file.path).cmp(path)).ok()?;
        Some(&self.0[at])
    }
}
