//! What is known of a module after it was compiled.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::source::Language;
use crate::syntax::DefinitionKind;

/// All that a `.beam` file says of its module.
///
/// Modules are named as `inspect` prints them: `"Shop.Cart"`, `":lists"`. Lines count from 1; 0 where none is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompiledModule {
    /// The module.
    pub module: Arc<str>,
    /// What it is written in: Elixir, or else Erlang, which other languages compile to.
    pub language: Language,
    /// The source file where the compiler found it, mostly an absolute path; `None` in deterministic builds.
    pub source: Option<Arc<str>>,
    /// The source file as seen from the project's folder. Elixir with debug info only.
    pub relative_source: Option<Arc<str>>,
    /// The line of `defmodule` or `-module`.
    pub line: u32,
    /// Its version: mostly a number in decimal that the compiler made, another one for other code.
    pub vsn: Option<Arc<str>>,
    /// Whether it is a protocol or implements one.
    pub role: Role,
    /// Behaviours that it says to have, in the order in which it says so.
    pub behaviours: Vec<Arc<str>>,
    /// What other modules can call, by name and arity, what the compiler adds included.
    pub exports: Vec<ExportedFunction>,
    /// Functions of its own that only it can call, by name and arity, as far as they were not inlined. Anonymous functions
    /// are among them, under names that the compiler gave them.
    pub locals: Vec<ExportedFunction>,
    /// Every function of another module that its code calls by name, by module, name and arity.
    pub imports: Vec<ImportedFunction>,
    /// What the module's documentation is.
    pub doc: Doc,
    /// What the documentation says of functions, macros, types and callbacks, by kind, name and arity. Of private functions
    /// it says nothing.
    pub docs: Vec<DocEntry>,
    /// Whether there is debug info that can be read. Without it, and in a summary, all that follows is empty.
    pub debug_info: bool,
    /// Functions and macros with their clauses, by line, name and arity.
    pub functions: Vec<CompiledFunction>,
    /// What they call, in the order of the functions, and in each by line.
    pub calls: Vec<Call>,
    /// Modules, structs and records that they name, in the order of the functions, and in each by line.
    pub mentions: Vec<Mention>,
    /// The fields of its struct, if it defines one, without `__struct__`.
    pub fields: Option<Vec<Arc<str>>>,
    /// Erlang's records, in the order in which they are defined, those of included files among them.
    pub records: Vec<CompiledRecord>,
    /// `@spec`, by line, name and arity.
    pub specs: Vec<TypeEntry>,
    /// `@type`, `@typep` and `@opaque`, by line, name and arity.
    pub types: Vec<TypeEntry>,
    /// `@callback` and `@macrocallback`, by line, name and arity.
    pub callbacks: Vec<TypeEntry>,
}

impl CompiledModule {
    /// The module without what a graph of code does not ask for: its tables, its documentation, its types and what it
    /// mentions. A small part of it is left.
    #[must_use]
    pub fn outline(mut self) -> Self {
        (self.exports, self.locals, self.imports) = Default::default();
        (self.doc, self.docs, self.mentions) = Default::default();
        (self.fields, self.records) = Default::default();
        (self.specs, self.types, self.callbacks) = Default::default();
        self.functions.iter_mut().for_each(|function| function.clauses = Vec::new());
        self
    }
}

/// What a module is to a protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Nothing.
    Plain,
    /// It is a protocol.
    Protocol,
    /// It implements one.
    Implementation {
        /// The protocol.
        protocol: Arc<str>,
        /// The type or struct it is implemented for.
        target: Arc<str>,
    },
}

/// A function of the module that can be called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExportedFunction {
    /// Its name.
    pub name: Arc<str>,
    /// Number of arguments; for a macro those that are written.
    pub arity: u8,
    /// Whether it is a macro of Elixir.
    pub is_macro: bool,
}

/// A function of another module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImportedFunction {
    /// Its module.
    pub module: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Number of arguments.
    pub arity: u8,
}

/// The text of some documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doc {
    /// There is none.
    #[default]
    None,
    /// `@doc false`: it is not for others.
    Hidden,
    /// The text, mostly Markdown: the English one, if there are several.
    Text(Arc<str>),
}

/// What documentation says of something that others can see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocEntry {
    /// `Function`, `Macro`, `Type` or `Callback`.
    pub kind: DefinitionKind,
    /// Its name.
    pub name: Arc<str>,
    /// Number of arguments.
    pub arity: u8,
    /// How many of them have defaults.
    pub defaults: u8,
    /// Where its documentation stands or, without any, where it is defined.
    pub line: u32,
    /// Its head with names for the arguments: `"add(cart, item \\ nil)"`.
    pub signature: Option<Arc<str>>,
    /// What it does.
    pub doc: Doc,
    /// The version that brought it.
    pub since: Option<Arc<str>>,
    /// Why it should not be used any more, if so.
    pub deprecated: Option<Arc<str>>,
}

/// A function or macro that has clauses. A function that another one was put over (`defoverridable`) is there too, by a
/// name such as `"init (overridable 1)"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompiledFunction {
    /// `Function` or `Macro`.
    pub kind: DefinitionKind,
    /// Whether other modules can see it.
    pub public: bool,
    /// Its name.
    pub name: Arc<str>,
    /// Number of arguments; for a macro those that are written.
    pub arity: u8,
    /// How many of them have defaults. For each there is a function of its own, of [`Origin::Default`].
    pub defaults: u8,
    /// Its line in the module's source: for what a macro made, where the macro was called.
    pub line: u32,
    /// The line of each clause.
    pub clauses: Vec<u32>,
    /// Who made it.
    pub origin: Origin,
}

impl CompiledFunction {
    /// Whether its `def` stands nowhere in the source of the module.
    pub fn is_generated(&self) -> bool {
        !matches!(self.origin, Origin::Written)
    }
}

/// Who made a function, as far as the compiler tells.
///
/// Elixir notes for each definition where its `def` comes from: `context` is the module whose `quote` it stands in, `file`
/// the place of that `quote` if it has `location: :keep`, and `generated` is set by `quote generated: true`. One of these
/// makes it a macro's. None of them is there, and it passes for written,
///
/// - if a macro was given the head and put it behind a `def` (`defdelegate`, `def unquote(head)`): the head's marks count,
///   and it was written,
/// - if `def unquote(name)(…)` stands in the body of the module itself, mostly in a loop: several functions then share a
///   line,
/// - if a macro built the `def` by hand, as a tuple with the marks of its arguments.
///
/// A function of a `defprotocol` counts as a macro's: there `def` is one. Erlang's functions are written, or included;
/// whether a parse transform made one is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// It is written in the source.
    Written,
    /// A macro made it.
    Macro {
        /// The module of the macro.
        module: Option<Arc<str>>,
        /// The file with the quoted `def`, if the macro kept it, as the compiler wrote it: relative to the folder in which
        /// that file was compiled, or absolute.
        file: Option<Arc<str>>,
        /// The line in that file.
        line: u32,
    },
    /// The compiler made it: it calls the function of this name that has more arguments, with defaults for those.
    Default,
    /// Erlang: an included file holds it.
    Included {
        /// That file.
        file: Arc<str>,
    },
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CallKind {
    /// `Mod.name(…)`, which calls of what is imported have become too.
    Remote,
    /// `name(…)`, a function of the module itself; also `super`.
    Local,
    /// `&Mod.name/1` or `&name/1`: it is passed as a value.
    Capture,
}

/// A call in expanded code: no macro is left, and what is imported has its module.
///
/// Operators and guards of Elixir are functions of `:erlang`, and what Elixir inlines has become what it calls: `Map.put/3`
/// is `:maps.put/3`. What has no function is no call: special forms, `and` and `or`, and in Erlang operators. A call whose
/// module or name is known only when it runs is missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Call {
    /// The caller: index into [`CompiledModule::functions`].
    pub from: u32,
    /// The line in the caller's source; if `is_expanded`, it may be one of the macro's file.
    pub line: u32,
    /// The module called.
    pub module: Arc<str>,
    /// The function.
    pub name: Arc<str>,
    /// Number of arguments.
    pub arity: u8,
    /// How it is called.
    pub kind: CallKind,
    /// Whether it came for certain out of a macro and is not written in the function. It is if
    ///
    /// - its marks say so (`context`, `keep`, `generated`), as they do of what a macro's module imports or defines,
    /// - it has no line, or one before its clause or behind the next one: that of a kept `quote`,
    /// - one of its arguments is a variable of a macro,
    /// - it is one of `:elixir_quote`, which `quote` itself turns into,
    /// - it has no column although others have one, as since Elixir 1.18 (before, with `parser_options: [columns: true]`).
    ///   `defdelegate`'s only call is such a one, and so are those that `#{}` adds.
    ///
    /// Without columns `false` says little: a remote call in a plain `quote` has the line of the macro's call and no mark.
    pub is_expanded: bool,
}

/// What is named without being called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MentionKind {
    /// A module of Elixir as a value: `Shop.Cart`.
    Module,
    /// A struct: `%Shop.Cart{}`.
    Struct,
    /// A record of Erlang, by its own name: `#cart{}`.
    Record,
}

/// A use of a module, struct or record by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mention {
    /// Where: index into [`CompiledModule::functions`].
    pub from: u32,
    /// The line of the expression around it.
    pub line: u32,
    /// What is named.
    pub kind: MentionKind,
    /// Its name.
    pub name: Arc<str>,
}

/// A record of Erlang.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompiledRecord {
    /// Its name.
    pub name: Arc<str>,
    /// Its fields.
    pub fields: Vec<Arc<str>>,
    /// Where it is defined, in the file that [`CompiledRecord::file`] names.
    pub line: u32,
    /// The included file, if it is not the module's.
    pub file: Option<Arc<str>>,
}

/// A spec, type or callback.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TypeEntry {
    /// Where.
    pub line: u32,
    /// The function, type or callback.
    pub name: Arc<str>,
    /// Number of arguments or parameters.
    pub arity: u8,
    /// Whether it is about a macro of Elixir.
    pub is_macro: bool,
    /// Whether others may use the type. Specs and callbacks have `true`.
    pub public: bool,
}
