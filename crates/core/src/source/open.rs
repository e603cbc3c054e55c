//! The one door through which foreign files are opened.
//!
//! A path that a project, a user or a model names can lead to anything: a named pipe, on which an open call waits for ever; a
//! device, which never ends; a link to either; a file of a terabyte. Every function here therefore refuses what is no regular
//! file. It asks for the kind before it opens, since to open a device can have effects, and again of the opened descriptor,
//! since another file may have come into its place. Nothing here waits, and what is read has a ceiling.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::Read;
use std::path::Path;

use crate::{Cancel, Error, ErrorKind, Result};

/// So much is read between two looks at the token that cancels.
const BLOCK: u64 = 1 << 20;

/// A regular file that was opened, and what the system said of it then.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
}

/// Whether the last part of a path may be a link. Links to folders before it are always followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Followed,
    Refused,
}

/// Opens a file to read it.
///
/// # Errors
/// [`ErrorKind::NotFound`]; [`ErrorKind::Io`] for what is no regular file or a link that is refused, and from the operating system.
pub(crate) fn open(path: &Path, links: Links) -> Result<Opened> {
    open_as(path, links, "read", OpenOptions::new().read(true))
}

/// Opens a file that is there to read and write it. A link is refused.
///
/// # Errors
/// Those of [`open`].
pub(crate) fn open_to_write(path: &Path) -> Result<Opened> {
    open_as(path, Links::Refused, "write", OpenOptions::new().read(true).write(true))
}

/// Opens a file to read and write it, and makes it if it is not there. A link is refused, also one that leads nowhere.
///
/// # Errors
/// Those of [`open`].
pub(crate) fn open_or_create(path: &Path) -> Result<Opened> {
    let mut options = OpenOptions::new();
    open_as(path, Links::Refused, "write", options.read(true).write(true).create(true).truncate(false))
}

/// Makes an empty file in place of whatever file or link has this name. Nothing that a link leads to is touched.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn create_anew(path: &Path) -> Result<File> {
    let failed = |error| Error::io(path, "write", error);
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
        _ => OpenOptions::new().write(true).create_new(true).open(path).map_err(failed),
    }
}

/// Makes sure that the names of files in a folder are on the disk. Where that cannot be asked for, the system does it in its time.
pub(crate) fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

/// The bytes of the file at `path`, which may be a link, if there are at most `most`.
///
/// # Errors
/// [`ErrorKind::NotFound`]; [`ErrorKind::Io`] for what is no regular file, and from the operating system;
/// [`ErrorKind::Limit`] for more than `most` bytes; those of [`Cancel::check`].
pub fn read_file(path: &Path, most: u64, cancel: &Cancel) -> Result<Vec<u8>> {
    open(path, Links::Followed)?.read(path, most, cancel)
}

impl Opened {
    /// Hands its bytes to `take`, one block after the other.
    ///
    /// # Errors
    /// Those of [`Opened::read`].
    pub(crate) fn blocks(
        &self,
        path: &Path,
        most: u64,
        cancel: &Cancel,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        // Files are small as a rule, and one byte more than they have shows that they end.
        let size = self.metadata.len().saturating_add(1).min(BLOCK);
        let mut block = Vec::with_capacity(size as usize);
        let mut left = most;
        loop {
            cancel.check()?;
            block.clear();
            let read = (&self.file).take(BLOCK).read_to_end(&mut block);
            let read = read.map_err(|error| Error::io(path, "read", error))? as u64;
            left = left.checked_sub(read).ok_or_else(|| too_large(path, most))?;
            take(&block);
            if read < BLOCK {
                return Ok(());
            }
        }
    }

    /// Its bytes from where it stands, if there are at most `most`. A file that grows meanwhile is held to that, too.
    pub(crate) fn read(&self, path: &Path, most: u64, cancel: &Cancel) -> Result<Vec<u8>> {
        if self.metadata.len() > most {
            return Err(too_large(path, most));
        }
        let mut bytes = Vec::with_capacity(self.metadata.len() as usize);
        self.blocks(path, most, cancel, &mut |block| bytes.extend_from_slice(block))?;
        Ok(bytes)
    }
}

fn open_as(path: &Path, links: Links, doing: &str, options: &mut OpenOptions) -> Result<Opened> {
    let failed = |error| Error::io(path, doing, error);
    let metadata = match links {
        Links::Followed => fs::metadata(path),
        Links::Refused => fs::symlink_metadata(path),
    };
    match metadata {
        Ok(metadata) => check(path, doing, &metadata)?,
        // It may be made: the operating system knows.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_link = if links == Links::Refused { libc::O_NOFOLLOW } else { 0 };
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | no_link);
    }
    let file = options.open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    check(path, doing, &metadata)?;
    Ok(Opened { file, metadata })
}

fn check(path: &Path, doing: &str, metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let message = format!(
        "cannot {doing} {}: it is {}, and only a regular file is opened: name one, or take this one away",
        path.display(),
        kind(metadata)
    );
    Err(Error::new(ErrorKind::Io, message).with_path(path))
}

/// What it is that is no regular file.
fn kind(metadata: &Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a named pipe";
        } else if kind.is_socket() {
            return "a socket";
        } else if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if metadata.is_dir() {
        "a folder"
    } else if metadata.is_symlink() {
        "a link"
    } else {
        "something else"
    }
}

fn too_large(path: &Path, most: u64) -> Error {
    let message = format!("{} has more than the {most} bytes that are read of such a file", path.display());
    Error::new(ErrorKind::Limit, message).with_path(path)
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
