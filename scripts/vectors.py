#!/usr/bin/env python3
"""Vectors of code, and Ambix's search among them beside hnswlib's and usearch's.

    pip install numpy safetensors tokenizers hnswlib usearch
    cargo build --release -p ambix-benches --no-default-features --bin vectors
    scripts/vectors.py make NAME MODEL FOLDER...      NAME.vectors and NAME.questions
    scripts/vectors.py compare NAME [ROUNDS]          recall and searches a second, on one core, in turn

`make` cuts the Elixir, Erlang and Markdown files in the folders into pieces of six lines and takes of each the mean of its
tokens' vectors in the encoder MODEL, weighted by rarity, along the 256 directions in which they differ most: what a
static embedding model gives, without training. The last 1000 pieces are the questions.
"""

import json
import pathlib
import random
import subprocess
import sys
import time

import numpy as np

DIMENSIONS = 256
QUESTIONS = 1000
VECTORS = 100_000
COUNT = 10
BENCH = "target/release/vectors"


def make(name, model, folders):
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    weights = load_file(f"{model}/model.safetensors")
    table = next(value for key, value in weights.items() if "word_embeddings" in key).astype(np.float32)
    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    pieces = set()
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.suffix in (".ex", ".exs", ".erl", ".md") and path.is_file():
                lines = path.read_text(errors="replace").split("\n")
                found = ("\n".join(lines[at : at + 6]).strip()[:600] for at in range(0, len(lines), 4))
                pieces.update(piece for piece in found if len(piece) > 60)
    pieces = sorted(pieces)
    random.Random(1).shuffle(pieces)
    pieces = pieces[: VECTORS + QUESTIONS]
    tokens = [encoding.ids[1:-1] for encoding in tokenizer.encode_batch(pieces)]
    seen = np.zeros(len(table))
    for ids in tokens:
        seen[list(set(ids))] += 1
    rarity = np.log((len(tokens) + 1) / (seen + 1)).astype(np.float32)[:, None]
    rows = np.stack([(table[ids] * rarity[ids]).sum(0) for ids in tokens])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    rows -= rows.mean(0)
    _, directions = np.linalg.eigh(np.cov(rows.T))
    rows = rows @ directions[:, ::-1][:, :DIMENSIONS]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    rows.astype("<f4")[:-QUESTIONS].tofile(f"{name}.vectors")
    rows.astype("<f4")[-QUESTIONS:].tofile(f"{name}.questions")
    print(f"{len(rows) - QUESTIONS} vectors and {QUESTIONS} questions of {DIMENSIONS} numbers")


def compare(name, rounds):
    import hnswlib
    from usearch.index import Index

    rows = np.fromfile(f"{name}.vectors", "<f4").reshape(-1, DIMENSIONS)
    asked = np.fromfile(f"{name}.questions", "<f4").reshape(-1, DIMENSIONS)
    exact = [set(np.argpartition(-row, COUNT)[:COUNT]) for row in asked @ rows.T]

    def recall(labels):
        return float(np.mean([len(set(map(int, some)) & right) / COUNT for some, right in zip(labels, exact)]))

    graph = hnswlib.Index(space="cosine", dim=DIMENSIONS)
    graph.init_index(max_elements=len(rows), ef_construction=200, M=16, random_seed=1)
    start = time.process_time()
    graph.add_items(rows, num_threads=1)
    built = {"hnswlib": time.process_time() - start}
    indexes = {}
    for kind in ("f32", "i8"):
        indexes[kind] = Index(ndim=DIMENSIONS, metric="cos", dtype=kind, connectivity=16, expansion_add=200)
        start = time.process_time()
        indexes[kind].add(np.arange(len(rows)), rows, threads=1)
        built[f"usearch {kind}"] = time.process_time() - start

    # One question at a time, as an editor or an agent asks. Time is that of the processor, as other programs may run too.
    def in_turn(search):
        start = time.process_time()
        labels = [search(question) for question in asked]
        return len(asked) / (time.process_time() - start), recall(labels)

    def ask_graph(width):
        graph.set_ef(width)
        graph.set_num_threads(1)
        return in_turn(lambda question: graph.knn_query(question, k=COUNT)[0][0])

    def ask_usearch(kind, width):
        indexes[kind].expansion_search = width
        return in_turn(lambda question: indexes[kind].search(question, COUNT, threads=1).keys)

    def ask_ambix():
        command = [BENCH, "--file", name, "--questions", str(QUESTIONS), "--scans", "chosen", "--answers", f"{name}.answers"]
        told = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True).stdout)
        built["ambix"] = told["make_s"]
        return 1000 / told["processor_ms"], recall(np.fromfile(f"{name}.answers", "<u4").reshape(-1, COUNT))

    peers = {"ambix": ask_ambix}
    for width in (20, 40, 80, 160, 320):
        peers[f"hnswlib ef {width}"] = lambda width=width: ask_graph(width)
        for kind in indexes:
            peers[f"usearch {kind} ef {width}"] = lambda kind=kind, width=width: ask_usearch(kind, width)
    speeds = {peer: [] for peer in peers}
    recalls = {}
    for _ in range(rounds):
        for peer, ask in peers.items():
            speed, recalls[peer] = ask()
            speeds[peer].append(speed)
    print(f"{'':20} {'recall':>7} {'searches/s':>10}  each round")
    for peer, found in speeds.items():
        print(f"{peer:20} {recalls[peer]:7.4f} {np.median(found):10.0f}  {' '.join(f'{s:.0f}' for s in found)}")
    print("seconds to build:", ", ".join(f"{peer} {seconds:.1f}" for peer, seconds in built.items()))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", name, model, *folders] if folders:
            make(name, model, folders)
        case ["compare", name]:
            compare(name, 3)
        case ["compare", name, rounds]:
            compare(name, int(rounds))
        case _:
            sys.exit(__doc__)
