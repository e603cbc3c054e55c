//! What the compiler said of a file, laid beside what is written in it. Where the two disagree, the compiler wins; what it
//! says nothing of stays as it is written.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::std_lib::{self, Known};
use crate::compiled::{CompiledFile, CompiledFunction, CompiledModule, Origin};
use crate::graph::Symbol;
use crate::source::Span;
use crate::syntax::{FileFacts, Reference};

/// The calls that the compiler saw in a file, for those who resolve the written ones.
pub(in crate::graph) struct Observed<'c> {
    calls: Vec<Seen<'c>>,
    by_place: FxHashMap<(u32, &'c str), Vec<usize>>,
    /// Modules whose functions' calls are known.
    modules: FxHashSet<&'c str>,
    /// Functions that were compiled.
    functions: FxHashSet<(&'c str, &'c str, u8)>,
    traced: bool,
}

/// A call as the compiler saw it.
#[derive(Clone, Copy)]
pub(in crate::graph) struct Seen<'c> {
    pub(in crate::graph) caller_module: &'c str,
    /// None in the body of the module.
    pub(in crate::graph) caller: Option<(&'c str, u8)>,
    pub(in crate::graph) module: &'c Arc<str>,
    pub(in crate::graph) name: &'c Arc<str>,
    pub(in crate::graph) arity: u8,
    pub(in crate::graph) line: u32,
    /// Whether a written call was found for it.
    found: bool,
}

/// What the compiler says of a written call.
pub(in crate::graph) enum ObservedCall<'c> {
    /// It is this call.
    Is(&'c Arc<str>, u8),
    /// It was not compiled.
    Absent,
    /// Nothing: macros that nobody traced leave no call.
    Silent,
}

impl<'c> Observed<'c> {
    pub(in crate::graph) fn new(file: &'c CompiledFile) -> Self {
        let mut calls = Vec::new();
        let mut functions = FxHashSet::default();
        for module in file.modules.iter().filter(|module| module.debug_info) {
            functions.extend(module.functions.iter().map(|f| (&*module.module, &*f.name, f.arity)));
            for call in &module.calls {
                let Some(caller) = module.functions.get(call.from as usize) else { continue };
                calls.push(Seen {
                    caller_module: &module.module,
                    caller: Some((&caller.name, caller.arity)),
                    module: &call.module,
                    name: &call.name,
                    arity: call.arity,
                    line: call.line,
                    found: false,
                });
            }
        }
        calls.extend(file.traced.iter().map(|call| Seen {
            caller_module: &call.caller_module,
            caller: call.caller.as_ref().map(|(name, arity)| (&**name, *arity)),
            module: &call.module,
            name: &call.name,
            arity: call.arity,
            line: call.line,
            found: false,
        }));
        let mut by_place: FxHashMap<(u32, &str), Vec<usize>> = FxHashMap::default();
        for (at, call) in calls.iter().enumerate() {
            by_place.entry((call.line, call.name)).or_default().push(at);
        }
        let modules = file.modules.iter().filter(|module| module.debug_info).map(|module| &*module.module);
        Observed { calls, by_place, modules: modules.collect(), functions, traced: !file.traced.is_empty() }
    }

    /// What the compiler says of a call that is written in a function or module.
    pub(in crate::graph) fn verdict(
        &mut self,
        from: &Symbol,
        reference: &Reference,
        arity: u8,
    ) -> ObservedCall<'c> {
        let caller = from.arity.filter(|_| from.is_callable()).map(|arity| (&*from.name, arity));
        if !self.modules.contains(&*from.module) || (caller.is_none() && !self.traced) {
            return ObservedCall::Silent;
        }
        if let Some((name, arity)) = caller
            && !self.functions.contains(&(&*from.module, name, arity))
        {
            return ObservedCall::Absent;
        }
        // What a macro of `Kernel` leaves behind may have its name: `to_string(x)` becomes `String.Chars.to_string(x)`.
        if reference.module.is_none()
            && std_lib::known("Kernel", &reference.name, arity) == Some(Known::Macro)
        {
            return ObservedCall::Silent;
        }
        let at = self.by_place.get(&(reference.span.line_start, &*reference.name)).into_iter().flatten();
        let fits = at.filter(|at| {
            let call = &self.calls[**at];
            call.caller_module == &*from.module && call.caller == caller
        });
        let cost = |call: &Seen| (u8::abs_diff(call.arity, arity), call.found);
        let Some(at) = fits.min_by_key(|at| cost(&self.calls[**at])).copied() else {
            return ObservedCall::Silent;
        };
        // The same call may be seen in both ways.
        let call = self.calls[at];
        let place = (call.line, &**call.name);
        for same in self.by_place.get(&place).into_iter().flatten() {
            let same = &mut self.calls[*same];
            same.found |=
                same.caller == call.caller && same.module == call.module && same.arity == call.arity;
        }
        // What Elixir's own functions are replaced by is not what anybody wrote.
        let replaced = call.module.starts_with(':')
            && reference.module.as_ref().is_none_or(|module| !module.starts_with(':'));
        if replaced { ObservedCall::Silent } else { ObservedCall::Is(call.module, call.arity) }
    }

    /// The calls that are not written: macros made them.
    pub(in crate::graph) fn unwritten(&self) -> impl Iterator<Item = &Seen<'c>> {
        self.calls.iter().filter(|call| !call.found)
    }
}

/// What macros made in a module, by the compiler's word: its functions that are not among the written ones.
pub(in crate::graph) fn made(
    module: &CompiledModule,
) -> impl Iterator<Item = (&CompiledFunction, Option<Arc<str>>)> {
    module.functions.iter().filter_map(|function| {
        // These are in every module, or stand for what is written with defaults or was overridden.
        let of_compiler =
            matches!(&*function.name, "__info__" | "__impl__" | "__protocol__" | "behaviour_info");
        let maker = match &function.origin {
            Origin::Written => return None,
            Origin::Default | Origin::Included { .. } => return None,
            Origin::Macro { module, .. } => module.clone(),
        };
        let of_struct = &*function.name == "__struct__" && function.arity == 1;
        (!of_compiler && !of_struct && !function.name.contains(' ')).then_some((function, maker))
    })
}

/// Where a line is, as exactly as the references in it tell.
pub(in crate::graph) fn place(facts: &FileFacts, line: u32) -> Span {
    let at = facts.references.partition_point(|reference| reference.span.line_start < line);
    let reference = facts.references.get(at).filter(|reference| reference.span.line_start == line);
    reference.map_or(Span { line_start: line.max(1), line_end: line.max(1), ..Span::default() }, |r| r.span)
}
