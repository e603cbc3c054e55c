//! A snapshot as sections of a store.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::artifacts::{Artifact, ArtifactStamp, CompiledFacts, Said};
use super::dependencies::DependencyFacts;
use super::file::{ProjectFile, Summary};
use super::snapshot::{Parts, Snapshot};
use super::store::{Record, Section, Store, decode, decode_all, does_not_fit, encode, not_stored};
use crate::source::{ContentHash, Diagnostic, File, Language, Stamp, Stamps};
use crate::syntax::Chunk;
use crate::{Cancel, Error, Result};

const FILES: &str = "files";
const DEPENDENCIES: &str = "dependencies";
const COMPILED: &str = "compiled";

/// What a state says of the files.
#[derive(Serialize, Deserialize)]
struct FilesHead {
    root: String,
    unread: Vec<Diagnostic>,
    /// In the order of the records.
    files: Vec<FileHead>,
}

#[derive(Serialize, Deserialize)]
struct FileHead {
    path: Arc<str>,
    /// Of the text.
    hash: ContentHash,
    modified: Option<u64>,
    /// What it looked like when it was read.
    stamp: Option<Stamp>,
}

/// A file, before its facts are decoded.
#[derive(Serialize, Deserialize)]
struct FileRecord<'b> {
    path: Arc<str>,
    language: Language,
    /// Of the text.
    hash: ContentHash,
    #[serde(borrow)]
    text: Cow<'b, str>,
    chunks: Cow<'b, [Chunk]>,
    summary: Cow<'b, Summary>,
    /// Without the chunks.
    #[serde(borrow, with = "serde_bytes")]
    facts: Cow<'b, [u8]>,
}

/// A file of the compiler, and the source that it counts for.
#[derive(Serialize, Deserialize)]
struct ArtifactHead {
    path: Arc<str>,
    stamp: ArtifactStamp,
    /// Of its bytes.
    hash: ContentHash,
    source: Option<Arc<str>>,
}

/// Names a file by its path and its text.
pub(crate) fn file_key(file: &File) -> ContentHash {
    let mut bytes = file.hash.0.to_vec();
    bytes.extend_from_slice(file.path.as_bytes());
    ContentHash::of(&bytes)
}

impl Snapshot {
    /// What is to be stored of this snapshot.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the root's path is not UTF-8.
    pub(crate) fn sections(&self) -> Result<Vec<Section<'_>>> {
        let root = self.root.to_str().ok_or_else(|| Error::invalid("the project's path is not UTF-8"))?;
        let head = |file: &Arc<ProjectFile>| {
            let (path, hash) = (file.file.path.clone(), file.file.hash);
            let (modified, stamp) = (self.modified(&path), self.stamps.get(&path, hash));
            FileHead { path, hash, modified, stamp }
        };
        let head = FilesHead {
            root: root.to_string(),
            unread: self.unread.to_vec(),
            files: self.files.iter().map(head).collect(),
        };
        let record = |file: &'_ Arc<ProjectFile>| {
            let (key, file) = (file_key(&file.file), file.clone());
            Record { key, encode: Box::new(move || encode(&file_record(&file)?)) }
        };
        let files = self.files.iter().map(record).collect();
        let artifact = |(path, artifact): (&Arc<str>, &Artifact)| {
            let Artifact { stamp, hash, source, .. } = artifact.clone();
            ArtifactHead { path: path.clone(), stamp, hash, source }
        };
        let artifacts = self.compiled.artifacts();
        let said = artifacts.values().map(|artifact| Record::new(artifact.hash, &*artifact.said));
        Ok(vec![
            Section { name: FILES, head: encode(&head)?, records: files },
            Section {
                name: DEPENDENCIES,
                head: Vec::new(),
                records: vec![Record::new(self.dependencies.key(), &*self.dependencies)],
            },
            Section {
                name: COMPILED,
                head: encode(&artifacts.iter().map(artifact).collect::<Vec<_>>())?,
                records: said.collect(),
            },
        ])
    }

    /// The snapshot that is stored. It answers as the one that was saved did.
    ///
    /// # Errors
    /// Those of [`Store`] and of [`Cancel::check`].
    pub(crate) fn stored(store: &mut dyn Store, cancel: &Cancel) -> Result<Snapshot> {
        let name = store.name();
        let section = store.section(FILES)?;
        let head: FilesHead = decode(&section.head, &name)?;
        if head.files.len() != section.records.len() {
            return Err(does_not_fit(&name));
        }
        let files = decode_all(store, &section, cancel, |at, bytes| {
            let file = stored_file(bytes, &name)?;
            let FileHead { path, hash, .. } = &head.files[at];
            let is_same = file.file.path == *path && file.file.hash == *hash;
            if is_same { Ok(Arc::new(file)) } else { Err(does_not_fit(&name)) }
        })?;
        let (mut modified, mut stamps) = (BTreeMap::new(), Stamps::default());
        for FileHead { path, hash, modified: at, stamp } in head.files {
            if let Some(stamp) = stamp {
                stamps.put(path.clone(), stamp, Some(hash));
            }
            modified.extend(at.map(|at| (path, at)));
        }
        let section = store.section(DEPENDENCIES)?;
        let dependencies: Vec<DependencyFacts> =
            decode_all(store, &section, cancel, |_, bytes| decode(bytes, &name))?;
        let dependencies = dependencies.into_iter().next().unwrap_or_default();
        let compiled = stored_compiled(store, &name, cancel)?;
        let unread = head.unread;
        let parts = Parts { files, unread, dependencies, modified, stamps, compiled };
        Ok(Snapshot::of(PathBuf::from(head.root), parts))
    }

    /// This snapshot as that of no folder, for other machines.
    pub(crate) fn without_place(&self) -> Snapshot {
        self.with_root(PathBuf::new())
    }

    /// Whether it is that of no folder.
    pub(crate) fn is_without_place(&self) -> bool {
        *self.root == *Path::new("")
    }
}

fn file_record(file: &ProjectFile) -> Result<FileRecord<'_>> {
    let File { path, language, hash, text, .. } = &file.file;
    Ok(FileRecord {
        path: path.clone(),
        language: *language,
        hash: *hash,
        text: (&**text).into(),
        chunks: file.chunks().into(),
        summary: Cow::Borrowed(&file.summary),
        facts: file.facts.bytes().map_err(not_stored)?,
    })
}

fn stored_file(bytes: &[u8], name: &str) -> Result<ProjectFile> {
    let FileRecord { path, language, hash, text, chunks, summary, facts } = decode(bytes, name)?;
    let file = File { path, language, hash, text: text.into(), modified: None };
    ProjectFile::stored(file, chunks.into_owned(), summary.into_owned(), &facts)
        .ok_or_else(|| does_not_fit(name))
}

fn stored_compiled(store: &mut dyn Store, name: &str, cancel: &Cancel) -> Result<CompiledFacts> {
    let section = store.section(COMPILED)?;
    let heads: Vec<ArtifactHead> = decode(&section.head, name)?;
    if heads.len() != section.records.len() {
        return Err(does_not_fit(name));
    }
    let said = decode_all(store, &section, cancel, |_, bytes| decode::<Said>(bytes, name))?;
    let artifacts = heads.into_iter().zip(said).map(|(head, said)| {
        let ArtifactHead { path, stamp, hash, source } = head;
        (path, Artifact { stamp, hash, said: Arc::new(said), source })
    });
    Ok(CompiledFacts::of(artifacts.collect()))
}
