//! Matrix multiplication of the encoder, with floats and with bytes.
//!
//! The right factor lies in panels of sixteen columns. Within a panel of floats, each row's sixteen numbers lie together; within
//! a panel of bytes, each four rows' numbers, column after column, for processors sum products of four bytes at once. A tile of
//! the product, some rows by one or two panels, stays in registers until it is done: every number of the product is summed in
//! the order of the rows, so neither the size of a tile nor the number of threads changes it.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::level::InstructionSet;

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Columns of a panel.
pub(super) const PANEL: usize = 16;
/// Rows of a panel of bytes whose numbers lie together.
pub(super) const QUAD: usize = 4;
/// With more rows than this, a sum of products of bytes could overflow.
pub(super) const MAX_BYTE_DEPTH: usize = 1 << 16;

/// The left factor: rows that lie `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a [f32],
    pub(super) stride: usize,
    pub(super) count: usize,
}

/// The left factor in bytes: `count` rows of `depth` numbers. A number is its row's scale times the sum of its byte and its row's
/// offset.
#[derive(Default)]
pub(super) struct ByteRows {
    pub(super) count: usize,
    /// Numbers of a row, a multiple of [`QUAD`].
    pub(super) depth: usize,
    /// From -127 to 127; with [`unsigned`], 128 more.
    pub(super) quants: Vec<u8>,
    pub(super) scales: Vec<f32>,
    /// From -255 to 127.
    pub(super) offsets: Vec<i32>,
}

/// Panels of bytes. Each slice but the first has an element for each column, those that fill up the last panel included.
#[derive(Clone, Copy)]
pub(super) struct ByteColumns<'a> {
    pub(super) quants: &'a [i8],
    pub(super) scales: &'a [f32],
    /// Of the bytes of each column; they are multiplied by the left factor's offsets.
    pub(super) column_sums: &'a [i32],
    pub(super) bias: &'a [f32],
}

/// Where a product goes: a matrix that several threads may fill at once, each some columns of it.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    first: *mut f32,
    rows: usize,
    columns: usize,
    stride: usize,
    memory: PhantomData<&'a mut [MaybeUninit<f32>]>,
}

// SAFETY: it is written only by the functions of this module, and whoever makes a second one for the same memory promises that
// the two do not overlap.
unsafe impl Send for Target<'_> {}
// SAFETY: as above.
unsafe impl Sync for Target<'_> {}

impl<'a> Target<'a> {
    /// Rows of `columns` numbers, one behind the other.
    pub(super) fn new(memory: &'a mut [MaybeUninit<f32>], columns: usize) -> Self {
        Target {
            first: memory.as_mut_ptr().cast(),
            rows: memory.len() / columns.max(1),
            columns,
            stride: columns,
            memory: PhantomData,
        }
    }

    pub(super) fn columns(self) -> usize {
        self.columns
    }

    /// Some of its rows and columns.
    ///
    /// # Safety
    /// Of two targets that overlap only one is used.
    pub(super) unsafe fn part(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "there are no such rows");
        assert!(columns.start <= columns.end && columns.end <= self.columns, "there are no such columns");
        Target {
            first: self.first.wrapping_add(rows.start * self.stride + columns.start),
            rows: rows.len(),
            columns: columns.len(),
            ..self
        }
    }

    /// Row `row`, to be changed once it is filled.
    ///
    /// # Safety
    /// The row was written, and nothing else refers to it.
    pub(super) unsafe fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "there is no such row");
        // SAFETY: the row lies within the memory, and what the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(row * self.stride), self.columns) }
    }
}

/// Whether this level multiplies unsigned with signed bytes.
pub(super) fn unsigned(level: InstructionSet) -> bool {
    match level {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::AvxVnni | InstructionSet::Avx512 => true,
        _ => false,
    }
}

/// `rows` rows of `depth` numbers each, transposed, into panels: row `r` becomes column `r`.
pub(super) fn pack(data: &[f32], stride: usize, rows: usize, depth: usize, panels: &mut Vec<f32>) {
    panels.clear();
    panels.resize(rows.next_multiple_of(PANEL) * depth, 0.0);
    for row in 0..rows {
        let panel = &mut panels[row / PANEL * PANEL * depth..][..PANEL * depth];
        for (to, from) in panel[row % PANEL..].iter_mut().step_by(PANEL).zip(&data[row * stride..][..depth]) {
            *to = *from;
        }
    }
}

/// `rows` rows of `columns` numbers each, as they are, into panels.
pub(super) fn pack_columns(data: &[f32], stride: usize, rows: usize, columns: usize, panels: &mut Vec<f32>) {
    panels.clear();
    panels.resize(columns.next_multiple_of(PANEL) * rows, 0.0);
    // A text may be empty.
    if rows == 0 {
        return;
    }
    for (number, panel) in panels.chunks_exact_mut(PANEL * rows).enumerate() {
        let width = PANEL.min(columns - number * PANEL);
        for (row, to) in panel.chunks_exact_mut(PANEL).enumerate() {
            to[..width].copy_from_slice(&data[row * stride + number * PANEL..][..width]);
        }
    }
}

/// Where the number of row `row` and column `column` is in panels of bytes with `depth` rows.
pub(super) fn byte_at(depth: usize, row: usize, column: usize) -> usize {
    column / PANEL * PANEL * depth + row / QUAD * PANEL * QUAD + column % PANEL * QUAD + row % QUAD
}

/// Fills `target` with `a × b + bias`, where `b` lies in panels with `depth` rows.
pub(super) fn multiply(
    level: InstructionSet,
    a: Rows<'_>,
    depth: usize,
    panels: &[f32],
    bias: Option<&[f32]>,
    target: Target<'_>,
) {
    let columns = target.columns.next_multiple_of(PANEL);
    assert!(a.count == target.rows && panels.len() == columns * depth, "the factors do not fit");
    assert!(a.count == 0 || (a.count - 1) * a.stride + depth <= a.data.len(), "the left factor is too short");
    assert!(bias.is_none_or(|bias| bias.len() == columns), "the bias does not fit");
    in_panels(target, |range, first, stride| {
        let panels = &panels[range.start * PANEL * depth..range.end * PANEL * depth];
        let bias = bias.map_or(std::ptr::null(), |bias| bias[range.start * PANEL..].as_ptr());
        let product = FloatProduct { a, depth, panels, bias, first, stride };
        match level {
            // SAFETY: the assertions hold what is read within the slices, `in_panels` what is written, and `InstructionSet::all`
            // looked for these instructions.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 | InstructionSet::AvxVnni => unsafe { x86::avx2::multiply(product) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512::multiply(product) },
            // SAFETY: as above.
            _ => unsafe { portable(product) },
        }
    });
}

/// Fills `target` with `a × b + bias`, where the products of the bytes are summed exactly: every level gives the same.
pub(super) fn multiply_bytes(level: InstructionSet, a: &ByteRows, b: ByteColumns<'_>, target: Target<'_>) {
    let columns = target.columns.next_multiple_of(PANEL);
    assert!(a.depth.is_multiple_of(QUAD) && a.depth <= MAX_BYTE_DEPTH, "such bytes cannot be multiplied");
    assert!(a.count == target.rows && b.quants.len() == columns * a.depth, "the factors do not fit");
    assert_eq!(
        (a.quants.len(), a.scales.len(), a.offsets.len()),
        (a.count * a.depth, a.count, a.count),
        "the left factor has another size"
    );
    assert!(
        [b.scales.len(), b.column_sums.len(), b.bias.len()] == [columns; 3],
        "the right factor has another size"
    );
    in_panels(target, |range, first, stride| {
        let columns = range.start * PANEL..range.end * PANEL;
        let product = ByteProduct {
            a,
            quants: &b.quants[columns.start * a.depth..columns.end * a.depth],
            scales: &b.scales[columns.clone()],
            column_sums: &b.column_sums[columns.clone()],
            bias: &b.bias[columns],
            first,
            stride,
        };
        match level {
            // SAFETY: as in `multiply`.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2::multiply_bytes(product) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::AvxVnni => unsafe { x86::avx_vnni::multiply_bytes(product) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512::multiply_bytes(product) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            InstructionSet::DotProduct => unsafe { neon::multiply_bytes(product) },
            // SAFETY: as above.
            InstructionSet::Portable => unsafe { portable_bytes(product) },
        }
    });
}

/// What a kernel multiplies: whole panels, of which there are as many as `panels` holds.
struct FloatProduct<'a> {
    a: Rows<'a>,
    depth: usize,
    panels: &'a [f32],
    /// One for each column, or null.
    bias: *const f32,
    /// The first number of the product, whose rows lie `stride` apart.
    first: *mut f32,
    stride: usize,
}

struct ByteProduct<'a> {
    a: &'a ByteRows,
    quants: &'a [i8],
    scales: &'a [f32],
    column_sums: &'a [i32],
    bias: &'a [f32],
    first: *mut f32,
    stride: usize,
}

/// Gives `fill` the whole panels of `target`, then its last one, if that is not whole, as memory of its own.
fn in_panels(target: Target<'_>, fill: impl Fn(Range<usize>, *mut f32, usize)) {
    let (whole, rest) = (target.columns / PANEL, target.columns % PANEL);
    if whole > 0 {
        fill(0..whole, target.first, target.stride);
    }
    if rest > 0 {
        let mut last = vec![0f32; target.rows * PANEL];
        fill(whole..whole + 1, last.as_mut_ptr(), PANEL);
        for (row, from) in last.chunks_exact(PANEL).enumerate() {
            // SAFETY: the target has so many rows and columns.
            unsafe {
                let to = target.first.add(row * target.stride + whole * PANEL);
                std::ptr::copy_nonoverlapping(from.as_ptr(), to, rest);
            }
        }
    }
}

/// # Safety
/// The product must hold together as its fields say.
unsafe fn portable(product: FloatProduct<'_>) {
    let FloatProduct { a, depth, panels, bias, first, stride } = product;
    for (number, panel) in panels.chunks_exact(PANEL * depth).enumerate() {
        for row in 0..a.count {
            let mut sums = [0f32; PANEL];
            if !bias.is_null() {
                // SAFETY: there is a bias for each column.
                sums = unsafe { bias.add(number * PANEL).cast::<[f32; PANEL]>().read() };
            }
            for (x, weights) in a.data[row * a.stride..][..depth].iter().zip(panel.as_chunks::<PANEL>().0) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    // Where there is no such instruction it would be a call of a function.
                    *sum = if cfg!(target_arch = "aarch64") {
                        x.mul_add(*weight, *sum)
                    } else {
                        *sum + x * weight
                    };
                }
            }
            // SAFETY: the target has this row and panel.
            unsafe { first.add(row * stride + number * PANEL).cast::<[f32; PANEL]>().write(sums) };
        }
    }
}

/// # Safety
/// As for [`portable`].
unsafe fn portable_bytes(product: ByteProduct<'_>) {
    let ByteProduct { a, quants, scales, column_sums, bias, first, stride } = product;
    for (number, panel) in quants.chunks_exact(PANEL * a.depth).enumerate() {
        for row in 0..a.count {
            let column_sums = &column_sums[number * PANEL..][..PANEL];
            let mut sums: [i32; PANEL] = std::array::from_fn(|lane| a.offsets[row] * column_sums[lane]);
            let row_quants = a.quants[row * a.depth..][..a.depth].as_chunks::<QUAD>().0;
            for (x, weights) in row_quants.iter().zip(panel.as_chunks::<{ PANEL * QUAD }>().0) {
                for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<QUAD>().0) {
                    for (x, weight) in x.iter().zip(weights) {
                        *sum += i32::from(*x as i8) * i32::from(*weight);
                    }
                }
            }
            for (lane, sum) in sums.into_iter().enumerate() {
                let column = number * PANEL + lane;
                let value = sum as f32 * (a.scales[row] * scales[column]) + bias[column];
                // SAFETY: the target has this row and panel.
                unsafe { first.add(row * stride + column).write(value) };
            }
        }
    }
}

#[cfg(test)]
#[path = "panels/tests.rs"]
mod tests;
