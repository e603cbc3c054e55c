//! Models and encoders: `Ambix.Model`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ambix_core::inference::{
    self, ChatOptions, Device, Encoder, Event, GenerationRequest, LoadOptions, Message, Model, Precision,
    Sampling,
};
use ambix_core::lanes::Lane;
use ambix_core::retrieval::{Embedder, Reranker};
use ambix_core::{Cancel, Error, Result};
use ambix_macros::nif;
use rustler::{Atom, Encoder as _, Env, NifMap, NifUntaggedEnum, Resource, ResourceArc, Term};

use crate::guard::guard;
use crate::job;
use crate::live::{Kind, Live};
use crate::pool;
use crate::shared::Shared;

mod atoms {
    rustler::atoms! { cpu, cuda, metal, fp32, int8, text }
}

/// What an encoder's folder holds. When one of them changes, an encoder that was loaded before is another one.
const ENCODER_FILES: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];

/// The handle of a language model.
pub struct ModelRef {
    model: Model,
    _live: Live,
}

/// The handle of an encoder, whose weights all handles of the node share.
pub struct EncoderRef(Arc<LoadedEncoder>);

struct LoadedEncoder {
    encoder: Encoder,
    _live: Live,
}

static ENCODERS: Shared<EncoderKey, LoadedEncoder> = Shared::new();

/// What an encoder was loaded from: files of these sizes and times, and options.
#[derive(PartialEq)]
struct EncoderKey {
    folder: PathBuf,
    files: Vec<Option<(u64, SystemTime)>>,
    options: ExLoadOptions,
}

impl EncoderKey {
    fn new(folder: &Path, options: &ExLoadOptions) -> Self {
        let state = |name| {
            let metadata = folder.join(name).metadata().ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        };
        EncoderKey {
            folder: folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf()),
            files: ENCODER_FILES.iter().map(state).collect(),
            options: options.clone(),
        }
    }
}

#[rustler::resource_impl]
impl Resource for ModelRef {}

#[rustler::resource_impl]
impl Resource for EncoderRef {}

impl ModelRef {
    /// The model itself.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

impl EncoderRef {
    /// As what indexes want.
    pub fn encoder(&self) -> &dyn Embedder {
        &self.0.encoder
    }

    /// As what judges the places that were found.
    pub fn reranker(&self) -> &dyn Reranker {
        &self.0.encoder
    }
}

#[derive(Clone, NifMap, PartialEq)]
struct ExLoadOptions {
    threads: usize,
    device: Atom,
    max_bytes: u64,
    precision: Atom,
}

impl ExLoadOptions {
    fn into_core(self, cancel: &Cancel) -> Result<LoadOptions> {
        let device = if self.device == atoms::cpu() {
            Device::Cpu
        } else if self.device == atoms::cuda() {
            Device::Cuda(0)
        } else if self.device == atoms::metal() {
            Device::Metal(0)
        } else {
            return Err(Error::invalid("the device is one of :cpu, :cuda and :metal"));
        };
        let precision = if self.precision == atoms::fp32() {
            Precision::Fp32
        } else if self.precision == atoms::int8() {
            Precision::Int8
        } else {
            return Err(Error::invalid("the precision is one of :fp32 and :int8"));
        };
        Ok(LoadOptions {
            max_bytes: Some(self.max_bytes),
            // More than there are cores make nothing faster, and a machine has no more than so many threads.
            threads: self.threads.clamp(1, pool::cores()),
            on_thread_start: Some(Arc::new(pool::lower_priority)),
            device,
            precision,
            cancel: cancel.clone(),
            ..LoadOptions::default()
        })
    }
}

#[derive(NifUntaggedEnum)]
enum ExPrompt {
    Raw(String),
    Messages(Vec<(String, String)>),
}

#[derive(NifMap)]
struct ExGenerateOptions {
    max_tokens: usize,
    temperature: f32,
    top_k: usize,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    stop: Vec<String>,
    seed: u64,
    timeout: Option<u64>,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExGeneration {
    text: String,
    tokens: usize,
    prompt_tokens: usize,
    finish_reason: &'static str,
    prefill_seconds: f64,
    generate_seconds: f64,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExScore {
    logprob: f64,
    tokens: usize,
}

#[derive(NifMap)]
#[rustler(encode)]
struct ExModelInfo {
    architecture: String,
    name: String,
    vocabulary: usize,
    context_length: usize,
    parameters: u64,
    bytes: u64,
}

#[nif]
// normal: starts a job
fn model_load<'a>(env: Env<'a>, reference: Term<'a>, path: String, options: ExLoadOptions) -> Term<'a> {
    job::start(env, reference, Lane::Model, move |reporter| {
        let model = Model::load(Path::new(&path), &options.into_core(reporter.cancel())?)?;
        Ok(ResourceArc::new(ModelRef { model, _live: Live::new(Kind::Model) }))
    })
}

#[nif]
// normal: starts a job
fn encoder_load<'a>(env: Env<'a>, reference: Term<'a>, path: String, options: ExLoadOptions) -> Term<'a> {
    job::start(env, reference, Lane::Model, move |reporter| {
        let folder = Path::new(&path);
        let cancel = reporter.cancel();
        let loaded = ENCODERS.get_or_make(EncoderKey::new(folder, &options), cancel, || {
            let encoder = Encoder::load(folder, &options.into_core(cancel)?)?;
            Ok(LoadedEncoder { encoder, _live: Live::new(Kind::Model) })
        })?;
        let dimensions = loaded.encoder.dimensions();
        Ok((ResourceArc::new(EncoderRef(loaded)), dimensions))
    })
}

#[nif(schedule = "DirtyCpu")]
fn model_generate<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    model: ResourceArc<ModelRef>,
    prompt: ExPrompt,
    options: ExGenerateOptions,
) -> Term<'a> {
    job::start(env, reference, Lane::Model, move |reporter| {
        let model = &model.model;
        let cancel = match options.timeout {
            Some(milliseconds) => {
                reporter.cancel().with_deadline(Instant::now() + Duration::from_millis(milliseconds))
            }
            None => reporter.cancel().clone(),
        };
        let prompt = match prompt {
            ExPrompt::Raw(text) => text.as_str().into(),
            ExPrompt::Messages(messages) => {
                let messages: Vec<Message> =
                    messages.into_iter().map(|(role, content)| Message::new(role, content)).collect();
                model.chat_prompt(&messages, &ChatOptions::to_answer(&cancel))?
            }
        };
        let request = GenerationRequest {
            prompt: model.tokenizer().encode_prompt(&prompt)?,
            max_tokens: options.max_tokens,
            sampling: Sampling {
                temperature: options.temperature,
                top_k: options.top_k,
                top_p: options.top_p,
                min_p: options.min_p,
                repetition_penalty: options.repetition_penalty,
                seed: options.seed,
                ..Sampling::default()
            },
            stop: options.stop,
            ..GenerationRequest::default()
        };
        let mut events = |event: Event<'_>| {
            if let Event::Text(piece) = event {
                reporter.send(|env| (atoms::text(), piece).encode(env));
            }
            ControlFlow::Continue(())
        };
        let done = inference::generate(model, &request, &mut events, &cancel)?;
        Ok(ExGeneration {
            text: done.text,
            tokens: done.tokens.len(),
            prompt_tokens: done.prompt_tokens,
            finish_reason: done.finish_reason.as_str(),
            prefill_seconds: done.prefill_seconds,
            generate_seconds: done.generate_seconds,
        })
    })
}

#[nif(schedule = "DirtyCpu")]
fn model_score<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    model: ResourceArc<ModelRef>,
    prompt: String,
    continuations: Vec<String>,
) -> Term<'a> {
    job::start(env, reference, Lane::Model, move |reporter| {
        let continuations: Vec<&str> = continuations.iter().map(String::as_str).collect();
        let scores = inference::score(&model.model, &prompt, &continuations, reporter.cancel())?;
        let row = |score: inference::Score| ExScore { logprob: score.logprob, tokens: score.tokens };
        Ok(scores.into_iter().map(row).collect::<Vec<_>>())
    })
}

#[nif(schedule = "DirtyCpu")]
fn model_count_tokens(env: Env<'_>, model: ResourceArc<ModelRef>, text: String) -> Term<'_> {
    guard(env, || model.model.tokenizer().count(&text))
}

#[nif]
// normal: copies six fields
fn model_info(env: Env<'_>, model: ResourceArc<ModelRef>) -> Term<'_> {
    guard(env, || {
        let info = model.model.info();
        Ok(ExModelInfo {
            architecture: info.architecture.clone(),
            name: info.name.clone(),
            vocabulary: info.vocabulary,
            context_length: info.context_length,
            parameters: info.parameters,
            bytes: info.bytes,
        })
    })
}

#[nif(schedule = "DirtyCpu")]
fn encoder_embed<'a>(
    env: Env<'a>,
    reference: Term<'a>,
    encoder: ResourceArc<EncoderRef>,
    texts: Vec<String>,
) -> Term<'a> {
    job::start(env, reference, Lane::Model, move |reporter| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        encoder.0.encoder.embed(&texts, reporter.cancel())
    })
}
