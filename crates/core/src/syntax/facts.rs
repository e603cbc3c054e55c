//! What is known of a file after reading it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::source::{Diagnostic, Span};

/// What a definition defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DefinitionKind {
    /// `defmodule`.
    Module,
    /// `defprotocol`.
    Protocol,
    /// `defimpl`.
    Implementation,
    /// `def` and `defp`.
    Function,
    /// `defmacro` and `defmacrop`.
    Macro,
    /// `defguard` and `defguardp`.
    Guard,
    /// `defdelegate`.
    Delegate,
    /// `defstruct`.
    Struct,
    /// `defexception`.
    Exception,
    /// `@type`, `@typep` and `@opaque`.
    Type,
    /// `@callback` and `@macrocallback`.
    Callback,
    /// A module attribute that holds a value.
    Attribute,
    /// An ExUnit `test`.
    Test,
    /// An ExUnit `describe`.
    Describe,
    /// An application: `app:` in `mix.exs`.
    App,
    /// An `iex>` session in documentation, which a `doctest` may run. It has the name that ExUnit would give it:
    /// `"Shop.Cart.add/2 (3)"`, `"module Shop.Cart (1)"`.
    Doctest,
    /// A route of a Phoenix or Plug router, named by verb and whole path: `"GET /users/:id"`, `"*"` for any verb. What an
    /// endpoint or a socket mounts is one too: `"SOCKET /live"`, `"CHANNEL room:*"`.
    Route,
    /// A pipeline of a router.
    Pipeline,
    /// A template: a HEEx or EEx file. Its name is the file's path and its module empty; conventions tie it to one.
    Template,
    /// An Ecto schema, named by its source; an embedded one by the last part of its module.
    Schema,
    /// A key that a configuration file sets. Its module is the application, as in `":shop"`.
    Config,
    /// An Erlang record.
    Record,
    /// A file, for what stands outside of all modules in it.
    File,
}

impl DefinitionKind {
    /// Every kind.
    pub const ALL: [DefinitionKind; 23] = [
        DefinitionKind::Module,
        DefinitionKind::Protocol,
        DefinitionKind::Implementation,
        DefinitionKind::Function,
        DefinitionKind::Macro,
        DefinitionKind::Guard,
        DefinitionKind::Delegate,
        DefinitionKind::Struct,
        DefinitionKind::Exception,
        DefinitionKind::Type,
        DefinitionKind::Callback,
        DefinitionKind::Attribute,
        DefinitionKind::Test,
        DefinitionKind::Describe,
        DefinitionKind::App,
        DefinitionKind::Doctest,
        DefinitionKind::Route,
        DefinitionKind::Pipeline,
        DefinitionKind::Template,
        DefinitionKind::Schema,
        DefinitionKind::Config,
        DefinitionKind::Record,
        DefinitionKind::File,
    ];

    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            DefinitionKind::Module => "module",
            DefinitionKind::Protocol => "protocol",
            DefinitionKind::Implementation => "implementation",
            DefinitionKind::Function => "function",
            DefinitionKind::Macro => "macro",
            DefinitionKind::Guard => "guard",
            DefinitionKind::Delegate => "delegate",
            DefinitionKind::Struct => "struct",
            DefinitionKind::Exception => "exception",
            DefinitionKind::Type => "type",
            DefinitionKind::Callback => "callback",
            DefinitionKind::Attribute => "attribute",
            DefinitionKind::Test => "test",
            DefinitionKind::Describe => "describe",
            DefinitionKind::App => "app",
            DefinitionKind::Doctest => "doctest",
            DefinitionKind::Route => "route",
            DefinitionKind::Pipeline => "pipeline",
            DefinitionKind::Template => "template",
            DefinitionKind::Schema => "schema",
            DefinitionKind::Config => "config",
            DefinitionKind::Record => "record",
            DefinitionKind::File => "file",
        }
    }
}

/// A thing that a file defines. All clauses of one `Mod.fun/arity` are one definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// What it is.
    pub kind: DefinitionKind,
    /// The module it is in, or for modules the module itself, as `inspect` prints it: `"Shop.Cart"`.
    pub module: Arc<str>,
    /// The function, type, attribute or field name; for modules the last part; for tests their text.
    pub name: Arc<str>,
    /// Number of arguments, for what takes arguments.
    pub arity: Option<u8>,
    /// How many of them have defaults: the function also exists with `arity - defaults ..= arity` arguments.
    pub defaults: u8,
    /// Whether other modules can see it.
    pub public: bool,
    /// Everything that belongs together: documentation, spec, attributes and all clauses.
    pub span: Span,
    /// Each clause by itself.
    pub clauses: Vec<Span>,
    /// The text of `@doc`, `@moduledoc` or `@typedoc`.
    pub doc: Option<Arc<str>>,
    /// The source text of `@spec`, or of the type.
    pub spec: Option<Arc<str>>,
    /// Fields of a struct, exception or schema; for an implementation the protocol and the target; for a route the
    /// pipelines that it passes and, of a live view, the action: `":show"`; for a configuration the keys in its value;
    /// else empty.
    pub fields: Vec<Arc<str>>,
    /// The head of the first clause as written: `"add(cart, item) when is_map(item)"`.
    pub signature: Option<Arc<str>>,
    /// Whether the form alone tells that it is one: a macro that nobody knows is given a head and a body.
    pub guessed: bool,
}

impl Definition {
    /// `Mod.fun/arity`, `Mod` for modules, `Mod.t/0` for types, the path for templates.
    pub fn qualified(&self) -> String {
        match (self.kind, self.arity) {
            (DefinitionKind::Module | DefinitionKind::Protocol | DefinitionKind::Implementation, _) => {
                self.module.to_string()
            }
            (DefinitionKind::Template | DefinitionKind::Doctest, _) => self.name.to_string(),
            (_, Some(arity)) => format!("{}.{}/{}", self.module, self.name, arity),
            (_, None) => format!("{}.{}", self.module, self.name),
        }
    }
}

/// How a reference uses what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ReferenceKind {
    /// A call or a capture of a function or macro.
    Call,
    /// `alias`.
    Alias,
    /// `import`.
    Import,
    /// `require`.
    Require,
    /// `use`.
    Use,
    /// `@behaviour`.
    Behaviour,
    /// `%Mod{}`.
    Struct,
    /// A protocol that is implemented.
    Implements,
    /// A module that is named as a value.
    Module,
    /// A type in a spec, a type or a callback: `Mod.t()`.
    Type,
    /// A route to what answers it: a controller's action, a live view, another router.
    Route,
    /// A pipeline, router or module to a plug in it.
    Plug,
    /// A template that is rendered by its name; also the pattern of files that a module takes in as templates.
    Render,
    /// A schema: an association to it or a query over it. Without a module it is the table of that name.
    Schema,
    /// A message to a process: `GenServer.call(Mod, message)`, with the callback that handles it. Without a module nobody
    /// knows whose process it is. [`FileFacts::messages`] has what is known of the message.
    Message,
    /// A child of a supervisor.
    Supervise,
    /// A key of the configuration that is read. The module is the application, as in `":shop"`.
    Config,
    /// A function or module whose documentation is run as a test: by a test module, or by one session.
    Doctest,
}

/// Why a reference is believed to mean what it seems to mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Basis {
    /// The compiler said so.
    Compiled,
    /// It is written out, and the language leaves no doubt.
    Written,
    /// A guess: a function is passed by its name, as in `apply(Mod, :fun, args)` with literal values.
    ByName,
    /// A guess: a message can match a clause that handles messages.
    Message,
    /// A guess: a framework's convention ties the two together.
    Convention,
    /// A guess: it is written in quoted code, and holds where the macro is used.
    Quoted,
    /// A guess: it is compiled only with a version of Elixir that is not the usual one.
    Conditional,
    /// A guess: of all imports only one can have brought in the name.
    Imported,
    /// A guess: a value chooses among implementations at run time.
    Dispatch,
}

impl Basis {
    /// Whether there is no doubt.
    pub fn is_certain(self) -> bool {
        matches!(self, Basis::Compiled | Basis::Written)
    }

    /// Its name in lower case, for people and other programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Compiled => "compiled",
            Basis::Written => "written",
            Basis::ByName => "by_name",
            Basis::Message => "message",
            Basis::Convention => "convention",
            Basis::Quoted => "quoted",
            Basis::Conditional => "conditional",
            Basis::Imported => "imported",
            Basis::Dispatch => "dispatch",
        }
    }
}

/// A use of something by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// How it is used.
    pub kind: ReferenceKind,
    /// Index into [`FileFacts::definitions`] of the innermost definition around it.
    pub from: Option<u32>,
    /// The module, aliases resolved, as `inspect` prints it: `"Shop.Cart"`, `":lists"`. `None`: a local or imported name
    /// that only the whole project can resolve.
    pub module: Option<Arc<str>>,
    /// The function or macro; empty when the reference is to the module itself. Of a [`ReferenceKind::Route`] in a `~p`
    /// the path, `:_` for what is interpolated: `"/users/:_"`. Of a [`ReferenceKind::Render`] the template's name without
    /// its format, `"index"`; its path, where it is given by that; or the pattern of paths, `"lib/shop_web/page_html/*"`.
    pub name: Arc<str>,
    /// Number of arguments, a pipe's included. `None` for what takes none, and for a call by name with a list of arguments
    /// that is not written out.
    pub arity: Option<u8>,
    /// Where.
    pub span: Span,
    /// Why it is believed.
    pub basis: Basis,
}

/// `import Mod, only: [...]`, as far as it can be read. Resolved against the whole project by the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportDirective {
    /// The imported module, aliases resolved.
    pub module: Arc<str>,
    /// `only:`, as name and arity.
    pub only: Option<Vec<(Arc<str>, u8)>>,
    /// `except:`, as name and arity.
    pub except: Vec<(Arc<str>, u8)>,
    /// The code that it is in force for.
    pub scope: Span,
    /// Index of the definition that holds it inside of a `quote`: then it is in force where that definition is used.
    pub injected_by: Option<u32>,
}

/// An `alias` inside of a `quote`: it is in force where the definition that holds it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectedAlias {
    /// The name it gives.
    pub short: Arc<str>,
    /// The module it stands for.
    pub module: Arc<str>,
    /// Index of the definition that holds it.
    pub injected_by: u32,
}

/// A function, macro, struct or module inside of a `quote`: it is defined where the definition that holds it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectedDefinition {
    /// What it is.
    pub kind: DefinitionKind,
    /// Its name; empty where only the use tells it, as of `def unquote(head)`, and for a module.
    pub name: Arc<str>,
    /// Number of arguments.
    pub arity: u8,
    /// How many of them have defaults.
    pub defaults: u8,
    /// Whether other modules can see it.
    pub public: bool,
    /// Where the quoted clause is.
    pub span: Span,
    /// Index of the definition that holds it.
    pub injected_by: u32,
    /// The quoted module that it is in, or that it is; `None` for what the module gets that uses the macro.
    pub within: Option<InjectedModule>,
}

/// The name of a module that quoted code defines.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InjectedModule {
    /// How the name begins.
    pub root: InjectedRoot,
    /// What stands behind that, such as `"Cart.Item"`; may be empty.
    pub path: Arc<str>,
}

/// How the name of a module begins that quoted code defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InjectedRoot {
    /// With the name of the module that uses the macro, if it is used in one.
    User,
    /// By itself.
    Absolute,
    /// With the macro's argument of this number, counted from 0.
    Argument(u8),
}

/// What is known of a message that is sent, or of a pattern that receives one. Shapes are written so:
///
/// - `":stop"`, `":nil"`: an atom; `":Elixir.Shop.Cart"`: a module.
/// - `"{:push, 2}"`: a tuple of two that begins with the atom `:push`; `"{_, 2}"`: a tuple of two that begins otherwise.
/// - `"%Shop.Cart{}"`: a struct; `"%{}"`: a map, in a pattern also any struct.
/// - `"\"save\""`: a text, its escapes replaced.
/// - `"12"`, `"-1.5"`: a number in decimals, without `_`.
/// - `"_"`: anything, and all that is longer than 64 bytes or of another kind.
///
/// [`Shape::can_match`] compares them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// For a message the index of its [`Reference`]; for a pattern the index of the [`Definition`] it is in.
    pub of: u32,
    /// For a pattern the number of the clause; 0 for a message.
    pub clause: u32,
    /// The shape.
    pub shape: Arc<str>,
}

/// A place that is searched and shown as one: a function with all its clauses, a module's head, a part of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Where its text is in the file.
    pub span: Span,
    /// What it defines, qualified: `"Shop.Cart.add/2"`; empty for text.
    pub symbol: Arc<str>,
    /// What kind of thing it is, if it is a definition.
    pub kind: Option<DefinitionKind>,
    /// Where it stands, such as `"Shop.Cart (lib/shop/cart.ex)"`, and on a second line the aliases that its code goes by, such as
    /// `"alias Shop.Item, Shop.Stock as S"`. An encoder is given both with the text; the first line is searched for words, too.
    pub header: Arc<str>,
}

/// All that one file says by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// In order of position.
    pub definitions: Vec<Definition>,
    /// In order of position.
    pub references: Vec<Reference>,
    /// In order of position.
    pub imports: Vec<ImportDirective>,
    /// In order of position.
    pub injected_aliases: Vec<InjectedAlias>,
    /// In order of position.
    pub injected_definitions: Vec<InjectedDefinition>,
    /// What the messages of [`ReferenceKind::Message`] look like.
    pub messages: Vec<Shape>,
    /// What messages the clauses of `handle_call/3`, `handle_cast/2`, `handle_info/2`, `handle_continue/2` and `handle_event/3`
    /// match with their first parameter, and those of a state machine's `handle_event/4` with their second.
    pub receivers: Vec<Shape>,
    /// In order of position; together they cover every line that holds more than white space, but for the outputs in a
    /// Livebook. They are read when nothing else is, so who stores facts keeps them apart.
    #[serde(skip)]
    pub chunks: Vec<Chunk>,
    /// What could not be read.
    pub diagnostics: Vec<Diagnostic>,
}
