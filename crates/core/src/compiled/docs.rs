//! Documentation, as the chunk `Docs` holds it (EEP 48).

use std::sync::Arc;

use super::module::{Doc, DocEntry};
use super::name::Names;
use super::term::Term;
use crate::syntax::DefinitionKind;

/// What `{docs_v1, Anno, Language, Format, ModuleDoc, Metadata, Docs}` says: the module's line and documentation, and that
/// of what it defines. `None` if the term is something else.
pub(super) fn read(term: Term, names: &mut Names) -> Option<(u32, Doc, Vec<DocEntry>)> {
    let [version, anno, _language, _format, module_doc, _metadata, entries] = term.tuple_of()?;
    if !version.is_atom("docs_v1") {
        return None;
    }
    let mut docs: Vec<DocEntry> =
        entries.list()?.iter().filter_map(|entry| self::entry(entry, names)).collect();
    docs.sort_by(|one, other| (one.kind, &one.name, one.arity).cmp(&(other.kind, &other.name, other.arity)));
    Some((line_of(anno), doc(module_doc), docs))
}

fn entry(term: Term, names: &mut Names) -> Option<DocEntry> {
    let [what, anno, signature, text, metadata] = term.tuple_of()?;
    let [kind, name, arity] = what.tuple_of()?;
    let kind = match kind.atom()? {
        "function" => DefinitionKind::Function,
        "macro" => DefinitionKind::Macro,
        "type" => DefinitionKind::Type,
        "callback" | "macrocallback" => DefinitionKind::Callback,
        _ => return None,
    };
    let said = |key: &str| metadata.value(key).and_then(Term::text).map(Arc::from);
    Some(DocEntry {
        kind,
        name: names.plain(name.atom()?),
        arity: arity.arity()?,
        defaults: metadata.value("defaults").and_then(Term::arity).unwrap_or(0),
        line: line_of(anno),
        signature: self::signature(signature),
        doc: doc(text),
        since: said("since"),
        deprecated: said("deprecated"),
    })
}

/// A signature is lines of text; other languages than Elixir have several, one for each way to call it.
fn signature(term: Term) -> Option<Arc<str>> {
    let lines: Vec<_> = term.list()?.iter().filter_map(Term::text).collect();
    (!lines.is_empty()).then(|| lines.join("\n").into())
}

fn doc(term: Term) -> Doc {
    if term.is_atom("hidden") {
        return Doc::Hidden;
    }
    let english = term.value("en").and_then(Term::text);
    let text = english.or_else(|| term.pairs()?.find_map(|(_, text)| text.text()));
    text.map_or(Doc::None, |text| Doc::Text(text.into()))
}

/// The line of an annotation: a number, `{Line, Column}`, or a list with `location`.
pub(super) fn line_of(anno: Term) -> u32 {
    let place = anno.value("location").unwrap_or(anno);
    let line = place.tuple_of().map_or(place, |[line, _column]| line);
    line.line().unwrap_or(0)
}
