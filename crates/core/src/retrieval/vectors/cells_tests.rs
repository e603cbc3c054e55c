//! What is found in cells, beside what a scan of all finds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fixedbitset::FixedBitSet;
use proptest::prelude::*;

use super::cells::Cells;
use super::tests::{Random, exact, key, recall, vectors, with};
use super::*;
use crate::source::ContentHash;

const DIMENSIONS: usize = 64;

/// Vectors around few centres, as those of chunks are.
fn near_centres(random: &mut Random, count: usize) -> Vec<Vec<f32>> {
    let centres: Vec<_> = (0..60).map(|_| random.vector(DIMENSIONS)).collect();
    (0..count)
        .map(|_| {
            let centre = &centres[(random.uniform() * 60.0) as usize % 60];
            let noise = random.vector(DIMENSIONS);
            centre.iter().zip(noise).map(|(value, noise)| value + 0.6 * noise).collect()
        })
        .collect()
}

/// What happens to an index.
#[derive(Clone, Debug)]
enum Step {
    Add(usize),
    /// One chunk of so many goes, its vector stays.
    Remove(usize),
    Sweep,
    Cells,
    /// An update that is thrown away, after cells were made of it.
    Forsaken(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..900usize).prop_map(Step::Add),
        2 => (2..9usize).prop_map(Step::Remove),
        1 => Just(Step::Sweep),
        2 => Just(Step::Cells),
        1 => (1..900usize).prop_map(Step::Forsaken),
    ];
    prop::collection::vec(step, 1..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// After any history: as many are found as there are, with the scores of the scan, and of a hundred of the best at most
    /// two are missed.
    #[test]
    fn little_is_missed_after_any_history(steps in steps(), seed in any::<u64>()) {
        let mut random = Random(seed);
        let rows = near_centres(&mut random, 16_000);
        let mut next = 4000;
        let mut living: Vec<usize> = (0..next).collect();
        let mut now = vectors(&rows, 0..next, 700);
        now.make_cells();
        for step in steps {
            match step {
                Step::Add(count) => {
                    now = with(&now, &rows, &(next..next + count).collect::<Vec<_>>());
                    living.extend(next..next + count);
                    next += count;
                }
                Step::Remove(of) => living.retain(|number| number % of != 1),
                Step::Sweep => {
                    let used: BTreeSet<ContentHash> = living.iter().map(|number| key(*number)).collect();
                    now = now.swept(|key| used.contains(key));
                }
                Step::Cells => now.make_cells(),
                Step::Forsaken(count) => {
                    with(&now, &rows, &(15_000..15_000 + count).collect::<Vec<_>>()).make_cells();
                }
            }
        }
        let keys: Vec<_> = living.iter().map(|number| key(*number)).collect();
        let placed = now.placed(&keys);
        let nearest = Nearest { vectors: &now, placed: &placed, allowed: None };
        let living: Vec<_> = living.iter().map(|number| rows[*number].clone()).collect();
        let (mut in_cells, mut all) = (0.0, 0.0);
        for question in near_centres(&mut random, 40).iter().chain(living.iter().step_by(97).take(40)) {
            let probe = Probe::new(question).unwrap();
            let found = nearest.best(&probe, 10);
            prop_assert_eq!(found.len(), living.len().min(10));
            for (chunk, score) in &found {
                prop_assert_eq!(nearest.score(&probe, *chunk), Some(*score));
            }
            let expected = exact(&living, 0..living.len(), question, 10);
            in_cells += recall(&found, &expected);
            all += recall(&nearest.best_by(&probe, 10, Scan::Every), &expected);
        }
        // Bytes of so few numbers miss some by themselves.
        prop_assert!(in_cells / all >= 0.98, "{}", in_cells / all);
    }
}

/// Cells hold each row of the blocks that can no longer grow, and their search looks at no others twice.
#[test]
fn what_is_in_cells_is_found_in_them() {
    let mut random = Random(8);
    let rows = near_centres(&mut random, 3000);
    let vectors = vectors(&rows, 0..3000, 1000);
    vectors.make_cells();
    let cells = vectors.cell_cache().cells().unwrap();
    assert_eq!(cells.rows_of(vectors.blocks()), 2000);
    let probe = Probe::new(&rows[0]).unwrap();
    let mut all: Vec<u32> = cells.by_nearness(&probe).flat_map(|cell| cell.rows.clone()).collect();
    assert!(all[..100].contains(&0));
    all.sort_unstable();
    let whole = (0..2).flat_map(|at| {
        let (block, start) = vectors.block(at);
        start..start + block.keys().len() as u32
    });
    assert!(all.into_iter().eq(whole));
    let starts: Vec<u32> = (0..3).map(|at| vectors.block(at).1).collect();
    assert!(Cells::new(vectors.blocks(), &starts, || true).is_none());
}

/// A filter that leaves few, however far from the question, has all of them looked at.
#[test]
fn filters_never_shorten_a_list() {
    let mut random = Random(9);
    let rows = near_centres(&mut random, 5000);
    let vectors = vectors(&rows, 0..5000, 1000);
    vectors.make_cells();
    let keys: Vec<_> = (0..5000).map(key).collect();
    let placed = vectors.placed(&keys);
    let probe = Probe::new(&rows[17]).unwrap();
    let all = Nearest { vectors: &vectors, placed: &placed, allowed: None };
    let ranked = all.best_by(&probe, 5000, Scan::Every);
    let few = |skipped: usize| {
        ranked[skipped..].iter().map(|(number, _)| *number as usize).collect::<FixedBitSet>()
    };
    for skipped in [10, 1000, 2500, 4995] {
        let allowed = Allowed::new(few(skipped), &placed);
        let filtered = Nearest { allowed: Some(&allowed), ..all };
        let (found, every) = (filtered.best(&probe, 10), filtered.best_by(&probe, 10, Scan::Every));
        assert_eq!(found.len(), every.len());
        if skipped >= 2500 {
            assert_eq!(found, every);
        }
    }
}

#[test]
fn cells_are_made_aside_where_there_is_room() {
    let rows = near_centres(&mut Random(10), 3000);
    let now = vectors(&rows, 0..2500, 1000);
    let without = now.bytes();
    now.begin_cells_from(2501, |_| true);
    now.begin_cells_from(100, |bytes| bytes < 1000);
    assert!(now.cell_cache().cells().is_none() && now.bytes() == without);
    now.begin_cells_from(100, |_| true);
    assert!(now.bytes() > without, "what will be taken does not count");
    let made = |vectors: &Vectors| {
        let start = Instant::now();
        while vectors.cell_cache().cells().is_none() {
            assert!(start.elapsed() < Duration::from_secs(120), "no cells were made");
            std::thread::sleep(Duration::from_millis(5));
        }
        vectors.cell_cache().cells().unwrap()
    };
    let first = made(&now);
    assert!(now.bytes() - without >= 2000 * (DIMENSIONS / 8 + 4));
    // An update has them too, and gets others only when much of it is in none.
    let near = with(&now, &rows, &[2500, 2501]);
    assert!(std::sync::Arc::ptr_eq(&first, &made(&near)));
    let cells = near.without_cells();
    assert!(cells.cell_cache().cells().is_none() && cells.bytes() == near.bytes() - (now.bytes() - without));
    assert!(near.swept(|key| key.0[0] < 40).cell_cache().cells().is_none());
}
