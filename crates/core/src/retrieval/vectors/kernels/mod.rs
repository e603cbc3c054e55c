//! The inner loops: products of a question with rows of bytes, and sums of table entries that the signs of rows choose.
//!
//! Both are sums of integers that cannot overflow, so all variants give the same. Which one is used is decided when the
//! program runs: a library that is built for every processor may not assume more than the least of them.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Bytes in a line, to which rows are filled up: the width of the widest register, and of a line of the cache.
pub(super) const LINE: usize = 64;
/// Rows whose signs are kept together.
pub(super) const GROUP: usize = 32;
/// Tables in a line.
pub(super) const TABLES: usize = 4;

/// A part of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [i8; LINE]);

/// The part of a question that meets a [`Line`].
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Wide(pub(super) [i16; LINE]);

/// The signs of four times four numbers of 32 rows, as in "Quicker ADC" (André, Kermarrec and Le Scouarnec, 2019): sixteen
/// bytes for each four numbers, of which byte `r` has those of row `r` in its low half and of row `r + 16` in its high half.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Codes(pub(super) [u8; 16 * TABLES]);

/// For each four numbers what each of the sixteen combinations of signs adds.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Tables(pub(super) [u8; 16 * TABLES]);

/// The sums of a group's rows, and what turns each into an estimate and says how wrong that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums<'g> {
    pub(super) sums: &'g [u16; GROUP],
    pub(super) factors: &'g [f32; GROUP],
    pub(super) errors: &'g [f32; GROUP],
}

/// What turns a sum of entries into the most that a product may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// What a sum is multiplied with, and what is added then; that is to be multiplied with a factor of the row.
    pub(super) step: f32,
    pub(super) least: f32,
    /// By how many errors of the row it may be more.
    pub(super) caution: f32,
}

/// Which instructions are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// What every processor of the target has.
    Portable,
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with operations on bytes and with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl Level {
    /// The best that this processor has.
    pub(super) fn detect() -> Level {
        Level::all().last().copied().unwrap_or(Level::Portable)
    }

    /// All that this processor has, the best last.
    pub(super) fn all() -> Vec<Level> {
        let mut all = vec![Level::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            if has!("avx2") {
                all.push(Level::Avx2);
                if has!("avx512f") && has!("avx512bw") && has!("avx512vnni") {
                    all.push(Level::Avx512);
                }
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            all.push(Level::Neon);
        }
        all
    }

    /// The product of `question` with `row`, which must be equally long.
    pub(super) fn dot(self, question: &[Wide], row: &[Line]) -> i32 {
        assert_eq!(question.len(), row.len(), "the question and the row differ in width");
        match self {
            Level::Portable => dot(question, row),
            // SAFETY: a level is made by `all`, which looked for these instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::dot_avx2(question, row) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { x86::dot_avx512(question, row) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Level::Neon => unsafe { neon::dot(question, row) },
        }
    }

    /// For each row of a group the sum of the entries that its signs choose; `tables` and `codes` must be equally long.
    pub(super) fn sums(self, tables: &[Tables], codes: &[Codes]) -> [u16; GROUP] {
        assert_eq!(tables.len(), codes.len(), "the question and the group differ in width");
        match self {
            Level::Portable => sums(tables, codes),
            // SAFETY: a level is made by `all`, which looked for these instructions.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::sums_avx2(tables, codes) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { x86::sums_avx512(tables, codes) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Level::Neon => unsafe { neon::sums(tables, codes) },
        }
    }

    /// The most that the product with each row of a group may be, and which rows reach `needed`, as bits.
    pub(super) fn highest(self, group: &Sums<'_>, scale: &Scale, needed: f32) -> ([f32; GROUP], u32) {
        match self {
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { x86::highest_avx2(group, scale, needed) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { x86::highest_avx512(group, scale, needed) },
            _ => highest(group, scale, needed),
        }
    }
}

fn highest(group: &Sums<'_>, scale: &Scale, needed: f32) -> ([f32; GROUP], u32) {
    let high: [f32; GROUP] = std::array::from_fn(|row| {
        let estimate = (f32::from(group.sums[row]) * scale.step + scale.least) * group.factors[row];
        estimate + scale.caution * group.errors[row]
    });
    let reach = high.iter().enumerate().fold(0, |bits, (row, high)| bits | u32::from(*high >= needed) << row);
    (high, reach)
}

fn dot(question: &[Wide], row: &[Line]) -> i32 {
    let mut sum = 0;
    for (wide, line) in question.iter().zip(row) {
        for (a, b) in wide.0.iter().zip(&line.0) {
            sum += i32::from(*a) * i32::from(*b);
        }
    }
    sum
}

fn sums(tables: &[Tables], codes: &[Codes]) -> [u16; GROUP] {
    let mut sums = [0u16; GROUP];
    for (tables, codes) in tables.iter().zip(codes) {
        for (table, bytes) in tables.0.as_chunks::<16>().0.iter().zip(codes.0.as_chunks::<16>().0) {
            for (row, byte) in bytes.iter().enumerate() {
                sums[row] = sums[row].wrapping_add(table[usize::from(byte & 15)].into());
                sums[row + 16] = sums[row + 16].wrapping_add(table[usize::from(byte >> 4)].into());
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line() -> impl Strategy<Value = Line> {
        prop::array::uniform32(-127i8..=127).prop_map(|half| {
            Line(std::array::from_fn(|at| half[at % 32].wrapping_mul(1 - 2 * (at / 32) as i8)))
        })
    }

    fn bytes() -> impl Strategy<Value = [u8; 64]> {
        prop::array::uniform32(any::<u8>())
            .prop_map(|half| std::array::from_fn(|at| half[at % 32].rotate_left((at / 32) as u32)))
    }

    proptest! {
        /// Whatever a processor has gives what plain code gives.
        #[test]
        fn products_are_the_same_on_every_level(
            row in prop::collection::vec(line(), 0..9),
            numbers in prop::collection::vec(-16_000i16..16_000, 512..513),
        ) {
            let question: Vec<Wide> =
                numbers.chunks(LINE).take(row.len()).map(|part| Wide(part.try_into().unwrap())).collect();
            let row = &row[..question.len()];
            for level in Level::all() {
                prop_assert_eq!(level.dot(&question, row), dot(&question, row), "{:?}", level);
            }
        }

        #[test]
        fn sums_are_the_same_on_every_level(parts in prop::collection::vec((bytes(), bytes()), 0..64)) {
            let (tables, codes): (Vec<_>, Vec<_>) =
                parts.into_iter().map(|(tables, codes)| (Tables(tables), Codes(codes))).unzip();
            for level in Level::all() {
                prop_assert_eq!(level.sums(&tables, &codes), sums(&tables, &codes), "{:?}", level);
            }
        }
    }

    proptest! {
        #[test]
        fn bounds_are_the_same_on_every_level(
            sums in prop::array::uniform32(any::<u16>()),
            factors in prop::array::uniform32(0.0f32..2.0),
            errors in prop::array::uniform32(0.0f32..0.2),
            needed in -1.0f32..1.0,
        ) {
            let scale = Scale { step: 1e-4, least: -3.0, caution: 2.0 };
            let group = Sums { sums: &sums, factors: &factors, errors: &errors };
            let expected = highest(&group, &scale, needed);
            for row in 0..GROUP {
                prop_assert_eq!(expected.1 >> row & 1 == 1, expected.0[row] >= needed);
            }
            for level in Level::all() {
                prop_assert_eq!(level.highest(&group, &scale, needed), expected, "{:?}", level);
            }
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        // The largest product of all numbers that a probe lets through, and sums up to the last of 16 bits.
        let question = vec![Wide([4000; LINE]); 64];
        let row = vec![Line([-127; LINE]); 64];
        let (tables, codes) = (vec![Tables([255; 64]); 64], vec![Codes([0xf0; 64]); 64]);
        for level in Level::all() {
            assert_eq!(level.dot(&question, &row), -4000 * 127 * 4096, "{level:?}");
            assert_eq!(level.sums(&tables, &codes), [255 * 256; GROUP], "{level:?}");
        }
    }
}
