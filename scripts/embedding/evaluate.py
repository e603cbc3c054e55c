#!/usr/bin/env python3
"""Documentation to function: how high a model ranks the function that a sentence documents, among all of a project's.

    evaluate.py MODEL.bin FOLDER [--results OUT.jsonl]

FOLDER holds, for each project, NAME.nodoc (its sources without documentation), docsearch/NAME.funcs.jsonl (one line for each
clause: file, module, name, arity, line, end_line) and docsearch/queries.jsonl (repo, query, file, lines, name_overlap).
Printed are MRR@10 by project, and over the questions that share no word with the name; alone, and fused with BM25.
"""

import argparse
import json
import math
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from model_file import Model
from prepare import stem

MOST_LINES = 120
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def read(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def functions(folder, name):
    """A project's functions, their clauses joined, with header and text."""
    found = {}
    for clause in read(folder / "docsearch" / f"{name}.funcs.jsonl"):
        key = (clause["file"], clause["module"], clause["name"], clause["arity"])
        function = found.setdefault(key, clause)
        if clause["line"] - function["end_line"] <= 3:
            function["end_line"] = max(function["end_line"], clause["end_line"])
    files = {}
    for function in found.values():
        function["end_line"] = min(function["end_line"], function["line"] + MOST_LINES - 1)
        path = folder / f"{name}.nodoc" / function["file"]
        if path not in files:
            files[path] = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
        lines = files[path][function["line"] - 1 : function["end_line"]]
        function["text"] = "\n".join(line for line in lines if line.strip())
        function["header"] = f"{function['module'] or ''} ({function['file']})"
    return list(found.values())


def lexical(functions, questions, boost=3):
    """BM25 scores over stems, the name counting three times."""
    words = lambda text: [stem(word.lower()) for word in WORD.findall(text)]
    texts = [words(f"{f['header']} " + f"{f['name']} " * boost + f["text"]) for f in functions]
    mean = sum(map(len, texts)) / len(texts)
    postings = defaultdict(list)
    for at, text in enumerate(texts):
        for word, count in Counter(text).items():
            postings[word].append((at, 2.2 * count / (count + 1.2 * (0.25 + 0.75 * len(text) / mean))))
    scores = np.zeros((len(questions), len(texts)), np.float32)
    for row, question in zip(scores, questions):
        for word in set(words(question)):
            having = postings.get(word, ())
            rarity = math.log(1 + (len(texts) - len(having) + 0.5) / (len(having) + 0.5))
            for at, value in having:
                row[at] += rarity * value
    return scores


def reciprocal_ranks(scores, rights):
    """1 / rank of each question's best right answer, if that is among the first ten; the earlier function wins a tie."""
    found = []
    for row, right in zip(scores, rights):
        order = np.argsort(-row, kind="stable")[:10]
        found.append(next((1 / rank for rank, at in enumerate(order, 1) if at in right), 0.0))
    return np.array(found)


def fused(vector_scores, lexical_scores, share):
    most = lexical_scores.max(1, keepdims=True)
    return share * vector_scores + (1 - share) * lexical_scores / np.where(most > 0, most, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--share", type=float, default=0.6, help="of the vectors in the fusion")
    parser.add_argument("--results", help="the fused ranking, one line for each question")
    options = parser.parse_args()
    model = Model(options.model)
    by_project = defaultdict(list)
    for question in read(options.folder / "docsearch" / "queries.jsonl"):
        by_project[question["repo"]].append(question)
    table, results = [], []
    for name, asked in sorted(by_project.items()):
        all_functions = functions(options.folder, name)
        documents = np.stack([model.vector(model.document_tokens(f["header"], f["text"])) for f in all_functions])
        vectors = np.stack([model.vector(model.query_tokens(question["query"])) for question in asked])
        by_words = lexical(all_functions, [question["query"] for question in asked])
        rights = [
            {
                at
                for at, f in enumerate(all_functions)
                if f["file"] == question["file"] and any(f["line"] <= line <= f["end_line"] for line in question["lines"])
            }
            for question in asked
        ]
        semantic = np.array([question["name_overlap"] == 0 for question in asked])
        scores = {"BM25": by_words, "static": vectors @ documents.T}
        scores["fused"] = fused(scores["static"], by_words, options.share)
        table.append((name, semantic, {kind: reciprocal_ranks(some, rights) for kind, some in scores.items()}))
        for question, row in zip(asked, scores["fused"]):
            places = [all_functions[at] for at in np.argsort(-row, kind="stable")[:50]]
            places = [{"file": f["file"], "line_start": f["line"], "line_end": f["end_line"]} for f in places]
            results.append({"query_id": question["query_id"], "results": places})
    kinds = ["BM25", "static", "fused"]
    print(f"{'MRR@10 (semantic)':20}{'n':>5}{'sem':>5}" + "".join(f"{kind:>16}" for kind in kinds))
    every = ("all", np.concatenate([row[1] for row in table]), {k: np.concatenate([row[2][k] for row in table]) for k in kinds})
    for name, semantic, ranks in [*table, every]:
        cells = [f"{ranks[kind].mean():.3f} ({ranks[kind][semantic].mean() if semantic.any() else math.nan:.3f})" for kind in kinds]
        print(f"{name:20}{len(semantic):>5}{semantic.sum():>5}" + "".join(f"{cell:>16}" for cell in cells))
    if options.results:
        Path(options.results).write_text("".join(json.dumps(row) + "\n" for row in results))


if __name__ == "__main__":
    main()
