//! Questions to the graph of an index: `Ambix.Graph`.

mod rows;

mod near;
mod part;
mod whole;

use ambix_core::Result;
use ambix_core::graph::CodeGraph;
use ambix_core::lanes::Lane;
use rustler::{Encoder, Env, ResourceArc, Term};

use crate::guard::guard;
use crate::index::IndexRef;
use crate::job;
use crate::pool;

/// A graph of no more definitions answers every question about one symbol within the time of a dirty scheduler.
const ANSWERS_AT_ONCE: usize = 50_000;

/// The answer of a small graph that is made already, or the handle of a job, which makes a graph that is not, and sends the
/// answer as every job does: no scheduler is kept, and the usual question crosses the border once.
fn ask<'a, T, F>(env: Env<'a>, reference: Term<'a>, index: &ResourceArc<IndexRef>, question: F) -> Term<'a>
where
    T: Encoder + Send + 'static,
    F: FnOnce(&CodeGraph) -> Result<T> + Send + 'static,
{
    let index = index.current();
    match index.graph_if_made().filter(|graph| graph.size() <= ANSWERS_AT_ONCE) {
        Some(graph) => guard(env, || question(graph)),
        None => job::start(env, reference, Lane::Query, move |_| pool::install(|| question(index.graph()))),
    }
}
