//! Kernels of AArch64: its products of bytes. Floats need none, for the compiler has its vectors in every build.

use std::arch::aarch64::*;
use std::arch::asm;

use super::{ByteProduct, PANEL, QUAD};

/// Vectors that hold a row of a panel.
const VECTORS: usize = 4;
const LANES: usize = PANEL / VECTORS;

/// # Safety
/// The processor must have the features, and the product hold together as its fields say.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn multiply_bytes(product: ByteProduct<'_>) {
    for panel in 0..product.scales.len() / PANEL {
        let mut row = 0;
        while row + 4 <= product.a.count {
            // SAFETY: what the caller promises; there are these rows.
            unsafe { tile::<4>(&product, row, panel) };
            row += 4;
        }
        while row < product.a.count {
            // SAFETY: as above.
            unsafe { tile::<1>(&product, row, panel) };
            row += 1;
        }
    }
}

/// # Safety
/// As for [`multiply_bytes`].
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn tile<const R: usize>(product: &ByteProduct<'_>, row: usize, panel: usize) {
    let ByteProduct { a, quants, scales, column_sums, bias, first, stride } = *product;
    // SAFETY: what the caller promises.
    unsafe {
        let x = a.quants.as_ptr().add(row * a.depth);
        let weights = quants.as_ptr().add(panel * PANEL * a.depth);
        let mut sums = [[vdupq_n_s32(0); VECTORS]; R];
        for v in 0..VECTORS {
            let sums_of_columns = vld1q_s32(column_sums.as_ptr().add(panel * PANEL + v * LANES));
            for r in 0..R {
                sums[r][v] = vmulq_n_s32(sums_of_columns, *a.offsets.as_ptr().add(row + r));
            }
        }
        for k in 0..a.depth / QUAD {
            let mut vectors = [vdupq_n_s8(0); VECTORS];
            for v in 0..VECTORS {
                vectors[v] = vld1q_s8(weights.add((k * PANEL + v * LANES) * QUAD));
            }
            for r in 0..R {
                let x = x.add(r * a.depth + k * QUAD).cast::<i32>().read_unaligned();
                let x = vreinterpretq_s8_s32(vdupq_n_s32(x));
                for v in 0..VECTORS {
                    sums[r][v] = dot(sums[r][v], vectors[v], x);
                }
            }
        }
        for v in 0..VECTORS {
            let column = panel * PANEL + v * LANES;
            let (scales, bias) =
                (vld1q_f32(scales.as_ptr().add(column)), vld1q_f32(bias.as_ptr().add(column)));
            for r in 0..R {
                let scale = vmulq_f32(vdupq_n_f32(a.scales[row + r]), scales);
                // Not fused, so that every processor rounds alike.
                let value = vaddq_f32(vmulq_f32(vcvtq_f32_s32(sums[r][v]), scale), bias);
                vst1q_f32(first.add((row + r) * stride + column), value);
            }
        }
    }
}

/// Adds products of four neighbouring bytes to 32-bit sums. As an instruction, because its intrinsic is not stable in Rust.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the instruction changes its first operand and nothing else.
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) sums, in(vreg) a, in(vreg) b, options(pure, nomem, nostack));
    }
    sums
}
