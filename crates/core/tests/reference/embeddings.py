"""Writes embeddings.json. Needs: pip install sentence-transformers

Usage: embeddings.py FOLDER_OF_ALL_MINILM_L6_V2
"""

import json
import pathlib
import sys

import sentence_transformers
from sentence_transformers import SentenceTransformer

TEXTS = [
    "Hello",
    "",
    "The quick brown fox jumps over the lazy dog.",
    "defmodule Shop.Cart do\n  def total(items), do: Enum.sum(items)\nend",
    "How is the price of an order computed?",
    "handle_call/3 replies with the state of the GenServer",
    "Müller, Straße, café, naïve, Ångström",
    "日本語の文字列",
    "emoji 🎉🚀 and symbols ∑∂√",
    "1234567890 3.14159 1_000_000",
    "  leading and   inner\tspace\n",
    "@spec fetch(map, key) :: {:ok, value} | :error",
    "WHY IS EVERYTHING UPPERCASE",
    "a",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "The cat sat on the mat.",
    "A feline rested upon the rug.",
    "Stock markets fell sharply on Tuesday.",
    "word " * 120,
    "long text that will be cut because it has many more tokens than fit " * 40,
]

model = SentenceTransformer(sys.argv[1], device="cpu")
# What the model's sentence_bert_config.json says; recent versions of the package pass over it.
model.max_seq_length = 256
vectors = model.encode(TEXTS, normalize_embeddings=True, batch_size=1)
out = {
    "made_by": f"sentence-transformers {sentence_transformers.__version__}",
    "max_tokens": model.max_seq_length,
    "texts": TEXTS,
    "embeddings": [[round(float(x), 6) for x in vector] for vector in vectors],
}
path = pathlib.Path(__file__).with_name("embeddings.json")
path.write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")).replace("]]", "]]\n").replace("],[", "],\n["))
