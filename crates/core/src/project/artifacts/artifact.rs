//! A file that the compiler left behind: read when it is new or has changed.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::compiled::{CompiledModule, Limits, TracedCall, trace};
use crate::source::{ContentHash, Links, open};
use crate::{Cancel, Error, Result};

/// A larger file of the compiler is left out.
const MAX_BYTES: u64 = 64 << 20;

/// A file that changed so shortly before it was read may change once more without another time: Mix gives what it compiles
/// the second in which it began.
const SETTLING: Duration = Duration::from_secs(2);

/// What a file of the compiler says, without what a graph does not ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Said {
    /// A BEAM file.
    Module(Arc<CompiledModule>),
    /// What the tracer saw in a source file.
    Trace { source: Arc<str>, calls: Arc<[TracedCall]> },
}

/// What tells that a file is the one that was read, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArtifactStamp {
    bytes: u64,
    /// When it was changed, since the beginning of 1970.
    modified: Duration,
    /// Whether that was so long before it was read that a later change has another time.
    settled: bool,
}

/// A file of the compiler, as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) stamp: ArtifactStamp,
    /// Of its bytes.
    pub(crate) hash: ContentHash,
    pub(crate) said: Arc<Said>,
    /// The path of the source that it speaks of, if the index has that as it was compiled.
    pub(crate) source: Option<Arc<str>>,
}

impl Artifact {
    /// The file at `path`, and whether it had to be read: not if it is as it was `before`. It counts for no source yet.
    pub(super) fn look(
        path: &Path,
        before: Option<&Artifact>,
        now: SystemTime,
        cancel: &Cancel,
    ) -> Result<(Artifact, bool)> {
        let failed = |error| Error::io(path, "read", error);
        let stamp = ArtifactStamp::of(&fs::metadata(path).map_err(failed)?, now);
        if let Some(before) = before.filter(|before| before.stamp == stamp && stamp.settled) {
            return Ok((Artifact { source: None, ..before.clone() }, false));
        }
        let opened = open(path, Links::Followed)?;
        // Of the file that is read, should another one have come into its place.
        let stamp = ArtifactStamp::of(&opened.metadata, now);
        let bytes = opened.read(path, MAX_BYTES, cancel)?;
        let hash = ContentHash::of(&bytes);
        let said = match before.filter(|before| before.hash == hash) {
            Some(before) => before.said.clone(),
            None => Arc::new(Said::read(path, &bytes)?),
        };
        Ok((Artifact { stamp, hash, said, source: None }, true))
    }

    /// When it was made.
    pub(super) fn made_at(&self) -> Duration {
        self.stamp.modified
    }

    /// Whether a source that was changed at that time is not the one that was compiled. Mix gives its files the second in
    /// which it began, so a source of the same second may be older than they seem.
    pub(super) fn is_before(&self, changed_at: Duration) -> bool {
        let made_at = self.made_at();
        let whole = if made_at.subsec_nanos() == 0 { Duration::from_secs(1) } else { Duration::ZERO };
        changed_at > made_at && changed_at - made_at >= whole
    }
}

impl ArtifactStamp {
    fn of(metadata: &fs::Metadata, now: SystemTime) -> Self {
        let modified = modified(metadata);
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let settled = modified.checked_add(SETTLING).is_some_and(|later| later < now);
        ArtifactStamp { bytes: metadata.len(), modified, settled }
    }
}

/// When a file was changed, since the beginning of 1970.
pub(super) fn modified(metadata: &fs::Metadata) -> Duration {
    let at = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

impl Said {
    fn read(path: &Path, bytes: &[u8]) -> Result<Said> {
        if path.extension().is_some_and(|extension| extension == "trace") {
            let (source, calls) = trace(bytes)?;
            let source = source.to_str().ok_or_else(|| Error::invalid("a source's path is not UTF-8"))?;
            return Ok(Said::Trace { source: source.into(), calls: calls.into() });
        }
        let module = CompiledModule::read_within(bytes, &Limits::default())?;
        Ok(Said::Module(Arc::new(module.outline())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_whole_seconds_is_that_of_the_beginning() {
        let at = Duration::from_millis;
        for (changed, compiled, later) in [
            (5_999, 5_000, false),
            (6_000, 5_000, true),
            (4_000, 5_000, false),
            (5_301, 5_300, true),
            (5_300, 5_300, false),
            (5_000, 5_300, false),
        ] {
            let stamp = ArtifactStamp { bytes: 0, modified: at(compiled), settled: true };
            let said = Arc::new(Said::Trace { source: "".into(), calls: Arc::default() });
            let artifact = Artifact { stamp, hash: ContentHash::default(), said, source: None };
            assert_eq!(artifact.is_before(at(changed)), later, "{changed} {compiled}");
        }
    }

    #[test]
    fn only_a_file_that_may_have_changed_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.trace");
        let text = |name: &str| format!("{{\"source\": \"{name}\"}}\n");
        let write = |name: &str, age: u64| {
            fs::write(&path, text(name)).unwrap();
            let at = SystemTime::now() - Duration::from_secs(age);
            fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
            at
        };
        let look = |before| Artifact::look(&path, before, SystemTime::now(), &Cancel::new()).unwrap();
        let source = |artifact: &Artifact| match &*artifact.said {
            Said::Trace { source, .. } => source.to_string(),
            Said::Module(module) => module.module.to_string(),
        };
        let at = write("one", 100);
        let (one, read) = look(None);
        assert!(read);
        let (same, read) = look(Some(&one));
        assert!(!read && same == one);
        // Other bytes of the same length and time are not seen in what had time to settle, and in nothing else.
        fs::write(&path, text("two")).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        assert_eq!(source(&look(Some(&one)).0), "one");
        let at = write("one", 0);
        let (one, _) = look(Some(&one));
        fs::write(&path, text("two")).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        let (two, read) = look(Some(&one));
        assert!(read && source(&two) == "two");
        // Another time with the same bytes: read, but not made sense of once more.
        write("two", 50);
        let (again, read) = look(Some(&two));
        assert!(read && Arc::ptr_eq(&again.said, &two.said));
    }
}
