//! The fuzz targets, without a fuzzer: on their seeds and on mutations of these, the same ones in each run.
//!
//! `PROPTEST_CASES` says how many mutations to try. `cargo fuzz run TARGET` in `fuzz` searches further.

#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use fuzz::TARGETS;

/// What breaks readers: limits of numbers, brackets, quotes, and bytes that are no text.
const FRAGMENTS: &[&[u8]] = &[
    b"\x00",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x00\x00\x00\x00\x00\x00\x00\x80",
    b"\xc3\x28",
    b"\xf0\x9f\x92\xa9",
    b"((((((((((((((((",
    b"[[[[{{{{<<<<",
    b"\"\"\"\n",
    b"\"#{",
    b" do\n",
    b"\nend\n",
    b" fn x -> ",
    b"|> ",
    b"\\\\",
    b"\r\n",
    b"~s(",
    b"@doc ",
];

/// One change of some bytes. Places are shares of the length, so that they mean something in any input.
#[derive(Clone, Debug)]
enum Mutation {
    Set { at: f64, byte: u8 },
    Cut { from: f64, to: f64 },
    Repeat { from: f64, to: f64, times: usize },
    Insert { at: f64, fragment: usize },
    Truncate { at: f64 },
}

impl Mutation {
    fn apply(&self, data: &mut Vec<u8>) {
        let place = |share: f64| (share * data.len() as f64) as usize;
        match *self {
            Mutation::Set { at, byte } => {
                let at = place(at);
                if let Some(old) = data.get_mut(at) {
                    *old = byte;
                }
            }
            Mutation::Cut { from, to } => {
                let (from, to) = (place(from.min(to)), place(from.max(to)));
                data.drain(from..to);
            }
            Mutation::Repeat { from, to, times } => {
                let (from, to) = (place(from.min(to)), place(from.max(to)).min(place(from.min(to)) + 64));
                let part = data[from..to].repeat(times);
                data.splice(to..to, part);
            }
            Mutation::Insert { at, fragment } => {
                let at = place(at);
                data.splice(at..at, FRAGMENTS[fragment].iter().copied());
            }
            Mutation::Truncate { at } => data.truncate(place(at)),
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let share = || 0.0..1.0;
    prop_oneof![
        (share(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set { at, byte }),
        (share(), share()).prop_map(|(from, to)| Mutation::Cut { from, to }),
        (share(), share(), 1..40_usize).prop_map(|(from, to, times)| Mutation::Repeat { from, to, times }),
        (share(), 0..FRAGMENTS.len()).prop_map(|(at, fragment)| Mutation::Insert { at, fragment }),
        share().prop_map(|at| Mutation::Truncate { at }),
    ]
}

#[test]
fn properties_hold_for_seeds_and_their_mutations() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        seeds.iter().for_each(|seed| (target.run)(seed));
        let inputs = (0..seeds.len(), prop::collection::vec(mutation(), 1..8));
        let config = Config { rng_seed: RngSeed::Fixed(0), failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&inputs, |(seed, mutations)| {
            let mut data = seeds[seed].clone();
            mutations.iter().for_each(|mutation| mutation.apply(&mut data));
            (target.run)(&data);
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{}: {error}", target.name);
        }
    }
}
