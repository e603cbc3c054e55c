#!/usr/bin/env python3
"""Learns what each feature of a candidate counts for in ranking, and writes it into crates/core/src/retrieval/weights.rs.

  learn_ranking.py SET… [--write N] [--seed S]

A SET is GROUP=QUERIES:CANDIDATES[:TREE]. GROUP names the repository; QUERIES is a file of questions, CANDIDATES what
`cargo run --release -p ambix-benches --bin rank` made of them.

 - Questions of documentation to function (with `file` and `lines`): the right candidates are those of the file that hold
   one of the lines, and have at most 120 lines that are not blank in TREE, the folder that was searched.
 - Questions with judged answers (with `primary` and `secondary`): the right candidates are the best of each primary file.

The weights maximise the likelihood of the right candidates (a softmax over the candidates of a question; of several right ones
their sum), with a penalty on large weights. They are checked by leaving out one group at a time; what is printed is what
the others' weights reach there. --write N puts weights learnt from all groups into row N of the table (0: without meaning, 1: with it).

Needs numpy: pip install numpy==2.2.6
"""
import argparse
import json
import os
import re

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "crates", "core", "src", "retrieval", "weights.rs")
FEATURES = os.path.join(HERE, "..", "crates", "core", "src", "retrieval", "rank", "features.rs")
# No question of the development sets can tell: a caller says where they are, few people paste a stack trace, and a model that
# judges places is the caller's.
BY_HAND = {"near": 0.5, "located": 4.0, "reranked": 0.6}
# These may only speak for a place, however few questions there are to learn it from.
POSITIVE = {"words", "meaning", "tested", "defines", "mentioned", "located", "phrase", "file", "file_meaning", "coverage"}


JUDGED = ("architecture", "behaviour", "symbol", "error", "message", "name")


def feature_names():
    with open(FEATURES, encoding="utf-8") as f:
        return re.findall(r'Feature::\w+ => "(\w+)"', f.read())


def read_jsonl(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


class Tree:
    def __init__(self, root):
        self.root, self.files = root, {}

    def lines(self, file, start, end):
        if file not in self.files:
            with open(os.path.join(self.root, file), encoding="utf-8", errors="replace") as f:
                self.files[file] = f.read().split("\n")
        return sum(1 for line in self.files[file][start - 1:end] if line.strip())


def right(question, result, tree):
    """How right a result is: 0, 1 (secondary) or 2."""
    if "primary" in question:
        return 2 if result["file"] in question["primary"] else 1 if result["file"] in question["secondary"] else 0
    holds = result["file"] == question["file"] and any(result["line_start"] <= l <= result["line_end"] for l in question["lines"])
    return 2 if holds and tree.lines(result["file"], result["line_start"], result["line_end"]) <= 120 else 0


def load(spec, names):
    group, _, paths = spec.partition("=")
    queries, candidates, *tree = paths.split(":")
    tree = Tree(tree[0]) if tree else None
    answers = {row["query_id"]: row["results"] for row in read_jsonl(candidates)}
    rows = []
    for question in read_jsonl(queries):
        results = answers.get(question["query_id"])
        if results is None:
            continue
        values = np.array([[r["features"].get(n, 0.0) for n in names] for r in results], dtype=np.float32).reshape(-1, len(names))
        grades = np.array([right(question, r, tree) for r in results])
        files = [r["file"] for r in results]
        rows.append((values, grades, files, question))
    return group, rows


def loss_gradient(rows, weights):
    gradient, loss = np.zeros_like(weights), 0.0
    for values, grades, files, question in rows:
        if not (grades == 2).any():
            continue
        scores = values @ weights
        exp = np.exp(scores - scores.max())
        if "primary" in question:
            # One place of each file stands for it.
            best = {}
            for at in np.argsort(-scores, kind="stable"):
                best.setdefault(files[at], at)
            kept = np.zeros(len(exp))
            kept[list(best.values())] = 1
            exp = exp * kept
        good = exp * (grades == 2)
        if good.sum() <= 0:
            continue
        gradient -= (good / good.sum() - exp / exp.sum()) @ values
        loss -= np.log(good.sum() / exp.sum())
    return loss / len(rows), gradient / len(rows)


def learn(groups, names, penalty, steps=150):
    weights = np.zeros(len(names))
    free = np.array([name not in BY_HAND for name in names])
    positive = np.array([name in POSITIVE for name in names])
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    # A repository counts by its questions, but not more than sixty.
    shares = [min(len(rows), 60) for _, rows in groups if rows]
    for step in range(1, steps + 1):
        gradient = sum(s * loss_gradient(rows, weights)[1] for s, (_, rows) in zip(shares, [g for g in groups if g[1]])) / sum(shares)
        gradient = (gradient + penalty * weights) * free
        first, second = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient ** 2
        weights -= 0.15 * (first / (1 - 0.9 ** step)) / (np.sqrt(second / (1 - 0.99 ** step)) + 1e-8)
        weights[positive] = np.maximum(weights[positive], 0)
    return np.where(free, weights, [BY_HAND.get(name, 0) for name in names])


def ranked(values, files, weights, same_file):
    scores = values @ weights
    order, seen, damped = np.argsort(-scores, kind="stable"), {}, scores.copy()
    for at in order:
        damped[at] -= same_file * seen.get(files[at], 0)
        seen[files[at]] = seen.get(files[at], 0) + 1
    return np.argsort(-damped, kind="stable")


def measure(row, weights, same_file):
    """MRR@10 of a function question, NDCG@10 over files of a judged one."""
    values, grades, files, question = row
    order = ranked(values, files, weights, same_file)
    if "primary" not in question:
        return next((1 / rank for rank, at in enumerate(order[:10], 1) if grades[at] == 2), 0.0)
    places = list(dict.fromkeys(files[at] for at in order[:20]))[:10]
    gain = {**{f: 1 for f in question["secondary"]}, **{f: 3 for f in question["primary"]}}
    ideal = sorted(gain.values(), reverse=True)[:10]
    dcg = lambda gains: sum(g / np.log2(at + 2) for at, g in enumerate(gains))
    return dcg([gain.get(f, 0) for f in places]) / dcg(ideal)


def write(row, names, weights):
    with open(SOURCE, encoding="utf-8") as f:
        text = f.read()
    begin, end = text.index("// learnt: begin"), text.index("// learnt: end")
    tables = re.findall(r"\[[^\[\]]*\]", text[begin:end])
    cells = ", ".join(f"{weight:.2f}" for weight in weights)
    tables[row] = f"[{cells}]"
    middle = "// learnt: begin\n" + "".join(f"    {table},\n" for table in tables) + "    "
    with open(SOURCE, "w", encoding="utf-8") as f:
        f.write(text[:begin] + middle + text[end:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--write", type=int, choices=[0, 1])
    parser.add_argument("--penalty", type=float, default=0.002)
    parser.add_argument("--same-file", type=float, default=0.25)
    parser.add_argument("--without", default="", help="features to leave out, with commas")
    parser.add_argument("--folds", type=int, default=4)
    args = parser.parse_args()
    names = feature_names()
    groups = [load(spec, names) for spec in args.sets]
    left_out = [names.index(n) for n in args.without.split(",") if n]
    for _, rows in groups:
        for values, *_ in rows:
            values[:, left_out] = 0
    repos = list(dict.fromkeys(group for group, _ in groups))
    results = {}
    for fold in range(min(args.folds, len(repos))):
        held = set(repos[fold::args.folds])
        weights = learn([g for g in groups if g[0] not in held], names, args.penalty)
        for at, (group, rows) in enumerate(groups):
            if group in held:
                results[at] = [measure(row, weights, args.same_file) for row in rows]
    kinds = {"functions": [], "judged": [], "names": []}
    print(f"{'':28}{'n':>5}{'':>4}MRR or NDCG@10, by weights of the other repositories")
    for at, (group, rows) in enumerate(groups):
        kind = "judged" if "primary" in rows[0][3] else "names" if "kind" in rows[0][3] and rows[0][3]["kind"] in ("message", "name") else "functions"
        kinds[kind].append(np.mean(results[at]))
        print(f"{group + ' ' + kind:28}{len(rows):>5}{np.mean(results[at]):>10.3f}")
    for kind, means in kinds.items():
        if means:
            print(f"{'mean of ' + kind:28}{len(means):>5}{np.mean(means):>10.3f}")
    semantic = [m for at, (_, rows) in enumerate(groups) for m, row in zip(results[at], rows) if row[3].get("name_overlap", 1) <= 0]
    if semantic:
        print(f"{'without a word of the name':28}{len(semantic):>5}{np.mean(semantic):>10.3f}")
    by_kind = {}
    for at, (_, rows) in enumerate(groups):
        for m, row in zip(results[at], rows):
            if row[3].get("kind") in JUDGED:
                by_kind.setdefault(row[3]["kind"], []).append(m)
    for kind, ms in by_kind.items():
        print(f"{kind:28}{len(ms):>5}{np.mean(ms):>10.3f}")
    weights = learn(groups, names, args.penalty)
    print(", ".join(f"{name} {weight:.2f}" for name, weight in zip(names, weights)))
    if args.write is not None:
        write(args.write, names, weights)


if __name__ == "__main__":
    main()
