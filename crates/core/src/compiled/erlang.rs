//! The debug info of Erlang: abstract code, a list of forms.
//!
//! Format: <https://www.erlang.org/doc/apps/erts/absform.html>

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::docs::line_of;
use super::module::{CallKind, CompiledFunction, CompiledModule, CompiledRecord, MentionKind, Origin};
use super::name::Names;
use super::references::{ReferenceSite, References};
use super::specs::Specs;
use super::term::{Elements, Term};
use crate::syntax::DefinitionKind;

/// Adds what the forms say to `module`.
pub(super) fn read(forms: Elements, module: &mut CompiledModule, names: &mut Names) {
    module.debug_info = true;
    let mut reader = AbstractCodeReader::default();
    for form in forms.iter() {
        if let Some([what, anno, kind, value]) = form.tuple_of()
            && what.is_atom("attribute")
            && let Some(kind) = kind.atom()
        {
            reader.attribute(anno, kind, value, names);
        } else if let Some([what, anno, name, arity, clauses]) = form.tuple_of()
            && what.is_atom("function")
        {
            // A form of another shape is left out.
            let _ = reader.function(module, anno, name, arity, clauses, names);
        }
    }
    reader.finish(module, names);
}

#[derive(Default)]
struct AbstractCodeReader<'t> {
    /// The file of the module, and the one that is being read, which an included file changes.
    main: Option<Arc<str>>,
    file: Option<Arc<str>>,
    line: u32,
    /// Imported functions, with their modules.
    imported: FxHashMap<(&'t str, u8), &'t str>,
    functions: Vec<(CompiledFunction, Elements<'t>)>,
    records: Vec<CompiledRecord>,
    specs: Specs<'t>,
}

impl<'t> AbstractCodeReader<'t> {
    fn attribute(&mut self, anno: Term<'t>, kind: &str, value: Term<'t>, names: &mut Names) {
        match kind {
            "file" => {
                let file = value.tuple_of().and_then(|[file, _line]| file.text());
                self.file = file.map(|file| names.plain(&file));
                self.main = self.main.take().or_else(|| self.file.clone());
            }
            "module" => self.line = line_of(anno),
            "import" => {
                if let Some([module, functions]) = value.tuple_of()
                    && let (Some(module), Some(functions)) = (module.atom(), functions.list())
                {
                    let functions = functions.iter().filter_map(Term::name_and_arity);
                    self.imported.extend(functions.map(|function| (function, module)));
                }
            }
            "record" => {
                if let Some([name, fields]) = value.tuple_of()
                    && let (Some(name), Some(fields)) = (name.atom(), fields.list())
                {
                    let fields = fields.iter().filter_map(field).map(|field| names.plain(field)).collect();
                    let (name, file) = (names.plain(name), self.included());
                    self.records.push(CompiledRecord { name, fields, line: line_of(anno), file });
                }
            }
            _ => self.specs.attribute(anno, kind, value, names),
        }
    }

    fn function(
        &mut self,
        module: &CompiledModule,
        anno: Term<'t>,
        name: Term<'t>,
        arity: Term<'t>,
        clauses: Term<'t>,
        names: &mut Names,
    ) -> Option<()> {
        let (name, arity) = (names.plain(name.atom()?), arity.arity()?);
        let clauses = clauses.list()?;
        let exported = module
            .exports
            .binary_search_by(|export| (&*export.name, export.arity).cmp(&(&*name, arity)))
            .is_ok();
        let function = CompiledFunction {
            kind: DefinitionKind::Function,
            public: exported,
            name,
            arity,
            defaults: 0,
            line: line_of(anno),
            clauses: clauses.iter().map(|clause| clause.tuple().and_then(anno_line).unwrap_or(0)).collect(),
            origin: self.included().map_or(Origin::Written, |file| Origin::Included { file }),
        };
        self.functions.push((function, clauses));
        Some(())
    }

    /// The file that is being read, if it is not the module's.
    fn included(&self) -> Option<Arc<str>> {
        // Equal names are one and the same, and there may be many forms and long names.
        let is_main = |file: &Arc<str>| self.main.as_ref().is_some_and(|main| Arc::ptr_eq(main, file));
        self.file.clone().filter(|file| !is_main(file))
    }

    fn finish(mut self, module: &mut CompiledModule, names: &mut Names) {
        self.functions.sort_by(|(one, _), (other, _)| {
            (one.line, &one.name, one.arity).cmp(&(other.line, &other.name, other.arity))
        });
        let own: FxHashSet<(&str, u8)> =
            self.functions.iter().map(|(function, _)| (&*function.name, function.arity)).collect();
        let mut walker = Walker {
            module: &module.module,
            own,
            imported: &self.imported,
            references: References::new(names),
        };
        for (number, (_, clauses)) in self.functions.iter().enumerate() {
            walker.walk(number as u32, *clauses);
        }
        let references = walker.references;
        references.finish(module);
        self.specs.finish(module);
        module.source = module.source.take().or(self.main);
        module.line = self.line;
        module.records = self.records;
        module.functions = self.functions.into_iter().map(|(function, _)| function).collect();
    }
}

/// The name of a record's field: `{record_field, _, Name, …}`, which may stand in `{typed_record_field, Field, _}`.
fn field(term: Term<'_>) -> Option<&str> {
    let typed = term.tuple_of().filter(|[what, _, _]| what.is_atom("typed_record_field"));
    let field = typed.map_or(term, |[_, field, _]| field).tuple()?;
    literal(field.get(2)?)
}

/// The line of `{what, Anno, …}`.
fn anno_line(elements: Elements) -> Option<u32> {
    Some(line_of(elements.get(1)?)).filter(|line| *line > 0)
}

struct Walker<'a, 'n> {
    module: &'a Arc<str>,
    own: FxHashSet<(&'a str, u8)>,
    imported: &'a FxHashMap<(&'a str, u8), &'a str>,
    references: References<'n>,
}

impl Walker<'_, '_> {
    /// Everything below `clauses` that refers to something. `from` is the function's number.
    fn walk(&mut self, from: u32, clauses: Elements) {
        let mut open: Vec<(Term, ReferenceSite)> = Vec::new();
        let place = ReferenceSite { from, line: 0, is_expanded: false, has_column: false };
        open.extend(clauses.iter().map(|clause| (clause, place)));
        while let Some((term, around)) = open.pop() {
            if let Some(elements) = term.list() {
                open.extend(elements.iter().map(|element| (element, around)));
                continue;
            }
            let Some(elements) = term.tuple() else { continue };
            let Some(what) = elements.get(0).and_then(Term::atom) else { continue };
            let anno = elements.get(1);
            let is_generated =
                anno.and_then(|anno| anno.value("generated")).is_some_and(|it| it.is_atom("true"));
            let line = anno_line(elements).unwrap_or(around.line);
            let place = ReferenceSite { line, is_expanded: is_generated || around.is_expanded, ..around };
            // The first elements that hold no more expressions.
            let done = match what {
                "atom" | "integer" | "float" | "string" | "char" | "var" | "nil" => continue,
                "call" => 2 + usize::from(self.call(place, elements)),
                "fun" if self.fun(place, elements) => continue,
                "record" | "record_index" => {
                    // `#name{}`, `Value#name{}` and `#name.field`.
                    let name = elements.get(if elements.len() == 5 { 3 } else { 2 });
                    self.record(place, name);
                    2
                }
                "record_field" => {
                    // `Value#name.field`; else a field in `#name{}`.
                    self.record(place, elements.get(3).filter(|_| elements.len() == 5));
                    2
                }
                _ => 1,
            };
            open.extend(elements.iter().skip(done).map(|element| (element, place)));
        }
    }

    /// `{call, _, Function, Arguments}`. Whether the function is known.
    fn call(&mut self, place: ReferenceSite, call: Elements) -> bool {
        let (Some(function), Some(arity)) =
            (call.get(2), call.get(3).and_then(Term::list).map(Elements::len))
        else {
            return false;
        };
        if let Some(name) = literal(function) {
            self.local(place, CallKind::Local, name, arity);
            return true;
        }
        let Some([remote, _, module, name]) = function.tuple_of() else { return false };
        let (true, Some(module), Some(name)) = (remote.is_atom("remote"), literal(module), literal(name))
        else {
            return false;
        };
        self.references.remote(place, CallKind::Remote, module, name, arity);
        true
    }

    /// `fun name/1` and `fun mod:name/1`. Whether it was one.
    fn fun(&mut self, place: ReferenceSite, fun: Elements) -> bool {
        let Some(function) = fun.get(2).and_then(Term::tuple) else { return false };
        let part = |index: usize| function.get(index);
        let is_function = part(0).is_some_and(|what| what.is_atom("function"));
        // Older compilers wrote the parts as they are.
        let atom = |index: usize| part(index).and_then(|term| term.atom().or_else(|| literal(term)));
        let number = |index: usize| {
            let value = part(index)?;
            let written = value.tuple_of().map_or(value, |[_integer, _, value]| value);
            written.arity()
        };
        match function.len() {
            3 if is_function => match (atom(1), number(2)) {
                (Some(name), Some(arity)) => self.local(place, CallKind::Capture, name, arity.into()),
                _ => return false,
            },
            4 if is_function => match (atom(1), atom(2), number(3)) {
                (Some(module), Some(name), Some(arity)) => {
                    self.references.remote(place, CallKind::Capture, module, name, arity.into());
                }
                _ => return false,
            },
            _ => return false,
        }
        true
    }

    /// A function that is named without a module: its own, an imported one, or one of `erlang`.
    fn local(&mut self, place: ReferenceSite, kind: CallKind, name: &str, arity: usize) {
        let Ok(key) = u8::try_from(arity).map(|arity| (name, arity)) else { return };
        if self.own.contains(&key) || matches!(key, ("module_info", 0 | 1)) {
            self.references.local(place, kind, self.module, name, arity);
        // `record_info` is no function: the compiler puts in what it says.
        } else if key != ("record_info", 2) {
            let kind = if kind == CallKind::Local { CallKind::Remote } else { kind };
            let module = self.imported.get(&key).copied().unwrap_or("erlang");
            self.references.remote(place, kind, module, name, arity);
        }
    }

    fn record(&mut self, place: ReferenceSite, name: Option<Term>) {
        if let Some(name) = name.and_then(Term::atom) {
            self.references.mention(place, MentionKind::Record, name);
        }
    }
}

/// `{atom, _, Atom}`.
fn literal(term: Term<'_>) -> Option<&str> {
    let [kind, _, atom] = term.tuple_of()?;
    atom.atom().filter(|_| kind.is_atom("atom"))
}
