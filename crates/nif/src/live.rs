//! Counts the resources that live, so that tests can see that none leaks.

use std::sync::atomic::{AtomicUsize, Ordering};

use ambix_macros::nif;
use rustler::NifMap;

static JOBS: AtomicUsize = AtomicUsize::new(0);
static INDEXES: AtomicUsize = AtomicUsize::new(0);
static MODELS: AtomicUsize = AtomicUsize::new(0);
static REPAIRS: AtomicUsize = AtomicUsize::new(0);
static TREES: AtomicUsize = AtomicUsize::new(0);
static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// What kind of resource a token counts.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Work that was ordered.
    Job,
    /// An index.
    Index,
    /// A model or an encoder.
    Model,
    /// A repair.
    Repair,
    /// A search tree.
    Tree,
    /// A thread that watches a folder.
    Watch,
}

impl Kind {
    fn counter(self) -> &'static AtomicUsize {
        match self {
            Kind::Job => &JOBS,
            Kind::Index => &INDEXES,
            Kind::Model => &MODELS,
            Kind::Repair => &REPAIRS,
            Kind::Tree => &TREES,
            Kind::Watch => &WATCHES,
        }
    }
}

/// A member of each resource: counts it while it lives.
pub struct Live(Kind);

impl Live {
    /// Counts one more.
    pub fn new(kind: Kind) -> Self {
        kind.counter().fetch_add(1, Ordering::Relaxed);
        Live(kind)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.counter().fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(NifMap)]
#[rustler(encode)]
struct Counts {
    jobs: usize,
    indexes: usize,
    models: usize,
    repairs: usize,
    trees: usize,
    watches: usize,
}

/// How many resources of each kind live.
#[nif]
// normal: reads six numbers
fn live_resources() -> Counts {
    let read = |kind: Kind| kind.counter().load(Ordering::Relaxed);
    Counts {
        jobs: read(Kind::Job),
        indexes: read(Kind::Index),
        models: read(Kind::Model),
        repairs: read(Kind::Repair),
        trees: read(Kind::Tree),
        watches: read(Kind::Watch),
    }
}
