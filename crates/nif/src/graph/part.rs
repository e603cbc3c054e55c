//! Which part of a graph is written or drawn, and the text and pictures of it.

use ambix_core::graph::{Export, Format, GraphPart, LinkKind, Picture};
use ambix_core::lanes::Lane;
use ambix_core::{Error, Result};
use ambix_macros::nif;
use rustler::{Atom, Env, NifMap, ResourceArc, Term};

use crate::index::IndexRef;
use crate::job;
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

impl ExPart {
    fn into_core(self, default: impl Fn(LinkKind) -> bool) -> Result<GraphPart> {
        let (dependents, dependencies) = if self.reach == atoms::both() {
            (true, true)
        } else if self.reach == atoms::dependents() {
            (true, false)
        } else if self.reach == atoms::dependencies() {
            (false, true)
        } else {
            return Err(Error::invalid("reach is one of :both, :dependents and :dependencies"));
        };
        let kinds = LinkKind::of_names(self.kinds.as_deref(), default)?;
        Ok(GraphPart { around: self.around, dependents, dependencies, depth: self.depth, kinds })
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
        let part = part.into_core(|_| true)?;
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
        let part = part.into_core(LinkKind::is_call)?;
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let symbols = part.symbols(graph)?;
            let ExDrawing { modules, max_nodes } = drawing;
            graph.picture(&Picture { symbols, kinds: part.kinds, modules, max_nodes }, reporter.cancel())
        })
    })
}
