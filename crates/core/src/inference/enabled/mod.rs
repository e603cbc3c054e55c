//! The module as it is when candle is compiled in.

mod backend;
mod cpu;
mod gguf;
mod safetensors;
mod tensors;

mod chat;
mod decoder;
mod model;
mod tokenizer;

mod generate;
mod score;

mod bert;
mod encoder;
mod table;

pub use encoder::Encoder;
pub use generate::{generate, generate_with};
pub use model::{KvCache, Model};
pub use score::score;
pub use tokenizer::Tokenizer;
