//! What the file system says of files without reading them, and so whether they are what they were.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::list::{check_root, list};
use super::name::below;
use super::read::read;
use super::{ContentHash, WalkOptions};
use crate::{Cancel, Result};

/// The coarsest clock that a file system keeps, that of FAT. A file that was modified less than this before it was looked at
/// may be modified once more and bear the same time.
const TICK: Duration = Duration::from_secs(2);

/// What a file looked like: another stamp is another file, or one that was written to, or had its times set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: Duration,
    /// When the entry itself changed, which no program can set.
    changed: Duration,
    inode: u64,
    /// Whether the same stamp at a later time means the same content.
    settled: bool,
}

impl Stamp {
    /// The stamp of what is at `path`, links not followed; `None` if nothing is.
    pub(super) fn of(path: &Path) -> Option<Stamp> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        fs::symlink_metadata(path).ok().map(|metadata| Stamp::new(&metadata, now))
    }

    fn new(metadata: &Metadata, now: Duration) -> Stamp {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = modified.unwrap_or_default();
        #[cfg(unix)]
        let (changed, inode) = {
            use std::os::unix::fs::MetadataExt;
            let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
            let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
            (Duration::new(seconds, nanoseconds), metadata.ino())
        };
        #[cfg(not(unix))]
        let (changed, inode) = (modified, 0);
        let settled = modified.max(changed) + TICK <= now;
        Stamp { bytes: metadata.len(), modified, changed, inode, settled }
    }

    /// Whether what has this stamp now has the content that it had when it had the `earlier` one.
    pub(super) fn proves(&self, earlier: &Stamp) -> bool {
        earlier.settled && self == earlier
    }
}

/// Which content the files had that were looked at last, so that the next look reads only those that may have another one.
#[derive(Clone, Debug, Default)]
pub struct Stamps {
    known: HashMap<Arc<str>, (Stamp, Option<ContentHash>)>,
}

impl Stamps {
    /// Whether nothing was looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The stamp of the file at `path`, if it was text with this content.
    pub(crate) fn get(&self, path: &str, hash: ContentHash) -> Option<Stamp> {
        self.known.get(path).filter(|(_, known)| *known == Some(hash)).map(|(stamp, _)| *stamp)
    }

    pub(crate) fn put(&mut self, path: Arc<str>, stamp: Stamp, hash: Option<ContentHash>) {
        self.known.insert(path, (stamp, hash));
    }

    /// The content that the file at `path` has, which looks like `stamp` now.
    pub(super) fn prove(&self, path: &str, stamp: &Stamp) -> Option<ContentHash> {
        let (earlier, hash) = self.known.get(path)?;
        if stamp.proves(earlier) { *hash } else { None }
    }

    /// These, but for the paths that are `covered` those of `later`.
    pub(crate) fn replaced(&self, covered: &dyn Fn(&str) -> bool, later: Stamps) -> Stamps {
        let mut later = later;
        // To copy a table takes less than to make it of its parts, so the larger one is added to.
        if later.known.len() < self.known.len() {
            let mut next = self.clone();
            next.known.retain(|path, _| !covered(path));
            next.known.extend(later.known);
            return next;
        }
        let kept = self.known.iter().filter(|(path, _)| !covered(path));
        later.known.extend(kept.map(|(path, known)| (path.clone(), *known)));
        later
    }

    /// The content of each file that [`super::walk`] would read now, in order of path; `None` for one that is too large or not
    /// text.
    ///
    /// A file is not read if its size, its times and its inode are those of the last look and were old enough then. The
    /// times of a file tick, so one that was modified just before it was looked at is read again (git calls such entries
    /// racy).
    ///
    /// # Errors
    /// As [`super::walk`].
    pub fn contents(
        &mut self,
        root: &Path,
        options: &WalkOptions,
        cancel: &Cancel,
    ) -> Result<Vec<(String, Option<ContentHash>)>> {
        check_root(root)?;
        let (paths, _) = list(root, None, options, cancel)?;
        let looked: Vec<(String, Option<Stamp>, Option<ContentHash>)> = paths
            .into_par_iter()
            .map(|path| {
                cancel.check()?;
                let full = below(root, &path);
                let stamp = Stamp::of(&full);
                let hash = match (stamp, self.known.get(&*path)) {
                    (Some(stamp), Some((earlier, hash))) if stamp.proves(earlier) => *hash,
                    _ => read(&full, &path, options, cancel)?.0.map(|file| file.hash),
                };
                Ok((path, stamp, hash))
            })
            .collect::<Result<_>>()?;
        let known = |(path, stamp, hash): &(String, Option<Stamp>, Option<ContentHash>)| {
            stamp.map(|stamp| (path.as_str().into(), (stamp, *hash)))
        };
        self.known = looked.iter().filter_map(known).collect();
        Ok(looked.into_iter().map(|(path, _, hash)| (path, hash)).collect())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::fs::File;

    fn set_modified(path: &Path, ago: Duration) {
        File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - ago).unwrap();
    }

    pub(in crate::source) fn stamp(modified: u64, changed: u64, now: u64) -> Stamp {
        let settled = Duration::from_secs(modified.max(changed)) + TICK <= Duration::from_secs(now);
        let (modified, changed) = (Duration::from_secs(modified), Duration::from_secs(changed));
        Stamp { bytes: 1, modified, changed, inode: 1, settled }
    }

    #[test]
    fn only_a_stamp_that_was_old_enough_when_it_was_taken_proves_anything() {
        let late = stamp(10, 10, 99);
        assert!(late.proves(&stamp(10, 10, 12)));
        assert!(!late.proves(&stamp(10, 10, 11)), "it may have been modified in the rest of the tick");
        assert!(!late.proves(&stamp(9, 10, 99)));
        assert!(!late.proves(&stamp(10, 9, 99)), "the time was set back");
        assert!(!late.proves(&Stamp { bytes: 2, ..late }));
        assert!(!late.proves(&Stamp { inode: 2, ..late }));
    }

    #[test]
    fn a_file_that_keeps_size_and_time_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.ex");
        let mut stamps = Stamps::default();
        let mut look =
            || stamps.contents(root.path(), &WalkOptions::default(), &Cancel::new()).unwrap().remove(0).1;
        let of = |text: &str| Some(ContentHash::of(text.as_bytes()));

        // The time when the entry changed is that of this test, so nothing here is old enough to be believed.
        for text in ["one", "two", "ten"] {
            fs::write(&path, text).unwrap();
            set_modified(&path, Duration::from_secs(3600));
            assert_eq!(look(), of(text));
        }
        fs::write(&path, "a\0b").unwrap();
        assert_eq!(look(), None);
    }
}
