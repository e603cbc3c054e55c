//! The threads that jobs run on, and those of their parallel loops.

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use ambix_core::lanes::{Lane, Queue, Task};
use ambix_core::{Cancel, Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustler::LocalPid;

use crate::guard;

/// Deep enough for everything that core does, which recurses nowhere on foreign input.
const STACK_BYTES: usize = 8 << 20;

/// How often it is looked, while jobs wait, whether one was cancelled or a thread hangs.
const LOOK: Duration = Duration::from_millis(100);

/// Sets of threads for loops that are kept while nothing uses them.
const KEPT_LOOPS: usize = 2;

/// Cores of this machine that the VM may use.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Puts a job into a lane.
///
/// # Errors
/// [`ErrorKind::Limit`] if too many wait, or if no thread can be started.
pub fn submit(lane: Lane, task: JobTask) -> Result<()> {
    static POOL: OnceLock<Arc<Pool>> = OnceLock::new();
    POOL.get_or_init(Pool::new).submit(lane, task)
}

/// Drops a value on a thread of its own lane. Destructors of resources run on a scheduler of the BEAM, and something large
/// takes longer to free than a scheduler may be kept.
pub fn drop_later<T: Send + 'static>(value: T) {
    let work = Box::new(move || drop(value));
    // Work that is refused is dropped with the value, here.
    _ = submit(Lane::Free, Task { owner: None, cancel: Cancel::new(), work });
}

struct Pool {
    lanes: Mutex<[Threads; Lane::ALL.len()]>,
    /// One for each lane, for its idle threads.
    work: [Condvar; Lane::ALL.len()],
    /// For the thread that looks after the lanes in which jobs wait.
    backlog: Condvar,
}

struct Threads {
    queue: Queue<LocalPid>,
    all: usize,
    idle: usize,
}

/// A job, which a process ordered.
type JobTask = Task<LocalPid>;

type Lanes<'a> = MutexGuard<'a, [Threads; Lane::ALL.len()]>;

impl Pool {
    fn new() -> Arc<Pool> {
        let lanes = Lane::ALL.map(|lane| {
            let ceiling = if lane == Lane::Free { 1 } else { cores().max(4) };
            Threads { queue: Queue::new(ceiling), all: 0, idle: 0 }
        });
        let pool =
            Arc::new(Pool { lanes: Mutex::new(lanes), work: Default::default(), backlog: Condvar::new() });
        let keeper = pool.clone();
        // Without it jobs still run, but none takes the place of another that hangs.
        _ = thread::Builder::new().name("ambix-lanes".into()).spawn(move || keeper.look_after());
        pool
    }

    fn submit(self: &Arc<Self>, lane: Lane, task: JobTask) -> Result<()> {
        let mut lanes = self.lanes.lock();
        let owner = task.owner;
        lanes[lane as usize].queue.push(task)?;
        if let Err(refused) = self.start(&mut lanes, lane)
            && lanes[lane as usize].all == 0
        {
            drop(lanes[lane as usize].queue.withdraw(owner));
            return Err(Error::new(ErrorKind::Limit, format!("no thread can be started: {refused}")));
        }
        if lanes[lane as usize].queue.is_waiting() {
            self.backlog.notify_one();
        }
        Ok(())
    }

    /// Wakes or starts a thread if there is a job for it; that thread does the same when it has taken the job.
    fn start(self: &Arc<Self>, lanes: &mut Lanes<'_>, lane: Lane) -> std::io::Result<()> {
        let threads = &mut lanes[lane as usize];
        if !threads.queue.is_ready(Instant::now()) {
            return Ok(());
        }
        if threads.idle > 0 {
            self.work[lane as usize].notify_one();
            return Ok(());
        }
        let name = format!("ambix-{lane:?}-{}", threads.all).to_lowercase();
        let pool = self.clone();
        thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || pool.run(lane))?;
        threads.all += 1;
        Ok(())
    }

    fn run(self: &Arc<Self>, lane: Lane) {
        lower_priority();
        let mut lanes = self.lanes.lock();
        loop {
            if let Some((number, task)) = lanes[lane as usize].queue.take(Instant::now()) {
                // The job that was taken has a thread; if the next one gets none, it waits for this one.
                _ = self.start(&mut lanes, lane);
                MutexGuard::unlocked(&mut lanes, || carry_out(task));
                lanes[lane as usize].queue.done(number);
                continue;
            }
            let threads = &mut lanes[lane as usize];
            // What was started in the place of threads that hung is not needed any more.
            if threads.idle >= threads.queue.ceiling() {
                threads.all -= 1;
                return;
            }
            threads.idle += 1;
            self.work[lane as usize].wait(&mut lanes);
            lanes[lane as usize].idle -= 1;
        }
    }

    /// While jobs wait, time alone may change what can run, and jobs that were cancelled want to say so.
    fn look_after(self: &Arc<Self>) {
        let mut lanes = self.lanes.lock();
        loop {
            for lane in Lane::ALL {
                let cancelled = lanes[lane as usize].queue.cancelled();
                MutexGuard::unlocked(&mut lanes, || cancelled.into_iter().for_each(carry_out));
                _ = self.start(&mut lanes, lane);
            }
            if lanes.iter().any(|threads| threads.queue.is_waiting()) {
                self.backlog.wait_for(&mut lanes, LOOK);
            } else {
                self.backlog.wait(&mut lanes);
            }
        }
    }
}

/// A job answers its own panics; what panics when it is dropped must not cost a thread.
fn carry_out(task: JobTask) {
    drop(guard::run(|| {
        (task.work)();
        Ok(())
    }));
}

/// Runs `work` with threads for parallel loops, whose priority is low like the jobs' own. No two jobs share them: a job that
/// blocks in a loop keeps nobody else waiting.
pub fn install<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static IDLE: Mutex<Vec<rayon::ThreadPool>> = Mutex::new(Vec::new());
    let kept = IDLE.lock().pop();
    match kept.or_else(loop_threads) {
        Some(threads) => {
            let value = threads.install(work);
            let mut idle = IDLE.lock();
            if idle.len() < KEPT_LOOPS {
                idle.push(threads);
            }
            value
        }
        // No threads are to be had: the caller's own does the work.
        None => work(),
    }
}

fn loop_threads() -> Option<rayon::ThreadPool> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(cores())
        .thread_name(|nth| format!("ambix-loop-{nth}"))
        .start_handler(|_| lower_priority())
        .stack_size(STACK_BYTES)
        .build()
        .ok()
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
