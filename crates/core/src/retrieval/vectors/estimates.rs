//! What signs tell of rows before they are scored.

use super::kernels::{GROUP, Scale, Sums};
use super::probe::Probe;
use super::signs::Signs;

/// By how many standard deviations an estimate may be wrong before a vector is missed. Those that just belong to the best are
/// estimated lower one time in 44, better ones less often. Measured by `--bin vectors`.
const CAUTION: f32 = 2.0;

/// What is known of rows before they are scored.
pub(super) struct Estimates {
    count: usize,
    /// The rows whose scores may be that high, but for those that cannot be among the best.
    high: Vec<(u32, f32)>,
    /// What the scores of the best are at least, and of some more.
    low: Vec<f32>,
    /// What may not be as high as this is not among the best.
    least: f32,
}

impl Estimates {
    pub(super) fn new(count: usize) -> Estimates {
        Estimates { count, high: Vec::new(), low: Vec::new(), least: f32::NEG_INFINITY }
    }

    /// Adds those rows of a group that `mask` names; `number` tells the number of each.
    #[inline]
    pub(super) fn add(
        &mut self,
        probe: &Probe,
        signs: &Signs,
        group: usize,
        mask: u32,
        number: impl Fn(usize) -> u32,
    ) {
        let scale = Scale { step: probe.step, least: probe.least, caution: CAUTION };
        let sums = probe.level.sums(&probe.tables, signs.codes(group));
        let (factors, errors) = (signs.factors(group), signs.errors(group));
        let (high, may_be) = probe.level.highest(&Sums { sums: &sums, factors, errors }, &scale, self.least);
        for row in rows(0, mask & may_be) {
            self.push(number(row), high[row], high[row] - 2.0 * CAUTION * errors[row]);
        }
    }

    /// The rows that may be among the best, in the order in which they came, and how high their scores may be.
    pub(super) fn promising(self) -> Vec<(u32, f32)> {
        let needed = self.needed();
        self.high.into_iter().filter(|(_, high)| *high >= needed).collect()
    }

    /// Adds a row whose score is at least `low` and at most `high`.
    #[inline]
    fn push(&mut self, row: u32, high: f32, low: f32) {
        self.high.push((row, high));
        if low >= self.least {
            self.low.push(low);
            if self.low.len() > self.count.saturating_mul(2).max(64) {
                self.trim();
            }
        }
    }

    fn trim(&mut self) {
        if self.low.len() > self.count {
            self.low.select_nth_unstable_by(self.count - 1, |a, b| b.total_cmp(a));
            self.low.truncate(self.count);
            self.least = self.low[self.count - 1];
        }
    }

    pub(super) fn and(mut self, other: Estimates) -> Estimates {
        self.high.extend(other.high);
        self.low.extend(other.low);
        self.trim();
        self
    }

    /// What the best reach for sure.
    fn needed(&self) -> f32 {
        nth_best(self.low.clone(), self.count)
    }
}

/// The value of which so many are as good; less than all, if there are fewer.
pub(super) fn nth_best(mut values: Vec<f32>, count: usize) -> f32 {
    match count.checked_sub(1).filter(|at| *at < values.len()) {
        Some(at) => *values.select_nth_unstable_by(at, |a, b| b.total_cmp(a)).1,
        None => f32::NEG_INFINITY,
    }
}

/// The rows of a group that its mask names.
pub(super) fn rows(group: usize, mask: u32) -> impl Iterator<Item = usize> {
    let mut left = mask;
    std::iter::from_fn(move || {
        let row = (left != 0).then(|| left.trailing_zeros() as usize)?;
        left &= left - 1;
        Some(group * GROUP + row)
    })
}
