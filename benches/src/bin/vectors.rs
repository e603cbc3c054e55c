//! Figures of the search for near vectors: `vectors [--sizes 1000,10000,100000] [--dimensions 256] [--questions 200]
//! [--count 10] [--threads 1] [--file NAME] [--cut N] [--json]`.
//!
//! For each size and way of scanning: times of a search in milliseconds by the clock, and of this thread on a processor; recall of the `--count` nearest against exact
//! arithmetic with 32-bit floats, bytes of memory for a vector, and the time to make the set. With `--file` the vectors are those
//! of NAME.vectors and the questions those of NAME.questions, rows of `--dimensions` little-endian 32-bit floats; otherwise they are
//! made up: clusters of 100 around centres that lie in 40 directions, from the same numbers each time. `--cut` keeps only the
//! first N numbers of each. With `--answers NAME` the questions' nearest are written to it
//! as 32-bit numbers, and recall is not measured.

use std::error::Error;
use std::fs;
use std::time::Instant;

use ambix_benches::{Options, median};
use ambix_core::retrieval::{Scan, VectorSet};
use rayon::prelude::*;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(&[
        "sizes",
        "dimensions",
        "questions",
        "count",
        "threads",
        "file",
        "cut",
        "answers",
        "scans",
    ])?;
    let dimensions = options.number("dimensions", 256)?.max(1);
    let cut = options.number("cut", dimensions)?;
    let count = options.number("count", 10)?;
    let questions = options.number("questions", 200)?;
    rayon::ThreadPoolBuilder::new().num_threads(options.number("threads", 1)?).build_global()?;
    let scans = options.get("scans").unwrap_or("every,estimated,chosen");
    let sets = match options.get("file") {
        Some(name) => {
            let mut asked = read(&format!("{name}.questions"), dimensions)?;
            asked.truncate(questions);
            vec![(read(&format!("{name}.vectors"), dimensions)?, asked)]
        }
        None => {
            let sizes = options.get("sizes").unwrap_or("1000,10000,100000").split(',').map(str::parse);
            let sizes: Vec<usize> = sizes.collect::<Result<_, _>>()?;
            sizes.into_iter().map(|size| made_up(size, questions, dimensions)).collect()
        }
    };
    for (rows, asked) in sets {
        let expected: Vec<Vec<usize>> =
            asked.par_iter().map(|question| exact(&rows, question, count)).collect();
        let short = |vectors: &[Vec<f32>]| vectors.iter().map(|row| row[..cut].to_vec()).collect::<Vec<_>>();
        let (rows, asked) = (short(&rows), short(&asked));
        let start = Instant::now();
        let set = VectorSet::new(&rows)?;
        let made = start.elapsed().as_secs_f64();
        for scan in [Scan::Every, Scan::Estimated, Scan::Chosen] {
            let name = format!("{scan:?}").to_lowercase();
            if !scans.split(',').any(|wanted| wanted == name) {
                continue;
            }
            let (mut answers, mut times) = (Vec::new(), Vec::new());
            let (start, begun) = (Instant::now(), processor_seconds());
            // What the system tells is not exact for a short time.
            while times.is_empty() || start.elapsed().as_secs_f64() < 2.0 {
                answers.clear();
                for question in &asked {
                    let start = Instant::now();
                    answers.push(set.nearest(question, count, None, scan)?);
                    times.push(start.elapsed().as_secs_f64() * 1000.0);
                }
            }
            let used = processor_seconds() - begun;
            let found: usize = answers
                .iter()
                .zip(&expected)
                .map(|(found, expected)| found.iter().filter(|(row, _)| expected.contains(row)).count())
                .sum();
            let wanted: usize = expected.iter().map(Vec::len).sum();
            if let Some(path) = options.get("answers") {
                let numbers = answers.iter().flatten().flat_map(|(row, _)| (*row as u32).to_le_bytes());
                fs::write(path, numbers.collect::<Vec<u8>>())?;
            }
            options.print(&json!({
                "vectors": rows.len(),
                "dimensions": cut,
                "scan": name,
                "p50_ms": median(&mut times),
                "p99_ms": times[times.len() * 99 / 100],
                "processor_ms": used * 1000.0 / times.len() as f64,
                "recall": (wanted > 0).then(|| found as f64 / wanted as f64),
                "bytes_per_vector": set.bytes() / rows.len(),
                "make_s": made,
            }));
        }
    }
    Ok(())
}

/// How long this thread ran, where the system tells: another program that runs meanwhile does not count.
fn processor_seconds() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.unwrap_or(f64::NAN) / 1e9
}

fn read(path: &str, dimensions: usize) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let numbers: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Ok(numbers.chunks_exact(dimensions).map(normalised).collect())
}

fn normalised(row: &[f32]) -> Vec<f32> {
    let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
    row.iter().map(|value| value / length.max(f32::MIN_POSITIVE)).collect()
}

/// The rows with the largest products, which are cosines: they all have length 1.
fn exact(rows: &[Vec<f32>], question: &[f32], count: usize) -> Vec<usize> {
    let dot = |a: &[f32], b: &[f32]| {
        let mut sums = [0.0f32; 16];
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
        for (a, b) in a.iter().zip(b) {
            (0..16).for_each(|lane| sums[lane] += a[lane] * b[lane]);
        }
        sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
    };
    let mut all: Vec<(f32, usize)> = (0..).zip(rows).map(|(at, row)| (dot(row, question), at)).collect();
    let count = count.min(all.len());
    if count > 0 && count < all.len() {
        all.select_nth_unstable_by(count - 1, |a, b| b.0.total_cmp(&a.0));
    }
    all.into_iter().take(count).map(|(_, row)| row).collect()
}

/// Vectors and questions of the same clusters.
fn made_up(size: usize, questions: usize, dimensions: usize) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let mut state = 1u64;
    let mut normal = move || {
        let mut sum = -6.0;
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += (state >> 40) as f32 / (1 << 24) as f32;
        }
        sum
    };
    let directions: Vec<Vec<f32>> = (0..40).map(|_| (0..dimensions).map(|_| normal()).collect()).collect();
    let mut mixed = |spread: f32| {
        let mut vector: Vec<f32> = (0..dimensions).map(|_| normal() * spread).collect();
        for direction in &directions {
            let weight = normal();
            vector.iter_mut().zip(direction).for_each(|(value, part)| *value += weight * part);
        }
        vector
    };
    let centres: Vec<Vec<f32>> = (0..size.div_ceil(100)).map(|_| mixed(1.0)).collect();
    let mut around = |at: usize| {
        let centre = &centres[at % centres.len()];
        let near: Vec<f32> =
            mixed(1.0).iter().zip(centre).map(|(value, centre)| centre + 0.7 * value).collect();
        normalised(&near)
    };
    let rows = (0..size).map(&mut around).collect();
    (rows, (0..questions).map(|at| around(at * 7919)).collect())
}
