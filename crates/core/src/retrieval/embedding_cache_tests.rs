use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

const LARGE: u64 = 1 << 20;

fn key(n: u32) -> ContentHash {
    ContentHash::of(&n.to_le_bytes())
}

fn some(numbers: std::ops::Range<u32>) -> Vec<(ContentHash, Vec<f32>)> {
    numbers.map(|n| (key(n), vec![n as f32, -0.5, 0.25])).collect()
}

fn holds(cache: &EmbeddingCache, n: u32) -> bool {
    cache.get(key(900), key(n)).is_some_and(|vector| vector[..] == [n as f32, -0.5, 0.25])
}

/// Counts the texts that it is given.
#[derive(Default)]
struct Counting(AtomicUsize, u8);

impl Embedder for Counting {
    fn dimensions(&self) -> usize {
        1
    }

    fn fingerprint(&self) -> ContentHash {
        ContentHash([self.1; 16])
    }

    fn embed(&self, texts: &[&str], _: &Cancel) -> Result<Vec<Vec<f32>>> {
        self.0.fetch_add(texts.len(), Ordering::Relaxed);
        Ok(texts.iter().map(|text| vec![text.len() as f32]).collect())
    }
}

#[test]
fn each_content_is_encoded_once_by_each_encoder() {
    let (cache, cancel) = (EmbeddingCache::new(LARGE), Cancel::new());
    let (first, second) = (Counting::default(), Counting(AtomicUsize::new(0), 1));
    for _ in 0..3 {
        for embedder in [&first, &second] {
            let vectors =
                CachedEmbedder { embedder, cache: &cache }.embed(&["a", "bbb", "a"], &cancel).unwrap();
            assert_eq!(vectors, [[1.0], [3.0], [1.0]]);
        }
    }
    let fewer = CachedEmbedder { embedder: &first, cache: &cache }.embed(&["cc", "bbb"], &cancel).unwrap();
    assert_eq!(fewer, [[2.0], [3.0]]);
    assert_eq!((first.0.into_inner(), second.0.into_inner()), (4, 3));
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.hits, stats.misses), (5, 13, 7));
}

#[test]
fn the_ceiling_is_kept_and_what_is_used_stays() {
    let cache = EmbeddingCache::new(50 * size(3));
    for step in 0..100 {
        cache.insert(key(900), &some(10 * step..10 * step + 10));
        assert!(cache.stats().bytes <= 50 * size(3));
        assert_eq!(cache.stats().bytes, cache.stats().entries as u64 * size(3));
        assert!(holds(&cache, 0), "it is used in each step");
    }
    assert!(holds(&cache, 999) && !holds(&cache, 500));
    let none = EmbeddingCache::new(0);
    none.insert(key(900), &some(0..3));
    assert_eq!(none.stats().entries, 0);
}

#[test]
fn a_file_is_found_again_and_shared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("embeddings");
    let [a, b] = [(); 2].map(|()| EmbeddingCache::open(&path, LARGE).unwrap());
    a.insert(key(900), &some(0..5));
    b.insert(key(900), &some(5..9));
    assert!((0..9).all(|n| holds(&b, n)), "who writes takes in what others wrote");
    a.insert(key(900), &[]);
    let c = EmbeddingCache::open(&path, LARGE).unwrap();
    for cache in [&a, &c] {
        assert!((0..9).all(|n| holds(cache, n)));
        assert_eq!(cache.stats().file_error, None);
    }
    assert!(EmbeddingCache::open(&folder.path().join("no/such"), LARGE).is_err());
}

#[test]
fn a_file_keeps_the_ceiling_and_others_follow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("embeddings");
    let ceiling = 40 * size(3);
    let [a, b] = [(); 2].map(|()| EmbeddingCache::open(&path, ceiling).unwrap());
    for step in 0..50 {
        a.insert(key(900), &some(20 * step..20 * step + 10));
        b.insert(key(900), &some(20 * step + 10..20 * step + 20));
        assert!(std::fs::metadata(&path).unwrap().len() <= ceiling);
        assert!(holds(&b, 20 * step), "others see what was written anew");
    }
    let c = EmbeddingCache::open(&path, ceiling).unwrap();
    assert!(holds(&c, 999) && c.stats().bytes <= ceiling);
}

#[test]
fn many_writers_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("embeddings");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let cache = EmbeddingCache::open(path, LARGE).unwrap();
                for step in 0..20 {
                    cache.insert(key(900), &some(100 * writer + 5 * step..100 * writer + 5 * step + 5));
                }
            });
        }
    });
    let cache = EmbeddingCache::open(&path, LARGE).unwrap();
    assert_eq!(cache.stats().entries, 400);
    assert!((0..400).all(|n| holds(&cache, n)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened to the file: it opens, every vector in it is right, and it can be written.
    #[test]
    fn damage_costs_vectors_and_never_changes_one(
        flips in prop::collection::vec((0.0..1.0f64, 1u8..), 0..4), cut in 0.0..1.5f64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("embeddings");
        EmbeddingCache::open(&path, LARGE).unwrap().insert(key(900), &some(0..20));
        let mut bytes = std::fs::read(&path).unwrap();
        for (place, change) in flips {
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] ^= change;
        }
        bytes.truncate((cut * bytes.len() as f64) as usize);
        std::fs::write(&path, bytes).unwrap();
        let cache = EmbeddingCache::open(&path, LARGE).unwrap();
        for n in 0..20 {
            let vector = cache.get(key(900), key(n));
            prop_assert!(vector.is_none_or(|vector| vector[..] == [n as f32, -0.5, 0.25]));
        }
        cache.insert(key(900), &some(50..60));
        let again = EmbeddingCache::open(&path, LARGE).unwrap();
        prop_assert!((50..60).all(|n| holds(&again, n)));
    }
}

#[test]
fn a_file_that_somebody_holds_is_not_waited_for_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("embeddings");
    let patience = Duration::from_millis(50);
    let cache = EmbeddingCache::open_within(&path, LARGE, patience).unwrap();
    let held = File::open(&path).unwrap();
    held.lock().unwrap();

    let error = EmbeddingCache::open_within(&path, LARGE, patience).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("another process holds the embedding cache"), "{error}");

    cache.insert(key(900), &some(0..3));
    assert!(holds(&cache, 2));
    assert!(cache.stats().file_error.is_some_and(|error| error.contains("another process holds")));

    held.unlock().unwrap();
    assert!(EmbeddingCache::open_within(&path, LARGE, patience).is_ok());
}
