//! The encoder of BERT (Devlin et al. 2019).

use super::backend::{Activation, Backend, Heads};
use super::cpu::dequantise;
use super::safetensors::SafeTensors;
use super::table::Table;
use crate::inference::Precision;
use crate::job::Cancel;
use crate::{Error, ErrorKind, Result};

/// Rows of a table that are read at once.
const ROWS_AT_ONCE: usize = 1024;

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

impl Config {
    /// The bytes that the weights take in memory.
    pub(super) fn bytes(&self, precision: Precision) -> u64 {
        let [width, inner, words, positions, layers] = [
            self.hidden_size,
            self.intermediate_size,
            self.vocab_size,
            self.max_position_embeddings,
            self.num_hidden_layers,
        ]
        .map(|size| size as u64);
        // A row in bytes has a scale, and one of a layer what makes up for unsigned numbers.
        let matrix = |rows: u64, columns: u64, for_each_row: u64| match precision {
            Precision::Fp32 => rows.saturating_mul(columns).saturating_mul(4),
            Precision::Int8 => rows.saturating_mul(columns.saturating_add(for_each_row)),
        };
        let layer = matrix(width.saturating_mul(4), width, 8)
            .saturating_add(matrix(inner, width, 8))
            .saturating_add(matrix(width, inner, 8))
            // Biases and normalisation.
            .saturating_add(width.saturating_mul(9).saturating_add(inner).saturating_mul(4));
        matrix(words, width, 4)
            .saturating_add(positions.saturating_add(2).saturating_mul(width).saturating_mul(4))
            .saturating_add(layer.saturating_mul(layers))
    }

    fn activation(&self) -> Option<Activation> {
        match self.hidden_act.as_str() {
            "gelu" => Some(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Activation::GeluTanh),
            "relu" => Some(Activation::Relu),
            _ => None,
        }
    }
}

/// The weights, which never change.
pub(super) struct Bert<B: Backend> {
    pub(super) backend: B,
    heads: Heads,
    epsilon: f32,
    activation: Activation,
    words: Table,
    /// The embedding of each position, with that of the first segment, which every token of a lone text belongs to.
    positions: Table,
    norm: Norm<B>,
    layers: Vec<Layer<B>>,
}

struct Layer<B: Backend> {
    /// Queries, keys and values.
    attention: B::Linear,
    attention_output: B::Linear,
    attention_norm: Norm<B>,
    up: B::Linear,
    down: B::Linear,
    norm: Norm<B>,
}

struct Norm<B: Backend> {
    weight: B::Vector,
    bias: B::Vector,
}

impl<B: Backend> Bert<B> {
    pub(super) fn load(
        backend: B,
        config: &Config,
        file: &SafeTensors,
        precision: Precision,
        cancel: &Cancel,
    ) -> Result<Self> {
        let Config { hidden_size: width, intermediate_size: inner, num_attention_heads: heads, .. } = *config;
        let known = config.model_type == "bert" && config.position_embedding_type == "absolute";
        let activation = config
            .activation()
            .filter(|_| known && heads > 0 && width > 0 && inner > 0 && width.is_multiple_of(heads));
        let activation = activation.ok_or_else(|| {
            Error::new(ErrorKind::Model, format!("such an encoder cannot be run: {config:?}"))
        })?;
        let prefix = if file.contains("embeddings.word_embeddings.weight") { "" } else { "bert." };
        let load = Loader { backend: &backend, file, prefix, precision, cancel };
        let mut layers = Vec::new();
        for number in 0..config.num_hidden_layers {
            let name = |name: &str| format!("encoder.layer.{number}.{name}");
            layers.push(Layer {
                attention: load.attention(&name("attention.self"), heads, width)?,
                attention_output: load.linear(&name("attention.output.dense"), width, width)?,
                attention_norm: load.norm(&name("attention.output.LayerNorm"), width)?,
                up: load.linear(&name("intermediate.dense"), inner, width)?,
                down: load.linear(&name("output.dense"), width, inner)?,
                norm: load.norm(&name("output.LayerNorm"), width)?,
            });
        }
        Ok(Bert {
            heads: Heads { query: heads, key: heads, size: width / heads },
            epsilon: config.layer_norm_eps,
            activation,
            words: load.words(config.vocab_size, width)?,
            positions: load.positions(config, width)?,
            norm: load.norm("embeddings.LayerNorm", width)?,
            layers,
            backend,
        })
    }

    /// The last layer's output for several texts, whose tokens follow one another: a row for each token.
    pub(super) fn forward(&self, tokens: &[u32], lengths: &[usize]) -> Result<Vec<f32>> {
        let backend = &self.backend;
        let mut x = backend.array(self.embedded(tokens, lengths)?, self.heads.query * self.heads.size)?;
        x = self.normalise(x, None, &self.norm)?;
        for layer in &self.layers {
            let attention = backend.apply(&x, &layer.attention)?;
            let attended = backend.attend_within(lengths, &attention, self.heads)?;
            let attended = backend.apply(&attended, &layer.attention_output)?;
            x = self.normalise(x, Some(&attended), &layer.attention_norm)?;
            let fed = backend.feed_forward(&x, &layer.up, self.activation, &layer.down)?;
            x = self.normalise(x, Some(&fed), &layer.norm)?;
        }
        backend.floats(x)
    }

    /// What the first layer is given, before it is normalised.
    fn embedded(&self, tokens: &[u32], lengths: &[usize]) -> Result<Vec<f32>> {
        let width = self.heads.query * self.heads.size;
        let mut rows = vec![0.0; tokens.len() * width];
        let positions = lengths.iter().flat_map(|&length| 0..length);
        for ((row, &token), position) in rows.chunks_exact_mut(width).zip(tokens).zip(positions) {
            if !(self.words.add_row(token as usize, row) && self.positions.add_row(position, row)) {
                return Err(Error::invalid(format!(
                    "the encoder knows no token {token} at place {position}"
                )));
            }
        }
        Ok(rows)
    }

    fn normalise(&self, x: B::Array, y: Option<&B::Array>, norm: &Norm<B>) -> Result<B::Array> {
        self.backend.layer_norm(x, y, &norm.weight, &norm.bias, self.epsilon)
    }
}

struct Loader<'a, B> {
    backend: &'a B,
    file: &'a SafeTensors,
    prefix: &'a str,
    precision: Precision,
    cancel: &'a Cancel,
}

impl<B: Backend> Loader<'_, B> {
    fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let first = shape.first().copied().unwrap_or(0);
        self.rows(name, shape, 0..first)
    }

    fn rows(&self, name: &str, shape: &[usize], rows: std::ops::Range<usize>) -> Result<Vec<f32>> {
        self.cancel.check()?;
        let elements = rows.len() * shape[1..].iter().product::<usize>();
        let (dtype, bytes) = self.file.read_rows(&format!("{}{name}", self.prefix), shape, rows)?;
        dequantise(dtype, bytes.as_slice(), elements)
    }

    /// The table of words, a few of its rows at a time, for as floats it may be the greater part of the model.
    fn words(&self, words: usize, width: usize) -> Result<Table> {
        let (name, shape) = ("embeddings.word_embeddings.weight", [words, width]);
        self.file.check(&format!("{}{name}", self.prefix), &shape)?;
        let mut table = Table::new(self.precision, words, width);
        for first in (0..words).step_by(ROWS_AT_ONCE) {
            table.extend(&self.rows(name, &shape, first..words.min(first + ROWS_AT_ONCE))?);
        }
        Ok(table)
    }

    fn positions(&self, config: &Config, width: usize) -> Result<Table> {
        let count = config.max_position_embeddings;
        let mut rows = self.floats("embeddings.position_embeddings.weight", &[count, width])?;
        let segments = [config.type_vocab_size, width];
        let segments = self.floats("embeddings.token_type_embeddings.weight", &segments)?;
        let first = segments
            .get(..width)
            .ok_or_else(|| Error::new(ErrorKind::Model, "the encoder has no segments"))?;
        for row in rows.chunks_exact_mut(width) {
            row.iter_mut().zip(first).for_each(|(row, segment)| *row += segment);
        }
        Ok(Table::Floats { columns: width, data: rows })
    }

    /// Queries, keys and values as one layer, with the queries divided by the root of a head's size.
    fn attention(&self, name: &str, heads: usize, width: usize) -> Result<B::Linear> {
        let (mut weights, mut bias) = (Vec::new(), Vec::new());
        for part in ["query", "key", "value"] {
            weights.extend(self.floats(&format!("{name}.{part}.weight"), &[width, width])?);
            bias.extend(self.floats(&format!("{name}.{part}.bias"), &[width])?);
        }
        let scale = 1.0 / ((width / heads) as f32).sqrt();
        let queries = weights[..width * width].iter_mut().chain(&mut bias[..width]);
        queries.for_each(|weight| *weight *= scale);
        self.backend.linear(&weights, bias, self.precision)
    }

    fn linear(&self, name: &str, outputs: usize, inputs: usize) -> Result<B::Linear> {
        let weights = self.floats(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = self.floats(&format!("{name}.bias"), &[outputs])?;
        self.backend.linear(&weights, bias, self.precision)
    }

    fn norm(&self, name: &str, size: usize) -> Result<Norm<B>> {
        Ok(Norm {
            weight: self.backend.vector(self.floats(&format!("{name}.weight"), &[size])?)?,
            bias: self.backend.vector(self.floats(&format!("{name}.bias"), &[size])?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_matrices_and_never_overflow() {
        let config: Config = serde_json::from_str(
            r#"{"model_type":"bert","hidden_act":"gelu","hidden_size":384,"intermediate_size":1536,"layer_norm_eps":1e-12,
            "max_position_embeddings":512,"num_attention_heads":12,"num_hidden_layers":6,"type_vocab_size":2,"vocab_size":30522}"#,
        )
        .unwrap();
        // all-MiniLM-L6-v2 has 22 564 608 parameters without its pooler and segments.
        assert_eq!(config.bytes(Precision::Fp32), 4 * 22_564_608);
        let bytes = config.bytes(Precision::Int8);
        assert!((22_600_000..24_000_000).contains(&bytes), "{bytes}");
        let huge = Config { vocab_size: usize::MAX, num_hidden_layers: usize::MAX, ..config };
        assert_eq!(huge.bytes(Precision::Fp32), u64::MAX);
        assert_eq!(huge.bytes(Precision::Int8), u64::MAX);
    }
}
