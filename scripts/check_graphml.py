#!/usr/bin/env python3
"""Reads a GraphML export of a code graph with two programs that know nothing of Ambix, and compares what they read.

    cargo run --release -p ambix-core --example graph -- examples/shop graphml > shop.graphml
    cargo run --release -p ambix-core --example graph -- examples/shop json > shop.json
    pip install networkx igraph lxml
    scripts/check_graphml.py shop.graphml shop.json [--schema FOLDER]

networkx and igraph must both find the nodes and edges of the JSON export, with the same data. With `--schema` the export is
also validated by the language's own schema: FOLDER then holds `graphml.xsd`, `graphml-structure.xsd` and `xlink.xsd` of
version 1.0. No package of a registry is known to have them; the repository KeRNeLith/QuikGraph holds copies.
"""

import argparse
import collections
import json
import os
import sys

import igraph
import networkx
from lxml import etree

NODE = ["symbol", "kind", "module", "name", "arity", "public", "file", "line_start", "line_end"]
EDGE = ["kind", "basis", "certain", "lines"]
NAMESPACE = "http://graphml.graphdrawing.org/xmlns"


def counted(rows):
    """Rows however often each comes, in no order; what has no value is None, and a text may be empty."""
    return collections.Counter(tuple(rows_of) for rows_of in rows)


def by_networkx(path):
    graph = networkx.read_graphml(path, force_multigraph=True)
    symbol = graph.nodes
    nodes = counted([data.get(key) for key in NODE] for _, data in graph.nodes(data=True))
    edges = counted(
        [symbol[a]["symbol"], symbol[b]["symbol"]] + [data.get(key) for key in EDGE]
        for a, b, data in graph.edges(data=True)
    )
    return nodes, edges


def by_igraph(path):
    graph = igraph.Graph.Read_GraphML(path)
    assert graph.is_directed()

    def value(of, key):
        found = of.attributes().get(key)
        # igraph has no integers, and no way to say that there is none.
        if isinstance(found, float):
            return None if found != found else int(found)
        return found

    nodes = counted([value(node, key) for key in NODE] for node in graph.vs)
    edges = counted(
        [graph.vs[edge.source]["symbol"], graph.vs[edge.target]["symbol"]] + [value(edge, key) for key in EDGE]
        for edge in graph.es
    )
    return nodes, edges


def by_json(path):
    with open(path, encoding="utf-8") as file:
        graph = json.load(file)
    names = {"symbol": "id"}
    nodes = counted([node.get(names.get(key, key)) for key in NODE] for node in graph["nodes"])
    edges = counted(
        [edge["from"], edge["to"], edge["kind"], edge["basis"], edge["certain"], " ".join(map(str, edge["lines"]))]
        for edge in graph["edges"]
    )
    return nodes, edges


def validate(path, folder):
    class Here(etree.Resolver):
        def resolve(self, url, _id, context):
            return self.resolve_filename(os.path.join(folder, os.path.basename(url)), context)

    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(Here())
    schema = etree.XMLSchema(etree.parse(os.path.join(folder, "graphml.xsd"), parser))
    document = etree.parse(path, etree.XMLParser(huge_tree=True))
    schema.assertValid(document)
    assert document.getroot().tag == f"{{{NAMESPACE}}}graphml"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graphml")
    parser.add_argument("json", help="the same graph, exported as JSON")
    parser.add_argument("--schema", metavar="FOLDER")
    arguments = parser.parse_args()

    expected = by_json(arguments.json)
    failed = False
    for name, read in {"networkx": by_networkx, "igraph": by_igraph}.items():
        for what, ours, theirs in zip(["nodes", "edges"], expected, read(arguments.graphml)):
            same = ours == theirs
            failed |= not same
            print(f"{name}: {theirs.total()} {what}, {'the same' if same else 'not the same'}")
            for difference in list((ours - theirs) + (theirs - ours))[: 0 if same else 4]:
                print("  ", difference)
    if arguments.schema:
        validate(arguments.graphml, arguments.schema)
        print("valid by graphml.xsd")
    sys.exit(failed)


if __name__ == "__main__":
    main()
