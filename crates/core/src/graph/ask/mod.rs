//! Questions to the graph: about one symbol, and about the whole.

mod asked;
mod impact;
mod implementations;
mod query;
mod rank;
mod references;
mod selection;

pub(in crate::graph) mod dense;

mod communities;
mod cycles;
mod dead;
mod leiden;
mod neighbourhood;
mod paths;

pub use communities::{Communities, CommunityOptions};
pub use cycles::{CycleOptions, CycleStep, ModuleCycle, Phase};
pub use dead::{Dead, DeadOptions, Doubt};
pub use impact::Impact;
pub use implementations::Implementation;
pub use neighbourhood::{Neighbourhood, NeighbourhoodOptions};
pub use paths::SymbolPath;
pub use selection::{Direction, GraphPart};
