//! What all processes of a node share: what is asked for again while it lives is not made again.

use std::sync::{Arc, Weak};

use ambix_core::Result;
use parking_lot::Mutex;

/// The things that live, by what they were made from.
pub struct Shared<K, V>(Mutex<Vec<(K, Weak<V>)>>);

impl<K: PartialEq, V> Shared<K, V> {
    /// None yet.
    pub const fn new() -> Self {
        Shared(Mutex::new(Vec::new()))
    }

    /// The thing that was made from `key`, or what `make` gives. One is made at a time, so that two that are asked for at once are
    /// one as well.
    pub fn get_or_make(&self, key: K, make: impl FnOnce() -> Result<V>) -> Result<Arc<V>> {
        let mut living = self.0.lock();
        living.retain(|(_, thing)| thing.strong_count() > 0);
        let known = living.iter().find(|(known, _)| *known == key).and_then(|(_, thing)| thing.upgrade());
        if let Some(thing) = known {
            return Ok(thing);
        }
        let made = Arc::new(make()?);
        living.push((key, Arc::downgrade(&made)));
        Ok(made)
    }
}
