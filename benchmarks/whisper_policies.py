"""Every policy that Whisper serves at three settings, each window, and translation: quality, latency, cost. As JSON.

    python -m benchmarks.whisper_policies LIST... [--first N] [--clips N] [--case local-agreement]...
        [--translate asterisk-prompts/clips.tsv]

Each case is a run of `simul sweep` in a process of its own: passes that several settings share are computed once and
count for each. Lists, thirds, lag of words as in benchmarks/whisper_peers.py; LAAL and LongYAAL are scores of the
toolkit (each recording one segment). Processor time is that of the passes, memory of the process. `--translate` adds
Spanish and French into English by the default (`simul eval`), against the English prompts. What `--output` has is not
measured again.
"""

from __future__ import annotations

import csv
import json
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.cases import run_cases
from benchmarks.watched import WatchedProcess
from benchmarks.whisper import Recording, list_parser, listed
from benchmarks.whisper_robustness import MODEL, PACKAGES, read
from benchmarks.word_lag import LONGEST, TimedWords, lags, timed_words, word_clock
from latency_metrics.quantiles import quantiles
from simul.evaluation.word_errors import word_errors, written_errors
from simul.models.catalogue import locate

DEFAULT = "local-agreement:n=2"
GRIDS = {
    "offline": "offline",
    "local-agreement": "local-agreement:n=2,3,4",
    "hold-n": "hold-n:n=2,4,6",
    "wait-k": "wait-k:unit=chunk,k=3,6,9",
    "sp-n": "sp-n:n=1,2,3",
    "token-confidence": "token-confidence:threshold=0.3,0.5,0.7",
    "align-bridge": "align-bridge:margin_ms=0,400,800",
    "align-att": "align-att:distance_ms=200,400,800",
    "edatt": "edatt:alpha=0.2,0.1,0.05",
    "stream-att": "stream-att(align-att):keep=5,20,40",
    "pause": "pause:silence_ms=90,180,270",
    "sliding-window": "sliding-window:window_ms=5000,10000,15000",
    "greedy": "greedy:frame_ms=500,1000,2000",
    "confidence-aware": "confidence-aware:confidence_threshold=0.5,0.7,0.9",
    "consensus": "consensus:consensus_threshold=0.5,0.75,0.9",
    "segment-confidence": "segment-confidence:threshold=-1,-0.5,-0.3",
    "word-hold": "word-hold:release_ms=100,300,600",
    "punctuation-hold": "punctuation-hold:release_ms=100,300,600",
}
WINDOWS = {
    "window padded": "--window padded",
    "window bucket": "--window bucket",
    "window thinned": "--window thinned",
    "window live": "--window live",
    **{f"window causal, {ms} ms": f"--window causal --block-ms {ms}" for ms in (500, 640, 1000, 1920)},
}
SCORES = {
    f"{name} ({clock})": f"{name.lower()}_{clock.lower()}"
    for name in ("LAAL", "LongYAAL")
    for clock in ("CU", "CA")
}


def write_table(place: Path, recordings: Sequence[Recording]) -> None:
    """The recordings as a list that also says that each is one segment."""
    with open(place, "w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, delimiter="\t")
        table.writerow(("id", "audio", "wav", "offset", "duration", "text"))
        for number, recording in enumerate(recordings):
            file = recording.file.resolve()
            table.writerow((number, file, file, 0, recording.seconds, recording.text))


def sweep(
    place: Path,
    grid: str,
    options: str,
    traces: str,
    recordings: Sequence[Recording],
    clock: Sequence[TimedWords],
    language: str,
) -> dict[str, Any]:
    """One case."""
    table = place / "list.tsv"
    write_table(table, recordings)
    with tempfile.TemporaryDirectory(dir=place) as output:
        arguments = [sys.executable, "-m", "simul", "sweep", str(table), "-q", "--json", "--threads", "1"]
        arguments += ["--segmentation", str(table), "--grid", grid, "--output", output, *MODEL]
        arguments += ["--source", language, "--target", language, *shlex.split(options)]
        arguments += ["--trace", str(place / traces)]
        with WatchedProcess(arguments) as process:
            found = json.loads("".join(process.lines()))
        lines = (Path(output) / "items.jsonl").read_text(encoding="utf-8").splitlines()
    runs = sorted(map(json.loads, lines), key=lambda item: int(item["runs"][0]["result"]["name"]))
    results = [[run["result"] for run in each["runs"]] for each in runs]
    points = []
    for number, point in enumerate(found["points"]):
        if point["policy"] == "offline" and grid != "offline":
            continue
        of_setting = [each[number] for each in results]
        points.append(row(point, of_setting, recordings, clock, language))
    return {"options": options, "peak_mib": process.peak_mib, "settings": points}


def row(
    point: dict[str, Any],
    results: Sequence[dict[str, Any]],
    recordings: Sequence[Recording],
    clock: Sequence[TimedWords],
    language: str,
) -> dict[str, Any]:
    """The figures of one setting."""
    pairs = [(r.text, result["text"]) for r, result in zip(recordings, results, strict=True)]
    errors, forms = word_errors(pairs, language), written_errors(pairs)
    figures: dict[str, Any] = {}
    for name, field in (("lag", "delays"), ("lag_computed", "elapsed")):
        behind = [
            lag
            for said, result in zip(clock, results, strict=True)
            for lag in lags(said, timed_words(_pieces(result["text"], result[field]), language))
        ]
        p50, p95 = quantiles(behind, 0.5, 0.95) if behind else (float("nan"), float("nan"))
        figures |= {f"{name}_mean": round(mean(behind), 2) if behind else None}
        figures |= {f"{name}_median": round(p50, 2), f"{name}_p95": round(p95, 2)}
    scores = {
        field: round(point["scores"][name] / 1000, 2)
        for name, field in SCORES.items()
        if name in point["scores"]
    }
    setting = " ".join([point["policy"], *(f"{k}={v}" for k, v in point["args"].items())])
    return {
        "setting": setting,
        "words": errors.words,
        "wer": round(errors.rate, 2),
        "written": round(forms.rate, 2) if forms.words else None,
        **scores,
        **figures,
        "cpu_seconds_per_second": round(point["figures"]["real_time_factor"], 3),
    }


def _pieces(text: str, times: Sequence[float]) -> list[tuple[str, float]]:
    """The words of a text with their times, from milliseconds."""
    return [(word + " ", at / 1000) for word, at in zip(text.split(), times, strict=True)]


def translate(place: Path, table: Path, language: str, clips: int, shortest: float) -> dict[str, Any]:
    """Speech of a table into English by the default."""
    with open(table, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = [r for r in rows if r["lang"] == language and r["en"] and float(r["seconds"]) >= shortest]
    chosen = rows[:: max(1, len(rows) // clips)][:clips]
    listed = place / f"{language}-en.tsv"
    with open(listed, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow(("id", "audio", "reference"))
        writer.writerows((r["id"], (table.parent / r["file"]).resolve(), r["en"]) for r in chosen)
    arguments = [sys.executable, "-m", "simul", "eval", str(listed), "-q", "--json", "--threads", "1", *MODEL]
    with WatchedProcess([*arguments, "--source", language, "--target", "en"]) as process:
        found = json.loads("".join(process.lines()))
    scores = {name: score["value"] for name, score in found["scores"].items()}
    return {
        "recordings": found["figures"]["recordings"],
        "seconds": round(found["figures"]["audio_seconds"], 1),
        "bleu": round(scores["BLEU"], 1),
        "chrf": round(scores["chrF"], 1),
        **{field: round(scores[name] / 1000, 2) for name, field in SCORES.items() if scores.get(name)},
        "cpu_seconds_per_second": round(found["figures"]["real_time_factor"], 3),
        "peak_mib": process.peak_mib,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = list_parser(__doc__)
    parser.add_argument("--case", action="append", choices=(*WINDOWS, *GRIDS), help="(default: all)")
    parser.add_argument(
        "--translate", type=Path, metavar="TABLE", help="with columns file, lang, seconds, en"
    )
    parser.add_argument("--traces", type=Path, help="keep passes there (default: for this run)")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/whisper_policies.json"))
    given = parser.parse_args(arguments)
    short = ([row for row in rows if row.seconds <= LONGEST] for rows in listed(given))
    recordings = [row for rows in short for row in rows[: given.clips]]
    sounds = [(recording, read(recording.file)) for recording in recordings]
    clock = word_clock(locate("whisper-base"), sounds, given.language)
    with tempfile.TemporaryDirectory() as temporary:
        place = given.traces or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        cases: dict[str, Callable[[], Any]] = {}
        for name, options in WINDOWS.items():
            cases[name] = partial(sweep, place, DEFAULT, options, name, recordings, clock, given.language)
        for name, grid in GRIDS.items():
            cases[name] = partial(sweep, place, grid, "", f"policy {name}", recordings, clock, given.language)
        cases = {name: case for name, case in cases.items() if not given.case or name in given.case}
        for language in ("es", "fr") if given.translate else ():
            cases[f"{language} into en"] = partial(translate, place, given.translate, language, 25, 3.0)
        common = {
            "recordings": [f"{r.file.parent.parent.name}/{r.file.name}" for r in recordings],
            "seconds": round(sum(r.seconds for r in recordings), 1),
        }
        report = run_cases(given.output, cases, PACKAGES, common)
    print(json.dumps({name: report["cases"][name] for name in cases}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
