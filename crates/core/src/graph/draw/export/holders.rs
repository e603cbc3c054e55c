//! What holds what: a module its functions and the modules inside of it, a `describe` its tests.

use crate::graph::Symbol;
use crate::syntax::DefinitionKind;

/// For each symbol the innermost one around it that holds it; `None` for what lies in a file by itself. `symbols` are in
/// order of path and position.
pub(super) fn of(symbols: &[Symbol]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..symbols.len()).collect();
    // An outer one before what it holds, also where both begin at the same place.
    order.sort_by_key(|at| {
        let symbol = &symbols[*at];
        (&symbol.file, symbol.span.start, std::cmp::Reverse(symbol.span.end), !is_holder(symbol), *at)
    });
    let mut holders = vec![None; symbols.len()];
    let mut open: Vec<usize> = Vec::new();
    for at in order {
        let symbol = &symbols[at];
        while open.last().is_some_and(|outer| {
            symbols[*outer].file != symbol.file || symbols[*outer].span.end <= symbol.span.start
        }) {
            open.pop();
        }
        let around = || {
            let wider = |outer: &&usize| {
                let (outer, inner) = (symbols[**outer].span, symbol.span);
                outer.end >= inner.end && (!symbol.is_module() || outer != inner)
            };
            open.iter().rev().filter(wider)
        };
        // `defimpl P, for: [A, B]` is two modules at one place: each holds the functions of its own name.
        let own = around().find(|outer| !symbol.is_module() && symbols[**outer].module == symbol.module);
        holders[at] = own.or_else(|| around().next()).copied();
        if is_holder(symbol) {
            open.push(at);
        }
    }
    holders
}

fn is_holder(symbol: &Symbol) -> bool {
    symbol.is_module() || symbol.kind == DefinitionKind::Describe
}
