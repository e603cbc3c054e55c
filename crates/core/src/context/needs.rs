//! The lines at the head of a module that code from within it needs to be understood: aliases, imports and requires, as far
//! as they are used, `use`, and module attributes.

use std::collections::HashSet;

use super::page::Page;
use crate::graph::is_of_kernel;
use crate::retrieval::Index;
use crate::source::Span;
use crate::syntax::{Definition, DefinitionKind, FileFacts, Reference, ReferenceKind};

/// A directive or an attribute is at most so many lines; of a longer one the first is shown.
const LONGEST: usize = 6;

/// The lines outside of `span` that what is in it needs.
pub(super) fn needs(index: &Index, page: &Page, span: Span) -> Vec<usize> {
    let facts = &*page.entry.facts;
    let code = page.entry.file.slice(span);
    let used = Used { names: names(code), attributes: attributes(code) };
    let mut lines = Vec::new();
    let mut seen = HashSet::new();
    let directives = facts.references.iter().filter(|reference| {
        use ReferenceKind::{Alias, Import, Require, Use};
        matches!(reference.kind, Alias | Import | Require | Use) && is_around(facts, reference, span)
    });
    for reference in directives {
        let Some(first) = directive(page, reference) else { continue };
        if used.has(index, facts, reference, page.line(first), span) && seen.insert(first) {
            lines.extend(page.statement(first, LONGEST));
        }
    }
    let owner = holder(facts, span).map(|at| &facts.definitions[at].module);
    for definition in &facts.definitions {
        let is_used = definition.kind == DefinitionKind::Attribute
            && used.attributes.contains(&*definition.name)
            && owner.is_none_or(|module| *module == definition.module);
        let (first, last) = (definition.span.line_start as usize - 1, definition.span.line_end as usize - 1);
        if is_used && seen.insert(first) {
            lines.extend(first..=if last - first < LONGEST { last } else { first });
        }
    }
    lines.retain(|line| !(span.line_start as usize - 1..span.line_end as usize).contains(line));
    lines
}

/// What code mentions.
struct Used<'a> {
    names: HashSet<&'a str>,
    attributes: HashSet<&'a str>,
}

impl Used<'_> {
    fn has(&self, index: &Index, facts: &FileFacts, reference: &Reference, line: &str, span: Span) -> bool {
        let Some(module) = reference.module.as_deref() else { return false };
        let short = line.split_once("as:").map(|(_, name)| name.trim());
        let short = short.map_or_else(|| module.rsplit('.').next().unwrap_or(module), |name| leading(name));
        match reference.kind {
            ReferenceKind::Use => true,
            ReferenceKind::Import => self.imports(index, facts, reference, module, span),
            _ => self.names.contains(short),
        }
    }

    /// Whether an import brings in something that is called; if nobody knows what it brings in, whether anything is called
    /// that has to come from somewhere.
    fn imports(
        &self,
        index: &Index,
        facts: &FileFacts,
        reference: &Reference,
        module: &str,
        span: Span,
    ) -> bool {
        let line = reference.span.line_start;
        let import = facts.imports.iter().find(|import| {
            *import.module == *module && import.scope.line_start <= line && line <= import.scope.line_end
        });
        if let Some(only) = import.and_then(|import| import.only.as_ref()) {
            return only.iter().any(|(name, _)| self.names.contains(&**name));
        }
        if let Some(brought) = defined_in(index, module) {
            return brought.iter().any(|name| self.names.contains(name));
        }
        let mut inside =
            facts.references.iter().filter(|it| span.start <= it.span.start && it.span.start < span.end);
        inside.any(|call| {
            let is_own = |definition: &Definition| definition.name == call.name;
            call.kind == ReferenceKind::Call
                && call.module.is_none()
                && !call.name.is_empty()
                && !is_of_kernel(&call.name, call.arity.unwrap_or_default())
                && !facts.definitions.iter().any(is_own)
        })
    }
}

/// The names of what a module of the project lets others call.
fn defined_in<'i>(index: &'i Index, module: &str) -> Option<Vec<&'i str>> {
    let key = module.rsplit('.').next().unwrap_or(module).trim_start_matches(':').to_lowercase();
    let is_it = |it: &Definition| it.kind == DefinitionKind::Module && *it.module == *module;
    let found = index.names().equal(&key).find(|candidate| candidate.definition().is_some_and(is_it))?;
    let definitions = &found.entry.facts.definitions;
    let public = definitions.iter().filter(|it| *it.module == *module && it.public && it.arity.is_some());
    Some(public.map(|definition| &*definition.name).collect())
}

/// Whether a directive is in force at `span` and stands outside of it.
fn is_around(facts: &FileFacts, reference: &Reference, span: Span) -> bool {
    let at = reference.span;
    let before = at.start < span.start;
    let from = reference.from.and_then(|from| facts.definitions.get(from as usize));
    before && from.is_none_or(|from| from.span.start <= span.start && span.end <= from.span.end)
}

/// The innermost module around `span`.
fn holder(facts: &FileFacts, span: Span) -> Option<usize> {
    use DefinitionKind::{Implementation, Module, Protocol};
    let around = |definition: &Definition| {
        matches!(definition.kind, Module | Protocol | Implementation)
            && definition.span.start <= span.start
            && span.start < definition.span.end
    };
    let length = |at: &usize| facts.definitions[*at].span.end - facts.definitions[*at].span.start;
    (0..facts.definitions.len()).filter(|at| around(&facts.definitions[*at])).min_by_key(length)
}

/// The line on which the directive begins that names a module at `reference`: a list of modules is over several lines.
fn directive(page: &Page, reference: &Reference) -> Option<usize> {
    let line = reference.span.line_start as usize - 1;
    let begins = |line: &usize| {
        let text = page.line(*line).trim_start();
        ["alias ", "import ", "require ", "use "].iter().any(|word| text.starts_with(word))
    };
    (line.saturating_sub(LONGEST)..=line).rev().find(begins)
}

/// The identifier that a text begins with.
fn leading(text: &str) -> &str {
    &text[..text.find(|c: char| !is_word(c)).unwrap_or(text.len())]
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '?' | '!')
}

fn names(code: &str) -> HashSet<&str> {
    code.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect()
}

fn attributes(code: &str) -> HashSet<&str> {
    code.match_indices('@').map(|(at, _)| leading(&code[at + 1..])).filter(|name| !name.is_empty()).collect()
}
