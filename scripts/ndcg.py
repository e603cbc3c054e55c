#!/usr/bin/env python3
"""Scores search results against questions with judged answers: NDCG@10 over files.

  ndcg.py score RESULTS.jsonl ... --questions FILE ...   the table, by corpus, by kind and for all questions
  ndcg.py check FILE ... [--corpora DIR]                 are the question files well formed, do the answers exist

A line of RESULTS is what `mix ambix.search --queries` writes: {"query_id", "results": [{"file", ...}]}, best first. Of
several results in one file the first counts. A question without results scores 0. Relevance is 2 for a primary answer
and 1 for a secondary one, the gain 2^relevance - 1, the discount log2(rank + 1), and the ideal order that of the
judgements. Intervals are 95 % percentile intervals of a bootstrap over the questions.
"""

import argparse
import json
import math
import os
import random
import sys
from collections import Counter

CUT = 10
KINDS = ["architecture", "behaviour", "symbol", "error"]
SPLITS = ["dev", "kept"]
FIELDS = {"query_id", "corpus", "kind", "query", "primary", "secondary", "split"}

# The searched folder of a corpus, where it is not the whole checkout.
ROOTS = {"elixir": "elixir/lib"}


def read_jsonl(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    sys.exit(f"{path}:{number} is not JSON: {error}; mend the line")


def ndcg(files, primary, secondary):
    """NDCG@10 of files, best first.

    >>> ndcg(["a", "b"], ["a"], ["b"])
    1.0
    >>> round(ndcg(["x", "a"], ["a"], []), 4)
    0.6309
    >>> round(ndcg(["b", "a"], ["a"], ["b"]), 4) == round((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)), 4)
    True
    >>> ndcg(["a", "a", "a"], ["a"], [])
    1.0
    >>> ndcg(["x"] * 3 + list("klmnopqrs") + ["a"], ["a"], [])
    0.0
    """
    gain = {**dict.fromkeys(secondary, 2**1 - 1), **dict.fromkeys(primary, 2**2 - 1)}
    distinct = list(dict.fromkeys(files))[:CUT]
    found = dcg([gain.get(file, 0) for file in distinct])
    return found / dcg(sorted(gain.values(), reverse=True)[:CUT])


def dcg(gains):
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def interval(values, samples, seed):
    """The 2.5th and the 97.5th percentile of the means of resampled values.

    >>> interval([0.5, 0.5, 0.5], 100, 1)
    (0.5, 0.5)
    >>> low, high = interval([0.0, 1.0] * 50, 500, 1)
    >>> 0.35 < low < 0.5 < high < 0.65
    True
    """
    rng = random.Random(seed)
    means = sorted(sum(rng.choices(values, k=len(values))) / len(values) for _ in range(samples))
    return means[int(0.025 * samples)], means[min(samples - 1, int(0.975 * samples))]


def score(questions, results, samples, seed):
    """A row for each corpus, each kind, each pair of the two that occurs, and for all questions."""
    groups = {}
    for question in questions:
        files = [result["file"] for result in results.get(question["query_id"], [])]
        value = ndcg(files, question["primary"], question["secondary"])
        corpus, kind = question["corpus"], question["kind"]
        for key in [(corpus, "all"), ("all", kind), (corpus, kind), ("all", "all")]:
            groups.setdefault(key, []).append(value)
    rows = []
    for corpus in [*sorted({question["corpus"] for question in questions}), "all"]:
        for kind in [*KINDS, "all"]:
            values = groups.get((corpus, kind))
            if values:
                low, high = interval(values, samples, seed)
                row = {"corpus": corpus, "kind": kind, "questions": len(values), "ndcg@10": sum(values) / len(values)}
                rows.append({**row, "low": low, "high": high})
    return rows


def table(rows):
    lines = [f"{'corpus':<12}{'kind':<14}{'questions':>9}{'NDCG@10':>9}   95 %"]
    for row in rows:
        numbers = f"{row['questions']:>9}{row['ndcg@10']:>9.3f}   {row['low']:.3f} to {row['high']:.3f}"
        lines.append(f"{row['corpus']:<12}{row['kind']:<14}{numbers}")
    return "\n".join(lines)


def faults(question, corpora):
    """What is wrong with one question."""
    missing = FIELDS - question.keys()
    if missing:
        yield f"lacks {', '.join(sorted(missing))}"
        return
    if question["kind"] not in KINDS:
        yield f"has the kind {question['kind']!r}, which is none of {', '.join(KINDS)}"
    if question["split"] not in SPLITS:
        yield f"has the split {question['split']!r}, which is neither dev nor kept"
    if not question["query"].strip():
        yield "has no text"
    if not question["primary"]:
        yield "has no primary answer"
    answers = question["primary"] + question["secondary"]
    for file, times in Counter(answers).items():
        if times > 1:
            yield f"names {file} {times} times"
    if corpora:
        root = os.path.join(corpora, ROOTS.get(question["corpus"], question["corpus"]))
        for file in answers:
            if not os.path.isfile(os.path.join(root, file)):
                yield f"names {file}, which is not in {root}"


def check(paths, corpora):
    """All that is wrong with question files, as sentences."""
    seen = set()
    for path in paths:
        for question in read_jsonl(path):
            name = question.get("query_id", "a question without an id")
            for fault in faults(question, corpora):
                yield f"{path}: {name} {fault}"
            if name in seen:
                yield f"{path}: {name} is given twice"
            seen.add(name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    scoring = commands.add_parser("score")
    scoring.add_argument("results", nargs="+", help="one or more files of results")
    scoring.add_argument("--questions", nargs="+", required=True)
    scoring.add_argument("--samples", type=int, default=2000, help="resamplings for the intervals")
    scoring.add_argument("--seed", type=int, default=1)
    scoring.add_argument("--json", action="store_true", help="a JSON line for each row instead of the table")
    checking = commands.add_parser("check")
    checking.add_argument("questions", nargs="+")
    checking.add_argument("--corpora", help="the folder with one checkout for each corpus; answers must exist there")
    arguments = parser.parse_args()

    found = list(check(arguments.questions, getattr(arguments, "corpora", None)))
    if found:
        sys.exit("\n".join(found))
    if arguments.command == "check":
        return

    questions = [question for path in arguments.questions for question in read_jsonl(path)]
    results = {row["query_id"]: row["results"] for path in arguments.results for row in read_jsonl(path)}
    without = sum(question["query_id"] not in results for question in questions)
    if without:
        print(f"{without} of {len(questions)} questions have no results and score 0", file=sys.stderr)
    rows = score(questions, results, arguments.samples, arguments.seed)
    print("\n".join(json.dumps(row) for row in rows) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
