//! Tokens per second of an encoder: `embed --model DIR [--length 128] [--batch 16] [--threads N] [--kernel own|candle]
//! [--precision fp32|int8] [--repetitions 5] [--json]`.

use std::path::PathBuf;
use std::time::Instant;

use aludel_benches::{Options, median, peak_memory};
use aludel_core::Cancel;
use aludel_core::inference::{Encoder, Kernel, LoadOptions, Precision};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options =
        Options::parse(&["model", "length", "batch", "threads", "kernel", "precision", "repetitions"])?;
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

    // Common words are one token each; the tokenizer adds two.
    let words =
        ["the", "code", "reads", "a", "list", "of", "names", "and", "writes", "each", "one", "to", "file"];
    let text: Vec<&str> = words.into_iter().cycle().take(length.saturating_sub(2)).collect();
    let text = text.join(" ");
    let tokens = encoder.count(&text)?;
    let texts = vec![text.as_str(); batch];
    let cancel = Cancel::new();
    let mut speeds = Vec::new();
    for _ in 0..repetitions {
        let started = Instant::now();
        encoder.embed(&texts, &cancel)?;
        speeds.push((tokens * batch) as f64 / started.elapsed().as_secs_f64());
    }
    options.print(&serde_json::json!({
        "model": path.display().to_string(),
        "kernel": format!("{kernel:?}").to_lowercase(),
        "precision": format!("{precision:?}").to_lowercase(),
        "threads": threads,
        "tokens_per_text": tokens,
        "batch": batch,
        "repetitions": repetitions,
        "tokens_per_second": median(&mut speeds),
        "load_seconds": load_seconds,
        "peak_memory_bytes": peak_memory(),
    }));
    Ok(())
}
