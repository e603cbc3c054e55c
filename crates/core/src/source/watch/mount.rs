//! Which file systems tell of changes.

use std::path::{Path, PathBuf};

/// File systems whose files others can change, of which this machine hears nothing.
const SILENT: [&str; 15] = [
    "9p",
    "afs",
    "ceph",
    "cifs",
    "coda",
    "drvfs",
    "fuse",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
    "vboxsf",
];

/// Whether `path`, which is absolute, lies on a file system of the network, by the text of Linux's `/proc/self/mounts`.
pub(super) fn is_remote(mounts: &str, path: &Path) -> bool {
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (point, kind) = (unescaped(words.next()?), words.next()?);
        path.starts_with(&point).then(|| (point.as_os_str().len(), kind.to_string()))
    };
    // Of two mounts at one point the later one is seen.
    let seen = mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length);
    seen.is_some_and(|(_, kind)| SILENT.contains(&&*kind) || kind.starts_with("fuse."))
}

/// Blanks and the like are written as a backslash and three octal digits.
fn unescaped(point: &str) -> PathBuf {
    let mut parts = point.split('\\');
    let mut text = parts.next().unwrap_or_default().to_string();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                text.push(char::from(byte));
                text.push_str(&part[3..]);
            }
            None => {
                text.push('\\');
                text.push_str(part);
            }
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_and_latest_mount_counts() {
        let mounts = "overlay / overlay rw 0 0
server:/home /home nfs4 rw 0 0
tmpfs /home/me/ram tmpfs rw 0 0
me@there: /home/me/ram/a\\040b fuse.sshfs rw 0 0
/dev/sda1 /twice ext4 rw 0 0
host /twice 9p rw 0 0
odd";
        for (path, remote) in [
            ("/", false),
            ("/homework", false),
            ("/home", true),
            ("/home/me/code", true),
            ("/home/me/ram/code", false),
            ("/home/me/ram/a b/code", true),
            ("/twice/code", true),
        ] {
            assert_eq!(is_remote(mounts, Path::new(path)), remote, "{path}");
        }
        assert!(!is_remote("", Path::new("/a")));
    }
}
