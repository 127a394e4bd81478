"""The embedded model on human recordings: WER, BLEU, chrF and latency per set and policy, as JSON and Markdown.

The sets carry English transcripts only. The German they are scored against is what the same translator makes of
the *transcript*, sentence by sentence: these scores tell what recognition and simultaneity cost, not how
good the translator is (that is benchmarks/translator.py). The long form is scored as a whole recording.

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
from policies.registry import make_policy
from simul.audio import to_samples
from simul.clock import Clock
from simul.evaluate import Item, evaluate
from simul.models import ModelConfig, load_backend
from simul.session import Session, SessionConfig
from simul.translation.embedded import EmbeddedTranslator
from simul.translation.interface import TextRequest

POLICIES: Sequence[tuple[str, Mapping[str, Any]]] = (("local-agreement", {"n": 2}), ("offline", {}))
TARGET = "de"


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
        "newgate-reading long form": [Recording("longform-a", newgate / "longform-a.flac", long_form)],
        "librispeech-mini test-other": [
            Recording(r["id"], libri / r["file"], r["text"]) for r in read_table(libri / "test-other.tsv")
        ],
        "example talks (synthetic voice)": [
            Recording(r["file"], examples.parent / r["file"], r["en"], r[TARGET])
            for r in read_table(examples)
        ],
    }


def pseudo_reference(translator: EmbeddedTranslator, transcript: str) -> str:
    """The translator's own German for a transcript, cut at its sentence marks."""
    sentences = [s for s in re.split(r"(?<=[.!?;:])\s+", transcript) if s.strip()]
    results = translator.translate([TextRequest(sentence, TARGET) for sentence in sentences])
    return " ".join("".join(result.tokens).strip() for result in results)


def measure(name: str, recordings: Sequence[Recording], given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per policy."""
    backend = load_backend(ModelConfig(model="embedded", threads=1), "en", TARGET).backend
    translator = EmbeddedTranslator(beam=4)
    items = [
        Item(r.name, str(r.audio), r.reference or pseudo_reference(translator, r.transcript), r.transcript)
        for r in recordings
    ]
    rows = []
    for policy, arguments in POLICIES:

        def session(clock: Clock, policy: str = policy, arguments: Mapping[str, Any] = arguments) -> Session:
            config = SessionConfig("en", TARGET, to_samples(given.chunk_ms))
            return Session(make_policy(policy, arguments), backend, clock, config)

        result = evaluate(items, session, target=TARGET, chunk_ms=given.chunk_ms)
        if result.failures:
            raise SystemExit(f"{name}: recordings failed: {dict(result.failures)}")
        found = result.to_dict()
        rows.append(
            {
                "set": name,
                "policy": policy,
                "reference": "human" if recordings[0].reference else "pseudo",
                "figures": found["figures"],
                "scores": {key: score["value"] for key, score in found["scores"].items()},
                "notices": found["notices"],
            }
        )
        print(f"{name}, {policy}: done", file=sys.stderr)
    return rows


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
    for row in report["rows"]:
        scores, figures = row["scores"], row["figures"]

        def seconds(key: str, scores: dict[str, Any] = scores) -> str:
            return "–" if scores.get(key) is None else f"{scores[key] / 1000:.2f}"

        lines.append(
            f"| {row['set']} | {row['policy']} | {100 * figures['source_wer']:.1f} | {scores['BLEU']:.1f} "
            f"| {scores['chrF']:.1f} | {seconds('LAAL')} | {seconds('LAAL_CA')} | {seconds('YAAL')} "
            f"| {figures['real_time_factor']:.2f} | {row['reference']} |"
        )
    lines += ["", "What LocalAgreement-2 costs against Offline:", ""]
    by_set: dict[str, dict[str, Any]] = {}
    for row in report["rows"]:
        by_set.setdefault(row["set"], {})[row["policy"]] = row["scores"]
    for name, found in by_set.items():
        first, ceiling = found["local-agreement"], found["offline"]
        lines.append(
            f"- {name}: {ceiling['BLEU'] - first['BLEU']:.1f} BLEU, {ceiling['chrF'] - first['chrF']:.1f} chrF; "
            f"it gains {(ceiling['LAAL'] - first['LAAL']) / 1000:.2f} s of LAAL."
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
    parser.add_argument("--limit", type=int, help="recordings of each set")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name, recordings in human_sets(given.data, given.examples).items():
        rows += measure(name, recordings[: given.limit], given)
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
