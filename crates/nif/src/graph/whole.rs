//! Questions that look at the whole graph, or at as much of it as depends on a change: each is a job.

use ambix_core::Error;
use ambix_core::graph::{
    CommunityOptions, CycleOptions, DeadOptions, LinkKind, NeighbourhoodOptions, Phase, Symbol,
};
use ambix_core::lanes::Lane;
use ambix_macros::nif;
use rustler::{Atom, Env, NifMap, ResourceArc, Term};

use super::rows::{ExDead, ExImpact, ExLink, ExPath, ExRank, ExSymbol};
use crate::index::{IndexRef, tokens_of};
use crate::job;
use crate::model::ModelRef;
use crate::pool;

mod atoms {
    rustler::atoms! { modules, symbols }
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExCycle {
    modules: Vec<String>,
    example: Vec<ExCycleStep>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExCycleStep {
    from: String,
    to: String,
    phase: &'static str,
    links: Vec<ExLink>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExCommunities {
    groups: Vec<Vec<String>>,
    modularity: f64,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExNeighbourhood {
    text: String,
    tokens: usize,
    symbols: Vec<ExSymbol>,
    omitted: usize,
}

/// A call as exported: caller and callee, each as module, name and arity.
type ExEdge = ((String, Option<String>, Option<u8>), (String, String, u8));

#[nif]
// normal: starts a job
fn graph_impact<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    path_or_symbol: String,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |_| {
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let ids = graph.ids_in_or_of(&path_or_symbol)?;
            let touched: Vec<Symbol> = ids.iter().filter_map(|id| graph.symbol(*id)).collect();
            Ok(ExImpact::of(graph, &touched, &graph.impact_of(&ids)))
        })
    })
}

#[nif(schedule = "DirtyCpu")]
fn graph_impact_of_lines<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    lines: Vec<(String, u32, u32)>,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |_| {
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let lines = lines.iter().map(|(path, first, last)| (path.as_str(), *first, *last));
            let (touched, impact) = graph.impact_of_lines(lines);
            Ok(ExImpact::of(graph, &touched, &impact))
        })
    })
}

#[nif]
// normal: starts a job
fn graph_paths<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    from: String,
    to: String,
    kinds: Option<Vec<String>>,
    limit: usize,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |reporter| {
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let kinds = LinkKind::of_names(kinds.as_deref(), LinkKind::is_call)?;
            let (from, to) = (graph.ids_of(&from)?, graph.ids_of(&to)?);
            let paths = graph.shortest_paths_among(&from, &to, &kinds, limit, reporter.cancel())?;
            Ok(paths.iter().map(|path| ExPath::of(graph, path)).collect::<Vec<_>>())
        })
    })
}

#[nif]
// normal: starts a job
fn graph_cycles<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    kinds: Option<Vec<String>>,
    phase: Option<String>,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |reporter| {
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let kinds =
                LinkKind::of_names(kinds.as_deref(), |kind| CycleOptions::default().kinds.contains(&kind))?;
            let phase = phase.as_deref().map(Phase::of_name).transpose()?;
            let cycles = graph.module_cycles(&CycleOptions { kinds, phase }, reporter.cancel())?;
            let cycles = cycles.into_iter().map(|cycle| ExCycle {
                modules: cycle.modules.iter().map(ToString::to_string).collect(),
                example: cycle
                    .example
                    .iter()
                    .map(|step| ExCycleStep {
                        from: step.from.to_string(),
                        to: step.to.to_string(),
                        phase: step.phase.as_str(),
                        links: step.relations.iter().map(|relation| ExLink::of(graph, relation)).collect(),
                    })
                    .collect(),
            });
            Ok(cycles.collect::<Vec<_>>())
        })
    })
}

#[nif(schedule = "DirtyCpu")]
fn graph_dead<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    public: bool,
    tests: bool,
    keep: Vec<String>,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |reporter| {
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let roots = graph.expand(&graph.ids_of_all(&keep)?);
            let dead = graph.dead(&DeadOptions { public, tests, roots }, reporter.cancel())?;
            Ok(dead.iter().map(ExDead::of).collect::<Vec<_>>())
        })
    })
}

#[nif]
// normal: starts a job
fn graph_communities<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    of: Atom,
    kinds: Option<Vec<String>>,
    resolution: f64,
    seed: u64,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |reporter| {
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let kinds = LinkKind::of_names(kinds.as_deref(), |kind| {
                CommunityOptions::default().kinds.contains(&kind)
            })?;
            let options = CommunityOptions { kinds, resolution, seed };
            if of == atoms::modules() {
                let found = graph.module_communities(&options, reporter.cancel())?;
                let names = |group: &Vec<_>| group.iter().map(ToString::to_string).collect();
                Ok(ExCommunities {
                    groups: found.groups.iter().map(names).collect(),
                    modularity: found.modularity,
                })
            } else if of == atoms::symbols() {
                let found = graph.symbol_communities(&options, reporter.cancel())?;
                let names = |group: &Vec<_>| {
                    group.iter().filter_map(|id| graph.symbol(*id)).map(|symbol| symbol.qualified()).collect()
                };
                Ok(ExCommunities {
                    groups: found.groups.iter().map(names).collect(),
                    modularity: found.modularity,
                })
            } else {
                Err(Error::invalid("communities are of :modules or of :symbols"))
            }
        })
    })
}

#[nif(schedule = "DirtyCpu")]
fn graph_rank<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    limit: usize,
    seeds: Vec<String>,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |reporter| {
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let seeds = graph.expand(&graph.ids_of_all(&seeds)?);
            let ranked = graph.rank(&seeds, reporter.cancel())?;
            Ok(ranked
                .iter()
                .take(limit)
                .map(|(symbol, score)| ExRank::of(symbol, *score))
                .collect::<Vec<_>>())
        })
    })
}

#[nif(schedule = "DirtyCpu")]
fn graph_neighbourhood<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    symbols: Vec<String>,
    tokens: usize,
    model: Option<ResourceArc<ModelRef>>,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |reporter| {
        let index = index.current();
        pool::install(|| {
            let graph = index.graph();
            let symbols = graph.ids_of_all(&symbols)?;
            let options = NeighbourhoodOptions {
                budget: tokens,
                count: &|text| tokens_of(text, model.as_deref()),
                source: &|path| index.text(path).cloned(),
            };
            let found = graph.neighbourhood(&symbols, &options, reporter.cancel())?;
            let symbols = found.symbols.iter().filter_map(|id| graph.symbol(*id));
            Ok(ExNeighbourhood {
                text: found.text,
                tokens: found.tokens,
                symbols: symbols.map(|symbol| ExSymbol::of(&symbol)).collect(),
                omitted: found.omitted,
            })
        })
    })
}

#[nif]
// normal: starts a job
fn graph_count_edges<'a>(env: Env<'a>, reference: Term<'a>, index: ResourceArc<IndexRef>) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |_| {
        let index = index.current();
        pool::install(|| Ok(index.graph().edges().count()))
    })
}

#[nif]
// normal: starts a job
fn graph_edges<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    guessed: bool,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |_| {
        let index = index.current();
        pool::install(|| {
            let edges = index.graph().calls(guessed).map(|edge| {
                let caller = edge.caller_fun.as_deref().map(str::to_owned);
                let caller = (edge.caller_module.to_string(), caller, edge.caller_arity);
                (caller, (edge.callee_module.to_string(), edge.callee_fun.to_string(), edge.callee_arity))
            });
            Ok(edges.collect::<Vec<ExEdge>>())
        })
    })
}
