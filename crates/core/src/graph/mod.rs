//! The graph of code: who calls whom, what a change touches, what matters most.

mod symbol;

mod names;
mod shards;
mod std_lib;

mod observed;
mod unit;
mod view;

mod expand;
mod resolve;

mod build;

mod impact;
mod implementations;
mod query;
mod rank;
mod references;

mod dense;

mod export;

mod layout;
mod picture;
mod svg;

mod communities;
mod cycles;
mod dead;
mod leiden;
mod neighbourhood;
mod paths;

pub use build::{CodeGraph, Source};
pub use communities::{Communities, CommunityOptions};
pub use cycles::{CycleOptions, CycleStep, ModuleCycle, Phase};
pub use dead::{Dead, DeadOptions, Doubt};
pub use export::{Export, Format};
pub use impact::Impact;
pub use implementations::Implementation;
pub use neighbourhood::{Neighbourhood, NeighbourhoodOptions};
pub use paths::SymbolPath;
pub use picture::Picture;
pub(crate) use std_lib::is_of_kernel;
pub use symbol::{Edge, Hit, LinkKind, Relation, Symbol, SymbolId};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
