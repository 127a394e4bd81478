"""What a stream said and when: text with times per unit, SimulEval's instances.log, event logs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TextIO

from policies.base import SAMPLES_PER_MS
from simul.closing import Closing
from simul.files import create, json_line, make_folder, safe_name, unique_name
from simul.languages import latency_unit
from simul.session.drive import Step
from simul.session.events import End, Event, Settled
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE

if TYPE_CHECKING:
    from latency_metrics.base import Instance


@dataclass
class StreamRecord:
    """Collects the events of one stream.

    Every character of the settled text keeps how much had been heard (samples) and the session's time
    (seconds) when it settled. A unit (word, or character in languages without spaces) counts from the moment
    its last character settled.
    """

    language: str = "de"
    compute: float = 0.0
    behind: list[float] = field(default_factory=list)
    word_lags: list[float] = field(default_factory=list)
    _characters: list[str] = field(default_factory=list)
    _heard: list[int] = field(default_factory=list)
    _times: list[float] = field(default_factory=list)
    _borders: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._transcript = Transcript(self.language)

    def step(self, step: Step) -> None:
        """Take in a step of `drive`."""
        self.compute += step.compute
        if step.samples is not None:
            self.behind.append(step.behind)
        for event in step.events:
            self.event(event)

    def event(self, event: Event) -> None:
        """Take in an event."""
        change = self._transcript.push(event)
        for items in (self._characters, self._heard, self._times):
            del items[len(items) - change.removed :]
        if change.closed is not None:
            self._borders.append(len(self._characters))
        if isinstance(event, Settled):
            self._characters += change.added
            self._heard += [event.heard] * len(change.added)
            self._times += [event.time] * len(change.added)
            if event.spans:
                self.word_lags.append(event.time - max(end for _, end in event.spans) / SAMPLE_RATE)

    @property
    def segments(self) -> int:
        """How many segments are complete."""
        return len(self._transcript.segments)

    @property
    def end(self) -> End | None:
        """The totals, once the stream is over."""
        return self._transcript.end

    @property
    def spoken(self) -> list[tuple[int, int, str]]:
        """(first sample, end, text) of the complete segments that hold text."""
        return [(s.start, s.end, s.text) for s in self._transcript.segments if s.text]

    @property
    def erased(self) -> int:
        """Characters that were taken back."""
        return self._transcript.retracted

    def units(self, first: int = 0, last: int | None = None) -> list[tuple[str, int, float]]:
        """(unit, samples heard, seconds) of every unit of the settled text, or of a range of its characters."""
        text = "".join(self._characters[first:last])
        if latency_unit(self.language) == "char":
            begin = len(text) - len(text.lstrip())
            places = [(i, i) for i in range(begin, len(text.rstrip()))]
        else:
            places = [(match.start(), match.end() - 1) for match in re.finditer(r"\S+", text)]
        return [(text[a : b + 1], self._heard[first + b], self._times[first + b]) for a, b in places]

    @property
    def text(self) -> str:
        """The settled text, its units joined as the language joins them."""
        joint = "" if latency_unit(self.language) == "char" else " "
        return joint.join(unit for unit, _, _ in self.units())

    @property
    def source_text(self) -> str:
        """What the recogniser understood, as far as the backend says."""
        return " ".join(s.source.strip() for s in self._transcript.segments if s.source)

    @property
    def heard(self) -> int:
        """Samples of the whole stream; known at its end."""
        return self.end.heard if self.end else 0

    def delays(self) -> list[float]:
        """Milliseconds of source heard when each unit settled (computation-unaware)."""
        return [heard / SAMPLES_PER_MS for _, heard, _ in self.units()]

    def elapsed(self) -> list[float]:
        """Milliseconds on the session's clock when each unit settled (computation-aware)."""
        return [seconds * 1000 for _, _, seconds in self.units()]

    def instance(self, index: int | str = 0, reference: str | None = None) -> Instance:
        """The stream as `latency_metrics` reads it."""
        return instance_of(
            index, self.text, reference, self.delays(), self.elapsed(), self.heard / SAMPLES_PER_MS
        )

    def segment_instances(self) -> list[Instance]:
        """Each complete segment that holds text as `latency_metrics` reads it, with times from its own beginning."""
        found, first = [], 0
        for segment, last in zip(self._transcript.segments, self._borders, strict=True):
            units, first = self.units(first, last), last
            if not units:
                continue
            start = segment.start / SAMPLES_PER_MS
            instance = instance_of(
                segment.segment,
                " ".join(unit for unit, _, _ in units),
                None,
                [heard / SAMPLES_PER_MS - start for _, heard, _ in units],
                [seconds * 1000 - start for _, _, seconds in units],
                (segment.end - segment.start) / SAMPLES_PER_MS,
            )
            rest = self.heard / SAMPLES_PER_MS - start
            found.append(replace(instance, time_to_recording_end=rest, reference_length=len(units)))
        return found


def instance_of(
    index: int | str,
    text: str,
    reference: str | None,
    delays: list[float],
    elapsed: list[float],
    length: float,
) -> Instance:
    """A stream as `latency_metrics` reads it; times in ms. The session's clock already is the queueing one."""
    from latency_metrics.base import Instance

    return Instance(
        index=index,
        prediction=text,
        reference=reference,
        delays=delays,
        elapsed=elapsed,
        queued=elapsed,
        source_length=length,
    )


class LogFolder(Closing):
    """A folder of logs: `instances.log` in SimulEval's format and `events/NAME.jsonl` per stream.

    `elapsed` in `instances.log` is the moment a unit was put out when speech arrives live and computing waits
    for it, the queueing recursion of `latency_metrics.clocks.queue`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = make_folder(path)
        self._events = make_folder(self.path / "events")
        self._instances = create(self.path / "instances.log")
        self._names: set[str] = set()

    def events(self, name: str) -> TextIO:
        """A new event log for the stream `name`."""
        return create(self._events / f"{unique_name(safe_name(name), self._names)}.jsonl")

    def instance(self, instance: Instance, source: str) -> None:
        """Add a line to `instances.log`."""
        from latency_metrics.formats.simuleval import instance_record

        self._instances.write(json_line(instance_record(instance, source)))

    def close(self) -> None:
        """Finish `instances.log`; closing twice does no harm."""
        self._instances.close()
