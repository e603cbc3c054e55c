//! Questions in words: `Ambix.Index.search/3`.

use std::sync::Arc;

use ambix_core::lanes::Lane;
use ambix_core::retrieval::{self, Answer, Filter, Hit, Index, MadeFrom, Mode, Query, Reranker};
use ambix_core::source::{History, Language};
use ambix_core::syntax::DefinitionKind;
use ambix_core::{Cancel, Error, Result};
use ambix_macros::nif;
use rustler::{Atom, Env, NifMap, NifUntaggedEnum, ResourceArc, Term};

use crate::guard::guard;
use crate::index::IndexRef;
use crate::job;
use crate::model::{EncoderRef, ModelRef};

mod atoms {
    rustler::atoms! { hybrid, lexical, semantic }
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExResult {
    file: String,
    line_start: u32,
    line_end: u32,
    symbol: String,
    kind: Option<&'static str>,
    score: f32,
    text: String,
    features: Vec<ExFeature>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExFeature {
    name: &'static str,
    value: f32,
    adds: f32,
}

impl ExResult {
    fn of(index: &Index, hit: &Hit) -> ExResult {
        let features = hit.features.iter();
        ExResult {
            file: hit.file.to_string(),
            line_start: hit.span.line_start,
            line_end: hit.span.line_end,
            symbol: hit.symbol.to_string(),
            kind: hit.kind.map(DefinitionKind::as_str),
            score: hit.score,
            text: index.text_at(hit).to_owned(),
            features: features
                .map(|(feature, value, adds)| ExFeature {
                    name: feature.as_str(),
                    value: *value,
                    adds: *adds,
                })
                .collect(),
        }
    }
}

/// What is wanted of an answer.
#[derive(NifMap)]
#[rustler(decode)]
pub(super) struct ExWishes {
    limit: usize,
    mode: Atom,
    near: Vec<String>,
    paths: Vec<String>,
    kinds: Vec<String>,
    modules: Vec<String>,
    languages: Vec<String>,
    public: Option<bool>,
    modified_since: Option<u64>,
}

#[derive(NifMap)]
#[rustler(encode)]
pub(super) struct ExMadeFrom {
    lexical: bool,
    semantic: bool,
    vectors: usize,
    chunks: usize,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExAnswer {
    results: Vec<ExResult>,
    made_from: ExMadeFrom,
    freshness: Atom,
}

impl ExAnswer {
    fn of(index: &Index, answer: &Answer, freshness: Atom) -> ExAnswer {
        ExAnswer {
            results: answer.results.iter().map(|hit| ExResult::of(index, hit)).collect(),
            made_from: answer.made_from.into(),
            freshness,
        }
    }
}

/// What judges places.
#[derive(NifUntaggedEnum)]
enum ExReranker {
    Model(ResourceArc<ModelRef>),
    Encoder(ResourceArc<EncoderRef>),
}

impl ExReranker {
    fn reranker(&self) -> &dyn Reranker {
        match self {
            ExReranker::Model(model) => model.model(),
            ExReranker::Encoder(encoder) => encoder.reranker(),
        }
    }
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExCommonAnswer {
    /// Each with the place of its index.
    results: Vec<(usize, ExResult)>,
    made_from: ExMadeFrom,
}

impl From<MadeFrom> for ExMadeFrom {
    fn from(from: MadeFrom) -> Self {
        ExMadeFrom {
            lexical: from.lexical,
            semantic: from.semantic,
            vectors: from.vectors,
            chunks: from.chunks,
        }
    }
}

#[nif(schedule = "DirtyCpu")]
fn index_search<'a>(
    env: Env<'a>,
    index: ResourceArc<IndexRef>,
    query: String,
    wishes: ExWishes,
    encoder: Option<ResourceArc<EncoderRef>>,
) -> Term<'a> {
    guard(env, || {
        let freshness = index.freshness();
        let (index, history) = (index.current(), index.history());
        let query = query_for(&index, history, query, wishes, encoder.as_deref())?;
        let answer = index.search(&query, &Cancel::new())?;
        Ok(ExAnswer::of(&index, &answer, freshness))
    })
}

/// A search whose best places a model looks at once more.
#[nif(schedule = "DirtyCpu")]
fn index_rerank<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    query: String,
    wishes: ExWishes,
    encoder: Option<ResourceArc<EncoderRef>>,
    reranker: ExReranker,
) -> Term<'a> {
    job::start(env, reference, Lane::Model, move |reporter| {
        let freshness = index.freshness();
        let (index, history) = (index.current(), index.history());
        let query = query_for(&index, history, query, wishes, encoder.as_deref())?;
        let answer = index.search_reranked(&query, reranker.reranker(), reporter.cancel())?;
        Ok(ExAnswer::of(&index, &answer, freshness))
    })
}

#[nif(schedule = "DirtyCpu")]
fn index_search_all(
    env: Env<'_>,
    indexes: Vec<ResourceArc<IndexRef>>,
    query: String,
    wishes: ExWishes,
) -> Term<'_> {
    guard(env, || {
        let versions: Vec<Arc<Index>> = indexes.iter().map(|index| index.current()).collect();
        let indexes: Vec<&Index> = versions.iter().map(|index| &**index).collect();
        let answer = retrieval::search_all(&indexes, &query_of(query, wishes)?, &Cancel::new())?;
        let result = |(at, hit): &(usize, Hit)| (*at, ExResult::of(indexes[*at], hit));
        Ok(ExCommonAnswer {
            results: answer.results.iter().map(result).collect(),
            made_from: answer.made_from.into(),
        })
    })
}

pub(super) fn query_for(
    index: &Index,
    history: Option<Arc<History>>,
    text: String,
    wishes: ExWishes,
    encoder: Option<&EncoderRef>,
) -> Result<Query> {
    let mut query = query_of(text, wishes)?;
    query.history = history;
    if let Some(encoder) = encoder {
        index.encode(&mut query, encoder.encoder(), &Cancel::new())?;
    }
    Ok(query)
}

pub(super) fn query_of(text: String, wishes: ExWishes) -> Result<Query> {
    let mode = if wishes.mode == atoms::lexical() {
        Mode::Lexical
    } else if wishes.mode == atoms::semantic() {
        Mode::Semantic
    } else if wishes.mode == atoms::hybrid() {
        Mode::Hybrid
    } else {
        return Err(Error::invalid("the mode is one of :hybrid, :lexical and :semantic"));
    };
    let filter = Filter {
        paths: wishes.paths,
        kinds: named(&wishes.kinds, "kind", &DefinitionKind::ALL, DefinitionKind::as_str)?,
        modules: wishes.modules,
        languages: named(&wishes.languages, "language", &Language::ALL, Language::as_str)?,
        public: wishes.public,
        modified_since: wishes.modified_since,
    };
    Ok(Query { text, limit: wishes.limit, mode, near: wishes.near, history: None, vector: None, filter })
}

/// Each of `names` as one of `all`.
pub(super) fn named<T: Copy>(
    names: &[String],
    what: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<Vec<T>> {
    let find = |wanted: &String| {
        all.iter().copied().find(|one| name(*one) == wanted).ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|one| name(*one)).collect();
            Error::invalid(format!("there is no {what} {wanted:?}; there are {}", known.join(", ")))
        })
    };
    names.iter().map(find).collect()
}
