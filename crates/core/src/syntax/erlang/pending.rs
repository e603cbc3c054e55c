//! What the forms of an Erlang file have said whose meaning what follows tells: the next definition, or the end of the file.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::source::Span;
use crate::syntax::parse::join;

/// What stands above a definition and belongs to it.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) span: Option<Span>,
    /// By `-doc`.
    pub(super) doc: Option<Arc<str>>,
    /// The comment lines, before and between the attributes.
    pub(super) comments: Option<Span>,
}

impl Pending {
    /// Adds what stands at `at`; what is separated from it by empty lines is about something else, unless documented.
    pub(super) fn extend(&mut self, at: Span) {
        let above = self.span.filter(|above| self.doc.is_some() || above.line_end + 1 >= at.line_start);
        if above.is_none() {
            self.comments = None;
        }
        self.span = Some(above.map_or(at, |above| join(above, at)));
    }
}

/// What the forms have said that is used when all are read.
#[derive(Default)]
pub(super) struct Outlook {
    pub(super) exported: FxHashSet<(Arc<str>, u8)>,
    pub(super) exported_types: FxHashSet<(Arc<str>, u8)>,
    pub(super) exports_all: bool,
    /// Imported functions, with the modules they are from.
    pub(super) imported: FxHashMap<(Arc<str>, u8), Arc<str>>,
    /// The names of the headers that are included.
    pub(super) headers: BTreeSet<Arc<str>>,
    pub(super) specs: Vec<Spec>,
    /// Where macros are used.
    pub(super) uses: Vec<Use>,
    /// References without a module, by index.
    pub(super) locals: Vec<(u32, Local)>,
}

/// What a name without a module names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    Function,
    Type,
    Record,
    Macro,
}

/// A `-spec`, which may stand anywhere.
pub(super) struct Spec {
    pub(super) name: Arc<str>,
    pub(super) arity: u8,
    pub(super) text: Arc<str>,
    /// The references in it.
    pub(super) references: Range<usize>,
}

/// A place where a macro is used.
pub(super) struct Use {
    pub(super) name: Arc<str>,
    /// `None` for a macro without parameters.
    pub(super) arity: Option<u8>,
    /// The index of the definition it is in.
    pub(super) from: u32,
    pub(super) span: Span,
}
