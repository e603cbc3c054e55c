//! All units and all names at one moment of a build, for those who resolve names.

use std::sync::Arc;

use super::names::NameTable;
use super::shards::{Key, Shards};
use super::unit::{ResolvedTarget, Unit};

#[derive(Clone, Copy)]
pub(in crate::graph) struct GraphView<'v> {
    pub(in crate::graph) units: &'v [Option<Arc<Unit>>],
    pub(in crate::graph) table: &'v Shards<ResolvedTarget>,
    pub(in crate::graph) names: &'v NameTable,
}

impl<'v> GraphView<'v> {
    pub(in crate::graph) fn unit(&self, slot: u32) -> Option<&'v Unit> {
        self.units.get(slot as usize)?.as_deref()
    }

    pub(in crate::graph) fn path(&self, slot: u32) -> &'v str {
        self.unit(slot).map_or("", |unit| &unit.written.path)
    }

    /// What has this name, in order of path and position.
    pub(in crate::graph) fn all(&self, key: Key) -> Vec<ResolvedTarget> {
        let mut all = self.table.get(key).to_vec();
        if all.len() > 1 {
            all.sort_by_key(|target| (self.path(target.slot), target.index));
        }
        all
    }

    /// What has this name: the one in the file of `slot` before that of any other file.
    pub(in crate::graph) fn any(&self, slot: u32, key: Key) -> Option<ResolvedTarget> {
        self.best(slot, key, |_| Some(0))
    }

    /// Likewise, but only what is written out: what macros make is not known yet while they are expanded.
    pub(in crate::graph) fn written(&self, slot: u32, key: Key) -> Option<ResolvedTarget> {
        self.best(slot, key, |target| {
            let unit = self.unit(target.slot)?;
            ((target.index as usize) < unit.written.nodes.len()).then_some(0)
        })
    }

    /// What a use with so many arguments means: what takes just as many goes before what takes them by defaults, and
    /// among several what is in the file of `slot`.
    pub(in crate::graph) fn taking(&self, slot: u32, key: Key, arity: u8) -> Option<ResolvedTarget> {
        self.best(slot, key, |target| {
            let signature = target.signature;
            (signature.least..=signature.most).contains(&arity).then(|| signature.most - arity)
        })
    }

    fn best(
        &self,
        slot: u32,
        key: Key,
        cost: impl Fn(&ResolvedTarget) -> Option<u8>,
    ) -> Option<ResolvedTarget> {
        let fits = self.table.get(key).iter().filter_map(|target| Some((cost(target)?, target)));
        let order = |(cost, target): &(u8, &ResolvedTarget)| {
            (*cost, target.slot != slot, self.path(target.slot), target.index)
        };
        fits.min_by(|a, b| order(a).cmp(&order(b))).map(|(_, target)| *target)
    }
}
