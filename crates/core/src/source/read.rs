//! One file of a project, as the text that it is.

use std::path::Path;
use std::time::UNIX_EPOCH;

use super::generated::generated;
use super::list::diagnostic;
use super::open::{Links, open};
use super::{Diagnostic, File, Severity, WalkOptions};
use crate::{Cancel, ErrorKind, Result};

/// The file at `full` if it is text, and what is to be said of it.
pub(super) fn read(
    full: &Path,
    path: &str,
    options: &WalkOptions,
    cancel: &Cancel,
) -> Result<(Option<File>, Vec<Diagnostic>)> {
    let refuse = |code, message| Ok((None, vec![diagnostic(path, Severity::Error, code, message)]));
    // Spans count bytes in 32 bits.
    let limit = options.max_file_bytes.min(u64::from(u32::MAX));
    let opened = match open(full, Links::Refused) {
        Ok(opened) => opened,
        Err(error) => return refuse("unreadable", format!("the file could not be read: {error}")),
    };
    // Before it is read: who writes meanwhile is later than this.
    let modified = opened.metadata.modified().ok();
    let bytes = match opened.read(full, limit, cancel) {
        Ok(bytes) => bytes,
        Err(error) => match error.kind() {
            ErrorKind::Cancelled | ErrorKind::Timeout => return Err(error),
            ErrorKind::Limit => {
                return refuse("too_large", format!("the file has more than {limit} bytes and was left out"));
            }
            _ => return refuse("unreadable", format!("the file could not be read: {error}")),
        },
    };
    if bytes.contains(&0) {
        return refuse("binary", "the file holds NUL bytes, so it is not text".into());
    }
    let modified = modified
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|time| u64::try_from(time.as_millis()).ok());
    if let Some(why) = generated(path, &bytes) {
        let message = format!("the file was left out: {why}");
        return Ok((None, vec![diagnostic(path, Severity::Warning, "generated", message)]));
    }
    let file = |text: String| Some(File { modified, ..File::new(path, text) });
    Ok(match String::from_utf8(bytes) {
        Ok(text) => (file(text), Vec::new()),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let message =
                format!("the file is not UTF-8 from byte {at} on; what is not was replaced by U+FFFD");
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            (file(text), vec![diagnostic(path, Severity::Warning, "encoding", message)])
        }
    })
}
