//! The graph of code: who calls whom, what a change touches, what matters most.

mod symbol;

mod build;

mod ask;

mod draw;

pub use ask::{
    Communities, CommunityOptions, CycleOptions, CycleStep, Dead, DeadOptions, Direction, Doubt, GraphPart,
    Impact, Implementation, ModuleCycle, Neighbourhood, NeighbourhoodOptions, Phase, SymbolPath,
};
pub(crate) use build::is_of_kernel;
pub use build::{CodeGraph, GraphInput};
pub use draw::{Export, Format, Picture};
pub use symbol::{Edge, LinkKind, Reached, Relation, Symbol, SymbolId};

#[cfg(test)]
mod calls_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
