//! What the graph is made of, and what its answers are made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::source::Span;
use crate::syntax::{Basis, DefinitionKind};

/// A symbol's place in one graph: the number of its file, in order of path, and its number there. Another graph, also a
/// later version of the same one, numbers anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SymbolId {
    /// The number of the file.
    pub file: u32,
    /// The number in the file: what is written in order of position, then what macros make.
    pub index: u32,
}

/// A definition, as a node of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its number in this graph.
    pub id: SymbolId,
    /// What it is.
    pub kind: DefinitionKind,
    /// The module it is in; for modules the module itself.
    pub module: Arc<str>,
    /// As in [`crate::syntax::Definition::name`].
    pub name: Arc<str>,
    /// Number of arguments, for what takes arguments.
    pub arity: Option<u8>,
    /// How many of them have defaults.
    pub defaults: u8,
    /// Whether other modules can see it.
    pub public: bool,
    /// The macro that makes it, where none of its text is in the module: `"Shop.Web.__using__"`.
    pub generated_by: Option<Arc<str>>,
    /// Where it is defined; for what a macro makes, where the macro is used.
    pub file: Arc<str>,
    /// Where in that file.
    pub span: Span,
}

impl Symbol {
    /// `Mod.fun/arity`; modules, and what is in none, such as a template, by their name alone.
    pub fn qualified(&self) -> String {
        match (self.is_module(), self.arity) {
            (true, _) => self.module.to_string(),
            _ if self.module.is_empty() || self.kind == DefinitionKind::Doctest => self.name.to_string(),
            (_, Some(arity)) => format!("{}.{}/{arity}", self.module, self.name),
            (_, None) => format!("{}.{}", self.module, self.name),
        }
    }

    pub(super) fn is_module(&self) -> bool {
        use DefinitionKind::{Implementation, Module, Protocol};
        matches!(self.kind, Module | Protocol | Implementation)
    }

    /// Whether it can be called by its name.
    pub(super) fn is_callable(&self) -> bool {
        use DefinitionKind::{Delegate, Exception, Function, Guard, Macro, Struct};
        matches!(self.kind, Function | Macro | Guard | Delegate | Struct | Exception)
    }
}

/// How one symbol depends on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LinkKind {
    /// It calls or captures it.
    Call,
    /// It sends it a message: from the sender to the function that handles it.
    Message,
    /// A protocol's function or a behaviour's callback to what implements it.
    Dispatch,
    /// A route to what answers it.
    Route,
    /// A pipeline, router or module to a plug in it.
    Plug,
    /// It renders the template.
    Render,
    /// It runs the documentation of the function as a test.
    Doctest,
    /// It starts the module as a child of a supervisor.
    Supervise,
    /// `use`.
    Use,
    /// `import`.
    Import,
    /// `require`.
    Require,
    /// `alias`.
    Alias,
    /// `@behaviour`.
    Behaviour,
    /// It implements the protocol.
    Implements,
    /// `%Mod{}`.
    Struct,
    /// It names the module as a value.
    Module,
    /// It names the type.
    Type,
    /// A schema by an association or a query.
    Schema,
    /// It reads the key of the configuration.
    Config,
}

impl LinkKind {
    /// All of them, in order.
    pub const ALL: [LinkKind; 19] = {
        use LinkKind::*;
        [
            Call, Message, Dispatch, Route, Plug, Render, Doctest, Supervise, Use, Import, Require, Alias,
            Behaviour, Implements, Struct, Module, Type, Schema, Config,
        ]
    };

    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkKind::Call => "call",
            LinkKind::Message => "message",
            LinkKind::Dispatch => "dispatch",
            LinkKind::Route => "route",
            LinkKind::Plug => "plug",
            LinkKind::Render => "render",
            LinkKind::Doctest => "doctest",
            LinkKind::Supervise => "supervise",
            LinkKind::Use => "use",
            LinkKind::Import => "import",
            LinkKind::Require => "require",
            LinkKind::Alias => "alias",
            LinkKind::Behaviour => "behaviour",
            LinkKind::Implements => "implements",
            LinkKind::Struct => "struct",
            LinkKind::Module => "module",
            LinkKind::Type => "type",
            LinkKind::Schema => "schema",
            LinkKind::Config => "config",
        }
    }

    /// Whether control passes along it: what callers and callees follow.
    pub fn is_call(self) -> bool {
        self <= LinkKind::Doctest
    }
}

/// A dependency between two symbols, with the symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The one that depends.
    pub from: SymbolId,
    /// The one it depends on.
    pub to: SymbolId,
    /// How.
    pub kind: LinkKind,
    /// The best reason to believe in it.
    pub basis: Basis,
    /// Where it is written: in the file of `from`, for a dispatch in that of `to`.
    pub sites: Vec<Span>,
    /// For a message, where the clause is that can match it, in the file of `to`.
    pub clause: Option<Span>,
}

impl Relation {
    /// The lines of its sites, sorted, each once.
    pub fn lines(&self) -> Vec<u32> {
        lines(&self.sites)
    }

    /// The symbol whose file the sites are in.
    pub fn at(&self) -> SymbolId {
        if self.kind == LinkKind::Dispatch { self.to } else { self.from }
    }
}

impl Reached {
    /// The lines of its sites, sorted, each once.
    pub fn lines(&self) -> Vec<u32> {
        lines(&self.sites)
    }

    /// The symbol whose file the sites are in; `against` says that what was reached is what depends.
    pub fn at(&self, against: bool) -> SymbolId {
        // A dispatch is written where the implementation is, everything else in what depends.
        if against != (self.kind == LinkKind::Dispatch) { self.symbol.id } else { self.via }
    }
}

/// The lines that sites begin in, sorted, each once.
pub(super) fn lines(sites: &[Span]) -> Vec<u32> {
    sites.iter().map(|site| site.line_start).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A symbol that a query over the graph has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// What was reached; its kind, file and span are inside.
    pub symbol: Symbol,
    /// In how many steps, from 1.
    pub depth: usize,
    /// The symbol one step nearer to where the query began.
    pub via: SymbolId,
    /// How the two depend on each other.
    pub kind: LinkKind,
    /// Where the dependency is written: in the file of the one that depends, for a dispatch in that of the implementation.
    pub sites: Vec<Span>,
    /// Why the dependency is believed.
    pub basis: Basis,
}

/// A call as exported: names as Elixir's `inspect` prints them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// Where the call is written.
    pub caller_module: Arc<str>,
    /// The function it is in; `None` in the body of a module.
    pub caller_fun: Option<Arc<str>>,
    /// The arity of that function as defined.
    pub caller_arity: Option<u8>,
    /// Whom it calls, also outside of the project.
    pub callee_module: Arc<str>,
    /// The function called.
    pub callee_fun: Arc<str>,
    /// Its arity as defined, or as called where the definition is not in the project.
    pub callee_arity: u8,
    /// Why it is believed.
    pub basis: Basis,
    /// Whether the compiler puts a function of another name in its place, so that no such call is left: for
    /// `String.to_integer/1` it puts `:erlang.binary_to_integer/1`.
    pub inlined: bool,
}
