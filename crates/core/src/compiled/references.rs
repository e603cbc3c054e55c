//! Calls and mentions, as they are found.

use std::sync::Arc;

use super::module::{Call, CallKind, CompiledModule, Mention, MentionKind};
use super::name::Names;

/// Gathers what the functions of a module refer to.
pub(super) struct References<'n> {
    pub(super) names: &'n mut Names,
    /// Each with whether it has a column.
    calls: Vec<(Call, bool)>,
    mentions: Vec<Mention>,
    /// Whether written code is known to have columns.
    pub(super) has_columns: bool,
}

/// Where something is referred to.
#[derive(Clone, Copy)]
pub(super) struct ReferenceSite {
    /// The number of the function.
    pub(super) from: u32,
    /// As in [`Call::line`].
    pub(super) line: u32,
    /// As in [`Call::is_expanded`], apart from what columns say.
    pub(super) is_expanded: bool,
    pub(super) has_column: bool,
}

impl<'n> References<'n> {
    pub(super) fn new(names: &'n mut Names) -> Self {
        References { names, calls: Vec::new(), mentions: Vec::new(), has_columns: false }
    }

    /// A call of a module's function, the module being an atom.
    pub(super) fn remote(
        &mut self,
        place: ReferenceSite,
        kind: CallKind,
        module: &str,
        name: &str,
        arity: usize,
    ) {
        // Operators in form, but they do not evaluate all of their arguments: no function does that.
        if module == "erlang" && matches!((name, arity), ("andalso" | "orelse", 2)) {
            return;
        }
        // What is left of `quote` itself.
        let is_expanded = place.is_expanded || module == "elixir_quote";
        let module = self.names.module(module);
        self.local(ReferenceSite { is_expanded, ..place }, kind, &module, name, arity);
    }

    /// A call of a function of `module`, by the name that it is printed with.
    pub(super) fn local(
        &mut self,
        place: ReferenceSite,
        kind: CallKind,
        module: &Arc<str>,
        name: &str,
        arity: usize,
    ) {
        let Ok(arity) = u8::try_from(arity) else { return };
        let ReferenceSite { from, line, is_expanded, has_column } = place;
        let (module, name) = (module.clone(), self.names.plain(name));
        self.calls.push((Call { from, line, module, name, arity, kind, is_expanded }, has_column));
    }

    /// A mention by the name that is printed.
    pub(super) fn mention(&mut self, place: ReferenceSite, kind: MentionKind, name: &str) {
        let name = self.names.plain(name);
        self.mentions.push(Mention { from: place.from, line: place.line, kind, name });
    }

    /// Hands over what was gathered, in order. What is there twice is kept once.
    pub(super) fn finish(mut self, module: &mut CompiledModule) {
        // The parser gives columns to all of a file or to nothing, and `quote` takes them away.
        let has_columns = self.has_columns || self.calls.iter().any(|(_, has_column)| *has_column);
        let calls = self.calls.into_iter().map(|(call, has_column)| {
            let is_expanded = call.is_expanded || has_columns && !has_column;
            Call { is_expanded, ..call }
        });
        module.calls = calls.collect();
        module.calls.sort();
        module.calls.dedup();
        self.mentions.sort();
        self.mentions.dedup();
        module.mentions = self.mentions;
    }
}
