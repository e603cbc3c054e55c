#!/usr/bin/env python3
"""Measures how the time and the memory to index a tree grow with its lines, and draws both.

  growth.py FOLDER... [--sizes 10000,100000] [--turns 3] [--svg OUT.svg] [--keep DIR]

Trees of so many lines are made by repeat.py from the sources below the FOLDERs. Each is indexed from nothing by
`mix ambix.search` with one query, which is what a user runs: reading, words, names and vectors of the static model, and the file
of the index. Times are medians of the turns; memory is the peak of the process. The slope is that between two sizes in logarithms:
1 is in proportion to the lines.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = "10000,30000,100000,300000,1000000,3000000"
WIDTH, HEIGHT, LEFT, TOP, GAP = 420, 260, 60, 30, 90


def measure(root, turns, folder):
    """Seconds of each turn, peak bytes, lines of the answer's JSON."""
    queries = os.path.join(folder, "queries.jsonl")
    with open(queries, "w", encoding="utf-8") as file:
        file.write(json.dumps({"query_id": "1", "query": "where is the connection closed"}) + "\n")
    seconds, last = [], None
    for _ in range(turns):
        index = os.path.join(folder, "index.ambix")
        if os.path.exists(index):
            os.remove(index)
        command = ["mix", "ambix.search", "--root", root, "--index", index, "--queries", queries]
        command += ["--out", os.path.join(folder, "out.jsonl"), "--json", "--quiet"]
        run = subprocess.run(command, cwd=os.path.join(HERE, ".."), capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{run.stderr}")
        last = json.loads(run.stdout.strip().splitlines()[-1])
        seconds.append(last["index_seconds"])
    return seconds, last, os.path.getsize(os.path.join(folder, "index.ambix"))


def slope(one, other, key):
    """
    >>> slope({"lines": 10, "s": 2.0}, {"lines": 100, "s": 20.0}, "s")
    1.0
    """
    return math.log(other[key] / one[key]) / math.log(other["lines"] / one["lines"])


def ticks(values):
    """The powers of ten around the values.

    >>> ticks([0.3, 42])
    [0.1, 1.0, 10.0, 100.0]
    """
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0**power for power in range(low, max(high, low + 1) + 1)]


def chart(rows, key, title, unit, left):
    """One chart with logarithms on both axes, as lines of SVG."""
    xs, ys = ticks([row["lines"] for row in rows]), ticks([row[key] for row in rows])

    def place(value, marks, size):
        return (math.log10(value) - math.log10(marks[0])) / (math.log10(marks[-1]) - math.log10(marks[0])) * size

    x = lambda value: round(left + place(value, xs, WIDTH), 1)
    y = lambda value: round(TOP + HEIGHT - place(value, ys, HEIGHT), 1)
    yield f'<text x="{left}" y="{TOP - 12}" font-weight="bold">{title}</text>'
    for mark in xs:
        yield f'<line x1="{x(mark)}" y1="{TOP}" x2="{x(mark)}" y2="{TOP + HEIGHT}" stroke="#ddd"/>'
        yield f'<text x="{x(mark)}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{mark:,.0f}</text>'
    for mark in ys:
        yield f'<line x1="{left}" y1="{y(mark)}" x2="{left + WIDTH}" y2="{y(mark)}" stroke="#ddd"/>'
        yield f'<text x="{left - 6}" y="{y(mark) + 4}" text-anchor="end">{mark:g}</text>'
    points = " ".join(f"{x(row['lines'])},{y(row[key])}" for row in rows)
    yield f'<polyline points="{points}" fill="none" stroke="#2563eb" stroke-width="2"/>'
    for row in rows:
        yield f'<circle cx="{x(row["lines"])}" cy="{y(row[key])}" r="3" fill="#2563eb"/>'
        yield f'<text x="{x(row["lines"])}" y="{y(row[key]) - 8}" text-anchor="middle">{row[key]:.3g} {unit}</text>'
    yield f'<text x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 38}" text-anchor="middle">lines</text>'


def svg(rows):
    width, height = 2 * (LEFT + WIDTH) + GAP, TOP + HEIGHT + 50
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">']
    lines += [f'<rect width="{width}" height="{height}" fill="white"/>']
    lines += chart(rows, "seconds", "Time to index, seconds", "s", LEFT)
    lines += chart(rows, "peak_mib", "Peak memory, MiB", "MiB", 2 * LEFT + WIDTH + GAP - 30)
    return "\n".join([*lines, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--svg")
    parser.add_argument("--keep", help="where trees are kept, and found again")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in map(int, arguments.sizes.split(",")):
            tree = os.path.join(arguments.keep or folder, f"tree-{size}")
            if not os.path.isdir(tree):
                subprocess.run([sys.executable, os.path.join(HERE, "repeat.py"), tree, str(size), *arguments.folders], check=True, stdout=subprocess.DEVNULL)
            seconds, last, stored = measure(tree, arguments.turns, folder)
            rows.append({
                "lines": size,
                "files": last["files"],
                "chunks": last["chunks"],
                "seconds": statistics.median(seconds),
                "spread": max(seconds) - min(seconds),
                "peak_mib": last["peak_memory_bytes"] / 2**20,
                "stored_mib": stored / 2**20,
            })
            print(f"{size} lines: {rows[-1]['seconds']:.2f} s", file=sys.stderr)
    print("| lines | files | chunks | seconds | spread | slope | peak MiB | slope | file MiB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for before, row in zip([None, *rows], rows):
        slopes = [f"{slope(before, row, key):.2f}" if before else "" for key in ("seconds", "peak_mib")]
        print(f"| {row['lines']:,} | {row['files']:,} | {row['chunks']:,} | {row['seconds']:.2f} | {row['spread']:.2f} "
              f"| {slopes[0]} | {row['peak_mib']:.0f} | {slopes[1]} | {row['stored_mib']:.1f} |")
    if arguments.svg:
        with open(arguments.svg, "w", encoding="utf-8") as file:
            file.write(svg(rows))


if __name__ == "__main__":
    main()
