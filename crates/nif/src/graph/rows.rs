//! What answers consist of, as maps.

use ambix_core::graph::{
    CodeGraph, Dead, Impact, Implementation, Reached, Relation, Symbol, SymbolId, SymbolPath,
};
use ambix_core::syntax::DefinitionKind;
use rustler::NifMap;

#[derive(NifMap)]
#[rustler(encode)]
pub struct ExSymbol {
    symbol: String,
    kind: &'static str,
    module: String,
    name: String,
    arity: Option<u8>,
    file: String,
    line: u32,
    generated_by: Option<String>,
}

#[derive(NifMap)]
#[rustler(encode)]
pub struct ExHit {
    symbol: String,
    kind: &'static str,
    module: String,
    name: String,
    arity: Option<u8>,
    file: String,
    line: u32,
    generated_by: Option<String>,
    depth: usize,
    via: String,
    how: &'static str,
    certain: bool,
    why: &'static str,
    lines: Vec<u32>,
    lines_in: String,
}

#[derive(NifMap)]
#[rustler(encode)]
pub struct ExReference {
    symbol: String,
    kind: &'static str,
    module: String,
    name: String,
    arity: Option<u8>,
    file: String,
    line: u32,
    generated_by: Option<String>,
    to: String,
    how: &'static str,
    certain: bool,
    why: &'static str,
}

#[derive(NifMap)]
#[rustler(encode)]
pub struct ExLink {
    from: String,
    to: String,
    how: &'static str,
    certain: bool,
    why: &'static str,
    file: String,
    lines: Vec<u32>,
}

#[derive(NifMap)]
#[rustler(encode)]
pub struct ExPath {
    symbols: Vec<ExSymbol>,
    links: Vec<ExLink>,
}

#[derive(NifMap)]
#[rustler(encode)]
pub struct ExImpact {
    touched: Vec<ExSymbol>,
    hits: Vec<ExHit>,
    tests: Vec<ExSymbol>,
    routes: Vec<ExSymbol>,
    templates: Vec<ExSymbol>,
    files: Vec<String>,
}

#[derive(NifMap)]
#[rustler(encode)]
pub struct ExRank {
    symbol: String,
    kind: &'static str,
    file: String,
    line: u32,
    score: f64,
}

#[derive(NifMap)]
#[rustler(encode)]
pub struct ExDead {
    symbol: String,
    kind: &'static str,
    module: String,
    name: String,
    arity: Option<u8>,
    file: String,
    line: u32,
    generated_by: Option<String>,
    doubt: Option<&'static str>,
}

impl ExSymbol {
    pub fn of(symbol: &Symbol) -> Self {
        ExSymbol {
            symbol: symbol.qualified(),
            kind: symbol.kind.as_str(),
            module: symbol.module.to_string(),
            name: symbol.name.to_string(),
            arity: symbol.arity,
            file: symbol.file.to_string(),
            line: symbol.span.line_start,
            generated_by: symbol.generated_by.as_deref().map(str::to_owned),
        }
    }
}

impl ExHit {
    /// `against`: whether what was reached is what depends.
    pub fn of(graph: &CodeGraph, hit: &Reached, against: bool) -> Self {
        let ExSymbol { symbol, kind, module, name, arity, file, line, generated_by } =
            ExSymbol::of(&hit.symbol);
        let lines_in = graph.symbol(hit.at(against)).map_or_else(|| file.clone(), |at| at.file.to_string());
        ExHit {
            symbol,
            kind,
            module,
            name,
            arity,
            file,
            line,
            generated_by,
            depth: hit.depth,
            via: qualified(graph, hit.via),
            how: hit.kind.as_str(),
            certain: hit.basis.is_certain(),
            why: hit.basis.as_str(),
            lines: hit.lines(),
            lines_in,
        }
    }

    /// What implements a behaviour or protocol, which may be of no symbol of the graph.
    pub fn implementing(found: &Implementation) -> Self {
        let ExSymbol { symbol, kind, module, name, arity, file, line, generated_by } =
            ExSymbol::of(&found.symbol);
        ExHit {
            symbol,
            kind,
            module,
            name,
            arity,
            lines_in: file.clone(),
            file,
            line,
            generated_by,
            depth: 1,
            via: found.of.to_string(),
            how: found.kind.as_str(),
            certain: found.basis.is_certain(),
            why: found.basis.as_str(),
            lines: found.lines(),
        }
    }
}

impl ExReference {
    /// One for each place where `relation` is written.
    pub fn all(graph: &CodeGraph, relation: &Relation) -> Vec<Self> {
        let Some(from) = graph.symbol(relation.from) else { return Vec::new() };
        let to = qualified(graph, relation.to);
        let file = file_of(graph, relation);
        let mut lines = relation.lines();
        if lines.is_empty() {
            lines.push(from.span.line_start);
        }
        let row = |line| {
            let ExSymbol { symbol, kind, module, name, arity, generated_by, .. } = ExSymbol::of(&from);
            ExReference {
                symbol,
                kind,
                module,
                name,
                arity,
                file: file.clone(),
                line,
                generated_by,
                to: to.clone(),
                how: relation.kind.as_str(),
                certain: relation.basis.is_certain(),
                why: relation.basis.as_str(),
            }
        };
        lines.into_iter().map(row).collect()
    }
}

impl ExLink {
    pub fn of(graph: &CodeGraph, relation: &Relation) -> Self {
        ExLink {
            from: qualified(graph, relation.from),
            to: qualified(graph, relation.to),
            how: relation.kind.as_str(),
            certain: relation.basis.is_certain(),
            why: relation.basis.as_str(),
            file: file_of(graph, relation),
            lines: relation.lines(),
        }
    }
}

impl ExPath {
    pub fn of(graph: &CodeGraph, path: &SymbolPath) -> Self {
        let symbols = path.symbols.iter().filter_map(|id| graph.symbol(*id));
        ExPath {
            symbols: symbols.map(|symbol| ExSymbol::of(&symbol)).collect(),
            links: path.relations.iter().map(|relation| ExLink::of(graph, relation)).collect(),
        }
    }
}

impl ExImpact {
    pub fn of(graph: &CodeGraph, touched: &[Symbol], impact: &Impact) -> Self {
        let of_kind = |kind| impact.of_kind(touched, kind).iter().map(ExSymbol::of).collect();
        ExImpact {
            touched: touched.iter().map(ExSymbol::of).collect(),
            hits: impact.hits.iter().map(|hit| ExHit::of(graph, hit, true)).collect(),
            tests: impact.tests.iter().map(ExSymbol::of).collect(),
            routes: of_kind(DefinitionKind::Route),
            templates: of_kind(DefinitionKind::Template),
            files: impact.files.iter().map(ToString::to_string).collect(),
        }
    }
}

impl ExRank {
    pub fn of(symbol: &Symbol, score: f64) -> Self {
        let ExSymbol { symbol, kind, file, line, .. } = ExSymbol::of(symbol);
        ExRank { symbol, kind, file, line, score }
    }
}

impl ExDead {
    pub fn of(dead: &Dead) -> Self {
        let ExSymbol { symbol, kind, module, name, arity, file, line, generated_by } =
            ExSymbol::of(&dead.symbol);
        let doubt = dead.doubt.map(|doubt| doubt.as_str());
        ExDead { symbol, kind, module, name, arity, file, line, generated_by, doubt }
    }
}

fn qualified(graph: &CodeGraph, id: SymbolId) -> String {
    graph.symbol(id).map(|symbol| symbol.qualified()).unwrap_or_default()
}

/// The file that the sites of a relation are in.
fn file_of(graph: &CodeGraph, relation: &Relation) -> String {
    graph.symbol(relation.at()).map(|symbol| symbol.file.to_string()).unwrap_or_default()
}
