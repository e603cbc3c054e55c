//! Where the cells of vectors are made and kept: beside the versions that share them.

use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::cells::Cells;
use super::rows::Vectors;

/// Of fewer rows no cells are made: they would save no more than two milliseconds of a search. Measured by `--bin neighbours`.
const CELLS_FROM: usize = 1_000_000;

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
}

impl Vectors {
    /// Begins to make cells on a thread of their own, if there are many rows, too many of them are in no cell, and there is
    /// `room` for so many bytes. Searches do without until they are made. The thread ends early when the last version
    /// that shares them is dropped.
    pub(crate) fn begin_cells(&self, room: impl Fn(usize) -> bool) {
        self.begin_cells_from(CELLS_FROM, room);
    }

    pub(super) fn begin_cells_from(&self, from: usize, room: impl Fn(usize) -> bool) {
        let rows = self.rows();
        let planned = rows * (self.dimensions().div_ceil(8) + BYTES_BESIDE_SIGNS);
        if rows < from || self.blocks().len() < 2 || !self.wants_cells() || !room(planned) {
            return;
        }
        // The other one holds no part of what keeps the thread at work.
        let (cache, vectors) = (Arc::downgrade(self.cell_cache()), self.without_cells());
        if self.cell_cache().0.lock().planned.replace(planned).is_some() {
            return;
        }
        let work = move || {
            let cells = Cells::new(&vectors, || cache.strong_count() == 0);
            if let Some(cache) = cache.upgrade() {
                cache.made(cells);
            }
        };
        if thread::Builder::new().name("ambix-cells".into()).spawn(work).is_err() {
            self.cell_cache().made(None);
        }
    }

    /// Makes cells now, if there are enough rows for any.
    pub(crate) fn make_cells(&self) {
        self.cell_cache().made(Cells::new(self, || false));
    }

    /// Whether many rows are in no cell and none are being made.
    fn wants_cells(&self) -> bool {
        let state = self.cell_cache().0.lock();
        let are_loose =
            |cells: &Arc<Cells>| self.rows().saturating_sub(cells.rows_of(self)) * LOOSE > self.rows();
        state.planned.is_none() && state.cells.as_ref().is_none_or(are_loose)
    }
}
