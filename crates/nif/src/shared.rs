//! What all processes of a node share: what is asked for again while it lives is not made again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ambix_core::{Cancel, Result};
use parking_lot::Mutex;

/// How long somebody who waits for what another makes goes without looking whether he was cancelled.
const LOOK: Duration = Duration::from_millis(50);

/// One thing, which is locked while it is made.
type Slot<V> = Arc<Mutex<Weak<V>>>;

/// The things that live, by what they were made from.
pub struct Shared<K, V>(Mutex<Vec<(K, Slot<V>)>>);

impl<K: PartialEq, V> Shared<K, V> {
    /// None yet.
    pub const fn new() -> Self {
        Shared(Mutex::new(Vec::new()))
    }

    /// The thing that was made from `key`, or what `make` gives. Of one key one thing is made at a time, so that two that are asked
    /// for at once are one as well; nobody waits for what is made of another key.
    pub fn get_or_make(&self, key: K, cancel: &Cancel, make: impl FnOnce() -> Result<V>) -> Result<Arc<V>> {
        let slot = self.slot(key);
        let mut held = loop {
            cancel.check()?;
            if let Some(held) = slot.try_lock_for(LOOK) {
                break held;
            }
        };
        if let Some(known) = held.upgrade() {
            return Ok(known);
        }
        let made = Arc::new(make()?);
        *held = Arc::downgrade(&made);
        Ok(made)
    }

    fn slot(&self, key: K) -> Slot<V> {
        let mut slots = self.0.lock();
        let lives = |slot: &Slot<V>| slot.try_lock().is_none_or(|thing| thing.strong_count() > 0);
        slots.retain(|(known, slot)| *known == key || Arc::strong_count(slot) > 1 || lives(slot));
        if let Some((_, slot)) = slots.iter().find(|(known, _)| *known == key) {
            return slot.clone();
        }
        let slot = Slot::<V>::default();
        slots.push((key, slot.clone()));
        slot
    }
}
