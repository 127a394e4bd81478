"""Traces of a cascade's recogniser, which no policy influences: recorded once, replayed under every policy.

Only the translation depends on what is committed. It is asked of the real translator, and kept, so that policies
that come to the same text and prefix share it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from policies.base import Need
from simul.backends.cascade import Recognizer
from simul.clock import VirtualClock, cpu_seconds
from simul.evaluation.trace.meter import Meter
from simul.evaluation.trace.trace import TraceError
from simul.files import create
from simul.models.translation.interface import TextRequest, TextResult, TextTranslator
from simul.models.words import Utterance, Word
from simul.units import Samples

VERSION = 1


@dataclass(frozen=True)
class RecognizerStep:
    """What stood after a piece of audio, or after the end.

    heard: samples received. utterance_start: the recogniser's. words: of the open utterance. ended: utterances that
    ended with this piece. push, hypothesis: seconds of computing for taking the piece in and for making the words.
    """

    heard: int
    utterance_start: int
    words: tuple[Word, ...]
    ended: tuple[Utterance, ...]
    push: float
    hypothesis: float


@dataclass
class RecognizerTrace:
    """The steps of one recording; the last one is what `finish` brought.

    any_cut: pieces may be joined on replay, since the recogniser's hypotheses depend on the samples alone. model:
    what was recorded, in the words of whoever recorded it.
    """

    any_cut: bool = False
    steps: list[RecognizerStep] = field(default_factory=list)
    model: str = ""

    @property
    def lengths(self) -> list[int]:
        """Samples of each piece of audio."""
        ends = [0, *(step.heard for step in self.steps[:-1])]
        return [b - a for a, b in pairwise(ends)]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the trace as JSON lines; a step repeats its words only where they have changed.

        Raises:
            SimulError: the file cannot be written.
        """
        before: tuple[Word, ...] | None = None
        with create(path) as file:
            head = {
                "type": "recognizer-trace",
                "version": VERSION,
                "any_cut": self.any_cut,
                "model": self.model,
            }
            file.write(json.dumps(head) + "\n")
            for step in self.steps:
                record: dict[str, Any] = {
                    name: value for name, value in vars(step).items() if name not in ("words", "ended")
                }
                if step.words != before:
                    record["words"] = [list(asdict(word).values()) for word in step.words]
                if step.ended:
                    record["ended"] = [
                        {**asdict(u), "words": [list(asdict(word).values()) for word in u.words]}
                        for u in step.ended
                    ]
                before = step.words
                file.write(json.dumps(record) + "\n")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> RecognizerTrace:
        """The trace that `write` wrote.

        Raises:
            TraceError: the file cannot be read, or is none.
        """
        try:
            with open(path, encoding="utf-8") as file:
                head, *records = (json.loads(line) for line in file)
            if head["type"] != "recognizer-trace" or head["version"] != VERSION:
                raise ValueError("it is no recogniser's trace of this version")
            steps, words = [], tuple[Word, ...]()
            for record in records:
                if "words" in record:
                    words = _words(record["words"])
                ended = [Utterance(**{**u, "words": _words(u["words"])}) for u in record.get("ended", ())]
                steps.append(RecognizerStep(**{**record, "words": words, "ended": tuple(ended)}))
            return cls(head["any_cut"], steps, head["model"])
        except OSError as error:
            raise TraceError(f"The trace {path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise TraceError(f"{path} is not a whole trace ({error}); record it again.") from error


def _words(rows: Sequence[Sequence[Any]]) -> tuple[Word, ...]:
    return tuple(Word(*row) for row in rows)


class RecordingRecognizer:
    """Another recogniser, with everything it says written into `trace`, step by step of what it is given."""

    def __init__(self, inner: Recognizer, seconds: Callable[[], float] = cpu_seconds) -> None:
        self._inner, self._meter = inner, Meter(None, seconds)
        self.trace = RecognizerTrace(bool(getattr(inner, "any_cut", False)))
        self._received = 0
        self._events: list[Utterance] = []

    @property
    def heard(self) -> int:
        """Samples that recognition has taken in."""
        return self._inner.heard

    @property
    def utterance_start(self) -> int:
        """First sample of the open utterance, or the earliest sample of the next."""
        return self._inner.utterance_start

    def push(self, samples: Samples) -> None:
        """Take in samples and write down what stands then."""
        self._meter.start()
        self._inner.push(samples)
        pushed = self._meter.stop()
        self._received += len(samples)
        self._meter.start()
        words = self._inner.hypothesis()
        self._note(words, self._inner.events(), pushed, self._meter.stop())

    def _note(
        self, words: tuple[Word, ...], ended: Sequence[Utterance], pushed: float, hypothesis: float
    ) -> None:
        self._events += ended
        place = (self._received, self._inner.utterance_start)
        self.trace.steps.append(RecognizerStep(*place, words, tuple(ended), pushed, hypothesis))

    def hypothesis(self) -> tuple[Word, ...]:
        """Words of the open utterance."""
        return self._inner.hypothesis()

    def events(self) -> list[Utterance]:
        """Utterances that have ended since the last call."""
        ended, self._events = self._events, []
        return ended

    def finish(self) -> list[Utterance]:
        """End the stream."""
        self._meter.start()
        ended = self._inner.finish()
        self._note((), ended, self._meter.stop(), 0.0)
        return self.events()


class ReplayRecognizer:
    """Says what a trace says. On a virtual clock it takes the recorded time.

    Pushes must end where pushes of the recording ended, and join several of them only if the trace allows.
    """

    def __init__(self, trace: RecognizerTrace, clock: VirtualClock | None = None) -> None:
        self._trace, self._meter = trace, Meter(clock)
        self._received = self._place = 0
        self._events: list[Utterance] = []
        self._step = RecognizerStep(0, 0, (), (), 0.0, 0.0)

    @property
    def heard(self) -> int:
        """Samples received."""
        return self._received

    @property
    def utterance_start(self) -> int:
        """First sample of the open utterance, or the earliest sample of the next."""
        return self._step.utterance_start

    def push(self, samples: Samples) -> None:
        """Go on by as many samples; what they are does not matter.

        Raises:
            TraceError: the recording was cut in other places.
        """
        self._received += len(samples)
        steps, first = self._trace.steps, self._place
        while self._place < len(steps) - 1 and steps[self._place].heard <= self._received:
            self._step = steps[self._place]
            self._meter.spend(self._step.push)
            self._events += self._step.ended
            self._place += 1
        if self._step.heard != self._received or (self._place - first > 1 and not self._trace.any_cut):
            raise TraceError(
                f"The trace was recorded in other pieces of audio (no step ends at sample {self._received}); "
                "replay it with the chunk it was recorded with, or record it again."
            )
        self._meter.spend(self._step.hypothesis)

    def hypothesis(self) -> tuple[Word, ...]:
        """Words of the open utterance."""
        return self._step.words

    def events(self) -> list[Utterance]:
        """Utterances that have ended since the last call."""
        ended, self._events = self._events, []
        return ended

    def finish(self) -> list[Utterance]:
        """End the stream."""
        last = self._trace.steps[-1]
        while self._place < len(self._trace.steps):
            self._step = self._trace.steps[self._place]
            self._meter.spend(self._step.push)
            self._events += self._step.ended
            self._place += 1
        self._step = last
        return self.events()


Key = tuple[str, str, bool, tuple[int, ...], tuple[str, ...], int | None, bool]


@dataclass
class Translations:
    """Results of a translator with the seconds they took; shared by the policies of one recording."""

    found: dict[Key, tuple[TextResult, float]] = field(default_factory=dict)
    asked: int = 0

    @property
    def computed(self) -> int:
        """How many of the `asked` texts were translated; the others were known."""
        return len(self.found)


class CachedTranslator:
    """Another translator that translates nothing twice; on a virtual clock each text takes the time it took first."""

    def __init__(
        self,
        inner: TextTranslator,
        known: Translations | None = None,
        clock: VirtualClock | None = None,
        seconds: Callable[[], float] = cpu_seconds,
    ) -> None:
        self._inner, self._known = inner, known or Translations()
        self._clock, self._seconds = clock, seconds
        self.name, self.sources, self.targets = inner.name, inner.sources, inner.targets
        self.lacks: frozenset[Need] = getattr(inner, "lacks", frozenset())
        self.offers: int = getattr(inner, "offers", 1)

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """One result per request, in order."""
        results = []
        for request in requests:
            key = (
                request.source,
                request.target,
                request.complete,
                request.prefix_ids,
                request.prefix,
                request.max_new_tokens,
                request.word_complete,
            )
            self._known.asked += 1
            if key not in self._known.found:
                meter = Meter(None, self._seconds)
                meter.start()
                result = self._inner.translate([request])[0]
                self._known.found[key] = result, meter.stop()
            result, seconds = self._known.found[key]
            if self._clock is not None:
                self._clock.advance(seconds)
            results.append(result)
        return results
