"""Functions and their documentation from source trees: one record for each definition.

A record: {"file", "module", "name", "doc" (or None), "code"}; the code has no documentation in it.
"""

import ast
import re
import warnings
import xml.etree.ElementTree as XML
from pathlib import Path

import tree_sitter_elixir
import tree_sitter_rust
from tree_sitter import Language, Parser

LARGEST_FILE = 400_000
LARGEST_CODE = 6000
DEFINERS = {b"def", b"defp", b"defmacro", b"defmacrop", b"defdelegate", b"defguard", b"defguardp"}
TEST_FOLDERS = {"test", "tests", "testing", "bench", "benches", "benchmarks", "examples", "fixtures", "vendor", "_vendor"}


def read(path):
    if path.stat().st_size > LARGEST_FILE:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError):
        return None


def in_tests(path):
    return bool(TEST_FOLDERS & set(path.parts[:-1]))


def python(root):
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if in_tests(relative) or not (text := read(path)):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        lines = text.split("\n")
        module = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
        yield from python_body(tree.body, module, str(relative), lines)


def python_body(body, module, file, lines):
    for node in body:
        if isinstance(node, ast.ClassDef):
            methods = [m.name for m in node.body if isinstance(m, (ast.FunctionDef, ast.AsyncFunctionDef))]
            doc = ast.get_docstring(node)
            if doc and methods:
                yield record(file, module, node.name, doc, f"class {node.name}\n" + "\n".join(methods))
            yield from python_body(node.body, f"{module}.{node.name}", file, lines)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            doc, first = ast.get_docstring(node), node.body[0]
            kept = lines[node.lineno - 1 : node.end_lineno]
            if doc and isinstance(first, ast.Expr):
                kept = lines[node.lineno - 1 : first.lineno - 1] + lines[first.end_lineno : node.end_lineno]
            yield record(file, module, node.name, doc, "\n".join(kept))


def record(file, module, name, doc, code):
    return {"file": file, "module": module, "name": name, "doc": doc, "code": code[:LARGEST_CODE]}


def rust(root):
    parser = Parser(Language(tree_sitter_rust.language()))
    for path in sorted(root.rglob("*.rs")):
        relative = path.relative_to(root)
        if in_tests(relative) or relative.name == "tests.rs" or not (text := read(path)):
            continue
        source = text.encode()
        module = "::".join(part for part in relative.with_suffix("").parts if part not in ("src", "lib", "mod"))
        stack = [(parser.parse(source).root_node, module)]
        while stack:
            node, inside = stack.pop()
            doc = []
            for child in node.named_children:
                kind = child.type
                if kind == "line_comment":
                    line = source[child.start_byte : child.end_byte].decode()
                    if line.startswith("///"):
                        doc.append(line.strip().removeprefix("///").removeprefix(" "))
                    continue
                if kind == "attribute_item":
                    continue
                name = child.child_by_field_name("name")
                named = source[name.start_byte : name.end_byte].decode() if name else None
                if kind in ("function_item", "function_signature_item") and named:
                    code = source[child.start_byte : child.end_byte].decode()
                    yield record(str(relative), inside, named, "\n".join(doc) or None, code)
                elif kind in ("struct_item", "enum_item", "trait_item") and named and doc:
                    code = source[child.start_byte : child.end_byte].decode()
                    yield record(str(relative), inside, named, "\n".join(doc), strip_rust_docs(code))
                if kind in ("impl_item", "trait_item", "mod_item", "declaration_list"):
                    owner = child.child_by_field_name("type") or name
                    owner = source[owner.start_byte : owner.end_byte].decode() if owner else ""
                    if kind == "mod_item" and owner in ("tests", "test"):
                        doc = []
                        continue
                    body = child.child_by_field_name("body") or child
                    stack.append((body, f"{inside}::{owner}" if owner else inside))
                doc = []


def strip_rust_docs(code):
    return "\n".join(line for line in code.split("\n") if not line.strip().startswith("///"))


def elixir(root):
    parser = Parser(Language(tree_sitter_elixir.language()))
    for path in sorted([*root.rglob("*.ex"), *root.rglob("*.exs")]):
        relative = path.relative_to(root)
        if not (text := read(path)):
            continue
        source = text.encode()
        tree = parser.parse(source)
        if in_tests(relative) or relative.name.endswith("_test.exs"):
            yield from elixir_tests(source, tree.root_node, str(relative))
        else:
            yield from elixir_module(source, tree.root_node, str(relative))


def call_name(source, node):
    target = node.child_by_field_name("target") if node.type == "call" else None
    return source[target.start_byte : target.end_byte] if target is not None and target.type == "identifier" else None


def arguments(node):
    return next((child for child in node.named_children if child.type == "arguments"), None)


def block(node):
    return next((child for child in node.named_children if child.type == "do_block"), None)


def elixir_module(source, root, file):
    text = lambda node: source[node.start_byte : node.end_byte].decode(errors="replace")
    stack = [(root, "")]
    while stack:
        node, module = stack.pop()
        doc, units = None, {}
        for child in node.named_children:
            if child.type == "unary_operator" and text(child).startswith("@"):
                inner = child.named_children[0] if child.named_children else None
                kind = call_name(source, inner) if inner is not None else None
                if kind in (b"doc", b"moduledoc"):
                    found = elixir_string(source, inner)
                    if kind == b"moduledoc" and found and module:
                        yield record(file, module, module.split(".")[-1], found, module_outline(source, node))
                    elif kind == b"doc":
                        doc = found
                elif kind in (b"callback", b"macrocallback"):
                    if doc:
                        spec = text(child)
                        name = re.match(r"@\w+\s+([a-z_]\w*[?!]?)", spec)
                        if name:
                            yield record(file, module, name[1], doc, spec)
                    doc = None
                continue
            name = call_name(source, child)
            if name in (b"defmodule", b"defprotocol", b"defimpl"):
                given, body = arguments(child), block(child)
                if given is not None and body is not None and given.named_children:
                    inner = text(given.named_children[0])
                    stack.append((body, f"{module}.{inner}" if module else inner))
                doc = None
            elif name in DEFINERS:
                given = arguments(child)
                head = text(given) if given is not None else ""
                found = re.match(r"\(?\s*([a-z_]\w*[?!]?)", head)
                if found:
                    unit = units.setdefault(found[1] if not doc else (found[1], len(units)), [found[1], None, []])
                    unit[1] = unit[1] or doc
                    unit[2].append(text(child))
                    if doc:
                        units.setdefault(found[1], unit)
                        units[found[1]] = unit
                doc = None
        seen = set()
        for unit in units.values():
            if id(unit) not in seen:
                seen.add(id(unit))
                yield record(file, module, unit[0], unit[1], "\n".join(unit[2]))


def module_outline(source, body):
    names = []
    for child in body.named_children:
        if call_name(source, child) in DEFINERS and (given := arguments(child)) is not None:
            names.append(source[given.start_byte : given.end_byte].decode(errors="replace").split("\n")[0])
    return "\n".join(dict.fromkeys(names))


def elixir_string(source, node):
    given = arguments(node)
    if given is None or not given.named_children:
        return None
    value = given.named_children[0]
    if value.type not in ("string", "sigil"):
        return None
    content = [c for c in value.named_children if c.type == "quoted_content"]
    text = "".join(source[c.start_byte : c.end_byte].decode(errors="replace") for c in content)
    lines = text.split("\n")
    cut = min((len(l) - len(l.lstrip()) for l in lines[1:] if l.strip()), default=0)
    return "\n".join(l[cut:] if not l[:cut].strip() else l for l in lines).strip("\n") or None


def elixir_tests(source, root, file):
    """A test's description is a sentence about the code in it; as a record it has no name."""
    stack = [(root, "")]
    while stack:
        node, group = stack.pop()
        for child in node.named_children:
            name = call_name(source, child)
            given, body = (arguments(child), block(child)) if name else (None, None)
            if given is None or body is None:
                continue
            title = source[given.start_byte : given.end_byte].decode(errors="replace")
            quoted = re.match(r'\(?\s*"((?:[^"\\]|\\.)*)"', title)
            if name in (b"test", b"describe") and quoted:
                if name == b"describe":
                    stack.append((body, quoted[1]))
                else:
                    code = source[body.start_byte : body.end_byte].decode(errors="replace")
                    yield record(file, "", "", f"{group} {quoted[1]}".strip() + ".", code)
            elif name == b"defmodule":
                stack.append((body, group))


ERLANG_FUNCTION = re.compile(r"^([a-z]\w*)\(", re.M)


def erlang(root):
    for library in sorted((root / "lib").iterdir()):
        docs = {}
        for path in sorted((library / "doc" / "src").glob("*.xml")) if (library / "doc" / "src").is_dir() else ():
            docs.update(erlang_docs(path))
        for path in sorted((library / "src").rglob("*.erl")):
            if text := read(path):
                yield from erlang_module(text, str(path.relative_to(root)), path.stem, docs)


def erlang_docs(path):
    try:
        tree = XML.fromstring(re.sub(r"<!DOCTYPE.*?>|&(?!amp|lt|gt|quot|apos|#)\w+;", "", path.read_text(errors="replace")))
    except XML.ParseError:
        return {}
    found = {}
    for function in tree.iter("func"):
        summary, description = function.find("fsummary"), function.find("desc")
        texts = []
        for node in (summary, description):
            if node is not None:
                paragraph = node.find("p") if node.tag == "desc" else node
                if paragraph is not None:
                    texts.append(" ".join("".join(paragraph.itertext()).split()))
        text = "\n\n".join(t.rstrip(".") + "." for t in texts if t)
        for name in function.findall("name"):
            label = name.get("name") or (re.match(r"\s*([a-z]\w*)\(", "".join(name.itertext())) or [None, None])[1]
            if label and text:
                found.setdefault((path.stem, label), text)
    return found


def erlang_module(text, file, module, docs):
    units = {}
    for form in re.split(r"\n(?=\S)", text):
        if found := ERLANG_FUNCTION.match(form):
            units.setdefault(found[1], []).append(form)
    comment = []
    leading = {}
    for line in text.split("\n"):
        if line.startswith("%"):
            comment.append(line.lstrip("%").strip())
        elif found := ERLANG_FUNCTION.match(line):
            if comment:
                leading.setdefault(found[1], " ".join(comment))
            comment = []
        elif line.strip() and not line.startswith("-spec") and not line.startswith(" "):
            comment = []
    for name, forms in units.items():
        doc = docs.get((module, name))
        remark = leading.get(name)
        if not doc and remark and re.match(r"[A-Z][a-z]+ [a-z]", remark) and "@" not in remark:
            doc = remark
        yield record(file, module, name, doc, "\n".join(forms))
