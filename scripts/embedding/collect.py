"""Fetches the sources that sources.json lists, and extracts functions with their documentation from them.

Each step leaves a file or folder behind under its final name only when it is whole, and is left out when that is there.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from multiprocessing import Pool
from pathlib import Path

import extract

SOURCES = json.loads((Path(__file__).parent / "sources.json").read_text())


def run(command, **options):
    subprocess.run([str(part) for part in command], check=True, **options)


def whole(path, make):
    """Lets `make` fill a path beside it, which then gets the name `path`."""
    if not path.exists():
        partial = path.with_name(path.name + ".partial")
        if partial.is_dir():
            shutil.rmtree(partial)
        partial.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        make(partial)
        partial.rename(path)
    return path


def debian(cache):
    """Debian's sources of Elixir and Erlang/OTP, by apt with lists of its own, so that the system's stay as they are."""

    def fetch(folder):
        lists = folder / "lists"
        (lists / "partial").mkdir(parents=True)
        (folder / "sources.list").write_text("deb-src http://deb.debian.org/debian bookworm main\n")
        apt = ["apt-get", "-o", f"Dir::Etc::SourceList={folder / 'sources.list'}", "-o", "Dir::Etc::SourceParts=/dev/null"]
        apt += ["-o", f"Dir::State::Lists={lists}", "-o", "APT::Sandbox::User=root", "-q"]
        run([*apt, "update"])
        wanted = [f"{name}={version}" for name, version in SOURCES["debian"].items()]
        run([*apt, "--download-only", "source", *wanted], cwd=folder)
        for name in SOURCES["debian"]:
            description = next(folder.glob(f"{name}_*.dsc"))
            run(["dpkg-source", "--no-check", "--extract", description.name, name], cwd=folder)

    return whole(cache / "debian", fetch)


def crates(cache):
    """The crates' sources, by cargo: it resolves and vendors what a package needs that depends on all of them."""

    def fetch(folder):
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "lib.rs").write_text("")
        lines = ['[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2021"\n\n[workspace]\n\n[dependencies]']
        lines += [f'{name} = {{ version = "={version}", default-features = false }}' for name, version in SOURCES["crates"].items()]
        (folder / "Cargo.toml").write_text("\n".join(lines) + "\n")
        run(["cargo", "vendor", "--quiet", "vendor"], cwd=folder, stdout=subprocess.DEVNULL)

    return whole(cache / "crates", fetch)


def wheel(cache, name, version):
    """A package's Python files."""

    def fetch(folder):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run([*pip, "--only-binary", ":all:", "--dest", folder, f"{name}=={version}"])
        archive = next(folder.glob("*.whl"))
        with zipfile.ZipFile(archive) as files:
            files.extractall(folder, [file for file in files.namelist() if file.endswith(".py")])
        archive.unlink()

    return whole(cache / "pypi" / name, fetch)


def records(job):
    cache, language, name, root = job

    def write(path):
        with open(path, "w", encoding="utf-8") as file:
            for record in getattr(extract, language)(root):
                file.write(json.dumps(record, ensure_ascii=False) + "\n")

    return whole(cache / "records" / f"{language}.{name}.jsonl", write)


def collect(cache, corpora, processes=os.cpu_count()):
    """The files of records: one for each package, named LANGUAGE.NAME.jsonl.

    corpora: {name: folder} of Elixir projects to add.
    """
    debian_folder, crates_folder = debian(cache), crates(cache)
    jobs = [("elixir", "debian-elixir", debian_folder / "elixir-lang"), ("erlang", "debian-erlang", debian_folder / "erlang")]
    jobs += [("elixir", name, folder) for name, folder in corpora.items()]
    jobs += [("python", name, wheel(cache, name, version)) for name, version in SOURCES["pypi"].items()]
    jobs += [("rust", name, crates_folder / "vendor" / name) for name in SOURCES["crates"]]
    with Pool(processes) as pool:
        return sorted(pool.map(records, [(cache, *job) for job in jobs], chunksize=1))
