"""Quality–latency curves of every policy on human English speech into German and Spanish, as JSON, Markdown and PNG.

The sets carry no translations. What a policy writes is scored against what the same model writes when it may wait for
the end of each utterance (the Offline policy, pseudo-references): 100 is Offline, and what is missing is what
simultaneity costs. The default is chosen on the dev part (training rows of librispeech-mini, joined to recordings of
some minutes, since LongYAAL leaves out what is said after the end of a recording) and reported on the test parts.
Recognition is recorded once per recording and replayed under all settings.

    python -m benchmarks.policy_curves --data FOLDER [--jobs 2] [--output benchmarks/results/policy_curves.json] \
        [--markdown docs/policy-curves.md] [--limit N] [--translator FOLDER]
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

from benchmarks.human_speech import human_sets, read_table
from benchmarks.machine import describe
from simul.audio import SAMPLE_RATE, FileSource
from simul.backends.base import Backend
from simul.backends.cascade import CascadeBackend
from simul.cli.options import StreamOptions
from simul.clock import WallClock
from simul.curves import PSEUDO_NOTE, write_png
from simul.evaluate import Item
from simul.models import ModelConfig, load_backend
from simul.sweep import LIMITS, Point, Sweep, sweep
from simul.sweep_grid import Setting, default_grid
from simul.sweep_run import SweepRunner
from simul.translation.embedded import SHIPPED, EmbeddedTranslator

TARGETS = {"de": "German", "es": "Spanish"}
LONG = "newgate-reading long form"
SHORT_SETS = ("librispeech-mini test-other", "public-domain-clips (English)", "newgate-reading clips")
BOUND_S, SHARE = 2.0, 0.9
"""At this LongYAAL the default is to reach this share of Offline's chrF."""
JOINED = 10
"""Training rows that make a recording of the dev part."""


@dataclass(frozen=True)
class Model:
    """Loads the embedded cascade with the translator in a folder; can be sent to another process."""

    translator: Path

    def __call__(self) -> Backend:
        heard = load_backend(ModelConfig(model="embedded", threads=1), "en", "en").backend
        assert isinstance(heard, CascadeBackend)
        return CascadeBackend(
            heard.make_recognizer, EmbeddedTranslator(self.translator), heard.limits.sources
        )


def joined(rows: Sequence[dict[str, str]], folder: Path, place: Path) -> Item:
    """The recordings of table rows one after the other, with half a second of silence between them, as one."""
    import soundfile

    pieces: list[NDArray[np.float32]] = []
    for row in rows:
        with FileSource(folder / row["file"]) as source:
            pieces += [*source, np.zeros(SAMPLE_RATE // 2, np.float32)]
    soundfile.write(place, np.concatenate(pieces), SAMPLE_RATE)
    return Item(place.stem, str(place), None, " ".join(row["text"] for row in rows))


def parts(data: Path, limit: int | None, dev: int, place: Path) -> dict[str, list[Item]]:
    """Recordings of the dev part (made in `place`), the short test sets together, and the long recording."""
    sets = human_sets(data, Path("examples/talks.tsv"))
    libri = data / "librispeech-mini"
    rows = read_table(libri / "train.tsv")[:dev]
    found = {
        "dev": [
            joined(
                rows[start : start + JOINED], libri, place / f"dev-{start}-{min(start + JOINED, dev)}.flac"
            )
            for start in range(0, dev, JOINED)
        ],
        "short": [
            Item(f"{name.split()[0]}-{r.name}", str(r.audio), None, r.transcript)
            for name in SHORT_SETS
            for r in sets[name][:limit]
        ],
        "long": [Item(r.name, str(r.audio), None, r.transcript) for r in sets[LONG]],
    }
    return found


def share(point: Point, result: Sweep) -> float:
    """The point's chrF as a share of Offline's."""
    ceiling = result.ceiling()
    assert ceiling is not None
    return point.scores["chrF"] / ceiling.scores["chrF"]


def row(point: Point, result: Sweep) -> dict[str, Any]:
    """The figures of one setting that are reported."""
    names = [
        f"{name} ({clock})" for name in ("LAAL", "YAAL", "LongLAAL", "LongYAAL") for clock in ("CU", "CA")
    ]
    seconds = {name: round(point.scores[name] / 1000, 3) for name in names if name in point.scores}
    return {
        "setting": str(point.setting),
        "chrF": round(point.scores["chrF"], 2),
        "BLEU": round(point.scores["BLEU"], 2),
        "share_of_offline": round(share(point, result), 4),
        **seconds,
        "erased_characters": point.figures["erased"],
    }


def find(result: Sweep, setting: Setting) -> Point | None:
    """The point of a setting."""
    return next((p for p in result.points if p.setting == setting), None)


def report_of(result: Sweep, default: Setting) -> dict[str, Any]:
    """What is told of one part in one language."""
    latency = result.latency.removesuffix(" (CU)")
    best = {f"{latency} {limit:g} s": result.best(limit) for limit in LIMITS}
    best[f"LongYAAL {BOUND_S:g} s"] = result.best(BOUND_S, "LongYAAL (CU)")
    best[f"{latency} {BOUND_S:g} s, with retractions"] = result.best(BOUND_S, revising=True)
    chosen = find(result, default)
    return {
        "latency": latency,
        "default": None if chosen is None else row(chosen, result),
        "best": {name: None if p is None else row(p, result) for name, p in best.items()},
        "points": [row(point, result) for point in result.points],
        "recordings": result.points[0].figures["recordings"],
        "audio_seconds": result.points[0].figures["audio_seconds"],
        "failures": dict(result.failures),
    }


def choose(results: Sequence[Sweep]) -> Setting:
    """The setting of the highest mean chrF on the dev part whose LongYAAL is within the bound in every language."""

    def within(point: Point) -> bool:
        return point.scores["LongYAAL (CU)"] <= 1000 * BOUND_S

    candidates: dict[Setting, list[float]] = {}
    for result in results:
        for point in result.points:
            if point.setting.policy != "offline" and not point.setting.make().revises and within(point):
                candidates.setdefault(point.setting, []).append(share(point, result))
    whole = {setting: sum(v) / len(v) for setting, v in candidates.items() if len(v) == len(results)}
    return max(whole, key=lambda setting: whole[setting])


def markdown(report: dict[str, Any]) -> str:
    """The page of docs/."""
    lines = [
        "# Policies: quality against latency",
        "",
        "Made by `python -m benchmarks.policy_curves --data FOLDER --markdown docs/policy-curves.md`; do not edit by "
        "hand.",
        f"Machine: {json.dumps(report['machine'])}. Wall time: {report['minutes']:.1f} minutes with "
        f"{report['jobs']} processes.",
        "",
        f"The embedded model on human English speech. {PSEUDO_NOTE} So Offline has a chrF of 100, and what a policy "
        "lacks is the price of its speed. LAAL, YAAL and LongYAAL in seconds; CA counts computation (CPU time of this "
        "machine). LongYAAL is taken against the segments of Offline. Policies that take text back are left out of "
        '"best"; their latency does not tell how much a reader sees change.',
        "",
        f"The policy that the commands start with is `{report['default']}`. On the dev part (training rows of "
        f"librispeech-mini) the best setting within {BOUND_S:g} s LongYAAL is `{report['chosen_on_dev']}`.",
        "",
    ]
    for name, found in report["parts"].items():
        part, target = name.split("/")
        lines += [
            f"## {report['titles'][part]}, into {TARGETS[target]}",
            "",
            f"{found['recordings']:.0f} recordings, {found['audio_seconds'] / 60:.1f} minutes.",
            "",
            f"![Curves](images/policy-curves-{part}-{target}.png)",
            "",
            "| | setting | chrF | share of Offline | {0} | {0} CA | LongYAAL | LongYAAL CA |".format(
                found["latency"]
            ),
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        named = {"default": found["default"], **{f"best within {k}": v for k, v in found["best"].items()}}
        for label, point in named.items():
            if point is None:
                lines.append(f"| {label} | none | | | | | | |")
                continue
            seconds = [
                f"{point[key]:.2f}" if key in point else "–"
                for key in [
                    f"{name} ({clock})" for name in (found["latency"], "LongYAAL") for clock in ("CU", "CA")
                ]
            ]
            lines.append(
                f"| {label} | `{point['setting']}` | {point['chrF']:.1f} | {100 * point['share_of_offline']:.1f} % | "
                + " | ".join(seconds)
                + " |"
            )
        lines += ["", *_all_settings(found), ""]
    return "\n".join(lines)


def _all_settings(found: dict[str, Any]) -> list[str]:
    lines = [
        "<details><summary>All settings</summary>",
        "",
        "| setting | BLEU | chrF | LAAL | LAAL CA | LongLAAL | YAAL | LongYAAL | LongYAAL CA | characters taken back |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    keys = ("LAAL (CU)", "LAAL (CA)", "LongLAAL (CU)", "YAAL (CU)", "LongYAAL (CU)", "LongYAAL (CA)")
    for point in found["points"]:
        seconds = [f"{point[key]:.2f}" if key in point else "–" for key in keys]
        lines.append(
            f"| `{point['setting']}` | {point['BLEU']:.1f} | {point['chrF']:.1f} | {' | '.join(seconds)} "
            f"| {point['erased_characters']:.0f} |"
        )
    return [*lines, "", "</details>"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/policy_curves.json"))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--limit", type=int, help="recordings of each short set")
    parser.add_argument("--dev", type=int, default=30, help="recordings of the dev part")
    parser.add_argument("--translator", type=Path, default=SHIPPED, help="folder of the embedded translator")
    parser.add_argument("--traces", help="keep recognition there (default: only for this run)")
    given = parser.parse_args()
    clock = WallClock()
    model = Model(given.translator)
    options = StreamOptions()
    default = Setting(options.policy, tuple(options.policy_arguments().items()))
    settings = list(dict.fromkeys([*default_grid(model().provides), default]))
    results: dict[str, Sweep] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for part, items in parts(given.data, given.limit, given.dev, Path(temporary)).items():
            for target in TARGETS:
                runner = SweepRunner(
                    model, settings, "en", target, options.chunk_ms, given.traces or temporary
                )
                found = sweep(items, runner, jobs=given.jobs)
                # Over whole minutes the ideal pace of LAAL drifts; its segments tell.
                latency = "LAAL (CU)" if part == "short" else "LongLAAL (CU)"
                results[f"{part}/{target}"] = replace(found, latency=latency)
                print(f"{part}, {target}: {clock.now() / 60:.1f} min", file=sys.stderr)
    titles = {
        "dev": "Dev: librispeech-mini, training rows joined to long recordings",
        "short": "Test: " + ", ".join(SHORT_SETS),
        "long": f"Test: {LONG}",
    }
    report = {
        "machine": describe(("pocketsphinx", "ctranslate2", "sacrebleu")),
        "jobs": given.jobs,
        "chunk_ms": options.chunk_ms,
        "default": str(default),
        "chosen_on_dev": str(choose([results[f"dev/{target}"] for target in TARGETS])),
        "titles": titles,
        "parts": {name: report_of(result, default) for name, result in results.items()},
        "minutes": 0.0,
    }
    if given.markdown:
        images = given.markdown.parent / "images"
        images.mkdir(parents=True, exist_ok=True)
        for name, result in results.items():
            part, target = name.split("/")
            title = f"{titles[part]}, into {TARGETS[target]}"
            write_png(result, images / f"policy-curves-{part}-{target}.png", title)
    report["minutes"] = round(clock.now() / 60, 2)
    if given.markdown:
        given.markdown.write_text(markdown(report), encoding="utf-8")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
