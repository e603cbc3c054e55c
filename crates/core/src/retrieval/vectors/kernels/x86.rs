//! For x86-64. The compiler makes nothing as good of plain code here: it does not find the table look-ups, and the library is
//! built for processors that have neither of these sets of instructions.

use std::arch::x86_64::*;

use super::{Codes, GROUP, Line, Scale, Sums, Tables, Wide};

/// # Safety
/// The processor must have AVX2, and the slices must be equally long.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn dot_avx2(question: &[Wide], row: &[Line]) -> i32 {
    let (mut even, mut odd) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    for (wide, line) in question.iter().zip(row) {
        for at in [0, 32] {
            // SAFETY: a line has 64 bytes, the question's part 64 numbers of two bytes.
            let (low, high, a, b) = unsafe {
                (
                    _mm_load_si128(line.0.as_ptr().add(at).cast()),
                    _mm_load_si128(line.0.as_ptr().add(at + 16).cast()),
                    _mm256_load_si256(wide.0.as_ptr().add(at).cast()),
                    _mm256_load_si256(wide.0.as_ptr().add(at + 16).cast()),
                )
            };
            even = _mm256_add_epi32(even, _mm256_madd_epi16(_mm256_cvtepi8_epi16(low), a));
            odd = _mm256_add_epi32(odd, _mm256_madd_epi16(_mm256_cvtepi8_epi16(high), b));
        }
    }
    let sum = _mm256_add_epi32(even, odd);
    let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
    _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum)))
}

/// # Safety
/// The processor must have AVX-512 with BW and VNNI, and the slices must be equally long.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn dot_avx512(question: &[Wide], row: &[Line]) -> i32 {
    let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
    for (wide, line) in question.iter().zip(row) {
        // SAFETY: a line has 64 bytes, the question's part 64 numbers of two bytes.
        let (low, high, a, b) = unsafe {
            (
                _mm256_load_si256(line.0.as_ptr().cast()),
                _mm256_load_si256(line.0.as_ptr().add(32).cast()),
                _mm512_load_si512(wide.0.as_ptr().cast()),
                _mm512_load_si512(wide.0.as_ptr().add(32).cast()),
            )
        };
        even = _mm512_dpwssd_epi32(even, _mm512_cvtepi8_epi16(low), a);
        odd = _mm512_dpwssd_epi32(odd, _mm512_cvtepi8_epi16(high), b);
    }
    _mm512_reduce_add_epi32(_mm512_add_epi32(even, odd))
}

/// # Safety
/// The processor must have AVX2, and the slices must be equally long.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn sums_avx2(tables: &[Tables], codes: &[Codes]) -> [u16; GROUP] {
    let half = _mm256_set1_epi8(15);
    // Of the rows 0 to 15 and 16 to 31: entries of even rows plus 256 times those of odd ones, and those of odd ones.
    let mut both = [_mm256_setzero_si256(); 2];
    let mut odd = [_mm256_setzero_si256(); 2];
    for (tables, codes) in tables.iter().zip(codes) {
        for at in [0, 32] {
            // SAFETY: both have 64 bytes.
            let (table, bytes) = unsafe {
                (
                    _mm256_load_si256(tables.0.as_ptr().add(at).cast()),
                    _mm256_load_si256(codes.0.as_ptr().add(at).cast()),
                )
            };
            let signs =
                [_mm256_and_si256(bytes, half), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), half)];
            for rows in 0..2 {
                let entries = _mm256_shuffle_epi8(table, signs[rows]);
                both[rows] = _mm256_add_epi16(both[rows], entries);
                odd[rows] = _mm256_add_epi16(odd[rows], _mm256_srli_epi16::<8>(entries));
            }
        }
    }
    let mut sums = [0; GROUP];
    for rows in 0..2 {
        let even = _mm256_sub_epi16(both[rows], _mm256_slli_epi16::<8>(odd[rows]));
        let folded = |sum| _mm_add_epi16(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
        // SAFETY: sixteen sums of two bytes are 32 bytes.
        unsafe { store(folded(even), folded(odd[rows]), sums[16 * rows..16 * rows + 16].as_mut_ptr()) };
    }
    sums
}

/// # Safety
/// The processor must have AVX-512 with BW, and the slices must be equally long.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn sums_avx512(tables: &[Tables], codes: &[Codes]) -> [u16; GROUP] {
    let half = _mm512_set1_epi8(15);
    // As in `sums_avx2`.
    let mut both = [_mm512_setzero_si512(); 2];
    let mut odd = [_mm512_setzero_si512(); 2];
    for (tables, codes) in tables.iter().zip(codes) {
        // SAFETY: both have 64 bytes.
        let (table, bytes) = unsafe {
            (_mm512_load_si512(tables.0.as_ptr().cast()), _mm512_load_si512(codes.0.as_ptr().cast()))
        };
        let signs = [_mm512_and_si512(bytes, half), _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), half)];
        for rows in 0..2 {
            let entries = _mm512_shuffle_epi8(table, signs[rows]);
            both[rows] = _mm512_add_epi16(both[rows], entries);
            odd[rows] = _mm512_add_epi16(odd[rows], _mm512_srli_epi16::<8>(entries));
        }
    }
    let mut sums = [0; GROUP];
    for rows in 0..2 {
        let even = _mm512_sub_epi16(both[rows], _mm512_slli_epi16::<8>(odd[rows]));
        let folded = |sum| {
            let sum = _mm256_add_epi16(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64::<1>(sum));
            _mm_add_epi16(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum))
        };
        // SAFETY: sixteen sums of two bytes are 32 bytes.
        unsafe { store(folded(even), folded(odd[rows]), sums[16 * rows..16 * rows + 16].as_mut_ptr()) };
    }
    sums
}

/// # Safety
/// The processor must have AVX2.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn highest_avx2(group: &Sums<'_>, scale: &Scale, needed: f32) -> ([f32; GROUP], u32) {
    let (step, least) = (_mm256_set1_ps(scale.step), _mm256_set1_ps(scale.least));
    let (caution, needed) = (_mm256_set1_ps(scale.caution), _mm256_set1_ps(needed));
    let mut high = [0.0; GROUP];
    let mut reach = 0;
    for row in (0..GROUP).step_by(8) {
        // SAFETY: eight of each are left from here.
        unsafe {
            let sums = _mm256_cvtepu16_epi32(_mm_loadu_si128(group.sums.as_ptr().add(row).cast()));
            let product = _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sums), step), least);
            let estimate = _mm256_mul_ps(product, _mm256_loadu_ps(group.factors.as_ptr().add(row)));
            let error = _mm256_mul_ps(caution, _mm256_loadu_ps(group.errors.as_ptr().add(row)));
            let most = _mm256_add_ps(estimate, error);
            _mm256_storeu_ps(high.as_mut_ptr().add(row), most);
            let reaches = _mm256_cmp_ps::<_CMP_GE_OQ>(most, needed);
            reach |= (_mm256_movemask_ps(reaches) as u32) << row;
        }
    }
    (high, reach)
}

/// # Safety
/// The processor must have AVX-512.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn highest_avx512(group: &Sums<'_>, scale: &Scale, needed: f32) -> ([f32; GROUP], u32) {
    let (step, least) = (_mm512_set1_ps(scale.step), _mm512_set1_ps(scale.least));
    let (caution, needed) = (_mm512_set1_ps(scale.caution), _mm512_set1_ps(needed));
    let mut high = [0.0; GROUP];
    let mut reach = 0;
    for row in (0..GROUP).step_by(16) {
        // SAFETY: sixteen of each are left from here.
        unsafe {
            let sums = _mm512_cvtepu16_epi32(_mm256_loadu_si256(group.sums.as_ptr().add(row).cast()));
            let product = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sums), step), least);
            let estimate = _mm512_mul_ps(product, _mm512_loadu_ps(group.factors.as_ptr().add(row)));
            let error = _mm512_mul_ps(caution, _mm512_loadu_ps(group.errors.as_ptr().add(row)));
            let most = _mm512_add_ps(estimate, error);
            _mm512_storeu_ps(high.as_mut_ptr().add(row), most);
            reach |= u32::from(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(most, needed)) << row;
        }
    }
    (high, reach)
}

/// Writes the sums of eight even and eight odd rows in turn.
///
/// # Safety
/// There must be room for sixteen.
#[inline]
#[target_feature(enable = "sse2")]
unsafe fn store(even: __m128i, odd: __m128i, sums: *mut u16) {
    // SAFETY: what the caller promises.
    unsafe {
        _mm_storeu_si128(sums.cast(), _mm_unpacklo_epi16(even, odd));
        _mm_storeu_si128(sums.add(8).cast(), _mm_unpackhi_epi16(even, odd));
    }
}
