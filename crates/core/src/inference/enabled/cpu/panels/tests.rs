//! Every level against the definition.

use proptest::prelude::*;

use super::*;

/// Numbers that look random, within -1..1.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Fills a matrix that has two columns more than the product, which must stay as they are.
fn filled(rows: usize, columns: usize, fill: impl FnOnce(Target<'_>)) -> Vec<f32> {
    let mut out = vec![MaybeUninit::new(f32::NAN); rows * (columns + 2)];
    // SAFETY: there is no other target.
    fill(unsafe { Target::new(&mut out, columns + 2).part(0..rows, 1..columns + 1) });
    // SAFETY: all were written when the vector was made.
    let out: Vec<f32> = out.into_iter().map(|x| unsafe { x.assume_init() }).collect();
    let rows = out.chunks_exact(columns + 2).flat_map(|row| {
        assert!(row[0].is_nan() && row[columns + 1].is_nan(), "more was written than the product");
        &row[1..columns + 1]
    });
    rows.copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn products_of_floats_are_those_of_the_definition(
        rows in 0usize..30, columns in 1usize..70, depth in 1usize..90, gap in 0usize..5, biased: bool, seed: u64,
    ) {
        let stride = depth + gap;
        let (a, b) = (noise(rows * stride, seed), noise(columns * depth, seed ^ 1));
        let mut bias = noise(columns, seed ^ 2);
        let mut panels = Vec::new();
        pack(&b, depth, columns, depth, &mut panels);
        // The transposed matrix, packed as it is, gives the same panels.
        let transposed: Vec<f32> = (0..depth * columns).map(|at| b[at % columns * depth + at / columns]).collect();
        let mut same = Vec::new();
        pack_columns(&transposed, columns, depth, columns, &mut same);
        prop_assert_eq!(&panels, &same);
        bias.resize(columns.next_multiple_of(PANEL), 0.0);
        for level in InstructionSet::all() {
            let a = Rows { data: &a, stride, count: rows };
            let bias = biased.then_some(bias.as_slice());
            let got = filled(rows, columns, |target| multiply(level, a, depth, &panels, bias, target));
            for (at, got) in got.iter().enumerate() {
                let (row, column) = (at / columns, at % columns);
                let mut want = bias.map_or(0.0, |bias| f64::from(bias[column]));
                for k in 0..depth {
                    want += f64::from(a.data[row * stride + k]) * f64::from(b[column * depth + k]);
                }
                prop_assert!((f64::from(*got) - want).abs() < 1e-4, "{:?} {} {}: {} is not {}", level, row, column, got, want);
            }
            // A row's product is the same to the bit whatever rows it is among.
            if rows > 0 {
                let last = Rows { data: &a.data[(rows - 1) * stride..], stride, count: 1 };
                let alone = filled(1, columns, |target| multiply(level, last, depth, &panels, bias, target));
                prop_assert_eq!(&alone[..], &got[(rows - 1) * columns..]);
            }
        }
    }

    #[test]
    fn products_of_bytes_are_exact(
        rows in 0usize..30, columns in 1usize..70, quads in 1usize..40, extreme: bool, seed: u64,
    ) {
        let depth = quads * QUAD;
        // With the greatest numbers, sums of pairs would overflow 16 bits if they were summed carelessly.
        let byte = |x: f32| if extreme { 127f32.copysign(x) } else { (127.0 * x).round() } as i8;
        let a: Vec<i8> = noise(rows * depth, seed).into_iter().map(byte).collect();
        let b: Vec<i8> = noise(columns * depth, seed ^ 1).into_iter().map(byte).collect();
        let full = columns.next_multiple_of(PANEL);
        let (scales, bias) = (noise(full, seed ^ 2), noise(full, seed ^ 3));
        let mut quants = vec![0; full * depth];
        let mut column_sums = vec![0; full];
        for column in 0..columns {
            for row in 0..depth {
                let quant = b[column * depth + row];
                quants[byte_at(depth, row, column)] = quant;
                column_sums[column] += i32::from(quant);
            }
        }
        let offsets: Vec<i32> = noise(rows, seed ^ 5).into_iter().map(|x| (127.0 * x) as i32).collect();
        for level in InstructionSet::all() {
            let flip = if unsigned(level) { 128 } else { 0 };
            let rounded = ByteRows {
                count: rows,
                depth,
                quants: a.iter().map(|&quant| quant as u8 ^ flip).collect(),
                scales: noise(rows, seed ^ 4),
                offsets: offsets.iter().map(|offset| offset - i32::from(flip)).collect(),
            };
            let factor = ByteColumns { quants: &quants, scales: &scales, column_sums: &column_sums, bias: &bias };
            let got = filled(rows, columns, |target| multiply_bytes(level, &rounded, factor, target));
            for (at, got) in got.iter().enumerate() {
                let (row, column) = (at / columns, at % columns);
                let pairs = a[row * depth..][..depth].iter().zip(&b[column * depth..][..depth]);
                let sum: i32 = pairs.map(|(&a, &b)| (i32::from(a) + offsets[row]) * i32::from(b)).sum();
                let want = sum as f32 * (rounded.scales[row] * scales[column]) + bias[column];
                prop_assert_eq!(*got, want, "{:?} row {} column {}", level, row, column);
            }
        }
    }
}
