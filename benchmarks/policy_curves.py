"""Quality–latency curves of every policy on human English speech into German and Spanish, as JSON, Markdown and PNG.

The sets carry no translations, so there are two kinds of pseudo-references: what the same translator makes of the
*transcript*, which favours no policy, and what the Offline policy writes for the same *audio*. chrF and BLEU are
against the first; "chrF to Offline" is against the second, and latency over segments (LongLAAL, LongYAAL) is taken
against Offline's segments. The default is chosen on the dev part (training rows of librispeech-mini, joined to
recordings of some minutes, since LongYAAL leaves out what is said after the end of a recording) and reported on the
test parts. Recognition is recorded once per recording and replayed under all settings.

    python -m benchmarks.policy_curves --data FOLDER [--jobs 2] [--output benchmarks/results/policy_curves.json] \
        [--markdown docs/policy-curves.md] [--limit 10] [--translator FOLDER] [--traces FOLDER]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.curves_page import markdown
from benchmarks.human_speech import human_sets, pseudo_reference, read_table
from benchmarks.machine import describe
from latency_metrics.scoring.recordings import ReferenceSegment
from policies.base import SAMPLES_PER_MS
from simul.audio import FileSource
from simul.backends.base import Backend
from simul.backends.cascade import CascadeBackend
from simul.backends.families import ModelConfig, load_backend
from simul.clock import WallClock
from simul.config import StreamOptions
from simul.evaluation.items import Item
from simul.evaluation.sweep.curves import write_png
from simul.evaluation.sweep.grid import Setting, default_grid
from simul.evaluation.sweep.item_runner import SweepRunner
from simul.evaluation.sweep.result import LIMITS, Point, SweepResult
from simul.evaluation.sweep.sweep import sweep
from simul.models.marian.folder import SHIPPED
from simul.models.marian.translator import MarianTranslator
from simul.units import SAMPLE_RATE

TARGETS = {"de": "German", "es": "Spanish"}
LONG = "newgate-reading long form"
SHORT_SETS = ("librispeech-mini test-other", "public-domain-clips (English)", "newgate-reading clips")
AGREEMENT = "chrF to Offline"
BOUND_S = 2.0
"""The LongYAAL within which the default is chosen."""
DEV_FROM = 25
"""The rows of librispeech-mini train before this one are kept for reporting error rates."""
JOINED = 10
"""Training rows that make a recording of the dev part."""
PLANES = (("LongYAAL (CU)", "chrF"), ("LongYAAL (CU)", AGREEMENT))
"""Latency and quality of the pictures."""


@dataclass(frozen=True)
class Model:
    """Loads the embedded cascade with the translator in a folder; can be sent to another process."""

    translator: Path

    def __call__(self) -> Backend:
        heard = load_backend(ModelConfig(model="embedded", threads=1), "en", "en").backend
        assert isinstance(heard, CascadeBackend)
        translator = MarianTranslator(self.translator, beam=2, alternatives=True)
        return CascadeBackend(heard.make_recognizer, translator, heard.limits.sources)


@dataclass(frozen=True)
class Part:
    """Recordings without references, and their sentences (recording, offset and duration in ms, English text)."""

    items: list[Item]
    sentences: list[tuple[str, float, float, str]]


def joined(rows: Sequence[dict[str, str]], folder: Path, place: Path) -> Part:
    """The recordings of table rows one after the other, with half a second of silence between them, as one."""
    import soundfile

    pieces: list[NDArray[np.float32]] = []
    sentences = []
    at = 0
    for row in rows:
        with FileSource(folder / row["file"]) as source:
            samples = np.concatenate(list(source))
        sentences.append((str(place), at / SAMPLES_PER_MS, len(samples) / SAMPLES_PER_MS, row["text"]))
        pieces += [samples, np.zeros(SAMPLE_RATE // 2, np.float32)]
        at += len(samples) + SAMPLE_RATE // 2
    soundfile.write(place, np.concatenate(pieces), SAMPLE_RATE)
    return Part([Item(place.stem, str(place))], sentences)


def parts(data: Path, limit: int | None, dev: int, place: Path) -> dict[str, Part]:
    """The dev part (recordings are made in `place`), the short test sets together, and the long recording."""
    sets = human_sets(data, Path("examples/talks.tsv"))
    libri = data / "librispeech-mini"
    rows = read_table(libri / "train.tsv")[DEV_FROM : DEV_FROM + dev]
    made = [
        joined(rows[start : start + JOINED], libri, place / f"dev-{DEV_FROM + start}.flac")
        for start in range(0, len(rows), JOINED)
    ]
    short = [(name.split()[0], r) for name in SHORT_SETS for r in sets[name][:limit]]
    (talk,) = sets[LONG]
    return {
        "dev": together(made),
        "short": Part(
            [Item(f"{name}-{r.name}", str(r.audio)) for name, r in short],
            [(str(r.audio), 0.0, 1000 * seconds(r.audio), r.transcript) for _, r in short],
        ),
        "long": together(halves(talk.audio, place)),
    }


def together(made: Sequence[Part]) -> Part:
    """Several parts as one."""
    return Part([i for part in made for i in part.items], [s for part in made for s in part.sentences])


def halves(talk: Path, place: Path) -> list[Part]:
    """A long recording cut in two between two of its segments, so that two processes have work."""
    import soundfile

    with FileSource(talk) as source:
        samples = np.concatenate(list(source))
    rows = read_table(talk.with_suffix(".segments.tsv"))
    middle = next(i for i, r in enumerate(rows) if float(r["start"]) * SAMPLE_RATE > len(samples) / 2)
    cut = (float(rows[middle - 1]["end"]) + float(rows[middle]["start"])) / 2
    found = []
    for name, begin, end, said in (("a", 0.0, cut, rows[:middle]), ("b", cut, None, rows[middle:])):
        path = place / f"{talk.stem}-{name}.flac"
        last = None if end is None else round(end * SAMPLE_RATE)
        soundfile.write(path, samples[round(begin * SAMPLE_RATE) : last], SAMPLE_RATE)
        times = [
            (1000 * (float(r["start"]) - begin), 1000 * float(r["end"]) - 1000 * float(r["start"]))
            for r in said
        ]
        sentences = [
            (str(path), offset, length, r["text_spoken_form"])
            for (offset, length), r in zip(times, said, strict=True)
        ]
        found.append(Part([Item(path.stem, str(path))], sentences))
    return found


def seconds(audio: Path) -> float:
    """Length of a recording."""
    with FileSource(audio) as source:
        return sum(len(piece) for piece in source) / SAMPLE_RATE


def translated(part: Part, translator: MarianTranslator, target: str) -> list[ReferenceSegment]:
    """The part's sentences, with what the translator makes of their transcripts as references."""
    found = []
    numbers: dict[str, int] = {}
    documents = {audio: i for i, audio in enumerate(dict.fromkeys(s[0] for s in part.sentences))}
    for audio, offset, duration, text in part.sentences:
        number = numbers[audio] = numbers.get(audio, -1) + 1
        reference = pseudo_reference(translator, text, target)
        found.append(ReferenceSegment(audio, offset, duration, reference, documents[audio], number))
    return found


def curve(
    part: Part, runner: SweepRunner, segments: list[ReferenceSegment], place: Path, jobs: int, name: str
) -> SweepResult:
    """The part run once: quality against `segments`, latency and agreement against Offline's output."""
    offline = sweep(part.items, runner, folder=place, jobs=jobs)
    quality = sweep(part.items, runner, segmentation=segments, folder=place, resume=True)
    points = [
        replace(
            a,
            scores={
                **a.scores,
                AGREEMENT: a.scores["chrF"],
                "chrF": b.scores["chrF"],
                "BLEU": b.scores["BLEU"],
            },
        )
        for a, b in zip(offline.points, quality.points, strict=True)
    ]
    # Over whole minutes the ideal pace of LAAL drifts; its segments tell.
    latency = "LAAL (CU)" if name == "short" else "LongLAAL (CU)"
    return replace(offline, points=points, latency=latency, pseudo=False)


def share(point: Point, result: SweepResult) -> float:
    """The point's chrF as a share of Offline's, both against the translated transcripts."""
    ceiling = result.ceiling()
    assert ceiling is not None
    return point.scores["chrF"] / ceiling.scores["chrF"]


def row(point: Point, result: SweepResult) -> dict[str, Any]:
    """The figures of one setting that are reported, times in seconds."""
    names = [
        f"{name} ({clock})" for name in ("LAAL", "YAAL", "LongLAAL", "LongYAAL") for clock in ("CU", "CA")
    ]
    return {
        "setting": str(point.setting),
        **{name: round(point.scores[name], 2) for name in ("chrF", "BLEU", AGREEMENT)},
        "share_of_offline": round(share(point, result), 4),
        **{name: round(point.scores[name] / 1000, 3) for name in names if name in point.scores},
        "erased_characters": point.figures["erased"],
    }


def report_of(result: SweepResult, default: Setting) -> dict[str, Any]:
    """What is told of one part in one language."""
    latency = result.latency.removesuffix(" (CU)")
    best = {f"{latency} {limit:g} s": result.best(limit) for limit in LIMITS}
    best[f"LongYAAL {BOUND_S:g} s"] = result.best(BOUND_S, "LongYAAL (CU)")
    agreeing = replace(result, quality=AGREEMENT)
    best[f"LongYAAL {BOUND_S:g} s, by chrF to Offline"] = agreeing.best(BOUND_S, "LongYAAL (CU)")
    best[f"{latency} {BOUND_S:g} s, with retractions"] = result.best(BOUND_S, revising=True)
    chosen = next((p for p in result.points if p.setting == default), None)
    ceiling = result.ceiling()
    return {
        "latency": latency,
        "default": None if chosen is None else row(chosen, result),
        "offline": None if ceiling is None else row(ceiling, result),
        "best": {name: None if p is None else row(p, result) for name, p in best.items()},
        "points": [row(point, result) for point in result.points],
        "recordings": result.points[0].figures["recordings"],
        "audio_seconds": result.points[0].figures["audio_seconds"],
        "failures": dict(result.failures),
    }


def ranking(results: Sequence[SweepResult]) -> list[tuple[Setting, float, float]]:
    """(setting, share of Offline's chrF, LongYAAL in s), means over the languages, best first.

    Only settings within the bound; without Offline and policies that take text back.
    """
    found: dict[Setting, list[tuple[float, float]]] = {}
    for result in results:
        for point in result.points:
            if point.setting.policy != "offline" and not point.setting.make().revises:
                lag = point.scores["LongYAAL (CU)"] / 1000
                found.setdefault(point.setting, []).append((share(point, result), lag))
    means = [(setting, *np.mean(values, axis=0).tolist()) for setting, values in found.items()]
    return sorted((entry for entry in means if entry[2] <= BOUND_S), key=lambda entry: -entry[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/policy_curves.json"))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--limit", type=int, default=10, help="recordings of each short set")
    parser.add_argument("--dev", type=int, default=20, help="rows of the dev part")
    parser.add_argument("--translator", type=Path, default=SHIPPED, help="folder of the embedded translator")
    parser.add_argument("--traces", help="keep recognition there (default: only for this run)")
    given = parser.parse_args()
    clock = WallClock()
    model = Model(given.translator)
    options = StreamOptions()
    default = Setting(options.policy, tuple(options.policy_arguments().items()))
    settings = list(dict.fromkeys([*default_grid(model().provides), default]))
    results: dict[str, SweepResult] = {}
    translator = MarianTranslator(given.translator, beam=4)
    with tempfile.TemporaryDirectory() as temporary:
        for part, recordings in parts(given.data, given.limit, given.dev, Path(temporary)).items():
            for target in TARGETS:
                runner = SweepRunner(
                    model, settings, "en", target, options.chunk_ms, given.traces or temporary
                )
                segments = translated(recordings, translator, target)
                place = Path(temporary) / f"{part}-{target}"
                results[f"{part}/{target}"] = curve(recordings, runner, segments, place, given.jobs, part)
                print(f"{part}, {target}: {clock.now() / 60:.1f} min", file=sys.stderr)
    titles = {
        "dev": "Dev: librispeech-mini, training rows joined to long recordings",
        "short": "Test: " + ", ".join(SHORT_SETS),
        "long": f"Test: {LONG}, in two halves",
    }
    ranked = ranking([results[f"dev/{target}"] for target in TARGETS])
    report = {
        "machine": describe(("pocketsphinx", "ctranslate2", "sacrebleu")),
        "translator": given.translator.name,
        "jobs": given.jobs,
        "chunk_ms": options.chunk_ms,
        "default": str(default),
        "dev_ranking": [
            {"setting": str(setting), "share_of_offline": round(quality, 4), "LongYAAL": round(lag, 3)}
            for setting, quality, lag in ranked
        ],
        "titles": titles,
        "targets": TARGETS,
        "parts": {name: report_of(result, default) for name, result in results.items()},
        "minutes": 0.0,
    }
    if given.markdown:
        images = given.markdown.parent / "images"
        images.mkdir(parents=True, exist_ok=True)
        for name, result in results.items():
            part, target = name.split("/")
            title = (
                f"{titles[part]}, into {TARGETS[target]}\nNo human references: chrF against the same translator's "
                "text of the transcript; chrF to Offline against the Offline pass of the same model"
            )
            picture = images / f"policy-curves-{part}-{target}.png"
            write_png(result, picture, title, PLANES)
    report["minutes"] = round(clock.now() / 60, 2)
    if given.markdown:
        given.markdown.write_text(markdown(report), encoding="utf-8")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
