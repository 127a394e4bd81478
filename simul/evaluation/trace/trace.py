"""Traces of evidence: a backend that writes down every view and pass, and one that replays them to other policies.

What a pass finds depends on the audio and on the prefix that is forced. A policy that commits what the recorded one
had committed is shown the recorded candidate; one that leaves the recorded prefix is flagged, and the model is
asked, if there is one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, ClassVar

from policies.base import Activity, Candidate, Need, SourceView, StopRule
from simul.backends.base import Backend, DecodeRequest, Limits, StreamSpec
from simul.backends.scripted import part
from simul.clock import VirtualClock
from simul.errors import SimulError
from simul.evaluation.records import create
from simul.evaluation.trace.format import (
    candidate_from_json,
    candidate_to_json,
    stop_from_json,
    stop_to_json,
    view_from_json,
    view_to_json,
)
from simul.evaluation.trace.meter import Meter
from simul.units import Samples

VERSION = 2


class TraceError(SimulError):
    """A trace is damaged, or does not hold what a policy asks for."""


@dataclass(frozen=True)
class Moment:
    """The source as it stood after a piece of audio, after the end, or at the beginning of a segment.

    view: as the backend gave it, with `segment_start` before any trimming. until, voiced: samples of the stream that
    a pass now would have covered, and how many of them were voiced, so that a policy that decodes at other moments
    sees its own `new` and `speech_ratio`. compute: seconds.
    """

    segment: int
    ended: bool
    view: SourceView
    until: float
    voiced: float
    compute: float = 0.0


@dataclass(frozen=True)
class RecordedPass:
    """One decoding pass: what was asked, what came, and the seconds it took.

    trimmed: the sample before which the segment's audio had been forgotten (0: none was).
    """

    segment: int
    heard: int
    final: bool
    trimmed: int
    prefix: tuple[str, ...]
    prefix_ids: tuple[int, ...]
    word_complete: bool
    context: str
    max_new_tokens: int | None
    stop: StopRule | None
    candidate: Candidate
    compute: float

    @classmethod
    def of(
        cls, segment: int, trimmed: int, request: DecodeRequest, candidate: Candidate, compute: float
    ) -> RecordedPass:
        """The record of a request and its answer."""
        view = request.view
        return cls(
            segment,
            view.heard,
            view.segment_final,
            trimmed,
            request.prefix,
            request.prefix_ids,
            request.word_complete,
            request.context,
            request.max_new_tokens,
            request.stop,
            candidate,
            compute,
        )

    def answers(self, trimmed: int, request: DecodeRequest) -> bool:
        """Whether this is the pass that `request` asks for. A final pass does not depend on when it comes."""
        view = request.view
        same_audio = (self.final or self.heard == view.heard) and self.trimmed == trimmed
        names = ("prefix", "prefix_ids", "word_complete", "context", "max_new_tokens", "stop")
        return same_audio and all(getattr(self, name) == getattr(request, name) for name in names)


@dataclass
class Trace:
    """The evidence of one stream: moments in order, and passes of any number of runs over the same audio.

    trims: the backend can forget audio; moves: it then shows the segment as beginning later. model: what was
    recorded, in the words of whoever recorded it.
    """

    backend: str
    provides: frozenset[Need]
    limits: Limits
    trims: bool
    source: str
    target: str
    moments: list[Moment] = field(default_factory=list)
    passes: list[RecordedPass] = field(default_factory=list)
    kinds: dict[int, str] = field(default_factory=dict)
    moves: bool = False
    model: str = ""
    _index: dict[tuple[int, int | None], list[RecordedPass]] = field(default_factory=dict, repr=False)

    def add(self, recorded: RecordedPass) -> None:
        """Take in a pass."""
        self.passes.append(recorded)
        key = (recorded.segment, None if recorded.final else recorded.heard)
        self._index.setdefault(key, []).append(recorded)

    def find(self, segment: int, trimmed: int, request: DecodeRequest) -> RecordedPass | None:
        """The pass that `request` asks for, the segment's audio before `trimmed` being forgotten."""
        key = (segment, None if request.view.segment_final else request.view.heard)
        return next((p for p in self._index.get(key, ()) if p.answers(trimmed, request)), None)

    def at(self, segment: int, heard: int, final: bool) -> list[RecordedPass]:
        """All passes over a segment's audio up to `heard`, whatever was forced."""
        return self._index.get((segment, None if final else heard), [])

    @property
    def heard(self) -> int:
        """Samples of the whole stream."""
        return self.moments[-1].view.heard if self.moments else 0

    @property
    def steps(self) -> list[int]:
        """Lengths in samples of the pieces of audio that were recorded."""
        heard = sorted({moment.view.heard for moment in self.moments} | {0})
        return [b - a for a, b in pairwise(heard)]

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the trace as JSON lines.

        Raises:
            SimulError: the file cannot be written.
        """
        with create(path) as file:
            for record in self._records():
                file.write(json.dumps(record) + "\n")

    def _records(self) -> Iterator[dict[str, Any]]:
        limits = self.limits
        yield {
            "type": "trace",
            "version": VERSION,
            "backend": self.backend,
            "provides": sorted(need.name for need in self.provides),
            "sources": sorted(limits.sources),
            "targets": sorted(limits.targets),
            "soft_window": limits.soft_window,
            "hard_window": limits.hard_window,
            "trims": self.trims,
            "moves": self.moves,
            "model": self.model,
            "source": self.source,
            "target": self.target,
            "kinds": {str(segment): kind for segment, kind in self.kinds.items()},
        }
        for moment in self.moments:
            yield {"type": "moment", **vars(moment), "view": view_to_json(moment.view)}
        for found in self.passes:
            candidate, stop = candidate_to_json(found.candidate), stop_to_json(found.stop)
            yield {"type": "pass", **vars(found), "candidate": candidate, "stop": stop}

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Trace:
        """The trace that `write` wrote.

        Raises:
            TraceError: the file cannot be read, or is none.
        """
        try:
            with open(path, encoding="utf-8") as file:
                head, *records = (json.loads(line) for line in file)
            if head.pop("type") != "trace" or head.pop("version") != VERSION:
                raise ValueError("it is no trace of this version")
            return cls._of(head, records)
        except OSError as error:
            raise TraceError(f"The trace {path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise TraceError(f"{path} is not a whole trace ({error}); record it again.") from error

    @classmethod
    def _of(cls, head: dict[str, Any], records: Sequence[dict[str, Any]]) -> Trace:
        sources, targets = frozenset(head["sources"]), frozenset(head["targets"])
        trace = cls(
            head["backend"],
            frozenset(Need[name] for name in head["provides"]),
            Limits(sources, targets, head["soft_window"], head["hard_window"]),
            head["trims"],
            head["source"],
            head["target"],
            kinds={int(segment): kind for segment, kind in head["kinds"].items()},
            moves=head["moves"],
            model=head["model"],
        )
        for record in records:
            kind = record.pop("type")
            if kind == "moment":
                trace.moments.append(Moment(**{**record, "view": view_from_json(record["view"])}))
                continue
            sequences = {name: tuple(record[name]) for name in ("prefix", "prefix_ids")}
            candidate, stop = candidate_from_json(record["candidate"]), stop_from_json(record["stop"])
            trace.add(RecordedPass(**{**record, **sequences, "candidate": candidate, "stop": stop}))
        return trace


@dataclass
class _Recording:
    inner: Any
    trace: Trace
    segment: int = 0
    ended: bool = False
    base: float = 0.0
    voiced: float = 0.0
    trimmed: int = 0
    start: int | None = None
    """Where the segment began, once its audio has been trimmed."""


class RecordingBackend(Backend):
    """Another backend, with every view and pass of its streams written into `traces`, one per stream.

    Make it with `recording`. On a virtual clock, computing takes the CPU time it takes.
    """

    name: ClassVar[str] = "recording"

    def __init__(self, inner: Backend, clock: VirtualClock | None = None) -> None:
        self.inner = inner
        self.provides, self.limits = inner.provides, inner.limits
        self.traces: list[Trace] = []
        self._meter = Meter(clock, inner.meter)

    def open(self, spec: StreamSpec) -> _Recording:
        trims = isinstance(self, _TrimmingRecorder)
        trace = Trace(self.inner.name, self.provides, self.limits, trims, spec.source, spec.target)
        self.traces.append(trace)
        return _Recording(self.inner.open(spec), trace)

    def push(self, handle: _Recording, samples: Samples) -> None:
        self._meter.start()
        self.inner.push(handle.inner, samples)
        self._note(handle)

    def end(self, handle: _Recording) -> None:
        self._meter.start()
        handle.ended = True
        self.inner.end(handle.inner)
        self._note(handle)

    def _note(self, handle: _Recording) -> None:
        """Write down the moment; the view belongs to the cost, since backends may compute for it."""
        view = self.inner.view(handle.inner)
        seconds = self._meter.stop()
        if handle.start is not None:
            view = replace(view, segment_start=handle.start)
        until, ratio = handle.base + view.new, view.activity.speech_ratio if view.activity else 0.0
        voiced = handle.voiced + ratio * view.new
        handle.trace.moments.append(Moment(handle.segment, handle.ended, view, until, voiced, seconds))

    def view(self, handle: _Recording) -> SourceView:
        return self.inner.view(handle.inner)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        found = []
        for request in requests:
            handle: _Recording = request.handle
            self._meter.start()
            candidate = self.inner.decode([replace(request, handle=handle.inner)])[0]
            handle.trace.add(
                RecordedPass.of(handle.segment, handle.trimmed, request, candidate, self._meter.stop())
            )
            last = handle.trace.moments[-1] if handle.trace.moments else None
            handle.base, handle.voiced = (0.0, 0.0) if last is None else (last.until, last.voiced)
            found.append(candidate)
        return found

    def next_segment(self, handle: _Recording) -> None:
        handle.trace.kinds[handle.segment] = self.segment_kind(handle)
        self._meter.start()
        self.inner.next_segment(handle.inner)
        handle.segment, handle.trimmed, handle.start = handle.segment + 1, 0, None
        self._note(handle)

    def segment_kind(self, handle: _Recording) -> str:
        return self.inner.segment_kind(handle.inner)

    def close(self, handle: _Recording) -> None:
        self.inner.close(handle.inner)


class _TrimmingRecorder(RecordingBackend):
    def trim(self, handle: _Recording, before: int) -> None:
        start = self.inner.view(handle.inner).segment_start
        handle.start, handle.trimmed = start if handle.start is None else handle.start, before
        self.inner.trim(handle.inner, before)
        handle.trace.moves |= self.inner.view(handle.inner).segment_start > start


def recording(inner: Backend, clock: VirtualClock | None = None) -> RecordingBackend:
    """`inner` with its evidence written down; it can be trimmed if `inner` can."""
    kind = _TrimmingRecorder if inner.can_trim else RecordingBackend
    return kind(inner, clock)


@dataclass(frozen=True)
class Departure:
    """A pass that the trace does not hold: number `number` of the stream, in `segment`, with `heard` samples heard.

    live: the model was asked. Otherwise the recorded hypothesis was continued, which is an approximation.
    """

    number: int
    segment: int
    heard: int
    reason: str
    live: bool

    def __str__(self) -> str:
        what = "the model was asked" if self.live else "the recorded hypothesis was continued"
        return f"the policy left the recorded prefix at pass {self.number} ({self.reason}); {what}"


@dataclass
class _Replay:
    live: Any
    heard: int = 0
    segment: int = 0
    ended: bool = False
    place: int = 0
    decoded: float = 0.0
    voiced: float = 0.0
    trimmed: int = 0
    passes: int = 0


class TraceBackend(Backend):
    """Replays a trace; passes that it does not hold are flagged in `departures`.

    live: the backend that was recorded, which is then asked for those passes and whose answers join the trace.
    Without it the recorded hypothesis is continued where the recorded prefix begins the forced one. On a virtual
    clock, everything takes the recorded time. Made by `replaying`.
    """

    name: ClassVar[str] = "trace"

    def __init__(self, trace: Trace, live: Backend | None = None, clock: VirtualClock | None = None) -> None:
        self.trace, self._live = trace, live
        self._meter = Meter(clock) if live is None else Meter(clock, live.meter)
        self.provides, self.limits = trace.provides, trace.limits
        self.departures: list[Departure] = []

    def open(self, spec: StreamSpec) -> _Replay:
        if (spec.source, spec.target) != (self.trace.source, self.trace.target):
            raise TraceError(
                f"The trace is of {self.trace.source!r} into {self.trace.target!r}, not of {spec.source!r} into "
                f"{spec.target!r}; record one for these languages."
            )
        return _Replay(None if self._live is None else self._live.open(spec))

    def push(self, handle: _Replay, samples: Samples) -> None:
        handle.heard += len(samples)
        if self._live is not None:
            self._live.push(handle.live, samples)
        if handle.heard > self.trace.heard:
            raise TraceError(
                f"The trace ends after {self.trace.heard} samples, but more audio came; it is of another recording."
            )
        self._pass_time(handle)

    def end(self, handle: _Replay) -> None:
        handle.ended = True
        if self._live is not None:
            self._live.end(handle.live)
        self._pass_time(handle)

    def _pass_time(self, handle: _Replay) -> None:
        """Let the time pass that the recorded audio up to here took."""
        moments = self.trace.moments
        while handle.place < len(moments):
            moment = moments[handle.place]
            if moment.view.heard > handle.heard or (moment.ended and not handle.ended):
                return
            self._meter.spend(moment.compute)
            handle.place += 1

    def _moment(self, handle: _Replay) -> Moment | None:
        """The last moment of the current segment that has been reached."""
        moments = self.trace.moments
        for place in range(handle.place - 1, -1, -1):
            if moments[place].segment <= handle.segment:
                return moments[place]
        return None

    def view(self, handle: _Replay) -> SourceView:
        moment = self._moment(handle)
        if moment is None:
            return SourceView(handle.heard, handle.heard, finished=handle.ended, segment_final=handle.ended)
        view, activity = moment.view, moment.view.activity
        new = max(0, round(moment.until - handle.decoded))
        if activity is not None:
            ratio = min(1.0, max(0.0, moment.voiced - handle.voiced) / new) if new else 0.0
            activity = Activity(activity.silence, ratio)
        start = max(view.segment_start, handle.trimmed) if self.trace.moves else view.segment_start
        return replace(view, heard=handle.heard, new=new, segment_start=start, activity=activity)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        return [self._decode(request) for request in requests]

    def _decode(self, request: DecodeRequest) -> Candidate:
        handle: _Replay = request.handle
        handle.passes += 1
        moment = self._moment(handle)
        if moment is not None:
            handle.decoded, handle.voiced = moment.until, moment.voiced
        found = self.trace.find(handle.segment, handle.trimmed, request)
        if found is not None:
            self._meter.spend(found.compute)
            return found.candidate
        others = self.trace.at(handle.segment, request.view.heard, request.view.segment_final)
        reason = "another prefix was recorded" if others else f"nothing was recorded at {request.view.heard}"
        place = (handle.passes, handle.segment, request.view.heard)
        self.departures.append(Departure(*place, reason, self._live is not None))
        if self._live is None:
            return self._continued(request, others)
        self._meter.start()
        candidate = self._live.decode([replace(request, handle=handle.live)])[0]
        self.trace.add(
            RecordedPass.of(handle.segment, handle.trimmed, request, candidate, self._meter.stop())
        )
        return candidate

    def _continued(self, request: DecodeRequest, others: Sequence[RecordedPass]) -> Candidate:
        """The recorded hypothesis after the forced prefix, from the pass that knows most of the prefix."""
        prefix = request.prefix
        usable = [p for p in others if p.prefix == prefix[: len(p.prefix)]]
        if not usable:
            raise TraceError(
                f"{self.departures[-1]}: that is not possible here; replay with the model as well."
            )
        best = max(usable, key=lambda p: len(p.prefix))
        self._meter.spend(best.compute)
        skip, count = len(prefix) - len(best.prefix), len(best.candidate.tokens)
        stop = count if request.max_new_tokens is None else min(count, skip + request.max_new_tokens)
        return part(best.candidate, min(skip, count), max(min(skip, count), stop))

    def next_segment(self, handle: _Replay) -> None:
        if self._live is not None:
            self._live.next_segment(handle.live)
        handle.segment, handle.trimmed = handle.segment + 1, 0

    def segment_kind(self, handle: _Replay) -> str:
        return self.trace.kinds.get(handle.segment, "end")

    def close(self, handle: _Replay) -> None:
        handle.ended = True
        if self._live is not None:
            self._live.close(handle.live)


class _TrimmingReplay(TraceBackend):
    def trim(self, handle: _Replay, before: int) -> None:
        handle.trimmed = before
        if self._live is not None:
            self._live.trim(handle.live, before)


def replaying(trace: Trace, live: Backend | None = None, clock: VirtualClock | None = None) -> TraceBackend:
    """A backend that replays `trace`; it can be trimmed if the recorded one could."""
    return (_TrimmingReplay if trace.trims else TraceBackend)(trace, live, clock)
