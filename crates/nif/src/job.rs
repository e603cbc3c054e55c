//! Long work, on threads of our own.
//!
//! A job runs on a worker thread, never on a scheduler of the BEAM. It sends `{ref, {:progress, map}}` and other events
//! while it runs and `{ref, {:ok, value} | {:error, error}}` at the end. Dropping the handle does not stop it; cancelling
//! it does, and so does the end of the process that ordered it.

use std::thread;
use std::time::{Duration, Instant};

use ambix_core::job::Progress;
use ambix_core::lanes::{Lane, Task};
use ambix_core::{Cancel, Error, ErrorKind, Result};
use ambix_macros::nif;
use parking_lot::Mutex;
use rustler::env::SavedTerm;
use rustler::types::atom;
use rustler::{Atom, Encoder, Env, LocalPid, Monitor, OwnedEnv, Resource, ResourceArc, Term};

use crate::guard::{self, guard};
use crate::live::{Kind, Live};
use crate::pool;

mod atoms {
    rustler::atoms! { progress, phase, done, total, query, build, model }
}

/// The handle of a job.
pub struct Job {
    cancel: Cancel,
    _live: Live,
}

#[rustler::resource_impl]
impl Resource for Job {
    const IMPLEMENTS_DOWN: bool = true;

    fn down<'a>(&'a self, _env: Env<'a>, _pid: LocalPid, _monitor: Monitor) {
        self.cancel.cancel();
    }
}

/// The way to the process that ordered something: `{ref, event}`.
pub struct Owner {
    pid: LocalPid,
    // In a lock because several threads of one job may report, and a BEAM environment is for one at a time.
    reference: Mutex<(OwnedEnv, SavedTerm)>,
}

impl Owner {
    /// The process `pid`, whose messages are marked by the term `reference`.
    pub fn new(pid: LocalPid, reference: Term<'_>) -> Owner {
        let own = OwnedEnv::new();
        let saved = own.save(reference);
        Owner { pid, reference: Mutex::new((own, saved)) }
    }

    /// Sends `{ref, event}`, and returns whether the process lives.
    pub fn send(&self, event: impl for<'b> FnOnce(Env<'b>) -> Term<'b>) -> bool {
        let held = self.reference.lock();
        let (own, saved) = &*held;
        own.run(|from| {
            let reference = saved.load(from);
            OwnedEnv::new().send_and_clear(&self.pid, |env| (reference.in_env(env), event(env)).encode(env))
        })
        .is_ok()
    }
}

/// What a running job holds: its token, and the way to its owner.
pub struct Reporter {
    owner: Owner,
    cancel: Cancel,
}

impl Reporter {
    /// The token that stops the job.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Sends `{ref, event}`. An owner that is gone cancels the job.
    pub fn send(&self, event: impl for<'b> FnOnce(Env<'b>) -> Term<'b>) {
        if !self.owner.send(event) {
            self.cancel.cancel();
        }
    }

    /// Sends `{ref, {:progress, %{phase:, done:, total:}}}`.
    pub fn progress(&self, progress: Progress) {
        self.send(|env| {
            let phase = Atom::from_str(env, progress.phase).unwrap_or_else(|_| atoms::progress());
            let map = Term::map_from_pairs(
                env,
                &[
                    (atoms::phase().encode(env), phase.encode(env)),
                    (atoms::done().encode(env), progress.done.encode(env)),
                    (atoms::total().encode(env), progress.total.encode(env)),
                ],
            );
            (atoms::progress(), map.unwrap_or_else(|_| Term::map_new(env))).encode(env)
        });
    }
}

/// Starts a job for the calling process and answers `{:ok, handle}` at once.
///
/// `reference` is the reference that marks its messages. The result of `work` is sent as `{:ok, value}` or `{:error, error}`.
pub fn start<'a, T, F>(env: Env<'a>, reference: Term<'a>, lane: Lane, work: F) -> Term<'a>
where
    T: Encoder + Send + 'static,
    F: FnOnce(&Reporter) -> Result<T> + Send + 'static,
{
    guard(env, || {
        // Any other term would be copied, which may take as long as it likes.
        if !reference.is_ref() {
            return Err(Error::invalid("a job needs a reference that marks its messages"));
        }
        let cancel = Cancel::new();
        let job = ResourceArc::new(Job { cancel: cancel.clone(), _live: Live::new(Kind::Job) });
        let owner = env.pid();
        if job.monitor(Some(env), &owner).is_none() {
            return Err(Error::new(ErrorKind::Cancelled, "the process that ordered the work is gone"));
        }
        let reporter = Reporter { owner: Owner::new(owner, reference), cancel: cancel.clone() };
        let held = job.clone();
        let work = Box::new(move || {
            let outcome = guard::run(|| {
                reporter.cancel.check()?;
                work(&reporter)
            });
            reporter.send(|env| outcome.encode(env, |env, value| value.encode(env)));
            drop(held);
        });
        pool::submit(lane, Task { owner: Some(owner), cancel, work })?;
        Ok(job)
    })
}

/// Asks a job to stop. It still answers, with an error of the kind `:cancelled` or with its result if it was done.
#[nif]
// normal: sets a flag
fn job_cancel(job: ResourceArc<Job>) -> Atom {
    job.cancel.cancel();
    atom::ok()
}

/// Waits until it is cancelled or `milliseconds` are over, so that tests can see how jobs end.
#[nif]
// normal: starts a job
fn job_wait<'a>(env: Env<'a>, reference: Term<'a>, milliseconds: u64) -> Term<'a> {
    start(env, reference, Lane::Query, move |reporter| {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(milliseconds) {
            reporter.cancel().check()?;
            thread::sleep(Duration::from_millis(1));
        }
        Ok(milliseconds)
    })
}

/// Holds a thread of a lane for `milliseconds`, cancelled or not, so that tests can see what becomes of others.
#[nif]
// normal: starts a job
fn job_hang<'a>(env: Env<'a>, reference: Term<'a>, lane: Atom, milliseconds: u32) -> Term<'a> {
    let lane = if lane == atoms::build() {
        Lane::Build
    } else if lane == atoms::model() {
        Lane::Model
    } else if lane == atoms::query() {
        Lane::Query
    } else {
        return guard(env, || -> Result<bool> {
            Err(Error::invalid("the lane is one of :query, :build and :model"))
        });
    };
    start(env, reference, lane, move |_| {
        thread::sleep(Duration::from_millis(milliseconds.into()));
        Ok(milliseconds)
    })
}
