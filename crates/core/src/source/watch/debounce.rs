//! When changes that were seen are told: a state machine without clock, thread or file system.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Changed;

/// More paths than this are told as [`Changed::Rescan`]: reading everything is then no slower.
const MAX_PATHS: usize = 20_000;

/// How long changes are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timing {
    /// They are told when there has been none for so long,
    pub quiet: Duration,
    /// at the latest so long after the first one.
    pub delay: Duration,
    /// The same during an operation of git, which pauses between its steps,
    pub git_quiet: Duration,
    /// and ends at some time.
    pub git_delay: Duration,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing has changed.
    Idle,
    /// Ask again when the clock shows this, or after the next change.
    WaitUntil(Duration),
    /// These changes are to be told. They are forgotten here.
    Tell(Changed),
}

/// Changes that were seen and not yet told. All times are those of one clock that never goes back.
#[derive(Debug)]
pub(super) struct Debounce {
    timing: Timing,
    pending: Option<Pending>,
    /// When git last touched its own files.
    git: Option<Duration>,
    /// The lock of git has been there for too long: whoever made it is gone.
    abandoned: bool,
}

#[derive(Debug)]
struct Pending {
    paths: BTreeSet<String>,
    rescan: bool,
    first: Duration,
    last: Duration,
}

impl Debounce {
    pub(super) fn new(timing: Timing) -> Debounce {
        Debounce { timing, pending: None, git: None, abandoned: false }
    }

    /// From now on changes are collected for so long.
    pub(super) fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    /// What is at or below `path` has changed.
    pub(super) fn changed(&mut self, path: String, now: Duration) {
        let pending = self.touch(now);
        if !pending.rescan {
            pending.paths.insert(path);
            pending.rescan = pending.paths.len() > MAX_PATHS;
        }
    }

    /// Anything may have changed.
    pub(super) fn lost(&mut self, now: Duration) {
        self.touch(now).rescan = true;
    }

    /// Git has touched its own files. This alone is no change.
    pub(super) fn git(&mut self, now: Duration) {
        self.git = Some(now);
        self.abandoned = false;
    }

    /// How many paths are waiting to be told, a rescan being one, and since when.
    pub(super) fn pending(&self) -> Option<(usize, Duration)> {
        self.pending.as_ref().map(|pending| (pending.paths.len().max(1), pending.first))
    }

    /// What is to be done now; `locked` says whether git holds its lock.
    pub(super) fn next(&mut self, now: Duration, locked: bool) -> Next {
        let Some(pending) = &self.pending else { return Next::Idle };
        let timing = &self.timing;
        let locked = locked && !self.abandoned;
        let git = self.git.filter(|at| *at + timing.git_quiet >= pending.first);
        let (ready, latest) = match git {
            Some(at) => {
                let quiet = (at + timing.git_quiet).max(pending.last + timing.quiet);
                (quiet, pending.first + timing.git_delay)
            }
            None if locked => (now, pending.first + timing.git_delay),
            None => (pending.last + timing.quiet, pending.first + timing.delay),
        };
        if now >= latest {
            self.abandoned = locked;
        } else if locked {
            // The end of a lock may go unseen, so it is looked for.
            return Next::WaitUntil(latest.min(now + timing.quiet.max(Duration::from_millis(1))));
        } else if now < ready {
            return Next::WaitUntil(ready.min(latest));
        }
        match self.pending.take() {
            Some(pending) if pending.rescan => Next::Tell(Changed::Rescan),
            Some(pending) => Next::Tell(Changed::Paths(pending.paths)),
            None => Next::Idle,
        }
    }

    fn touch(&mut self, now: Duration) -> &mut Pending {
        let new = || Pending { paths: BTreeSet::new(), rescan: false, first: now, last: now };
        let pending = self.pending.get_or_insert_with(new);
        pending.last = now;
        pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing {
        quiet: Duration::from_millis(50),
        delay: Duration::from_millis(400),
        git_quiet: Duration::from_millis(200),
        git_delay: Duration::from_millis(5000),
    };

    /// Plays a script of lines `MILLISECONDS EVENT`, and gives the batches, each as `MILLISECONDS PATHS`. The events are
    /// `+ PATH`, `lost`, `git`, `lock` and `unlock`; the last two are what a look at the lock shows, and not told.
    fn play(script: &str) -> Vec<String> {
        let mut steps: Vec<(u64, &str)> = Vec::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (at, event) = line.split_once(' ').unwrap();
            steps.push((at.parse().unwrap(), event));
        }
        let mut steps = steps.into_iter().peekable();
        let (mut machine, mut told, mut locked, mut now) = (Debounce::new(TIMING), Vec::new(), false, 0);
        loop {
            let time = Duration::from_millis(now);
            while let Some((_, event)) = steps.next_if(|(at, _)| *at <= now) {
                match event.split_once(' ') {
                    Some(("+", path)) => machine.changed(path.to_string(), time),
                    _ => match event {
                        "lost" => machine.lost(time),
                        "git" => machine.git(time),
                        "lock" => locked = true,
                        "unlock" => locked = false,
                        other => panic!("{other}"),
                    },
                }
            }
            let wake = match machine.next(time, locked) {
                Next::Idle => None,
                Next::WaitUntil(until) => {
                    assert!(until > time, "it would spin");
                    Some(until.as_millis() as u64)
                }
                Next::Tell(Changed::Paths(paths)) => {
                    told.push(format!("{now} {}", paths.into_iter().collect::<Vec<_>>().join(" ")));
                    continue;
                }
                Next::Tell(Changed::Rescan) => {
                    told.push(format!("{now} rescan"));
                    continue;
                }
            };
            match wake.into_iter().chain(steps.peek().map(|(at, _)| *at)).min() {
                Some(next) => now = next,
                None => return told,
            }
        }
    }

    #[test]
    fn changes_are_told_together_after_a_quiet_time() {
        assert_eq!(play("0 + b\n 10 + a\n 20 + b\n 500 + c"), ["70 a b", "550 c"]);
        assert_eq!(play(""), [""; 0]);
    }

    #[test]
    fn changes_without_a_pause_are_told_after_the_longest_delay() {
        let script: String = (0..30).map(|n| format!("{} + a{}\n", n * 30, n % 2)).collect();
        assert_eq!(play(&script), ["400 a0 a1", "820 a0 a1", "920 a0 a1"]);
    }

    #[test]
    fn what_was_lost_makes_single_paths_needless() {
        assert_eq!(play("0 + a\n 10 lost\n 20 + b\n 100 + c"), ["70 rescan", "150 c"]);
        let many: String = (0..=MAX_PATHS).map(|n| format!("0 + {n}\n")).collect();
        assert_eq!(play(&many), ["50 rescan"]);
    }

    #[test]
    fn an_operation_of_git_is_one_batch_however_long_it_pauses() {
        let checkout = "
            0 git
            0 lock
            300 + a
            900 + b
            2000 unlock
            2000 git
            2010 git";
        assert_eq!(play(checkout), ["2210 a b"]);
    }

    #[test]
    fn a_rebase_locks_again_and_again() {
        let mut script = String::new();
        for pick in 0..5 {
            let at = pick * 250;
            script += &format!("{at} git\n{at} lock\n{} + a{pick}\n", at + 50);
            script += &format!("{} unlock\n{} git\n", at + 100, at + 100);
        }
        assert_eq!(play(&script), ["1300 a0 a1 a2 a3 a4"]);
    }

    #[test]
    fn git_without_changes_of_files_is_nothing() {
        assert_eq!(play("0 git\n 0 lock\n 100 unlock\n 100 git"), [""; 0]);
        // A prompt refreshes git's index; what is edited long after does not wait for that.
        assert_eq!(play("0 git\n 1000 + a"), ["1050 a"]);
    }

    #[test]
    fn a_lock_whose_owner_died_holds_changes_up_once() {
        assert_eq!(play("0 lock\n 0 git\n 100 + a\n 9000 + b"), ["5100 a", "9050 b"]);
        // Whoever comes next is believed again.
        let again = "0 lock\n 0 git\n 100 + a\n 9000 unlock\n 9000 git\n 9000 lock\n 9010 + b\n 9500 unlock";
        assert_eq!(play(again), ["5100 a", "9500 b"]);
    }

    #[test]
    fn what_waits_is_known() {
        let mut machine = Debounce::new(TIMING);
        assert_eq!(machine.pending(), None);
        machine.changed("a".into(), Duration::from_millis(3));
        machine.changed("b".into(), Duration::from_millis(4));
        assert_eq!(machine.pending(), Some((2, Duration::from_millis(3))));
        machine.lost(Duration::from_millis(5));
        machine.next(Duration::from_secs(1), false);
        assert_eq!(machine.pending(), None);
    }
}
