//! The thread of a watch: it hears events, finds out what they mean, and tells.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::event::EventKindMask;
use notify::{Config, Event, PathOp, RecommendedWatcher, Watcher};

use super::debounce::{Debounce, Next, Timing};
use super::look::{Stamped, differences, look};
use super::tree::{Meaning, WatchedTree};
use super::{ChangeBatch, Means, WatchOptions, WatchState, mount};
use crate::Cancel;
use crate::source::open::read_file;

/// Systems with events that tell what happens in a folder. The others want an open file for each file that is watched.
const HAS_EVENTS: bool =
    cfg!(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "windows"));

/// Whether each folder is watched by itself, so that those that are ignored need not be.
const BY_FOLDER: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A list of mounts of more bytes is not looked at.
const MAX_MOUNTS: u64 = 1 << 24;

/// Folders that come while folders are listed are found in the next round. Who makes folders in a loop makes events too.
const ROUNDS: usize = 16;

/// So many events are taken in between two looks at the clock.
const EVENTS_AT_ONCE: usize = 1024;

pub(super) enum WatchMessage {
    Event(notify::Result<Event>),
    Stop,
}

/// How changes are noticed.
enum Sight {
    Nothing,
    Polling(Stamped),
    Events(RecommendedWatcher),
}

pub(super) struct Driver {
    given: PathBuf,
    options: WatchOptions,
    state: WatchState,
    sender: Sender<WatchMessage>,
    inbox: Receiver<WatchMessage>,
    tell: Box<dyn FnMut(ChangeBatch) + Send>,
    debounce: Debounce,
    tree: Option<WatchedTree>,
    sight: Sight,
    /// Folders that came, went or got another name.
    touched: BTreeSet<String>,
    /// Whether the list of folders may be wrong as a whole.
    outdated: bool,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.state.0.ended.store(true, Ordering::SeqCst);
    }
}

impl Driver {
    /// Watches from here on; [`Driver::run`] tells.
    pub(super) fn new(
        root: &Path,
        options: &WatchOptions,
        state: WatchState,
        (sender, inbox): (Sender<WatchMessage>, Receiver<WatchMessage>),
        tell: Box<dyn FnMut(ChangeBatch) + Send>,
    ) -> Driver {
        let mut driver = Driver {
            given: root.to_path_buf(),
            debounce: Debounce::new(timing(options, false)),
            options: options.clone(),
            state,
            sender,
            inbox,
            tell,
            tree: None,
            sight: Sight::Nothing,
            touched: BTreeSet::new(),
            outdated: false,
        };
        driver.establish();
        driver
    }

    pub(super) fn run(mut self) {
        let mut look = Instant::now() + self.options.poll;
        loop {
            if Instant::now() >= look {
                self.look();
                look = Instant::now() + self.options.poll;
            }
            let until = match self.debounce.next(self.now(), self.is_locked()) {
                Next::Tell(changed) => {
                    let batch = ChangeBatch { changed, seen: self.state.seen() };
                    self.publish();
                    (self.tell)(batch);
                    continue;
                }
                Next::Idle => look,
                Next::WaitUntil(until) => look.min(self.state.0.began + until),
            };
            let first = match self.inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut messages = Vec::from([first]);
            messages.extend(self.inbox.try_iter().take(EVENTS_AT_ONCE));
            let mut events = 0;
            for message in messages {
                match message {
                    WatchMessage::Stop => return,
                    WatchMessage::Event(event) => self.hear(event),
                }
                events += 1;
            }
            // Once for all of them, and before anything is told.
            self.revisit();
            if self.outdated {
                self.relearn();
            }
            self.state.0.unread.fetch_sub(events, Ordering::SeqCst);
        }
    }

    /// Time since the beginning.
    fn now(&self) -> Duration {
        self.state.0.began.elapsed()
    }

    fn is_locked(&self) -> bool {
        let git = self.tree.as_ref().and_then(WatchedTree::git);
        self.debounce.pending().is_some() && git.is_some_and(|git| git.is_locked())
    }

    /// Says what is waiting to be told.
    fn publish(&self) {
        let (pending, since) = self.debounce.pending().unwrap_or_default();
        self.state.0.since.store(since.as_millis() as u64, Ordering::SeqCst);
        self.state.0.pending.store(pending, Ordering::SeqCst);
    }

    fn changed(&mut self, path: String) {
        self.debounce.changed(path, self.now());
        self.state.0.seen.fetch_add(1, Ordering::SeqCst);
        self.publish();
    }

    fn lost(&mut self) {
        self.debounce.lost(self.now());
        self.state.0.seen.fetch_add(1, Ordering::SeqCst);
        self.publish();
    }

    fn hear(&mut self, event: notify::Result<Event>) {
        match event {
            Ok(event) if !event.need_rescan() => {
                let mut paths = event.paths;
                paths.dedup();
                for path in paths {
                    let meaning = self.tree.as_ref().map(|tree| tree.meaning(&event.kind, &path));
                    self.take_in(meaning.unwrap_or(Meaning::Nothing));
                }
            }
            // Too many events at once, or what could not be watched.
            _ => self.take_in(Meaning::Rules),
        }
    }

    fn take_in(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Nothing => {}
            Meaning::Root => self.look_at_root(),
            Meaning::Git => self.debounce.git(self.now()),
            Meaning::Rules => {
                self.outdated = true;
                self.lost();
            }
            Meaning::File(path) => self.changed(path),
            Meaning::Folder(path) => drop(self.touched.insert(path)),
        }
    }

    /// Takes in what has become of folders.
    fn revisit(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        let Some(tree) = self.tree.as_mut().filter(|_| !touched.is_empty()) else { return };
        let known: Vec<bool> = touched.iter().map(|path| tree.knows(path)).collect();
        // Another folder may have the name now, so it is not enough to look for new ones.
        let gone = tree.forget(&touched);
        self.apply(gone.into_iter().map(PathOp::unwatch).collect());
        self.follow(Some(&touched));
        for (path, known) in touched.into_iter().zip(known) {
            // What is ignored was not known, and is not known now.
            if known || self.tree.as_ref().is_some_and(|tree| tree.knows(&path)) {
                self.changed(path);
            }
        }
    }

    /// All may be different, also which folders there are.
    fn relearn(&mut self) {
        self.outdated = false;
        if let Some(git) = self.tree.as_mut().and_then(WatchedTree::find_git) {
            let folders = git.folders().map(PathOp::watch_non_recursive);
            self.apply(folders.into());
        }
        self.follow(None);
    }

    /// Begins to watch the root, if it is there.
    fn establish(&mut self) {
        self.sight = Sight::Nothing;
        self.tree = WatchedTree::new(&self.given, &self.options.walk);
        let Some(tree) = &self.tree else { return self.means(Means::Nothing) };
        // Without the list, as on other systems than Linux, it is taken to be a file system of this machine.
        let mounts =
            read_file(Path::new("/proc/self/mounts"), MAX_MOUNTS, &Cancel::new()).unwrap_or_default();
        let is_remote = mount::is_remote(&String::from_utf8_lossy(&mounts), tree.root());
        let silent = self.options.only_poll || !HAS_EVENTS || is_remote;
        let mut first: Vec<PathOp> =
            tree.git().into_iter().flat_map(|git| git.folders()).map(PathOp::watch_non_recursive).collect();
        if !BY_FOLDER {
            first.push(PathOp::watch_recursive(tree.root()));
        }
        match (silent, self.watcher()) {
            (false, Ok(watcher)) => {
                self.sight = Sight::Events(watcher);
                self.debounce.set_timing(timing(&self.options, false));
                self.means(Means::Events);
                self.apply(first);
                self.follow(None);
            }
            _ => self.poll_from_now(),
        }
    }

    fn watcher(&self) -> notify::Result<RecommendedWatcher> {
        let (sender, state) = (self.sender.clone(), self.state.clone());
        let hear = move |event| {
            state.0.unread.fetch_add(1, Ordering::SeqCst);
            if sender.send(WatchMessage::Event(event)).is_err() {
                state.0.unread.fetch_sub(1, Ordering::SeqCst);
            }
        };
        // Who reads a tree would otherwise be told of each file that it opens, and the queue of events has an end.
        let config = Config::default().with_event_kinds(EventKindMask::CORE).with_follow_symlinks(false);
        RecommendedWatcher::new(hear, config)
    }

    fn means(&self, means: Means) {
        self.state.0.means.store(means as u8, Ordering::SeqCst);
    }

    fn poll_from_now(&mut self) {
        let Some(tree) = &self.tree else { return };
        let now = look(tree.root(), &self.options.walk, &Cancel::new()).unwrap_or_default();
        self.sight = Sight::Polling(now);
        self.debounce.set_timing(timing(&self.options, true));
        self.means(Means::Polling);
    }

    /// Watches the folders at or below these paths that are not watched yet, all of them without any.
    fn follow(&mut self, below: Option<&BTreeSet<String>>) {
        for _ in 0..ROUNDS {
            let Some(tree) = &mut self.tree else { return };
            let (come, gone) = tree.relist(below);
            if (come.is_empty() && gone.is_empty()) || !matches!(self.sight, Sight::Events(_)) {
                return;
            }
            if BY_FOLDER {
                let gone = gone.into_iter().map(PathOp::unwatch);
                // What is added before it is listed again cannot be missed.
                self.apply(gone.chain(come.into_iter().map(PathOp::watch_non_recursive)).collect());
            }
        }
    }

    /// Changes what the system tells. Where that has a limit, the rest of the life of the watch is polling.
    pub(super) fn apply(&mut self, mut ops: Vec<PathOp>) {
        let Sight::Events(watcher) = &mut self.sight else { return };
        while !ops.is_empty() {
            let Err(refused) = watcher.update_paths(std::mem::take(&mut ops)) else { return };
            if !is_passing(&refused.source) {
                // In this order, so that nothing falls between the two.
                self.poll_from_now();
                return self.lost();
            }
            ops = refused.remaining;
        }
    }

    /// What is done from time to time.
    fn look(&mut self) {
        self.look_at_root();
        let locked = self.tree.as_ref().and_then(WatchedTree::git).is_some_and(|git| git.is_locked());
        let (Some(tree), Sight::Polling(before)) = (&self.tree, &mut self.sight) else { return };
        let Ok(now) = look(tree.root(), &self.options.walk, &Cancel::new()) else { return };
        let different: BTreeSet<String> = differences(before, &now);
        *before = now;
        if locked {
            self.debounce.git(self.now());
        }
        different.into_iter().for_each(|path| self.changed(path));
    }

    fn look_at_root(&mut self) {
        let here = self.tree.as_ref().map(|tree| tree.is_at(&self.given));
        let appeared = here.is_none() && self.given.is_dir();
        if here == Some(false) || appeared {
            self.establish();
            self.lost();
        }
    }
}

/// A folder that is gone meanwhile, or closed to us, need not be watched.
fn is_passing(error: &notify::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    match &error.kind {
        notify::ErrorKind::PathNotFound | notify::ErrorKind::WatchNotFound => true,
        notify::ErrorKind::Io(error) => matches!(error.kind(), NotFound | NotADirectory | PermissionDenied),
        _ => false,
    }
}

/// Who polls sees what git did in one step or two: at the first look after its end.
fn timing(options: &WatchOptions, polling: bool) -> Timing {
    let between = if polling { options.poll * 3 / 2 } else { Duration::ZERO };
    Timing {
        quiet: options.quiet,
        delay: options.max_delay,
        git_quiet: options.git_quiet.max(between),
        git_delay: options.git_max_delay.max(between * 2),
    }
}
