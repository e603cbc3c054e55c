//! The names that a file can use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rustc_hash::FxHashSet;
use tree_sitter::Node;

use crate::repair::mutate::source::{Source, arguments, parts};
use crate::syntax::{DefinitionKind, FileFacts, ReferenceKind};

/// Functions and macros of Elixir's own modules, of any version since 1.14.
static LIBRARY: LazyLock<BTreeMap<&str, BTreeSet<(&str, usize)>>> = LazyLock::new(|| {
    let module = |line: &'static str| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let functions = words.filter_map(|word| word.rsplit_once('/')).flat_map(|(function, arities)| {
            arities.split(',').filter_map(move |arity| Some((function, arity.parse().ok()?)))
        });
        Some((name, functions.collect()))
    };
    include_str!("library.txt").lines().filter_map(module).collect()
});

/// What of [`LIBRARY`]'s `Kernel` a guard may call.
const GUARDS: [&str; 38] = [
    "abs",
    "binary_part",
    "bit_size",
    "byte_size",
    "ceil",
    "div",
    "elem",
    "floor",
    "hd",
    "in",
    "is_atom",
    "is_binary",
    "is_bitstring",
    "is_boolean",
    "is_exception",
    "is_float",
    "is_function",
    "is_integer",
    "is_list",
    "is_map",
    "is_map_key",
    "is_nil",
    "is_non_struct_map",
    "is_number",
    "is_pid",
    "is_port",
    "is_reference",
    "is_struct",
    "is_tuple",
    "length",
    "map_size",
    "node",
    "rem",
    "round",
    "self",
    "tl",
    "trunc",
    "tuple_size",
];

/// The names that a file can use.
#[derive(Default)]
pub(super) struct Known<'t> {
    text: &'t str,
    /// Whether nothing is known of what the file imports.
    blind: bool,
    /// Functions and macros of the file, with every arity that defaults give them, and those of `Kernel`.
    local: FxHashSet<(&'t str, usize)>,
    macros: BTreeSet<&'t str>,
    /// Functions of the project: module, name, arity.
    public: BTreeSet<(&'t str, &'t str, usize)>,
    /// Modules whose functions are all written down: nothing is put into them by `use`.
    whole: BTreeSet<&'t str>,
    /// Structs and their fields.
    structs: BTreeMap<&'t str, BTreeSet<&'t str>>,
    imported: BTreeSet<(&'t str, usize)>,
    outer: Outer<'t>,
}

/// Names that are bound outside of functions.
#[derive(Default)]
pub(super) struct Outer<'t> {
    pub all: BTreeSet<&'t str>,
    /// Those that a statement of a module binds, so that the statements after it see them.
    pub statements: BTreeSet<&'t str>,
}

impl<'t> Known<'t> {
    /// What the definitions of a file alone let it use.
    pub fn of_text(source: &Source<'t>) -> Self {
        let mut known = Known { text: source.text, ..Known::default() };
        known.add_local(source);
        known
    }

    /// What a file of the project can use, and whether it brings in more that nobody can tell.
    pub fn of_file(
        path: &str,
        source: &Source<'t>,
        donors: &[(&str, &Source<'t>, Node<'t>)],
        facts: &[(&'t str, &'t FileFacts)],
    ) -> (Self, bool) {
        let mut known = Known::of_text(source);
        for (other, facts) in facts {
            let read = donors.iter().find(|(donor, ..)| donor == other).map(|(_, donor, _)| *donor);
            known.add_facts(facts, read.or((*other == path).then_some(source)));
        }
        let own = facts.iter().find(|(other, _)| *other == path).map(|(_, facts)| *facts);
        known.blind = own.is_none();
        let mut open = own.is_some_and(|own| own.references.iter().any(|one| one.kind == ReferenceKind::Use));
        for import in own.iter().flat_map(|facts| &facts.imports) {
            match (&import.only, known.functions_of(&import.module)) {
                (Some(only), _) => {
                    known.imported.extend(only.iter().map(|(name, n)| (&**name, usize::from(*n))));
                }
                (None, Some(functions)) => known.imported.extend(functions),
                (None, None) => open = true,
            }
        }
        (known, open)
    }

    /// From now on it is known what the file binds outside of functions.
    pub fn binds_outside(&mut self, outer: Outer<'t>) {
        self.outer = outer;
    }

    /// Whether a function or macro can be called by its name alone.
    pub fn is_local(&self, name: &str, arity: usize) -> bool {
        // A name without arguments is a variable far more often than a call.
        self.blind && arity > 0
            || self.local.contains(&(name, arity))
            || self.imported.contains(&(name, arity))
    }

    /// Whether a module that is written so may have a function.
    pub fn is_remote(&self, module: &str, name: &str, arity: usize) -> bool {
        let renamed =
            || self.text.contains(&format!(".{module}\n")) || self.text.contains(&format!("as: {module}\n"));
        if let Some(functions) = LIBRARY.get(module).filter(|_| !renamed()) {
            return functions.contains(&(name, arity))
                || matches!(name, "module_info" | "__info__" | "__struct__");
        }
        let mut modules = self.whole.iter().filter(|full| is_called(full, module)).peekable();
        modules.peek().is_none()
            || name.starts_with("__")
            || modules.any(|full| self.public.contains(&(*full, name, arity)))
            || self.public.iter().any(|(full, own, n)| (*own, *n) == (name, arity) && is_called(full, module))
    }

    /// Whether a guard may call it.
    pub fn is_guard(&self, name: &str) -> bool {
        GUARDS.contains(&name) || self.is_macro(name)
    }

    /// Whether a name is bound somewhere outside of functions.
    pub fn is_outer(&self, name: &str) -> bool {
        self.outer.all.contains(name)
    }

    /// Whether a statement outside of functions binds a name.
    pub fn is_outer_statement(&self, name: &str) -> bool {
        self.outer.statements.contains(name)
    }

    /// Whether the file may hold code for others, in which nobody can tell what is bound.
    pub fn quotes(&self) -> bool {
        self.text.contains("quote ")
    }

    pub fn is_macro(&self, name: &str) -> bool {
        self.macros.contains(name)
    }

    /// The fields of a struct; `None` where they are not known.
    pub fn fields(&self, name: &str) -> Option<Vec<&'t str>> {
        let last = name.rsplit('.').next()?;
        let any = last == "__MODULE__";
        let known = self.structs.iter().filter(|(full, _)| any || full.rsplit('.').next() == Some(last));
        let fields: Vec<&str> = known.flat_map(|(_, fields)| fields.iter().copied()).collect();
        (!fields.is_empty()).then_some(fields)
    }

    /// Whether the file can name a struct so: it speaks of the module elsewhere, or it is its full name.
    pub fn is_struct(&self, name: &str) -> bool {
        let first = name.split('.').next().unwrap_or(name);
        self.text.contains(first) || self.structs.contains_key(name)
    }

    fn functions_of(&self, module: &str) -> Option<BTreeSet<(&'t str, usize)>> {
        if let Some(functions) = LIBRARY.get(module) {
            return Some(functions.clone());
        }
        self.whole.contains(module).then(|| {
            let own = self.public.iter().filter(|(full, ..)| *full == module);
            own.map(|(_, name, arity)| (*name, *arity)).collect()
        })
    }

    fn add_local(&mut self, source: &Source<'t>) {
        let kernel = ["Kernel", "Kernel.SpecialForms"].iter().filter_map(|module| LIBRARY.get(module));
        self.local.extend(kernel.flatten());
        for clause in &source.clauses {
            let given = arguments(clause.called).map_or(Vec::new(), parts);
            let defaults = given.iter().filter(|argument| source.operator(**argument) == "\\\\").count();
            for arity in clause.arity - defaults.min(clause.arity)..=clause.arity {
                self.local.insert((clause.name, arity));
            }
            if matches!(source.target(clause.node), "defmacro" | "defmacrop" | "defguard" | "defguardp") {
                self.macros.insert(clause.name);
            }
        }
        for place in &source.places {
            if source.target(place.node) == "defdelegate"
                && let Some(head) = arguments(place.node).and_then(|given| given.named_child(0))
            {
                let name = if head.kind() == "call" { source.target(head) } else { source.text(head) };
                self.local.insert((name, arguments(head).map_or(0, |given| parts(given).len())));
            }
        }
    }

    fn add_facts(&mut self, facts: &'t FileFacts, source: Option<&Source<'t>>) {
        // Functions that are written by macros, or whose names are computed, are no facts.
        let written = |source: &Source<'_>| {
            source.clauses.iter().all(|clause| !clause.name.starts_with("unquote"))
                && !source.text.contains("@before_compile")
        };
        let written = source.is_some_and(written);
        let used: BTreeSet<Option<&str>> = facts
            .references
            .iter()
            .filter(|reference| reference.kind == ReferenceKind::Use)
            .map(|reference| {
                let from = reference.from.and_then(|from| facts.definitions.get(from as usize));
                from.map(|definition| &*definition.module)
            })
            .collect();
        for definition in &facts.definitions {
            let module = &*definition.module;
            match definition.kind {
                DefinitionKind::Module
                    if written && !used.contains(&Some(module)) && !used.contains(&None) =>
                {
                    self.whole.insert(module);
                }
                DefinitionKind::Struct | DefinitionKind::Exception => {
                    let fields = definition.fields.iter().map(|field| field.trim_start_matches(':'));
                    self.structs.entry(module).or_default().extend(fields);
                }
                DefinitionKind::Function
                | DefinitionKind::Macro
                | DefinitionKind::Guard
                | DefinitionKind::Delegate
                    if definition.public =>
                {
                    let most = definition.arity.unwrap_or(0);
                    for arity in most.saturating_sub(definition.defaults)..=most {
                        self.public.insert((module, &definition.name, usize::from(arity)));
                    }
                    if matches!(definition.kind, DefinitionKind::Macro | DefinitionKind::Guard) {
                        self.macros.insert(&definition.name);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether a module may be called by a shorter name, as after `alias`.
pub(in crate::repair::mutate) fn is_called(full: &str, name: &str) -> bool {
    full.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}
