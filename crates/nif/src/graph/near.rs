//! Questions about one symbol, which look at little more than what is tied to it: a job only where the graph is large, or is
//! not made yet.

use ambix_core::graph::LinkKind;
use ambix_core::{Error, Result};
use ambix_macros::nif;
use rustler::{Atom, Env, ResourceArc, Term};

use super::rows::{ExHit, ExReference, ExSymbol};
use super::{ask, kinds_or, named};
use crate::index::IndexRef;

mod atoms {
    rustler::atoms! { callers, callees, dependents, dependencies }
}

/// The kinds of links, as the Elixir library must list them, and whether they are calls.
#[nif]
// normal: a short constant list
fn graph_link_kinds() -> Vec<(&'static str, bool)> {
    LinkKind::ALL.iter().map(|kind| (kind.as_str(), kind.is_call())).collect()
}

#[nif(schedule = "DirtyCpu")]
fn graph_find<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    symbol: String,
) -> Term<'a> {
    ask(env, reference, &index, move |graph| {
        Ok(graph.find(&symbol)?.iter().map(ExSymbol::of).collect::<Vec<_>>())
    })
}

#[nif(schedule = "DirtyCpu")]
fn graph_reach<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    symbol: String,
    way: Atom,
    depth: usize,
    kinds: Option<Vec<String>>,
) -> Term<'a> {
    ask(env, reference, &index, move |graph| {
        let (against, calls) = way_of(way)?;
        let kinds = kinds_or(kinds, &|kind| !calls || kind.is_call())?;
        let symbols = named(graph, &symbol)?;
        let hits = if against {
            graph.dependents(&symbols, depth, &kinds)
        } else {
            graph.dependencies(&symbols, depth, &kinds)
        };
        Ok(hits.iter().map(|hit| ExHit::of(graph, hit, against)).collect::<Vec<_>>())
    })
}

/// Whether dependencies are followed against their direction, and whether only calls are unless the kinds are named.
fn way_of(way: Atom) -> Result<(bool, bool)> {
    if way == atoms::callers() {
        Ok((true, true))
    } else if way == atoms::callees() {
        Ok((false, true))
    } else if way == atoms::dependents() {
        Ok((true, false))
    } else if way == atoms::dependencies() {
        Ok((false, false))
    } else {
        Err(Error::invalid("the way is one of :callers, :callees, :dependents and :dependencies"))
    }
}

#[nif(schedule = "DirtyCpu")]
fn graph_references<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    symbol: String,
) -> Term<'a> {
    ask(env, reference, &index, move |graph| {
        let relations = graph.references(&named(graph, &symbol)?);
        Ok(relations.iter().flat_map(|relation| ExReference::all(graph, relation)).collect::<Vec<_>>())
    })
}

#[nif(schedule = "DirtyCpu")]
fn graph_implementations<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    symbol: String,
) -> Term<'a> {
    ask(env, reference, &index, move |graph| {
        Ok(graph.implementations(&symbol)?.iter().map(ExHit::implementing).collect::<Vec<_>>())
    })
}
