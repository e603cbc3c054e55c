//! What `Ambix.Sandbox` needs of the system and Elixir cannot ask for: filters of system calls, and how many files a file
//! system holds.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod filter;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod syscalls;

use std::ffi::CString;
use std::mem::MaybeUninit;

use ambix_core::{Error, ErrorKind, Result};
use ambix_macros::nif;
use rustler::{Env, OwnedBinary, Term};

use crate::guard::guard;

/// The filters of system calls for a sandboxed program, as BPF programs that `bwrap --add-seccomp-fd` reads. An empty list on
/// systems and processors that there are none for.
#[nif(schedule = "DirtyCpu")]
fn sandbox_filters(env: Env<'_>) -> Term<'_> {
    guard(env, || {
        let encode = |program: &Vec<u8>| {
            let mut binary = OwnedBinary::new(program.len());
            binary.as_mut_slice().copy_from_slice(program);
            binary.release(env)
        };
        Ok(programs()?.iter().map(encode).collect::<Vec<_>>())
    })
}

/// How many files and folders the file system at `path` holds; 0 where it does not count them.
#[nif(schedule = "DirtyIo")]
fn sandbox_files<'a>(env: Env<'a>, path: &str) -> Term<'a> {
    let path = CString::new(path);
    guard(env, || {
        let path = path.map_err(|_| Error::new(ErrorKind::InvalidArgument, "a path holds no zero byte"))?;
        let mut answer = MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: `path` ends with a zero byte, and the call writes `answer` when it answers 0.
        if unsafe { libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
            let reason = std::io::Error::last_os_error();
            return Err(Error::new(ErrorKind::Io, format!("the file system cannot be asked: {reason}")));
        }
        // SAFETY: written by the call.
        let answer = unsafe { answer.assume_init() };
        Ok(answer.f_files.saturating_sub(answer.f_ffree))
    })
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn programs() -> Result<Vec<Vec<u8>>> {
    filter::programs()
        .map_err(|error| Error::new(ErrorKind::Unavailable, format!("no filter of system calls: {error}")))
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn programs() -> Result<Vec<Vec<u8>>> {
    Ok(Vec::new())
}
