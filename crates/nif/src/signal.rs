//! Ctrl-C as an orderly end, for the commands of `lib/mix`: `Ambix.CLI.Interrupt`.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ambix_core::{Error, ErrorKind};
use ambix_macros::nif;
use rustler::{Env, Term};

use crate::guard::guard;

/// What the VM did about SIGINT before; `None` while that is in force.
static BEFORE: Mutex<Option<libc::sigaction>> = Mutex::new(None);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The VM's own SIGINT brings a menu and then ends with 0, and it lets no Erlang code handle it. SIGTERM it does.
extern "C" fn terminate(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
    // SAFETY: both functions are safe to call from a signal handler, and take no pointers.
    unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
}

/// While it is on, SIGINT acts as SIGTERM, and is remembered.
#[nif]
// normal: one system call
fn signal_interrupt(env: Env<'_>, on: bool) -> Term<'_> {
    guard(env, || {
        let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        match (on, before.take()) {
            (true, None) => *before = Some(set(&handler())?),
            (true, known) => *before = known,
            (false, Some(action)) => drop(set(&action)?),
            (false, None) => {}
        }
        Ok(())
    })
}

/// Whether SIGINT came while it was on.
#[nif]
// normal: reads a flag
fn signal_interrupted(env: Env<'_>) -> Term<'_> {
    guard(env, || Ok(INTERRUPTED.load(Ordering::Relaxed)))
}

fn handler() -> libc::sigaction {
    // SAFETY: a sigaction of zeroes is valid: no flags, no blocked signals, the default action.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = terminate as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    action
}

/// Sets what SIGINT does, and answers what it did.
fn set(action: &libc::sigaction) -> ambix_core::Result<libc::sigaction> {
    let mut before = MaybeUninit::uninit();
    // SAFETY: both pointers are valid for the time of the call, which writes `before` when it answers 0.
    if unsafe { libc::sigaction(libc::SIGINT, action, before.as_mut_ptr()) } == 0 {
        // SAFETY: written by the call.
        Ok(unsafe { before.assume_init() })
    } else {
        let reason = std::io::Error::last_os_error();
        Err(Error::new(ErrorKind::Io, format!("Ctrl-C cannot be handled: {reason}")))
    }
}
