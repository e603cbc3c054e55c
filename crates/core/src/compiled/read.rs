//! From the bytes of a file to a module.

use std::sync::Arc;

use super::iff::Container;
use super::module::{CompiledModule, Doc, Role};
use super::name::{Names, alias};
use super::tables::{Atoms, exports, imports};
use super::term::Terms;
use super::term::{Elements, Term};
use super::{Limits, docs, elixir, erlang};
use crate::Result;
use crate::source::Language;

impl CompiledModule {
    /// All that `bytes`, one `.beam` file, say of its module, within the default [`Limits`].
    ///
    /// # Errors
    /// Those of [`CompiledModule::read_within`].
    pub fn read(bytes: &[u8]) -> Result<Self> {
        Self::read_within(bytes, &Limits::default())
    }

    /// What other modules see of the module in `bytes`, and its documentation. Code is not read, so that this takes a small
    /// part of the time of [`CompiledModule::read`].
    ///
    /// # Errors
    /// Those of [`CompiledModule::read_within`].
    pub fn summary(bytes: &[u8]) -> Result<Self> {
        Self::summary_within(bytes, &Limits::default())
    }

    /// As [`CompiledModule::read`], within other limits. Debug info of a kind that is not known, or that is encrypted, is
    /// passed over.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` are no BEAM file, or are cut off or damaged; `Limit` if reading them would cost more than
    /// `limits` allow.
    pub fn read_within(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let container = Container::open(bytes, limits)?;
        let mut names = Names::default();
        let mut module = outside(&container, limits, &mut names)?;
        for id in [*b"Dbgi", *b"Abst"] {
            // Encrypted debug info begins with a 0, and there may be none at all in it.
            let chunk = container.chunk(&id).filter(|bytes| !matches!(bytes.first(), None | Some(0)));
            if let Some(chunk) = chunk.filter(|_| !module.debug_info) {
                debug_info(Terms::read(chunk, id, limits)?.root(), &mut module, &mut names);
            }
        }
        Ok(module)
    }

    /// As [`CompiledModule::summary`], within other limits.
    ///
    /// # Errors
    /// Those of [`CompiledModule::read_within`].
    pub fn summary_within(bytes: &[u8], limits: &Limits) -> Result<Self> {
        outside(&Container::open(bytes, limits)?, limits, &mut Names::default())
    }
}

/// What the small chunks say.
fn outside(container: &Container, limits: &Limits, names: &mut Names) -> Result<CompiledModule> {
    let atoms = Atoms::read(container)?;
    let name = atoms.module()?;
    let mut module = CompiledModule {
        module: names.module(name),
        language: if alias(name).is_some() { Language::Elixir } else { Language::Erlang },
        source: None,
        relative_source: None,
        line: 0,
        vsn: None,
        role: Role::Plain,
        behaviours: Vec::new(),
        exports: exports(container, *b"ExpT", &atoms, names)?,
        locals: exports(container, *b"LocT", &atoms, names)?,
        imports: imports(container, &atoms, names)?,
        doc: Doc::None,
        docs: Vec::new(),
        debug_info: false,
        functions: Vec::new(),
        calls: Vec::new(),
        mentions: Vec::new(),
        fields: None,
        records: Vec::new(),
        specs: Vec::new(),
        types: Vec::new(),
        callbacks: Vec::new(),
    };
    if let Some(chunk) = container.chunk(b"Attr") {
        attributes(Terms::read(chunk, *b"Attr", limits)?.root(), &mut module, names);
    }
    if let Some(chunk) = container.chunk(b"CInf") {
        let terms = Terms::read(chunk, *b"CInf", limits)?;
        module.source = terms.root().value("source").and_then(Term::text).map(Arc::from);
    }
    if let Some(chunk) = container.chunk(b"Docs")
        && let Some((line, doc, entries)) = docs::read(Terms::read(chunk, *b"Docs", limits)?.root(), names)
    {
        (module.line, module.doc, module.docs) = (line, doc, entries);
    }
    Ok(module)
}

/// Attributes are pairs of a name and a list of values; a name may come twice.
fn attributes(list: Term, module: &mut CompiledModule, names: &mut Names) {
    for pair in list.list().into_iter().flat_map(|list| list.iter()) {
        let Some([name, values]) = pair.tuple_of() else { continue };
        let Some(elements) = values.list() else { continue };
        match name.atom() {
            Some("behaviour" | "behavior") => {
                module
                    .behaviours
                    .extend(elements.iter().filter_map(Term::atom).map(|name| names.module(name)));
            }
            Some("vsn") => module.vsn = vsn(values, elements),
            Some("__protocol__") => module.role = Role::Protocol,
            Some("__impl__") => {
                let part = |key: &str| values.value(key).and_then(Term::atom);
                if let (Some(protocol), Some(target)) = (part("protocol"), part("for")) {
                    let (protocol, target) = (names.module(protocol), names.module(target));
                    module.role = Role::Implementation { protocol, target };
                }
            }
            _ => {}
        }
    }
}

/// A version is a number that the compiler made, or what somebody wrote: `-vsn("1.0")`.
fn vsn(values: Term, elements: Elements) -> Option<Arc<str>> {
    match elements.get(0).filter(|_| elements.len() == 1) {
        Some(only) => {
            only.magnitude().map(|vsn| vsn.to_string().into()).or_else(|| only.text().map(Arc::from))
        }
        None => values.text().map(Arc::from),
    }
}

/// `{debug_info_v1, Backend, Data}`, or before OTP 20 `{raw_abstract_v1, Forms}`.
fn debug_info(term: Term, module: &mut CompiledModule, names: &mut Names) {
    let forms = if let Some([version, backend, data]) = term.tuple_of() {
        match (version.atom(), backend.atom()) {
            (Some("debug_info_v1"), Some("elixir_erl")) => {
                module.language = Language::Elixir;
                return elixir::read(data, module, names);
            }
            (Some("debug_info_v1"), Some("erl_abstract_code")) => {
                data.tuple_of().and_then(|[forms, _options]| forms.list())
            }
            _ => None,
        }
    } else {
        let raw = term.tuple_of().filter(|[version, _]| version.is_atom("raw_abstract_v1"));
        raw.and_then(|[_, forms]| forms.list())
    };
    if let Some(forms) = forms {
        erlang::read(forms, module, names);
    }
}
