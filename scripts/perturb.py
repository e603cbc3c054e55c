#!/usr/bin/env python3
"""Makes harder query sets out of one: the same targets, asked with typos or in other words.

  perturb.py typos IN.jsonl OUT.jsonl [--seed N]
  perturb.py paraphrases IN.jsonl OUT.jsonl [--paraphrases FILE]

IN has one query a line, {"query_id", "query", ...}. OUT has the same rows with another `query`, all other fields kept,
so that the scorer of IN scores OUT too; `original` is the query as it was. Where a row has the `name` of the function
that is looked for, paraphrases get a new `name_overlap`, the share of the name's word stems that the query has; typos
keep the old one, so that a selection by it holds the same questions with and without typos.
Typos depend on the seed and the query's id alone: neither on the other queries nor on their order. Of the paraphrases,
only those whose query is in IN are written.
"""

import argparse
import json
import os
import random
import re
import sys

PARAPHRASES = os.path.join(os.path.dirname(__file__), "../benches/questions/paraphrases.jsonl")

# Words that carry no meaning of their own; a typo in them would make nothing harder.
STOP = set("also another been being both does each from given have into more most only other over same such than that "
           "their them then there these they this those through used using value values were what when where whether "
           "which while whose will with within without your".split())

# Each letter's neighbours on an English keyboard, whose rows are shifted by half a key.
ROWS = ["qwertyuiop", "asdfghjkl", "zxcvbnm"]


def neighbours(number, at):
    above = ROWS[number - 1][at : at + 2] if number else ""
    below = ROWS[number + 1][max(0, at - 1) : at + 1] if number + 1 < len(ROWS) else ""
    return ROWS[number][max(0, at - 1) : at] + ROWS[number][at + 1 : at + 2] + above + below


NEIGHBOURS = {letter: neighbours(number, at) for number, row in enumerate(ROWS) for at, letter in enumerate(row)}


def slip(word, rng):
    """The word with one slip of the fingers; its first letter, which people rarely miss, stays.

    >>> slip("pool", random.Random(2)) != "pool"
    True
    >>> all(slip("retries", random.Random(seed)).startswith("r") for seed in range(100))
    True
    >>> all(slip("oooo", random.Random(seed)) != "oooo" for seed in range(100))
    True
    """
    at = rng.randrange(1, len(word))
    before, letter, after = word[:at], word[at], word[at + 1 :]
    slips = [before + after, before + letter + letter + after]
    if letter in NEIGHBOURS:
        slips.append(before + rng.choice(NEIGHBOURS[letter]) + after)
    if after and after[0] != letter:
        slips.append(before + after[0] + letter + after[1:])
    return rng.choice(slips)


def misspell(query, rng):
    """The query with a slip in one of its content words, or in two where it has three or more.

    >>> misspell("to be or not", random.Random(1))
    'to be or not'
    >>> a, b = misspell("wait for connections", random.Random(1)), "wait for connections"
    >>> sum(x != y for x, y in zip(a.split(), b.split()))
    1
    """
    words = [word for word in re.finditer(r"(?<![\w.@:])[a-z]{4,}(?![\w.(])", query) if word.group() not in STOP]
    count = min(len(words), rng.choice([1, 2]) if len(words) > 2 else 1)
    for word in sorted(rng.sample(words, count), key=lambda word: -word.start()):
        query = query[: word.start()] + slip(word.group(), rng) + query[word.end() :]
    return query


def stems(text):
    """The word stems of a text or a name, as the benchmark of documentation and functions counts them.

    >>> sorted(stems("parse_HTTPHeaders"))
    ['header', 'http', 'pars']
    """
    return {stem(word.lower()) for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", text)}


def stem(word):
    for suffix in ("ings", "ing", "ies", "ed", "es", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            return word[: -len(suffix)]
    return word


def overlap(name, query):
    """The share of the name's stems that the query has.

    >>> overlap("put_new", "puts a value under a new key")
    1.0
    >>> overlap("put_new", "add a value")
    0.0
    """
    wanted = stems(name)
    return round(len(wanted & stems(query)) / max(1, len(wanted)), 2)


def changed(row, query):
    return {**row, "query": query, "original": row["query"]}


def paraphrased(row, query):
    row = changed(row, query)
    return {**row, "name_overlap": overlap(row["name"], query)} if "name" in row else row


def read_jsonl(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("typos", "paraphrases"):
        sub = commands.add_parser(command)
        sub.add_argument("queries")
        sub.add_argument("out")
        if command == "typos":
            sub.add_argument("--seed", type=int, default=1)
        else:
            sub.add_argument("--paraphrases", default=PARAPHRASES)
    arguments = parser.parse_args()

    rows = read_jsonl(arguments.queries)
    if arguments.command == "typos":
        rows = [changed(row, misspell(row["query"], random.Random(f"{arguments.seed}:{row['query_id']}"))) for row in rows]
    else:
        words = {row["query_id"]: row["query"] for row in read_jsonl(arguments.paraphrases)}
        rows = [paraphrased(row, words[row["query_id"]]) for row in rows if row["query_id"] in words]
        if not rows:
            sys.exit(f"no query of {arguments.queries} has a paraphrase in {arguments.paraphrases}; are the ids the same?")
    with open(arguments.out, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{len(rows)} queries -> {arguments.out}")


if __name__ == "__main__":
    main()
