//! Threads of our own, and how work is divided among them.

use std::ops::Range;

use rayon::prelude::*;

use super::array::Array;
use super::level::InstructionSet;
use crate::inference::LoadOptions;
use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

/// Products with fewer multiplications than this are not worth waking another thread for.
pub(super) const WORTH_A_THREAD: usize = 1 << 18;

/// Threads of our own, and the instructions that they may use.
pub(in super::super) struct Cpu {
    pub(super) pool: rayon::ThreadPool,
    pub(super) threads: usize,
    pub(super) level: InstructionSet,
    pub(super) cancel: Cancel,
}

impl Cpu {
    pub(in super::super) fn new(options: &LoadOptions) -> Result<Self> {
        let threads = options.thread_count();
        let mut builder = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("ambix-model-{index}"));
        if let Some(start) = options.on_thread_start.clone() {
            builder = builder.start_handler(move |_| start());
        }
        let pool = builder.build().map_err(|error| {
            Error::new(ErrorKind::Limit, format!("{threads} threads cannot be started: {error}"))
                .with_source(error)
        })?;
        Ok(Cpu { pool, threads, level: InstructionSet::detect(), cancel: options.cancel.clone() })
    }

    /// Runs `work` on pieces of `data` of `size` elements, on all threads if it is worth it.
    pub(super) fn split<T: Send>(
        &self,
        data: &mut [T],
        size: usize,
        cost: usize,
        work: impl Fn(usize, &mut [T]) + Send + Sync,
    ) {
        if self.threads == 1 || cost < WORTH_A_THREAD {
            data.chunks_mut(size).enumerate().for_each(|(index, piece)| work(index, piece));
        } else {
            data.par_chunks_mut(size).enumerate().for_each(|(index, piece)| work(index, piece));
        }
    }

    /// Runs `work` on pieces of `0..count`, on all threads if it is worth it.
    pub(super) fn pieces(&self, count: usize, cost: usize, work: impl Fn(Range<usize>) + Send + Sync) {
        if self.threads == 1 || cost < WORTH_A_THREAD {
            work(0..count);
            return;
        }
        // As many as threads: a piece goes to another thread only if one has nothing else to do.
        let size = count.div_ceil(self.threads).max(1);
        let pieces = (0..count.div_ceil(size)).into_par_iter();
        pieces.for_each(|piece| work(piece * size..count.min((piece + 1) * size)));
    }

    /// Runs an operation on every row or on pieces of rows.
    pub(super) fn for_rows(&self, x: &mut Array, work: impl Fn(usize, &mut [f32]) + Send + Sync) {
        let rows = x.rows().div_ceil(4 * self.threads).max(1);
        // An element here costs several times what a multiplication in a matrix does.
        let cost = x.data.len() * 8;
        let columns = x.columns;
        self.split(&mut x.data, rows * columns, cost, |index, piece| work(index * rows, piece));
    }
}
