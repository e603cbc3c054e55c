//! What a transformer needs of the thing that computes it. The models are written once against this; the processor and
//! candle's devices are two implementations.

use candle_core::quantized::GgmlDType;

use super::gguf::AlignedBytes;
use crate::Result;
use crate::inference::Precision;

/// A matrix as it lies in a file.
pub(super) struct RawMatrix {
    pub(super) dtype: GgmlDType,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) bytes: AlignedBytes,
}

/// How attention divides its columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    /// Heads of queries.
    pub(super) query: usize,
    /// Heads of keys and values; a divisor of `query` (grouped-query attention, Ainslie et al. 2023).
    pub(super) key: usize,
    /// Columns of each head.
    pub(super) size: usize,
}

/// Which numbers of a head are rotated together (rotary position embedding, Su et al. 2021).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rotation {
    /// Neighbours, as in llama's GGUF files.
    Neighbours,
    /// Those half a head apart, as in Qwen.
    Halves,
}

/// What is between two linear layers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Activation {
    /// GELU by the error function (Hendrycks and Gimpel 2016).
    Gelu,
    /// GELU by the hyperbolic tangent, its approximation in the same paper.
    GeluTanh,
    Relu,
}

/// Cosines and sines for rows of a prompt: `[rows, size / 2]`.
pub(super) struct Angles {
    pub(super) cos: Vec<f32>,
    pub(super) sin: Vec<f32>,
}

impl Angles {
    /// The angles of `count` positions from `position` on.
    pub(super) fn new(frequencies: &[f32], position: usize, count: usize) -> Self {
        let angles = (position..position + count).flat_map(|position| {
            frequencies.iter().map(move |frequency| (position as f64 * f64::from(*frequency)).sin_cos())
        });
        let (sin, cos) = angles.map(|(sin, cos)| (sin as f32, cos as f32)).unzip();
        Angles { cos, sin }
    }
}

/// Computes the parts of a transformer. An `Array` is a matrix of floats with a row for each token.
pub(super) trait Backend: Send + Sync + Sized {
    type Array: Send;
    /// A row of floats that are added or multiplied.
    type Vector: Send + Sync;
    /// A matrix of output features × input features.
    type Weight: Send + Sync;
    /// A matrix of output features × input features with a bias, as encoders have them.
    type Linear: Send + Sync;
    /// Keys and values of one layer.
    type Cache: Send;

    /// The bytes that [`Backend::weight`] would take for such a matrix.
    fn weight_bytes(&self, dtype: GgmlDType, rows: usize, columns: usize) -> u64;
    fn weight(&self, raw: RawMatrix) -> Result<Self::Weight>;
    fn vector(&self, floats: Vec<f32>) -> Result<Self::Vector>;
    /// `weights` has a row for each output, of which `bias` says how many there are.
    fn linear(&self, weights: &[f32], bias: Vec<f32>, precision: Precision) -> Result<Self::Linear>;
    /// Room for the keys and values of `capacity` tokens.
    fn cache(&self, heads: Heads, capacity: usize) -> Result<Self::Cache>;

    /// Rows of `columns` floats.
    fn array(&self, floats: Vec<f32>, columns: usize) -> Result<Self::Array>;
    /// The rows `ids` of a table.
    fn embed(&self, table: &Self::Weight, ids: &[u32]) -> Result<Self::Array>;
    /// `x` times each of the transposed weights.
    fn multiply<const N: usize>(
        &self,
        x: &Self::Array,
        weights: [&Self::Weight; N],
    ) -> Result<[Self::Array; N]>;
    fn add(&self, x: Self::Array, y: &Self::Array) -> Result<Self::Array>;
    /// Adds `bias` to each row.
    fn add_bias(&self, x: Self::Array, bias: &Self::Vector) -> Result<Self::Array>;
    /// Normalises each piece of the length of `weight` (Zhang and Sennrich 2019).
    fn rms_norm(&self, x: &Self::Array, weight: &Self::Vector, epsilon: f32) -> Result<Self::Array>;
    /// `x × weights + bias`.
    fn apply(&self, x: &Self::Array, linear: &Self::Linear) -> Result<Self::Array>;
    /// `activation(x × up) × down`, with their biases.
    fn feed_forward(
        &self,
        x: &Self::Array,
        up: &Self::Linear,
        activation: Activation,
        down: &Self::Linear,
    ) -> Result<Self::Array>;
    /// Normalises each row of `x + y`, or of `x` (Ba et al. 2016).
    fn layer_norm(
        &self,
        x: Self::Array,
        y: Option<&Self::Array>,
        weight: &Self::Vector,
        bias: &Self::Vector,
        epsilon: f32,
    ) -> Result<Self::Array>;
    /// Rotates each head of each row by that row's angles.
    fn rotate(&self, x: Self::Array, angles: &Angles, rotation: Rotation) -> Result<Self::Array>;
    /// `silu(gate) × up`.
    fn gated_silu(&self, gate: Self::Array, up: &Self::Array) -> Result<Self::Array>;
    /// Writes `k` and `v` into the cache at `position` and attends from each row of `q` to all tokens up to itself.
    fn attend(
        &self,
        cache: &mut Self::Cache,
        position: usize,
        q: &Self::Array,
        k: &Self::Array,
        v: &Self::Array,
        heads: Heads,
    ) -> Result<Self::Array>;
    /// Attends within each of several texts, whose rows follow one another, in both directions. A row holds the queries of all
    /// heads, already divided by the root of their size, then their keys, then their values.
    fn attend_within(&self, lengths: &[usize], x: &Self::Array, heads: Heads) -> Result<Self::Array>;
    /// The last row alone.
    fn last_row(&self, x: Self::Array) -> Result<Self::Array>;
    /// The floats, row by row.
    fn floats(&self, x: Self::Array) -> Result<Vec<f32>>;

    /// The results of `work` for each number below `count`, in their order, computed by as many threads as there are.
    fn each<T: Send>(&self, count: usize, work: impl Fn(usize) -> Result<T> + Send + Sync) -> Result<Vec<T>>;
    /// Runs `work` on the threads of this backend.
    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T;
}
