//! Long work, on threads of our own.
//!
//! A job runs on a worker thread, never on a scheduler of the BEAM. It sends `{ref, {:progress, map}}` and other events
//! while it runs and `{ref, {:ok, value} | {:error, error}}` at the end. Dropping the handle does not stop it; cancelling
//! it does, and so does the end of the process that ordered it.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::thread;

use ambix_core::job::Progress;
use ambix_core::{Cancel, Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use rustler::env::SavedTerm;
use rustler::types::atom;
use rustler::{Atom, Encoder, Env, LocalPid, Monitor, OwnedEnv, Resource, ResourceArc, Term};

use crate::guard::{self, guard};
use crate::live::{Kind, Live};

mod atoms {
    rustler::atoms! { progress, phase, done, total }
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
/// `reference` is the term that marks its messages. The result of `work` is sent as `{:ok, value}` or `{:error, error}`.
pub fn start<'a, T, F>(env: Env<'a>, reference: Term<'a>, work: F) -> Term<'a>
where
    T: Encoder + Send + 'static,
    F: FnOnce(&Reporter) -> Result<T> + Send + 'static,
{
    guard(env, || {
        let cancel = Cancel::new();
        let job = ResourceArc::new(Job { cancel: cancel.clone(), _live: Live::new(Kind::Job) });
        let owner = env.pid();
        if job.monitor(Some(env), &owner).is_none() {
            return Err(Error::new(ErrorKind::Cancelled, "the process that ordered the work is gone"));
        }
        let reporter = Reporter { owner: Owner::new(owner, reference), cancel };
        let held = job.clone();
        pool().submit(Box::new(move || {
            let outcome = guard::run(|| {
                reporter.cancel.check()?;
                work(&reporter)
            });
            reporter.send(|env| outcome.encode(env, |env, value| value.encode(env)));
            drop(held);
        }))?;
        Ok(job)
    })
}

/// Asks a job to stop. It still answers, with an error of the kind `:cancelled` or with its result if it was done.
#[rustler::nif]
// normal: sets a flag
fn job_cancel(job: ResourceArc<Job>) -> Atom {
    job.cancel.cancel();
    atom::ok()
}

/// Waits until it is cancelled or `milliseconds` are over, so that tests can see how jobs end.
#[rustler::nif]
// normal: starts a job
fn job_wait<'a>(env: Env<'a>, reference: Term<'a>, milliseconds: u64) -> Term<'a> {
    start(env, reference, move |reporter| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_millis(milliseconds);
        while std::time::Instant::now() < deadline {
            reporter.cancel().check()?;
            thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(milliseconds)
    })
}

type Work = Box<dyn FnOnce() + Send>;

/// Worker threads that are started as they are needed, up to a ceiling; work beyond it waits its turn.
struct Pool {
    state: Mutex<State>,
    wake: Condvar,
    ceiling: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Work>,
    workers: usize,
    idle: usize,
}

/// More than this many waiting jobs are refused: nobody waits for the ten-thousandth.
const MAX_QUEUE: usize = 4096;

/// Deep enough for everything that core does, which recurses nowhere on foreign input.
const STACK_BYTES: usize = 8 << 20;

fn pool() -> &'static Arc<Pool> {
    static POOL: OnceLock<Arc<Pool>> = OnceLock::new();
    POOL.get_or_init(|| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Pool { state: Mutex::default(), wake: Condvar::new(), ceiling: (2 * cores).max(4) })
    })
}

impl Pool {
    fn submit(self: &Arc<Self>, work: Work) -> Result<()> {
        let mut state = self.state.lock();
        if state.queue.len() >= MAX_QUEUE {
            return Err(Error::new(
                ErrorKind::Limit,
                "too many jobs are waiting; try again when some are done",
            ));
        }
        state.queue.push_back(work);
        if state.idle >= state.queue.len() || state.workers >= self.ceiling {
            self.wake.notify_one();
            return Ok(());
        }
        state.workers += 1;
        let name = format!("ambix-job-{}", state.workers);
        let pool = self.clone();
        let spawned = thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || pool.work());
        if let Err(refused) = spawned {
            state.workers -= 1;
            if state.workers == 0 {
                state.queue.pop_back();
                return Err(Error::new(ErrorKind::Limit, format!("no thread can be started: {refused}")));
            }
        }
        Ok(())
    }

    fn work(&self) {
        lower_priority();
        let mut state = self.state.lock();
        loop {
            match state.queue.pop_front() {
                Some(work) => {
                    drop(state);
                    work();
                    state = self.state.lock();
                }
                None => {
                    state.idle += 1;
                    self.wake.wait(&mut state);
                    state.idle -= 1;
                }
            }
        }
    }
}

/// Runs `work` with the threads that jobs share for parallel loops, whose priority is low like the jobs' own.
pub fn install<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static THREADS: OnceLock<Option<rayon::ThreadPool>> = OnceLock::new();
    let threads = THREADS.get_or_init(|| {
        rayon::ThreadPoolBuilder::new()
            .thread_name(|nth| format!("ambix-loop-{nth}"))
            .start_handler(|_| lower_priority())
            .stack_size(STACK_BYTES)
            .build()
            .ok()
    });
    match threads {
        Some(threads) => threads.install(work),
        // No threads are to be had: the caller's own does the work.
        None => work(),
    }
}

/// Drops a value on a job thread. Destructors of resources run on a scheduler of the BEAM, and something large takes longer
/// to free than a scheduler may be kept.
pub fn drop_later<T: Send + 'static>(value: T) {
    // Work that is refused is dropped with the value, here.
    _ = pool().submit(Box::new(move || drop(value)));
}

/// The priority of jobs: beside a thread that is always busy one gets about a tenth of a core. At the lowest, 19, it would be a
/// seventieth, and a search would take minutes while the machine compiles something; the schedulers wake up no sooner for it.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lets the schedulers of the BEAM go first: whoever waits for a page must not wait for an index.
///
/// The thread gets a low priority and, from Linux 6.12 on, turns of half a millisecond, so that a scheduler that
/// wakes up is not kept waiting for the rest of a long one.
pub fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        const HALF_A_MILLISECOND: u64 = 500_000;
        let wish = SchedAttr {
            size: size_of::<SchedAttr>() as u32,
            policy: libc::SCHED_BATCH as u32,
            nice: NICE,
            runtime: HALF_A_MILLISECOND,
            ..SchedAttr::default()
        };
        // SAFETY: a system call on the calling thread (0) that reads the structure; a refusal changes nothing.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wish, 0) };
    }
}

/// `struct sched_attr` of `sched_setattr(2)`, in its first version.
#[cfg(target_os = "linux")]
#[repr(C)]
#[derive(Default)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}
