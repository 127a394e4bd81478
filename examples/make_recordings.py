"""Joins the human recordings that `make demo` plays from their clips (see README.md), with short pauses between them.

    python examples/make_recordings.py FOLDER [--out DIR]

FOLDER holds the sets `public-domain-clips` and `asterisk-prompts`, each with its `clips.tsv`.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
PAUSE = 0.7
"""Seconds between two clips; none before a clip that goes on inside a sentence."""

PRINTING = ("lj001-0001", "+lj001-0002", "lj001-0009", "lj001-0016", "+lj001-0017")
HOTLINE = ("conf-onlyperson", "confbridge-lock-no-join", "vm-review")
RECORDINGS = {
    "printing-en.ogg": ("public-domain-clips", "en", PRINTING),
    "hotline-es.ogg": ("asterisk-prompts", "es", HOTLINE),
}


def joined(folder: Path, language: str, names: tuple[str, ...]) -> np.ndarray:
    """The clips one after the other; "+" before a name: it goes on inside a sentence."""
    with open(folder / "clips.tsv", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        files = {row["id"]: row["file"] for row in rows if row["lang"] == language}
    silence = np.zeros(round(PAUSE * RATE), np.float32)
    pieces = [silence]
    for name in names:
        if not name.startswith("+") and len(pieces) > 1:
            pieces.append(silence)
        samples, rate = soundfile.read(folder / files[name.lstrip("+")], dtype="float32")
        if rate != RATE:
            raise SystemExit(f"{name} has {rate} samples a second, not {RATE}.")
        pieces.append(samples)
    return np.concatenate([*pieces, silence])


def main() -> None:
    """Write both recordings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    for name, (clips, language, names) in RECORDINGS.items():
        samples = joined(given.folder / clips, language, names)
        soundfile.write(given.out / name, samples, RATE, format="OGG", subtype="OPUS")
        print(f"{name}: {len(samples) / RATE:.1f} s")


if __name__ == "__main__":
    main()
