//! Questions to the graph of an index: `Ambix.Graph`.

mod rows;

mod near;
mod part;
mod whole;

use ambix_core::graph::{CodeGraph, LinkKind, SymbolId};
use ambix_core::{Error, Result};
use rustler::{Encoder, Env, ResourceArc, Term};

use crate::guard::guard;
use crate::index::IndexRef;
use crate::job;
use crate::lanes::Lane;
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

/// The symbols that a name stands for.
fn named(graph: &CodeGraph, symbol: &str) -> Result<Vec<SymbolId>> {
    Ok(graph.find(symbol)?.into_iter().map(|symbol| symbol.id).collect())
}

/// The symbols that any of the names stands for.
fn all_named(graph: &CodeGraph, symbols: &[String]) -> Result<Vec<SymbolId>> {
    let found: Result<Vec<_>> = symbols.iter().map(|symbol| named(graph, symbol)).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// What a file of the project defines, or else the symbols of that name.
fn named_or_in(graph: &CodeGraph, path_or_symbol: &str) -> Result<Vec<SymbolId>> {
    let inside = graph.symbols().filter(|symbol| *symbol.file == *path_or_symbol);
    let inside: Vec<_> = inside.map(|symbol| symbol.id).collect();
    if inside.is_empty() { named(graph, path_or_symbol) } else { Ok(inside) }
}

/// The kinds of links of these names; `default` where none are given.
fn kinds_or(names: Option<Vec<String>>, default: &dyn Fn(LinkKind) -> bool) -> Result<Vec<LinkKind>> {
    match names {
        None => Ok(LinkKind::ALL.into_iter().filter(|kind| default(*kind)).collect()),
        Some(names) => names.iter().map(|name| kind_of(name)).collect(),
    }
}

fn kind_of(name: &str) -> Result<LinkKind> {
    LinkKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
        let known: Vec<&str> = LinkKind::ALL.iter().map(|kind| kind.as_str()).collect();
        Error::invalid(format!("{name:?} is no kind of link; they are {}", known.join(", ")))
    })
}
