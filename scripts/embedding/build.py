#!/usr/bin/env python3
"""Makes the static embedding model that Ambix ships, from the sources to the file in the repository.

    scripts/embedding/build.py --cache FOLDER [--corpora FOLDER NAME ...] [--out MODEL.npz] [--seed N] [--ship]

Everything that is fetched or made on the way stays in FOLDER, outside of the repository, and is not made again: a run that
was stopped goes on. `--corpora` adds the projects FOLDER/NAME. `--ship` puts the model and the reference values of its test into
the repository. all-MiniLM-L6-v2 must be there (scripts/models.py).
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def in_environment(folder):
    """Runs this script again with the pinned packages, which are installed into a virtual environment in `folder`."""
    python = folder / "bin" / "python"
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    requirements, installed = HERE / "requirements.txt", folder / "installed.txt"
    if not installed.is_file() or installed.read_text() != requirements.read_text():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
        installed.write_text(requirements.read_text())
    os.execv(python, [python, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--corpora", nargs="*", default=[])
    parser.add_argument("--out", default="model.npz", help="the trained numbers, in the cache")
    parser.add_argument("--tokens", type=int, default=28000)
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ship", action="store_true")
    options = parser.parse_args()
    cache = options.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    in_environment(cache / "venv")
    make(options, cache)


def make(options, cache):
    import numpy as np

    from collect import collect
    from distil import word_vectors
    from prepare import prepare
    from train import Options, Trainer, reduced
    import ship

    folder, *names = options.corpora or [""]
    records = collect(cache, {name: Path(folder) / name for name in names})
    print(f"{len(records)} packages", flush=True)
    arrays = prepare(cache, records, options.tokens, options.seed)
    print(f"{len(arrays['package'])} functions, {(arrays['question'] >= 0).sum()} of them documented", flush=True)
    settings = Options(seed=options.seed, **({"epochs": options.epochs} if options.epochs else {}))
    tokens = [str(token) for token in arrays["tokens"]]
    vectors = reduced(word_vectors(cache, tokens), settings.dimensions)
    trainer = Trainer(arrays, vectors, settings)
    trainer.run(lambda text, _: print(text, flush=True))
    trained = cache / options.out
    np.savez(trained, tokens=arrays["tokens"], vectors=trainer.vectors, weights=trainer.weights)
    if options.ship:
        ship.ship(trained)


if __name__ == "__main__":
    main()
