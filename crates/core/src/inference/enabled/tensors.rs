//! candle's tensors as a backend: the way to devices other than the processor, and the measure for our own kernels.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{DType, Device, Module, Tensor};
use candle_nn::ops;

use super::backend::{Activation, Angles, Backend, Heads, RawMatrix, Rotation};
use crate::inference::{self, LoadOptions, Precision};
use crate::{Error, ErrorKind, Result};

/// A device of candle's.
pub(super) struct Tensors {
    device: Device,
}

/// A matrix as candle multiplies it, and as it looks up rows in it.
pub(super) struct Weight {
    product: QMatMul,
    table: Arc<QTensor>,
}

/// A layer with a bias.
pub(super) struct Linear {
    transposed: Tensor,
    bias: Tensor,
}

/// Keys and values of one layer: `[heads, capacity, size]`, written in place.
pub(super) struct Keys {
    keys: Tensor,
    values: Tensor,
}

impl Keys {
    /// Heads, and columns of each.
    pub(super) fn shape(&self) -> (usize, usize) {
        self.keys.dims3().map_or((0, 0), |(heads, _, size)| (heads, size))
    }
}

impl Tensors {
    pub(super) fn new(options: &LoadOptions) -> Result<Self> {
        let device = match options.device {
            inference::Device::Cpu => Ok(Device::Cpu),
            inference::Device::Cuda(number) => Device::new_cuda(number),
            inference::Device::Metal(number) => Device::new_metal(number),
        };
        let device = device.map_err(|error| {
            let message = format!("{:?} cannot be used: {error}", options.device);
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        })?;
        Ok(Tensors { device })
    }
}

/// candle reports what we already checked, and what a device cannot do: neither is the caller's doing.
fn failed(error: candle_core::Error) -> Error {
    Error::new(ErrorKind::Model, format!("the model cannot be computed: {error}")).with_source(error)
}

impl Backend for Tensors {
    type Array = Tensor;
    type Vector = Tensor;
    type Weight = Weight;
    type Linear = Linear;
    type Cache = Keys;

    fn weight_bytes(&self, dtype: GgmlDType, rows: usize, columns: usize) -> u64 {
        let bytes = rows as u64 * (columns / dtype.block_size()) as u64 * dtype.type_size() as u64;
        match dtype {
            // candle keeps such a table beside the floats that it multiplies with.
            GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16 => bytes + 4 * rows as u64 * columns as u64,
            _ => bytes,
        }
    }

    fn weight(&self, raw: RawMatrix) -> Result<Weight> {
        let storage =
            QStorage::from_data(raw.bytes.as_slice().into(), &self.device, raw.dtype).map_err(failed)?;
        let table = Arc::new(QTensor::new(storage, (raw.rows, raw.columns)).map_err(failed)?);
        Ok(Weight { product: QMatMul::from_arc(table.clone()).map_err(failed)?, table })
    }

    fn vector(&self, floats: Vec<f32>) -> Result<Tensor> {
        let len = floats.len();
        Tensor::from_vec(floats, len, &self.device).map_err(failed)
    }

    fn linear(&self, weights: &[f32], bias: Vec<f32>, precision: Precision) -> Result<Linear> {
        if precision != Precision::Fp32 {
            return Err(Error::invalid("only the processor computes in INT8; load the encoder with FP32"));
        }
        let outputs = bias.len();
        let weights = || {
            Tensor::from_slice(weights, (outputs, weights.len() / outputs.max(1)), &self.device)?
                .t()?
                .contiguous()
        };
        Ok(Linear { transposed: weights().map_err(failed)?, bias: self.vector(bias)? })
    }

    fn cache(&self, heads: Heads, capacity: usize) -> Result<Keys> {
        let zeros =
            || Tensor::zeros((heads.key, capacity, heads.size), DType::F32, &self.device).map_err(failed);
        Ok(Keys { keys: zeros()?, values: zeros()? })
    }

    fn array(&self, floats: Vec<f32>, columns: usize) -> Result<Tensor> {
        Tensor::from_vec(floats, ((), columns), &self.device).map_err(failed)
    }

    fn embed(&self, table: &Weight, ids: &[u32]) -> Result<Tensor> {
        let ids = Tensor::new(ids, &self.device).map_err(failed)?;
        table.table.embedding(&ids).map_err(failed)
    }

    fn multiply<const N: usize>(&self, x: &Tensor, weights: [&Weight; N]) -> Result<[Tensor; N]> {
        let mut products = Vec::with_capacity(N);
        for weight in weights {
            products.push(weight.product.forward(x).map_err(failed)?);
        }
        products.try_into().map_err(|_| Error::new(ErrorKind::Model, "a product is missing"))
    }

    fn add(&self, x: Tensor, y: &Tensor) -> Result<Tensor> {
        (x + y).map_err(failed)
    }

    fn add_bias(&self, x: Tensor, bias: &Tensor) -> Result<Tensor> {
        x.broadcast_add(bias).map_err(failed)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Tensor, epsilon: f32) -> Result<Tensor> {
        let norm = || {
            let pieces = x.reshape(((), weight.dim(0)?))?;
            ops::rms_norm(&pieces, weight, epsilon)?.reshape(x.shape())
        };
        norm().map_err(failed)
    }

    fn apply(&self, x: &Tensor, linear: &Linear) -> Result<Tensor> {
        x.matmul(&linear.transposed).and_then(|y| y.broadcast_add(&linear.bias)).map_err(failed)
    }

    fn feed_forward(&self, x: &Tensor, up: &Linear, activation: Activation, down: &Linear) -> Result<Tensor> {
        let inner = self.apply(x, up)?;
        let activated = match activation {
            Activation::Gelu => inner.gelu_erf(),
            Activation::GeluTanh => inner.gelu(),
            Activation::Relu => inner.relu(),
        };
        self.apply(&activated.map_err(failed)?, down)
    }

    fn layer_norm(
        &self,
        x: Tensor,
        y: Option<&Tensor>,
        weight: &Tensor,
        bias: &Tensor,
        epsilon: f32,
    ) -> Result<Tensor> {
        let x = y.map_or_else(|| Ok(x.clone()), |y| &x + y).map_err(failed)?;
        ops::layer_norm(&x, weight, bias, epsilon).map_err(failed)
    }

    fn rotate(&self, x: Tensor, angles: &Angles, rotation: Rotation) -> Result<Tensor> {
        let rotated = || {
            let (rows, columns) = x.dims2()?;
            let half = angles.cos.len() / rows;
            let heads =
                x.reshape((1, rows, columns / (2 * half), 2 * half))?.transpose(1, 2)?.contiguous()?;
            let cos = Tensor::from_slice(&angles.cos, (rows, half), &self.device)?;
            let sin = Tensor::from_slice(&angles.sin, (rows, half), &self.device)?;
            let heads = match rotation {
                Rotation::Neighbours => candle_nn::rotary_emb::rope_i(&heads, &cos, &sin)?,
                Rotation::Halves => candle_nn::rotary_emb::rope(&heads, &cos, &sin)?,
            };
            heads.transpose(1, 2)?.reshape((rows, columns))
        };
        rotated().map_err(failed)
    }

    fn gated_silu(&self, gate: Tensor, up: &Tensor) -> Result<Tensor> {
        gate.silu().and_then(|gate| gate * up).map_err(failed)
    }

    fn attend(
        &self,
        cache: &mut Keys,
        position: usize,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        heads: Heads,
    ) -> Result<Tensor> {
        let attended = || {
            let rows = q.dim(0)?;
            let length = position + rows;
            cache.keys.slice_set(&split(k, heads.key, heads.size)?, 1, position)?;
            cache.values.slice_set(&split(v, heads.key, heads.size)?, 1, position)?;
            let keys = cache.keys.narrow(1, 0, length)?;
            let values = cache.values.narrow(1, 0, length)?;
            let mask = (rows > 1)
                .then(|| {
                    let hidden = (0..rows).flat_map(|row| {
                        (0..length).map(move |at| if at > position + row { f32::NEG_INFINITY } else { 0.0 })
                    });
                    Tensor::from_iter(hidden, &self.device)?.reshape((1, rows, length))
                })
                .transpose()?;
            let scale = 1.0 / (heads.size as f64).sqrt();
            attention(&split(q, heads.query, heads.size)?, &keys, &values, scale, mask.as_ref())
        };
        attended().map_err(failed)
    }

    fn attend_within(&self, lengths: &[usize], x: &Tensor, heads: Heads) -> Result<Tensor> {
        let attended = || {
            let columns = heads.query * heads.size;
            let mut start = 0;
            let mut texts = Vec::with_capacity(lengths.len());
            for &length in lengths {
                let rows = x.narrow(0, start, length)?;
                let part =
                    |number| split(&rows.narrow(1, number * columns, columns)?, heads.query, heads.size);
                texts.push(attention(&part(0)?, &part(1)?, &part(2)?, 1.0, None)?);
                start += length;
            }
            Tensor::cat(&texts, 0)
        };
        attended().map_err(failed)
    }

    fn last_row(&self, x: Tensor) -> Result<Tensor> {
        x.dim(0).and_then(|rows| x.narrow(0, rows.saturating_sub(1), 1)?.contiguous()).map_err(failed)
    }

    fn floats(&self, x: Tensor) -> Result<Vec<f32>> {
        x.flatten_all().and_then(|flat| flat.to_vec1()).map_err(failed)
    }

    fn each<T: Send>(&self, count: usize, work: impl Fn(usize) -> Result<T> + Send + Sync) -> Result<Vec<T>> {
        (0..count).map(work).collect()
    }

    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        work()
    }
}

/// `[rows, heads × size]` to `[heads, rows, size]`.
fn split(x: &Tensor, heads: usize, size: usize) -> candle_core::Result<Tensor> {
    x.reshape(((), heads, size))?.transpose(0, 1)?.contiguous()
}

/// Attention of `[query heads, rows, size]` to `[key heads, length, size]`: `[rows, query heads × size]`.
fn attention(
    q: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    scale: f64,
    mask: Option<&Tensor>,
) -> candle_core::Result<Tensor> {
    let (query_heads, rows, size) = q.dims3()?;
    let (key_heads, length, _) = keys.dims3()?;
    let grouped = query_heads / key_heads * rows;
    let weights = q.reshape((key_heads, grouped, size))?.matmul(&keys.transpose(1, 2)?.contiguous()?)?;
    let weights = (weights.reshape((query_heads, rows, length))? * scale)?;
    let weights = match mask {
        Some(mask) => weights.broadcast_add(mask)?,
        None => weights,
    };
    let weights = ops::softmax_last_dim(&weights)?.reshape((key_heads, grouped, length))?;
    let out = weights.matmul(&values.contiguous()?)?.reshape((query_heads, rows, size))?;
    out.transpose(0, 1)?.reshape((rows, query_heads * size))
}
