"""The embedded model on human recordings: WER, BLEU, chrF and latency per set and policy, as JSON and Markdown.

The sets carry English transcripts only. The German they are scored against is what the same translator makes of
the *transcript*, sentence by sentence: these scores tell what recognition and simultaneity cost, not how
good the translator is (that is benchmarks/marian.py). The long form is scored as a whole recording.

    python -m benchmarks.human_speech --data FOLDER --markdown docs/human-speech.md [--limit N]
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from simul.backends.base import Backend
from simul.backends.families import ModelConfig, load_backend
from simul.config import DEFAULT_POLICY
from simul.evaluation.items import Item
from simul.evaluation.scores import score_results
from simul.evaluation.sweep.grid import Setting, parse_grid
from simul.evaluation.sweep.item_runner import Run, SweepRunner
from simul.evaluation.word_errors import word_errors
from simul.evaluation.workers import run_in_processes
from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest

GRID = f"{DEFAULT_POLICY};offline"
TARGET = "de"
LONG_FORM = "newgate-reading long form"
LATENCIES = ("LAAL (CU)", "LAAL (CA)", "YAAL (CU)")


@dataclass(frozen=True)
class Recording:
    """One recording of a set; a reference where there is a real one."""

    name: str
    audio: Path
    transcript: str
    reference: str | None = None


def read_table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def human_sets(data: Path, examples: Path) -> dict[str, list[Recording]]:
    """Every English recording of the human sets, and the example talks."""
    clips = data / "public-domain-clips"
    newgate = data / "newgate-reading"
    libri = data / "librispeech-mini"
    long_form = " ".join(row["text_spoken_form"] for row in read_table(newgate / "longform-a.segments.tsv"))
    return {
        "public-domain-clips (English)": [
            Recording(r["id"], clips / r["file"], r["text"].replace(" / ", " "))
            for r in read_table(clips / "clips.tsv")
            if r["lang"] == "en"
        ],
        "newgate-reading clips": [
            Recording(r["id"], newgate / r["file"], r["text_spoken_form"])
            for r in read_table(newgate / "clips.tsv")
        ],
        LONG_FORM: [Recording("longform-a", newgate / "longform-a.flac", long_form)],
        "librispeech-mini test-other": [
            Recording(r["id"], libri / r["file"], r["text"]) for r in read_table(libri / "test-other.tsv")
        ],
        "example talks (synthetic voice)": [
            Recording(r["file"], examples.parent / r["file"], r["en"], r[TARGET])
            for r in read_table(examples)
        ],
    }


def pseudo_reference(translator: MarianTranslator, transcript: str, target: str = TARGET) -> str:
    """The translator's own text for a transcript, cut at its sentence marks."""
    sentences = [s for s in re.split(r"(?<=[.!?;:])\s+", transcript) if s.strip()]
    results = translator.translate([TextRequest(sentence, target) for sentence in sentences])
    return " ".join("".join(result.tokens).strip() for result in results)


def load_embedded() -> Backend:
    """The embedded English-to-German model, on one thread."""
    return load_backend(ModelConfig(model="embedded", threads=1), "en", TARGET).backend


def measure(sets: Mapping[str, Sequence[Recording]], given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per set and policy.

    The recogniser, which no policy influences, hears each recording once; its words and its CPU time are replayed
    under each policy, with the real translator.
    """
    settings = parse_grid(GRID)
    translator = MarianTranslator(beam=4)
    places = [(name, recording) for name, recordings in sets.items() for recording in recordings]
    places.sort(key=lambda place: -place[1].audio.stat().st_size)
    items = [
        Item(f"{i}", str(r.audio), r.reference or pseudo_reference(translator, r.transcript), r.transcript)
        for i, (_, r) in enumerate(places)
    ]
    runner = SweepRunner(load_embedded, settings, target=TARGET, chunk_ms=given.chunk_ms)
    found: dict[str, list[tuple[Item, Sequence[Run]]]] = {name: [] for name in sets}
    for count, outcome in enumerate(run_in_processes(runner, list(enumerate(items)), given.jobs), 1):
        name = places[outcome.index][0]
        if outcome.result is None:
            raise SystemExit(f"{items[outcome.index].audio} failed: {outcome.failure}")
        found[name].append((items[outcome.index], outcome.result))
        print(f"{count} of {len(items)} recordings", file=sys.stderr)
    return [row(name, found[name], index, s) for name in sets for index, s in enumerate(settings)]


def row(
    name: str, runs: Sequence[tuple[Item, Sequence[Run]]], index: int, setting: Setting
) -> dict[str, Any]:
    """Scores and figures of one set under one policy."""
    results = [(item, of[index].result) for item, of in runs]
    report = score_results(results, TARGET, None)
    seconds = sum(result.length for _, result in results) / 1000
    errors = word_errors([(item.transcript or "", result.source_text) for item, result in results])
    return {
        "set": name,
        "policy": setting.policy,
        "setting": str(setting),
        "reference": "human" if name.startswith("example") else "pseudo",
        "recordings": len(results),
        "audio_seconds": round(seconds, 1),
        "wer": errors.rate,
        "real_time_factor": sum(result.compute for _, result in results) / seconds,
        "scores": {s.name: s.value for s in report.scores if s.value == s.value},
        "notices": [str(notice) for notice in report.notices],
    }


def latency(found: dict[str, Any], key: str) -> str:
    """Seconds; nothing for the long form, of which one mean against an even pace says nothing."""
    known = key in found["scores"] and found["set"] != LONG_FORM
    return f"{found['scores'][key] / 1000:.2f}" if known else "–"


def markdown(report: dict[str, Any]) -> str:
    """The table of docs/, with the gap between the two policies."""
    lines = [
        "# The embedded model on human speech",
        "",
        "Made by `python -m benchmarks.human_speech` (data folder as described in its help); do not edit by hand.",
        f"Machine: {json.dumps(report['machine'])}. Chunks of {report['chunk_ms']} ms.",
        "",
        "WER: recognised words against the transcript, lower case, no punctuation. BLEU and chrF: English to German;",
        "*pseudo* means against the same translator's output for the transcript, since the sets have no German.",
        "LAAL and YAAL in seconds, CA: computation-aware on this machine. Offline waits for the end of an utterance.",
        "",
        "| set | policy | WER % | BLEU | chrF | LAAL s | LAAL CA s | YAAL s | × real time | reference |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for found in report["rows"]:
        scores = found["scores"]
        cells = [
            found["set"],
            "default" if found["policy"] == DEFAULT_POLICY else found["policy"],
            f"{found['wer']:.1f}",
            *(f"{scores[key]:.1f}" for key in ("BLEU", "chrF")),
            *(latency(found, key) for key in LATENCIES),
            f"{found['real_time_factor']:.2f}",
            found["reference"],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "What the default costs against Offline:", ""]
    by_set: dict[str, dict[str, Any]] = {}
    for found in report["rows"]:
        by_set.setdefault(found["set"], {})[found["policy"]] = found["scores"]
    for name, scores in by_set.items():
        first, ceiling = scores[DEFAULT_POLICY], scores["offline"]
        lines.append(
            f"- {name}: {ceiling['BLEU'] - first['BLEU']:.1f} BLEU, {ceiling['chrF'] - first['chrF']:.1f} chrF; "
            f"it gains {(ceiling['LAAL (CU)'] - first['LAAL (CU)']) / 1000:.2f} s of LAAL."
            if name != LONG_FORM
            else f"- {name}: {ceiling['BLEU'] - first['BLEU']:.1f} BLEU, {ceiling['chrF'] - first['chrF']:.1f} chrF."
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--examples", type=Path, default=Path("examples/talks.tsv"))
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/human_speech.json"))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--chunk-ms", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int, help="recordings of each set")
    given = parser.parse_args()
    sets = {name: found[: given.limit] for name, found in human_sets(given.data, given.examples).items()}
    rows = measure(sets, given)
    report = {
        "machine": describe(("pocketsphinx", "ctranslate2", "sacrebleu")),
        "chunk_ms": given.chunk_ms,
        "rows": rows,
    }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(markdown(report), encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
