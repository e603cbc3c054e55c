//! Names and patterns that are looked up in an index: `Ambix.Index.lookup/3` and `Ambix.Index.grep/3`.

use ambix_core::lanes::Lane;
use ambix_core::retrieval::{Case, Found, FoundLine, Grep, Lookup, Named};
use ambix_core::source::Language;
use ambix_core::syntax::DefinitionKind;
use ambix_core::{Cancel, Error, Result};
use ambix_macros::nif;
use rustler::{Atom, Env, NifMap, ResourceArc, Term};

use crate::guard::guard;
use crate::index::IndexRef;
use crate::job;
use crate::pool;

mod atoms {
    rustler::atoms! { sensitive, insensitive, smart }
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExNamed {
    file: String,
    line: u32,
    line_start: u32,
    line_end: u32,
    symbol: String,
    kind: &'static str,
    public: bool,
    signature: Option<String>,
    fit: &'static str,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExNames {
    results: Vec<ExNamed>,
    freshness: Atom,
}

#[derive(NifMap)]
#[rustler(decode)]
struct ExGrep {
    fixed: bool,
    case: Atom,
    word: bool,
    multiline: bool,
    paths: Vec<String>,
    languages: Vec<String>,
    kinds: Vec<String>,
    context: usize,
    per_file: Option<usize>,
    limit: usize,
    count: bool,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExFound {
    lines: Vec<ExLine>,
    counts: Vec<ExCount>,
    truncated: bool,
    searched: usize,
    freshness: Atom,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExCount {
    file: String,
    lines: usize,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExLine {
    file: String,
    line: u32,
    line_end: u32,
    column: u32,
    matches: Vec<(u32, u32)>,
    text: String,
    text_start: u32,
    before: Vec<String>,
    after: Vec<String>,
    symbol: String,
    kind: Option<&'static str>,
}

#[nif(schedule = "DirtyCpu")]
fn index_lookup<'a>(
    env: Env<'a>,
    index: ResourceArc<IndexRef>,
    name: String,
    kinds: Vec<String>,
    limit: usize,
) -> Term<'a> {
    guard(env, || {
        let lookup = Lookup { name, kinds: kinds_of(&kinds)?, limit };
        let named = |it: Named| ExNamed {
            file: it.file.to_string(),
            line: it.line,
            line_start: it.span.line_start,
            line_end: it.span.line_end,
            symbol: it.symbol,
            kind: it.kind.as_str(),
            public: it.public,
            signature: it.signature.map(|signature| signature.to_string()),
            fit: it.fit.as_str(),
        };
        let freshness = index.freshness();
        let found = index.current().lookup(&lookup, &Cancel::new())?;
        Ok(ExNames { results: found.into_iter().map(named).collect(), freshness })
    })
}

#[nif(schedule = "DirtyCpu")]
fn index_grep<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    index: ResourceArc<IndexRef>,
    pattern: String,
    options: ExGrep,
) -> Term<'a> {
    job::start(env, reference, Lane::Query, move |reporter| {
        let grep = grep_of(pattern, options)?;
        let freshness = index.freshness();
        let found = pool::install(|| index.current().grep(&grep, reporter.cancel()))?;
        Ok(ExFound::of(found, freshness))
    })
}

fn grep_of(pattern: String, options: ExGrep) -> Result<Grep> {
    let case = if options.case == atoms::sensitive() {
        Case::Sensitive
    } else if options.case == atoms::insensitive() {
        Case::Insensitive
    } else if options.case == atoms::smart() {
        Case::Smart
    } else {
        return Err(Error::invalid("the case is one of :sensitive, :insensitive and :smart"));
    };
    let language = |name: &String| {
        Language::ALL.into_iter().find(|language| language.as_str() == name).ok_or_else(|| {
            let known = Language::ALL.map(Language::as_str);
            Error::invalid(format!("{name:?} is no language; they are {}", known.join(", ")))
        })
    };
    Ok(Grep {
        pattern,
        fixed: options.fixed,
        case,
        word: options.word,
        multiline: options.multiline,
        paths: options.paths,
        languages: options.languages.iter().map(language).collect::<Result<_>>()?,
        kinds: kinds_of(&options.kinds)?,
        context: options.context,
        per_file: options.per_file.unwrap_or(usize::MAX),
        limit: options.limit,
        count: options.count,
    })
}

fn kinds_of(names: &[String]) -> Result<Vec<DefinitionKind>> {
    let kind = |name: &String| {
        DefinitionKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
            let known = DefinitionKind::ALL.map(DefinitionKind::as_str);
            Error::invalid(format!("{name:?} is no kind of definition; they are {}", known.join(", ")))
        })
    };
    names.iter().map(kind).collect()
}

impl ExFound {
    fn of(found: Found, freshness: Atom) -> Self {
        let count = |(file, lines): (std::sync::Arc<str>, usize)| ExCount { file: file.to_string(), lines };
        ExFound {
            lines: found.lines.into_iter().map(ExLine::from).collect(),
            counts: found.counts.into_iter().map(count).collect(),
            truncated: found.truncated,
            searched: found.searched,
            freshness,
        }
    }
}

impl From<FoundLine> for ExLine {
    fn from(line: FoundLine) -> Self {
        ExLine {
            file: line.file.to_string(),
            line: line.line,
            line_end: line.line_end,
            column: line.column,
            matches: line.matches.into_iter().map(|range| (range.start, range.end - range.start)).collect(),
            text: line.text,
            text_start: line.text_start,
            before: line.before,
            after: line.after,
            symbol: line.symbol.to_string(),
            kind: line.kind.map(DefinitionKind::as_str),
        }
    }
}
