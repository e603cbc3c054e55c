//! Kernels of x86-64.

#![allow(clippy::int_plus_one, reason = "one of the numbers that the macro counts by is 1")]

use std::arch::x86_64::*;

use super::{ByteProduct, FloatProduct, PANEL, QUAD};

/// How many rows of a panel ahead memory is asked for it: the panels come from the second cache.
const AHEAD: usize = 16;

/// Writes a kernel. Strips say how much is computed at once: so many panels by so many vectors, and the distance from one vector to
/// the next in the panels; the last strip takes a single panel. Tiles have as many rows as fit into the registers, and fewer at
/// the end.
macro_rules! kernel {
    (
        $features:literal, $product:ident, $name:ident, $strip:ident, $tile:ident,
        |$size:ident| [$(($panels:literal, $vectors:literal, $step:expr)),+], [$($rows:literal),+]
    ) => {
        /// # Safety
        /// The processor must have the features, and the product hold together as its fields say.
        #[target_feature(enable = $features)]
        pub(in super::super) unsafe fn $name(product: $product<'_>) {
            let $size = product.panel_size();
            let count = product.panels();
            let mut panel = 0;
            $(
                while panel + $panels <= count {
                    // SAFETY: what the caller promises; there are these panels.
                    unsafe { $strip::<$vectors>(&product, panel, $step) };
                    panel += $panels;
                }
            )+
        }

        /// # Safety
        /// As for the kernel.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn $strip<const V: usize>(product: &$product<'_>, panel: usize, step: usize) {
            let mut row = 0;
            $(
                while row + $rows <= product.a.count {
                    // SAFETY: what the caller promises; there are these rows.
                    unsafe { $tile::<$rows, V>(product, row, panel, step) };
                    row += $rows;
                }
            )+
        }
    };
}

/// Writes a tile of floats: `R` rows of `V` vectors that lie `step` apart in the panels.
macro_rules! float_tile {
    ($features:literal, $lanes:literal, $zero:ident, $load:ident, $store:ident, $splat:ident, $fma:ident) => {
        /// # Safety
        /// As for `multiply`.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn tile<const R: usize, const V: usize>(
            product: &FloatProduct<'_>,
            row: usize,
            panel: usize,
            step: usize,
        ) {
            let FloatProduct { a, depth, panels, bias, first, stride } = *product;
            // SAFETY: what the caller promises; memory may be asked for at any address.
            unsafe {
                let x = a.data.as_ptr().add(row * a.stride);
                let weights = panels.as_ptr().add(panel * PANEL * depth);
                let mut sums = [[$zero(); V]; R];
                if !bias.is_null() {
                    for v in 0..V {
                        let bias = $load(bias.add(panel * PANEL + v * $lanes));
                        for r in 0..R {
                            sums[r][v] = bias;
                        }
                    }
                }
                for k in 0..depth {
                    let mut vectors = [$zero(); V];
                    for v in 0..V {
                        let at = weights.wrapping_add(v * step + k * PANEL);
                        vectors[v] = $load(at);
                        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD * PANEL).cast());
                    }
                    for r in 0..R {
                        let x = $splat(*x.add(r * a.stride + k));
                        for v in 0..V {
                            sums[r][v] = $fma(x, vectors[v], sums[r][v]);
                        }
                    }
                }
                for r in 0..R {
                    let out = first.add((row + r) * stride + panel * PANEL);
                    for v in 0..V {
                        $store(out.add(v * $lanes), sums[r][v]);
                    }
                }
            }
        }
    };
}

/// Writes a tile of bytes. `$dot` adds products of four neighbouring bytes to 32-bit sums, which begin with what makes up for the
/// rows' zeros.
macro_rules! byte_tile {
    (
        $features:literal, $lanes:literal, $zero:ident, $load:ident, $splat:ident, $multiply_whole:ident, $dot:ident, $float:ident,
        $zero_floats:ident, $load_floats:ident, $splat_float:ident, $add:ident, $multiply:ident, $store:ident
    ) => {
        /// # Safety
        /// As for `multiply_bytes`.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn byte_tile<const R: usize, const V: usize>(
            product: &ByteProduct<'_>,
            row: usize,
            panel: usize,
            step: usize,
        ) {
            let ByteProduct { a, quants, scales, column_sums, bias, first, stride } = *product;
            // SAFETY: as in `tile`.
            unsafe {
                let x = a.quants.as_ptr().add(row * a.depth);
                let weights = quants.as_ptr().add(panel * PANEL * a.depth);
                let mut sums = [[$zero(); V]; R];
                let offsets = a.offsets.as_ptr().add(row);
                for v in 0..V {
                    let sums_of_columns = $load(column_sums.as_ptr().add(panel * PANEL + v * $lanes).cast());
                    for r in 0..R {
                        sums[r][v] = $multiply_whole($splat(*offsets.add(r)), sums_of_columns);
                    }
                }
                for k in 0..a.depth / QUAD {
                    let mut vectors = [$zero(); V];
                    for v in 0..V {
                        let at = weights.wrapping_add(v * step + k * PANEL * QUAD);
                        vectors[v] = $load(at.cast());
                        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD * PANEL * QUAD));
                    }
                    for r in 0..R {
                        let x = $splat(x.add(r * a.depth + k * QUAD).cast::<i32>().read_unaligned());
                        for v in 0..V {
                            sums[r][v] = $dot(sums[r][v], x, vectors[v]);
                        }
                    }
                }
                let mut column_scales = [$zero_floats(); V];
                let mut biases = [$zero_floats(); V];
                for v in 0..V {
                    let column = panel * PANEL + v * $lanes;
                    column_scales[v] = $load_floats(scales.as_ptr().add(column));
                    biases[v] = $load_floats(bias.as_ptr().add(column));
                }
                // A row that is indexed, and might not be there, would keep the sums out of the registers.
                let row_scales = a.scales.as_ptr().add(row);
                for r in 0..R {
                    let out = first.add((row + r) * stride + panel * PANEL);
                    let row_scale = $splat_float(*row_scales.add(r));
                    for v in 0..V {
                        let scale = $multiply(row_scale, column_scales[v]);
                        // Not fused, so that every processor rounds alike.
                        let value = $add($multiply($float(sums[r][v]), scale), biases[v]);
                        $store(out.add(v * $lanes), value);
                    }
                }
            }
        }
    };
}

impl FloatProduct<'_> {
    /// Numbers of a panel.
    fn panel_size(&self) -> usize {
        PANEL * self.depth
    }

    fn panels(&self) -> usize {
        self.panels.len() / self.panel_size().max(1)
    }
}

impl ByteProduct<'_> {
    /// Bytes of a panel.
    fn panel_size(&self) -> usize {
        PANEL * self.a.depth
    }

    fn panels(&self) -> usize {
        self.scales.len() / PANEL
    }
}

pub(super) mod avx2 {
    use super::*;

    float_tile!(
        "avx2,fma",
        8,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps
    );
    kernel!("avx2,fma", FloatProduct, multiply, strip, tile, |_size| [(1, 2, 8)], [6, 4, 2, 1]);

    byte_tile!(
        "avx2,fma",
        8,
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_set1_epi32,
        _mm256_mullo_epi32,
        dot,
        _mm256_cvtepi32_ps,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_add_ps,
        _mm256_mul_ps,
        _mm256_storeu_ps
    );
    kernel!("avx2,fma", ByteProduct, multiply_bytes, byte_strip, byte_tile, |_size| [(1, 2, 32)], [3, 1]);

    /// Products of bytes from -127 to 127. One factor must be unsigned, so it gives its sign to the other; a pair of products is at
    /// most 2 × 127 × 127, which is below 2¹⁵: nothing saturates.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn dot(sums: __m256i, x: __m256i, weights: __m256i) -> __m256i {
        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(weights, x));
        _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }
}

pub(super) mod avx_vnni {
    use super::*;

    byte_tile!(
        "avx2,fma,avxvnni",
        8,
        _mm256_setzero_si256,
        _mm256_loadu_si256,
        _mm256_set1_epi32,
        _mm256_mullo_epi32,
        _mm256_dpbusd_avx_epi32,
        _mm256_cvtepi32_ps,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_add_ps,
        _mm256_mul_ps,
        _mm256_storeu_ps
    );
    kernel!(
        "avx2,fma,avxvnni",
        ByteProduct,
        multiply_bytes,
        byte_strip,
        byte_tile,
        |_size| [(1, 2, 32)],
        [6, 4, 2, 1]
    );
}

pub(super) mod avx512 {
    use super::*;

    float_tile!(
        "avx512f",
        16,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps
    );
    kernel!(
        "avx512f",
        FloatProduct,
        multiply,
        strip,
        tile,
        |size| [(3, 3, size), (2, 2, size), (1, 1, size)],
        [8, 4, 2, 1]
    );

    byte_tile!(
        "avx512f,avx512bw,avx512vnni",
        16,
        _mm512_setzero_si512,
        _mm512_loadu_si512,
        _mm512_set1_epi32,
        _mm512_mullo_epi32,
        _mm512_dpbusd_epi32,
        _mm512_cvtepi32_ps,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_add_ps,
        _mm512_mul_ps,
        _mm512_storeu_ps
    );
    kernel!(
        "avx512f,avx512bw,avx512vnni",
        ByteProduct,
        multiply_bytes,
        byte_strip,
        byte_tile,
        |size| [(3, 3, size), (2, 2, size), (1, 1, size)],
        [8, 4, 2, 1]
    );
}
