//! Questions about one symbol, which look at little more than what is tied to it: a job only where the graph is large, or is
//! not made yet.

use ambix_core::graph::{Direction, LinkKind};
use ambix_core::{Error, Result};
use ambix_macros::nif;
use rustler::{Atom, Env, ResourceArc, Term};

use super::ask;
use super::rows::{ExHit, ExReference, ExSymbol};
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
        let direction = direction_of(way)?;
        let kinds = LinkKind::of_names(kinds.as_deref(), |kind| direction.follows(kind))?;
        let hits = graph.reached(&graph.ids_of(&symbol)?, direction, depth, &kinds);
        Ok(hits.iter().map(|hit| ExHit::of(graph, hit, direction.is_against())).collect::<Vec<_>>())
    })
}

fn direction_of(way: Atom) -> Result<Direction> {
    if way == atoms::callers() {
        Ok(Direction::Callers)
    } else if way == atoms::callees() {
        Ok(Direction::Callees)
    } else if way == atoms::dependents() {
        Ok(Direction::Dependents)
    } else if way == atoms::dependencies() {
        Ok(Direction::Dependencies)
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
        let relations = graph.references(&graph.ids_of(&symbol)?);
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
