//! Tokens per second of a language model: `inference --model FILE.gguf [--prompt 512] [--generate 64] [--threads N]
//! [--kernel own|candle] [--repetitions 5] [--json]`.

use std::path::PathBuf;
use std::time::Instant;

use ambix_benches::{Options, median, peak_memory};
use ambix_core::Cancel;
use ambix_core::inference::{Kernel, LoadOptions, Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse(&["model", "prompt", "generate", "threads", "kernel", "repetitions"])?;
    let path: PathBuf = options.required("model")?.into();
    let prompt = options.number("prompt", 512)?;
    let generate = options.number("generate", 64)?;
    let threads = options.number("threads", 1)?;
    let repetitions = options.number("repetitions", 5)?.max(1);
    let kernel = match options.get("kernel") {
        None | Some("own") => Kernel::Own,
        Some("candle") => Kernel::Candle,
        Some(other) => return Err(format!("--kernel is own or candle, not {other}").into()),
    };
    let started = Instant::now();
    let model = Model::load(&path, &LoadOptions { threads, kernel, ..LoadOptions::default() })?;
    let load_seconds = started.elapsed().as_secs_f64();

    // Any tokens take the same time; these are spread over the vocabulary.
    let tokens: Vec<u32> = (0..prompt).map(|i| ((i * 7919 + 11) % model.info().vocabulary) as u32).collect();
    let cancel = Cancel::new();
    let mut cache = model.cache(prompt + generate)?;
    let (mut read, mut written) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        cache.truncate(0);
        let started = Instant::now();
        let mut logits = model.forward(&tokens, &mut cache, &cancel)?;
        read.push(prompt as f64 / started.elapsed().as_secs_f64());
        let started = Instant::now();
        for _ in 0..generate {
            let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0);
            logits = model.forward(&[best as u32], &mut cache, &cancel)?;
        }
        written.push(generate as f64 / started.elapsed().as_secs_f64());
    }
    options.print(&serde_json::json!({
        "model": path.display().to_string(),
        "kernel": format!("{kernel:?}").to_lowercase(),
        "threads": threads,
        "prompt": prompt,
        "generate": generate,
        "repetitions": repetitions,
        "prefill_tokens_per_second": median(&mut read),
        "generate_tokens_per_second": median(&mut written),
        "load_seconds": load_seconds,
        "weight_bytes": model.info().bytes,
        "peak_memory_bytes": peak_memory(),
    }));
    Ok(())
}
