"""How many live streams a worker holds: the engine, and three ways it is compared with, on one model in one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from latency_metrics.quantiles import quantiles
from simul.audio.files import FileSource
from simul.audio.intake import to_samples
from simul.clock import MeteredClock
from simul.engine import Decided, Ladder, MeasuredAdmission, StreamEngine
from simul.errors import UsageError
from simul.evaluation.capacity.queues import IN_TIME, arrivals, one_by_one, share_in_time, sharing
from simul.evaluation.capacity.service import WINDOW, ServiceReport, Talk, Way, first_come, serve
from simul.session.factory import SessionFactory
from simul.session.stream import SessionConfig
from simul.units import SAMPLE_RATE

OVER = 3
"""So many times what it holds are asked of the engine, to see what becomes of them."""
MORE = 6
"""Streams by whose memory that of one is measured."""
SHORTEST = 4.0
"""Seconds of audio that are needed at least."""


def resident() -> int | None:
    """Bytes of memory that the process holds; None where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    import resource

    return pages * resource.getpagesize()


@dataclass(frozen=True)
class CapacityMeasurement:
    """Measures one worker; can be sent to another process.

    paths: recordings that streams speak, over and over. seconds: how long each stream lasts.
    """

    factory: SessionFactory
    paths: tuple[str, ...]
    seconds: float = 20.0

    def __call__(self, worker: int = 0) -> dict[str, Any]:
        """What one worker holds, as plain values.

        Raises:
            UsageError: the recordings are too short.
        """
        before = resident()
        backend = self.factory.loaded.backend
        talk = self._talk()
        traces = self._traces(talk)
        model = None if before is None else (resident() or 0) - before
        memory = self._memory(talk)
        locked = most(lambda n: share_in_time(one_by_one(arrivals(traces, n, self._chunk)), self._chunk))
        copies = most(lambda n: share_in_time(sharing(arrivals(traces, n, self._chunk)), self._chunk))
        engine = most(lambda n: self._serve(talk, n).share, locked)
        window = most(lambda n: self._serve(talk, n, Way(WINDOW, skips=False), first_come).share, locked)
        return {
            "model": self.factory.loaded.description,
            "backend": backend.name,
            "seconds_per_decision": float(np.mean(np.concatenate([np.array(t) for t in traces]))),
            "streams": {"engine": engine, "window": window, "lock": locked, "copies": copies},
            "model_bytes": model,
            "stream_bytes": memory,
            "at_capacity": _row(self._serve(talk, max(1, engine))),
            "over_admitted": _row(self._over(talk, OVER * max(1, engine))),
            "over_laddered": _row(self._serve(talk, OVER * max(1, engine), ladder=Ladder())),
        }

    @property
    def _chunk(self) -> float:
        return to_samples(self.factory.stream.chunk_ms) / SAMPLE_RATE

    def _talk(self) -> Talk:
        options = self.factory.stream
        config = SessionConfig(options.source, options.target, to_samples(options.chunk_ms))
        found = [np.concatenate([*FileSource(path)]) for path in self.paths]
        recordings = [samples for samples in found if len(samples) >= SHORTEST * SAMPLE_RATE]
        if not recordings:
            raise UsageError(f"Give recordings of {SHORTEST:g} seconds or more; these are shorter.")
        return Talk(recordings, self.seconds, config)

    def _clock(self) -> MeteredClock:
        return MeteredClock(self.factory.loaded.backend.meter)

    def _engine(
        self,
        on_decision: Callable[[Decided], None],
        choose: Any = None,
        ladder: Ladder | None = None,
    ) -> StreamEngine:
        more = {} if choose is None else {"choose": choose}
        return StreamEngine(self.factory.loaded.backend, ladder=ladder, on_decision=on_decision, **more)

    def _traces(self, talk: Talk) -> list[list[float]]:
        """Seconds of computing of each decision, of a stream alone, for each recording; the last is that at the end."""
        found = []
        for number, recording in enumerate([talk.recordings[0], *talk.recordings]):
            clock = self._clock()
            engine = self._engine(lambda decided: None)
            stream = engine.open(self.factory.policy(), talk.config, clock.now())
            costs = []
            for chunk in [*Talk([recording], talk.seconds, talk.config).audio(0), None]:
                begun = clock.now()
                if chunk is None:
                    engine.end(stream, begun)
                else:
                    engine.push(stream, chunk, begun)
                while engine.ready:
                    engine.step(clock.now)
                costs.append(clock.now() - begun)
            if number:
                # The first one was for what a model does only once.
                found.append(costs)
        return found

    def _serve(
        self,
        talk: Talk,
        streams: int,
        way: Way | None = None,
        choose: Any = None,
        ladder: Ladder | None = None,
        before_closing: Callable[[], None] = lambda: None,
    ) -> ServiceReport:
        make = partial(self._engine, choose=choose, ladder=ladder)
        policy = self.factory.policy
        return serve(make, policy, talk, streams, self._clock(), way, before_closing=before_closing)

    def _over(self, talk: Talk, streams: int) -> ServiceReport:
        """Streams that come one after the other to an engine which knows its costs."""
        known = self._engine(lambda decided: None)
        clock = self._clock()
        serve(lambda on_decision: known, self.factory.policy, talk, 2, clock)

        def make(on_decision: Callable[[Decided], None]) -> StreamEngine:
            engine = StreamEngine(self.factory.loaded.backend, costs=known.costs, on_decision=on_decision)
            engine.meter.per_second = known.meter.per_second
            return engine

        return serve(make, self.factory.policy, talk, streams, clock, admission=MeasuredAdmission)

    def _memory(self, talk: Talk) -> int | None:
        """Bytes that a stream holds beside the model when all its audio is there: what `MORE` streams add."""
        held: list[int] = []
        for count in (1, 1 + MORE):
            seen: list[int] = []
            self._serve(talk, count, before_closing=lambda seen=seen: seen.append(resident() or 0))  # type: ignore[misc]
            held.append(max(seen))
        return max(0, held[1] - held[0]) // MORE if all(held) else None


def _row(report: ServiceReport) -> dict[str, Any]:
    return {
        "streams": report.streams,
        "in_time": round(report.share, 4),
        "wait_p95": round(quantiles(report.waits or [0.0], 0.95)[0], 3),
        "lost_samples": report.pushed - report.heard + report.skipped,
        "failed": report.failed,
        "refused": len(report.refusals),
        "refusal": report.refusals[0] if report.refusals else None,
    }


def most(share: Callable[[int], float], guess: int = 0, highest: int = 4096) -> int:
    """The most streams of which the share in time is `IN_TIME` or more, as far as more streams are never better."""
    low, high = 0, max(1, guess)
    while high <= highest and share(high) >= IN_TIME:
        low, high = high, high + max(1, high // 4)
    while high - low > 1:
        middle = (low + high) // 2
        if share(middle) >= IN_TIME:
            low = middle
        else:
            high = middle
    return low


def added_up(workers: Sequence[dict[str, Any]]) -> dict[str, int]:
    """What several workers hold together."""
    ways = workers[0]["streams"]
    return {way: sum(worker["streams"][way] for worker in workers) for way in ways}
