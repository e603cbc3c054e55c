//! Nothing that happens in a NIF ends the VM: panics are caught here, with their text.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use ambix_core::Result;
use ambix_macros::nif;
use rustler::types::atom;
use rustler::{Encoder, Env, Term};

use crate::error;

/// How work ended: with a value, with an error, or with a panic whose text was kept.
pub enum Outcome<T> {
    /// The work came to its end.
    Done(Result<T>),
    /// The work panicked.
    Panicked(String),
}

impl<T> Outcome<T> {
    /// `{:ok, value}` or `{:error, %Ambix.Error{}}`.
    pub fn encode<'a>(self, env: Env<'a>, value: impl FnOnce(Env<'a>, T) -> Term<'a>) -> Term<'a> {
        match self {
            Outcome::Done(Ok(done)) => (atom::ok(), value(env, done)).encode(env),
            Outcome::Done(Err(failure)) => (atom::error(), error::encode(env, &failure)).encode(env),
            Outcome::Panicked(text) => (atom::error(), error::encode_panic(env, &text)).encode(env),
        }
    }
}

/// Runs `work` and catches its panics.
pub fn run<T>(work: impl FnOnce() -> Result<T>) -> Outcome<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(keep_place_of_panics);
    let before = GUARDED.replace(true);
    // The state that a panic leaves behind is either dropped with the closure or guarded by locks that do not poison.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    match outcome {
        Ok(result) => Outcome::Done(result),
        Err(payload) => Outcome::Panicked(format!("{}{}", text(payload.as_ref()), PLACE.take())),
    }
}

/// The body of a NIF: runs `work` and answers `{:ok, value}` or `{:error, %Ambix.Error{}}`.
pub fn guard<'a, T: Encoder>(env: Env<'a>, work: impl FnOnce() -> Result<T>) -> Term<'a> {
    run(|| work().map(|value| value.encode(env))).encode(env, |_, term| term)
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<String> = const { Cell::new(String::new()) };
}

/// Inside a guard a panic is an error that the caller sees, so it is not printed as well; its place is kept instead.
/// The hook is this library's own: each dynamic library has its own copy of the standard library.
fn keep_place_of_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if GUARDED.get() {
            PLACE.set(info.location().map(|place| format!(" (at {place})")).unwrap_or_default());
        } else {
            print(info);
        }
    }));
}

fn text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_string()
    } else {
        "no text".to_string()
    }
}

/// Panics on purpose, so that a test can see what becomes of it.
#[nif]
// normal: returns at once
fn panic_on_purpose(env: Env<'_>, text: String) -> Term<'_> {
    guard(env, || -> Result<bool> { std::panic::panic_any(text) })
}
