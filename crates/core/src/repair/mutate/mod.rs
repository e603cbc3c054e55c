//! Candidates by templates and by donor code.

mod candidate;
mod check;
mod class;
mod donor;
mod flaws;
mod function;
mod kind;
mod make;
mod order;
mod related;
mod source;
mod templates;
mod vocabulary;

pub use candidate::{Candidate, Page, Request};
pub use function::Function;
pub use kind::Kind;
pub(super) use make::{Ways, by, finish};
pub use make::{candidates, candidates_of, page_of};
pub(super) use source::{Source, parse, parser};
pub(super) use templates::Draft;

#[cfg(test)]
mod tests;
