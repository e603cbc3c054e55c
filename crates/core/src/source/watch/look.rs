//! What a folder looks like at a time, and what differs from an earlier look.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use super::FETCHED;
use crate::source::WalkOptions;
use crate::source::list::list;
use crate::source::name::below;
use crate::source::stamp::Stamp;
use crate::{Cancel, Result};

/// The stamps of all files that are read, and of what tells when dependencies were fetched.
pub(super) type Stamped = BTreeMap<String, Stamp>;

/// What the files below `root` look like now.
pub(super) fn look(root: &Path, options: &WalkOptions, cancel: &Cancel) -> Result<Stamped> {
    let (mut paths, _) = list(root, None, options, cancel)?;
    paths.extend(FETCHED.map(String::from));
    let stamp = |path: String| Stamp::of(&below(root, &path)).map(|stamp| (path, stamp));
    Ok(paths.into_par_iter().filter_map(stamp).collect())
}

/// The paths of which a later look does not prove that they are as they were.
pub(super) fn differences(earlier: &Stamped, later: &Stamped) -> BTreeSet<String> {
    let kept = |path: &String| match (earlier.get(path), later.get(path)) {
        (Some(earlier), Some(later)) => later.proves(earlier),
        _ => false,
    };
    earlier.keys().chain(later.keys()).filter(|path| !kept(path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::stamp::tests::stamp;

    #[test]
    fn looks_differ_by_what_changed_came_and_went() {
        let old = stamp(10, 10, 99);
        let stamped = |entries: &[(&str, Stamp)]| -> Stamped {
            entries.iter().map(|(path, stamp)| (path.to_string(), *stamp)).collect()
        };
        let earlier = stamped(&[("a", old), ("b", old), ("c", old), ("racy", stamp(10, 10, 11))]);
        let later = stamped(&[("a", old), ("b", stamp(11, 11, 99)), ("d", old), ("racy", old)]);
        let found: Vec<_> = differences(&earlier, &later).into_iter().collect();
        assert_eq!(found, ["b", "c", "d", "racy"]);
    }
}
