//! What is found among many vectors, beside what is there.

use std::collections::BTreeSet;

use fixedbitset::FixedBitSet;
use proptest::prelude::*;

use super::*;
use crate::source::ContentHash;

const ENCODER: ContentHash = ContentHash([7; 16]);

/// Numbers like those of a die that is thrown often and added up, the same ones each time.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        (0..6).map(|_| self.uniform()).sum::<f32>() - 3.0
    }

    pub(super) fn vector(&mut self, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| self.normal()).collect()
    }

    /// Vectors around some centres, the first numbers larger than the last, as principal components are.
    pub(super) fn clustered(&mut self, count: usize, dimensions: usize) -> Vec<Vec<f32>> {
        let centres: Vec<_> = (0..40).map(|_| self.vector(dimensions)).collect();
        (0..count)
            .map(|_| {
                let centre = (self.uniform() * centres.len() as f32) as usize;
                let near = centres[centre].iter().map(|value| value + self.normal()).collect::<Vec<_>>();
                (1..).zip(near).map(|(at, value)| value / f32::sqrt(at as f32)).collect()
            })
            .collect()
    }
}

pub(super) fn key(n: usize) -> ContentHash {
    ContentHash::of(&n.to_le_bytes())
}

/// These numbers' vectors, in batches of `size`.
pub(super) fn vectors(rows: &[Vec<f32>], numbers: impl IntoIterator<Item = usize>, size: usize) -> Vectors {
    let numbers: Vec<usize> = numbers.into_iter().collect();
    numbers.chunks(size).fold(Vectors::default(), |vectors, some| with(&vectors, rows, some))
}

pub(super) fn with(vectors: &Vectors, rows: &[Vec<f32>], numbers: &[usize]) -> Vectors {
    let keys: Vec<_> = numbers.iter().map(|number| key(*number)).collect();
    let rows: Vec<_> = numbers.iter().map(|number| rows[*number].clone()).collect();
    vectors.with(&Batch::new(ENCODER, &keys, &rows).unwrap()).unwrap()
}

/// The `count` numbers whose vectors have the largest cosines with `question`, in 64 bits.
pub(super) fn exact(
    rows: &[Vec<f32>],
    numbers: impl Iterator<Item = usize>,
    question: &[f32],
    count: usize,
) -> Vec<u32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = |row: &[f32]| dot(row, question) / dot(row, row).sqrt();
    let mut all: Vec<_> = numbers.map(|number| (cosine(&rows[number]), number as u32)).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    all.into_iter().take(count).map(|(_, number)| number).collect()
}

pub(super) fn recall(found: &[(u32, f32)], expected: &[u32]) -> f64 {
    let found: BTreeSet<u32> = found.iter().map(|(number, _)| *number).collect();
    expected.iter().filter(|number| found.contains(number)).count() as f64 / expected.len() as f64
}

/// Bytes and estimates find what exact arithmetic finds, with and without a filter.
#[test]
fn little_is_missed_among_many() {
    for dimensions in [64, 100, 256] {
        let mut random = Random(3);
        let rows = random.clustered(6000, dimensions);
        let keys: Vec<_> = (0..rows.len()).map(key).collect();
        let vectors = vectors(&rows, 0..rows.len(), 700);
        let placed = vectors.placed(&keys);
        let some: FixedBitSet = (0..rows.len()).filter(|number| number % 5 != 1).collect();
        let allowed = Allowed::new(some.clone(), &placed);
        let (mut whole, mut filtered, mut estimated) = (0.0, 0.0, 0.0);
        let questions = random.clustered(40, dimensions);
        for question in &questions {
            let probe = Probe::new(question).unwrap();
            let nearest = Nearest { vectors: &vectors, placed: &placed, allowed: None };
            let best = nearest.best(&probe, 10);
            whole += recall(&best, &exact(&rows, 0..rows.len(), question, 10));
            let scored = nearest.best_by(&probe, 10, Scan::Every);
            estimated += recall(&best, &scored.into_iter().map(|(number, _)| number).collect::<Vec<_>>());
            let nearest = Nearest { allowed: Some(&allowed), ..nearest };
            filtered += recall(&nearest.best(&probe, 10), &exact(&rows, some.ones(), question, 10));
        }
        let mean = |sum: f64| sum / questions.len() as f64;
        // What bytes lose is more where there are few of them.
        assert!(mean(whole) >= if dimensions < 128 { 0.98 } else { 0.99 }, "{dimensions}: {}", mean(whole));
        assert!(mean(filtered) >= 0.98, "{dimensions}: {}", mean(filtered));
        assert!(mean(estimated) >= 0.995, "{dimensions}: {}", mean(estimated));
    }
}

/// Half of the vectors are replaced, a few at a time: nothing is lost by it, and no trace of it is left.
#[test]
fn what_was_replaced_neither_hides_nor_shortens() {
    let mut random = Random(5);
    let count = 5000;
    let rows = random.clustered(count + count / 2, 64);
    let mut living: Vec<usize> = (0..count).collect();
    let mut changed = vectors(&rows, living.iter().copied(), 512);
    for step in 0..count / 2 / 50 {
        let new: Vec<usize> = (count + 50 * step..count + 50 * (step + 1)).collect();
        for (at, number) in new.iter().enumerate() {
            living[2 * (50 * step + at)] = *number;
        }
        changed = with(&changed, &rows, &new);
        let used: BTreeSet<_> = living.iter().map(|number| key(*number)).collect();
        changed = changed.swept(|key| used.contains(key));
    }
    let keys: Vec<_> = living.iter().map(|number| key(*number)).collect();
    let fresh = vectors(&rows, living.iter().rev().copied(), 333);
    assert!(changed.blocks().iter().map(|block| block.keys().len()).sum::<usize>() > count, "none is dead");
    let places = [changed.placed(&keys), fresh.placed(&keys)];
    let rows: Vec<_> = living.iter().map(|number| rows[*number].clone()).collect();
    // Three filters: all, most, and as few as are wanted.
    let filters = [(0..count).collect(), (0..count).filter(|n| n % 9 != 0).collect(), (70..80).collect()];
    let mut sum = 0.0;
    let questions = random.clustered(30, 64);
    for question in &questions {
        let probe = Probe::new(question).unwrap();
        for some in &filters {
            let some: &FixedBitSet = some;
            let [of_changed, of_fresh] =
                [(&changed, &places[0]), (&fresh, &places[1])].map(|(vectors, placed)| {
                    let allowed = Allowed::new(some.clone(), placed);
                    Nearest { vectors, placed, allowed: Some(&allowed) }.best(&probe, 10)
                });
            assert_eq!(of_changed, of_fresh);
            assert_eq!(of_changed.len(), 10);
            sum += recall(&of_changed, &exact(&rows, some.ones(), question, 10));
        }
    }
    assert!(sum / (3.0 * questions.len() as f64) >= 0.98, "{}", sum / (3.0 * questions.len() as f64));
}

/// Estimates from few numbers are bad: about one in thirty is lower than it may be.
#[test]
fn what_is_estimated_too_low_does_not_shorten_a_list() {
    let mut random = Random(11);
    for _ in 0..1000 {
        let rows = [random.vector(16)];
        let vectors = vectors(&rows, 0..1, 1);
        let placed = vectors.placed(&[key(0)]);
        let nearest = Nearest { vectors: &vectors, placed: &placed, allowed: None };
        let found = nearest.best_by(&Probe::new(&random.vector(16)).unwrap(), 1, Scan::Estimated);
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn cosines_are_those_of_the_vectors() {
    let rows = vec![
        vec![1.0, 0.0, 0.0],
        vec![0.0, 2.0, 0.0],
        vec![3.0, 3.0, 0.0],
        vec![0.0; 3],
        vec![-5.0, 0.0, 0.0],
    ];
    let vectors = vectors(&rows, 0..5, 2);
    let placed = vectors.placed(&[key(0), key(77), key(1), key(2), key(3), key(4), key(0)]);
    assert_eq!(placed.count, 6);
    let nearest = Nearest { vectors: &vectors, placed: &placed, allowed: None };
    let probe = Probe::new(&[7.0, 0.0, 0.0]).unwrap();
    let found = nearest.best(&probe, 9);
    assert_eq!(found.iter().map(|(chunk, _)| *chunk).collect::<Vec<_>>(), [0, 6, 3, 2, 4, 5]);
    for ((chunk, score), expected) in
        found.iter().zip([1.0, 1.0, std::f32::consts::FRAC_1_SQRT_2, 0.0, 0.0, -1.0])
    {
        assert!((score - expected).abs() < 0.02, "{chunk}: {score}");
        assert_eq!(nearest.score(&probe, *chunk), Some(*score));
    }
    assert_eq!(nearest.score(&probe, 1), None);
    assert!(nearest.best(&probe, 0).is_empty());
    assert_eq!(nearest.best(&Probe::new(&[0.0; 3]).unwrap(), 2), [(0, 0.0), (2, 0.0)]);
    assert!(Probe::new(&[f32::INFINITY, 0.0, 0.0]).is_err());
}

#[test]
fn a_cut_encoder_gives_the_first_numbers_under_another_name() {
    use crate::Cancel;
    use crate::retrieval::testing::HashEmbedder;
    let whole = HashEmbedder(1);
    let cut = Cut::new(HashEmbedder(1), 3).unwrap();
    let rows = |embedder: &dyn Embedder| embedder.embed(&["a", "b"], &Cancel::new()).unwrap();
    assert_eq!(cut.dimensions(), 3);
    assert!(rows(&cut).iter().zip(rows(&whole)).all(|(cut, whole)| *cut == whole[..3]));
    assert_ne!(cut.fingerprint(), whole.fingerprint());
    assert_ne!(cut.fingerprint(), Cut::new(HashEmbedder(1), 2).unwrap().fingerprint());
    assert!(Cut::new(HashEmbedder(1), 5).is_err() && Cut::new(HashEmbedder(1), 0).is_err());
}

#[test]
fn a_block_is_read_as_it_was_written_or_not_at_all() {
    let rows = Random(1).clustered(70, 100);
    let vectors = vectors(&rows, 0..70, 70);
    let bytes = postcard::to_stdvec(&*vectors.blocks()[0]).unwrap();
    assert!(bytes.len() < 70 * (100 + 16) + 16, "{}", bytes.len());
    assert_eq!(postcard::from_bytes::<Block>(&bytes).unwrap(), *vectors.blocks()[0]);
    for (dimensions, keys, numbers) in [(0u32, 0, 0), (0, 2, 0), (3, 2, 5), (3, 1, 6), (u32::MAX, 2, 4)] {
        let keys: Vec<_> = (0..keys).map(key).collect();
        let numbers: Vec<u8> = vec![1; numbers];
        let bytes = postcard::to_stdvec(&(dimensions, keys, numbers)).unwrap();
        assert!(postcard::from_bytes::<Block>(&bytes).is_err(), "{dimensions}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// With contents that several chunks share, contents that no chunk has, and any filter: the best are those of a ranking
    /// of all chunks, and as many as there can be.
    #[test]
    fn the_best_are_the_first_of_all_that_are_allowed(
        contents in prop::collection::vec(0..300usize, 1..400),
        refused in prop::collection::btree_set(0..400usize, 0..300),
        (count, size, dimensions) in (1..40usize, 1..200usize, 1..80usize),
        seed in any::<u64>(),
    ) {
        let mut random = Random(seed);
        // Few directions, so that there are ties.
        let few: Vec<_> = (0..100).map(|_| random.vector(dimensions)).collect();
        let rows: Vec<_> = (0..300).map(|at| few[at % few.len()].clone()).collect();
        let vectors = vectors(&rows, 0..200, size);
        let keys: Vec<_> = contents.iter().map(|content| key(*content)).collect();
        let placed = vectors.placed(&keys);
        let chunks: FixedBitSet = (0..contents.len()).filter(|chunk| !refused.contains(chunk)).collect();
        let allowed = Allowed::new(chunks.clone(), &placed);
        let probe = Probe::new(&random.vector(dimensions)).unwrap();
        let all = Nearest { vectors: &vectors, placed: &placed, allowed: None };
        let mut expected: Vec<(u32, f32)> = (0..contents.len() as u32)
            .filter_map(|chunk| Some((chunk, all.score(&probe, chunk)?)))
            .collect();
        expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        prop_assert_eq!(all.best(&probe, contents.len()), expected.clone());
        prop_assert_eq!(placed.count, expected.len());
        expected.retain(|(chunk, _)| chunks.contains(*chunk as usize));
        expected.truncate(count);
        prop_assert_eq!(Nearest { allowed: Some(&allowed), ..all }.best(&probe, count), expected);
    }
}
