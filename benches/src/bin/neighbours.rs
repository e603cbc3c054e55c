//! Ways to find near vectors in large collections, side by side: `neighbours --roots DIR,DIR… --questions FILE,FILE…
//! [--sizes 300000,1000000,3000000] [--ways scan,cells,hnsw] [--threads 1,2] [--links 16] [--width 200] [--beams 20,40,80,160,320]
//! [--limit 1500] [--json]`.
//!
//! The vectors are those of the chunks in the folders, by the shipped static encoder, and as many more as a size asks for: a
//! chunk's vector moved towards that of a chunk less than 200 places away, which mostly is of the same package, by up to
//! 0.7 of the way, and by noise. In each dimension the noise is between 0.1 and 0.5 of the standard deviation there.
//! There are two kinds of questions: the field `query` of each line of the files, and chunks that are left out of the
//! collection (one of 200). Recall is counted against exact 32-bit arithmetic.
//!
//! Times of a search are of a processor, in milliseconds; with other work on the machine those by the clock say little.
//! `--limit` is how many seconds a graph may take to build; one that takes longer is stopped, and how far it came is
//! printed. `hnsw` needs the feature `hnsw`. 3 million vectors need 5 GiB of memory, and a graph of them 8 more.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use ambix_benches::{Options, cpu_seconds, median, peak_memory};
use ambix_core::Cancel;
use ambix_core::project::BuildOptions;
use ambix_core::retrieval::{Embedder, Index, Scan, StaticEncoder, VectorSet};
use rayon::prelude::*;
use serde_json::{Value, json};

/// How many neighbours recall is counted of.
const COUNTS: [usize; 3] = [10, 50, 150];

/// So many questions of each kind are asked.
const ASKED: usize = 150;

type Rows = Vec<Vec<f32>>;

/// Questions of one kind.
struct Questions {
    kind: &'static str,
    rows: Rows,
}

/// What all ways are asked, and what is right.
struct Task {
    rows: Rows,
    questions: Vec<Questions>,
    /// Of each kind, for each question the nearest rows, best first.
    expected: Vec<Vec<Vec<usize>>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let known = ["roots", "questions", "sizes", "ways", "threads", "links", "width", "limit", "beams"];
    let options = Options::parse(&known)?;
    let (base, mut questions) = real(&options)?;
    eprintln!("{} vectors of chunks", base.len());
    questions.iter_mut().for_each(|questions| questions.rows.truncate(ASKED));
    let mut task = Task { rows: Vec::new(), questions, expected: Vec::new() };
    for size in options.get("sizes").unwrap_or("300000,1000000,3000000").split(',') {
        let size = size.parse()?;
        task.rows = widened(&base, size);
        let exact = |questions: &Questions| {
            questions.rows.par_iter().map(|question| exact(&task.rows, question)).collect::<Vec<_>>()
        };
        task.expected = task.questions.iter().map(exact).collect();
        for way in options.get("ways").unwrap_or("scan").split(',') {
            match way {
                "scan" => scan(&options, &task)?,
                "cells" => cells(&options, &task)?,
                #[cfg(feature = "hnsw")]
                "hnsw" => hnsw::measure(&options, &task)?,
                _ => return Err(format!("there is no way {way:?}, or not without a feature").into()),
            }
        }
    }
    Ok(())
}

/// The vectors of the folders' chunks and the questions.
fn real(options: &Options) -> Result<(Rows, Vec<Questions>), Box<dyn Error>> {
    let encoder = StaticEncoder::shipped()?;
    let cancel = Cancel::new();
    let (mut base, mut left_out) = (Vec::new(), Vec::new());
    for root in options.required("roots")?.split(',') {
        let index = Index::build(Path::new(root), &BuildOptions::default(), &mut |_| {}, &cancel)?
            .with_encoder(std::sync::Arc::new(StaticEncoder::shipped()?), &cancel)?;
        let dense = index.dense();
        for row in dense.data.chunks_exact(dense.dimensions.max(1)) {
            let at = base.len() + left_out.len();
            if at % 200 == 199 { left_out.push(row.to_vec()) } else { base.push(row.to_vec()) }
        }
    }
    let mut asked = Vec::new();
    for file in options.required("questions")?.split(',') {
        for line in fs::read_to_string(file)?.lines() {
            let question: Value = serde_json::from_str(line)?;
            let query = question["query"].as_str().ok_or("a question has no query")?;
            asked.push(normalised(encoder.embed_query(query, &cancel)?));
        }
    }
    let step = (asked.len() / ASKED).max(1);
    let asked = asked.into_iter().step_by(step).collect();
    let step = (left_out.len() / ASKED).max(1);
    let left_out = left_out.into_iter().step_by(step).collect();
    Ok((base, vec![Questions { kind: "text", rows: asked }, Questions { kind: "chunk", rows: left_out }]))
}

/// The first `size` of `base`, or as many more as are missing, made from them.
fn widened(base: &Rows, size: usize) -> Rows {
    let dimensions = base[0].len();
    let mean = |at: usize| base.iter().map(|row| row[at]).sum::<f32>() / base.len() as f32;
    let spread: Vec<f32> = (0..dimensions)
        .map(|at| {
            let mean = mean(at);
            (base.iter().map(|row| (row[at] - mean).powi(2)).sum::<f32>() / base.len() as f32).sqrt()
        })
        .collect();
    let made = |number: usize| {
        let mut random = Random(number as u64);
        let from = random.below(base.len());
        let to = (from + random.below(400)).saturating_sub(200).min(base.len() - 1);
        let (share, noise) = (0.7 * random.uniform(), 0.1 + 0.4 * random.uniform());
        let numbers = (0..dimensions).map(|at| {
            base[from][at] * (1.0 - share) + base[to][at] * share + noise * spread[at] * random.normal()
        });
        normalised(numbers.collect())
    };
    (0..size).into_par_iter().map(|at| base.get(at).cloned().unwrap_or_else(|| made(at))).collect()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }

    fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        ((0..6).map(|_| self.uniform()).sum::<f32>() - 3.0) * std::f32::consts::SQRT_2
    }
}

fn normalised(mut row: Vec<f32>) -> Vec<f32> {
    let length = row.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    row.iter_mut().for_each(|value| *value /= length);
    row
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        (0..16).for_each(|lane| sums[lane] += a[lane] * b[lane]);
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// The rows with the largest products, which are cosines: they all have length 1.
fn exact(rows: &Rows, question: &[f32]) -> Vec<usize> {
    let count = COUNTS[COUNTS.len() - 1].min(rows.len());
    let mut all: Vec<(f32, usize)> = rows.iter().map(|row| dot(row, question)).zip(0..).collect();
    all.select_nth_unstable_by(count - 1, |a, b| b.0.total_cmp(&a.0));
    all.truncate(count);
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Not in place: that would keep the room of all for each question.
    all.iter().map(|(_, row)| *row).collect()
}

fn scan(options: &Options, task: &Task) -> Result<(), Box<dyn Error>> {
    let (start, begun) = (Instant::now(), cpu_seconds());
    let set = VectorSet::new(&task.rows)?;
    let built =
        Built { wall_s: start.elapsed().as_secs_f64(), cpu_s: cpu_seconds() - begun, bytes: set.bytes() };
    for threads in options.get("threads").unwrap_or("1,2").split(',') {
        let threads: usize = threads.parse()?;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let search = |question: &[f32], count: usize| {
            let found = pool.install(|| set.nearest(question, count, None, Scan::Estimated));
            found.map(|found| found.into_iter().map(|(row, _)| row).collect()).map_err(Into::into)
        };
        ask(options, task, &built, &json!({"way": "scan", "threads": threads}), search)?;
    }
    Ok(())
}

fn cells(options: &Options, task: &Task) -> Result<(), Box<dyn Error>> {
    let set = VectorSet::new(&task.rows)?;
    let (start, begun) = (Instant::now(), cpu_seconds());
    set.make_cells();
    let built =
        Built { wall_s: start.elapsed().as_secs_f64(), cpu_s: cpu_seconds() - begun, bytes: set.bytes() };
    let search = |question: &[f32], count: usize| {
        Ok(set.nearest(question, count, None, Scan::Chosen)?.into_iter().map(|(row, _)| row).collect())
    };
    ask(options, task, &built, &json!({"way": "cells", "threads": 1}), search)
}

/// What it took to make ready for searches.
struct Built {
    wall_s: f64,
    cpu_s: f64,
    bytes: usize,
}

/// Asks all questions and prints a line for each kind and count.
fn ask(
    options: &Options,
    task: &Task,
    built: &Built,
    what: &Value,
    search: impl Fn(&[f32], usize) -> Result<Vec<usize>, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    for count in COUNTS {
        for (questions, expected) in task.questions.iter().zip(&task.expected) {
            let (mut found, mut wanted, mut times) = (0, 0, Vec::new());
            let (begun, start) = (cpu_seconds(), Instant::now());
            // What the system tells is not exact for a short time.
            while times.is_empty() || start.elapsed().as_secs_f64() < 1.0 {
                for (question, expected) in questions.rows.iter().zip(expected) {
                    let start = Instant::now();
                    let answer = search(question, count)?;
                    times.push(start.elapsed().as_secs_f64() * 1000.0);
                    found += answer.iter().filter(|row| expected[..count].contains(row)).count();
                    wanted += count;
                }
            }
            let mut line = json!({
                "vectors": task.rows.len(),
                "asked": questions.kind,
                "count": count,
                "recall": found as f64 / wanted as f64,
                "cpu_ms": (cpu_seconds() - begun) * 1000.0 / times.len() as f64,
                "p50_ms": median(&mut times),
                "bytes_per_vector": built.bytes / task.rows.len(),
                "build_s": built.wall_s,
                "build_cpu_s": built.cpu_s,
                "peak_mib": peak_memory().unwrap_or(0) >> 20,
            });
            for (name, value) in what.as_object().into_iter().flatten() {
                line[name] = value.clone();
            }
            options.print(&line);
        }
    }
    Ok(())
}

#[cfg(feature = "hnsw")]
mod hnsw {
    use hnsw_rs::prelude::{DistDot, Hnsw};

    use super::*;

    /// So many are inserted before the clock is looked at.
    const BATCH: usize = 5000;

    /// Its distance of vectors of length 1 panics where a product is more than 1.
    const LENGTH: f32 = 0.999;

    pub(super) fn measure(options: &Options, task: &Task) -> Result<(), Box<dyn Error>> {
        let (links, width) = (options.number("links", 16)?, options.number("width", 200)?);
        let limit = options.number("limit", 1500)? as f64;
        let before = resident();
        let (start, begun) = (Instant::now(), cpu_seconds());
        let graph = Hnsw::<f32, DistDot>::new(links, task.rows.len(), 16, width, DistDot {});
        for (at, rows) in (0..).step_by(BATCH).zip(task.rows.chunks(BATCH)) {
            let rows: Rows =
                rows.iter().map(|row| row.iter().map(|value| value * LENGTH).collect()).collect();
            let numbered: Vec<(&Vec<f32>, usize)> = rows.iter().zip(at..).collect();
            graph.parallel_insert(&numbered);
            let inserted = at + rows.len();
            if start.elapsed().as_secs_f64() > limit || inserted.is_multiple_of(50_000) {
                options.print(&json!({
                    "way": "hnsw", "links": links, "width": width, "vectors": task.rows.len(),
                    "inserted": inserted,
                    "build_s": start.elapsed().as_secs_f64(),
                    "build_cpu_s": cpu_seconds() - begun,
                    "bytes_per_vector": resident().saturating_sub(before) / inserted,
                }));
            }
            if start.elapsed().as_secs_f64() > limit {
                return Ok(());
            }
        }
        let built = Built {
            wall_s: start.elapsed().as_secs_f64(),
            cpu_s: cpu_seconds() - begun,
            bytes: resident().saturating_sub(before),
        };
        for beam in options.get("beams").unwrap_or("20,40,80,160,320").split(',') {
            let beam: usize = beam.parse()?;
            let search = |question: &[f32], count: usize| {
                let question: Vec<f32> = question.iter().map(|value| value * LENGTH).collect();
                let found = graph.search(&question, count, beam.max(count));
                Ok(found.into_iter().map(|found| found.d_id).collect())
            };
            let what = json!({"way": "hnsw", "threads": 1, "links": links, "width": width, "beam": beam});
            ask(options, task, &built, &what, search)?;
        }
        Ok(())
    }

    /// The bytes of memory that this process holds now, where the system tells.
    fn resident() -> usize {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim()
            .strip_suffix(" kB")
            .and_then(|kilobytes| kilobytes.trim().parse::<usize>().ok())
            .unwrap_or(0)
            << 10
    }
}
