"""Firefox pairs outside the catalogue that the user has accepted: their files and hashes, kept with the models."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from simul.models.catalogue.entries import Entry, ModelFile
from simul.models.catalogue.store import Store

_ACCEPTED = "accepted.json"
_NAME = re.compile(r"firefox:([a-z]{2,3}(?:-[A-Z][a-z]{3})?)-([a-z]{2,3}(?:-[A-Z][a-z]{3})?)")


def pair_of(name: str) -> tuple[str, str] | None:
    """Source and target language of a name such as firefox:en-it; None for any other name."""
    match = _NAME.fullmatch(name)
    return (match[1], match[2]) if match else None


def firefox_entry(
    source: str, target: str, files: tuple[ModelFile, ...], addresses: Mapping[str, str], about: str
) -> Entry:
    """The entry of a pair of Mozilla's."""
    return Entry(
        f"firefox:{source}-{target}",
        "translation",
        (source, target),
        "MPL-2.0",
        "Mozilla, Firefox Translations",
        files,
        about,
        addresses=addresses,
    )


def weights_of(entry: Entry) -> ModelFile:
    """The file whose SHA-256 stands for the model when a user accepts it: the largest."""
    return max(entry.files, key=lambda file: file.size)


def accept(entry: Entry, store: Store) -> None:
    """Remember a model outside the catalogue as one that the user accepts, with the hashes seen now."""
    known = {name: _facts(found) for name, found in accepted(store).items()}
    _save(store, {**known, entry.name: _facts(entry)})


def forget(name: str, store: Store) -> bool:
    """Take an acceptance back; whether there was one."""
    known = {found: _facts(entry) for found, entry in accepted(store).items()}
    if known.pop(name, None) is None:
        return False
    _save(store, known)
    return True


def accepted(store: Store) -> dict[str, Entry]:
    """The models outside the catalogue that the user has accepted, by name."""
    try:
        listed = json.loads((store.root / _ACCEPTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    entries = {}
    for name, facts in listed.items():
        pair = pair_of(name)
        if pair is not None:
            files = tuple(ModelFile(**file) for file in facts["files"])
            entries[name] = firefox_entry(*pair, files, facts["addresses"], facts["about"])
    return entries


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "about": entry.about,
        "files": [asdict(file) for file in entry.files],
        "addresses": dict(entry.addresses),
    }


def _save(store: Store, known: Mapping[str, Any]) -> None:
    store.root.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".accepted.", dir=store.root)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(known, file, indent=1)
    Path(name).replace(store.root / _ACCEPTED)
