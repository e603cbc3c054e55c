//! How a model is loaded.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use crate::job::Cancel;

/// Where a model computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The CUDA device of this number. The build needs the feature `cuda`.
    Cuda(usize),
    /// The Metal device of this number. The build needs the feature `metal`.
    Metal(usize),
}

/// Which code multiplies matrices on the processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernel {
    /// Weights are repacked at load for kernels that choose their SIMD instructions at run time.
    #[default]
    Own,
    /// candle's tensors and quantised kernels, as they are used on other devices. They compute on threads of candle's own,
    /// which [`LoadOptions::threads`] does not govern.
    Candle,
}

/// How an encoder's weights are held and multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Floats of 32 bits.
    #[default]
    Fp32,
    /// Bytes: weights with a scale for each output (embeddings for each token), inputs of layers rounded row by row as they come.
    /// A quarter of the memory; on the processor's own kernels only.
    Int8,
}

/// How a model is loaded.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// The most bytes that the weights may take in memory; compared before any of them is read. `None`: no ceiling.
    pub max_bytes: Option<u64>,
    /// Threads that compute; 0 for as many as the machine has.
    pub threads: usize,
    /// Runs once on each of these threads when it starts, for example to lower its priority.
    pub on_thread_start: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Where to compute.
    pub device: Device,
    /// What multiplies matrices on the processor.
    pub kernel: Kernel,
    /// How an encoder computes. Language models compute as their files say.
    pub precision: Precision,
    /// A `tokenizer.json` to use in place of the tokenizer that the model file holds.
    pub tokenizer: Option<PathBuf>,
    /// Stops the loading.
    pub cancel: Cancel,
}

impl LoadOptions {
    /// [`LoadOptions::threads`], with the number of the machine's processors in place of 0.
    pub fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            threads => threads,
        }
    }
}

impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("max_bytes", &self.max_bytes)
            .field("threads", &self.threads)
            .field("device", &self.device)
            .field("kernel", &self.kernel)
            .field("precision", &self.precision)
            .field("tokenizer", &self.tokenizer)
            .finish_non_exhaustive()
    }
}
