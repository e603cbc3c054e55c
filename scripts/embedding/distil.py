"""Vectors of single words from all-MiniLM-L6-v2."""

import os
from pathlib import Path

import numpy as np

from minilm import MiniLM

WORDS_AT_A_TIME = 4000


def models_folder():
    """Where scripts/models.py puts them."""
    if cache := os.environ.get("AMBIX_CACHE"):
        return Path(cache) / "models"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ambix" / "models"


def word_vectors(cache, words):
    """One row for each word; those that earlier runs encoded are taken from the cache."""
    path = cache / "words.npz"
    known = {}
    if path.exists():
        stored = np.load(path)
        known = dict(zip(map(str, stored["words"]), stored["vectors"]))
    missing = sorted(set(words) - set(known))
    model = MiniLM(models_folder() / "all-MiniLM-L6-v2", longest=16) if missing else None
    for start in range(0, len(missing), WORDS_AT_A_TIME):
        some = missing[start : start + WORDS_AT_A_TIME]
        known.update(zip(some, model.encode(some)))
        partial = path.with_name("words.partial.npz")
        np.savez(partial, words=np.array(list(known)), vectors=np.stack(list(known.values())))
        partial.rename(path)
    return np.stack([known[word] for word in words])
