//! A fixed rotation, after which no number of a vector says more than another.
//!
//! What one bit or one byte of a number tells is then about the same everywhere, also for vectors whose first numbers are the
//! large ones, as principal components are. Dot products stay as they were.

/// Enough for every number to depend on all; each is a change of signs and a Walsh–Hadamard transform (Ailon and Chazelle,
/// "The fast Johnson–Lindenstrauss transform", 2009).
const ROUNDS: u64 = 4;

/// Turns `vector` in place. A length that is no power of two is covered by one at its beginning and one at its end in turn.
pub(super) fn rotate(vector: &mut [f32]) {
    for round in 0..ROUNDS {
        change_signs(vector, round);
        transform(part(vector, round));
    }
}

/// Turns `vector` back.
pub(super) fn rotate_back(vector: &mut [f32]) {
    for round in (0..ROUNDS).rev() {
        transform(part(vector, round));
        change_signs(vector, round);
    }
}

fn change_signs(vector: &mut [f32], round: u64) {
    if vector.len() < 2 {
        return;
    }
    for (at, values) in (0..).zip(vector.chunks_mut(64)) {
        let signs = mixed(round << 32 | at);
        for (bit, value) in values.iter_mut().enumerate() {
            *value = f32::from_bits(value.to_bits() ^ ((signs >> bit) as u32 & 1) << 31);
        }
    }
}

/// What is transformed in a round.
fn part(vector: &mut [f32], round: u64) -> &mut [f32] {
    if vector.len() < 2 {
        return &mut [];
    }
    let width = 1 << vector.len().ilog2();
    let start = if round.is_multiple_of(2) { 0 } else { vector.len() - width };
    &mut vector[start..start + width]
}

/// The Walsh–Hadamard transform of a power of two of numbers, as a rotation. It is its own inverse.
fn transform(values: &mut [f32]) {
    if values.is_empty() {
        return;
    }
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (values.len() as f32).sqrt();
    values.iter_mut().for_each(|value| *value *= scale);
}

/// The output of SplitMix64 for one state (Steele, Lea and Flood, 2014).
fn mixed(state: u64) -> u64 {
    let mut z = state.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_number_is_spread_over_all() {
        for length in [64, 100, 256, 384, 768] {
            let mut vector = vec![0.0; length];
            vector[length / 3] = 1.0;
            rotate(&mut vector);
            let largest = vector.iter().fold(0.0f32, |most, value| most.max(value.abs()));
            assert!(largest < 6.0 / (length as f32).sqrt(), "{length}: {largest}");
        }
    }

    proptest! {
        #[test]
        fn dot_products_stay(pair in prop::collection::vec((-1.0f32..1.0, -1.0f32..1.0), 0..200)) {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let (mut a, mut b): (Vec<f32>, Vec<f32>) = pair.into_iter().unzip();
            let before = dot(&a, &b);
            rotate(&mut a);
            rotate(&mut b);
            prop_assert!((dot(&a, &b) - before).abs() < 1e-3);
        }

        #[test]
        fn what_is_turned_back_is_as_before(vector in prop::collection::vec(-1.0f32..1.0, 0..200)) {
            let mut turned = vector.clone();
            rotate(&mut turned);
            rotate_back(&mut turned);
            for (turned, value) in turned.iter().zip(&vector) {
                prop_assert!((turned - value).abs() < 1e-5);
            }
        }
    }
}
