"""The experiment of Dugan et al. 2023 on any model: growing windows, their four policies, their scores beside ours.

Their rules and loops are in `policies.dugan`; here are the models that decode a window into timed segments, and the
scores: BLEU, and average lagging as they print it (one reference token above the standard value, computation-aware)
beside AL, LAAL and YAAL as the field defines them, with and without computation.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any, Protocol

import numpy as np

from latency_metrics import AL, LAAL, YAAL, Instance
from latency_metrics.quality import quality_scores
from policies.base import Need
from policies.dugan import (
    ClipSegment,
    EvaluationLoop,
    Spoken,
    published_average_lagging,
    published_corpus_lagging,
    results_table,
)
from policies.offline import Offline
from policies.registry import make_policy
from policies.segments import SegmentPolicy
from simul.backends.base import Backend, DecodeRequest, StreamSpec
from simul.backends.cascade import CascadeBackend, Recognizer
from simul.errors import UsageError
from simul.evaluation.trace.meter import Meter
from simul.files import create
from simul.hearing.pauses import PauseSegmenter
from simul.models.translation.interface import TextRequest
from simul.models.words import Word, stretches
from simul.units import SAMPLE_RATE, Samples

PIECE = SAMPLE_RATE // 10
"""Samples in which a recogniser is given a window."""
WINDOWS = (1.0, 2.0)
"""Increments of the window, in seconds."""
PROFILES = ("faithful", "fixed")
ROWS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("CAP 0.9", "confidence-aware", {"confidence_threshold": 0.9}),
    ("CAP 0.5", "confidence-aware", {"confidence_threshold": 0.5}),
    ("CP 0.75", "consensus", {"consensus_threshold": 0.75}),
    ("CP 0.5", "consensus", {"consensus_threshold": 0.5}),
    ("Greedy", "greedy", {}),
    ("Offline", "offline", {}),
)
"""Rows of their table: name, policy, parameters."""

Decoded = tuple[tuple[ClipSegment, ...], tuple[float, ...]]
"""Segments of a window, and the CPU seconds after which each was there, with the pass's total as a last entry."""


class WindowReader(Protocol):
    """A model on one utterance."""

    def window(self, begin: float, end: float) -> Decoded:
        """What it makes of the audio between two places, in seconds; segment times count from `begin`."""
        ...

    def whole(self) -> tuple[str, float]:
        """Its translation of the whole utterance, and the CPU seconds that took."""
        ...


class BackendReader:
    """A backend with segments, such as Whisper with timestamps: each window is decoded as a recording of its own."""

    def __init__(self, backend: Backend[Any], samples: Samples, source: str, target: str) -> None:
        self._backend, self._samples, self._spec = backend, samples, StreamSpec(source, target)

    def window(self, begin: float, end: float) -> Decoded:
        """See `WindowReader`."""
        meter = Meter(None, self._backend.meter)
        meter.start()
        stream = self._backend.open(self._spec)
        self._backend.push(stream, self._samples[round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)])
        self._backend.end(stream)
        self._backend.advance([stream])
        found: list[ClipSegment] = []
        while True:
            view = self._backend.view(stream)
            candidate = self._backend.decode([DecodeRequest(stream, 0, view)])[0]
            for s in candidate.segments or ():
                found.append(
                    ClipSegment(s.start / SAMPLE_RATE, s.end / SAMPLE_RATE, s.text, s.no_speech_prob)
                )
            if view.finished:
                break
            self._backend.next_segment(stream)
        self._backend.release(stream)
        return tuple(found), (meter.stop(),) * (len(found) + 1)

    def whole(self) -> tuple[str, float]:
        """See `WindowReader`."""
        segments, elapsed = self.window(0.0, len(self._samples) / SAMPLE_RATE)
        return "".join(segment.text for segment in segments), elapsed[-1]


class CascadeReader:
    """A cascade in the place of Whisper, an adaptation.

    A segment is a stretch of recognised words between pauses of 0.2 s or more, translated by itself. Its
    no-speech probability is the share of the window without voice activity, which all segments of a window share,
    as Whisper's do. The recogniser hears a window that only grew on where it stopped, so a pass costs what is new.
    """

    def __init__(self, backend: CascadeBackend, samples: Samples, source: str, target: str) -> None:
        self._backend, self._samples = backend, samples
        self._target = None if backend.translator is None or source == target else target
        self._recognizer: Recognizer | None = None
        self._begin = self._place = -1
        self._closed: list[Word] = []

    def window(self, begin: float, end: float) -> Decoded:
        """See `WindowReader`."""
        first, last = round(begin * SAMPLE_RATE), min(round(end * SAMPLE_RATE), len(self._samples))
        meter = Meter(None, self._backend.meter)
        meter.start()
        words = self._hear(first, last)
        spent = meter.stop()
        silence = self._silence(self._samples[first:last])
        segments, elapsed = [], []
        for stretch in stretches(words):
            meter.start()
            text = self._translate(" ".join(word.text for word in stretch))
            spent += meter.stop()
            times = (
                stretch[0].start_sample / SAMPLE_RATE,
                min(stretch[-1].end_sample, last - first) / SAMPLE_RATE,
            )
            segments.append(ClipSegment(*times, " " + text, silence))
            elapsed.append(spent)
        return tuple(segments), (*elapsed, spent)

    def whole(self) -> tuple[str, float]:
        """See `WindowReader`; here the recogniser's final words count."""
        meter = Meter(None, self._backend.meter)
        meter.start()
        recognizer = self._backend.make_recognizer()
        for start in range(0, len(self._samples), PIECE):
            recognizer.push(self._samples[start : start + PIECE])
        texts = [utterance.text for utterance in recognizer.finish()]
        text = " ".join(self._translate(text) for text in texts if text)
        return text, meter.stop()

    def _hear(self, first: int, last: int) -> list[Word]:
        """The words of the audio between two samples, so far as they can be told without its future."""
        if self._recognizer is None or first != self._begin or last < self._place:
            self._recognizer, self._closed = self._fresh(), []
            self._begin = self._place = first
        recognizer = self._recognizer
        while self._place < last:
            step = min(PIECE, last - self._place)
            recognizer.push(self._samples[self._place : self._place + step])
            self._place += step
            self._closed += [word for utterance in recognizer.events() for word in utterance.words]
        return [*self._closed, *recognizer.hypothesis()]

    def _fresh(self) -> Recognizer:
        """A recogniser at the beginning of a stream; loading one anew takes longer than a window."""
        if self._recognizer is not None and (reset := getattr(self._recognizer, "reset", None)) is not None:
            reset()
            return self._recognizer
        return self._backend.make_recognizer()

    def _translate(self, text: str) -> str:
        translator = self._backend.translator
        if self._target is None or translator is None:
            return text
        return "".join(translator.translate([TextRequest(text, self._target)])[0].tokens).strip()

    @staticmethod
    def _silence(samples: Samples) -> float:
        if not len(samples):
            return 1.0
        spoken = sum(len(span) for span in PauseSegmenter(SAMPLE_RATE).speech(samples))
        return 1 - min(1.0, spoken / len(samples))


@dataclass
class Remembered:
    """The windows of one utterance, each decoded once; policies that ask for the same window share it."""

    reader: WindowReader | None
    length: float
    passes: dict[tuple[int, int], Decoded] = field(default_factory=dict)
    offline: tuple[str, float] | None = None

    def window(self, begin: float, end: float) -> Decoded:
        """The decoded window, in seconds; an empty one holds nothing."""
        key = round(begin * 1000), round(end * 1000)
        if begin >= end:
            return (), (0.0,)
        if key not in self.passes:
            if self.reader is None:
                raise UsageError(
                    f"The window {begin:g} s to {end:g} s was not kept; decode it with the model."
                )
            self.passes[key] = self.reader.window(begin, end)
        return self.passes[key]

    def whole(self) -> tuple[str, float]:
        """The translation of the whole utterance."""
        if self.offline is None:
            if self.reader is None:
                raise UsageError("The whole utterance was not kept; decode it with the model.")
            self.offline = self.reader.whole()
        return self.offline

    def to_dict(self) -> dict[str, Any]:
        """As `policies.dugan.CachedUtterance.of` reads it, if the whole utterance was translated."""
        offline = None if self.offline is None else dict(zip(("text", "elapsed"), self.offline, strict=True))
        passes = [
            {
                "begin": begin / 1000,
                "end": end / 1000,
                "segments": [asdict(segment) for segment in segments],
                "elapsed": list(times),
            }
            for (begin, end), (segments, times) in self.passes.items()
        ]
        return {"length": self.length, "offline": offline, "passes": passes}


@dataclass(frozen=True)
class Utterance:
    """One recording of the experiment."""

    name: str
    reference: str
    model: Remembered


@dataclass(frozen=True)
class DuganResult:
    """One cell of the table: BLEU in percent, latencies in seconds; None where no utterance has a value.

    published: average lagging as they print it; published_laal likewise. `al`, `laal`, `yaal` are standard and
    computation-unaware, those with `_ca` computation-aware. spoken: utterances in which a policy spoke before the
    end, the others being handed to the offline translation.
    """

    row: str
    pair: str
    window: float
    profile: str
    bleu: float
    chrf: float
    published: float | None
    published_laal: float | None
    al: float | None
    laal: float | None
    yaal: float | None
    al_ca: float | None
    laal_ca: float | None
    yaal_ca: float | None
    spoken: int
    utterances: int


def speak(
    policy: SegmentPolicy | Offline, utterance: Remembered, window: float, faithful: bool, timed: bool = True
) -> list[Spoken]:
    """What a policy speaks of an utterance; `timed`: computing takes its time, otherwise none."""
    loop = EvaluationLoop(policy, utterance.length, window, faithful)
    while (clip := loop.clip) is not None:
        segments, elapsed = utterance.window(*clip)
        loop.judge(segments, elapsed if timed else (0.0,) * len(elapsed))
    if loop.needs_offline:
        text, seconds = utterance.whole()
        loop.offline(text, seconds if timed else 0.0)
    return loop.spoken


def _policy(name: str, args: Mapping[str, Any], profile: str) -> SegmentPolicy | Offline:
    policy = make_policy(name, args if name == "offline" else {**args, "profile": profile})
    assert isinstance(policy, (SegmentPolicy, Offline))
    return policy


def cell(
    row: tuple[str, str, Mapping[str, Any]],
    pair: str,
    utterances: Sequence[Utterance],
    window: float,
    profile: str,
    tokens: Callable[[str], int],
    spoke: Callable[[Utterance], None] = lambda utterance: None,
) -> DuganResult:
    """One cell: a row of the table on the utterances of a language pair.

    tokens: counts the tokens of a text. spoke: told of every utterance that is done.
    """
    title, name, args = row
    policy = _policy(name, args, profile)
    timed: list[Instance] = []
    untimed: list[Instance] = []
    printed: list[float | None] = []
    printed_laal: list[float | None] = []
    texts: list[str] = []
    early = 0
    for utterance in utterances:
        runs = [
            speak(policy, utterance.model, window, profile == "faithful", timed) for timed in (True, False)
        ]
        early += any(said.delay < utterance.model.length for said in runs[1])
        texts.append("".join(said.text for said in runs[0]).strip())
        reference, length = tokens(utterance.reference), 1000 * utterance.model.length
        delays = _delays(runs[0], tokens)
        printed.append(_seconds(published_average_lagging(delays, length, reference)))
        printed_laal.append(_seconds(published_average_lagging(delays, length, reference, True)))
        for spoken, kept in zip(runs, (timed, untimed), strict=True):
            kept.append(
                Instance(
                    utterance.name,
                    texts[-1],
                    utterance.reference,
                    delays=_delays(spoken, tokens),
                    source_length=length,
                    reference_length=reference,
                )
            )
        spoke(utterance)
    quality = quality_scores(texts, [u.reference for u in utterances])
    return DuganResult(
        title,
        pair,
        window,
        profile,
        quality[0].value,
        quality[1].value,
        published_corpus_lagging(printed),
        published_corpus_lagging(printed_laal),
        al=_corpus(AL, untimed),
        laal=_corpus(LAAL, untimed),
        yaal=_corpus(YAAL, untimed),
        al_ca=_corpus(AL, timed),
        laal_ca=_corpus(LAAL, timed),
        yaal_ca=_corpus(YAAL, timed),
        spoken=early,
        utterances=len(utterances),
    )


def _delays(spoken: Sequence[Spoken], tokens: Callable[[str], int]) -> list[float]:
    """Milliseconds of every token."""
    return [1000 * said.delay for said in spoken for _ in range(tokens(said.text))]


def _seconds(value: float | None) -> float | None:
    return None if value is None else value / 1000


def _corpus(metric: type[AL] | type[YAAL], instances: Sequence[Instance]) -> float | None:
    value = metric().corpus(instances).value
    return None if math.isnan(value) else value / 1000


def experiment(
    pairs: Mapping[str, Sequence[Utterance]],
    tokens: Callable[[str], int],
    windows: Sequence[float] = WINDOWS,
    profiles: Sequence[str] = PROFILES,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> list[DuganResult]:
    """All cells: every row, language pair, window and profile.

    progress: told after every utterance of every cell how many are done, how many there are, and which it was.
    """
    results: list[DuganResult] = []
    total = sum(map(len, pairs.values())) * len(profiles) * len(windows) * len(ROWS)
    done = 0
    for profile, (pair, utterances), window, row in product(profiles, pairs.items(), windows, ROWS):
        place = f"{pair}, {window:g} s, {profile}: {row[0]}"

        def spoke(utterance: Utterance, place: str = place) -> None:
            nonlocal done
            done += 1
            progress(done, total, f"{place}, {utterance.name}")

        results.append(cell(row, pair, utterances, window, profile, tokens, spoke))
    return results


def paper_table(results: Sequence[DuganResult], profile: str) -> str:
    """BLEU and their average lagging in their layout, as Markdown."""
    chosen = [r for r in results if r.profile == profile]
    cells = {(r.row, r.pair, r.window): (r.bleu, _number(r.published)) for r in chosen}
    for row, pair, window in list(cells):
        # Offline has no window; the computation of the passes that it runs for nothing is no difference.
        if row == "Offline":
            cells[row, pair, window] = cells[row, pair, chosen[0].window]
    pairs, windows = (
        list(dict.fromkeys(values)) for values in zip(*((r.pair, r.window) for r in chosen), strict=True)
    )
    return results_table(cells, [title for title, _, _ in ROWS], pairs, windows)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


LATENCY_HEADER = (
    "policy", "profile", "pair", "window s", "BLEU", "chrF", "AL as printed", "AL CA", "AL", "LAAL CA", "LAAL",
    "YAAL CA", "YAAL", "early",
)  # fmt: skip


def latency_rows(results: Sequence[DuganResult]) -> list[list[str]]:
    """All latencies of every cell in seconds, faithful and fixed side by side."""

    def shown(value: float | None) -> str:
        return "n/a" if value is None else f"{value:.2f}"

    order = sorted(results, key=lambda r: [title for title, _, _ in ROWS].index(r.row))
    return [
        [r.row, r.profile, r.pair, f"{r.window:g}", f"{r.bleu:.1f}", f"{r.chrf:.1f}"]
        + [shown(v) for v in (r.published, r.al_ca, r.al, r.laal_ca, r.laal, r.yaal_ca, r.yaal)]
        + [f"{r.spoken}/{r.utterances}"]
        for r in order
    ]


def write_passes(path: str | os.PathLike[str], utterances: Sequence[Utterance]) -> None:
    """Keep the decoded windows, one utterance a line.

    Raises:
        SimulError: the file cannot be written.
    """
    with create(path) as file:
        for utterance in utterances:
            record = {"name": utterance.name, "reference": utterance.reference, **utterance.model.to_dict()}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def read_passes(path: str | os.PathLike[str]) -> dict[str, Remembered]:
    """The windows that `write_passes` kept, by name of the utterance.

    Raises:
        UsageError: the file cannot be read.
    """
    found = {}
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                data = json.loads(line)
                passes = {
                    (round(p["begin"] * 1000), round(p["end"] * 1000)): (
                        tuple(ClipSegment(**s) for s in p["segments"]),
                        tuple(p["elapsed"]),
                    )
                    for p in data["passes"]
                }
                whole = data["offline"]
                offline = None if whole is None else (whole["text"], whole["elapsed"])
                found[data["name"]] = Remembered(None, data["length"], passes, offline)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no kept windows ({error}); run the experiment again.") from error
    return found


def reader_of(backend: Backend[Any], samples: Samples, source: str, target: str) -> WindowReader:
    """The reader for a backend.

    Raises:
        UsageError: the backend has no segments and is no cascade.
    """
    samples = np.asarray(samples, np.float32)
    if isinstance(backend, CascadeBackend):
        return CascadeReader(backend, samples, source, target)
    if Need.SEGMENTS in backend.provides:
        return BackendReader(backend, samples, source, target)
    raise UsageError(
        f"The experiment needs timed segments, which the backend {backend.name} does not give; use a Whisper model "
        "or a cascade."
    )
