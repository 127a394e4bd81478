"""Small models in made-up packages: entries of a catalogue, and installed distributions that hold their files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from simul.models.catalogue.entries import Entry, HubSource, ModelFile, PackageSource
from simul.models.catalogue.lookup import Places
from simul.models.catalogue.store import Store

CONTENTS = {"model.bin": b"weights " * 1000, "config.json": b"{}"}


def file(name: str, content: bytes) -> ModelFile:
    return ModelFile(name, len(content), hashlib.sha256(content).hexdigest())


def entry(
    contents: Mapping[str, bytes] = CONTENTS,
    name: str = "toy:a-b",
    hub: HubSource | None = None,
    package: PackageSource | None = None,
    addresses: Mapping[str, str] | None = None,
) -> Entry:
    files = tuple(file(name, content) for name, content in contents.items())
    return Entry(
        name, "translation", ("a", "b"), "MIT", "nobody", files, "A toy.", hub, package, addresses or {}
    )


def split_entry() -> Entry:
    """A model whose weights lie in two packages, as Whisper base does."""
    pieces = {
        "model.bin": ("toy-one:toy_one/data/model.bin.part1", "toy-two:toy_two/data/model.bin.part2"),
        "config.json": ("toy-one:toy_one/data/config.json",),
    }
    return entry(package=PackageSource(pieces, ("toy-one==1.0", "toy-two==1.0"), "toy"))


def whole_entry() -> Entry:
    """A model that lies in one folder of one package."""
    pieces = {name: (f"toy-one:toy_one/data/{name}",) for name in CONTENTS}
    return entry(package=PackageSource(pieces, ("toy-one==1.0",)))


def install(site: Path, distribution: str, files: Mapping[str, bytes]) -> Path:
    """An installed distribution with one package, which fails if it is imported."""
    package = site / distribution.replace("-", "_")
    record = site / f"{package.name}-1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('this package must not be imported')\n")
    for name, content in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_bytes(content)
    return package


def install_halves(site: Path) -> tuple[Path, Path]:
    """The two packages of `split_entry`."""
    weights = CONTENTS["model.bin"]
    first = {"data/model.bin.part1": weights[:3000], "data/config.json": CONTENTS["config.json"]}
    return install(site, "toy-one", first), install(site, "toy-two", {"data/model.bin.part2": weights[3000:]})


def write(folder: Path, contents: Mapping[str, bytes] = CONTENTS) -> Path:
    """A folder with the files of a model."""
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def places(tmp_path: Path, *folders: Path) -> Places:
    """A user's places inside a test's folder."""
    return Places(folders, tmp_path / "hub", Store(tmp_path / "cache"))
