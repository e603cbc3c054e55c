//! Tiny random encoders of awkward sizes: our kernels against candle's, and what must not change a vector.
#![cfg(feature = "inference")]

use std::path::Path;

use ambix_core::inference::{Encoder, Kernel, LoadOptions, Precision};
use ambix_core::{Cancel, ErrorKind};

const WORDS: usize = 50;

/// Numbers that look random, within -1..1.
fn noise(count: usize, seed: u64) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count)
}

/// Writes an encoder whose every weight is noise.
fn write(folder: &Path, activation: &str, heads: usize, width: usize, inner: usize) {
    let config = serde_json::json!({
        "model_type": "bert", "hidden_act": activation, "hidden_size": width, "intermediate_size": inner,
        "layer_norm_eps": 1e-12, "max_position_embeddings": 300, "num_attention_heads": heads, "num_hidden_layers": 2,
        "type_vocab_size": 2, "vocab_size": WORDS,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        (0..WORDS).map(|word| (format!("w{word}"), word.into())).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "pre_tokenizer": { "type": "Whitespace" },
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "w0" },
    });
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();

    let mut tensors: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".into(), vec![WORDS, width]),
        ("embeddings.position_embeddings.weight".into(), vec![300, width]),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, width]),
        ("embeddings.LayerNorm.weight".into(), vec![width]),
        ("embeddings.LayerNorm.bias".into(), vec![width]),
    ];
    for layer in 0..2 {
        let mut add = |name: &str, outputs, inputs: Option<usize>| {
            let name = format!("encoder.layer.{layer}.{name}");
            tensors.push((format!("{name}.weight"), [Some(outputs), inputs].into_iter().flatten().collect()));
            tensors.push((format!("{name}.bias"), vec![outputs]));
        };
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            add(&format!("attention.{part}"), width, Some(width));
        }
        add("attention.output.LayerNorm", width, None);
        add("intermediate.dense", inner, Some(width));
        add("output.dense", width, Some(inner));
        add("output.LayerNorm", width, None);
    }
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (number, (name, shape)) in (1..).zip(tensors) {
        let start = data.len();
        // Normalisation stays near what it is in real models.
        let (base, scale) =
            if name.ends_with("LayerNorm.weight") { (1.0, 0.3) } else { (0.0, 1.5 / (width as f32).sqrt()) };
        for value in noise(shape.iter().product(), number) {
            data.extend_from_slice(&(base + scale * value).to_le_bytes());
        }
        let offsets = [start, data.len()];
        header.insert(name, serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": offsets }));
    }
    let header = serde_json::Value::from(header).to_string();
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
    std::fs::write(folder.join("model.safetensors"), file).unwrap();
}

fn load(folder: &Path, kernel: Kernel, precision: Precision, threads: usize) -> Encoder {
    Encoder::load(folder, &LoadOptions { kernel, precision, threads, ..LoadOptions::default() }).unwrap()
}

/// Texts of all lengths up to more than a batch, in no order.
fn texts() -> Vec<String> {
    (0..40)
        .map(|text| (0..1 + text * 59 % 283).map(|word| format!("w{} ", (word * 7 + text) % WORDS)).collect())
        .collect()
}

fn embed(encoder: &Encoder, texts: &[String]) -> Vec<Vec<f32>> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    encoder.embed(&texts, &Cancel::new()).unwrap()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[test]
fn vectors_are_those_of_candle_whatever_the_sizes() {
    let texts = texts();
    for (activation, heads, width, inner) in
        [("gelu", 2, 24, 40), ("gelu_new", 3, 48, 33), ("relu", 1, 17, 70), ("gelu", 4, 128, 256)]
    {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), activation, heads, width, inner);
        let candle = embed(&load(folder.path(), Kernel::Candle, Precision::Fp32, 1), &texts);
        for (precision, least) in [(Precision::Fp32, 0.999_999), (Precision::Int8, 0.998)] {
            let own = embed(&load(folder.path(), Kernel::Own, precision, 2), &texts);
            for (text, (own, candle)) in own.iter().zip(&candle).enumerate() {
                let cosine = cosine(own, candle);
                assert!(
                    cosine > least,
                    "{activation} {width} {precision:?}: text {text} has cosine {cosine}"
                );
            }
        }
    }
}

/// To the bit: else an index would not be the same when it is built at once and piece by piece.
#[test]
fn neither_company_nor_threads_change_a_vector() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "gelu", 2, 48, 96);
    let texts = texts();
    for precision in [Precision::Fp32, Precision::Int8] {
        let [one, three] = [1, 3].map(|threads| load(folder.path(), Kernel::Own, precision, threads));
        let together = embed(&one, &texts);
        assert_eq!(together, embed(&three, &texts));
        for (text, vector) in texts.iter().zip(&together) {
            assert_eq!(embed(&three, std::slice::from_ref(text))[0], *vector);
        }
        let lengths: f64 = together.iter().map(|vector| cosine(vector, vector)).sum();
        assert!((lengths - 40.0).abs() < 1e-4);
    }
}

#[test]
fn precisions_are_told_apart_and_have_their_own_ceilings() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "gelu", 2, 48, 96);
    let [floats, bytes] =
        [Precision::Fp32, Precision::Int8].map(|precision| load(folder.path(), Kernel::Own, precision, 1));
    assert_ne!(floats.fingerprint(), bytes.fingerprint());
    let kind = |kernel, precision, max_bytes| {
        let options = LoadOptions { kernel, precision, max_bytes: Some(max_bytes), ..LoadOptions::default() };
        Encoder::load(folder.path(), &options).err().map(|error| error.kind())
    };
    assert_eq!(kind(Kernel::Own, Precision::Fp32, 200_000), Some(ErrorKind::Limit));
    assert_eq!(kind(Kernel::Own, Precision::Int8, 200_000), None);
    assert_eq!(kind(Kernel::Own, Precision::Int8, 50_000), Some(ErrorKind::Limit));
    assert_eq!(kind(Kernel::Candle, Precision::Int8, 1 << 30), Some(ErrorKind::InvalidArgument));
    // A silent word has no vector to be scaled to length 1.
    assert_eq!(embed(&floats, &[String::new()]), [vec![0.0; 48]]);
    assert!(embed(&bytes, &[]).is_empty());
}

#[test]
fn what_cannot_be_run_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for (activation, heads, inner) in [("swish", 2, 8), ("gelu", 0, 8), ("gelu", 5, 8), ("gelu", 2, 0)] {
        write(folder.path(), activation, heads.max(1), 24, inner.max(1));
        let text = std::fs::read_to_string(folder.path().join("config.json")).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
        config["num_attention_heads"] = heads.into();
        config["intermediate_size"] = inner.into();
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let error = Encoder::load(folder.path(), &LoadOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Model, "{error}");
    }
}
