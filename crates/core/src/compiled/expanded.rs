//! What expanded Elixir refers to: the code of a clause as the compiler keeps it, without macros, aliases and imports.

use std::ops::Range;
use std::sync::Arc;

use super::module::{CallKind, MentionKind};
use super::name::alias;
use super::references::{ReferenceSite, References};
use super::term::{Elements, Term};

/// Names that look as if they were called, and are the language itself.
const SPECIAL_FORMS: &[&str] = &[
    "%",
    "%{}",
    "&",
    "->",
    ".",
    "::",
    "<-",
    "<<>>",
    "=",
    "\\\\",
    "^",
    "__CALLER__",
    "__DIR__",
    "__ENV__",
    "__MODULE__",
    "__STACKTRACE__",
    "__aliases__",
    "__block__",
    "case",
    "cond",
    "fn",
    "for",
    "in",
    "quote",
    "receive",
    "try",
    "unquote",
    "unquote_splicing",
    "when",
    "with",
    "{}",
    "|",
];

/// A clause to be read.
pub(super) struct Clause<'a> {
    /// The number of its function.
    pub(super) function: u32,
    /// The module that it is in.
    pub(super) module: &'a Arc<str>,
    /// The lines that it can span: from its own to that of the next one.
    pub(super) lines: Range<u32>,
}

/// What is still to be read, and the line of the expression around it.
#[derive(Clone, Copy)]
enum Task<'t> {
    Expression(Term<'t>, u32),
    /// What stands behind `::` in a bitstring: names there are sizes and types.
    Segment(Term<'t>, u32),
}

/// Adds what `terms` refer to, the patterns, guards and body of `clause`.
pub(super) fn walk<'t>(clause: &Clause, terms: [Term<'t>; 3], references: &mut References) {
    let tasks = terms.map(|term| Task::Expression(term, clause.lines.start)).to_vec();
    let mut walker = Walker { clause, references, tasks };
    while let Some(task) = walker.tasks.pop() {
        match task {
            Task::Expression(term, line) => walker.expression(term, line),
            Task::Segment(term, line) => walker.segment(term, line),
        }
    }
}

struct Walker<'a, 'n, 't> {
    clause: &'a Clause<'a>,
    references: &'a mut References<'n>,
    tasks: Vec<Task<'t>>,
}

impl<'t> Walker<'_, '_, 't> {
    fn expression(&mut self, term: Term<'t>, line: u32) {
        if let Some(atom) = term.atom() {
            if let Some(module) = alias(atom) {
                self.references.mention(self.place(line), MentionKind::Module, module);
            }
        } else if let Some([head, meta, arguments]) = term.tuple_of() {
            let own = meta.value("line").and_then(Term::line).filter(|line| *line > 0);
            match head.atom() {
                Some(name) => self.named(name, meta, arguments, own.unwrap_or(line)),
                None => self.dotted(head, meta, arguments, own.unwrap_or(line)),
            }
        } else if let Some((module, name, arity)) = term.export() {
            // A function that was a value already when the code was compiled.
            self.references.remote(self.place(line), CallKind::Capture, module, name, arity.into());
        } else if let Some(elements) = term.tuple().or_else(|| term.list()) {
            self.push(elements, line);
        }
    }

    fn push(&mut self, elements: Elements<'t>, line: u32) {
        self.tasks.extend(elements.iter().map(|element| Task::Expression(element, line)));
    }

    fn place(&self, line: u32) -> ReferenceSite {
        ReferenceSite { from: self.clause.function, line, is_expanded: false, has_column: false }
    }

    /// `{name, meta, arguments}`: a variable, a special form or a call in the module itself.
    fn named(&mut self, name: &str, meta: Term<'t>, arguments: Term<'t>, line: u32) {
        let Some(elements) = arguments.list() else { return };
        match (name, elements.len()) {
            ("&", 1) if self.capture(elements, meta, line) => {}
            ("%", 2) => {
                let module = elements.get(0).and_then(Term::atom).and_then(alias);
                if let Some(module) = module {
                    self.references.mention(self.place(line), MentionKind::Struct, module);
                }
                // A pattern can have a variable for the module.
                let rest = if module.is_some() { 1 } else { 0 };
                let rest = elements.iter().skip(rest).map(|element| Task::Expression(element, line));
                self.tasks.extend(rest);
            }
            ("%{}", _) => self.map(elements, line),
            ("::", 2) => {
                self.tasks.extend(elements.get(0).map(|value| Task::Expression(value, line)));
                self.tasks.extend(elements.get(1).map(|spec| Task::Segment(spec, line)));
            }
            ("super", arity) => {
                if let Some(name) = super_name(meta) {
                    let place = self.call_place(meta, elements, line);
                    self.references.local(place, CallKind::Local, self.clause.module, name, arity);
                }
                self.push(elements, line);
            }
            (name, arity) => {
                if !SPECIAL_FORMS.contains(&name) {
                    let place = self.call_place(meta, elements, line);
                    self.references.local(place, CallKind::Local, self.clause.module, name, arity);
                }
                self.push(elements, line);
            }
        }
    }

    /// `{{:., _, [module, name]}, meta, arguments}`: a remote call, if both are known; else a call of a value.
    fn dotted(&mut self, head: Term<'t>, meta: Term<'t>, arguments: Term<'t>, line: u32) {
        let Some(elements) = arguments.list() else {
            return self.tasks.push(Task::Expression(head, line));
        };
        if let Some((module, name)) = remote(head) {
            let place = self.call_place(meta, elements, line);
            self.references.remote(place, CallKind::Remote, module, name, elements.len());
        } else if let Some(target) = dot(head).and_then(|operands| operands.get(0)) {
            self.tasks.push(Task::Expression(target, line));
        } else {
            self.tasks.push(Task::Expression(head, line));
        }
        self.push(elements, line);
    }

    /// `&Mod.name/1` and `&name/1`, which are all that is left of captures. Whether it was one.
    fn capture(&mut self, operands: Elements<'t>, meta: Term<'t>, line: u32) -> bool {
        let Some([slash, _, operands]) = operands.get(0).and_then(Term::tuple_of) else { return false };
        let Some(operands) = operands.list().filter(|_| slash.is_atom("/")) else { return false };
        let (Some(function), Some(arity)) = (operands.get(0), operands.get(1).and_then(Term::integer)) else {
            return false;
        };
        let (Some([head, own, _]), Ok(arity)) = (function.tuple_of(), usize::try_from(arity)) else {
            return false;
        };
        let place = self.capture_place(meta, own, line);
        match (head.atom(), remote(head)) {
            (Some(name), _) => {
                let name = super_name(own).filter(|_| name == "super").unwrap_or(name);
                self.references.local(place, CallKind::Capture, self.clause.module, name, arity);
            }
            (None, Some((module, name))) => {
                self.references.remote(place, CallKind::Capture, module, name, arity);
            }
            // The module or the name is known only when it runs.
            (None, None) => self.tasks.extend(
                dot(head).into_iter().flat_map(Elements::iter).map(|part| Task::Expression(part, line)),
            ),
        }
        true
    }

    /// A map, or a struct that says by a key what it is.
    fn map(&mut self, pairs: Elements<'t>, line: u32) {
        for pair in pairs.iter() {
            let module = pair
                .tuple_of()
                .and_then(|[key, value]| value.atom().and_then(alias).filter(|_| key.is_atom("__struct__")));
            match module {
                Some(module) => self.references.mention(self.place(line), MentionKind::Struct, module),
                None => self.tasks.push(Task::Expression(pair, line)),
            }
        }
    }

    /// Of a segment's type only the size is an expression: `binary-size(n)`, `size(n)-unit(8)`, `n*8`.
    fn segment(&mut self, term: Term<'t>, line: u32) {
        let Some([head, _, arguments]) = term.tuple_of() else { return };
        let Some(operands) = arguments.list() else { return };
        match head.atom() {
            Some("-") => self.tasks.extend(operands.iter().map(|operand| Task::Segment(operand, line))),
            Some("size" | "*") => {
                self.tasks.extend(operands.get(0).map(|size| Task::Expression(size, line)));
            }
            _ => {}
        }
    }

    fn call_place(&self, meta: Term, arguments: Elements, line: u32) -> ReferenceSite {
        let is_expanded =
            is_marked(meta) || !self.is_within(meta) || arguments.iter().any(is_macros_variable);
        ReferenceSite { is_expanded, has_column: meta.value("column").is_some(), ..self.place(line) }
    }

    /// The operand of `&` may have no place of its own.
    fn capture_place(&self, meta: Term, own: Term, line: u32) -> ReferenceSite {
        let is_expanded = is_marked(meta) || is_marked(own) || !self.is_within(meta);
        let has_column = meta.value("column").or_else(|| own.value("column")).is_some();
        ReferenceSite { is_expanded, has_column, ..self.place(line) }
    }

    /// Whether what has these marks has a line that the clause can span.
    fn is_within(&self, meta: Term) -> bool {
        meta.value("line").and_then(Term::line).is_some_and(|line| self.clause.lines.contains(&line))
    }
}

/// Whether marks say that a macro left this behind.
fn is_marked(meta: Term) -> bool {
    let is_named = |key| meta.value(key).is_some_and(|value| !value.is_atom("nil"));
    is_named("context")
        || is_named("keep")
        || meta.value("generated").is_some_and(|value| value.is_atom("true"))
}

/// Whether a term is a variable that only a macro can name. Those that the compiler makes up for captures and defaults
/// are not.
fn is_macros_variable(term: Term) -> bool {
    let Some([name, _, context]) = term.tuple_of() else { return false };
    name.atom().is_some()
        && context.atom().is_some_and(|context| !matches!(context, "nil" | "elixir_fn" | "elixir_def"))
}

/// The name behind `super`.
fn super_name(meta: Term<'_>) -> Option<&str> {
    let [_kind, name] = meta.value("super")?.tuple_of()?;
    name.atom()
}

/// What stands on both sides of a dot.
fn dot(head: Term<'_>) -> Option<Elements<'_>> {
    let [dot, _, operands] = head.tuple_of()?;
    operands.list().filter(|_| dot.is_atom("."))
}

/// Module and name of `Mod.name`.
fn remote<'t>(head: Term<'t>) -> Option<(&'t str, &'t str)> {
    let operands = dot(head).filter(|operands| operands.len() == 2)?;
    Some((operands.get(0)?.atom()?, operands.get(1)?.atom()?))
}
