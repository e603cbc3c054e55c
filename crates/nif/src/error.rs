//! `%Ambix.Error{}`, made in one place.

use std::collections::HashMap;

use ambix_core::{Error, ErrorKind};
use ambix_macros::nif;
use rustler::{Atom, Encoder, Env, NifException, Term};

#[derive(NifException)]
#[module = "Ambix.Error"]
struct ExError<'a> {
    kind: Atom,
    message: String,
    details: Term<'a>,
}

/// The term of an error.
pub fn encode<'a>(env: Env<'a>, error: &Error) -> Term<'a> {
    let mut details: HashMap<Atom, String> = HashMap::new();
    if let (Some(path), Ok(key)) = (error.path(), Atom::from_str(env, "path")) {
        details.insert(key, path.to_string_lossy().into_owned());
    }
    exception(env, error.kind(), error.to_string(), details.encode(env))
}

/// The term of a caught panic.
pub fn encode_panic<'a>(env: Env<'a>, text: &str) -> Term<'a> {
    let message = format!("Ambix's native code panicked, which is a bug in Ambix: {text}");
    exception(env, ErrorKind::Panic, message, Term::map_new(env))
}

fn exception<'a>(env: Env<'a>, kind: ErrorKind, message: String, details: Term<'a>) -> Term<'a> {
    match Atom::from_str(env, kind.as_str()) {
        Ok(kind) => ExError { kind, message, details }.encode(env),
        Err(_) => message.encode(env),
    }
}

/// The kinds of error, as the Elixir library must list them.
#[nif]
// normal: a short constant list
fn error_kinds(env: Env<'_>) -> Term<'_> {
    let kinds: Vec<Atom> =
        ErrorKind::ALL.iter().filter_map(|kind| Atom::from_str(env, kind.as_str()).ok()).collect();
    kinds.encode(env)
}
