//! What a template may use.

use std::cell::Cell;
use std::rc::Rc;

use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

/// Units of work between two looks at the token that stops it: some tens of microseconds.
const LOOK: u64 = 1024;
/// Bytes that are copied or compared for one unit of work.
const BYTES: usize = 32;

/// The memory that values of one rendering may hold at a time, and the work that it may do in all.
pub(crate) struct RenderBudget {
    ceiling: usize,
    memory: Cell<usize>,
    work: Cell<u64>,
    unseen: Cell<u64>,
    cancel: Cancel,
}

impl RenderBudget {
    pub(crate) fn new(memory: usize, work: u64, cancel: &Cancel) -> Rc<Self> {
        let (ceiling, cancel) = (memory, cancel.clone());
        Rc::new(RenderBudget {
            ceiling,
            memory: Cell::new(memory),
            work: Cell::new(work),
            unseen: Cell::new(0),
            cancel,
        })
    }

    /// Takes units of work, each about what it costs to evaluate one node.
    pub(super) fn work(&self, units: usize) -> Result<()> {
        let units = units as u64;
        let Some(left) = self.work.get().checked_sub(units) else {
            return Err(Error::new(ErrorKind::Limit, "it takes too many steps"));
        };
        self.work.set(left);
        let unseen = self.unseen.get() + units;
        if unseen < LOOK {
            self.unseen.set(unseen);
            return Ok(());
        }
        self.unseen.set(0);
        self.cancel.check()
    }

    /// Takes the work of looking at so many bytes.
    pub(super) fn look(&self, bytes: usize) -> Result<()> {
        self.work(1 + bytes / BYTES)
    }

    /// Takes memory, until the charge is dropped.
    pub(super) fn take(self: &Rc<Self>, bytes: usize) -> Result<Charge> {
        let mut charge = Charge { budget: self.clone(), bytes: 0 };
        charge.grow(bytes)?;
        Ok(charge)
    }
}

/// Memory that was taken from a budget. It goes back when the value is dropped that it was taken for.
pub(super) struct Charge {
    budget: Rc<RenderBudget>,
    bytes: usize,
}

impl Charge {
    /// Takes more, before it is allocated.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<()> {
        let Some(left) = self.budget.memory.get().checked_sub(bytes) else {
            let message = format!("it wants more than {} MiB of memory", self.budget.ceiling >> 20);
            return Err(Error::new(ErrorKind::Limit, message));
        };
        self.budget.memory.set(left);
        self.bytes += bytes;
        self.budget.look(bytes)
    }

    pub(super) fn budget(&self) -> &Rc<RenderBudget> {
        &self.budget
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.memory.set(self.budget.memory.get() + self.bytes);
    }
}
