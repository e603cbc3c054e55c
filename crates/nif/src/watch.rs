//! Watches of folders as handles, and what an index knows of them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ambix_core::lanes::Lane;
use ambix_core::source::{self, ChangeBatch, Changed, Means, Watch, WatchOptions, WatchState};
use ambix_core::{Error, ErrorKind, Result};
use ambix_macros::nif;
use parking_lot::Mutex;
use rustler::types::atom;
use rustler::{Atom, Encoder, Env, LocalPid, Monitor, NifMap, Resource, ResourceArc, Term};

use crate::guard::guard;
use crate::index::IndexRef;
use crate::job::{self, Owner};
use crate::live::{Kind, Live};

mod atoms {
    rustler::atoms! { changed, all, events, polling, fresh, updating, stale, unknown }
}

/// The handle of a watch. It ends with the handle and with the process that ordered it.
pub struct WatchRef {
    watch: Mutex<Option<Watch>>,
    state: WatchState,
}

#[rustler::resource_impl]
impl Resource for WatchRef {
    const IMPLEMENTS_DOWN: bool = true;

    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.end();
    }
}

impl WatchRef {
    fn end(&self) {
        drop(self.watch.lock().take());
    }
}

/// What is known of the folder of an index.
pub struct Followed {
    state: WatchState,
    /// How much of what the watch has seen the index holds.
    applied: AtomicU64,
    /// Whether the last update failed.
    failed: AtomicBool,
}

impl Followed {
    /// How much the watch has seen: to be asked before files are read.
    pub fn seen(&self) -> u64 {
        self.state.seen()
    }

    /// The index holds what the watch had seen then.
    pub fn applied(&self, seen: u64) {
        self.applied.fetch_max(seen, Ordering::SeqCst);
        self.failed.store(false, Ordering::SeqCst);
    }

    /// The index cannot be brought up to date.
    pub fn failed(&self) {
        self.failed.store(true, Ordering::SeqCst);
    }
}

/// Whether an answer tells what is on the disk. To be asked before the index is read that answers.
pub fn freshness(followed: Option<&Followed>) -> Atom {
    let Some(followed) = followed else { return atoms::unknown() };
    // In this order: what was applied when all was asked for is in the number that is compared.
    let applied = followed.applied.load(Ordering::SeqCst);
    if followed.state.means() == Means::Nothing || followed.failed.load(Ordering::SeqCst) {
        atoms::stale()
    } else if followed.state.is_all(applied) {
        atoms::fresh()
    } else {
        atoms::updating()
    }
}

#[derive(NifMap)]
#[rustler(decode)]
struct ExWatchOptions {
    quiet: u64,
    max_delay: u64,
    poll: u64,
    only_poll: bool,
    max_file_bytes: u64,
    nested_repositories: bool,
}

impl From<ExWatchOptions> for WatchOptions {
    fn from(options: ExWatchOptions) -> WatchOptions {
        let standard = WatchOptions::default();
        let quiet = Duration::from_millis(options.quiet);
        WatchOptions {
            walk: source::WalkOptions {
                max_file_bytes: options.max_file_bytes,
                nested_repositories: options.nested_repositories,
                ..standard.walk
            },
            quiet,
            max_delay: Duration::from_millis(options.max_delay).max(quiet),
            git_quiet: standard.git_quiet.max(quiet),
            poll: Duration::from_millis(options.poll.max(1)),
            only_poll: options.only_poll,
            ..standard
        }
    }
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExWatched {
    means: Option<Atom>,
    seen: u64,
    pending: usize,
    pending_ms: u64,
}

/// Answers with a handle as the result of a job, and from then on sends `{ref, {:changed, seen, paths | :all}}`.
#[nif]
// normal: starts a job
fn watch_start<'a>(env: Env<'a>, reference: Term<'a>, root: String, options: ExWatchOptions) -> Term<'a> {
    let pid = env.pid();
    let owner = Owner::new(pid, reference);
    job::start(env, reference, Lane::Build, move |_| {
        let live = Live::new(Kind::Watch);
        let tell = move |batch: ChangeBatch| {
            let _live = &live;
            // If nobody hears it, the end of the watch is on its way.
            owner.send(|env| (atoms::changed(), batch.seen, encode(env, batch.changed)).encode(env));
        };
        let watch = source::watch(&PathBuf::from(root), &options.into(), tell)?;
        let watch = WatchRef { state: watch.state(), watch: Mutex::new(Some(watch)) };
        let watch = ResourceArc::new(watch);
        match watch.monitor(None, &pid) {
            Some(_) => Ok(watch),
            None => Err(Error::new(ErrorKind::Cancelled, "the process that ordered the watch is gone")),
        }
    })
}

/// Ends a watch.
#[nif]
// normal: sends a message to its thread
fn watch_stop(watch: ResourceArc<WatchRef>) -> Atom {
    watch.end();
    atom::ok()
}

/// What a watch has seen.
#[nif]
// normal: reads a few numbers
fn watch_state(env: Env<'_>, watch: ResourceArc<WatchRef>) -> Term<'_> {
    guard(env, || {
        let means = match watch.state.means() {
            Means::Events => Some(atoms::events()),
            Means::Polling => Some(atoms::polling()),
            Means::Nothing => None,
        };
        let seen = watch.state.seen();
        let (pending, waiting) = watch.state.pending();
        Ok(ExWatched { means, seen, pending, pending_ms: waiting.as_millis() as u64 })
    })
}

/// From now on the answers of an index say how it stands with its folder. It holds what the watch had seen at `seen`, which is
/// 0 if it was not read since the watch began.
#[nif]
// normal: stores a pointer
fn index_follow(
    env: Env<'_>,
    index: ResourceArc<IndexRef>,
    watch: ResourceArc<WatchRef>,
    seen: u64,
) -> Term<'_> {
    guard(env, || -> Result<bool> {
        let (state, failed) = (watch.state.clone(), AtomicBool::new(false));
        index.follow(Followed { state, applied: AtomicU64::new(seen), failed });
        Ok(true)
    })
}

fn encode(env: Env<'_>, changed: Changed) -> Term<'_> {
    match changed {
        Changed::Paths(paths) => paths.into_iter().collect::<Vec<_>>().encode(env),
        Changed::Rescan => atoms::all().encode(env),
    }
}
