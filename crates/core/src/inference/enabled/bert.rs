//! The encoder of BERT (Devlin et al. 2019).

use super::backend::{Backend, Heads, RawMatrix};
use super::cpu::dequantise;
use super::safetensors::SafeTensors;
use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

/// What `config.json` says.
#[derive(Clone, Debug, serde::Deserialize)]
pub(super) struct Config {
    model_type: String,
    hidden_act: String,
    pub(super) hidden_size: usize,
    intermediate_size: usize,
    layer_norm_eps: f32,
    pub(super) max_position_embeddings: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    type_vocab_size: usize,
    pub(super) vocab_size: usize,
    #[serde(default = "absolute")]
    position_embedding_type: String,
}

fn absolute() -> String {
    "absolute".to_owned()
}

/// The weights, which never change.
pub(super) struct Bert<B: Backend> {
    backend: B,
    heads: Heads,
    epsilon: f32,
    words: B::Weight,
    positions: B::Weight,
    /// The embedding of the first segment, which every token of a lone text belongs to.
    segment: B::Vector,
    norm: Norm<B>,
    layers: Vec<Layer<B>>,
}

struct Layer<B: Backend> {
    query: Linear<B>,
    key: Linear<B>,
    value: Linear<B>,
    attention_output: Linear<B>,
    attention_norm: Norm<B>,
    up: Linear<B>,
    down: Linear<B>,
    norm: Norm<B>,
}

struct Linear<B: Backend> {
    weight: B::Weight,
    bias: B::Vector,
}

struct Norm<B: Backend> {
    weight: B::Vector,
    bias: B::Vector,
}

impl<B: Backend> Bert<B> {
    pub(super) fn load(backend: B, config: &Config, file: &SafeTensors, cancel: &Cancel) -> Result<Self> {
        let Config { hidden_size: width, intermediate_size: inner, num_attention_heads: heads, .. } = *config;
        let known = config.model_type == "bert"
            && config.hidden_act == "gelu"
            && config.position_embedding_type == "absolute";
        if !known || heads == 0 || width == 0 || !width.is_multiple_of(heads) {
            return Err(Error::new(ErrorKind::Model, format!("such an encoder cannot be run: {config:?}")));
        }
        let prefix = if file.contains("embeddings.word_embeddings.weight") { "" } else { "bert." };
        let load = Loader { backend: &backend, file, prefix, cancel };
        let segments =
            load.floats("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, width])?;
        let segment = segments
            .get(..width)
            .ok_or_else(|| Error::new(ErrorKind::Model, "the encoder has no segments"))?;
        let mut layers = Vec::new();
        for number in 0..config.num_hidden_layers {
            let linear = |name: &str, rows, columns| {
                load.linear(&format!("encoder.layer.{number}.{name}"), rows, columns)
            };
            let norm = |name: &str| load.norm(&format!("encoder.layer.{number}.{name}"), width);
            layers.push(Layer {
                query: linear("attention.self.query", width, width)?,
                key: linear("attention.self.key", width, width)?,
                value: linear("attention.self.value", width, width)?,
                attention_output: linear("attention.output.dense", width, width)?,
                attention_norm: norm("attention.output.LayerNorm")?,
                up: linear("intermediate.dense", inner, width)?,
                down: linear("output.dense", width, inner)?,
                norm: norm("output.LayerNorm")?,
            });
        }
        Ok(Bert {
            heads: Heads { query: heads, key: heads, size: width / heads },
            epsilon: config.layer_norm_eps,
            words: load.matrix("embeddings.word_embeddings.weight", config.vocab_size, width)?,
            positions: load.matrix(
                "embeddings.position_embeddings.weight",
                config.max_position_embeddings,
                width,
            )?,
            segment: backend.vector(segment.to_vec())?,
            norm: load.norm("embeddings.LayerNorm", width)?,
            layers,
            backend,
        })
    }

    /// The last layer's output for several texts, whose tokens follow one another: a row for each token.
    pub(super) fn forward(&self, tokens: &[u32], lengths: &[usize]) -> Result<Vec<f32>> {
        self.backend.run(|| {
            let backend = &self.backend;
            let positions: Vec<u32> = lengths.iter().flat_map(|&length| 0..length as u32).collect();
            let mut x = backend.embed(&self.words, tokens)?;
            x = backend.add(x, &backend.embed(&self.positions, &positions)?)?;
            x = backend.add_bias(x, &self.segment)?;
            x = self.normalise(x, &self.norm)?;
            for layer in &self.layers {
                let [q, k, v] =
                    backend.multiply(&x, [&layer.query.weight, &layer.key.weight, &layer.value.weight])?;
                let q = backend.add_bias(q, &layer.query.bias)?;
                let k = backend.add_bias(k, &layer.key.bias)?;
                let v = backend.add_bias(v, &layer.value.bias)?;
                let attended = backend.attend_within(lengths, &q, &k, &v, self.heads)?;
                let attended = self.linear(&attended, &layer.attention_output)?;
                x = self.normalise(backend.add(attended, &x)?, &layer.attention_norm)?;
                let inner = backend.gelu(self.linear(&x, &layer.up)?)?;
                let fed = self.linear(&inner, &layer.down)?;
                x = self.normalise(backend.add(fed, &x)?, &layer.norm)?;
            }
            backend.floats(x)
        })
    }

    fn linear(&self, x: &B::Array, linear: &Linear<B>) -> Result<B::Array> {
        let [y] = self.backend.multiply(x, [&linear.weight])?;
        self.backend.add_bias(y, &linear.bias)
    }

    fn normalise(&self, x: B::Array, norm: &Norm<B>) -> Result<B::Array> {
        self.backend.layer_norm(x, &norm.weight, &norm.bias, self.epsilon)
    }
}

struct Loader<'a, B> {
    backend: &'a B,
    file: &'a SafeTensors,
    prefix: &'a str,
    cancel: &'a Cancel,
}

impl<B: Backend> Loader<'_, B> {
    fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (dtype, bytes) = self.file.read(&format!("{}{name}", self.prefix), shape)?;
        dequantise(dtype, bytes.as_slice(), shape.iter().product())
    }

    fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<B::Weight> {
        self.cancel.check()?;
        let (dtype, bytes) = self.file.read(&format!("{}{name}", self.prefix), &[rows, columns])?;
        self.backend.weight(RawMatrix { dtype, rows, columns, bytes })
    }

    fn linear(&self, name: &str, rows: usize, columns: usize) -> Result<Linear<B>> {
        Ok(Linear {
            weight: self.matrix(&format!("{name}.weight"), rows, columns)?,
            bias: self.backend.vector(self.floats(&format!("{name}.bias"), &[rows])?)?,
        })
    }

    fn norm(&self, name: &str, size: usize) -> Result<Norm<B>> {
        Ok(Norm {
            weight: self.backend.vector(self.floats(&format!("{name}.weight"), &[size])?)?,
            bias: self.backend.vector(self.floats(&format!("{name}.bias"), &[size])?)?,
        })
    }
}
