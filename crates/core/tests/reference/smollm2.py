"""Writes smollm2.json: llama.cpp's most probable next tokens, and the same from transformers with the weights as floats, which
tells how much of a difference comes from rounding. Needs: pip install xllamacpp torch transformers gguf accelerate

Usage: smollm2.py SMOLLM2_135M_INSTRUCT.gguf
"""

import importlib.metadata
import json
import pathlib
import sys
import urllib.request

import torch
import transformers
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
path = pathlib.Path(sys.argv[1])
floats = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
cases = []
for prompt in PROMPTS:
    answer = server.handle_completions(
        {"prompt": prompt, "max_tokens": 1, "logprobs": TOP, "temperature": 0.0, "cache_prompt": False}
    )
    first = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    body = json.dumps({"content": prompt, "parse_special": True, "add_special": False}).encode()
    asked = urllib.request.Request(server.listening_address + "/tokenize", body, {"content-type": "application/json"})
    tokens = json.load(urllib.request.urlopen(asked))["tokens"]
    assert len(tokens) == answer["usage"]["prompt_tokens"]
    top = [[entry["id"], round(entry["logprob"], 5)] for entry in first]
    with torch.no_grad():
        exact = torch.log_softmax(floats(torch.tensor([tokens])).logits[0, -1].double(), 0)
    exact = [round(float(exact[token]), 5) for token, _ in top]
    cases.append({"prompt": prompt, "tokens": tokens, "top": top, "exact": exact})
differences = [abs(e - t[1]) for case in cases for e, t in zip(case["exact"], case["top"])]
print(f"llama.cpp differs from floats by {max(differences):.3f} at most, {sum(differences) / len(differences):.3f} on average")
versions = [importlib.metadata.version(package) for package in ("xllamacpp", "transformers")]
out = {"made_by": "xllamacpp {}; exact: transformers {}".format(*versions), "cases": cases}
path = pathlib.Path(__file__).with_name("smollm2.json")
path.write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")).replace("},{", "},\n{") + "\n")
