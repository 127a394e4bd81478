"""Replay: a backend that shows a trace to other policies than the one it was recorded with.

What a pass finds depends on the audio and on the prefix that is forced. A policy that commits what the recorded one
had committed is shown the recorded candidate; one that leaves the recorded prefix is flagged, and the model is
asked, if there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from policies.base import Activity, Candidate, SourceView
from simul.backends.base import Backend, DecodeRequest, StreamSpec
from simul.backends.scripted import part
from simul.clock import VirtualClock
from simul.evaluation.trace.meter import Meter
from simul.evaluation.trace.trace import Moment, RecordedPass, Trace, TraceError
from simul.units import Samples


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
class Replay:
    """One stream: how far it is, and its number at the model that may be asked."""

    live: int | None
    pushed: int = 0
    heard: int = 0
    segment: int = 0
    closing: bool = False
    ended: bool = False
    place: int = 0
    decoded: float = 0.0
    voiced: float = 0.0
    trimmed: int = 0
    passes: int = 0


class TraceBackend(Backend[Replay]):
    """Replays a trace; passes that it does not hold are flagged in `departures`.

    live: the backend that was recorded, which is then asked for those passes and whose answers join the trace.
    Without it the recorded hypothesis is continued where the recorded prefix begins the forced one. On a virtual
    clock, everything takes the recorded time. unsure: whether `live` was asked to go on with a text whose audio is cut
    in part; what it answers may rest on its passes before, some of which the trace answered.
    """

    name: ClassVar[str] = "trace"

    def __init__(
        self, trace: Trace, live: Backend[Any] | None = None, clock: VirtualClock | None = None
    ) -> None:
        super().__init__(trace.provides, trace.limits)
        self.trace, self._live = trace, live
        self._meter = Meter(clock) if live is None else Meter(clock, live.meter)
        self.departures: list[Departure] = []
        self.unsure = False

    def _start(self, spec: StreamSpec) -> Replay:
        if (spec.source, spec.target) != (self.trace.source, self.trace.target):
            raise TraceError(
                f"The trace is of {self.trace.source!r} into {self.trace.target!r}, not of {spec.source!r} into "
                f"{spec.target!r}; record one for these languages."
            )
        return Replay(None if self._live is None else self._live.open(spec))

    def _stop(self, state: Replay) -> None:
        if self._live is not None and state.live is not None:
            self._live.release(state.live)

    def push(self, stream: int, samples: Samples) -> None:
        state = self.state(stream)
        state.pushed += len(samples)
        if self._live is not None and state.live is not None:
            self._live.push(state.live, samples)

    def end(self, stream: int) -> None:
        state = self.state(stream)
        state.closing = True
        if self._live is not None and state.live is not None:
            self._live.end(state.live)

    def advance(self, streams: Sequence[int]) -> None:
        for state in map(self.state, streams):
            state.heard, state.ended = state.pushed, state.closing
            if self._live is not None and state.live is not None:
                self._live.advance([state.live])
            if state.heard > self.trace.heard:
                raise TraceError(
                    f"The trace ends after {self.trace.heard} samples, but more audio came; it is of another "
                    "recording."
                )
            self._pass_time(state)

    def _pass_time(self, state: Replay) -> None:
        """Let the time pass that the recorded audio up to here took."""
        moments = self.trace.moments
        while state.place < len(moments):
            moment = moments[state.place]
            if moment.view.heard > state.heard or (moment.ended and not state.ended):
                return
            self._meter.spend(moment.compute)
            state.place += 1

    def _moment(self, state: Replay) -> Moment | None:
        """The last moment of the current segment that has been reached."""
        moments = self.trace.moments
        for place in range(state.place - 1, -1, -1):
            if moments[place].segment <= state.segment:
                return moments[place]
        return None

    def view(self, stream: int) -> SourceView:
        state = self.state(stream)
        moment = self._moment(state)
        if moment is None:
            closed_by = "end" if state.ended else ""
            return SourceView(
                state.heard, state.heard, finished=state.ended, segment_final=state.ended, closed_by=closed_by
            )
        view, activity = moment.view, moment.view.activity
        new = max(0, round(moment.until - state.decoded))
        if activity is not None:
            ratio = min(1.0, max(0.0, moment.voiced - state.voiced) / new) if new else 0.0
            activity = Activity(activity.silence, ratio)
        return replace(
            view,
            heard=state.heard,
            new=new,
            segment_start=max(view.segment_start, state.trimmed) if self.trace.moves else view.segment_start,
            activity=activity,
            closed_by=self.trace.kinds.get(state.segment, "end") if view.segment_final else "",
        )

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        return [self._decode(request) for request in requests]

    def _decode(self, request: DecodeRequest) -> Candidate:
        state = self.state(request.stream)
        state.passes += 1
        moment = self._moment(state)
        if moment is not None:
            state.decoded, state.voiced = moment.until, moment.voiced
        found = self.trace.find(state.segment, state.trimmed, request)
        if found is not None:
            self._meter.spend(found.compute)
            return found.candidate
        others = self.trace.at(state.segment, request.until, request.final)
        reason = "another prefix was recorded" if others else f"nothing was recorded at {request.until}"
        place = (state.passes, state.segment, request.until)
        self.departures.append(Departure(*place, reason, self._live is not None))
        if self._live is None or state.live is None:
            return self._continued(request, others)
        self._meter.start()
        candidate = self._live.decode([replace(request, stream=state.live)])[0]
        recorded = RecordedPass.of(state.segment, state.trimmed, request, candidate, self._meter.stop())
        self.trace.add(recorded)
        self.unsure = self.unsure or bool(state.trimmed and request.prefix)
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

    def next_segment(self, stream: int) -> None:
        state = self.state(stream)
        if self._live is not None and state.live is not None:
            self._live.next_segment(state.live)
        state.segment, state.trimmed = state.segment + 1, 0

    def trim(self, stream: int, before: int) -> None:
        state = self.state(stream)
        state.trimmed = before
        if self._live is not None and state.live is not None:
            self._live.trim(state.live, before)
