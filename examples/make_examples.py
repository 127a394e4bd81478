"""Makes the example recordings: the talks of sentences.tsv, spoken by flite, and talks.tsv, the list of them.

Run `python examples/make_examples.py` in an environment with the toolkit and with flite on the PATH.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16000
PAUSES = (0.7, 0.9, 0.8, 1.0)
"""Seconds of silence after a sentence, in turn, as a speaker who is not in a hurry makes them."""
NOISE = 1e-3
"""Root mean square of the room's noise (-60 dB): silence of exact zeros is nothing a microphone delivers."""
LANGUAGES = ("en", "de", "es", "fr")


def speak(text: str, voice: str, folder: Path) -> NDArray[np.float64]:
    """The sentence in flite's `voice`, mono at 16 kHz in -1..1."""
    path = folder / "sentence.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
    samples, rate = soundfile.read(path)
    if rate != RATE:
        raise SystemExit(f"flite's voice {voice} speaks at {rate} Hz instead of {RATE}; take slt or rms.")
    return np.asarray(samples, np.float64)


def talk(sentences: list[dict[str, str]], seed: int) -> NDArray[np.float64]:
    """The sentences one after the other with pauses between them, over quiet noise."""
    parts = [np.zeros(RATE // 2)]
    with tempfile.TemporaryDirectory() as folder:
        for number, row in enumerate(sentences):
            parts.append(speak(row["en"], row["voice"], Path(folder)))
            parts.append(np.zeros(round(PAUSES[number % len(PAUSES)] * RATE)))
    sound = np.concatenate(parts)
    noise = np.random.default_rng(seed).standard_normal(len(sound)) * NOISE
    return np.clip(0.7 * sound / np.abs(sound).max() + noise, -1, 1)


def number_stream(path: Path, serial: int) -> None:
    """Give the Ogg stream of `path` a fixed serial number, which the encoder draws by chance (RFC 3533)."""
    data = bytearray(path.read_bytes())
    start = 0
    while start < len(data):
        segments = data[start + 26]
        end = start + 27 + segments + sum(data[start + 27 : start + 27 + segments])
        data[start + 14 : start + 18] = serial.to_bytes(4, "little")
        data[start + 22 : start + 26] = bytes(4)
        data[start + 22 : start + 26] = ogg_checksum(data[start:end]).to_bytes(4, "little")
        start = end
    path.write_bytes(data)


def ogg_checksum(page: bytes | bytearray) -> int:
    """Checksum of a page whose checksum field is 0: CRC-32 of polynomial 0x04C11DB7, highest bit first."""
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    checksum = 0
    for byte in page:
        checksum = ((checksum << 8) & 0xFFFFFFFF) ^ table[(checksum >> 24) ^ byte]
    return checksum


def read_sentences(path: Path) -> list[tuple[str, list[dict[str, str]]]]:
    """Talks by name, each a list of rows (talk, voice, en, de, es, fr), in the order of the file."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(name, list(group)) for name, group in groupby(rows, key=lambda row: row["talk"])]


def main(arguments: list[str] | None = None) -> int:
    """Write `<talk>.ogg` (Opus) of every talk and `talks.tsv` into the folder asked for."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=here, help="folder to write to (default: this one)")
    out = parser.parse_args(arguments).out
    if shutil.which("flite") is None:
        print("flite is not on the PATH; install it (Debian: apt install flite).", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    talks: list[dict[str, Any]] = []
    for seed, (name, rows) in enumerate(read_sentences(here / "sentences.tsv")):
        sound = talk(rows, seed)
        file = f"{name}.ogg"
        soundfile.write(out / file, sound, RATE, format="OGG", subtype="OPUS")
        number_stream(out / file, seed)
        talks.append({"file": file} | {code: " ".join(row[code] for row in rows) for code in LANGUAGES})
        print(f"{out / file}: {len(sound) / RATE:.1f} s")
    with (out / "talks.tsv").open("w", encoding="utf-8", newline="") as lines:
        options: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "lineterminator": "\n"}
        writer = csv.DictWriter(lines, ["file", *LANGUAGES], quotechar=None, **options)
        writer.writeheader()
        writer.writerows(talks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
