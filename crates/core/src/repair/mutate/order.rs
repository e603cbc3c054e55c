//! The order of drafts, each text once.

use std::collections::{BTreeMap, HashMap};

use super::Kind;
use super::templates::Draft;
use crate::edit::Edit;

/// How much a kind with many candidates is held down: 0 not at all, 1 so that every kind gets the same sum.
const EVENNESS: f64 = 0.5;

/// A draft with its final score, and the one edit that all drafts of its text have in common.
pub(super) struct Ranked {
    /// Of which text.
    pub file: usize,
    pub score: f64,
    pub draft: Draft,
    pub edit: Edit,
}

/// Distinct drafts of some texts, the best first. Kinds are held down by what they have in all texts.
pub(super) fn rank(texts: Vec<(&str, Vec<(f64, Draft)>)>) -> Vec<Ranked> {
    let mut ranked = Vec::new();
    for (file, (text, drafts)) in texts.into_iter().enumerate() {
        let mut best: HashMap<Edit, (f64, Draft)> = HashMap::new();
        for (score, draft) in drafts {
            let Some(edit) = canonical(text, &draft.edit) else { continue };
            let score = score * draft.weight;
            let order = |score: f64, kind: Kind| (score * kind.prior(), std::cmp::Reverse(kind));
            let better =
                best.get(&edit).is_none_or(|(known, old)| order(score, draft.kind) > order(*known, old.kind));
            if better {
                best.insert(edit, (score, draft));
            }
        }
        ranked.extend(best.into_iter().map(|(edit, (score, draft))| Ranked { file, score, draft, edit }));
    }
    ranked.sort_by(|a, b| (a.file, &a.edit).cmp(&(b.file, &b.edit)));
    let mut sums: BTreeMap<Kind, f64> = BTreeMap::new();
    ranked.iter().for_each(|one| *sums.entry(one.draft.kind).or_default() += one.score);
    for Ranked { score, draft, .. } in &mut ranked {
        *score *= draft.kind.prior() / sums[&draft.kind].powf(EVENNESS);
    }
    ranked
        .sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| (a.file, &a.edit).cmp(&(b.file, &b.edit))));
    ranked
}

/// The smallest edit that gives the same text, the earliest of those; `None` when it changes nothing.
pub(super) fn canonical(text: &str, edit: &Edit) -> Option<Edit> {
    let (mut start, mut end) = (edit.start, edit.end);
    let old = text.get(start..end)?;
    let new = edit.replacement.as_str();
    let front: usize =
        old.chars().zip(new.chars()).take_while(|(a, b)| a == b).map(|(sign, _)| sign.len_utf8()).sum();
    let (old, new) = (&old[front..], &new[front..]);
    let back: usize = old
        .chars()
        .rev()
        .zip(new.chars().rev())
        .take_while(|(a, b)| a == b)
        .map(|(sign, _)| sign.len_utf8())
        .sum();
    let mut new = new[..new.len() - back].to_string();
    start += front;
    end -= back;
    if start == end && new.is_empty() {
        return None;
    }
    // What is only inserted or only deleted can slide: as far left as it goes.
    while let Some(before) = text[..start].chars().next_back() {
        let slides = match (start == end, new.is_empty()) {
            (true, false) => new.ends_with(before),
            (false, true) => text[start..end].ends_with(before),
            _ => false,
        };
        if !slides {
            break;
        }
        start -= before.len_utf8();
        end -= before.len_utf8();
        if !new.is_empty() {
            new.pop();
            new.insert(0, before);
        }
    }
    Some(Edit::new(start, end, new))
}
