#!/usr/bin/env python3
"""Questions that need no judge, from code itself: messages as a user would paste them, and names.

  messages.py GROUP=DIR [--count N] [--seed S] > OUT.jsonl

A message is a text in double quotes of at least five words outside of tests and documentation, its interpolations replaced by
values; it is answered by its line. A name is a function as `Mod.fun/arity`, `fun/arity` or `Mod.fun`, or the last part of a module;
it is answered by its first line. Names that several definitions have are left out. Rows are those of the documentation-to-function
benchmark: query_id, query, file, lines.
"""
import argparse
import json
import os
import random
import re
import sys

SKIPPED = {"test", "tests", "deps", "_build", "bench", "fixtures", "node_modules", ".git"}
TEXT = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
VALUES = ["42", ":timeout", "nil", '"lib/shop.ex"', "Shop.Cart", "[1, 2]", "%{id: 7}"]
HEAD = re.compile(r"^\s*(?:def|defmacro)\s+([a-z_]\w*[?!]?)")
MODULE = re.compile(r"^(\s*)defmodule\s+([\w.]+)\s+do")


def sources(root):
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in SKIPPED)
        for name in sorted(files):
            if name.endswith(".ex"):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8", errors="replace") as f:
                    yield os.path.relpath(path, root), f.read().split("\n")


def interpolated(text, rng):
    """The text with values, or None if what is interpolated holds braces."""
    text = re.sub(r"#\{[^{}]*\}", lambda _: rng.choice(VALUES), text)
    return None if "#{" in text else text.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group")
    parser.add_argument("--count", type=int, default=40, help="of each kind")
    parser.add_argument("--seed", default="messages-1")
    args = parser.parse_args()
    group, _, root = args.group.partition("=")
    rng = random.Random(f"{args.seed}:{group}")
    messages, names = {}, {}
    for path, lines in sources(root):
        quoted, module = False, None
        for number, line in enumerate(lines, 1):
            marks = line.count('"""') + line.count("'''")
            if marks or quoted:
                quoted ^= marks % 2 == 1
                continue
            if found := MODULE.match(line):
                module = found[2]
                names.setdefault(module.rsplit(".", 1)[-1], set()).add((path, number))
            if (found := HEAD.match(line)) and module:
                for name in (found[1], f"{module}.{found[1]}"):
                    names.setdefault(name, set()).add((path, number, name))
            if line.lstrip().startswith(("#", "@doc", "@moduledoc", "@typedoc", "iex>")):
                continue
            for found in TEXT.finditer(line):
                text = interpolated(found[1], rng)
                if text and len(re.findall(r"[A-Za-z]{2,}", found[1])) >= 5:
                    messages.setdefault(" ".join(text.split()), []).append((path, number))
    rows = []
    for text, places in messages.items():
        if len(places) == 1:
            words = text.split()
            if len(words) > 8 and rng.random() < 0.4:  # a part of the message
                start = rng.randrange(len(words) - 6)
                text = " ".join(words[start:start + rng.randrange(6, 12)])
            rows.append(("message", text, *places[0]))
    rng.shuffle(rows)
    called = [("name", name, *next(iter(places))[:2]) for name, places in sorted(names.items()) if len({p[0] for p in places}) == 1]
    rng.shuffle(called)
    for at, (kind, text, path, line) in enumerate(rows[:args.count] + called[:args.count]):
        row = {"query_id": f"{group}:{kind}-{at}", "repo": group, "kind": kind, "query": text, "file": path, "lines": [line], "name_overlap": 1}
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
