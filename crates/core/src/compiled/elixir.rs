//! The debug info of Elixir: `{elixir_v1, Map, Specs}`.

use std::sync::Arc;

use super::docs::line_of;
use super::expanded::{Clause, walk};
use super::module::{CompiledFunction, CompiledModule, Origin};
use super::name::Names;
use super::references::References;
use super::specs::Specs;
use super::term::Term;
use crate::syntax::DefinitionKind;

/// Adds what the debug info says to `module`, if it is of a version that can be read.
pub(super) fn read(data: Term, module: &mut CompiledModule, names: &mut Names) {
    let Some([version, map, specs]) = data.tuple_of() else { return };
    let Some(definitions) = map.value("definitions").and_then(Term::list) else { return };
    if !version.is_atom("elixir_v1") {
        return;
    }
    module.debug_info = true;
    let text = |key: &str| map.value(key).and_then(Term::text).map(Arc::from);
    module.relative_source = text("relative_file");
    module.source = module.source.take().or_else(|| text("file"));
    // Since Elixir 1.16 the place is an annotation.
    let line = map.value("anno").map(line_of).or_else(|| map.value("line")?.line());
    module.line = line.unwrap_or(module.line);
    module.fields = map.value("struct").and_then(Term::list).map(|fields| {
        let fields = fields.iter().filter_map(|field| field.value("field")?.atom());
        fields.map(|field| names.plain(field)).collect()
    });

    let mut found: Vec<Definition> =
        definitions.iter().filter_map(|definition| Definition::read(definition, names)).collect();
    found.sort_by(|one, other| {
        let key = |it: &Definition| (it.function.line, it.function.name.clone(), it.function.arity);
        key(one).cmp(&key(other))
    });
    references(&found, module, names);
    module.functions = found.into_iter().map(|definition| definition.function).collect();

    let mut gathered = Specs::default();
    for attribute in specs.list().into_iter().flat_map(|specs| specs.iter()) {
        if let Some([_, anno, kind, value]) = attribute.tuple_of()
            && let Some(kind) = kind.atom()
        {
            gathered.attribute(anno, kind, value, names);
        }
    }
    gathered.finish(module);
}

/// A function and its code.
struct Definition<'t> {
    function: CompiledFunction,
    /// Marks, patterns, guards and body of each clause.
    clauses: Vec<[Term<'t>; 4]>,
    has_column: bool,
}

impl<'t> Definition<'t> {
    /// Reads `{{Name, Arity}, Kind, Meta, Clauses}`.
    fn read(term: Term<'t>, names: &mut Names) -> Option<Self> {
        let [head, kind, meta, clauses] = term.tuple_of()?;
        let (name, arity) = head.name_and_arity()?;
        let (kind, public) = match kind.atom()? {
            "def" => (DefinitionKind::Function, true),
            "defp" => (DefinitionKind::Function, false),
            "defmacro" => (DefinitionKind::Macro, true),
            "defmacrop" => (DefinitionKind::Macro, false),
            _ => return None,
        };
        let line = meta.value("line").and_then(Term::line).unwrap_or(0);
        let clauses: Vec<[Term; 4]> = clauses.list()?.iter().filter_map(Term::tuple_of).collect();
        let line_of = |clause: &[Term; 4]| clause[0].value("line").and_then(Term::line).unwrap_or(line);
        let function = CompiledFunction {
            kind,
            public,
            name: names.plain(name),
            arity,
            defaults: meta.value("defaults").and_then(Term::arity).unwrap_or(0),
            line,
            clauses: clauses.iter().map(line_of).collect(),
            origin: if passes_defaults(name, arity, &clauses) {
                Origin::Default
            } else {
                origin(meta, names)
            },
        };
        Some(Definition { function, clauses, has_column: meta.value("column").is_some() })
    }
}

/// Who made a definition, by its marks; see [`Origin`].
fn origin(meta: Term, names: &mut Names) -> Origin {
    let context = meta.value("context").and_then(Term::atom).filter(|context| *context != "nil");
    let kept = meta.value("file").or_else(|| meta.value("keep")).and_then(Term::tuple_of);
    let is_generated = meta.value("generated").is_some_and(|value| value.is_atom("true"));
    if context.is_none() && kept.is_none() && !is_generated {
        return Origin::Written;
    }
    Origin::Macro {
        module: context.map(|context| names.module(context)),
        file: kept.and_then(|[file, _]| Some(file.text()?.into())),
        line: kept.and_then(|[_, line]| line.line()).unwrap_or(0),
    }
}

/// Whether a function has no other code than a call of itself with more arguments.
fn passes_defaults(name: &str, arity: u8, clauses: &[[Term; 4]]) -> bool {
    let [[_, _, _, body]] = clauses else { return false };
    let called = body.tuple_of().and_then(|[head, meta, arguments]| {
        let [_, called] = meta.value("super").filter(|_| head.is_atom("super"))?.tuple_of()?;
        Some((called.atom()?, arguments.list()?.len()))
    });
    called.is_some_and(|(called, arguments)| called == name && arguments > arity.into())
}

fn references(definitions: &[Definition], module: &mut CompiledModule, names: &mut Names) {
    let mut starts: Vec<u32> =
        definitions.iter().flat_map(|definition| definition.function.clauses.iter().copied()).collect();
    starts.sort_unstable();
    let mut references = References::new(names);
    references.has_columns = definitions.iter().any(|definition| definition.has_column);
    for (number, definition) in definitions.iter().enumerate() {
        for ([_, patterns, guards, body], line) in definition.clauses.iter().zip(&definition.function.clauses)
        {
            let next = starts.get(starts.partition_point(|start| start <= line)).copied();
            let clause = Clause {
                function: number as u32,
                module: &module.module,
                lines: *line..next.unwrap_or(u32::MAX),
            };
            walk(&clause, [*patterns, *guards, *body], &mut references);
        }
    }
    references.finish(module);
}
