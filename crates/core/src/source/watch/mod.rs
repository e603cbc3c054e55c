//! Which files of a folder change, told as sets of paths when it is quiet again.

mod debounce;
mod driver;
mod git;
mod look;
mod mount;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use self::driver::{Driver, WatchMessage};
use super::WalkOptions;
use crate::{Error, ErrorKind, Result};

/// What tells when the dependencies were fetched, below the root: it is no file that is read, but a change of it counts.
pub(crate) const FETCHED: [&str; 2] = ["deps", "mix.lock"];

/// How a folder is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// Which files count.
    pub walk: WalkOptions,
    /// Changes are told when there has been none for so long,
    pub quiet: Duration,
    /// at the latest so long after the first of them.
    pub max_delay: Duration,
    /// The same while git is at work, which pauses between its steps.
    pub git_quiet: Duration,
    /// So long an operation of git may take before its changes are told in parts.
    pub git_max_delay: Duration,
    /// How often it is looked whether the root is still there, and, where the system tells nothing, for changes.
    pub poll: Duration,
    /// Whether to look for changes even where the system would tell them.
    pub only_poll: bool,
}

impl Default for WatchOptions {
    fn default() -> Self {
        WatchOptions {
            walk: WalkOptions::default(),
            quiet: Duration::from_millis(75),
            max_delay: Duration::from_secs(1),
            git_quiet: Duration::from_millis(250),
            git_max_delay: Duration::from_secs(10),
            poll: Duration::from_secs(2),
            only_poll: false,
        }
    }
}

/// What may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// What is at or below these paths, relative to the root: what `Index::update_paths` takes.
    Paths(BTreeSet<String>),
    /// Anything: events were lost, the rules of what is ignored changed, or the root is another folder.
    Rescan,
}

/// Changes that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeBatch {
    /// What may have changed.
    pub changed: Changed,
    /// How far this goes: with this batch and all before it, what [`WatchState::seen`] counted up to this number was told.
    pub seen: u64,
}

/// How changes are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The system tells of them.
    Events,
    /// By a look at all files again and again: on file systems of the network, and when the system's limit is reached.
    Polling,
    /// Not at all: the folder is not there, or the watch has ended.
    Nothing,
}

/// What a watch has seen. Clones tell the same, also after the watch has ended.
#[derive(Clone, Debug)]
pub struct WatchState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    began: Instant,
    /// Events that nobody has looked at.
    unread: AtomicUsize,
    seen: AtomicU64,
    pending: AtomicUsize,
    /// Milliseconds after `began`, if something is pending.
    since: AtomicU64,
    means: AtomicU8,
    ended: AtomicBool,
}

impl WatchState {
    fn new() -> WatchState {
        WatchState(Arc::new(Shared {
            began: Instant::now(),
            unread: AtomicUsize::new(0),
            seen: AtomicU64::new(1),
            pending: AtomicUsize::new(0),
            since: AtomicU64::new(0),
            means: AtomicU8::new(Means::Nothing as u8),
            ended: AtomicBool::new(false),
        }))
    }

    /// How many changes were seen, told or not. The beginning counts as one, so that nothing is up to date by itself.
    pub fn seen(&self) -> u64 {
        self.0.seen.load(Ordering::SeqCst)
    }

    /// Whether nothing has happened, as far as was seen, since [`WatchState::seen`] gave this number.
    pub fn is_all(&self, seen: u64) -> bool {
        // In this order: what was not looked at when it was counted is in the number that is read after it.
        self.0.unread.load(Ordering::SeqCst) == 0 && self.seen() <= seen
    }

    /// How many paths are waiting to be told, and for how long.
    pub fn pending(&self) -> (usize, Duration) {
        let pending = self.0.pending.load(Ordering::SeqCst);
        let since = Duration::from_millis(self.0.since.load(Ordering::SeqCst));
        let waiting =
            if pending == 0 { Duration::ZERO } else { self.0.began.elapsed().saturating_sub(since) };
        (pending, waiting)
    }

    /// How changes are noticed now.
    pub fn means(&self) -> Means {
        match self.0.means.load(Ordering::SeqCst) {
            _ if self.0.ended.load(Ordering::SeqCst) => Means::Nothing,
            means if means == Means::Events as u8 => Means::Events,
            means if means == Means::Polling as u8 => Means::Polling,
            _ => Means::Nothing,
        }
    }
}

/// A watch. It ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<WatchMessage>,
    state: WatchState,
}

impl Watch {
    /// What it has seen.
    pub fn state(&self) -> WatchState {
        self.state.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread may have ended by itself.
        let _ = self.stop.send(WatchMessage::Stop);
    }
}

/// Watches the files below `root` that [`super::walk`] would read, and calls `tell`, on a thread of its own, with what has
/// changed. When this returns, every later change will be told. Folders that are ignored cost nothing: they are not watched.
///
/// A `root` that is not there is waited for; when it comes, or another folder takes its place, that is a
/// [`Changed::Rescan`].
///
/// An event of the system may take some milliseconds until it is seen; whoever has to know compares the files
/// ([`super::Stamps`]).
///
/// # Errors
/// [`ErrorKind::Limit`] if no thread can be started.
pub fn watch(
    root: &Path,
    options: &WatchOptions,
    tell: impl FnMut(ChangeBatch) + Send + 'static,
) -> Result<Watch> {
    let (stop, inbox) = mpsc::channel();
    let state = WatchState::new();
    let driver = Driver::new(root, options, state.clone(), (stop.clone(), inbox), Box::new(tell));
    thread::Builder::new()
        .name("ambix-watch".into())
        .spawn(move || driver.run())
        .map_err(|error| Error::new(ErrorKind::Limit, format!("no thread can be started: {error}")))?;
    Ok(Watch { stop, state })
}
