//! What matters most: PageRank (Page et al., 1999) over calls and mentions.

use crate::graph::{CodeGraph, LinkKind, Symbol, SymbolId};
use crate::{Cancel, Result};

/// The probability that the walk goes on along a link.
const DAMPING: f64 = 0.85;

/// The walk has converged when a step changes the scores by less than this, summed over all symbols.
const TOLERANCE: f64 = 1e-9;

const MAX_STEPS: usize = 100;

impl CodeGraph {
    /// All symbols with their PageRank, greatest first; the scores add up to 1. What many symbols depend on ranks high.
    /// With `seeds` the walk begins anew at one of them, not anywhere: what matters to them ranks high (personalised
    /// PageRank). Unknown seeds are ignored.
    ///
    /// # Errors
    /// Those of [`Cancel::check`].
    pub fn rank(&self, seeds: &[SymbolId], cancel: &Cancel) -> Result<Vec<(Symbol, f64)>> {
        let symbols: Vec<_> = self.symbols().collect();
        let count = symbols.len();
        let place = |id: &SymbolId| symbols.binary_search_by_key(id, |symbol| symbol.id).ok();
        let seeds: Vec<usize> = seeds.iter().filter_map(place).collect();
        let mut restart = vec![0.0; count];
        match seeds.len() {
            0 => restart.fill(1.0 / count as f64),
            known => seeds.iter().for_each(|seed| restart[*seed] += 1.0 / known as f64),
        }
        let mut out = vec![0_u32; count];
        let mut links = Vec::new();
        for link in self.relations().filter(|link| link.from != link.to && weighs(link.kind)) {
            let Some((from, to)) = place(&link.from).zip(place(&link.to)) else { continue };
            out[from] += 1;
            links.push((from, to));
        }
        let mut scores = restart.clone();
        for _ in 0..MAX_STEPS {
            cancel.check()?;
            // From symbols that lead nowhere the walk begins anew.
            let stuck: f64 =
                scores.iter().zip(&out).filter(|(_, out)| **out == 0).map(|(score, _)| score).sum();
            let mut next: Vec<f64> =
                restart.iter().map(|restart| restart * (1.0 - DAMPING + DAMPING * stuck)).collect();
            for &(from, to) in &links {
                next[to] += DAMPING * scores[from] / f64::from(out[from]);
            }
            let change: f64 = scores.iter().zip(&next).map(|(old, new)| (old - new).abs()).sum();
            scores = next;
            if change < TOLERANCE {
                break;
            }
        }
        let mut ranked: Vec<_> = symbols.into_iter().zip(scores).collect();
        ranked.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.id.cmp(&b.id)));
        Ok(ranked)
    }
}

/// Whether a dependency says that something matters. To bring a name near does not, nor does a type in a spec.
fn weighs(kind: LinkKind) -> bool {
    !matches!(kind, LinkKind::Alias | LinkKind::Import | LinkKind::Require | LinkKind::Type)
}
