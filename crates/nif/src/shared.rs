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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use super::*;

    #[test]
    fn two_keys_are_made_at_once() {
        let (shared, inside) = (Shared::new(), AtomicUsize::new(0));
        let make = |key: u8| {
            shared.get_or_make(key, &Cancel::new(), || {
                inside.fetch_add(1, Ordering::SeqCst);
                let end = Instant::now() + Duration::from_secs(20);
                while inside.load(Ordering::SeqCst) < 2 && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(inside.load(Ordering::SeqCst))
            })
        };
        let met = std::thread::scope(|scope| {
            let one = scope.spawn(|| make(1));
            let two = scope.spawn(|| make(2));
            [one.join(), two.join()].map(|made| made.is_ok_and(|made| made.is_ok_and(|seen| *seen == 2)))
        });
        assert_eq!(met, [true, true]);
    }

    #[test]
    fn one_key_is_made_once() {
        let (shared, made) = (Shared::new(), AtomicUsize::new(0));
        let make = || {
            shared.get_or_make(7, &Cancel::new(), || {
                std::thread::sleep(Duration::from_millis(50));
                Ok(made.fetch_add(1, Ordering::SeqCst))
            })
        };
        let held = std::thread::scope(|scope| {
            [(); 4].map(|()| scope.spawn(make)).map(|thread| thread.join().ok().and_then(Result::ok))
        });
        assert!(held.iter().all(|one| one.as_deref() == Some(&0)));
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn who_waits_for_what_another_makes_can_be_cancelled() {
        let shared = Shared::new();
        let cancel = Cancel::new();
        let refused = shared.get_or_make(1, &Cancel::new(), || {
            cancel.cancel();
            Ok(shared.get_or_make(1, &cancel, || Ok(None)).is_err().then_some(()))
        });
        assert!(refused.is_ok_and(|refused| refused.is_some()));
    }
}
