"""What Whisper does where it may not fail: hours of speech, sound without words, a machine that is too slow. JSON.

long: a recording over and over; errors, processor time and memory must not grow from pass to pass.
noise: sound without words in several languages; no word may be written.
slow: live speech on a quarter of one core; the text must be complete, at most 3 s late, and passed-over decision
points must be said. Loading and start-up count in all processor times but those by minute.

    python -m benchmarks.whisper_robustness --data FOLDER [--part long]... [--setting "--window live"]

FOLDER holds newgate-reading, librispeech-mini and public-domain-clips. What `--output` has is not measured again.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import soundfile

from benchmarks import noises
from benchmarks.cases import run_cases
from benchmarks.watched import WatchedProcess
from latency_metrics.quantiles import quantiles
from simul.evaluation.word_errors import word_errors
from simul.session.events import Event, Late, Settled, Skipped, from_json
from simul.session.transcript import settled_text
from simul.units import SAMPLE_RATE, Samples

COMMAND = (sys.executable, "-m", "simul", "translate", "-q", "--format", "json", "--threads", "1")
MODEL = ("--model", "whisper-base")
PACKAGES = ("ctranslate2", "onnxruntime", "faster-whisper", "numpy")
LANGUAGES = ("en", "de", "es", "fr", "pt", "ja", "zh", "auto")
VOICES = 8
SHARE = 0.25
MINUTE = 60 * SAMPLE_RATE


def command(language: str, setting: str, *files: Path | str, target: str | None = None) -> list[str]:
    """What transcribes files, or translates them into `target`."""
    target = target or ("en" if language == "auto" else language)
    options = [*MODEL, "--source", language, "--target", target, *shlex.split(setting)]
    return [*COMMAND, *options, *map(str, files)]


def read(file: Path) -> Samples:
    """The samples of a recording at 16 kHz."""
    samples, rate = soundfile.read(file, dtype="float32")
    if rate != SAMPLE_RATE or samples.ndim != 1:
        raise SystemExit(f"{file} is not mono at {SAMPLE_RATE} Hz.")
    return np.asarray(samples)


def words_by_time(events: Iterable[Event]) -> list[tuple[int, str]]:
    """Settled words, each with the sample at which it ends; parts of one word joined."""
    found: list[tuple[int, str]] = []
    for event in events:
        for word in event.words if isinstance(event, Settled) else ():
            if word.joined and found:
                found[-1] = (word.end or found[-1][0], found[-1][1] + word.text)
            else:
                found.append((word.end or event.heard, word.text))
    return found


def long_form(data: Path, place: Path, minutes: float, setting: str) -> dict[str, Any]:
    """The long form over and over, in one stream."""
    folder = data / "newgate-reading"
    once = read(folder / "longform-a.flac")
    with open(folder / "longform-a.segments.tsv", encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    passes = int(minutes * MINUTE // len(once))
    soundfile.write(place / "long.wav", np.tile(once, passes), SAMPLE_RATE)
    events: list[Event] = []
    marks: list[tuple[float, int]] = []
    with WatchedProcess(command("en", setting, place / "long.wav")) as process:
        for line in process.lines():
            events.append(from_json(line))
            heard = getattr(events[-1], "heard", 0)
            if heard >= (len(marks) + 1) * MINUTE and events[-1].type != "end":
                marks.append(process.now())
    # Numbers may be written as digits or as words: the nearer of the two counts, for each pass.
    references = [" ".join(row[column] for row in rows) for column in ("text", "text_spoken_form")]
    words = words_by_time(events)
    texts = [" ".join(w for end, w in words if end // len(once) == number) for number in range(passes)]
    errors = [min((word_errors([(r, text)]) for r in references), key=lambda e: e.rate) for text in texts]
    cpu = [0.0, *(seconds for seconds, _ in marks)]
    return {
        "setting": setting,
        "minutes": round(passes * len(once) / MINUTE, 1),
        "words_of_reference_per_pass": errors[0].words,
        "words_per_pass": [len(text.split()) for text in texts],
        "wer_per_pass": [round(each.rate, 2) for each in errors],
        "cpu_seconds_per_second": round(process.cpu * SAMPLE_RATE / (passes * len(once)), 3),
        "cpu_seconds_per_minute": [round(b - a, 1) for a, b in pairwise(cpu)],
        "resident_mib_per_minute": [size for _, size in marks],
        "peak_mib": process.peak_mib,
        "texts": texts,
    }


def wordless(data: Path, kind: str, seconds: float) -> Samples:
    """One of the sounds of `noises`."""
    if kind == "babble":
        with open(data / "librispeech-mini" / "train.tsv", encoding="utf-8", newline="") as table:
            rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
        return noises.babble(
            [read(data / "librispeech-mini" / row["file"]) for row in rows[:VOICES]], seconds
        )
    make: Callable[[float], Samples] = getattr(noises, kind)
    return make(seconds)


def noise(
    data: Path, place: Path, kind: str, seconds: float, language: str, target: str | None, setting: str
) -> dict[str, Any]:
    """A sound without words, in one language."""
    file = place / f"{kind}-{seconds:g}.wav"
    if not file.exists():
        soundfile.write(file, wordless(data, kind, seconds), SAMPLE_RATE)
    with WatchedProcess(command(language, setting, file, target=target)) as process:
        events = [from_json(line) for line in process.lines()]
    words = [word for _, word in words_by_time(events)]
    return {
        "setting": setting,
        "seconds": seconds,
        "words": len(words),
        "words_per_5_minutes": round(len(words) * 300 / seconds, 1),
        "cpu_seconds_per_second": round(process.cpu / seconds, 3),
        "text": settled_text(events, language),
    }


def slow(data: Path, place: Path, seconds: float, setting: str) -> dict[str, Any]:
    """Live speech on a part of a core, beside the same speech on a whole one."""
    once = read(data / "newgate-reading" / "longform-a.flac")[: round(seconds * SAMPLE_RATE)]
    soundfile.write(place / "slow.wav", once, SAMPLE_RATE)
    found: dict[str, Any] = {"setting": setting, "seconds": seconds, "share_of_a_core": SHARE}
    texts = {}
    for name, share in (("whole", None), ("part", SHARE)):
        with WatchedProcess(command("en", f"--simulate {setting}", place / "slow.wav"), share) as process:
            events = [from_json(line) for line in process.lines()]
        texts[name] = settled_text(events, "en")
        behind = [e.time - e.heard / SAMPLE_RATE for e in events if isinstance(e, Settled)]
        late = [e for e in events if isinstance(e, Late)]
        found[name] = {
            "words": len(texts[name].split()),
            "behind_mean": round(mean(behind), 2),
            "behind_p95": round(quantiles(behind, 0.95)[0], 2),
            "behind_max": round(max(behind), 2),
            "late_events": len(late),
            "decisions_passed_over": sum(e.decisions for e in late),
            "skipped_samples": sum(e.end - e.start for e in events if isinstance(e, Skipped)),
            "cpu_seconds_per_second": round(process.cpu / seconds, 3),
        }
    difference = word_errors([(texts["whole"], texts["part"])])
    return {**found, "words_that_differ_percent": round(difference.rate, 2), "texts": texts}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--part", action="append", choices=("long", "noise", "slow"), help="(default: all)")
    parser.add_argument("--minutes", type=float, default=20, help="about how long the long form is")
    parser.add_argument("--kind", action="append", choices=("silence", "fan", "music", "babble"))
    parser.add_argument("--language", action="append", help=f"of noise (default: {' '.join(LANGUAGES)})")
    parser.add_argument("--target", help="what is written over noise (default: the language, en for auto)")
    parser.add_argument("--seconds", type=float, default=300, help="of each noise")
    parser.add_argument("--slow-seconds", type=float, default=120, help="of live speech on a slow machine")
    parser.add_argument("--setting", default="", help="options of simul translate (default: none)")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/whisper_robustness.json"))
    given = parser.parse_args(arguments)
    parts = given.part or ["long", "noise", "slow"]
    named = f" {given.setting}" if given.setting else ""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        cases: dict[str, Callable[[], Any]] = {}
        if "slow" in parts:
            cases["slow" + named] = partial(slow, given.data, place, given.slow_seconds, given.setting)
        if "long" in parts:
            cases["long" + named] = partial(long_form, given.data, place, given.minutes, given.setting)
        if "noise" in parts:
            for kind in given.kind or ("silence", "fan", "music", "babble"):
                for language in given.language or LANGUAGES:
                    into = f" into {given.target}" if given.target else ""
                    cases[f"{kind} {language}{into}{named}"] = partial(
                        noise, given.data, place, kind, given.seconds, language, given.target, given.setting
                    )
        report = run_cases(given.output, cases, PACKAGES)
    print(json.dumps({name: report["cases"][name] for name in cases}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
