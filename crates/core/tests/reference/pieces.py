"""Writes pieces.json: how llama.cpp cuts texts with the vocabulary of tiny-sentencepiece.gguf. Needs: pip install xllamacpp"""

import importlib.metadata
import json
import pathlib
import urllib.request

import xllamacpp

HERE = pathlib.Path(__file__).parent
TEXTS = ["hello the hell", "the  thing", "hello", "é日本 the", " the", "hellohello in ing\n", "x", "tthhee"]

params = xllamacpp.CommonParams()
params.model.path = str(HERE / "tiny-sentencepiece.gguf")
params.n_ctx = 256
params.warmup = False
server = xllamacpp.Server(params)
cases = []
for text in TEXTS:
    body = json.dumps({"content": text, "add_special": False}).encode()
    asked = urllib.request.Request(server.listening_address + "/tokenize", body, {"content-type": "application/json"})
    cases.append({"text": text, "tokens": json.load(urllib.request.urlopen(asked))["tokens"]})
out = {"made_by": f"xllamacpp {importlib.metadata.version('xllamacpp')}", "cases": cases}
(HERE / "pieces.json").write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n")
