//! The inner loops of matrix multiplication with repacked weights.
//!
//! Each computes one group of eight rows for all rows of activations, `out[8 t + r]` being row `r` for activation `t`. The
//! products of bytes are summed exactly, so the variants differ only in how floats are rounded.

use super::level::InstructionSet;
use super::packed::{Activations, BLOCK, Block4, Block8, LANES, widen};

/// A layout of weights that can be multiplied.
pub(super) trait BlockKernel: Sized + Send + Sync {
    /// Multiplies one group.
    fn multiply(group: &[Self], x: &Activations, out: &mut [f32], level: InstructionSet);
}

impl BlockKernel for Block4 {
    fn multiply(group: &[Self], x: &Activations, out: &mut [f32], level: InstructionSet) {
        check(group.len(), x, out);
        match level {
            #[cfg(target_arch = "aarch64")]
            InstructionSet::DotProduct => Self::multiply(group, x, out, InstructionSet::Portable),
            InstructionSet::Portable => portable(group, x, out, |block, quants, sum, scale| {
                let (scales, mins) = (widen(&block.scales), widen(&block.mins));
                let mut dots = [0i32; LANES];
                for (j, bytes) in block.quants.iter().enumerate() {
                    for (lane, dot) in dots.iter_mut().enumerate() {
                        for c in 0..4 {
                            let byte = bytes[4 * lane + c];
                            *dot += i32::from(byte & 15) * i32::from(quants[4 * j + c]);
                            *dot += i32::from(byte >> 4) * i32::from(quants[16 + 4 * j + c]);
                        }
                    }
                }
                std::array::from_fn(|lane| scales[lane] * scale * dots[lane] as f32 + mins[lane] * sum)
            }),
            // SAFETY: `InstructionSet::all` looked for these instructions, and `check` compared the lengths.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2::multiply4(group, x, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::AvxVnni => unsafe { x86::avx_vnni::multiply4(group, x, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512::multiply4(group, x, out) },
        }
    }
}

impl BlockKernel for Block8 {
    fn multiply(group: &[Self], x: &Activations, out: &mut [f32], level: InstructionSet) {
        check(group.len(), x, out);
        match level {
            #[cfg(target_arch = "aarch64")]
            InstructionSet::DotProduct => Self::multiply(group, x, out, InstructionSet::Portable),
            InstructionSet::Portable => portable(group, x, out, |block, quants, _, scale| {
                let scales = widen(&block.scales);
                let mut dots = [0i32; LANES];
                for (j, bytes) in block.quants.iter().enumerate() {
                    for (lane, dot) in dots.iter_mut().enumerate() {
                        for c in 0..4 {
                            *dot += i32::from(bytes[4 * lane + c]) * i32::from(quants[4 * j + c]);
                        }
                    }
                }
                std::array::from_fn(|lane| scales[lane] * scale * dots[lane] as f32)
            }),
            // SAFETY: `InstructionSet::all` looked for these instructions, and `check` compared the lengths.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2::multiply8(group, x, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::AvxVnni => unsafe { x86::avx_vnni::multiply8(group, x, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512::multiply8(group, x, out) },
        }
    }
}

fn check(blocks: usize, x: &Activations, out: &[f32]) {
    assert_eq!(blocks * BLOCK, x.columns, "weights and activations differ in width");
    assert_eq!(x.rows * LANES, out.len(), "the output has another size");
    assert_eq!((x.quants.len(), x.scales.len()), (x.rows * x.columns, x.rows * blocks));
    assert_eq!(x.sums.len(), x.scales.len());
}

fn portable<B>(
    group: &[B],
    x: &Activations,
    out: &mut [f32],
    block_product: impl Fn(&B, &[i8; BLOCK], f32, f32) -> [f32; LANES],
) {
    let rows = x.quants.as_chunks::<BLOCK>().0.chunks_exact(group.len());
    let factors = x.sums.chunks_exact(group.len()).zip(x.scales.chunks_exact(group.len()));
    for ((out, quants), (sums, scales)) in out.chunks_exact_mut(LANES).zip(rows).zip(factors) {
        let mut total = [0f32; LANES];
        for (index, block) in group.iter().enumerate() {
            let product = block_product(block, &quants[index], sums[index], scales[index]);
            for (total, product) in total.iter_mut().zip(product) {
                *total += product;
            }
        }
        out.copy_from_slice(&total);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Activations, BLOCK, Block4, Block8, LANES};

    /// Rows of activations that share one reading of the weights: as many as registers allow.
    const TILE: usize = 4;

    /// Writes the kernels for one set of instructions. `$dot4` adds products of 4-bit with signed bytes to a sum, which
    /// `$end4` turns into one 32-bit number for each lane; `$dot8` adds products of unsigned with signed bytes to 32-bit sums.
    macro_rules! kernels {
        ($module:ident, $features:literal, $dot4:ident, $end4:ident, $dot8:ident) => {
            pub(in super::super) mod $module {
                use super::*;

                /// # Safety
                /// The processor must have the features, and the lengths must agree.
                #[target_feature(enable = $features)]
                pub(in super::super) unsafe fn multiply4(group: &[Block4], x: &Activations, out: &mut [f32]) {
                    let mut row = 0;
                    while row + TILE <= x.rows {
                        // SAFETY: what the caller promises.
                        unsafe { tile4::<TILE>(group, x, row, out) };
                        row += TILE;
                    }
                    while row < x.rows {
                        // SAFETY: what the caller promises.
                        unsafe { tile4::<1>(group, x, row, out) };
                        row += 1;
                    }
                }

                /// # Safety
                /// The processor must have the features, and the lengths must agree.
                #[target_feature(enable = $features)]
                pub(in super::super) unsafe fn multiply8(group: &[Block8], x: &Activations, out: &mut [f32]) {
                    let mut row = 0;
                    while row + TILE <= x.rows {
                        // SAFETY: what the caller promises.
                        unsafe { tile8::<TILE>(group, x, row, out) };
                        row += TILE;
                    }
                    while row < x.rows {
                        // SAFETY: what the caller promises.
                        unsafe { tile8::<1>(group, x, row, out) };
                        row += 1;
                    }
                }

                /// # Safety
                /// As for `multiply4`, and there are rows `row..row + T`.
                #[inline]
                #[target_feature(enable = $features)]
                unsafe fn tile4<const T: usize>(
                    group: &[Block4],
                    x: &Activations,
                    row: usize,
                    out: &mut [f32],
                ) {
                    let low_half = _mm256_set1_epi8(15);
                    let mut totals = [_mm256_setzero_ps(); T];
                    for (index, block) in group.iter().enumerate() {
                        let mut sums = [_mm256_setzero_si256(); T];
                        for j in 0..4 {
                            // SAFETY: the array has 32 bytes.
                            let bytes = unsafe { _mm256_loadu_si256(block.quants[j].as_ptr().cast()) };
                            let low = _mm256_and_si256(bytes, low_half);
                            let high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_half);
                            for t in 0..T {
                                // SAFETY: the block of this row has 32 quants.
                                unsafe {
                                    let quants =
                                        x.quants.as_ptr().add((row + t) * x.columns + index * BLOCK + 4 * j);
                                    let first = _mm256_set1_epi32(quants.cast::<i32>().read_unaligned());
                                    let second =
                                        _mm256_set1_epi32(quants.add(16).cast::<i32>().read_unaligned());
                                    sums[t] = $dot4($dot4(sums[t], low, first), high, second);
                                }
                            }
                        }
                        // SAFETY: the arrays have 8 halves each.
                        let (scales, mins) = unsafe {
                            (halves(block.scales.as_ptr().cast()), halves(block.mins.as_ptr().cast()))
                        };
                        for t in 0..T {
                            let at = (row + t) * group.len() + index;
                            let (scale, sum) = (x.scales[at], x.sums[at]);
                            let dots = _mm256_cvtepi32_ps($end4(sums[t]));
                            totals[t] = _mm256_fmadd_ps(
                                _mm256_mul_ps(scales, _mm256_set1_ps(scale)),
                                dots,
                                totals[t],
                            );
                            totals[t] = _mm256_fmadd_ps(mins, _mm256_set1_ps(sum), totals[t]);
                        }
                    }
                    for t in 0..T {
                        // SAFETY: `out` has 8 floats for each row.
                        unsafe { _mm256_storeu_ps(out.as_mut_ptr().add((row + t) * LANES), totals[t]) };
                    }
                }

                /// # Safety
                /// As for `multiply8`, and there are rows `row..row + T`.
                #[inline]
                #[target_feature(enable = $features)]
                unsafe fn tile8<const T: usize>(
                    group: &[Block8],
                    x: &Activations,
                    row: usize,
                    out: &mut [f32],
                ) {
                    let mut totals = [_mm256_setzero_ps(); T];
                    for (index, block) in group.iter().enumerate() {
                        let mut sums = [_mm256_setzero_si256(); T];
                        for j in 0..8 {
                            // SAFETY: the array has 32 bytes.
                            let weights = unsafe { _mm256_loadu_si256(block.quants[j].as_ptr().cast()) };
                            // Byte products take one unsigned factor, so the weight gives its sign to the activation.
                            let sizes = _mm256_abs_epi8(weights);
                            for t in 0..T {
                                // SAFETY: the block of this row has 32 quants.
                                let quants = unsafe {
                                    x.quants
                                        .as_ptr()
                                        .add((row + t) * x.columns + index * BLOCK + 4 * j)
                                        .cast::<i32>()
                                        .read_unaligned()
                                };
                                sums[t] = $dot8(
                                    sums[t],
                                    sizes,
                                    _mm256_sign_epi8(_mm256_set1_epi32(quants), weights),
                                );
                            }
                        }
                        // SAFETY: the array has 8 halves.
                        let scales = unsafe { halves(block.scales.as_ptr().cast()) };
                        for t in 0..T {
                            let scale = x.scales[(row + t) * group.len() + index];
                            let dots = _mm256_cvtepi32_ps(sums[t]);
                            totals[t] = _mm256_fmadd_ps(
                                _mm256_mul_ps(scales, _mm256_set1_ps(scale)),
                                dots,
                                totals[t],
                            );
                        }
                    }
                    for t in 0..T {
                        // SAFETY: `out` has 8 floats for each row.
                        unsafe { _mm256_storeu_ps(out.as_mut_ptr().add((row + t) * LANES), totals[t]) };
                    }
                }
            }
        };
    }

    kernels!(avx2, "avx2,fma,f16c", add_products_16, add_pairs, add_products_32);
    kernels!(avx_vnni, "avx2,fma,f16c,avxvnni", dpbusd_avx, same, dpbusd_avx);
    kernels!(avx512, "avx2,fma,f16c,avx512vnni,avx512vl", dpbusd, same, dpbusd);

    /// # Safety
    /// `from` must point to eight half-precision floats.
    #[inline]
    #[target_feature(enable = "avx2,f16c")]
    unsafe fn halves(from: *const __m128i) -> __m256 {
        // SAFETY: what the caller promises.
        _mm256_cvtph_ps(unsafe { _mm_loadu_si128(from) })
    }

    /// Products of 4-bit numbers with signed bytes: eight of their pairs, at most 2 × 15 × 127 each, stay below 2¹⁵.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn add_products_16(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        _mm256_add_epi16(sum, _mm256_maddubs_epi16(unsigned, signed))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn add_pairs(sums: __m256i) -> __m256i {
        _mm256_madd_epi16(sums, _mm256_set1_epi16(1))
    }

    /// Products of bytes up to 128 with bytes from -127 to 127: a pair is at most 2 × 128 × 127, which is below 2¹⁵.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn add_products_32(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        _mm256_add_epi32(sum, add_pairs(_mm256_maddubs_epi16(unsigned, signed)))
    }

    #[inline]
    #[target_feature(enable = "avxvnni")]
    fn dpbusd_avx(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        _mm256_dpbusd_avx_epi32(sum, unsigned, signed)
    }

    #[inline]
    #[target_feature(enable = "avx512vnni,avx512vl")]
    fn dpbusd(sum: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        _mm256_dpbusd_epi32(sum, unsigned, signed)
    }

    #[inline]
    fn same(sums: __m256i) -> __m256i {
        sums
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::{GgmlDType, QTensor};
    use candle_core::{Device, Tensor};

    use super::super::packed::{Blocks, Packed};
    use super::*;
    use crate::job::Cancel;

    /// Numbers that look random, within -1..1.
    fn noise(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    fn multiply(packed: &Packed, x: &Activations, level: InstructionSet) -> Vec<f32> {
        fn groups<B: BlockKernel>(blocks: &[B], x: &Activations, level: InstructionSet) -> Vec<f32> {
            let mut out = Vec::new();
            for group in blocks.chunks_exact(x.columns / BLOCK) {
                let mut part = vec![f32::NAN; x.rows * LANES];
                B::multiply(group, x, &mut part, level);
                out.push(part);
            }
            let groups = out.len();
            (0..x.rows)
                .flat_map(|t| (0..groups).flat_map(move |g| (0..LANES).map(move |r| (t, g, r))))
                .map(|(t, g, r)| out[g][t * LANES + r])
                .collect()
        }
        match &packed.blocks {
            Blocks::Four(blocks) => groups(blocks, x, level),
            Blocks::Eight(blocks) => groups(blocks, x, level),
        }
    }

    /// Every level must give what a plain multiplication of the dequantised numbers gives.
    #[test]
    fn products_equal_those_of_the_dequantised_numbers() {
        let (rows, columns, tokens) = (20, 512, 7);
        let weights = Tensor::from_vec(noise(rows * columns, 1), (rows, columns), &Device::Cpu).unwrap();
        let input = noise(tokens * columns, 2);
        let x = Activations::new(&input, columns);
        for dtype in [
            GgmlDType::Q4_0,
            GgmlDType::Q4_1,
            GgmlDType::Q4K,
            GgmlDType::Q8_0,
            GgmlDType::Q6K,
            GgmlDType::Q5_1,
        ] {
            let quantised = QTensor::quantize(&weights, dtype).unwrap();
            let packed =
                Packed::new(dtype, rows, columns, &quantised.data().unwrap(), &Cancel::new()).unwrap();
            let reference = quantised.dequantize(&Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
            let mut unpacked = vec![0.0; columns];
            for (row, reference) in reference.iter().enumerate() {
                packed.row(row, &mut unpacked);
                // Types that fit are kept to the bit; products of Q4_K's scales are rounded, and the rest to eight bits.
                let allowed = match dtype {
                    GgmlDType::Q4_0 | GgmlDType::Q4_1 | GgmlDType::Q8_0 => 0.0,
                    GgmlDType::Q4K => 2e-3,
                    _ => 1.0 / 254.0 + 1e-3,
                };
                for (got, want) in unpacked.iter().zip(reference) {
                    assert!((got - want).abs() <= allowed, "{dtype:?}: {got} is not {want}");
                }
            }
            for level in InstructionSet::all() {
                let got = multiply(&packed, &x, level);
                for token in 0..tokens {
                    for row in 0..rows {
                        packed.row(row, &mut unpacked);
                        let want: f32 = (0..columns)
                            .map(|c| {
                                let at = token * columns + c;
                                unpacked[c] * f32::from(x.quants[at]) * x.scales[at / BLOCK]
                            })
                            .sum();
                        let got = got[token * rows.next_multiple_of(LANES) + row];
                        assert!(
                            (got - want).abs() < 1e-4,
                            "{dtype:?} {level:?} row {row}: {got} is not {want}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn rounding_activations_errs_by_half_a_step_at_most() {
        let mut input = noise(96, 3);
        input[32..64].fill(0.0);
        let x = Activations::new(&input, 96);
        for (at, float) in input.iter().enumerate() {
            let scale = x.scales[at / BLOCK];
            assert!((f32::from(x.quants[at]) * scale - float).abs() <= scale * 0.5001);
        }
        assert_eq!(x.scales[1], 0.0);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let columns = 32;
        let x = Activations::new(&[1.0; 32], columns);
        let eight = Block8 { scales: [half::f16::ONE; LANES], quants: [[-128; BLOCK]; 8] };
        let four = Block4 {
            scales: [half::f16::ONE; LANES],
            mins: [half::f16::ZERO; LANES],
            quants: [[255; BLOCK]; 4],
        };
        for level in InstructionSet::all() {
            let mut out = [0.0; LANES];
            Block8::multiply(&[eight], &x, &mut out, level);
            assert!(out.iter().all(|got| (got + 128.0 * 32.0).abs() < 0.01), "{level:?} {out:?}");
            Block4::multiply(&[four], &x, &mut out, level);
            assert!(out.iter().all(|got| (got - 15.0 * 32.0).abs() < 0.01), "{level:?} {out:?}");
        }
    }
}
