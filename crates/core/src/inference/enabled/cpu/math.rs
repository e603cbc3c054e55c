//! What happens to floats between the matrices: normalisation, rotation, softmax and the functions of the layers.
//!
//! Sums run in eight lanes, so that the compiler can use vector registers without changing their order.

use super::super::backend::Activation;
use super::simd::at_run_time;

const LANES: usize = 8;

/// The sum of `f` over pairs of elements.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += f(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&a, &b)| f(a, b)).sum();
    sums.iter().sum::<f32>() + rest
}

/// The greatest absolute value; not-a-number is passed over.
#[inline(always)]
pub(super) fn largest_size(floats: &[f32]) -> f32 {
    let (chunks, rest) = floats.as_chunks::<LANES>();
    let mut largest = [0f32; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            let size = chunk[lane].abs();
            largest[lane] = if size > largest[lane] { size } else { largest[lane] };
        }
    }
    rest.iter().map(|float| float.abs()).chain(largest).fold(0.0, f32::max)
}

/// e to the power of `x`, with a relative error below 2⁻²² between -87 and 88, and the value at the nearer end outside
/// (the polynomial is Cephes's `expf`).
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let power = shifted - 12_582_912.0;
    let rest = x - power * 0.693_359_4 + power * 2.121_944_4e-4;
    let mut y = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5] {
        y = y * rest + coefficient;
    }
    let y = y * rest * rest + rest + 1.0;
    y * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// The error function, to 3 × 10⁻⁷: a rational function up to 4, where it is 1 to the last digit but one (the coefficients are
/// those of Eigen's `generic_fast_erf_float`).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let mut above = -2.726_142_3e-10;
    for coefficient in
        [2.770_681_4e-8, -2.101_024e-6, -5.692_506_4e-5, -7.349_906e-4, -2.954_6e-3, -1.609_603_3e-2]
    {
        above = above * square + coefficient;
    }
    let mut below = -1.456_607_2e-5;
    for coefficient in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_474e-2] {
        below = below * square + coefficient;
    }
    x * above / below
}

/// The hyperbolic tangent.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

/// The sum of `f` over pairs of elements, in as many lanes as keep a processor busy.
#[inline(always)]
fn wide_sum(a: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    const WIDE: usize = 4 * LANES;
    let (chunks, rest) = a.as_chunks::<WIDE>();
    let mut sums = [0f32; WIDE];
    for chunk in chunks {
        for lane in 0..WIDE {
            sums[lane] += f(chunk[lane]);
        }
    }
    let mut folded = [0f32; LANES];
    for part in sums.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            folded[lane] += part[lane];
        }
    }
    folded.iter().sum::<f32>() + rest.iter().map(|&a| f(a)).sum::<f32>()
}

at_run_time! {
    /// `a · b`.
    pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
        sum(a, b, |a, b| a * b)
    }

    /// `out += factor × x`.
    pub(super) fn add_scaled(out: &mut [f32], factor: f32, x: &[f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out += factor * x;
        }
    }

    /// Divides each piece of the length of `weight` by its root mean square, then multiplies it with `weight`.
    pub(super) fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
        for (x, out) in x.chunks_exact(weight.len()).zip(out.chunks_exact_mut(weight.len())) {
            let factor = 1.0 / (sum(x, x, |a, b| a * b) / weight.len() as f32 + epsilon).sqrt();
            for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                *out = x * factor * weight;
            }
        }
    }

    /// Adds `y` to `x` if it is not empty, gives each piece of the length of `weight` mean 0 and variance 1, then multiplies it with
    /// `weight` and adds `bias`.
    pub(super) fn layer_norm(x: &mut [f32], y: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) {
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
        for x in x.chunks_exact_mut(weight.len()) {
            let mean = wide_sum(x, |a| a) / weight.len() as f32;
            let variance = wide_sum(x, |a| (a - mean) * (a - mean)) / weight.len() as f32;
            let factor = 1.0 / (variance + epsilon).sqrt();
            for ((x, weight), bias) in x.iter_mut().zip(weight).zip(bias) {
                *x = (*x - mean) * factor * weight + bias;
            }
        }
    }

    /// Replaces each number by the exponential of its distance to the greatest one, and returns their sum.
    pub(super) fn exponentials(x: &mut [f32]) -> f32 {
        const WIDE: usize = 2 * LANES;
        let (chunks, rest) = x.as_chunks::<WIDE>();
        let mut peaks = [f32::NEG_INFINITY; WIDE];
        for chunk in chunks {
            for lane in 0..WIDE {
                peaks[lane] = if chunk[lane] > peaks[lane] { chunk[lane] } else { peaks[lane] };
            }
        }
        let peak = rest.iter().copied().chain(peaks).fold(f32::NEG_INFINITY, f32::max);
        for x in x.iter_mut() {
            *x = exp(*x - peak);
        }
        wide_sum(x, |a| a)
    }

    /// Multiplies each number.
    pub(super) fn scale(x: &mut [f32], factor: f32) {
        for x in x.iter_mut() {
            *x *= factor;
        }
    }

    /// `softmax(scale × x)` in place.
    pub(super) fn softmax(x: &mut [f32], scale: f32) {
        let (chunks, rest) = x.as_chunks::<LANES>();
        let mut peaks = [f32::NEG_INFINITY; LANES];
        for chunk in chunks {
            for lane in 0..LANES {
                peaks[lane] = if chunk[lane] > peaks[lane] { chunk[lane] } else { peaks[lane] };
            }
        }
        let peak = rest.iter().copied().chain(peaks).fold(f32::NEG_INFINITY, f32::max);
        for x in x.iter_mut() {
            *x = exp(scale * (*x - peak));
        }
        let factor = 1.0 / sum(x, x, |a, _| a);
        for x in x.iter_mut() {
            *x *= factor;
        }
    }

    /// `gate = silu(gate) × up`.
    pub(super) fn gated_silu(gate: &mut [f32], up: &[f32]) {
        for (gate, up) in gate.iter_mut().zip(up) {
            *gate = *gate / (1.0 + exp(-*gate)) * up;
        }
    }

    fn gelu(x: &mut [f32]) {
        for x in x.iter_mut() {
            *x = 0.5 * *x * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2));
        }
    }

    fn gelu_tanh(x: &mut [f32]) {
        for x in x.iter_mut() {
            // The factor is the root of 2 / π.
            *x = 0.5 * *x * (1.0 + tanh(0.797_884_6 * (*x + 0.044_715 * *x * *x * *x)));
        }
    }

    fn relu(x: &mut [f32]) {
        for x in x.iter_mut() {
            *x = x.max(0.0);
        }
    }

    /// Rounds numbers to whole multiples, -127 to 127, of the scale that it returns.
    pub(in super::super) fn round_row(x: &[f32], quants: &mut [i8]) -> f32 {
        let largest = largest_size(x);
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        for (quant, x) in quants.iter_mut().zip(x) {
            // Below 2²² the addition of 1.5 × 2²³ leaves the nearest whole number in the low bits.
            *quant = (x * inverse + 12_582_912.0).to_bits() as i8;
        }
        largest / 127.0
    }

    /// Rounds numbers to bytes from -127 to 127 so that their range, with 0, fills these, and changes each byte by `flip` by
    /// exclusive or, which with 128 makes it unsigned. A number is about the scale, which it returns, times the sum of its byte
    /// and the offset, which it returns too; 0 is exact.
    pub(super) fn round_range(x: &[f32], flip: u8, quants: &mut [u8]) -> (f32, i32) {
        let (chunks, rest) = x.as_chunks::<LANES>();
        let (mut least, mut greatest) = ([0f32; LANES], [0f32; LANES]);
        for chunk in chunks {
            for lane in 0..LANES {
                least[lane] = if chunk[lane] < least[lane] { chunk[lane] } else { least[lane] };
                greatest[lane] = if chunk[lane] > greatest[lane] { chunk[lane] } else { greatest[lane] };
            }
        }
        let least = rest.iter().copied().chain(least).fold(0.0, f32::min);
        let greatest = rest.iter().copied().chain(greatest).fold(0.0, f32::max);
        let range = greatest - least;
        // Of the 254 steps one is kept, for the ends are rounded by themselves.
        let inverse = if range > 0.0 { 253.0 / range } else { 0.0 };
        let zero = -127.0 - (least * inverse).round();
        // As in `round_row`.
        let shift = 12_582_912.0 + zero;
        for (quant, x) in quants.iter_mut().zip(x) {
            *quant = (x * inverse + shift).to_bits() as u8 ^ flip;
        }
        (range / 253.0, -(zero as i32))
    }

    /// Rotates pairs of neighbours: `(x[2i], x[2i + 1])` by the angle `i`.
    pub(super) fn rotate_neighbours(head: &mut [f32], cos: &[f32], sin: &[f32]) {
        for ((pair, cos), sin) in head.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
            *pair = [pair[0] * cos - pair[1] * sin, pair[0] * sin + pair[1] * cos];
        }
    }

    /// Rotates pairs across the halves: `(x[i], x[i + n / 2])` by the angle `i`.
    pub(super) fn rotate_halves(head: &mut [f32], cos: &[f32], sin: &[f32]) {
        let (first, second) = head.split_at_mut(cos.len());
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    }
}

/// What is between two linear layers.
pub(super) fn activate(x: &mut [f32], activation: Activation) {
    match activation {
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_tanh(x),
        Activation::Relu => relu(x),
    }
}

/// A matrix within a slice, by the distances between its rows and between its columns.
#[derive(Clone, Copy)]
pub(super) struct MatrixView<'a> {
    pub(super) data: &'a [f32],
    pub(super) row: usize,
    pub(super) column: usize,
}

/// `out = a × b`, where `a` is `m` × `k`, `b` is `k` × `n`, and the rows of `out` lie `stride` apart. `threads` of the
/// current rayon pool work on it.
pub(super) fn multiply(
    (m, n, k): (usize, usize, usize),
    a: MatrixView<'_>,
    b: MatrixView<'_>,
    out: &mut [f32],
    stride: usize,
    threads: usize,
) {
    if m == 0 || n == 0 {
        return;
    }
    let last = |view: MatrixView<'_>, rows: usize, columns: usize| {
        (rows - 1) * view.row + (columns - 1) * view.column
    };
    assert!(k > 0 && stride >= n, "an empty product, or rows that overlap");
    assert!(last(a, m, k) < a.data.len() && last(b, k, n) < b.data.len(), "a factor is too short");
    assert!((m - 1) * stride + n <= out.len(), "the product does not fit");
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    // SAFETY: the assertions hold every element that is read or written within its slice, and `out` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            false,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn approximations_are_close_everywhere() {
        for step in -8700..=8800 {
            let x = step as f32 / 100.0;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) / want - 1.0).abs() < 5e-7, "exp({x}) is {} and not {want}", exp(x));
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(f32::INFINITY) > 1e38);
        // erf(0.5), erf(1), erf(2) to seven digits.
        for (x, want) in
            [(0.0, 0.0), (0.5, 0.520_499_9), (1.0, 0.842_700_8), (2.0, 0.995_322_3), (9.0, 1.0f32)]
        {
            assert!((erf(x) - want).abs() < 4e-7 && (erf(-x) + want).abs() < 4e-7, "erf({x}) is {}", erf(x));
        }
    }

    /// The error function by its series.
    fn exact_erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn activations_are_close_everywhere() {
        for step in -4000..=4000 {
            let x = step as f32 / 1000.0;
            let want = exact_erf(f64::from(x));
            assert!((f64::from(erf(x)) - want).abs() < 4e-7, "erf({x}) is {} and not {want}", erf(x));
            let wide = f64::from(2.5 * x);
            assert!(
                (f64::from(tanh(2.5 * x)) - wide.tanh()).abs() < 3e-7,
                "tanh({wide}) is {}",
                tanh(2.5 * x)
            );
            let mut y = [x];
            activate(&mut y, Activation::Gelu);
            let want = 0.5 * f64::from(x) * (1.0 + exact_erf(f64::from(x) / 2f64.sqrt()));
            assert!((f64::from(y[0]) - want).abs() < 1e-6, "gelu({x}) is {} and not {want}", y[0]);
            // The paper's approximation is this close to the exact form.
            activate(&mut y[..0], Activation::Relu);
            let mut approximate = [x];
            activate(&mut approximate, Activation::GeluTanh);
            assert!((approximate[0] - y[0]).abs() < 1e-3);
        }
        assert_eq!((erf(-9.0), erf(9.0)), (erf(-4.0), erf(4.0)));
        let mut extremes = [-1e30, 1e30, f32::NEG_INFINITY];
        activate(&mut extremes[..2], Activation::GeluTanh);
        assert_eq!(extremes[..2], [0.0, 1e30]);
    }

    #[test]
    fn exponentials_are_softmax_before_its_division() {
        for count in [1, 5, 16, 33, 100] {
            let mut x: Vec<f32> = (0..count).map(|i| (i * 7 % 13) as f32 - 4.0).collect();
            let mut softmaxed = x.clone();
            softmax(&mut softmaxed, 1.0);
            let sum = exponentials(&mut x);
            scale(&mut x, 1.0 / sum);
            assert!(x.iter().zip(&softmaxed).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }

    #[test]
    fn rows_are_normalised_after_the_sum() {
        let mut x: Vec<f32> = (0..70).map(|i| (i * 31 % 17) as f32).collect();
        let y: Vec<f32> = (0..70).map(|i| (i % 5) as f32).collect();
        let (weight, bias) = (vec![2.0; 35], vec![1.0; 35]);
        let sums: Vec<f64> = x.iter().zip(&y).map(|(x, y)| f64::from(x + y)).collect();
        layer_norm(&mut x, &y, &weight, &bias, 1e-5);
        for (row, sums) in x.chunks(35).zip(sums.chunks(35)) {
            let mean = sums.iter().sum::<f64>() / 35.0;
            let variance = sums.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 35.0;
            for (got, x) in row.iter().zip(sums) {
                let want = 2.0 * (x - mean) / (variance + 1e-5).sqrt() + 1.0;
                assert!((f64::from(*got) - want).abs() < 1e-5, "{got} is not {want}");
            }
        }
    }

    #[test]
    fn rounding_errs_by_half_a_step_at_most() {
        for (first, step) in
            [(-40.0, 0.37), (0.0, 2.0), (5.0, 1e-3), (-9.0, 0.01), (1e-20, 1e-21), (-1e20, 1e19)]
        {
            let row: Vec<f32> = (0..101).map(|i| first + step * (i * 7 % 101) as f32).collect();
            let mut quants = [0; 101];
            let scale = round_row(&row, &mut quants);
            for (x, quant) in row.iter().zip(quants) {
                assert!((f32::from(quant) * scale - x).abs() <= scale * 0.501);
            }
            let (mut signed, mut unsigned) = ([0; 101], [0; 101]);
            let (scale, offset) = round_range(&row, 0, &mut signed);
            assert_eq!(round_range(&row, 128, &mut unsigned), (scale, offset));
            for ((x, signed), unsigned) in row.iter().zip(signed).zip(unsigned) {
                let quant = i32::from(signed as i8);
                assert!(((quant + offset) as f32 * scale - x).abs() <= scale * 0.501, "{x} {quant} {offset}");
                assert!(quant >= -127 && i32::from(unsigned) == quant + 128);
            }
            assert!((-127..=127).contains(&offset));
        }
        let mut quants = [0; 9];
        assert_eq!(round_row(&[0.0; 9], &mut quants.map(|_| 0)), 0.0);
        let (scale, offset) = round_range(&[0.0; 9], 0, &mut quants);
        assert!(scale == 0.0 && quants.iter().all(|&quant| i32::from(quant as i8) == -offset));
        round_range(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY], 0, &mut quants);
    }

    #[test]
    fn softmax_adds_up_to_one() {
        let mut x: Vec<f32> = (0..19).map(|i| i as f32).collect();
        softmax(&mut x, 2.0);
        assert!((x.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((x[18] / x[17] - 2f32.exp()).abs() < 1e-4);
    }

    #[test]
    fn products_of_views_are_those_of_the_definition() {
        let a: Vec<f32> = (0..6).map(|x| x as f32).collect();
        let b: Vec<f32> = (0..12).map(|x| x as f32 - 3.0).collect();
        // (2 × 3) × (4 × 3) transposed.
        let mut out = [f32::NAN; 10];
        let transposed = MatrixView { data: &b, row: 1, column: 3 };
        multiply((2, 4, 3), MatrixView { data: &a, row: 3, column: 1 }, transposed, &mut out, 5, 1);
        for i in 0..2 {
            for j in 0..4 {
                let want: f32 = (0..3).map(|l| a[3 * i + l] * b[3 * j + l]).sum();
                assert_eq!(out[5 * i + j], want);
            }
        }
        assert!(out[4].is_nan() && out[9].is_nan());
    }
}
