"""A trace: the views and passes of one stream, found again by what was asked, and as a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from policies.base import Candidate, Need, SourceView, StopRule
from simul.backends.base import DecodeRequest, Limits
from simul.errors import SimulError
from simul.evaluation.trace.format import (
    candidate_from_json,
    candidate_to_json,
    stop_from_json,
    stop_to_json,
)
from simul.files import create
from simul.session.values import view_from_json, view_to_json

VERSION = 3
READABLE = (2, 3)
"""Versions that can be read; before 3, views held no recognised words."""


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

    moves: when audio is forgotten, the backend shows the segment as beginning later. kinds: what closed each
    segment. model: what was recorded, in the words of whoever recorded it.
    """

    backend: str
    provides: frozenset[Need]
    limits: Limits
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

    def keep(self, count: int) -> None:
        """Forget all passes but the first `count`."""
        kept, self.passes, self._index = self.passes[:count], [], {}
        for recorded in kept:
            self.add(recorded)

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
            "trims": limits.trims,
            "moves": self.moves,
            "model": self.model,
            "source": self.source,
            "target": self.target,
            "kinds": {str(segment): kind for segment, kind in self.kinds.items()},
        }
        for moment in self.moments:
            view = replace(moment.view, closed_by="")
            yield {"type": "moment", **vars(moment), "view": view_to_json(view)}
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
            if head.pop("type") != "trace" or head.pop("version") not in READABLE:
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
            Limits(sources, targets, head["soft_window"], head["hard_window"], head["trims"]),
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
