"""A test double: replays candidates that a script gives for each amount of audio heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

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
class _Stream:
    received: int = 0
    ended: bool = False
    index: int = 0
    decoded_at: int = 0
    trimmed: int = 0


class ScriptedBackend(Backend):
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
        self.segments = tuple(segments)
        self.provides = provides
        self.limits = limits or Limits(LANGUAGES, LANGUAGES)
        self._on_decode = on_decode

    def open(self, spec: StreamSpec) -> _Stream:
        check_languages(self.name, self.limits, spec)
        return _Stream()

    def push(self, handle: _Stream, samples: Samples) -> None:
        handle.received += len(samples)

    def end(self, handle: _Stream) -> None:
        handle.ended = True

    def _segment(self, handle: _Stream) -> ScriptedSegment | None:
        return self.segments[handle.index] if handle.index < len(self.segments) else None

    def _more(self, handle: _Stream) -> bool:
        """Whether a segment after the current one begins within the audio received."""
        following = self.segments[handle.index + 1 :]
        return bool(following) and following[0].start < handle.received

    def _pass(self, handle: _Stream) -> Pass | None:
        segment = self._segment(handle)
        if segment is None:
            return None
        final = handle.received >= segment.end or handle.ended
        until = segment.end if final else handle.received
        done = [p for p in segment.passes if p.heard <= until]
        return done[-1] if done else None

    def view(self, handle: _Stream) -> SourceView:
        segment, current = self._segment(handle), self._pass(handle)
        start = segment.start if segment else handle.received
        final = handle.ended or (segment is not None and handle.received >= segment.end)
        return SourceView(
            heard=handle.received,
            new=handle.received - handle.decoded_at,
            segment_start=start,
            segment_final=final,
            finished=handle.ended and not self._more(handle),
            units=current.units if current else {},
            activity=current.activity if current else None,
        )

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        if self._on_decode is not None:
            self._on_decode(len(requests))
        return [self._replay(request) for request in requests]

    def _replay(self, request: DecodeRequest) -> Candidate:
        handle: _Stream = request.handle
        handle.decoded_at = handle.received
        current = self._pass(handle)
        if current is None:
            return Candidate(())
        skip = _forgotten(current.candidate, handle.trimmed) + len(request.prefix)
        stop = len(current.candidate.tokens)
        if request.max_new_tokens is not None:
            stop = min(stop, skip + request.max_new_tokens)
        return part(current.candidate, skip, stop)

    def next_segment(self, handle: _Stream) -> None:
        segment = self._segment(handle)
        if segment is not None:
            handle.decoded_at = min(handle.received, segment.end)
            handle.index += 1

    def segment_kind(self, handle: _Stream) -> str:
        return "end" if handle.ended and not self._more(handle) else "pause"

    def trim(self, handle: _Stream, before: int) -> None:
        handle.trimmed = max(handle.trimmed, before)

    def close(self, handle: _Stream) -> None:
        handle.ended = True


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
