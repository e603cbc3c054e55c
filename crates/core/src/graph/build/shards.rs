//! A map from hashes to lists, whose versions share what did not change.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use rayon::prelude::*;

/// A change copies only the shards it touches: with so many a shard is small also in the largest project, and the list of
/// them is still copied in microseconds.
const SHARDS: usize = 4096;

/// The hash of a name, made by a hasher with a random seed: two names never share one by accident or by intent.
pub(in crate::graph) type Key = u64;

/// Keys are hashes already.
#[derive(Default)]
pub(in crate::graph) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type Shard<T> = HashMap<Key, Arc<[T]>, BuildHasherDefault<Identity>>;

/// From each key to a sorted list.
#[derive(Clone, Debug)]
pub(in crate::graph) struct Shards<T> {
    shards: Vec<Arc<Shard<T>>>,
}

impl<T> Default for Shards<T> {
    fn default() -> Self {
        let empty = Arc::new(Shard::default());
        Shards { shards: vec![empty; SHARDS] }
    }
}

impl<T: Clone + Ord + Send + Sync> Shards<T> {
    /// The map with all of these entries; those that come twice count once.
    pub(in crate::graph) fn of(entries: impl IntoIterator<Item = (Key, T)>) -> Self {
        let mut parts: Vec<Vec<(Key, T)>> = (0..SHARDS).map(|_| Vec::new()).collect();
        for (key, value) in entries {
            parts[place(key)].push((key, value));
        }
        let shards = parts.into_par_iter().map(|mut part| {
            part.sort_unstable();
            part.dedup();
            let lists = part.chunk_by(|a, b| a.0 == b.0);
            Arc::new(
                lists
                    .map(|list| (list[0].0, list.iter().map(|(_, value)| value.clone()).collect()))
                    .collect(),
            )
        });
        Shards { shards: shards.collect() }
    }

    pub(in crate::graph) fn get(&self, key: Key) -> &[T] {
        self.shards[place(key)].get(&key).map_or(&[], |list| list)
    }

    pub(in crate::graph) fn insert(&mut self, key: Key, value: T) {
        let shard = Arc::make_mut(&mut self.shards[place(key)]);
        let list = shard.entry(key).or_insert_with(|| Arc::from([]));
        if let Err(at) = list.binary_search(&value) {
            *list = list[..at].iter().chain([&value]).chain(&list[at..]).cloned().collect();
        }
    }

    pub(in crate::graph) fn remove(&mut self, key: Key, value: &T) {
        let Ok(at) = self.get(key).binary_search(value) else { return };
        let shard = Arc::make_mut(&mut self.shards[place(key)]);
        let left: Arc<[T]> = match shard.get(&key) {
            Some(list) => list[..at].iter().chain(&list[at + 1..]).cloned().collect(),
            None => return,
        };
        if left.is_empty() {
            shard.remove(&key)
        } else {
            shard.insert(key, left)
        };
    }
}

fn place(key: Key) -> usize {
    // The low bits choose within a shard.
    (key >> 32) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn answers_as_a_plain_map_does_and_versions_do_not_disturb_each_other(
            first in prop::collection::vec((0..20_u64, 0..10_u32), 0..60),
            steps in prop::collection::vec((any::<bool>(), 0..20_u64, 0..10_u32), 0..60),
        ) {
            let spread = |key: u64| key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut plain: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
            first.iter().for_each(|(key, value)| { plain.entry(*key).or_default().insert(*value); });
            let start = Shards::of(first.iter().map(|(key, value)| (spread(*key), *value)));
            let (before, mut map) = (plain.clone(), start.clone());
            for (insert, key, value) in steps {
                if insert {
                    plain.entry(key).or_default().insert(value);
                    map.insert(spread(key), value);
                } else {
                    plain.entry(key).or_default().remove(&value);
                    map.remove(spread(key), &value);
                }
            }
            for (map, plain) in [(&start, &before), (&map, &plain)] {
                for key in 0..20 {
                    let expected: Vec<u32> = plain.get(&key).into_iter().flatten().copied().collect();
                    prop_assert_eq!(map.get(spread(key)), &expected[..]);
                }
            }
        }
    }
}
