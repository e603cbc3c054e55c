//! Files that claim to be a model.

use std::fs;

use ambix_core::inference::{LoadOptions, Model};
use ambix_core::{Cancel, ErrorKind, Result};

/// The file is refused as damaged, too new, too large or of a kind that cannot be run; or it is a model that gives a
/// probability to each of its tokens and writes any text in tokens that it has.
pub fn gguf(data: &[u8]) {
    let model = match load(data) {
        Ok(model) => model,
        Err(error) => {
            let refusals = [ErrorKind::Corrupt, ErrorKind::Version, ErrorKind::Limit, ErrorKind::Model];
            return assert!(refusals.contains(&error.kind()), "{error:?}");
        }
    };
    let vocabulary = model.info().vocabulary;
    if let Ok(tokens) = model.tokenizer().encode("ab é\n") {
        assert!(tokens.iter().all(|&token| (token as usize) < vocabulary));
        model.tokenizer().decode(&tokens);
    }
    let mut cache = model.cache(1).expect("a session of one token");
    let logits = model.forward(&[0], &mut cache, &Cancel::new()).expect("a token that the model has");
    assert_eq!(logits.len(), vocabulary);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let whole = tiny();
    load(&whole).expect("the seed is a model");
    vec![whole[..24].to_vec(), whole]
}

fn load(data: &[u8]) -> Result<Model> {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let path = folder.path().join("model.gguf");
    fs::write(&path, data).expect("a file for temporary data");
    Model::load(&path, &LoadOptions { max_bytes: Some(1 << 20), threads: 1, ..LoadOptions::default() })
}

/// A llama of one layer, with four columns and eight tokens.
fn tiny() -> Vec<u8> {
    const WIDTH: u64 = 4;
    let tokens = ["<s>", "</s>", "a", "b", "ab", "Ġ", "Ã", "©"];
    let mut values = Values::default();
    values.text("general.architecture", "llama");
    for (name, value) in [
        ("llama.embedding_length", WIDTH as u32),
        ("llama.attention.head_count", 2),
        ("llama.attention.head_count_kv", 1),
        ("llama.block_count", 1),
        ("llama.context_length", 16),
        ("tokenizer.ggml.bos_token_id", 0),
        ("tokenizer.ggml.eos_token_id", 1),
    ] {
        values.number(name, value);
    }
    values.float("llama.attention.layer_norm_rms_epsilon", 1e-5);
    values.text("tokenizer.ggml.model", "gpt2");
    values.text("tokenizer.ggml.pre", "smollm");
    values.texts("tokenizer.ggml.tokens", &tokens);
    values.texts("tokenizer.ggml.merges", &["a b"]);
    values.text("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}");

    let rows = |name, rows| (name, vec![WIDTH, rows]);
    let shapes = [
        rows("token_embd.weight", tokens.len() as u64),
        ("blk.0.attn_norm.weight", vec![WIDTH]),
        rows("blk.0.attn_q.weight", WIDTH),
        rows("blk.0.attn_k.weight", 2),
        rows("blk.0.attn_v.weight", 2),
        rows("blk.0.attn_output.weight", WIDTH),
        ("blk.0.ffn_norm.weight", vec![WIDTH]),
        rows("blk.0.ffn_gate.weight", WIDTH),
        rows("blk.0.ffn_up.weight", WIDTH),
        rows("blk.0.ffn_down.weight", WIDTH),
        ("output_norm.weight", vec![WIDTH]),
    ];
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend((shapes.len() as u64).to_le_bytes());
    file.extend(values.count.to_le_bytes());
    file.extend(values.bytes);
    let mut data: Vec<u8> = Vec::new();
    for (name, shape) in &shapes {
        file.extend(text(name));
        file.extend((shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|dimension| file.extend(dimension.to_le_bytes()));
        file.extend(0_u32.to_le_bytes());
        file.extend((data.len() as u64).to_le_bytes());
        let elements = shape.iter().product::<u64>();
        (0..elements).for_each(|element| data.extend((element as f32 / elements as f32).to_le_bytes()));
        data.resize(data.len().next_multiple_of(32), 0);
    }
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(data);
    file
}

/// The values of a header, as GGUF writes them: name, kind, value.
#[derive(Default)]
struct Values {
    count: u64,
    bytes: Vec<u8>,
}

impl Values {
    fn push(&mut self, name: &str, kind: u32, value: &[u8]) {
        self.count += 1;
        self.bytes.extend(text(name));
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(value);
    }

    fn number(&mut self, name: &str, value: u32) {
        self.push(name, 4, &value.to_le_bytes());
    }

    fn float(&mut self, name: &str, value: f32) {
        self.push(name, 6, &value.to_le_bytes());
    }

    fn text(&mut self, name: &str, value: &str) {
        self.push(name, 8, &text(value));
    }

    fn texts(&mut self, name: &str, values: &[&str]) {
        let mut array = 8_u32.to_le_bytes().to_vec();
        array.extend((values.len() as u64).to_le_bytes());
        values.iter().for_each(|value| array.extend(text(value)));
        self.push(name, 9, &array);
    }
}

/// A text as GGUF writes it: its length, its bytes.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}
