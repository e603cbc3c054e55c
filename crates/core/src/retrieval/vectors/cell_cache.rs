//! Where the cells of vectors are made and kept: beside the versions that share them.

use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::block::Block;
use super::cells::Cells;

/// New cells are made once more than one row of so many is in none.
const LOOSE: usize = 16;

/// What a row takes in cells beside its signs, about.
const BYTES_BESIDE_SIGNS: usize = 16;

/// The cells of all versions that begin with the same blocks, or none as long as nobody asked for them.
#[derive(Debug, Default)]
pub(super) struct CellCache(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    cells: Option<Arc<Cells>>,
    /// The bytes that those will take that are being made.
    planned: Option<usize>,
}

impl CellCache {
    pub(super) fn cells(&self) -> Option<Arc<Cells>> {
        self.0.lock().cells.clone()
    }

    /// How much memory they take or will take.
    pub(super) fn bytes(&self) -> usize {
        let state = self.0.lock();
        state.planned.unwrap_or(0).max(state.cells.as_ref().map_or(0, |cells| cells.bytes()))
    }

    /// Keeps what was made, if it was.
    fn made(&self, cells: Option<Cells>) {
        let mut state = self.0.lock();
        state.planned = None;
        state.cells = cells.map(Arc::new).or_else(|| state.cells.take());
    }

    /// Begins to make cells of these blocks on a thread of their own, if too many rows are in none, none are being made, and
    /// there is `room` for so many bytes. Searches do without until they are made. The thread ends early when the last
    /// version that shares them is dropped.
    pub(super) fn begin(
        self: &Arc<CellCache>,
        blocks: &[Arc<Block>],
        starts: &[u32],
        room: impl Fn(usize) -> bool,
    ) {
        let (rows, Some(last)) = (rows(blocks), blocks.last()) else { return };
        let planned = rows * (last.dimensions().div_ceil(8) + BYTES_BESIDE_SIGNS);
        // A single block may still grow.
        if blocks.len() < 2 || !self.are_wanted(blocks) || !room(planned) {
            return;
        }
        if self.0.lock().planned.replace(planned).is_some() {
            return;
        }
        let (cache, blocks, starts) = (Arc::downgrade(self), blocks.to_vec(), starts.to_vec());
        let work = move || {
            let cells = Cells::new(&blocks, &starts, || cache.strong_count() == 0);
            if let Some(cache) = cache.upgrade() {
                cache.made(cells);
            }
        };
        if thread::Builder::new().name("ambix-cells".into()).spawn(work).is_err() {
            self.made(None);
        }
    }

    /// Makes cells of these blocks now, if there are enough rows for any.
    pub(super) fn make(&self, blocks: &[Arc<Block>], starts: &[u32]) {
        self.made(Cells::new(blocks, starts, || false));
    }

    /// Whether many rows are in no cell and none are being made.
    fn are_wanted(&self, blocks: &[Arc<Block>]) -> bool {
        let state = self.0.lock();
        let rows = rows(blocks);
        let are_loose = |cells: &Arc<Cells>| (rows - cells.rows_of(blocks)) * LOOSE > rows;
        state.planned.is_none() && state.cells.as_ref().is_none_or(are_loose)
    }
}

fn rows(blocks: &[Arc<Block>]) -> usize {
    blocks.iter().map(|block| block.keys().len()).sum()
}
