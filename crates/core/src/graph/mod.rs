//! The graph of code: who calls whom, what a change touches, what matters most.

mod symbol;

mod build;
mod kernel;

mod query;
mod rank;

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

pub use build::CodeGraph;
pub use communities::{Communities, CommunityOptions};
pub use cycles::{CycleOptions, CycleStep, ModuleCycle, Phase};
pub use dead::{Dead, DeadOptions, Doubt};
pub use export::{Export, Format};
pub use neighbourhood::{Neighbourhood, NeighbourhoodOptions};
pub use paths::SymbolPath;
pub use picture::Picture;
pub use query::Impact;
pub use symbol::{Edge, Hit, LinkKind, Relation, Symbol, SymbolId};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
