//! Which drafts become candidates: those that parse and that the compiler would not refuse.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use tree_sitter::Parser;

use super::Kind;
use super::candidate::{Candidate, Page, Request};
use super::flaws::{FileFlaws, Flaw};
use super::order::Ranked;
use super::source::parse;
use super::templates::Draft;
use crate::edit::{Edit, Patch};
use crate::{Cancel, Result};

/// Turns drafts into candidates, from the one at `from` on: those that parse and that show no new flaw. Only the statement around a change
/// is looked at again.
pub(super) fn check(
    grounds: &[(&Request<'_>, FileFlaws<'_>)],
    parser: &mut Parser,
    ranked: Vec<Ranked>,
    from: usize,
    cancel: &Cancel,
) -> Result<Page> {
    let mut candidates: Vec<Candidate> = Vec::new();
    // The flaws of statements as they are; nothing where a statement does not parse.
    let mut before: HashMap<(usize, Range<usize>), Option<BTreeSet<Flaw>>> = HashMap::new();
    let max = grounds.iter().map(|(request, _)| request.max).min().unwrap_or(0);
    let files: Vec<Arc<str>> = grounds.iter().map(|(request, _)| Arc::from(request.path)).collect();
    let top = ranked.first().map_or(1.0, |one| one.score);
    for (place, Ranked { file, score, draft, edit }) in ranked.into_iter().enumerate().skip(from) {
        if candidates.len() >= max {
            return Ok(Page { candidates, next: Some(place) });
        }
        cancel.check()?;
        let (request, flaws) = &grounds[file];
        let unit = match &draft.unit {
            // A change of two clauses reaches beyond the one that it begins in.
            Some(unit) => unit.start.min(draft.edit.start)..unit.end.max(draft.edit.end),
            None => 0..request.text.len(),
        };
        let old = &request.text[unit.clone()];
        let mut read = |text: &str| {
            let tree = parse(parser, text).filter(|tree| !tree.root_node().has_error())?;
            Some(flaws.of(text, tree.root_node()))
        };
        if let Some(had) = before.entry((file, unit.clone())).or_insert_with(|| read(old)) {
            let (start, end) = (draft.edit.start - unit.start, draft.edit.end - unit.start);
            let moved = Edit::new(start, end, draft.edit.replacement.as_str());
            match read(&Patch::new(files[file].clone(), vec![moved]).apply(old)?) {
                Some(has) if has.iter().all(|flaw| had.contains(flaw) || flaws.excuses(flaw)) => {}
                _ => continue,
            }
        }
        let label = label(request.text, draft.kind, &edit);
        let Draft { kind, line, .. } = draft;
        candidates.push(Candidate {
            file: files[file].clone(),
            edits: vec![edit],
            kind,
            line,
            prior: score / top,
            label,
        });
    }
    Ok(Page { candidates, next: None })
}

fn label(text: &str, kind: Kind, edit: &Edit) -> String {
    let (start, end) = widened(text, edit);
    let old = short(&text[start..end]);
    let new = short(&format!("{}{}{}", &text[start..edit.start], edit.replacement, &text[edit.end..end]));
    let kind = kind.as_str().replace('_', " ");
    match (old.is_empty(), new.is_empty()) {
        (true, _) => format!("{kind}: add `{new}`"),
        (_, true) => format!("{kind}: drop `{old}`"),
        _ => format!("{kind}: `{old}` becomes `{new}`"),
    }
}

/// The edit's bytes up to the ends of the words that it cuts.
fn widened(text: &str, edit: &Edit) -> (usize, usize) {
    let word = |sign: &char| {
        sign.is_alphanumeric() || matches!(sign, '_' | '@' | ':' | '?' | '!' | '<' | '>' | '=' | '&' | '|')
    };
    let before: usize = text[..edit.start].chars().rev().take_while(word).map(char::len_utf8).sum();
    let after: usize = text[edit.end..].chars().take_while(word).map(char::len_utf8).sum();
    (edit.start - before, edit.end + after)
}

fn short(text: &str) -> String {
    const SIGNS: usize = 40;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SIGNS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
