"""Code and prose as the static model sees them: the reference for crates/core/src/retrieval/static_model/tokenise.rs.

Text is read as UTF-8 bytes. A word is a run of ASCII letters, digits and bytes from 0x80 on, cut at `_` and where camel case
starts a new part, its ASCII letters in lower case. A run of operator characters is a word of its own.

A document has two parts, which `document` takes apart into three fields: the header, the names that are defined in the text
(what stands behind `def` and its likes), and all the rest of the text.
"""

import re

HEADER, NAME, BODY, QUERY = range(4)
FIELDS = 4

# Longer words are data, such as encoded bytes; longer runs of operators are rulers in comments.
LONGEST_WORD, LONGEST_OPERATOR, SHORTEST_PIECE = 32, 3, 3

RUN = re.compile(rb"[A-Za-z0-9\x80-\xff]+|[!#$%&*+./:<=>?@^|~\\-]+")
# A new part starts at a capital after anything else, and at the last of several capitals before a small letter.
PART = re.compile(rb"[A-Z]+(?![a-z])[0-9\x80-\xff]*|[A-Z]?[a-z0-9\x80-\xff]+")
DEFINED = re.compile(
    rb"(?<![A-Za-z0-9_@:.\x80-\xff])"
    rb"(?:def|defp|defmacro|defmacrop|defguard|defguardp|defdelegate|defn|defnp|defmodule|defprotocol|defimpl)"
    rb"[ \t]+([A-Za-z0-9_.\x80-\xff]+[?!]?)"
)


def words(text):
    """The words of some bytes, in order."""
    found = []
    for run in RUN.findall(text):
        if run[0] in b"!#$%&*+./:<=>?@^|~\\-":
            if len(run) <= LONGEST_OPERATOR:
                found.append(run)
        else:
            found += [part.lower() for part in PART.findall(run)]
    return found


def fields(header, text):
    """(field, word) of a document, in the order of the fields."""
    names = DEFINED.findall(text)
    rest = DEFINED.sub(b" ", text)
    found = [(HEADER, word) for word in words(header)]
    for name in names:
        found += [(NAME, word) for word in words(name)]
    return found + [(BODY, word) for word in words(rest)]


class Vocabulary:
    """Numbers of words; a word that is not known gives those of the longest known words that it is made of."""

    def __init__(self, tokens):
        self.tokens = list(tokens)
        self.ids = {token: at for at, token in enumerate(self.tokens)}
        self.pieces = {}

    def __len__(self):
        return len(self.tokens)

    def look_up(self, word):
        at = self.ids.get(word)
        if at is not None:
            return (at,)
        cut = self.pieces.get(word)
        if cut is None:
            cut = self.pieces[word] = self.cut(word)
        return cut

    def cut(self, word):
        if len(word) > LONGEST_WORD or word.isdigit() or not word[0:1].isalnum() and word[0] < 0x80:
            return ()
        found, start = [], 0
        while start + SHORTEST_PIECE <= len(word):
            for end in range(len(word), start + SHORTEST_PIECE - 1, -1):
                at = self.ids.get(word[start:end])
                if at is not None:
                    found.append(at)
                    start = end
                    break
            else:
                start += 1
        return tuple(found)
