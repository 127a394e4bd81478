"""Quality against latency on human speech with human translations, per direction and policy, as JSON, Markdown, PNG.

Prompts of a telephone system that were recorded in English, Spanish and French, ten of them to a recording: English
into Spanish and French, and these into English, by whisper-base and the embedded translator, under every policy that
this cascade serves; for comparison the latter by whisper-base alone, whose passes depend on the policy, under a small
grid. German is in the example talks only (synthetic voices, human translations). Recognition is recorded once and
replayed.

    python -m benchmarks.human_translation --data FOLDER [--work FOLDER] [--markdown docs/human-translation.md]

FOLDER holds clips.tsv (id, file, lang, seconds, text) and its recordings. The same arguments choose the same prompts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.human_speech import read_table
from benchmarks.human_translation_page import LATENCY, draw, markdown, report_of
from benchmarks.machine import describe
from latency_metrics.scoring.recordings import ReferenceSegment
from policies.base import SAMPLES_PER_MS, Need
from simul.audio import FileSource
from simul.backends.base import Backend
from simul.backends.families import ModelConfig, load_backend
from simul.backends.loaders import EMBEDDED
from simul.clock import WallClock
from simul.config import DEFAULT_POLICY, StreamOptions
from simul.evaluation.items import Item
from simul.evaluation.sweep.grid import Setting, default_grid, parse_grid
from simul.evaluation.sweep.item_runner import SweepRunner
from simul.evaluation.sweep.result import SweepResult
from simul.evaluation.sweep.sweep import sweep
from simul.files import make_folder
from simul.units import SAMPLE_RATE

MODEL = "whisper-base"
LANGUAGES = {"en": "English", "es": "Spanish", "fr": "French", "de": "German"}
PROMPTS = (("en", "es"), ("en", "fr"), ("es", "en"), ("fr", "en"))
"""Directions whose prompts have human translations."""
DIRECT = "direct"
"""Behind a direction: by Whisper's own translation."""
DIRECTIONS = (*("-".join(pair) for pair in PROMPTS), f"es-en-{DIRECT}", f"fr-en-{DIRECT}", "en-de")
JOINED = 10
"""Prompts that make a recording."""
PAUSE = 4 * SAMPLE_RATE // 5
"""Silence between two prompts, in samples."""
SHORTEST, LONGEST = 2.5, 20.0
"""Seconds of a prompt, in each language: shorter ones are words, longer ones would outweigh the others."""
SETTINGS = 3
"""Settings of a curve."""
DIRECT_GRID = f"offline;{DEFAULT_POLICY}:n=1,2,3;hold-n:n=4;wait-k:unit=chunk,k=6;align-att:distance_ms=800"
"""The grid of Whisper's own translation, of which each setting is new work; its policies need no timed segments."""

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Sentence:
    """What is said in a stretch of a recording (samples), in another language."""

    begin: int
    end: int
    reference: str


@dataclass(frozen=True)
class Talk:
    """A recording with the human translations of its sentences."""

    audio: Path
    sentences: Sequence[Sentence]


@dataclass(frozen=True)
class Model:
    """Loads the models of a direction, with what `needs` wants to see; can be sent to another process."""

    source: str
    target: str
    needs: frozenset[Need]
    direct: bool

    def __call__(self) -> Backend:
        cascade = ModelConfig(asr=MODEL, mt=EMBEDDED, threads=1)
        config = ModelConfig(model=MODEL, threads=1) if self.direct else cascade
        return load_backend(config, self.source, self.target, needs=self.needs).backend


def chosen(rows: Sequence[dict[str, str]], count: int) -> list[dict[str, dict[str, str]]]:
    """At most `count` prompts, as rows by language: every nth of those of fitting length in all three languages."""
    by_name: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        by_name.setdefault(row["id"], {})[row["lang"]] = row
    languages = {language for pair in PROMPTS for language in pair}
    fitting = [
        prompt
        for _, prompt in sorted(by_name.items())
        if prompt.keys() >= languages
        and all(SHORTEST <= float(prompt[language]["seconds"]) <= LONGEST for language in languages)
        and len({prompt[language]["text"] for language in languages}) == len(languages)
    ]
    return fitting[:: max(1, len(fitting) // count)][:count]


def load(path: Path) -> Sound:
    """A whole recording."""
    with FileSource(path) as source:
        return np.concatenate(list(source))


def join(sounds: Sequence[Sound]) -> tuple[Sound, list[tuple[int, int]]]:
    """Recordings one after the other, with silence between and behind them; first sample and end of each."""
    pieces: list[Sound] = []
    places = []
    at = 0
    for sound in sounds:
        places.append((at, at + len(sound)))
        pieces += [sound, np.zeros(PAUSE, np.float32)]
        at += len(sound) + PAUSE
    return np.concatenate(pieces), places


def prompt_talks(data: Path, source: str, target: str, recordings: int, place: Path) -> list[Talk]:
    """Recordings of prompts in `source`, written to `place`, with their texts in `target`."""
    found = []
    prompts = chosen(read_table(data / "clips.tsv"), recordings * JOINED)
    for start in range(0, len(prompts), JOINED):
        some = prompts[start : start + JOINED]
        audio = place / f"prompts-{source}-{start // JOINED + 1}of{recordings}.flac"
        sound, places = join([load(data / prompt[source]["file"]) for prompt in some])
        soundfile.write(audio, sound, SAMPLE_RATE)
        sentences = [
            Sentence(*where, prompt[target]["text"].strip())
            for where, prompt in zip(places, some, strict=True)
        ]
        found.append(Talk(audio, sentences))
    return found


def parted(sound: Sound, count: int, frame_ms: int = 20) -> list[tuple[int, int]]:
    """First sample and end of each of `count` sentences, which the longest silences divide.

    Raises:
        ValueError: there are fewer silences.
    """
    frame = frame_ms * SAMPLES_PER_MS
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame)
    loud = np.flatnonzero(np.abs(frames).max(axis=1) > 0.01 * np.abs(sound).max())
    gaps = sorted(((b - a, a + 1, b) for a, b in pairwise(loud.tolist()) if b - a > 1), reverse=True)[
        : count - 1
    ]
    if len(gaps) < count - 1:
        raise ValueError(f"{count} sentences need {count - 1} silences between them; {len(gaps)} are there.")
    edges = sorted((end, begin) for _, end, begin in gaps)
    begins = [int(loud[0]), *(begin for _, begin in edges)]
    ends = [*(end for end, _ in edges), int(loud[-1]) + 1]
    return [(begin * frame, end * frame) for begin, end in zip(begins, ends, strict=True)]


def example_talks(sentences: Path, target: str) -> list[Talk]:
    """The example talks with the translations of their sentences."""
    by_talk: dict[str, list[str]] = {}
    for row in read_table(sentences):
        by_talk.setdefault(row["talk"], []).append(row[target])
    found = []
    for name, texts in by_talk.items():
        audio = sentences.parent / f"{name}.ogg"
        places = parted(load(audio), len(texts))
        found.append(Talk(audio, [Sentence(*where, text) for where, text in zip(places, texts, strict=True)]))
    return found


def segments_of(talks: Sequence[Talk]) -> list[ReferenceSegment]:
    """The sentences as reference segments."""
    return [
        ReferenceSegment(
            str(talk.audio),
            sentence.begin / SAMPLES_PER_MS,
            (sentence.end - sentence.begin) / SAMPLES_PER_MS,
            sentence.reference,
            document,
            number,
        )
        for document, talk in enumerate(talks)
        for number, sentence in enumerate(talk.sentences)
    ]


def reduced(settings: Sequence[Setting], chunk_ms: int) -> list[Setting]:
    """Of each curve at most `SETTINGS`, its ends and what lies between, all at the same chunk."""
    curves: dict[str, list[Setting]] = {}
    for setting in settings:
        if setting.chunk_ms in (None, chunk_ms):
            curves.setdefault(setting.curve, []).append(setting)
    return [
        curve[place]
        for curve in curves.values()
        for place in dict.fromkeys((len(curve) - 1) * i // (SETTINGS - 1) for i in range(SETTINGS))
    ]


def measure(
    source: str, target: str, direct: bool, talks: Sequence[Talk], grid: str | None, work: Path
) -> SweepResult:
    """One direction under every setting, against the human translations; `work` keeps what is done."""
    chunk_ms = StreamOptions().chunk_ms
    if grid is None and not direct:
        provides = Model(source, target, frozenset(Need), direct)().provides
        settings = reduced(default_grid(provides), chunk_ms)
    else:
        settings = parse_grid(grid or DIRECT_GRID)
    needs = frozenset[Need]().union(*(setting.make().needs for setting in settings))
    way = f"-{DIRECT}" if direct else ""
    traces = str(work / f"recognised-{source}{way}")
    runner = SweepRunner(Model(source, target, needs, direct), settings, source, target, chunk_ms, traces)
    items = [Item(talk.audio.stem, str(talk.audio)) for talk in talks]
    runs = work / f"runs-{source}-{target}{way}"
    return replace(
        sweep(items, runner, segmentation=segments_of(talks), folder=runs, resume=True), latency=LATENCY
    )


def recordings_of(source: str, target: str, given: argparse.Namespace, work: Path) -> tuple[str, list[Talk]]:
    """Whose speech, and the recordings of a direction."""
    if (source, target) in PROMPTS:
        made = prompt_talks(given.data, source, target, given.recordings, work)
        return f"prompts, one woman's {LANGUAGES[source]}", made
    return "example talks, synthetic voices", example_talks(given.examples, target)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--examples", type=Path, default=Path("examples/sentences.tsv"))
    parser.add_argument(
        "--recordings", type=int, default=3, help="recordings of ten prompts in each direction"
    )
    parser.add_argument("--grid", help="policies and settings of all directions, as for simul sweep")
    parser.add_argument(
        "--work", type=Path, help="keep what is done there, and take it over (default: only for this run)"
    )
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/human_translation.json"))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("directions", nargs="*", metavar="SOURCE-TARGET[-direct]", default=DIRECTIONS)
    given = parser.parse_args()
    clock = WallClock()
    results: dict[str, SweepResult] = {}
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = make_folder(given.work or temporary)
        for source, target, *way in (direction.split("-") for direction in given.directions):
            direct = way == [DIRECT]
            name = f"{LANGUAGES[source]} into {LANGUAGES[target]}{', by Whisper itself' * direct}"
            speech, talks = recordings_of(source, target, given, work)
            results[name] = measure(source, target, direct, talks, given.grid, work)
            found[name] = report_of(results[name], speech, DIRECT if direct else "cascade")
            print(f"{name}: {clock.now() / 60:.1f} min", file=sys.stderr)
    report = {
        "machine": describe(("ctranslate2", "onnxruntime", "sacrebleu")),
        "command": list(given.directions),
        "chunk_ms": StreamOptions().chunk_ms,
        "directions": found,
    }
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if given.markdown:
        titles = {name: f"{name}: {one['speech']}" for name, one in found.items()}
        draw(results, titles, given.markdown.parent / "images" / "human-translation.png")
        given.markdown.write_text(markdown(report), encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
