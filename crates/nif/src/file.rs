//! Files that others have made, and their names.

use std::path::{Path, PathBuf};

use ambix_core::Cancel;
use ambix_core::source::{below, name_of_bytes, read_file};
use ambix_macros::nif;
use rustler::{Binary, Env, NewBinary, Term};

use crate::guard::guard;

/// No more is read at once, whatever is asked for: to read so much takes a tenth of a second.
const MOST_BYTES: u64 = 64 << 20;

fn binary<'a>(env: Env<'a>, bytes: &[u8]) -> Binary<'a> {
    let mut binary = NewBinary::new(env, bytes.len());
    binary.as_mut_slice().copy_from_slice(bytes);
    binary.into()
}

/// A path is any bytes where the system takes them.
fn path(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Path::new(std::ffi::OsStr::from_bytes(bytes)).to_path_buf()
    }
    #[cfg(not(unix))]
    PathBuf::from(&*String::from_utf8_lossy(bytes))
}

/// The bytes of a regular file that has at most `most`.
#[nif(schedule = "DirtyIo")]
fn file_read<'a>(env: Env<'a>, file: Binary<'a>, most: u64) -> Term<'a> {
    guard(env, || {
        let bytes = read_file(&path(file.as_slice()), most.min(MOST_BYTES), &Cancel::new())?;
        Ok(binary(env, &bytes))
    })
}

/// The name that an index gives to a path.
#[nif(schedule = "DirtyCpu")]
fn file_name<'a>(env: Env<'a>, file: Binary<'a>) -> Term<'a> {
    guard(env, || Ok(name_of_bytes(file.as_slice())))
}

/// The path of the file that an index gives this name.
#[nif(schedule = "DirtyCpu")]
fn file_path<'a>(env: Env<'a>, root: Binary<'a>, name: &str) -> Term<'a> {
    guard(env, || {
        let path = below(&path(root.as_slice()), name);
        Ok(binary(env, path.as_os_str().as_encoded_bytes()))
    })
}
