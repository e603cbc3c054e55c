//! What the library that the BEAM loads is linked with.

use std::fs;
use std::path::Path;

/// Where `mix compile` puts the library when it compiles for tests.
const LIBRARY: &str = "_build/test/lib/ambix/priv/native/ambix_native.so";

/// Fails when the library needs C++: an exception that leaves C++ code ends the VM, and no guard of ours can catch it.
pub fn check(root: &Path) -> Result<(), String> {
    let bytes = fs::read(root.join(LIBRARY))
        .map_err(|error| format!("cannot read {LIBRARY}: {error}; `MIX_ENV=test mix compile` makes it"))?;
    match runtime_of_cpp(&bytes) {
        None => {
            println!("library: {} KiB, without C++", bytes.len() >> 10);
            Ok(())
        }
        Some(name) => Err(format!(
            "the library is linked with {name}; `cargo tree --package ambix_native --invert cc` shows by which crate"
        )),
    }
}

/// The C++ runtime that a dynamic library names.
fn runtime_of_cpp(library: &[u8]) -> Option<&'static str> {
    ["libstdc++", "libc++", "__cxa_throw"].into_iter().find(|name| {
        let name = name.as_bytes();
        library.windows(name.len()).any(|window| window == name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtimes_of_cpp_are_found() {
        assert_eq!(runtime_of_cpp(b"\x7fELF\0libgcc_s.so.1\0libc.so.6\0"), None);
        assert_eq!(runtime_of_cpp(b"\x7fELF\0libc.so.6\0libstdc++.so.6\0"), Some("libstdc++"));
        assert_eq!(runtime_of_cpp(b"\x7fELF\0_Unwind_Resume\0__cxa_throw\0"), Some("__cxa_throw"));
    }
}
