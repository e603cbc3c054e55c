//! What a model reads to answer a question: `Ambix.Index.context/3`.

use std::sync::Arc;

use ambix_core::context::{self, Estimate, IndexSource, Order, PackOptions, Section, TokenCounter};
use ambix_core::retrieval::{self, Index, Query};
use ambix_core::{Cancel, Result};
use ambix_macros::nif;
use rustler::{Atom, Binary, Env, NifMap, ResourceArc, Term};

use super::query::{ExMadeFrom, ExWishes, named, query_for, query_of};
use crate::guard::guard;
use crate::index::IndexRef;
use crate::model::{EncoderRef, ModelRef};

#[derive(NifMap)]
#[rustler(encode)]
struct ExContext {
    text: String,
    tokens: usize,
    sections: Vec<ExSection>,
    omitted: usize,
    unworthy: usize,
    note: Option<&'static str>,
    made_from: ExMadeFrom,
    freshness: Atom,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExSection {
    number: usize,
    title: String,
    file: String,
    line_start: u32,
    line_end: u32,
    lines: Vec<(u32, u32)>,
    symbols: Vec<String>,
    text: String,
    trimmed: bool,
    tokens: usize,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExCommonContext {
    text: String,
    tokens: usize,
    /// Each with the place of its index.
    sections: Vec<(usize, ExSection)>,
    omitted: usize,
    unworthy: usize,
    note: Option<&'static str>,
    made_from: ExMadeFrom,
}

impl ExSection {
    fn of(section: Section) -> ExSection {
        ExSection {
            number: section.number,
            lines: section.lines,
            symbols: section.symbols.iter().map(|symbol| symbol.to_string()).collect(),
            title: section.title,
            file: section.file.to_string(),
            line_start: section.span.line_start,
            line_end: section.span.line_end,
            text: section.text,
            trimmed: section.trimmed,
            tokens: section.tokens,
        }
    }
}

#[nif(schedule = "DirtyCpu")]
fn index_context<'a>(
    env: Env<'a>,
    index: ResourceArc<IndexRef>,
    query: String,
    wishes: ExWishes,
    encoder: Option<ResourceArc<EncoderRef>>,
    packing: (usize, String),
    model: Option<ResourceArc<ModelRef>>,
) -> Term<'a> {
    guard(env, || {
        let freshness = index.freshness();
        let (index, history) = (index.current(), index.history());
        let wanted = query_for(&index, history, query.clone(), wishes, encoder.as_deref())?;
        let options = pack_options(packing, &wanted)?;
        let answer = index.search(&wanted, &Cancel::new())?;
        let count = |text: &str| tokens_of(text, model.as_deref());
        let context = context::pack(&index, &query, &answer, &options, &count);
        Ok(ExContext {
            text: context.text,
            tokens: context.tokens,
            sections: context.sections.into_iter().map(ExSection::of).collect(),
            omitted: context.omitted,
            unworthy: context.unworthy,
            note: context.note,
            made_from: answer.made_from.into(),
            freshness,
        })
    })
}

/// A context from several indexes, each with the name that its paths are shown behind.
#[nif(schedule = "DirtyCpu")]
fn index_context_all<'a>(
    env: Env<'a>,
    indexes: Vec<(ResourceArc<IndexRef>, String)>,
    query: String,
    wishes: ExWishes,
    packing: (usize, String),
    model: Option<ResourceArc<ModelRef>>,
) -> Term<'a> {
    guard(env, || {
        let versions: Vec<Arc<Index>> = indexes.iter().map(|(index, _)| index.current()).collect();
        let sources: Vec<IndexSource> =
            versions.iter().zip(&indexes).map(|(index, (_, name))| IndexSource { index, name }).collect();
        let all: Vec<&Index> = versions.iter().map(|index| &**index).collect();
        let wanted = query_of(query.clone(), wishes)?;
        let options = pack_options(packing, &wanted)?;
        let answer = retrieval::search_all(&all, &wanted, &Cancel::new())?;
        let count = |text: &str| tokens_of(text, model.as_deref());
        let context = context::pack_all(&sources, &query, &answer, &options, &count);
        let section = |section: Section| (section.source, ExSection::of(section));
        Ok(ExCommonContext {
            text: context.text,
            tokens: context.tokens,
            sections: context.sections.into_iter().map(section).collect(),
            omitted: context.omitted,
            unworthy: context.unworthy,
            note: context.note,
            made_from: answer.made_from.into(),
        })
    })
}

/// How many tokens a short text is, whatever its bytes are, as [`Estimate`] counts them.
// normal: at most 64 KiB are read once, and a dirty scheduler takes longer to wake up than that.
#[nif]
fn count_tokens<'a>(env: Env<'a>, text: Binary<'a>) -> Term<'a> {
    guard(env, || Ok(Estimate.count_bytes(text.as_slice())))
}

fn pack_options((tokens, order): (usize, String), wanted: &Query) -> Result<PackOptions> {
    let order = named(&[order], "order", &Order::ALL, Order::as_str)?;
    Ok(PackOptions {
        order: order.first().copied().unwrap_or_default(),
        only_found: !wanted.filter.is_empty(),
        ..PackOptions::new(tokens)
    })
}

/// How many tokens a text is; without a tokenizer, an estimate.
pub fn tokens_of(text: &str, model: Option<&ModelRef>) -> usize {
    match model {
        Some(model) => model.model().count(text),
        None => Estimate.count(text),
    }
}
