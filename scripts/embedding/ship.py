#!/usr/bin/env python3
"""Writes a trained model into the repository: the file, and reference values for the Rust side's test.

    ship.py TRAINED.npz
"""

import argparse
import json
from pathlib import Path

import numpy as np

import model_file
import tokenise

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "crates/core/models/elixir-code-search.bin"
REFERENCE = ROOT / "crates/core/tests/fixtures/static_model/reference.json"
LARGEST = 8_000_000
FIELDS = ["header", "name", "body", "query"]

DOCUMENTS = [
    ("Shop.Cart (lib/shop/cart.ex)", "def add(%Cart{} = cart, item) do\n  %{cart | items: [item | cart.items]}\nend"),
    ("Shop.HTTPServer (lib/shop/http_server.ex)", "  @doc false\n  defp handle_call({:get, key}, _from, state), do: {:reply, state[key], state}"),
    ("", "defmodule My.App do\n  defguard is_even?(x) when rem(x, 2) == 0\n  @def def!\n  x.def y\nend"),
    ("text (README.md)", "Größe, 日本語 und SHA256sum: ÄÖ HTTP2Server xX aB a_B __MODULE__"),
    ("Enum (lib/enum.ex)", "x |> f() <> g =~ ~r/x/ ++ [1, 22, 333] ==== a !=b && c"),
    ("Piece (p.ex)", "qqcharlistqq zzz " + "abcdefgh" * 5 + " 12345 " + "list " * 300),
    ("A.B.C (lib/a/b/c.ex)", "defmacro  unquote(name)(), do: def\tfoo? def"),
]
QUERIES = [
    "Adds an item to the shopping cart",
    "Returns true if all of the elements are unique",
    "** (FunctionClauseError) no function clause matching in Shop.Cart.add/2",
    "Enum.chunk_every/4",
    "where is the HTTP timeout set?",
    "",
]


def ship(path):
    trained = np.load(path)
    MODEL.parent.mkdir(parents=True, exist_ok=True)
    REFERENCE.parent.mkdir(parents=True, exist_ok=True)
    tokens = [str(token).encode() for token in trained["tokens"]]
    model_file.write(MODEL, tokens, trained["vectors"], trained["weights"])
    size = MODEL.stat().st_size
    assert size <= LARGEST, f"{size} bytes are more than {LARGEST}"
    model = model_file.Model(MODEL)
    reference = {
        "dimensions": model.dimensions,
        "vocabulary": len(model.vocabulary),
        "documents": [example(model, model.document_tokens(header, text), header=header, text=text) for header, text in DOCUMENTS],
        "queries": [example(model, model.query_tokens(text), text=text) for text in QUERIES],
    }
    REFERENCE.write_text(json.dumps(reference, ensure_ascii=False) + "\n")
    print(f"{MODEL.relative_to(ROOT)}: {len(model.vocabulary)} tokens of {model.dimensions} dimensions, {size} bytes")


def example(model, tokens, **texts):
    named = {}
    for (field, number), count in tokens.items():
        named.setdefault(FIELDS[field], []).extend([model.vocabulary.tokens[number].decode()] * count)
    vector = [round(float(value), 7) for value in model.vector(tokens)]
    return {**texts, "tokens": {field: sorted(names) for field, names in named.items()}, "vector": vector}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trained")
    ship(parser.parse_args().trained)
