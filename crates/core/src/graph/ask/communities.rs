//! Which modules, or which functions, belong together by what they depend on.

use std::cmp::Reverse;
use std::sync::Arc;

use super::dense::{Modules, NumberedGraph, Tie};
use super::leiden::{self, Network};
use crate::graph::{CodeGraph, LinkKind, SymbolId};
use crate::{Cancel, Error, Result};

/// How communities are looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct CommunityOptions {
    /// Links of these kinds tie; at first all but `alias`. Their direction does not matter.
    pub kinds: Vec<LinkKind>,
    /// The higher, the smaller the communities; at first 1.
    pub resolution: f64,
    /// Of the random choices: the same seed gives the same communities.
    pub seed: u64,
}

impl Default for CommunityOptions {
    fn default() -> Self {
        let kinds = LinkKind::ALL.into_iter().filter(|kind| *kind != LinkKind::Alias).collect();
        CommunityOptions { kinds, resolution: 1.0, seed: 0 }
    }
}

/// A partition into groups with many ties inside of them and few between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Communities<T> {
    /// Greatest first, each sorted; every group is connected. What has no tie is in none.
    pub groups: Vec<Vec<T>>,
    /// How much more of the ties is inside of groups than chance would put there: up to 1, and 0 for no structure at all.
    pub modularity: f64,
}

impl CodeGraph {
    /// Communities of modules, by the Leiden algorithm. Two modules are tied by as many links as their symbols have.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a resolution that is not a positive number, and those of
    /// [`Cancel::check`].
    pub fn module_communities(
        &self,
        options: &CommunityOptions,
        cancel: &Cancel,
    ) -> Result<Communities<Arc<str>>> {
        let mut dense = NumberedGraph::of(self, &options.kinds);
        let modules = Modules::of(&mut dense);
        find(&modules.names, &modules.ties, options, cancel)
    }

    /// Communities of symbols, by the Leiden algorithm.
    ///
    /// # Errors
    /// As [`CodeGraph::module_communities`].
    pub fn symbol_communities(
        &self,
        options: &CommunityOptions,
        cancel: &Cancel,
    ) -> Result<Communities<SymbolId>> {
        let dense = NumberedGraph::of(self, &options.kinds);
        let ids: Vec<SymbolId> = dense.symbols.iter().map(|symbol| symbol.id).collect();
        find(&ids, &dense.ties, options, cancel)
    }
}

/// `members` by number, sorted.
fn find<T: Clone>(
    members: &[T],
    ties: &[Tie],
    options: &CommunityOptions,
    cancel: &Cancel,
) -> Result<Communities<T>> {
    let resolution = options.resolution;
    if !(resolution > 0.0 && resolution.is_finite()) {
        return Err(Error::invalid(format!("the resolution must be a positive number, not {resolution}")));
    }
    let ties = ties.iter().filter(|tie| tie.from != tie.to);
    let mut tied = vec![false; members.len()];
    ties.clone().for_each(|tie| (tied[tie.from], tied[tie.to]) = (true, true));
    let network = Network::new(members.len(), ties.map(|tie| (tie.from, tie.to, 1.0)));
    let partition = leiden::communities(&network, resolution, options.seed, cancel)?;
    let modularity = network.modularity(&partition, resolution);
    let mut groups: Vec<Vec<T>> = vec![Vec::new(); partition.iter().max().map_or(0, |most| most + 1)];
    for (at, community) in partition.iter().enumerate().filter(|(at, _)| tied[*at]) {
        groups[*community].push(members[at].clone());
    }
    groups.retain(|group| !group.is_empty());
    // Groups are in order of their first members, which a stable sort keeps among those of one size.
    groups.sort_by_key(|group| Reverse(group.len()));
    Ok(Communities { groups, modularity })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::graph::testing::calling;

    #[test]
    fn modules_and_functions_that_call_each_other_are_together() {
        let calls = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (5, 6), (6, 3), (2, 3)];
        let graph = calling(8, &calls);
        let found = graph.module_communities(&CommunityOptions::default(), &Cancel::new()).unwrap();
        let names: Vec<String> = found.groups.iter().map(|group| group.join(" ")).collect();
        assert_eq!(names, ["M003 M004 M005 M006", "M000 M001 M002"]);
        assert!(found.modularity > 0.3, "{}", found.modularity);

        let symbols = graph.symbol_communities(&CommunityOptions::default(), &Cancel::new()).unwrap();
        let name = |id: &SymbolId| graph.symbol(*id).unwrap().qualified();
        let names: Vec<String> = symbols.groups[1].iter().map(name).collect();
        assert_eq!(names, ["M000.f/0", "M001.f/0", "M002.f/0"]);

        let other = CommunityOptions { kinds: vec![LinkKind::Use], ..CommunityOptions::default() };
        assert!(graph.module_communities(&other, &Cancel::new()).unwrap().groups.is_empty());
    }

    #[test]
    fn bad_resolutions_and_pulled_tokens_are_errors() {
        let graph = calling(2, &[(0, 1)]);
        for resolution in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let options = CommunityOptions { resolution, ..CommunityOptions::default() };
            let error = graph.module_communities(&options, &Cancel::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
        let cancel = Cancel::new();
        cancel.cancel();
        let error = graph.symbol_communities(&CommunityOptions::default(), &cancel).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}
