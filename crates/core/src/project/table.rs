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

    /// The files `kept`, which are sorted by path, and those that are `new`.
    pub(crate) fn merged(kept: &[Arc<ProjectFile>], mut new: Vec<Arc<ProjectFile>>) -> FileTable {
        new.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        let mut files = Vec::with_capacity(kept.len() + new.len());
        let mut left = kept;
        for file in new {
            let (before, behind) =
                left.split_at(left.partition_point(|other| other.file.path < file.file.path));
            files.extend_from_slice(before);
            files.push(file);
            left = behind;
        }
        files.extend_from_slice(left);
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
