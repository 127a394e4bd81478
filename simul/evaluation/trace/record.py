"""Recording: a backend that writes down every view and pass of another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from policies.base import Candidate, SourceView
from simul.backends.base import Backend, DecodeRequest, StreamSpec
from simul.clock import VirtualClock
from simul.evaluation.trace.meter import Meter
from simul.evaluation.trace.trace import Moment, RecordedPass, Trace
from simul.units import Samples


@dataclass
class Recording:
    """One stream: its number at the backend that is recorded, and where in the trace it is.

    base, voiced: what the last pass covered. start: where the segment began, once its audio has been trimmed.
    """

    inner: int
    trace: Trace
    segment: int = 0
    ended: bool = False
    base: float = 0.0
    voiced: float = 0.0
    trimmed: int = 0
    start: int | None = None


class RecordingBackend(Backend[Recording]):
    """Another backend, with every view and pass of its streams written into `traces`, one per stream.

    On a virtual clock, computing takes the time it takes.
    """

    name: ClassVar[str] = "recording"

    def __init__(self, inner: Backend[Any], clock: VirtualClock | None = None) -> None:
        super().__init__(inner.provides, replace(inner.limits, exports=False))
        self.inner = inner
        self.traces: list[Trace] = []
        self._meter = Meter(clock, inner.meter)

    def _start(self, spec: StreamSpec) -> Recording:
        trace = Trace(self.inner.name, self.provides, self.limits, spec.source, spec.target)
        self.traces.append(trace)
        return Recording(self.inner.open(spec), trace)

    def _stop(self, state: Recording) -> None:
        self.inner.release(state.inner)

    def push(self, stream: int, samples: Samples) -> None:
        self.inner.push(self.state(stream).inner, samples)

    def end(self, stream: int) -> None:
        state = self.state(stream)
        state.ended = True
        self.inner.end(state.inner)

    def advance(self, streams: Sequence[int]) -> None:
        for state in map(self.state, streams):
            self._meter.start()
            self.inner.advance([state.inner])
            self._note(state)

    def _note(self, state: Recording) -> None:
        """Write down the moment."""
        view = self.inner.view(state.inner)
        seconds = self._meter.stop()
        if state.start is not None:
            view = replace(view, segment_start=state.start)
        until, ratio = state.base + view.new, view.activity.speech_ratio if view.activity else 0.0
        voiced = state.voiced + ratio * view.new
        state.trace.moments.append(Moment(state.segment, state.ended, view, until, voiced, seconds))

    def view(self, stream: int) -> SourceView:
        return self.inner.view(self.state(stream).inner)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        return [self._decode(request) for request in requests]

    def _decode(self, request: DecodeRequest) -> Candidate:
        state = self.state(request.stream)
        self._meter.start()
        candidate = self.inner.decode([replace(request, stream=state.inner)])[0]
        recorded = RecordedPass.of(state.segment, state.trimmed, request, candidate, self._meter.stop())
        state.trace.add(recorded)
        last = state.trace.moments[-1] if state.trace.moments else None
        state.base, state.voiced = (0.0, 0.0) if last is None else (last.until, last.voiced)
        return candidate

    def next_segment(self, stream: int) -> None:
        state = self.state(stream)
        state.trace.kinds[state.segment] = self.view(stream).closed_by
        self._meter.start()
        self.inner.next_segment(state.inner)
        state.segment, state.trimmed, state.start = state.segment + 1, 0, None
        self._note(state)

    def trim(self, stream: int, before: int) -> None:
        state = self.state(stream)
        start = self.view(stream).segment_start
        state.start, state.trimmed = start if state.start is None else state.start, before
        self.inner.trim(state.inner, before)
        state.trace.moves |= self.view(stream).segment_start > start
