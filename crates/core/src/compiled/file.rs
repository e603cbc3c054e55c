//! What the compiler knew of one source file: its modules, and what a tracer saw of its macros.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CompiledModule;

/// What the compiler knew of a source file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompiledFile {
    /// The modules that it defines.
    pub modules: Vec<Arc<CompiledModule>>,
    /// What a compiler tracer saw: the calls as they are written, of macros too, and those in the bodies of modules.
    /// Sorted; empty where nobody traced.
    pub traced: Arc<[TracedCall]>,
}

/// A call that a compiler tracer saw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TracedCall {
    /// The module that it is written in, as `inspect` prints it.
    pub caller_module: Arc<str>,
    /// The function around it with its arity; none in the body of the module.
    pub caller: Option<(Arc<str>, u8)>,
    /// The module called.
    pub module: Arc<str>,
    /// The function or macro called.
    pub name: Arc<str>,
    /// With how many arguments.
    pub arity: u8,
    /// Where, in the caller's file; 0 where the compiler did not know.
    pub line: u32,
    /// Whether it is a macro.
    pub is_macro: bool,
}
