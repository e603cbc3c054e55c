//! Where the boxes and edges of a picture lie: a layered layout from left to right.
//!
//! The frame is that of Sugiyama, Tagawa and Toda (1981). Cycles are broken by the heuristic of Eades, Lin and Smyth
//! (1993); layers are those of longest paths, with nodes then moved to where their edges are short; long edges get a dummy
//! node in each layer they cross; the order within layers comes from sweeps of weighted medians with transpositions
//! (Gansner, Koutsofios, North and Vo, 1993), judged by the crossings that are counted as by Barth, Jünger and Mutzel
//! (2002); coordinates are those of Brandes and Köpf (2001, with their erratum of 2020), for boxes of different heights.
//!
//! No crate does this within bounds: `rust-sugiyama` 0.4 gives no ways of edges, cannot be cancelled, and a path of 20 000
//! nodes overflows a stack of 2 MiB, which ends the host. `layout-rs` draws instead of telling places, and `dagre` 0.1 is a
//! part of another program that does not build without its JSON.

mod arrange;

mod layers;
mod order;
mod place;

pub(super) use arrange::{Layout, Rect, Size, arrange};

#[cfg(test)]
mod tests;
