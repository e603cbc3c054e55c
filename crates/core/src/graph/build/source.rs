//! What the graph is made from.

use std::sync::Arc;

use crate::compiled::CompiledFile;
use crate::syntax::FileFacts;

/// What the graph is made from, for each file.
#[derive(Clone, Debug, Default)]
pub struct GraphInput {
    /// What is written in it.
    pub facts: Arc<FileFacts>,
    /// What the compiler said of just this text.
    pub compiled: Option<Arc<CompiledFile>>,
    /// Whether it is not of the project, but of something that the project uses: then it only tells what its names mean and
    /// what its macros bring.
    pub outside: bool,
}

impl From<Arc<FileFacts>> for GraphInput {
    fn from(facts: Arc<FileFacts>) -> Self {
        GraphInput { facts, compiled: None, outside: false }
    }
}

impl From<FileFacts> for GraphInput {
    fn from(facts: FileFacts) -> Self {
        Arc::new(facts).into()
    }
}
