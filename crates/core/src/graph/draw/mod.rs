//! The graph for the eye and for other programs: pictures and exports.

mod export;

mod layout;
mod picture;
mod svg;

pub use export::{Export, Format};
pub use picture::Picture;
