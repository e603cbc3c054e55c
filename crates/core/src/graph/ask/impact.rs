//! What a change touches: of a file, of lines, of symbols.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::query::Way;
use crate::graph::{CodeGraph, LinkKind, Reached, Symbol, SymbolId};
use crate::syntax::DefinitionKind;
use crate::{Error, ErrorKind, Result};

/// What a change may affect, as far as the text of the code tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impact {
    /// Everything that depends on what changes, nearest first.
    pub hits: Vec<Reached>,
    /// The files these are in, sorted; without those of the change itself unless they depend on themselves.
    pub files: Vec<Arc<str>>,
    /// The tests among them, those of modules whose body depends on the change included, sorted by place.
    pub tests: Vec<Symbol>,
}

impl Impact {
    /// What is of this kind among what changes and what that affects, sorted by place, each once.
    pub fn of_kind(&self, changed: &[Symbol], kind: DefinitionKind) -> Vec<Symbol> {
        let all = changed.iter().chain(self.hits.iter().map(|hit| &hit.symbol));
        let found: BTreeMap<SymbolId, &Symbol> =
            all.filter(|symbol| symbol.kind == kind).map(|symbol| (symbol.id, symbol)).collect();
        found.into_values().cloned().collect()
    }
}

impl CodeGraph {
    /// What a change of `path` may affect.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when the graph has no definition in such a file.
    pub fn impact(&self, path: &str) -> Result<Impact> {
        let symbols: Vec<_> = self.nodes_in(path).map(|(id, _)| id).collect();
        if symbols.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, format!("the project defines nothing in {path:?}")));
        }
        Ok(self.impact_of(&symbols))
    }

    /// What a change of these lines may affect, given as path, first and last line, counted from 1. What is outside of all
    /// functions and tests, such as an alias or an attribute, affects all of its module. Unknown paths affect nothing.
    pub fn impact_of_lines<'p>(
        &self,
        lines: impl IntoIterator<Item = (&'p str, u32, u32)>,
    ) -> (Vec<Symbol>, Impact) {
        let mut touched = BTreeSet::new();
        for (path, first, last) in lines {
            touched.extend(self.at_lines(path, first, last));
        }
        let touched: Vec<_> = touched.into_iter().collect();
        (touched.iter().filter_map(|id| self.symbol(*id)).collect(), self.impact_of(&touched))
    }

    /// The innermost definitions that hold lines `first..=last` of the file at `path`.
    fn at_lines(&self, path: &str, first: u32, last: u32) -> BTreeSet<SymbolId> {
        let last = last.max(first);
        let meets = |symbol: &Symbol| symbol.span.line_start <= last && first <= symbol.span.line_end;
        let met: Vec<_> = self
            .nodes_in(path)
            .filter(|(_, symbol)| meets(symbol) && symbol.generated_by.is_none())
            .collect();
        let holds_others = |symbol: &Symbol| symbol.is_module() || symbol.kind == DefinitionKind::Describe;
        let mut innermost: BTreeSet<SymbolId> =
            met.iter().filter(|(_, symbol)| !holds_others(symbol)).map(|(id, _)| *id).collect();
        // Lines that no other definition holds belong to the innermost module or `describe` around.
        let end = met.iter().map(|(_, symbol)| symbol.span.line_end).max().unwrap_or(0);
        for line in first..=last.min(end) {
            let at = |symbol: &Symbol| (symbol.span.line_start..=symbol.span.line_end).contains(&line);
            if met.iter().any(|(_, symbol)| !holds_others(symbol) && at(symbol)) {
                continue;
            }
            let around = met.iter().filter(|(_, symbol)| holds_others(symbol) && at(symbol));
            innermost.extend(
                around.min_by_key(|(_, symbol)| symbol.span.end - symbol.span.start).map(|(id, _)| *id),
            );
        }
        innermost
    }

    /// What a change of `symbols` may affect. A module stands for all that it defines.
    pub fn impact_of(&self, symbols: &[SymbolId]) -> Impact {
        // Names that are only brought near change nothing by themselves; what is done with them has links of its own.
        let follows = |kind| !matches!(kind, LinkKind::Alias | LinkKind::Import | LinkKind::Require);
        let hits = self.reach(symbols, usize::MAX, Way::Against, follows);
        let files: BTreeSet<_> = hits.iter().map(|hit| hit.symbol.file.clone()).collect();
        let mut tests: BTreeSet<_> = self.expand(symbols).into_iter().collect();
        for hit in &hits {
            match hit.symbol.kind {
                DefinitionKind::Module => tests.extend(self.expand(&[hit.symbol.id])),
                DefinitionKind::Describe => tests.extend(
                    self.nodes_in(&hit.symbol.file)
                        .filter(|(_, s)| s.module == hit.symbol.module && within(s, &hit.symbol))
                        .map(|(id, _)| id),
                ),
                _ => {
                    tests.insert(hit.symbol.id);
                }
            }
        }
        let tests = tests.into_iter().filter_map(|id| self.symbol(id));
        let tests = tests.filter(|symbol| symbol.kind == DefinitionKind::Test).collect();
        Impact { hits, files: files.into_iter().collect(), tests }
    }
}

fn within(inner: &Symbol, outer: &Symbol) -> bool {
    outer.span.start <= inner.span.start && inner.span.end <= outer.span.end
}
