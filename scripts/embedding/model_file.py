"""The file of a static model, as crates/core/src/retrieval/static_model/file.rs documents it, and its arithmetic."""

import struct
from collections import Counter

import numpy as np

from tokenise import FIELDS, QUERY, Vocabulary, fields, words

MAGIC, VERSION, LARGEST_COUNT = b"AMBIXSEM", 1, 255


def quantised(vectors, weights):
    """Vectors as INT8 with one scale for each token, which goes into the token's weights; these as INT16 with one unit for
    each field. Gives the units, the weights and the vectors."""
    scale = np.abs(vectors).max(1) / 127
    scale[scale == 0] = 1
    rows = np.rint(vectors / scale[:, None]).astype(np.int8)
    scaled = weights * scale[None, :]
    units = np.abs(scaled).max(1) / 32767
    units[units == 0] = 1
    return units.astype(np.float32), np.rint(scaled / units[:, None]).astype(np.int16), rows


def write(path, tokens, vectors, weights):
    """tokens: bytes, in the order of the rows of `vectors` (tokens x dimensions) and the columns of `weights` (4 x tokens)."""
    units, weights, rows = quantised(vectors, weights)
    with open(path, "wb") as file:
        file.write(MAGIC + struct.pack("<3I4f", VERSION, rows.shape[1], len(tokens), *units))
        file.write(bytes(map(len, tokens)) + b"".join(tokens))
        file.write(weights.astype("<i2").tobytes() + rows.tobytes())


class Model:
    """A model's file, read and applied: what the Rust side must agree with."""

    def __init__(self, path):
        data = open(path, "rb").read()
        version, self.dimensions, count, *units = struct.unpack_from("<3I4f", data, 8)
        assert data[:8] == MAGIC and version == VERSION
        at = 36 + count
        tokens = []
        for length in data[36:at]:
            tokens.append(data[at : at + length])
            at += length
        self.vocabulary = Vocabulary(tokens)
        weights = np.frombuffer(data, "<i2", FIELDS * count, at).reshape(FIELDS, count)
        self.weights = weights.astype(np.float32) * np.array(units, np.float32)[:, None]
        at += 2 * FIELDS * count
        self.vectors = np.frombuffer(data, np.int8, count * self.dimensions, at).reshape(count, self.dimensions)
        assert at + self.vectors.size == len(data)

    def document_tokens(self, header, text):
        return self.numbers(fields(header.encode(), text.encode()))

    def query_tokens(self, text):
        return self.numbers((QUERY, word) for word in words(text.encode()))

    def numbers(self, found):
        return Counter((field, number) for field, word in found for number in self.vocabulary.look_up(word))

    def vector(self, tokens):
        total = np.zeros(self.dimensions)
        for (field, number), count in tokens.items():
            weight = float(self.weights[field, number]) * (1 + np.log(min(count, LARGEST_COUNT)))
            total += weight * self.vectors[number].astype(np.float64)
        length = np.linalg.norm(total)
        return total / length if length else total
