"""Model folders whose files say what they hold, with nothing in them that could be loaded."""

from __future__ import annotations

import json
import struct
from pathlib import Path


def ctranslate2_folder(folder: Path, spec: str, entries: int = 10, size: int = 0) -> Path:
    """A folder whose model.bin has the head of a CTranslate2 file and nothing that could be loaded."""
    folder.mkdir(parents=True)
    name = spec.encode() + b"\0"
    (folder / "model.bin").write_bytes(struct.pack("<IH", 6, len(name)) + name + bytes(size))
    (folder / "config.json").write_text("{}")
    (folder / "vocabulary.json").write_text(json.dumps([str(i) for i in range(entries)]))
    return folder


def cached(cache: Path, name: str, revision: str = "0" * 40, main: bool = True, **options: object) -> Path:
    repository = cache / ("models--" + name.replace("/", "--"))
    if main:
        (repository / "refs").mkdir(parents=True, exist_ok=True)
        (repository / "refs" / "main").write_text(revision)
    return ctranslate2_folder(repository / "snapshots" / revision, "WhisperSpec", **options)  # type: ignore[arg-type]
