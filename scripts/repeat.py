#!/usr/bin/env python3
"""Makes a large tree of Elixir code out of small ones, to measure with.

  repeat.py OUT LINES DIR...

Copies the sources below each DIR, again and again, until there are LINES lines. In each copy the modules that these sources define have names of their own, so
that the copies are like other projects and not like duplicates.
"""
import os
import re
import sys


def main(out, wanted, folders):
    wanted = int(wanted)
    files, roots = [], set()
    for folder in folders:
        for where, below, names in os.walk(folder):
            below[:] = sorted(name for name in below if not name.startswith(".") and name not in ("deps", "_build"))
            for name in sorted(names):
                if name.endswith((".ex", ".exs", ".heex", ".eex")):
                    path = os.path.join(where, name)
                    with open(path, encoding="utf-8", errors="replace") as file:
                        text = file.read()
                    files.append((os.path.join(os.path.basename(folder.rstrip("/")), os.path.relpath(path, folder)), text))
                    roots |= {found.split(".")[0] for found in re.findall(r"^\s*defmodule\s+([A-Z][\w.]*)", text, re.M)}
    renamed = re.compile(r"(?<![\w.:@])(" + "|".join(sorted(roots, key=lambda name: (-len(name), name))) + r")(?=\b)")
    lines, copy = 0, 0
    while lines < wanted:
        for path, text in files:
            if lines >= wanted:
                break
            if copy:
                text = renamed.sub(lambda found: f"{found.group(1)}{copy}", text)
            target = os.path.join(out, f"copy{copy}", path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8") as file:
                file.write(text)
            lines += text.count("\n")
        copy += 1
    print(f"{lines} lines of {len(files)} files in {copy} copies")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
