"""Word error rate and cost of the embedded recogniser on human speech, per language model, as JSON.

Every recording is its own stream in chunks of 100 ms, read out every 500 ms; the words scored are those of the
utterances that ended. Text is compared in lower case without punctuation.

    python -m benchmarks.recognition --data FOLDER [--alone FILE.lm.bin] [--models stock,mixed] [--limit N]
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.machine import describe
from simul.evaluation.word_errors import normalise
from simul.models.embedded.sphinx import RecognizerConfig, SphinxRecognizer, shipped_model, stock_model
from simul.units import SAMPLE_RATE

CHUNK = SAMPLE_RATE // 10
READ_OUT = 5
"""Chunks between two looks at the open hypothesis."""
SHORT = 16 * SAMPLE_RATE

Recording = tuple[Path, str]


def read_table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def human_sets(data: Path) -> dict[str, list[Recording]]:
    """The recordings and transcripts of each set; none of them was used to choose anything."""
    libri, clips, newgate = data / "librispeech-mini", data / "public-domain-clips", data / "newgate-reading"
    english = [row for row in read_table(clips / "clips.tsv") if row["lang"] == "en"]
    short = [row for row in english if float(row["seconds"]) < SHORT / SAMPLE_RATE]
    return {
        "librispeech-mini train, first 25": _recordings(libri, read_table(libri / "train.tsv")[:25]),
        "public-domain-clips, English, < 16 s": _recordings(clips, short),
        "public-domain-clips, English": _recordings(clips, english),
        "librispeech-mini test-other": _recordings(libri, read_table(libri / "test-other.tsv")),
        "newgate-reading clips": _recordings(newgate, read_table(newgate / "clips.tsv"), "text_spoken_form"),
    }


def _recordings(folder: Path, rows: Sequence[dict[str, str]], column: str = "text") -> list[Recording]:
    return [(folder / row["file"], row[column]) for row in rows]


def edits(reference: Sequence[str], recognised: Sequence[str]) -> tuple[int, int, int]:
    """Substitutions, deletions and insertions of an alignment with the fewest edits."""
    rows = [[(j, 0, 0, j) for j in range(len(recognised) + 1)]]
    for word in reference:
        above = rows[-1]
        row = [(above[0][0] + 1, 0, above[0][2] + 1, 0)]
        for j, other in enumerate(recognised):
            total, sub, dele, ins = above[j]
            best = above[j] if word == other else (total + 1, sub + 1, dele, ins)
            total, sub, dele, ins = above[j + 1]
            best = min(best, (total + 1, sub, dele + 1, ins), key=lambda cost: cost[0])
            total, sub, dele, ins = row[j]
            row.append(min(best, (total + 1, sub, dele, ins + 1), key=lambda cost: cost[0]))
        rows.append(row)
    return rows[-1][-1][1:]


def recognise(recognizer: SphinxRecognizer, samples: np.ndarray) -> str:
    """The final text of a recording."""
    recognizer.reset()
    utterances = []
    for index, start in enumerate(range(0, len(samples), CHUNK)):
        recognizer.push(samples[start : start + CHUNK])
        utterances += recognizer.events()
        if index % READ_OUT == READ_OUT - 1:
            recognizer.hypothesis()
    return " ".join(utterance.text for utterance in utterances + recognizer.finish())


def measure(recognizer: SphinxRecognizer, recordings: Sequence[Recording]) -> dict[str, Any]:
    """Error rates in percent of the reference's words, and processor seconds per second of audio."""
    counts, words, seconds, spent = np.zeros(3, int), 0, 0.0, 0.0
    for path, transcript in recordings:
        samples, rate = soundfile.read(path, dtype="float32")
        if rate != SAMPLE_RATE or samples.ndim != 1:
            raise ValueError(f"{path} is not 16 kHz mono")
        before = time.process_time()
        text = recognise(recognizer, samples)
        spent += time.process_time() - before
        reference = normalise(transcript)
        counts += edits(reference, normalise(text))
        words += len(reference)
        seconds += len(samples) / SAMPLE_RATE
    names = ("substitutions", "deletions", "insertions")
    return {
        "recordings": len(recordings),
        "seconds": round(seconds, 1),
        "words": words,
        "wer": round(100 * int(counts.sum()) / words, 2),
        **{name: round(100 * int(count) / words, 2) for name, count in zip(names, counts, strict=True)},
        "processor seconds per second": round(spent / seconds, 3),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with librispeech-mini and the others"
    )
    parser.add_argument("--alone", type=Path, help="model without pocketsphinx's share, from the LM recipe")
    parser.add_argument("--models", default="stock,mixed", help="stock, mixed, alone (default: %(default)s)")
    parser.add_argument("--sets", help="only the sets whose names contain one of these comma-separated texts")
    parser.add_argument("--limit", type=int, help="recordings per set")
    given = parser.parse_args(arguments)
    files = {"stock": stock_model() / "en-us.lm.bin", "mixed": shipped_model(), "alone": given.alone}
    chosen = given.models.split(",")
    if any(name not in files or files[name] is None for name in chosen):
        parser.error("--models knows stock, mixed and, with --alone FILE, alone")
    parts = given.sets.split(",") if given.sets else [""]
    results: dict[str, Any] = {}
    for model in chosen:
        recognizer = SphinxRecognizer(RecognizerConfig(language_model=files[model]))
        for name, recordings in human_sets(given.data).items():
            if any(part in name for part in parts):
                results.setdefault(name, {})[model] = measure(recognizer, recordings[: given.limit])
                print(name, model, results[name][model], file=sys.stderr)
    print(json.dumps({"machine": describe(("pocketsphinx", "numpy")), "sets": results}, indent=2))


if __name__ == "__main__":
    main()
