//! For 64-bit ARM. The compiler does not find the table look-ups in plain code; the product is here so that it does not depend
//! on what the compiler finds.

use std::arch::aarch64::*;

use super::{Codes, GROUP, Line, Tables, Wide};

/// # Safety
/// The processor must have NEON, and the slices must be equally long.
#[target_feature(enable = "neon")]
pub(super) unsafe fn dot(question: &[Wide], row: &[Line]) -> i32 {
    let mut sums = [vdupq_n_s32(0); 4];
    for (wide, line) in question.iter().zip(row) {
        for at in [0, 16, 32, 48] {
            // SAFETY: a line has 64 bytes, the question's part 64 numbers of two bytes.
            let (bytes, a, b) = unsafe {
                (
                    vld1q_s8(line.0.as_ptr().add(at)),
                    vld1q_s16(wide.0.as_ptr().add(at)),
                    vld1q_s16(wide.0.as_ptr().add(at + 8)),
                )
            };
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
            sums[0] = vmlal_s16(sums[0], vget_low_s16(low), vget_low_s16(a));
            sums[1] = vmlal_high_s16(sums[1], low, a);
            sums[2] = vmlal_s16(sums[2], vget_low_s16(high), vget_low_s16(b));
            sums[3] = vmlal_high_s16(sums[3], high, b);
        }
    }
    vaddvq_s32(vaddq_s32(vaddq_s32(sums[0], sums[1]), vaddq_s32(sums[2], sums[3])))
}

/// # Safety
/// The processor must have NEON, and the slices must be equally long.
#[target_feature(enable = "neon")]
pub(super) unsafe fn sums(tables: &[Tables], codes: &[Codes]) -> [u16; GROUP] {
    let half = vdupq_n_u8(15);
    let mut sums = [vdupq_n_u16(0); 4];
    for (tables, codes) in tables.iter().zip(codes) {
        for at in [0, 16, 32, 48] {
            // SAFETY: both have 64 bytes.
            let (table, bytes) =
                unsafe { (vld1q_u8(tables.0.as_ptr().add(at)), vld1q_u8(codes.0.as_ptr().add(at))) };
            let low = vqtbl1q_u8(table, vandq_u8(bytes, half));
            let high = vqtbl1q_u8(table, vshrq_n_u8::<4>(bytes));
            sums[0] = vaddw_u8(sums[0], vget_low_u8(low));
            sums[1] = vaddw_high_u8(sums[1], low);
            sums[2] = vaddw_u8(sums[2], vget_low_u8(high));
            sums[3] = vaddw_high_u8(sums[3], high);
        }
    }
    let mut rows = [0; GROUP];
    for (at, sum) in sums.into_iter().enumerate() {
        // SAFETY: eight sums are a quarter of the group.
        unsafe { vst1q_u16(rows[8 * at..8 * at + 8].as_mut_ptr(), sum) };
    }
    rows
}
