//! Who calls a place, and whom it calls.
//!
//! Both are read off the facts of the files: the graph of the code knows more, but takes longer to be made the first time
//! than everything else here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::section::IndexSource;
use crate::retrieval::{Entry, Index};
use crate::source::Span;
use crate::syntax::{Definition, DefinitionKind, FileFacts, ImportDirective, Reference, ReferenceKind};

/// So many callers of a place, and so many that it calls.
const MOST: usize = 6;
/// So many imports of a file, and so many different calls of a place are looked at: more are no code that a person wrote.
pub(super) const MOST_IMPORTS: usize = 64;
const MOST_CALLS: usize = 512;

/// A definition elsewhere, with the line, from 0, on which its first clause begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Near {
    /// Which of the sources it is in.
    pub(super) source: usize,
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) symbol: String,
}

/// What the code in `span` of a file of the source `own` calls, in the order of the calls.
pub(super) fn callees(sources: &[IndexSource], own: usize, facts: &FileFacts, span: Span) -> Vec<Near> {
    // What it calls is most likely beside it.
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.swap(0, own);
    let reaches = |import: &&ImportDirective| import.scope.start < span.end && span.start < import.scope.end;
    let imports: Vec<&ImportDirective> = facts.imports.iter().filter(reaches).take(MOST_IMPORTS).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for call in facts.references.iter().filter(|it| span.start <= it.span.start && it.span.start < span.end) {
        if found.len() == MOST || seen.len() == MOST_CALLS {
            break;
        }
        let Some(arity) = call.arity.filter(|_| call.kind == ReferenceKind::Call && !call.name.is_empty())
        else {
            continue;
        };
        if seen.insert((call.module.as_deref(), &*call.name, arity)) {
            let defined = |module: &str| {
                order.iter().find_map(|at| defined(*at, sources[*at].index, module, &call.name, arity))
            };
            let imported = imports.iter().filter(|it| call.module.is_none() && brings_in(it, call, arity));
            let mut modules = named_or_own(facts, call).into_iter().chain(imported.map(|it| &*it.module));
            found.extend(modules.find_map(defined));
        }
    }
    found
}

/// The module that a call names, or the one that it is in.
pub(super) fn named_or_own<'f>(facts: &'f FileFacts, call: &'f Reference) -> Option<&'f str> {
    let own = || Some(&*facts.definitions.get(call.from? as usize)?.module);
    call.module.as_deref().or_else(own)
}

/// Whether an import is in force where the call is and lets it through.
pub(super) fn brings_in(import: &ImportDirective, call: &Reference, arity: u8) -> bool {
    let is_it = |(name, of): &(Arc<str>, u8)| *name == call.name && *of == arity;
    import.injected_by.is_none()
        && import.scope.start <= call.span.start
        && call.span.start < import.scope.end
        && import.only.as_ref().is_none_or(|only| only.iter().any(is_it))
        && !import.except.iter().any(is_it)
}

fn defined(source: usize, index: &Index, module: &str, name: &str, arity: u8) -> Option<Near> {
    let key = name.to_lowercase();
    index.names().equal(&key).find_map(|candidate| {
        let it = candidate.definition()?;
        let takes = |most: u8| (most.saturating_sub(it.defaults)..=most).contains(&arity);
        let is_it =
            is_callable(it.kind) && *it.name == *name && *it.module == *module && it.arity.is_some_and(takes);
        is_it.then(|| near(source, &candidate.entry.file.path, it))
    })
}

fn near(source: usize, file: &str, definition: &Definition) -> Near {
    let line = definition.clauses.first().unwrap_or(&definition.span).line_start as usize - 1;
    Near { source, file: file.to_string(), line, symbol: definition.qualified() }
}

/// Who calls one of `definitions`, in the source `own` that they are in, in order of path and position; tests do not count.
pub(super) fn callers(sources: &[IndexSource], own: usize, definitions: &[&Definition]) -> Vec<Near> {
    let index = sources[own].index;
    callers_among(may_call(index, definitions), own, definitions)
}

fn callers_among<'i>(
    entries: impl Iterator<Item = &'i Entry>,
    own: usize,
    definitions: &[&Definition],
) -> Vec<Near> {
    let mut found: Vec<Near> = Vec::new();
    let modules: BTreeSet<&str> = definitions.iter().map(|definition| &*definition.module).collect();
    for entry in entries.filter(|entry| !is_test(&entry.file.path)) {
        let facts = &*entry.facts;
        let brings = |import: &&ImportDirective| modules.contains(&*import.module);
        let imports: Vec<&ImportDirective> = facts.imports.iter().filter(brings).take(MOST_IMPORTS).collect();
        for call in facts.references.iter().filter(|it| it.kind == ReferenceKind::Call) {
            let is_meant = |definition: &&&Definition| {
                call.name == definition.name
                    && call.arity.zip(definition.arity).is_some_and(|(given, most)| {
                        (most.saturating_sub(definition.defaults)..=most).contains(&given)
                    })
            };
            let Some(wanted) = definitions.iter().find(is_meant) else { continue };
            let Some(from) = call.from.and_then(|from| facts.definitions.get(from as usize)) else {
                continue;
            };
            let arity = call.arity.unwrap_or_default();
            let is_imported = || {
                let mut of_it = imports.iter().filter(|import| import.module == wanted.module);
                call.module.is_none() && of_it.any(|import| brings_in(import, call, arity))
            };
            let fits = named_or_own(facts, call) == Some(&*wanted.module) || is_imported();
            let is_itself = from.module == wanted.module && from.name == wanted.name;
            if !fits || is_itself || !is_callable(from.kind) {
                continue;
            }
            let near = near(own, &entry.file.path, from);
            if !found.contains(&near) {
                found.push(near);
            }
            if found.len() == MOST {
                return found;
            }
        }
    }
    found
}

/// The files with the names of `definitions`, or of their modules: what is called by convention, such as `init/1` of a child of
/// a supervisor, is called by its module alone. To look at the facts of all files would take longer than the search. Calls that
/// a mark stands for, such as `x[y]` for `Access.get/2`, are not found.
fn may_call<'i>(index: &'i Index, definitions: &[&Definition]) -> impl Iterator<Item = &'i Entry> {
    let files = index.chunk_table();
    let last =
        |module: &'_ str| module.rsplit('.').next().unwrap_or(module).trim_start_matches(':').to_string();
    // Before `=` a mark at the end of a name may be read as part of an operator.
    let bare = |name: &str| name.trim_end_matches(['?', '!']).to_string();
    let names: BTreeSet<String> =
        definitions.iter().flat_map(|it| [bare(&it.name), last(&it.module)]).collect();
    let named: Option<Vec<BTreeSet<usize>>> = names
        .iter()
        .map(|name| {
            let chunks = index.lexical().may_have(name)?;
            Some(chunks.into_iter().map(|chunk| files.known(chunk).file as usize).collect())
        })
        .collect();
    let places: Vec<usize> = match named {
        Some(places) => places.into_iter().flatten().collect::<BTreeSet<usize>>().into_iter().collect(),
        None => (0..files.entries().len()).collect(),
    };
    places.into_iter().map(move |place| &*files.entries()[place])
}

pub(super) fn is_callable(kind: DefinitionKind) -> bool {
    use DefinitionKind::{Delegate, Function, Guard, Macro};
    matches!(kind, Function | Macro | Guard | Delegate)
}

pub(super) fn is_test(path: &str) -> bool {
    path.starts_with("test/") || path.contains("/test/") || path.ends_with("_test.exs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retrieval::testing::{analysed, index_of};

    #[test]
    fn who_calls_without_the_name_is_found_as_among_all_files() {
        let files = [
            (
                "lib/worker.ex",
                "defmodule Shop.Worker do\n  use GenServer\n  def child_spec(arg), do: %{id: arg}\n  def init(arg), do: {:ok, arg}\n  def ready?(it), do: it\nend\n",
            ),
            ("lib/hooks.ex", "defmodule Shop.Hooks do\n  defmacro __before_compile__(_), do: nil\nend\n"),
            (
                "lib/plug.ex",
                "defmodule Shop.Plug do\n  def init(opts), do: opts\n  def call(conn, _), do: conn\nend\n",
            ),
            (
                "lib/shop.ex",
                "defmodule Shop do\n  alias Shop.Worker, as: W\n  def start(arg), do: GenServer.start_link(W, arg)\n  def ready(it), do: Shop.Worker.ready?(it)==true\nend\n",
            ),
            (
                "lib/app.ex",
                "defmodule Shop.App do\n  use Application\n  def start(_, _) do\n    children = [Shop.Worker]\n    Supervisor.start_link(children, strategy: :one_for_one)\n  end\nend\n",
            ),
            (
                "lib/using.ex",
                "defmodule Shop.Using do\n  defmacro __using__(_) do\n    quote do\n      @before_compile Shop.Hooks\n      plug Shop.Plug\n    end\n  end\nend\n",
            ),
        ];
        let index = index_of(files.iter().map(|(path, text)| analysed(path, text)).collect());
        let entries = index.chunk_table().entries();
        let mut found = BTreeSet::new();
        for definition in entries.iter().flat_map(|entry| &entry.facts.definitions) {
            let wanted = [definition];
            let some = callers_among(may_call(&index, &wanted), 0, &wanted);
            let all = callers_among(entries.iter().map(|entry| &**entry), 0, &wanted);
            assert_eq!(some, all, "{}", definition.qualified());
            found
                .extend(all.into_iter().map(|near| format!("{} by {}", definition.qualified(), near.symbol)));
        }
        for pair in ["Shop.Worker.init/1 by Shop.start/1", "Shop.Worker.ready?/1 by Shop.ready/1"] {
            assert!(found.contains(pair), "{pair} is not in {found:#?}");
        }
    }

    #[test]
    fn many_imports_and_calls_are_looked_at_for_as_long_as_a_person_writes_them() {
        let imports = "  import A\n".repeat(2000);
        let calls = (0..4000).map(|at| format!("get{at}();")).collect::<String>();
        let text = format!("defmodule B do\n{imports}  def b do\n    {calls} get()\n  end\nend\n");
        let index = index_of(vec![
            analysed("lib/a.ex", "defmodule A do\n  def get, do: 1\nend\n"),
            analysed("lib/b.ex", &text),
        ]);
        let sources = [IndexSource { index: &index, name: "" }];
        let entries = index.chunk_table().entries();
        let get: Vec<&Definition> =
            entries[0].facts.definitions.iter().filter(|it| &*it.name == "get").collect();
        assert_eq!(callers(&sources, 0, &get).len(), 1);
        let facts = &*entries[1].facts;
        let b = facts.definitions.iter().find(|it| &*it.name == "b").unwrap();
        assert!(callees(&sources, 0, facts, b.span).is_empty());
    }
}
