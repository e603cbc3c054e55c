//! The library as a whole: the handshake at load, and what it exports.

use std::ffi::CStr;

use ambix_macros::nif;
use rustler::codegen_runtime::inventory;
use rustler::{Env, Term};

/// Called when the BEAM loads the library with the version of the Elixir code as load data; refuses any other version,
/// so that code and library never disagree about what a function takes.
pub fn load(_env: Env<'_>, version: Term<'_>) -> bool {
    version.decode::<&str>().is_ok_and(|version| version == env!("CARGO_PKG_VERSION"))
}

/// Name and arity of every NIF, to be compared with the stubs of `Ambix.Native`.
#[nif]
// normal: a short constant list
fn nif_functions() -> Vec<(String, u32)> {
    let mut functions: Vec<(String, u32)> = inventory::iter::<rustler::Nif>()
        .map(|nif| {
            // SAFETY: `name` is the constant C string that the `nif` attribute made.
            let name = unsafe { CStr::from_ptr(nif.name) };
            (name.to_string_lossy().into_owned(), nif.arity)
        })
        .collect();
    functions.sort();
    functions
}

/// What this library was compiled with.
#[nif]
// normal: a short constant list
fn features() -> Vec<&'static str> {
    let mut features = Vec::new();
    if cfg!(feature = "inference") {
        features.push("inference");
    }
    if cfg!(feature = "cuda") {
        features.push("cuda");
    }
    if cfg!(feature = "metal") {
        features.push("metal");
    }
    features
}
