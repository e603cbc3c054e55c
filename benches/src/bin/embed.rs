//! Tokens per second of an encoder: `embed --model DIR [--length 128] [--batch 16] [--threads N] [--kernel own|candle]
//! [--precision fp32|int8] [--repetitions 5] [--texts FILE] [--vectors FILE] [--json]`.
//!
//! `--texts` names a file with a JSON string a line to encode instead of `batch` texts of `length` tokens; `--vectors` a file that
//! the vectors are written to, as 32-bit floats.

use std::path::PathBuf;
use std::time::Instant;

use ambix_benches::{Options, cpu_seconds, median, peak_memory};
use ambix_core::Cancel;
use ambix_core::inference::{Encoder, Kernel, LoadOptions, Precision};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse(&[
        "model",
        "length",
        "batch",
        "threads",
        "kernel",
        "precision",
        "repetitions",
        "texts",
        "vectors",
    ])?;
    let path: PathBuf = options.required("model")?.into();
    let length = options.number("length", 128)?;
    let batch = options.number("batch", 16)?;
    let threads = options.number("threads", 1)?;
    let repetitions = options.number("repetitions", 5)?.max(1);
    let kernel = match options.get("kernel") {
        None | Some("own") => Kernel::Own,
        Some("candle") => Kernel::Candle,
        Some(other) => return Err(format!("--kernel is own or candle, not {other}").into()),
    };
    let precision = match options.get("precision") {
        None | Some("fp32") => Precision::Fp32,
        Some("int8") => Precision::Int8,
        Some(other) => return Err(format!("--precision is fp32 or int8, not {other}").into()),
    };
    let started = Instant::now();
    let encoder =
        Encoder::load(&path, &LoadOptions { threads, kernel, precision, ..LoadOptions::default() })?;
    let load_seconds = started.elapsed().as_secs_f64();

    let texts = match options.get("texts") {
        Some(file) => std::fs::read_to_string(file)?
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<Vec<String>, _>>()?,
        None => vec![text(length); batch],
    };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let lengths = texts.iter().map(|text| encoder.count(text)).collect::<Result<Vec<_>, _>>()?;
    let tokens: usize = lengths.iter().sum();
    let cancel = Cancel::new();
    // The first time memory is taken and caches are filled.
    let vectors = encoder.embed(&texts, &cancel)?;
    if let Some(file) = options.get("vectors") {
        let bytes: Vec<u8> = vectors.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(file, bytes)?;
    }
    let (mut speeds, mut cpu_speeds) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        let (started, cpu_started) = (Instant::now(), cpu_seconds());
        encoder.embed(&texts, &cancel)?;
        speeds.push(tokens as f64 / started.elapsed().as_secs_f64());
        cpu_speeds.push(tokens as f64 / (cpu_seconds() - cpu_started));
    }
    options.print(&serde_json::json!({
        "model": path.display().to_string(),
        "kernel": format!("{kernel:?}").to_lowercase(),
        "precision": format!("{precision:?}").to_lowercase(),
        "threads": threads,
        "tokens_per_text": tokens as f64 / texts.len().max(1) as f64,
        "batch": texts.len(),
        "repetitions": repetitions,
        "tokens_per_second": median(&mut speeds),
        "tokens_per_cpu_second": median(&mut cpu_speeds),
        "load_seconds": load_seconds,
        "peak_memory_bytes": peak_memory(),
    }));
    Ok(())
}

/// A text of so many tokens: common words are one each, and the tokenizer adds two.
fn text(length: usize) -> String {
    let words =
        ["the", "code", "reads", "a", "list", "of", "names", "and", "writes", "each", "one", "to", "file"];
    let text: Vec<&str> = words.into_iter().cycle().take(length.saturating_sub(2)).collect();
    text.join(" ")
}
