//! What all processes of a node share (`crates/nif/src/shared.rs`). It knows no BEAM, and is tested here because a test program of its
//! own crate would have to link the BEAM's functions.

#[path = "../../nif/src/shared.rs"]
mod shared;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ambix_core::Cancel;
use shared::Shared;

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
