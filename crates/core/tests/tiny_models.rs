//! Tiny random models of each architecture, against the logits that transformers computes with the same weights, and what
//! becomes of damaged model files. `reference/tiny.py` makes both.
#![cfg(feature = "inference")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ambix_core::inference::{
    ChatOptions, Encoder, Event, FinishReason, GenerationRequest, Kernel, LoadOptions, Message, Model,
    Prompt, Sampling, Score, generate, generate_with, log_probability, score,
};
use ambix_core::{Cancel, ErrorKind};
use proptest::prelude::*;

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference").join(name)
}

fn options(kernel: Kernel) -> LoadOptions {
    LoadOptions { threads: 1, kernel, ..LoadOptions::default() }
}

fn load(name: &str, kernel: Kernel) -> Model {
    Model::load(&reference(&format!("tiny-{name}.gguf")), &options(kernel)).unwrap()
}

#[derive(serde::Deserialize)]
struct Expected {
    tokens: Vec<u32>,
    logits: Vec<Vec<f32>>,
}

fn expected(name: &str) -> Expected {
    let text = std::fs::read_to_string(reference(&format!("tiny-{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn greatest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Computes the logits at once and token by token, and compares both with the reference.
fn check(name: &str, kernel: Kernel, allowed: f32) {
    let (model, Expected { tokens, logits }) = (load(name, kernel), expected(name));
    let cancel = Cancel::new();
    let at_once = model.forward_all(&tokens, &mut model.cache(tokens.len()).unwrap(), &cancel).unwrap();
    let difference = greatest_difference(&at_once, &logits.concat());
    assert!(difference <= allowed, "{name} {kernel:?}: at once, logits differ by {difference}");
    let mut cache = model.cache(64).unwrap();
    for (token, expected) in tokens.iter().zip(&logits) {
        let got = model.forward(&[*token], &mut cache, &cancel).unwrap();
        let difference = greatest_difference(&got, expected);
        assert!(difference <= allowed, "{name} {kernel:?}: one by one, logits differ by {difference}");
    }
    // Forgetting and computing again, in pieces, gives the same.
    cache.truncate(3);
    model.forward(&tokens[3..7], &mut cache, &cancel).unwrap();
    let got = model.forward(&tokens[7..], &mut cache, &cancel).unwrap();
    let difference = greatest_difference(&got, logits.last().unwrap());
    assert!(difference <= allowed, "{name} {kernel:?}: in pieces, logits differ by {difference}");
}

#[test]
fn logits_are_those_of_transformers() {
    for kernel in [Kernel::Own, Kernel::Candle] {
        for name in ["llama", "qwen2", "qwen3"] {
            check(name, kernel, 2e-4);
        }
        // Activations are rounded to eight bits here, by blocks as wide as the whole model.
        check("llama-quantised", kernel, 0.35);
    }
}

/// Rounding to eight bits must not cost more than it does in candle's kernels, which round in the same way.
#[test]
fn rounding_costs_no_more_than_in_candle() {
    let Expected { tokens, logits } = expected("llama-quantised");
    let [own, candle] = [Kernel::Own, Kernel::Candle].map(|kernel| {
        let model = load("llama-quantised", kernel);
        let got =
            model.forward_all(&tokens, &mut model.cache(tokens.len()).unwrap(), &Cancel::new()).unwrap();
        let squares: f32 = got.iter().zip(logits.iter().flatten()).map(|(a, b)| (a - b) * (a - b)).sum();
        (squares / got.len() as f32).sqrt()
    });
    println!("root mean square errors: own {own}, candle {candle}");
    assert!(own < 1.2 * candle, "own {own}, candle {candle}");
}

#[test]
fn threads_change_nothing_and_are_told_when_they_start() {
    let Expected { tokens, .. } = expected("llama-quantised");
    let started = Arc::new(AtomicUsize::new(0));
    let logits = [1, 3].map(|threads| {
        let started = started.clone();
        let on_thread_start: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            started.fetch_add(1, Ordering::SeqCst);
        });
        let options =
            LoadOptions { threads, on_thread_start: Some(on_thread_start), ..LoadOptions::default() };
        let model = Model::load(&reference("tiny-llama-quantised.gguf"), &options).unwrap();
        model.forward_all(&tokens, &mut model.cache(32).unwrap(), &Cancel::new()).unwrap()
    });
    assert_eq!(logits[0], logits[1]);
    assert!(started.load(Ordering::SeqCst) >= 2);
}

#[test]
fn caches_have_limits_and_belong_to_a_model() {
    let (model, cancel) = (load("llama", Kernel::Own), Cancel::new());
    let kind = |result: ambix_core::Result<Vec<f32>>| result.err().map(|error| error.kind());
    let mut cache = model.cache(4).unwrap();
    assert_eq!(kind(model.forward(&[1; 5], &mut cache, &cancel)), Some(ErrorKind::Limit));
    assert_eq!(kind(model.forward(&[], &mut cache, &cancel)), Some(ErrorKind::InvalidArgument));
    assert_eq!(kind(model.forward(&[9999], &mut cache, &cancel)), Some(ErrorKind::InvalidArgument));
    assert!(cache.tokens().is_empty());
    assert!(model.forward(&[1; 4], &mut cache, &cancel).is_ok());
    assert_eq!(kind(model.forward(&[1], &mut cache, &cancel)), Some(ErrorKind::Limit));
    let mut foreign = load("qwen3", Kernel::Own).cache(4).unwrap();
    assert_eq!(kind(model.forward(&[1], &mut foreign, &cancel)), Some(ErrorKind::InvalidArgument));
    assert_eq!(model.cache(0).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(model.cache(513).unwrap_err().kind(), ErrorKind::InvalidArgument);
    cancel.cancel();
    cache.truncate(0);
    assert_eq!(kind(model.forward(&[1], &mut cache, &cancel)), Some(ErrorKind::Cancelled));
    assert!(cache.tokens().is_empty());
}

#[test]
fn text_becomes_tokens_and_comes_back() {
    for name in ["llama", "llama-quantised", "qwen2", "qwen3"] {
        let model = load(name, Kernel::Own);
        let tokenizer = model.tokenizer();
        for text in ["hello the 1234 é", "  \n\n two  lines\t", "日本語 🎉", ""] {
            let tokens = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.decode(&tokens), text, "{name}");
            assert_eq!(tokenizer.count(text).unwrap(), tokens.len());
        }
        assert_eq!(tokenizer.encode("hello the").unwrap(), [260, 261], "{name}");
        let mut prompt = Prompt::default();
        prompt.push_template("<|begin|>é<|im_end|>");
        assert_eq!(tokenizer.encode_prompt(&prompt).unwrap(), [264, 263, 265], "{name}");
        let text = tokenizer.encode_prompt(&Prompt::from("<|begin|>é<|im_end|>")).unwrap();
        assert!(text.len() > 10 && !text[1..].contains(&264) && !text.contains(&265), "{name}: {text:?}");
        assert_eq!(tokenizer.decode(&[264, 260, 265, 4_000_000]), "hello");
        assert_eq!(tokenizer.end_of_text(), [265]);
        assert_eq!(tokenizer.begin_of_text(), Some(264));
        // GPT-2 keeps digits together; the others cut them apart, so that "12" can never be one token.
        let together = tokenizer.encode("12").unwrap() == [262];
        assert_eq!(together, name == "llama", "{name}");
    }
}

#[test]
fn sentence_pieces_are_those_of_llama_cpp() {
    #[derive(serde::Deserialize)]
    struct Cut {
        text: String,
        tokens: Vec<u32>,
    }
    #[derive(serde::Deserialize)]
    struct Cuts {
        cases: Vec<Cut>,
    }
    let Cuts { cases } = serde_json::from_str(include_str!("reference/pieces.json")).unwrap();
    let model = load("sentencepiece", Kernel::Own);
    let tokenizer = model.tokenizer();
    for Cut { text, tokens } in cases {
        assert_eq!(tokenizer.encode(&text).unwrap(), tokens, "{text:?}");
        assert_eq!(tokenizer.decode(&tokens), text);
        assert_eq!(tokenizer.encode_prompt(&text.as_str().into()).unwrap()[0], 1);
    }
}

#[test]
fn conversations_are_rendered_by_the_template_in_the_file() {
    let model = load("qwen2", Kernel::Own);
    let messages = [Message::new("user", "Hi"), Message::new("assistant", "Yes?")];
    let text = |answer| {
        let options = ChatOptions { answer, ..ChatOptions::default() };
        model.chat_prompt(&messages, &options).unwrap().text().to_owned()
    };
    assert_eq!(text(true), "user: Hi\nassistant: Yes?\nassistant:");
    assert_eq!(text(false), "user: Hi\nassistant: Yes?\n");
}

fn request(model: &Model, change: impl Fn(&mut GenerationRequest)) -> GenerationRequest {
    let prompt = model.tokenizer().encode("hello the world").unwrap();
    let mut request =
        GenerationRequest { prompt, max_tokens: 24, logprobs: true, ..GenerationRequest::default() };
    change(&mut request);
    request
}

#[test]
fn generation_streams_what_it_returns() {
    let model = load("qwen3", Kernel::Own);
    let hot = Sampling { temperature: 1.5, top_k: 50, seed: 5, ..Sampling::default() };
    for sampling in [Sampling::default(), hot] {
        let request = request(&model, |request| request.sampling = sampling.clone());
        let (mut text, mut tokens, mut logprobs, mut prefilled) = (String::new(), Vec::new(), Vec::new(), 0);
        let mut receive = |event: Event<'_>| {
            match event {
                Event::Prefill { done, total } => prefilled = done.min(total),
                Event::Token { token, logprob } => {
                    tokens.push(token);
                    logprobs.extend(logprob);
                }
                Event::Text(piece) => text.push_str(piece),
            }
            ControlFlow::Continue(())
        };
        let generation = generate(&model, &request, &mut receive, &Cancel::new()).unwrap();
        assert_eq!((&generation.text, &generation.tokens, &generation.logprobs), (&text, &tokens, &logprobs));
        assert_eq!(generation.logprobs.len(), generation.tokens.len());
        assert_eq!((prefilled, generation.prompt_tokens), (request.prompt.len(), request.prompt.len()));
        assert_eq!(generation.text, model.tokenizer().decode(&generation.tokens));
        assert!(matches!(generation.finish_reason, FinishReason::Length | FinishReason::EndOfText));
        let again = generate(&model, &request, &mut |_| ControlFlow::Continue(()), &Cancel::new()).unwrap();
        assert_eq!(again.tokens, generation.tokens);
    }
}

#[test]
fn greedy_tokens_are_the_most_probable_ones() {
    let model = load("llama", Kernel::Own);
    let request = request(&model, |_| ());
    let generation = generate(&model, &request, &mut |_| ControlFlow::Continue(()), &Cancel::new()).unwrap();
    let mut cache = model.cache(64).unwrap();
    let mut logits = model.forward(&request.prompt, &mut cache, &Cancel::new()).unwrap();
    for (token, logprob) in generation.tokens.iter().zip(&generation.logprobs) {
        assert!(logits.iter().all(|&logit| logit <= logits[*token as usize]));
        assert!((log_probability(&logits, *token) - logprob).abs() < 1e-4);
        logits = model.forward(&[*token], &mut cache, &Cancel::new()).unwrap();
    }
}

#[test]
fn generations_end_as_they_are_told() {
    let model = load("llama", Kernel::Own);
    let whole =
        generate(&model, &request(&model, |_| ()), &mut |_| ControlFlow::Continue(()), &Cancel::new())
            .unwrap();
    // A text from the middle of the answer, longer than one token, must end the next answer before it.
    let (start, _) = whole.text.char_indices().nth(4).unwrap();
    let (end, _) = whole.text.char_indices().nth(8).unwrap();
    let stop = whole.text[start..end].to_owned();
    let before = &whole.text[..whole.text.find(&stop).unwrap()];
    let stopping = request(&model, |request| request.stop = vec![stop.clone()]);
    let stopped = generate(&model, &stopping, &mut |_| ControlFlow::Continue(()), &Cancel::new()).unwrap();
    assert_eq!((stopped.text.as_str(), stopped.finish_reason), (before, FinishReason::Stop));

    let none = generate(
        &model,
        &request(&model, |r| r.max_tokens = 0),
        &mut |_| ControlFlow::Continue(()),
        &Cancel::new(),
    );
    assert_eq!(none.unwrap().finish_reason, FinishReason::Length);
    let mut left = 3;
    let mut impatient = |event: Event<'_>| {
        left -= usize::from(matches!(event, Event::Token { .. }));
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let aborted = generate(&model, &request(&model, |_| ()), &mut impatient, &Cancel::new()).unwrap();
    assert_eq!((aborted.tokens.len(), aborted.finish_reason), (3, FinishReason::Aborted));
    let aborted =
        generate(&model, &request(&model, |_| ()), &mut |_| ControlFlow::Break(()), &Cancel::new()).unwrap();
    assert_eq!((aborted.tokens.len(), aborted.finish_reason), (0, FinishReason::Aborted));

    let cancel = Cancel::new();
    let mut pull = |_: Event<'_>| {
        cancel.cancel();
        ControlFlow::Continue(())
    };
    let cancelled = generate(&model, &request(&model, |_| ()), &mut pull, &cancel);
    assert_eq!(cancelled.unwrap_err().kind(), ErrorKind::Cancelled);
    for change in [
        (|r: &mut GenerationRequest| r.prompt.clear()) as fn(&mut GenerationRequest),
        |r| r.sampling.temperature = f32::NAN,
        |r| r.sampling.top_p = 0.0,
        |r| r.stop = vec![String::new()],
        |r| r.prompt = vec![1; 600],
    ] {
        let refused =
            generate(&model, &request(&model, change), &mut |_| ControlFlow::Continue(()), &Cancel::new());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    // An answer that would not fit into the context is cut short there.
    let long = request(&model, |r| {
        r.prompt = vec![1; 508];
        r.max_tokens = 100;
    });
    let cut = generate(&model, &long, &mut |_| ControlFlow::Continue(()), &Cancel::new()).unwrap();
    assert!(cut.tokens.len() <= 5 && cut.finish_reason != FinishReason::Stop);
}

#[test]
fn sessions_compute_only_what_is_new() {
    let model = load("qwen2", Kernel::Own);
    let mut cache = model.cache(128).unwrap();
    let first = request(&model, |_| ());
    let mut ignore = |_: Event<'_>| ControlFlow::Continue(());
    let answer = generate_with(&model, &mut cache, &first, &mut ignore, &Cancel::new()).unwrap();
    assert_eq!(answer.cached_tokens, 0);
    let mut second = first.clone();
    second.prompt.extend(&answer.tokens[..10]);
    let warm = generate_with(&model, &mut cache, &second, &mut ignore, &Cancel::new()).unwrap();
    assert_eq!(warm.cached_tokens, second.prompt.len() - 1);
    let cold = generate(&model, &second, &mut ignore, &Cancel::new()).unwrap();
    assert_eq!(warm.tokens, cold.tokens);
}

#[test]
fn scores_are_sums_of_log_probabilities() {
    let model = load("qwen3", Kernel::Own);
    let tokenizer = model.tokenizer();
    let long = "the 12 é ".repeat(9);
    let texts = [" the", "hello hello", "", long.as_str(), " the"];
    let scores = score(&model, "hello", &texts, &Cancel::new()).unwrap();
    for (text, Score { logprob, tokens }) in texts.iter().zip(&scores) {
        let mut cache = model.cache(256).unwrap();
        let mut logits =
            model.forward(&tokenizer.encode("hello").unwrap(), &mut cache, &Cancel::new()).unwrap();
        let continuation = tokenizer.encode(text).unwrap();
        assert_eq!(continuation.len(), *tokens);
        let mut sum = 0.0;
        for token in continuation {
            sum += f64::from(log_probability(&logits, token));
            logits = model.forward(&[token], &mut cache, &Cancel::new()).unwrap();
        }
        assert!((sum - logprob).abs() < 1e-3, "{text:?}: {logprob} is not {sum}");
    }
    assert_eq!(scores[0], scores[4]);
    assert_eq!(score(&model, "", &["a"], &Cancel::new()).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn tokenizers_must_belong_to_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let foreign = r#"{"version":"1.0","model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}}"#;
    for (text, kind) in [(foreign, ErrorKind::Model), ("{", ErrorKind::Model)] {
        std::fs::write(&path, text).unwrap();
        let options = LoadOptions { tokenizer: Some(path.clone()), ..LoadOptions::default() };
        let error = Model::load(&reference("tiny-llama.gguf"), &options).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
fn ceilings_and_cancellation_hold_before_loading() {
    let path = reference("tiny-llama.gguf");
    let kind = |options: &LoadOptions| Model::load(&path, options).err().map(|error| error.kind());
    assert_eq!(
        kind(&LoadOptions { max_bytes: Some(10_000), ..LoadOptions::default() }),
        Some(ErrorKind::Limit)
    );
    assert_eq!(kind(&LoadOptions { max_bytes: Some(1 << 20), ..LoadOptions::default() }), None);
    let options = LoadOptions::default();
    options.cancel.cancel();
    assert_eq!(kind(&options), Some(ErrorKind::Cancelled));
    assert_eq!(
        Model::load(Path::new("/no/such.gguf"), &LoadOptions::default()).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

/// The BEAM gives native code a stack of about this size.
#[test]
fn a_small_stack_is_enough() {
    let work = || {
        for name in ["llama-quantised", "qwen3", "sentencepiece"] {
            let model = load(name, Kernel::Own);
            let request = GenerationRequest {
                prompt: model.tokenizer().encode(&"the ".repeat(20)).unwrap(),
                max_tokens: 4,
                ..GenerationRequest::default()
            };
            generate(&model, &request, &mut |_| ControlFlow::Continue(()), &Cancel::new()).unwrap();
            model.tokenizer().encode(&" ".repeat(100_000)).unwrap();
            model.tokenizer().encode(&"x".repeat(100_000)).unwrap();
        }
    };
    std::thread::Builder::new().stack_size(320 * 1024).spawn(work).unwrap().join().unwrap();
}

#[test]
fn folders_without_an_encoder_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let kind = || Encoder::load(folder.path(), &LoadOptions::default()).unwrap_err().kind();
    assert_eq!(kind(), ErrorKind::NotFound);
    std::fs::write(folder.path().join("config.json"), "{}").unwrap();
    assert_eq!(kind(), ErrorKind::Model);
    let config = r#"{"model_type":"bert","hidden_act":"gelu","hidden_size":8,"intermediate_size":8,"layer_norm_eps":1e-12,
        "max_position_embeddings":8,"num_attention_heads":2,"num_hidden_layers":1,"type_vocab_size":2,"vocab_size":30}"#;
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    assert_eq!(kind(), ErrorKind::NotFound);
    std::fs::write(folder.path().join("model.safetensors"), [255; 64]).unwrap();
    assert_eq!(kind(), ErrorKind::Corrupt);
    std::fs::write(folder.path().join("model.safetensors"), b"\x02\0\0\0\0\0\0\0{}").unwrap();
    assert_eq!(kind(), ErrorKind::NotFound);
    std::fs::write(
        folder.path().join("tokenizer.json"),
        r#"{"model":{"type":"BPE","vocab":{"a":0},"merges":[]}}"#,
    )
    .unwrap();
    assert_eq!(kind(), ErrorKind::Model);
}

/// Loads bytes as a model and, if that works, computes with it.
fn try_bytes(bytes: &[u8]) -> ambix_core::Result<Vec<f32>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    let model = Model::load(&path, &LoadOptions { max_bytes: Some(1 << 24), ..options(Kernel::Own) })?;
    let tokens = model.tokenizer().encode("hello the 12")?;
    model.forward(&tokens, &mut model.cache(tokens.len())?, &Cancel::new())
}

/// A header with these counts and nothing that follows them.
fn header(version: u32, tensors: u64, values: u64) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(values.to_le_bytes());
    bytes
}

/// A header with one value: its name `k`, then these bytes.
fn value(rest: &[u8]) -> Vec<u8> {
    let mut bytes = header(3, 0, 1);
    bytes.extend(1u64.to_le_bytes());
    bytes.extend(b"k");
    bytes.extend(rest);
    bytes
}

#[test]
fn hostile_files_are_errors() {
    let string_of = |length: u64| value(&[&8u32.to_le_bytes()[..], &length.to_le_bytes()].concat());
    let array_of = |kind: u32, length: u64| {
        value(&[&9u32.to_le_bytes()[..], &kind.to_le_bytes(), &length.to_le_bytes()].concat())
    };
    let nested = value(
        &[
            [9u32.to_le_bytes(); 1].concat(),
            [&9u32.to_le_bytes()[..], &1u64.to_le_bytes()].concat().repeat(10_000),
        ]
        .concat(),
    );
    let mut tensor = header(3, 1, 0);
    tensor.extend(1u64.to_le_bytes());
    tensor.extend(b"t");
    tensor.extend(4u32.to_le_bytes());
    tensor.extend([0xff; 32]);
    tensor.extend([0; 12]);
    for (bytes, kind) in [
        (Vec::new(), ErrorKind::Corrupt),
        (b"GGUF".to_vec(), ErrorKind::Corrupt),
        (b"GGML and other text that is long enough".to_vec(), ErrorKind::Corrupt),
        (header(4, 0, 0), ErrorKind::Version),
        (header(3u32.swap_bytes(), 0, 0), ErrorKind::Corrupt),
        (header(1, 0, 0), ErrorKind::Corrupt),
        (header(3, 0, 0), ErrorKind::Model),
        (header(3, u64::MAX, 0), ErrorKind::Corrupt),
        (header(3, 0, u64::MAX), ErrorKind::Corrupt),
        (header(3, 1000, 1000), ErrorKind::Corrupt),
        (string_of(u64::MAX), ErrorKind::Corrupt),
        (string_of(1 << 27), ErrorKind::Corrupt),
        (array_of(4, u64::MAX), ErrorKind::Corrupt),
        (array_of(4, u64::MAX / 4), ErrorKind::Corrupt),
        (array_of(8, 1 << 40), ErrorKind::Corrupt),
        (array_of(99, 1), ErrorKind::Corrupt),
        (nested, ErrorKind::Corrupt),
        (tensor, ErrorKind::Corrupt),
    ] {
        let error = try_bytes(&bytes).unwrap_err();
        assert_eq!(error.kind(), kind, "{error} for {:?}", &bytes[..bytes.len().min(64)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_never_panic(
        name in prop_oneof![Just("llama"), Just("llama-quantised"), Just("qwen3"), Just("sentencepiece")],
        length in 0.0..1.0f64,
        truncated: bool,
        // Half of the flips hit the beginning, where the header is.
        flips in proptest::collection::vec((0.0..1.0f64, 1u8.., any::<bool>()), 0..8),
    ) {
        let mut bytes = std::fs::read(reference(&format!("tiny-{name}.gguf"))).unwrap();
        for (place, change, in_header) in flips {
            let range = if in_header { 1200 } else { bytes.len() };
            bytes[(place * range as f64) as usize] ^= change;
        }
        if truncated {
            bytes.truncate((length * bytes.len() as f64) as usize);
        }
        let result = try_bytes(&bytes);
        if let Err(error) = result {
            prop_assert!(matches!(
                error.kind(),
                ErrorKind::Corrupt | ErrorKind::Version | ErrorKind::Model | ErrorKind::Limit | ErrorKind::InvalidArgument
            ), "{error:?}");
        }
    }
}
