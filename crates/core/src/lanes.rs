//! Which job runs next. Work is kept apart by how long it takes, and those who order it take turns.
//!
//! A lane has a ceiling of threads, and one process may hold no more than half of them. What keeps a thread for long, or does not stop
//! when it is cancelled, is no longer counted: another thread may take its place, up to a hard ceiling. So neither
//! hung work nor a greedy process can stop what others order.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::{Cancel, Error, ErrorKind, Result};

/// What kind of work a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Questions that somebody waits for, of milliseconds to seconds.
    Query,
    /// Whatever reads and writes files: builds, updates, saving.
    Build,
    /// Models and encoders: loaded, asked.
    Model,
    /// Destructors.
    Free,
}

impl Lane {
    /// Every lane, in the order of their numbers.
    pub const ALL: [Lane; 4] = [Lane::Query, Lane::Build, Lane::Model, Lane::Free];
}

/// A process may have so many jobs waiting in a lane.
const MAX_WAITING_OF_OWNER: usize = 1024;

/// So many jobs wait in a lane: nobody waits for the ten-thousandth.
const MAX_WAITING: usize = 8192;

/// A lane never has more threads.
const MAX_THREADS: usize = 32;

/// Work that has a thread for longer is not counted.
const PATIENCE: Duration = Duration::from_secs(10);

/// Work that goes on for longer after it was cancelled is not counted.
const GRACE: Duration = Duration::from_millis(500);

/// What a thread runs.
pub type Work = Box<dyn FnOnce() + Send>;

/// A job that waits for a thread.
pub struct Task<Owner> {
    /// Who ordered it, if somebody did.
    pub owner: Option<Owner>,
    /// What stops it.
    pub cancel: Cancel,
    /// What it does.
    pub work: Work,
}

struct Running<Owner> {
    number: u64,
    owner: Option<Owner>,
    cancel: Cancel,
    since: Instant,
    /// When it was first seen that it was cancelled.
    cancelled: Option<Instant>,
}

impl<Owner> Running<Owner> {
    fn ignores_cancellation(&self, now: Instant) -> bool {
        self.cancelled.is_some_and(|since| now.duration_since(since) >= GRACE)
    }

    fn is_counted(&self, now: Instant) -> bool {
        now.duration_since(self.since) < PATIENCE && !self.ignores_cancellation(now)
    }
}

/// What waits and what runs in one lane.
pub struct Queue<Owner> {
    ceiling: usize,
    waiting: VecDeque<(Option<Owner>, VecDeque<Task<Owner>>)>,
    running: Vec<Running<Owner>>,
    started: u64,
}

impl<Owner: Copy + PartialEq> Queue<Owner> {
    /// An empty lane of so many threads.
    pub fn new(ceiling: usize) -> Queue<Owner> {
        Queue { ceiling, waiting: VecDeque::new(), running: Vec::new(), started: 0 }
    }

    /// Threads that the lane has while nothing in it hangs.
    pub fn ceiling(&self) -> usize {
        self.ceiling
    }

    /// Whether something waits.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Puts a job behind those of its owner.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] if too many wait.
    pub fn push(&mut self, task: Task<Owner>) -> Result<()> {
        let refused = |whose| {
            let sentence = format!("too many jobs {whose} are waiting; try again when some are done");
            Err(Error::new(ErrorKind::Limit, sentence))
        };
        if self.waiting.iter().map(|(_, tasks)| tasks.len()).sum::<usize>() >= MAX_WAITING {
            return refused("of all processes");
        }
        match self.waiting.iter_mut().find(|(owner, _)| *owner == task.owner) {
            Some((_, tasks)) if tasks.len() >= MAX_WAITING_OF_OWNER => return refused("of this process"),
            Some((_, tasks)) => tasks.push_back(task),
            None => self.waiting.push_back((task.owner, VecDeque::from([task]))),
        }
        Ok(())
    }

    /// Takes back the job that was put there last by `owner`.
    pub fn withdraw(&mut self, owner: Option<Owner>) -> Option<Task<Owner>> {
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == owner)?;
        let task = self.waiting[at].1.pop_back();
        if self.waiting[at].1.is_empty() {
            self.waiting.remove(at);
        }
        task
    }

    /// Whether [`Queue::take`] would give a job.
    pub fn is_ready(&mut self, now: Instant) -> bool {
        self.next(now).is_some()
    }

    /// The job whose turn it is, and the number under which it runs.
    pub fn take(&mut self, now: Instant) -> Option<(u64, Task<Owner>)> {
        let at = self.next(now)?;
        let (owner, mut tasks) = self.waiting.remove(at)?;
        let task = tasks.pop_front();
        if !tasks.is_empty() {
            self.waiting.push_back((owner, tasks));
        }
        let task = task?;
        self.started += 1;
        let running =
            Running { number: self.started, owner, cancel: task.cancel.clone(), since: now, cancelled: None };
        self.running.push(running);
        Some((self.started, task))
    }

    /// A job that was taken is over.
    pub fn done(&mut self, number: u64) {
        self.running.retain(|running| running.number != number);
    }

    /// Takes out all waiting jobs that were cancelled: they have no more to do than to say so.
    pub fn cancelled(&mut self) -> Vec<Task<Owner>> {
        let mut cancelled = Vec::new();
        for (_, tasks) in &mut self.waiting {
            if tasks.iter().any(|task| task.cancel.is_cancelled()) {
                let (gone, kept) =
                    std::mem::take(tasks).into_iter().partition(|task| task.cancel.is_cancelled());
                *tasks = kept;
                let gone: VecDeque<Task<Owner>> = gone;
                cancelled.extend(gone);
            }
        }
        self.waiting.retain(|(_, tasks)| !tasks.is_empty());
        cancelled
    }

    /// The place of the first owner who may have a thread, if there is one to have.
    fn next(&mut self, now: Instant) -> Option<usize> {
        if self.waiting.is_empty() || self.running.len() >= MAX_THREADS {
            return None;
        }
        for running in &mut self.running {
            if running.cancelled.is_none() && running.cancel.is_cancelled() {
                running.cancelled = Some(now);
            }
        }
        if self.running.iter().filter(|running| running.is_counted(now)).count() >= self.ceiling {
            return None;
        }
        let share = self.ceiling.div_ceil(2);
        self.waiting.iter().position(|(owner, _)| {
            let held =
                |running: &&Running<Owner>| running.owner == *owner && !running.ignores_cancellation(now);
            owner.is_none() || self.running.iter().filter(held).count() < share
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task<()> {
        Task { owner: None, cancel: Cancel::new(), work: Box::new(|| ()) }
    }

    /// The numbers of the jobs that get a thread now.
    fn taken(queue: &mut Queue<()>, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| queue.take(now)).map(|(number, _)| number).collect()
    }

    #[test]
    fn work_that_hangs_is_replaced_up_to_the_hard_ceiling() {
        let mut queue = Queue::new(2);
        for _ in 0..MAX_THREADS + 8 {
            queue.push(task()).unwrap();
        }
        let mut now = Instant::now();
        let mut running = taken(&mut queue, now);
        assert_eq!(running.len(), 2, "the lane's own threads");
        while running.len() < MAX_THREADS {
            assert!(!queue.is_ready(now));
            now += PATIENCE;
            let more = taken(&mut queue, now);
            assert_eq!(more.len(), 2, "beside {} that hang", running.len());
            running.extend(more);
        }
        now += PATIENCE * 100;
        assert_eq!(taken(&mut queue, now).len(), 0, "no lane has more threads than {MAX_THREADS}");
        assert!(queue.is_waiting());
        queue.done(running[0]);
        assert_eq!(taken(&mut queue, now).len(), 1, "one ended, so one may begin");
    }

    #[test]
    fn work_that_ignores_its_cancellation_is_replaced_sooner() {
        let mut queue = Queue::new(1);
        let first = task();
        let cancel = first.cancel.clone();
        queue.push(first).unwrap();
        queue.push(task()).unwrap();
        let now = Instant::now();
        assert_eq!(taken(&mut queue, now).len(), 1);
        cancel.cancel();
        assert!(!queue.is_ready(now), "it may still stop");
        assert!(queue.is_ready(now + GRACE));
    }

    #[test]
    fn too_many_waiting_jobs_are_refused() {
        let mut queue = Queue::new(1);
        for _ in 0..MAX_WAITING_OF_OWNER {
            queue.push(task()).unwrap();
        }
        assert_eq!(queue.push(task()).unwrap_err().kind(), ErrorKind::Limit);
        assert!(queue.withdraw(None).is_some());
        queue.push(task()).unwrap();
    }
}
