"""A test double: replays candidates that a script gives for each amount of audio heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from policies.base import Activity, Candidate, Need, Segment, SourceView
from simul.backends.base import Backend, DecodeRequest, Limits, StreamSpec, check_languages
from simul.units import Samples

LANGUAGES = frozenset({"en", "de", "es", "fr"})


@dataclass(frozen=True)
class Pass:
    """From stream sample `heard` on, the full hypothesis of the current segment is `candidate`.

    The tokens are those of the whole segment from its first token on; the committed prefix is taken off when
    the pass is replayed. `units` and `activity` are shown to the policy before it plans.
    """

    heard: int
    candidate: Candidate
    units: dict[str, int] = field(default_factory=dict)
    activity: Activity | None = None


@dataclass(frozen=True)
class ScriptedSegment:
    """One segment: it starts and ends at stream samples, and its passes are ordered by `heard`.

    The pass at or before `end` with the largest `heard` is the final one.
    """

    start: int
    end: int
    passes: tuple[Pass, ...]


@dataclass
class ScriptedState:
    """Samples pushed and advanced to, the segment, the last pass and the last trimming."""

    pushed: int = 0
    received: int = 0
    closing: bool = False
    ended: bool = False
    index: int = 0
    decoded_at: int = 0
    trimmed: int = 0


class ScriptedBackend(Backend[ScriptedState]):
    """Replays `segments`; after the last, the audio holds nothing.

    A candidate continues the forced prefix as a model does: the hypothesis's first tokens, as many as are
    forced, are taken off. Tokens whose audio has been trimmed are gone from later hypotheses. `on_decode` is
    called with each batch size, so that a test can let time pass or count passes.
    """

    name: ClassVar[str] = "scripted"

    def __init__(
        self,
        segments: Sequence[ScriptedSegment],
        provides: frozenset[Need] = frozenset(Need),
        on_decode: Callable[[int], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(provides, limits or Limits(LANGUAGES, LANGUAGES, trims=True, exports=True))
        self.segments = tuple(segments)
        self._on_decode = on_decode

    def _start(self, spec: StreamSpec) -> ScriptedState:
        check_languages(self.name, self.limits, spec)
        return ScriptedState()

    def push(self, stream: int, samples: Samples) -> None:
        self.state(stream).pushed += len(samples)

    def end(self, stream: int) -> None:
        self.state(stream).closing = True

    def advance(self, streams: Sequence[int]) -> None:
        for state in map(self.state, streams):
            state.received, state.ended = state.pushed, state.closing

    def segments_of(self, state: ScriptedState) -> tuple[ScriptedSegment, ...]:
        """The segments of a stream."""
        return self.segments

    def _segment(self, state: ScriptedState) -> ScriptedSegment | None:
        script = self.segments_of(state)
        return script[state.index] if state.index < len(script) else None

    def _pass(self, state: ScriptedState, heard: int, final: bool) -> Pass | None:
        segment = self._segment(state)
        if segment is None:
            return None
        until = segment.end if final else heard
        done = [p for p in segment.passes if p.heard <= until]
        return done[-1] if done else None

    def view(self, stream: int) -> SourceView:
        state = self.state(stream)
        segment, received = self._segment(state), state.received
        final = state.ended or (segment is not None and received >= segment.end)
        current = self._pass(state, received, final)
        following = self.segments_of(state)[state.index + 1 :]
        more = bool(following) and following[0].start < received
        last = state.ended and not more
        return SourceView(
            heard=received,
            new=received - state.decoded_at,
            segment_start=segment.start if segment else received,
            segment_final=final,
            finished=last,
            units=current.units if current else {},
            activity=current.activity if current else None,
            closed_by=("end" if last else "pause") if final else "",
        )

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        if self._on_decode is not None:
            self._on_decode(len(requests))
        return [self._replay(request) for request in requests]

    def _replay(self, request: DecodeRequest) -> Candidate:
        state = self.state(request.stream)
        state.decoded_at = request.until
        current = self._pass(state, request.until, request.final)
        if current is None:
            return Candidate(())
        skip = _forgotten(current.candidate, state.trimmed) + len(request.prefix)
        stop = len(current.candidate.tokens)
        if request.max_new_tokens is not None:
            stop = min(stop, skip + request.max_new_tokens)
        return part(current.candidate, skip, stop)

    def next_segment(self, stream: int) -> None:
        state = self.state(stream)
        segment = self._segment(state)
        if segment is not None:
            state.decoded_at = min(state.received, segment.end)
            state.index += 1

    def trim(self, stream: int, before: int) -> None:
        state = self.state(stream)
        state.trimmed = max(state.trimmed, before)

    def export_state(self, stream: int) -> dict[str, int | bool]:
        return vars(self.state(stream)).copy()

    def import_state(self, exported: Mapping[str, Any], beside: int | None = None) -> int:
        return self._admit(ScriptedState(**exported))


def _forgotten(candidate: Candidate, trimmed: int) -> int:
    """How many of the first tokens rest on audio before `trimmed` alone."""
    times = candidate.times
    if times is None or not trimmed:
        return 0
    heard = np.flatnonzero(times[:, 1] > trimmed)
    return int(heard[0]) if len(heard) else len(candidate.tokens)


def part(whole: Candidate, start: int, stop: int) -> Candidate:
    """The candidate's tokens from `start` to `stop` with the evidence that belongs to them."""
    part = slice(start, stop)
    alignment = whole.alignment
    return replace(
        whole,
        tokens=whole.tokens[part],
        ids=whole.ids[part],
        logprobs=None if whole.logprobs is None else whole.logprobs[part],
        spans=None if whole.spans is None else whole.spans[part],
        segments=None if whole.segments is None else _segments(whole.segments, start, stop),
        alignment=None if alignment is None else replace(alignment, weights=alignment.weights[part]),
        beams=tuple(beam[part] for beam in whole.beams),
        committable=None if whole.committable is None else max(0, whole.committable - start),
        ended=whole.ended and stop >= len(whole.tokens),
    )


def _segments(segments: Sequence[Segment], start: int, stop: int) -> tuple[Segment, ...]:
    """The segments that hold tokens from `start` to `stop`, with as many tokens as lie there."""
    parts, begin = [], 0
    for segment in segments:
        end = begin + segment.tokens
        inside = min(end, stop) - max(begin, start)
        if inside > 0:
            parts.append(replace(segment, tokens=inside))
        begin = end
    return tuple(parts)
