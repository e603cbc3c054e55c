//! Which part of a graph is written or drawn, and the text and pictures of it.

use std::collections::BTreeSet;

use ambix_core::graph::{CodeGraph, Export, Format, LinkKind, Picture, SymbolId};
use ambix_core::{Error, Result};
use ambix_macros::nif;
use rustler::{Atom, Env, NifMap, ResourceArc, Term};

use super::{kinds_or, named_or_in};
use crate::index::IndexRef;
use crate::job;
use crate::lanes::Lane;
use crate::pool;

mod atoms {
    rustler::atoms! { both, dependents, dependencies }
}

/// A symbol or file and what is reached from it over up to `depth` links of `kinds`, or everything.
#[derive(NifMap)]
#[rustler(decode)]
struct ExPart {
    around: Option<String>,
    reach: Atom,
    depth: usize,
    kinds: Option<Vec<String>>,
}

#[derive(NifMap)]
#[rustler(decode)]
struct ExDrawing {
    modules: bool,
    max_nodes: usize,
}

enum Reach {
    Both,
    Dependents,
    Dependencies,
}

/// A part that was checked.
struct Part {
    around: Option<String>,
    reach: Reach,
    depth: usize,
    kinds: Vec<LinkKind>,
}

impl Part {
    fn of(part: ExPart, default: &dyn Fn(LinkKind) -> bool) -> Result<Self> {
        let reach = if part.reach == atoms::both() {
            Reach::Both
        } else if part.reach == atoms::dependents() {
            Reach::Dependents
        } else if part.reach == atoms::dependencies() {
            Reach::Dependencies
        } else {
            return Err(Error::invalid("reach is one of :both, :dependents and :dependencies"));
        };
        Ok(Part { around: part.around, reach, depth: part.depth, kinds: kinds_or(part.kinds, default)? })
    }

    /// The symbols of this part; `None` for all.
    fn symbols(&self, graph: &CodeGraph) -> Result<Option<Vec<SymbolId>>> {
        let Some(around) = &self.around else { return Ok(None) };
        let asked = named_or_in(graph, around)?;
        let mut hits = Vec::new();
        if !matches!(self.reach, Reach::Dependencies) {
            hits.extend(graph.dependents(&asked, self.depth, &self.kinds));
        }
        if !matches!(self.reach, Reach::Dependents) {
            hits.extend(graph.dependencies(&asked, self.depth, &self.kinds));
        }
        // Of a module only those functions that have to do with what was reached.
        let mut symbols: BTreeSet<_> = hits.iter().flat_map(|hit| [hit.symbol.id, hit.via]).collect();
        if matches!(self.reach, Reach::Both) || symbols.is_empty() {
            symbols.extend(graph.expand(&asked));
        }
        Ok(Some(symbols.into_iter().collect()))
    }
}

#[nif]
// normal: starts a job
fn graph_export<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    format: String,
    part: ExPart,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |_| {
        let format = Format::of_name(&format).ok_or_else(|| {
            let known: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
            Error::invalid(format!("the format is one of {}, not {format:?}", known.join(", ")))
        })?;
        let part = Part::of(part, &|_| true)?;
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let mut export = Export::new().kinds(part.kinds.iter().copied());
            if let Some(symbols) = part.symbols(graph)? {
                export = export.symbols(symbols);
            }
            Ok(export.text(graph, format))
        })
    })
}

#[nif]
// normal: starts a job
fn graph_picture<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    part: ExPart,
    drawing: ExDrawing,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |reporter| {
        let part = Part::of(part, &LinkKind::is_call)?;
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let symbols = part.symbols(graph)?;
            let ExDrawing { modules, max_nodes } = drawing;
            graph.picture(&Picture { symbols, kinds: part.kinds, modules, max_nodes }, reporter.cancel())
        })
    })
}
