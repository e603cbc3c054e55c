//! The best of many, by their scores.

use std::cmp::Ordering;

/// Better first; of equals the one that stands first.
pub(super) fn by_rank(a: &(u32, f32), b: &(u32, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The numbers of the `count` best, best first.
pub(super) fn best(found: impl Iterator<Item = (u32, f32)>, count: usize) -> Vec<u32> {
    let mut best = Best::new(count);
    found.for_each(|one| best.push(one));
    best.finish()
}

/// The best of what was seen so far.
pub(super) struct Best {
    count: usize,
    kept: Vec<(u32, f32)>,
    least: f32,
}

impl Best {
    pub(super) fn new(count: usize) -> Best {
        Best { count, kept: Vec::new(), least: f32::NEG_INFINITY }
    }

    /// What is worse than this is not among the best.
    pub(super) fn least(&self) -> f32 {
        self.least
    }

    pub(super) fn push(&mut self, one: (u32, f32)) {
        if one.1.total_cmp(&self.least).is_ge() {
            self.kept.push(one);
            if self.kept.len() > self.count.saturating_mul(2).max(64) {
                self.trim();
            }
        }
    }

    fn trim(&mut self) {
        if self.count > 0 && self.kept.len() > self.count {
            let (_, last, _) = self.kept.select_nth_unstable_by(self.count - 1, by_rank);
            self.least = last.1;
        }
        self.kept.truncate(self.count);
    }

    /// Their numbers, best first.
    pub(super) fn finish(mut self) -> Vec<u32> {
        self.trim();
        self.kept.sort_unstable_by(by_rank);
        self.kept.into_iter().map(|(number, _)| number).collect()
    }
}
