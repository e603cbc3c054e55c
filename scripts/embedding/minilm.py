"""all-MiniLM-L6-v2 in numpy: texts to vectors, for distillation and for comparison."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf
from tokenizers import Tokenizer


class MiniLM:
    def __init__(self, folder, longest=256):
        folder = Path(folder)
        self.weights = load_file(folder / "model.safetensors")
        self.config = json.loads((folder / "config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(longest)

    def encode(self, texts, tokens_per_batch=4096, progress=False):
        """One row of length 1 for each text, the mean over its tokens."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        rows = np.zeros((len(ids), self.config["hidden_size"]), np.float32)
        start = 0
        while start < len(order):
            end, longest = start, 0
            while end < len(order) and max(longest, len(ids[order[end]])) * (end - start + 1) <= tokens_per_batch:
                longest = max(longest, len(ids[order[end]]))
                end += 1
            end = max(end, start + 1)
            some = order[start:end]
            rows[some] = self.forward([ids[at] for at in some])
            start = end
        return rows

    def forward(self, ids):
        weights, heads = self.weights, self.config["num_attention_heads"]
        longest = max(map(len, ids))
        batch = np.zeros((len(ids), longest), np.int64)
        mask = np.zeros((len(ids), longest), np.float32)
        for at, some in enumerate(ids):
            batch[at, : len(some)] = some
            mask[at, : len(some)] = 1
        norm = lambda x, name: layer_norm(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
        linear = lambda x, name: x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        x = weights["embeddings.word_embeddings.weight"][batch]
        x = x + weights["embeddings.position_embeddings.weight"][:longest] + weights["embeddings.token_type_embeddings.weight"][0]
        # Rows of all texts in one matrix: numpy multiplies stacks of small matrices one by one.
        x = norm(x, "embeddings.LayerNorm").reshape(-1, x.shape[-1])
        hidden = x.shape[-1]
        split = lambda y: y.reshape(len(ids), longest, heads, hidden // heads).transpose(0, 2, 1, 3)
        hide = (1 - mask)[:, None, None, :] * np.float32(-1e9)
        for layer in range(self.config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            q, k, v = (split(linear(x, f"{name}.attention.self.{part}")) for part in ("query", "key", "value"))
            scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(np.float32(hidden // heads)) + hide
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            mixed = (scores @ v).transpose(0, 2, 1, 3).reshape(-1, hidden)
            x = norm(x + linear(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
            inner = linear(x, f"{name}.intermediate.dense")
            inner = inner * np.float32(0.5) * (1 + erf(inner * np.float32(0.5**0.5)))
            x = norm(x + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        x = x.reshape(len(ids), longest, hidden)
        pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def layer_norm(x, weight, bias):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-12)) * weight + bias
