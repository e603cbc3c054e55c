"""Writes smollm2.json: llama.cpp's most probable next tokens. Needs: pip install xllamacpp

Usage: smollm2.py SMOLLM2_135M_INSTRUCT.gguf
"""

import json
import pathlib
import sys

import xllamacpp

PROMPTS = [
    "The capital of France is",
    "def fibonacci(n):\n    if n <= 1:\n        return",
    "Once upon a time",
    "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n",
    "defmodule Math do\n  def add(a, b) do\n    a",
    "In 1969, the first man walked on the",
    "Ünïcode: naïve café, 日本語,",
    "The list [1, 2, 3, 4, 5, 6, 7, 8, 9,",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
    "it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of",
]
TOP = 40

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = 1024
params.n_parallel = 1
params.cpuparams.n_threads = 2
params.warmup = False
server = xllamacpp.Server(params)
cases = []
for prompt in PROMPTS:
    answer = server.handle_completions(
        {"prompt": prompt, "n_predict": 8, "n_probs": TOP, "temperature": 0.0, "post_sampling_probs": False, "cache_prompt": False}
    )
    probabilities = answer["completion_probabilities"]
    first = probabilities[0]["top_logprobs"]
    cases.append(
        {
            "prompt": prompt,
            "top": [[entry["id"], round(entry["logprob"], 5)] for entry in first],
            "greedy": [entry["id"] for entry in probabilities],
        }
    )
    print(repr(prompt[-20:]), repr(answer["content"]))
out = {"made_by": f"xllamacpp, {xllamacpp.BUILD_INFO}", "cases": cases}
path = pathlib.Path(__file__).with_name("smollm2.json")
path.write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")).replace("},{", "},\n{") + "\n")
