#!/usr/bin/env python3
"""Compares our encoder with onnxruntime on the same texts, and INT8 with FP32. For developers; nothing else needs it.

    python3 -m venv venv
    venv/bin/pip install onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6 safetensors==0.8.0 tokenizers==0.23.3
    cargo build --release --workspace --bin embed
    venv/bin/python benches/encoder_peer.py speed --model DIR [--embed target/release/embed] [--rounds 7]
    venv/bin/python benches/encoder_peer.py loss --model DIR --texts TEXTS.jsonl [--neighbours 10]

The graph is built from the safetensors with the operators that onnxruntime fuses a BERT to (Attention, SkipLayerNormalization,
BiasGelu), which is the fastest form that it has; INT8 is `quantize_dynamic` with weights per channel.

`speed` runs ours and theirs in turn, round by round, from texts to vectors, tokenizer included, and prints the median and the
spread of tokens a second of wall time and, for machines that others use too, of processor time. Theirs runs in a process of its own
for each figure as well, so that peak memory can be compared.
`loss` prints how far INT8 is from FP32, ours and theirs: cosines of the same texts, and the share of each text's nearest
neighbours that stay. A line of TEXTS.jsonl is a JSON string.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = "the code reads a list of names and writes each one to file".split()


def build_graph(folder, path):
    """Writes the encoder in `folder` as an ONNX graph of fused operators."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    width, heads, epsilon = config["hidden_size"], config["num_attention_heads"], float(config["layer_norm_eps"])
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind, inputs, outputs, **attributes):
        domain = "" if kind in ("MatMul", "Identity") else "com.microsoft"
        nodes.append(helper.make_node(kind, inputs, outputs, name=outputs[0] + ".node", domain=domain, **attributes))

    tables = [f"embeddings.{name}" for name in (
        "word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight", "LayerNorm.weight", "LayerNorm.bias")]
    for name in tables:
        constant(name, weights[name])
    node("EmbedLayerNormalization", ["input_ids", "token_type_ids", *tables, "attention_mask"], ["x", "lengths"], epsilon=epsilon)
    x = "x"
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        matrix = lambda name: constant(at + name, weights[at + name + ".weight"].T)
        vector = lambda name: constant(at + name, weights[at + name])
        parts = [at + f"attention.self.{part}" for part in ("query", "key", "value")]
        joined = constant(at + "qkv", np.concatenate([weights[part + ".weight"] for part in parts]).T)
        bias = constant(at + "qkv.bias", np.concatenate([weights[part + ".bias"] for part in parts]))
        node("Attention", [x, joined, bias, "lengths"], [at + "attended"], num_heads=heads)
        node("MatMul", [at + "attended", matrix("attention.output.dense")], [at + "projected"])
        norm = [vector("attention.output.LayerNorm.weight"), vector("attention.output.LayerNorm.bias")]
        node("SkipLayerNormalization", [at + "projected", x, *norm, vector("attention.output.dense.bias")], [at + "x"], epsilon=epsilon)
        node("MatMul", [at + "x", matrix("intermediate.dense")], [at + "up"])
        node("BiasGelu", [at + "up", vector("intermediate.dense.bias")], [at + "inner"])
        node("MatMul", [at + "inner", matrix("output.dense")], [at + "down"])
        norm = [vector("output.LayerNorm.weight"), vector("output.LayerNorm.bias")]
        node("SkipLayerNormalization", [at + "down", at + "x", *norm, vector("output.dense.bias")], [at + "y"], epsilon=epsilon)
        x = at + "y"
    node("Identity", [x], ["states"])
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT32, ["texts", "tokens"])
              for name in ("input_ids", "token_type_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("states", TensorProto.FLOAT, ["texts", "tokens", width])]
    graph = helper.make_graph(nodes, "bert", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def graphs(folder):
    """The paths of the graphs in FP32 and INT8, in a temporary folder."""
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.disable(logging.WARNING)
    paths = {precision: str(Path(tempfile.mkdtemp(prefix="encoder-peer-")) / f"{precision}.onnx") for precision in ("fp32", "int8")}
    build_graph(folder, paths["fp32"])
    quantize_dynamic(paths["fp32"], paths["int8"], weight_type=QuantType.QInt8, per_channel=True,
                     op_types_to_quantize=["MatMul", "Attention"], extra_options={"DefaultTensorType": 1})
    return paths


class Theirs:
    def __init__(self, folder, graph, threads):
        import onnxruntime
        from tokenizers import Tokenizer

        os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"])
        self.tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def embed(self, texts, batch=16):
        """Texts of like length go together, as sentence-transformers does it."""
        import numpy as np

        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        vectors = [None] * len(texts)
        for start in range(0, len(order), batch):
            some = order[start:start + batch]
            encoded = self.tokenizer.encode_batch([texts[at] for at in some])
            ids = np.array([text.ids for text in encoded], dtype=np.int32)
            mask = np.array([text.attention_mask for text in encoded], dtype=np.int32)
            states = self.session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})[0]
            sums = (states * mask[:, :, None]).sum(1)
            for at, vector in zip(some, sums / np.linalg.norm(sums, axis=1, keepdims=True)):
                vectors[at] = vector
        return np.array(vectors)


def fixed_texts(length, count):
    return [" ".join((WORDS * length)[:length - 2])] * count


def mixed_texts(count):
    """Lengths as chunks of code have them: many short, few long."""
    lengths = [8 + (number * 37 % 101) * (number * 37 % 101) // 45 for number in range(count)]
    return [" ".join((WORDS * length)[:length]) for length in lengths]


def run_ours(program, folder, texts, threads, precision, vectors=None):
    """One reading: tokens a second by wall and by processor time, and peak memory in bytes."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(text) + "\n" for text in texts))
        file.flush()
        command = [program, "--model", str(folder), "--texts", file.name, "--threads", str(threads),
                   "--precision", precision, "--repetitions", "3", "--json"]
        out = subprocess.run(command + (["--vectors", vectors] if vectors else []), check=True, capture_output=True, text=True)
    row = json.loads(out.stdout)
    return row["tokens_per_second"], row["tokens_per_cpu_second"], row["peak_memory_bytes"]


def run_theirs(arguments):
    """The same of theirs, in this process; called by `peer` in a process of its own."""
    folder, texts = Path(arguments.model), json.loads(Path(arguments.texts).read_text())
    theirs = Theirs(folder, arguments.graph, arguments.threads)
    theirs.tokenizer.no_padding()
    tokens = sum(len(text.ids) for text in theirs.tokenizer.encode_batch(texts))
    theirs.tokenizer.enable_padding()
    theirs.embed(texts)
    wall, cpu = [], []
    for _ in range(3):
        start = time.perf_counter(), time.process_time()
        theirs.embed(texts)
        wall.append(tokens / (time.perf_counter() - start[0]))
        cpu.append(tokens / (time.process_time() - start[1]))
    # Not getrusage, which counts what the parent had when it forked.
    high_water = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    memory = int(high_water.split()[1]) * 1024
    print(json.dumps([statistics.median(wall), statistics.median(cpu), memory]))


def peer(folder, graph, texts, threads):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(texts, file)
        file.flush()
        command = [sys.executable, __file__, "theirs", "--model", str(folder), "--graph", graph, "--texts", file.name, "--threads", str(threads)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def speed(arguments):
    folder = Path(arguments.model)
    paths = graphs(folder)
    kinds = {"128 tokens": fixed_texts(128, 32), "mixed": mixed_texts(64)}
    print("| texts | precision | threads | ours, wall | onnxruntime, wall | ratio | ours, cpu | onnxruntime, cpu | ratio | memory, MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind, texts in kinds.items():
        for precision in ("fp32", "int8"):
            for threads in (1, 2):
                rounds = [(run_ours(arguments.embed, folder, texts, threads, precision), peer(folder, paths[precision], texts, threads))
                          for _ in range(arguments.rounds)]
                cells = []
                for figure in (0, 1):
                    ours, theirs = ([pair[side][figure] for pair in rounds] for side in (0, 1))
                    ratios = [a / b for a, b in zip(ours, theirs)]
                    for values in (ours, theirs):
                        cells.append(f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})")
                    cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
                memory = " / ".join(f"{max(pair[side][2] for pair in rounds) / 2**20:.0f}" for side in (0, 1))
                print(f"| {kind} | {precision} | {threads} | {' | '.join(cells)} | {memory} |", flush=True)


def loss(arguments):
    import numpy as np

    folder = Path(arguments.model)
    texts = [json.loads(line) for line in Path(arguments.texts).read_text().splitlines()]
    paths, vectors = graphs(folder), {}
    with tempfile.TemporaryDirectory() as temporary:
        for precision in ("fp32", "int8"):
            file = os.path.join(temporary, precision)
            run_ours(arguments.embed, folder, texts, 1, precision, file)
            vectors["ours", precision] = np.fromfile(file, dtype=np.float32).reshape(len(texts), -1)
            vectors["onnxruntime", precision] = Theirs(folder, paths[precision], 1).embed(texts)
    exact = vectors["onnxruntime", "fp32"]

    def neighbours(rows):
        # A text's neighbours by the vectors of the same precision, itself left out.
        similar = rows @ rows.T
        np.fill_diagonal(similar, -2)
        return np.argsort(-similar, axis=1)[:, :arguments.neighbours]

    wanted = neighbours(exact)
    print(f"| vectors | least cosine | median cosine | the same of {arguments.neighbours} neighbours |\n| --- | --- | --- | --- |")
    for (who, precision), rows in vectors.items():
        cosines = (rows * exact).sum(1)
        same = np.mean([len(set(a) & set(b)) / arguments.neighbours for a, b in zip(wanted, neighbours(rows))])
        print(f"| {who}, {precision} | {cosines.min():.5f} | {np.median(cosines):.5f} | {same:.4f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["speed", "loss", "theirs"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--embed", default="target/release/embed")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--texts")
    parser.add_argument("--neighbours", type=int, default=10)
    parser.add_argument("--graph", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    {"speed": speed, "loss": loss, "theirs": run_theirs}[arguments.what](arguments)


if __name__ == "__main__":
    main()
