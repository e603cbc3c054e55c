//! The decoder of llama, qwen2 and qwen3: one transformer with three small differences.
//!
//! Llama: Touvron et al. 2023. Qwen2 adds a bias to queries, keys and values; Qwen3 normalises each head's queries and keys.

use super::backend::{Angles, Backend, Heads, RawMatrix, Rotation};
use super::cpu::dequantise;
use super::gguf::{Gguf, TensorInfo};
use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

/// Tokens that pass through the layers at once while a prompt is read.
const PREFILL: usize = 128;
/// More layers, heads or positions than any model has are a damaged header.
const PLAUSIBLE: usize = 1 << 24;

/// The sizes of a model.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) architecture: String,
    pub(super) layers: usize,
    pub(super) width: usize,
    pub(super) heads: Heads,
    pub(super) vocabulary: usize,
    pub(super) context_length: usize,
    epsilon: f32,
    rotation: Rotation,
    /// Radians per position of each pair.
    frequencies: Vec<f32>,
}

impl Config {
    /// Reads the sizes and compares them with the tensors' shapes.
    pub(super) fn new(gguf: &Gguf) -> Result<Self> {
        let architecture =
            gguf.string("general.architecture").ok_or_else(|| wrong("it names no architecture"))?;
        let rotation = match architecture {
            "llama" => Rotation::Neighbours,
            "qwen2" | "qwen3" => Rotation::Halves,
            other => {
                return Err(wrong(format!(
                    "its architecture is {other:?}; llama, qwen2 and qwen3 can be run"
                )));
            }
        };
        let key = |name: &str| format!("{architecture}.{name}");
        let size = |name: &str| match gguf.usize(&key(name)) {
            Some(value @ 1..=PLAUSIBLE) => Ok(value),
            value => Err(wrong(format!("its {} is {value:?}", key(name)))),
        };
        let width = size("embedding_length")?;
        let query = size("attention.head_count")?;
        let key_heads = if gguf.usize(&key("attention.head_count_kv")).is_some() {
            size("attention.head_count_kv")?
        } else {
            query
        };
        let head_size = match gguf.usize(&key("attention.key_length")) {
            Some(_) => size("attention.key_length")?,
            None => width / query,
        };
        if !query.is_multiple_of(key_heads) || head_size < 2 || !head_size.is_multiple_of(2) {
            return Err(wrong(format!(
                "{query} heads, {key_heads} heads of keys and {head_size} columns each do not fit together"
            )));
        }
        let table = gguf
            .tensor("token_embd.weight")
            .ok_or_else(|| wrong("it has no tensor \"token_embd.weight\""))?;
        let &[vocabulary, columns] = table.shape.as_slice() else {
            return Err(wrong("its token table is no matrix"));
        };
        if columns != width {
            return Err(wrong(format!(
                "its token table has {columns} columns where embedding_length is {width}"
            )));
        }
        // Before memory is taken for anything as long as a head.
        if gguf.tensor("blk.0.attn_q.weight").is_none_or(|info| info.shape != [query * head_size, width]) {
            return Err(wrong("the tensor \"blk.0.attn_q.weight\" does not fit the header's sizes"));
        }
        let rotated = gguf.usize(&key("rope.dimension_count")).unwrap_or(head_size);
        let scaling = gguf.string(&key("rope.scaling.type")).unwrap_or("none");
        if rotated != head_size || !matches!(scaling, "none" | "linear") {
            return Err(wrong(format!(
                "{rotated} rotated columns of {head_size} with {scaling} scaling are not known"
            )));
        }
        let stretch = match (scaling, gguf.f32(&key("rope.scaling.factor"))) {
            ("linear", Some(factor)) if factor > 0.0 => factor,
            _ => 1.0,
        };
        let base = gguf.f32(&key("rope.freq_base")).unwrap_or(10_000.0);
        let factors = match gguf.tensor("rope_freqs.weight") {
            Some(info) => vector(gguf, info, head_size / 2)?,
            None => vec![1.0; head_size / 2],
        };
        let frequencies = factors
            .iter()
            .enumerate()
            .map(|(pair, factor)| base.powf(-2.0 * pair as f32 / head_size as f32) / factor / stretch);
        Ok(Config {
            architecture: architecture.to_owned(),
            layers: size("block_count")?,
            width,
            heads: Heads { query, key: key_heads, size: head_size },
            vocabulary,
            context_length: size("context_length")?,
            epsilon: gguf
                .f32(&key("attention.layer_norm_rms_epsilon"))
                .filter(|e| *e >= 0.0)
                .ok_or_else(|| wrong("it has no epsilon"))?,
            rotation,
            frequencies: frequencies.collect(),
        })
    }
}

/// The weights, which never change.
pub(super) struct Decoder<B: Backend> {
    backend: B,
    config: Config,
    table: B::Weight,
    layers: Vec<Layer<B>>,
    norm: B::Vector,
    /// `None` where the token table is used again.
    output: Option<B::Weight>,
}

struct Layer<B: Backend> {
    attention_norm: B::Vector,
    query: B::Weight,
    key: B::Weight,
    value: B::Weight,
    biases: Option<[B::Vector; 3]>,
    head_norms: Option<[B::Vector; 2]>,
    attention_output: B::Weight,
    feed_norm: B::Vector,
    gate: B::Weight,
    up: B::Weight,
    down: B::Weight,
}

impl<B: Backend> Decoder<B> {
    pub(super) fn load(backend: B, gguf: &Gguf, config: Config, cancel: &Cancel) -> Result<Self> {
        let (width, heads) = (config.width, config.heads);
        let loader = Loader { backend: &backend, gguf, cancel };
        let feed = gguf.tensor("blk.0.ffn_gate.weight").map_or(0, |info| info.shape[0]);
        let mut layers = Vec::new();
        for number in 0..config.layers {
            let name = |part: &str| format!("blk.{number}.{part}");
            let matrix =
                |part: &str, rows, columns| loader.matrix(&name(&format!("{part}.weight")), rows, columns);
            let vector = |part: &str, size| loader.vector(&name(part), size);
            let (query_rows, key_rows) = (heads.query * heads.size, heads.key * heads.size);
            layers.push(Layer {
                attention_norm: vector("attn_norm.weight", width)?,
                query: matrix("attn_q", query_rows, width)?,
                key: matrix("attn_k", key_rows, width)?,
                value: matrix("attn_v", key_rows, width)?,
                biases: match gguf.tensor(&name("attn_q.bias")) {
                    Some(_) => Some([
                        vector("attn_q.bias", query_rows)?,
                        vector("attn_k.bias", key_rows)?,
                        vector("attn_v.bias", key_rows)?,
                    ]),
                    None => None,
                },
                head_norms: match gguf.tensor(&name("attn_q_norm.weight")) {
                    Some(_) => Some([
                        vector("attn_q_norm.weight", heads.size)?,
                        vector("attn_k_norm.weight", heads.size)?,
                    ]),
                    None => None,
                },
                attention_output: matrix("attn_output", width, query_rows)?,
                feed_norm: vector("ffn_norm.weight", width)?,
                gate: matrix("ffn_gate", feed, width)?,
                up: matrix("ffn_up", feed, width)?,
                down: matrix("ffn_down", width, feed)?,
            });
        }
        let table = loader.matrix("token_embd.weight", config.vocabulary, width)?;
        let norm = loader.vector("output_norm.weight", width)?;
        let output = match gguf.tensor("output.weight") {
            Some(_) => Some(loader.matrix("output.weight", config.vocabulary, width)?),
            None => None,
        };
        Ok(Decoder { backend, config, table, layers, norm, output })
    }

    pub(super) fn caches(&self, capacity: usize) -> Result<Vec<B::Cache>> {
        self.layers.iter().map(|_| self.backend.cache(self.config.heads, capacity)).collect()
    }

    /// Whether `caches` were made by this model or one of the same sizes.
    pub(super) fn fits(&self, caches: &[B::Cache], shape: impl Fn(&B::Cache) -> (usize, usize)) -> bool {
        let Heads { key, size, .. } = self.config.heads;
        caches.len() == self.layers.len() && caches.iter().all(|cache| shape(cache) == (key, size))
    }

    /// Logits after `tokens`, which stand at `position`: of the last one, or of all of them one after another.
    pub(super) fn forward(
        &self,
        tokens: &[u32],
        position: usize,
        caches: &mut [B::Cache],
        all: bool,
        step: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Vec<f32>> {
        let mut logits = Vec::new();
        let mut done = 0;
        for chunk in tokens.chunks(PREFILL) {
            let start = position + done;
            done += chunk.len();
            let wanted = all || done == tokens.len();
            let part = self.backend.run(|| {
                let x = self.layers(chunk, start, caches)?;
                match (wanted, all) {
                    (false, _) => Ok(Vec::new()),
                    (true, true) => self.head(x),
                    (true, false) => self.head(self.backend.last_row(x)?),
                }
            })?;
            logits.extend(part);
            step(done)?;
        }
        Ok(logits)
    }

    fn layers(&self, tokens: &[u32], position: usize, caches: &mut [B::Cache]) -> Result<B::Array> {
        let (backend, config) = (&self.backend, &self.config);
        let angles = Angles::new(&config.frequencies, position, tokens.len());
        let mut x = backend.embed(&self.table, tokens)?;
        for (layer, cache) in self.layers.iter().zip(caches) {
            let normed = backend.rms_norm(&x, &layer.attention_norm, config.epsilon)?;
            let [mut q, mut k, mut v] =
                backend.multiply(&normed, [&layer.query, &layer.key, &layer.value])?;
            if let Some([query, key, value]) = &layer.biases {
                q = backend.add_bias(q, query)?;
                k = backend.add_bias(k, key)?;
                v = backend.add_bias(v, value)?;
            }
            if let Some([query, key]) = &layer.head_norms {
                q = backend.rms_norm(&q, query, config.epsilon)?;
                k = backend.rms_norm(&k, key, config.epsilon)?;
            }
            q = backend.rotate(q, &angles, config.rotation)?;
            k = backend.rotate(k, &angles, config.rotation)?;
            let attended = backend.attend(cache, position, &q, &k, &v, config.heads)?;
            let [attended] = backend.multiply(&attended, [&layer.attention_output])?;
            x = backend.add(x, &attended)?;

            let normed = backend.rms_norm(&x, &layer.feed_norm, config.epsilon)?;
            let [gate, up] = backend.multiply(&normed, [&layer.gate, &layer.up])?;
            let gated = backend.gated_silu(gate, &up)?;
            let [fed] = backend.multiply(&gated, [&layer.down])?;
            x = backend.add(x, &fed)?;
        }
        Ok(x)
    }

    fn head(&self, x: B::Array) -> Result<Vec<f32>> {
        let normed = self.backend.rms_norm(&x, &self.norm, self.config.epsilon)?;
        let [logits] = self.backend.multiply(&normed, [self.output.as_ref().unwrap_or(&self.table)])?;
        self.backend.floats(logits)
    }
}

/// The bytes that `gguf`'s tensors would take in memory.
pub(super) fn weight_bytes<B: Backend>(backend: &B, gguf: &Gguf) -> u64 {
    let bytes = gguf.tensors().map(|(_, info)| match info.shape.as_slice() {
        &[rows, columns] => backend.weight_bytes(info.dtype, rows, columns),
        _ => 4 * info.elements() as u64,
    });
    bytes.fold(0, u64::saturating_add)
}

struct Loader<'a, B> {
    backend: &'a B,
    gguf: &'a Gguf,
    cancel: &'a Cancel,
}

impl<B: Backend> Loader<'_, B> {
    fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<B::Weight> {
        self.cancel.check()?;
        let info = self.tensor(name)?;
        if info.shape != [rows, columns] {
            return Err(wrong(format!(
                "its tensor {name:?} has the shape {:?} and not {rows} × {columns}",
                info.shape
            )));
        }
        self.backend.weight(RawMatrix { dtype: info.dtype, rows, columns, bytes: self.gguf.read(info)? })
    }

    fn vector(&self, name: &str, size: usize) -> Result<B::Vector> {
        self.backend.vector(vector(self.gguf, self.tensor(name)?, size)?)
    }

    fn tensor(&self, name: &str) -> Result<&TensorInfo> {
        self.gguf.tensor(name).ok_or_else(|| wrong(format!("it has no tensor {name:?}")))
    }
}

fn vector(gguf: &Gguf, info: &TensorInfo, size: usize) -> Result<Vec<f32>> {
    if info.shape != [size] {
        return Err(wrong(format!(
            "a vector has the shape {:?} where {size} numbers are needed",
            info.shape
        )));
    }
    dequantise(info.dtype, gguf.read(info)?.as_slice(), size)
}

fn wrong(message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, format!("this model cannot be run: {message}"))
}
