"""Writes tiny-*.gguf and tiny-*.json: random models of each architecture. Needs: pip install torch transformers gguf"""

import json
import pathlib

import gguf
import numpy
import torch
import transformers
from gguf.quants import dequantize, quantize
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

HERE = pathlib.Path(__file__).parent
F16, F32 = gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.F32


def byte_characters():
    """GPT-2's character for each byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [characters[byte] for byte in range(256)]


MERGES = ["h e", "l l", "Ġ t", "he ll", "hell o", "Ġt he", "1 2", "Ã ©"]
TOKENS = byte_characters() + [merge.replace(" ", "") for merge in MERGES] + ["<|begin|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"

SIZES = dict(
    vocab_size=len(TOKENS), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=512, rms_norm_eps=1e-5,
)
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig, dict(tie_word_embeddings=False, rope_theta=5000.0), "llama", "gpt-2", None),
    "llama-quantised": (LlamaForCausalLM, LlamaConfig, dict(tie_word_embeddings=True, rope_theta=10000.0), "llama", "smollm", True),
    "sentencepiece": (LlamaForCausalLM, LlamaConfig, dict(tie_word_embeddings=True, rope_theta=10000.0, vocab_size=281), "llama", "sentencepiece", True),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, dict(tie_word_embeddings=True, rope_theta=10000.0), "qwen2", "qwen2", None),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, dict(tie_word_embeddings=False, rope_theta=20000.0, head_dim=16), "qwen3", "qwen2", None),
}
NAMES = {
    "self_attn.q_proj.weight": "attn_q.weight", "self_attn.q_proj.bias": "attn_q.bias", "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_proj.weight": "attn_k.weight", "self_attn.k_proj.bias": "attn_k.bias", "self_attn.k_norm.weight": "attn_k_norm.weight",
    "self_attn.v_proj.weight": "attn_v.weight", "self_attn.v_proj.bias": "attn_v.bias", "self_attn.o_proj.weight": "attn_output.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight", "mlp.up_proj.weight": "ffn_up.weight", "mlp.down_proj.weight": "ffn_down.weight",
    "input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
}
WHOLE = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}


def gguf_name(name):
    if name in WHOLE:
        return WHOLE[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest]}"


def kind(name, shape, quantised):
    if len(shape) == 1:
        return F32
    if quantised:
        q = gguf.GGMLQuantizationType
        return q.Q8_0 if "embed" in name or "v_proj" in name else q.Q4_0 if "k_proj" in name else q.Q4_1
    return F16


def neighbours(weight, heads):
    """llama.cpp rotates neighbours where transformers rotates halves."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


PIECES = [
    ("\u2581", -20.0), ("\u2581t", -1.0), ("he", -2.0), ("\u2581the", -3.0), ("ll", -4.0), ("hell", -5.0), ("hello", -6.0),
    ("\u2581h", -7.0), ("\u2581hello", -8.0), ("\u2581\u2581", -9.0), ("in", -10.0), ("ing", -11.0), ("\u00e9", -12.0),
] + [(letter, -30.0 - i) for i, letter in enumerate("ehlotinga")]


def sentence_piece(writer):
    """A vocabulary in SentencePiece's manner."""
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds, scores = [2, 3, 3] + [6] * 256, [0.0] * 259
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens + [piece for piece, _ in PIECES])
    writer.add_token_scores(scores + [score for _, score in PIECES])
    writer.add_token_types(kinds + [1] * len(PIECES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def byte_level(writer, cut):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list(TOKENS)
    writer.add_token_types([1] * (len(TOKENS) - 2) + [3, 3])
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(len(TOKENS) - 2)
    writer.add_eos_token_id(len(TOKENS) - 1)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def make(name, model_class, config_class, special, architecture, cut, quantised):
    torch.manual_seed(7)
    options = dict(special)
    theta = options.pop("rope_theta")
    config = config_class(**{**SIZES, **options}, rope_parameters={"rope_type": "default", "rope_theta": theta})
    model = model_class(config).float().eval()
    writer = gguf.GGUFWriter(HERE / f"tiny-{name}.gguf", architecture)
    writer.add_name(f"tiny {name}")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(theta)
    if cut == "sentencepiece":
        sentence_piece(writer)
    else:
        byte_level(writer, cut)
    state = model.state_dict()
    for key, tensor in state.items():
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        numbers = torch.randn(tensor.shape).numpy()
        # Large enough that a wrong detail changes the logits, and norms and biases that are not all alike.
        numbers = 1 + 0.3 * numbers if "norm" in key else 0.25 * numbers
        if "q_proj.weight" in key or "k_proj.weight" in key:
            heads = config.num_attention_heads if "q_proj" in key else config.num_key_value_heads
            stored = neighbours(numbers, heads) if architecture == "llama" else numbers
            raw = quantize(stored.astype(numpy.float32), kind(key, tensor.shape, quantised))
            seen = dequantize(raw, kind(key, tensor.shape, quantised))
            if architecture == "llama":
                rows, columns = seen.shape
                seen = seen.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
        else:
            raw = quantize(numbers.astype(numpy.float32), kind(key, tensor.shape, quantised))
            seen = dequantize(raw, kind(key, tensor.shape, quantised))
        tensor.copy_(torch.from_numpy(numpy.ascontiguousarray(seen)))
        dtype = kind(key, tensor.shape, quantised)
        writer.add_tensor(gguf_name(key), raw, raw_dtype=None if dtype in (F16, F32) else dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    generator = numpy.random.default_rng(3)
    tokens = [int(token) for token in generator.integers(0, len(TOKENS), 12)]
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    out = {
        "made_by": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "tokens": tokens,
        "logits": [[round(float(x), 5) for x in row] for row in logits],
    }
    text = json.dumps(out, separators=(",", ":")).replace("],[", "],\n[")
    (HERE / f"tiny-{name}.json").write_text(text + "\n")


for name, parts in MODELS.items():
    make(name, *parts)
