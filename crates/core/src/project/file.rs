//! A file of a snapshot with its facts.

use std::mem::size_of;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::facts::LazyFacts;
use crate::source::{Diagnostic, File, Span};
use crate::syntax::{Chunk, Definition, FileFacts, Reference, analyse};
use crate::{Error, ErrorKind};

/// How many definitions before a chunk are searched for the one that surrounds it.
const AROUND: usize = 32;

/// Bytes on the heap of a definition: names, documentation, clauses. Measured on 1 000 000 lines, as the others.
const OF_DEFINITION: usize = 320;
/// Bytes on the heap of a reference: its name and module.
const OF_REFERENCE: usize = 64;
/// Bytes on the heap of a chunk: header and symbol.
const OF_CHUNK: usize = 160;

/// A file and its facts. It never changes, and versions of a snapshot share it.
#[derive(Debug)]
pub(crate) struct ProjectFile {
    pub(crate) file: File,
    pub(crate) facts: LazyFacts,
    pub(crate) summary: Summary,
}

/// What is asked of all files at once, so that nobody has to read their facts for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// How many definitions there are.
    pub(crate) definitions: u32,
    /// How many references there are.
    pub(crate) references: u32,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl ProjectFile {
    /// A file that is read now.
    pub(crate) fn read(file: File) -> ProjectFile {
        let facts = analyse(&file);
        ProjectFile::new(file, facts)
    }

    pub(crate) fn new(file: File, mut facts: FileFacts) -> ProjectFile {
        // A span that is no place in the text would be a panic later.
        facts.chunks.retain(|chunk| file.text.get(range(chunk)).is_some());
        let summary = Summary {
            definitions: facts.definitions.len() as u32,
            references: facts.references.len() as u32,
            diagnostics: facts.diagnostics.clone(),
        };
        ProjectFile { file, facts: LazyFacts::read(facts), summary }
    }

    /// A file that was stored, whose facts are decoded when they are needed; `None` if its parts do not fit.
    pub(super) fn stored(
        file: File,
        chunks: Vec<Chunk>,
        summary: Summary,
        facts: &[u8],
    ) -> Option<ProjectFile> {
        let is_sound = chunks.iter().all(|chunk| file.text.get(range(chunk)).is_some());
        is_sound.then(|| {
            let facts = LazyFacts::stored(facts, file.clone(), chunks);
            ProjectFile { file, facts, summary }
        })
    }

    /// The chunks of the file, in order of position.
    pub(crate) fn chunks(&self) -> &[Chunk] {
        self.facts.chunks()
    }

    pub(crate) fn chunk_text(&self, at: usize) -> &str {
        &self.file.text[range(&self.chunks()[at])]
    }

    /// The definitions that begin in a chunk.
    pub(crate) fn definitions_in(&self, at: usize) -> impl Iterator<Item = &Definition> {
        let Span { start, end, .. } = self.chunks()[at].span;
        let first = self.facts.definitions.partition_point(|definition| definition.span.start < start);
        self.facts.definitions[first..].iter().take_while(move |definition| definition.span.start < end)
    }

    /// The definition that a chunk is a later piece of.
    pub(crate) fn definition_around(&self, at: usize) -> Option<&Definition> {
        let Chunk { span, symbol, .. } = &self.chunks()[at];
        let before = self.facts.definitions.partition_point(|definition| definition.span.start < span.start);
        let around =
            |definition: &&Definition| definition.span.end >= span.end && definition.qualified() == **symbol;
        self.facts.definitions[before.saturating_sub(AROUND)..before].iter().rev().find(around)
    }

    /// The chunk in which a definition begins.
    pub(crate) fn chunk_of(&self, definition: &Definition) -> Option<usize> {
        let line = definition.clauses.first().map_or(definition.span.line_start, |clause| clause.line_start);
        let chunk = self.chunks().partition_point(|chunk| chunk.span.line_end < line);
        (chunk < self.chunks().len()).then_some(chunk)
    }

    /// The bytes of memory that it takes, facts included, whether or not they are decoded.
    pub(crate) fn bytes(&self) -> u64 {
        let facts = self.summary.definitions as usize * (size_of::<Definition>() + OF_DEFINITION)
            + self.summary.references as usize * (size_of::<Reference>() + OF_REFERENCE)
            + self.chunks().len() * (size_of::<Chunk>() + OF_CHUNK);
        (size_of::<ProjectFile>() + self.file.text.len() + facts) as u64
    }
}

fn range(chunk: &Chunk) -> Range<usize> {
    chunk.span.start as usize..chunk.span.end as usize
}

/// The error of an index that would take more than `most` bytes of memory.
pub(crate) fn too_much(most: u64) -> Error {
    let message = format!(
        "the index would take more than the {} MiB of memory that it may: raise max_memory, index a folder with less in it, \
         or leave files out by a .gitignore",
        most >> 20
    );
    Error::new(ErrorKind::Limit, message)
}
