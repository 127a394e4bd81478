"""How many streams a machine holds: queues against what can be worked out by hand, and an engine on a metered clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import LocalAgreement
from simul.backends.scripted import ScriptedBackend
from simul.clock import VirtualClock
from simul.engine import Decided, MeasuredAdmission, StreamEngine
from simul.evaluation.capacity.measure import most
from simul.evaluation.capacity.queues import Arrival, arrivals, one_by_one, share_in_time, sharing
from simul.evaluation.capacity.service import ServiceReport, Talk, Way, first_come, serve
from simul.session.stream import SessionConfig
from tests.policies.scripts import CHUNK
from tests.simul.session.test_session import TALK

CONFIG = SessionConfig(chunk=CHUNK)


def test_decisions_one_by_one_wait_for_those_before_them() -> None:
    chunks = [Arrival(0.0, 0, 1.0), Arrival(0.5, 1, 1.0), Arrival(5.0, 0, 1.0)]
    assert one_by_one(chunks) == [1.0, 1.5, 1.0]


def test_decisions_that_share_a_processor_slow_each_other_down() -> None:
    chunks = [Arrival(0.0, 0, 1.0), Arrival(0.0, 1, 1.0), Arrival(0.5, 0, 1.0)]
    # Both streams have half of the processor until 2 s, and the third decision has it alone from then on.
    assert sharing(chunks) == pytest.approx([2.0, 2.0, 2.5])
    assert share_in_time(sharing(chunks), 2.2) == pytest.approx(2 / 3)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 3), st.floats(0.01, 1)), max_size=20))
def test_both_ways_compute_the_same_work(rows: list[tuple[float, int, float]]) -> None:
    chunks = [Arrival(*row) for row in sorted(rows)]
    ends = [
        max((each.at + wait for each, wait in zip(chunks, way(chunks), strict=True)), default=0.0)
        for way in (one_by_one, sharing)
    ]
    assert ends[0] == pytest.approx(ends[1])


def test_streams_begin_one_after_the_other() -> None:
    found = arrivals([[0.1, 0.2, 0.3], [0.4, 0.5]], 2, 1.0)
    rows = [(each.at, each.stream, each.cost) for each in found]
    # The end comes with the last chunk.
    assert rows == [(1.0, 0, 0.1), (1.5, 1, 0.4), (1.5, 1, 0.5), (2.0, 0, 0.2), (2.0, 0, 0.3)]


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_most_streams_are_found_from_any_guess(limit: int, guess: int) -> None:
    asked: list[int] = []

    def share(streams: int) -> float:
        asked.append(streams)
        return 1.0 if streams <= limit else 0.5

    assert most(share, guess) == limit
    assert len(asked) < 40


def service(
    streams: int,
    each: float,
    way: Way | None = None,
    admission: Callable[[StreamEngine], Any] | None = None,
    **more: Any,
) -> ServiceReport:
    """Streams of ten seconds where a pass takes 20 ms and `each` for every stream."""
    clock = VirtualClock()
    backend = ScriptedBackend(TALK, on_decode=lambda size: clock.advance(0.02 + each * size))
    talk = Talk([np.zeros(9 * CHUNK + 17, np.float32)], 10.0, CONFIG)

    def make(on_decision: Callable[[Decided], None]) -> StreamEngine:
        engine = StreamEngine(backend, on_decision=on_decision, **more)
        engine.meter.per_second = 0.2
        return engine

    report = serve(make, lambda: LocalAgreement(2), talk, streams, clock, way, admission)
    assert backend.streams == ()
    return report


def test_streams_that_the_device_can_serve_are_in_time_and_nothing_is_lost() -> None:
    report = service(6, 0.01)
    assert report.share == 1.0
    assert report.heard == report.pushed == 6 * 20 * CHUNK
    assert (report.skipped, report.failed, report.refusals) == (0, 0, [])
    # Twenty chunks, and the end.
    assert report.decisions == 6 * 21


def test_too_many_streams_are_late_but_nothing_is_lost() -> None:
    report = service(30, 0.06)
    assert report.share < 0.9
    assert report.heard == report.pushed == 30 * 20 * CHUNK
    assert report.decisions == 30 * 21


def test_streams_for_which_there_is_no_room_are_refused_and_the_others_served() -> None:
    report = service(12, 0.01, admission=MeasuredAdmission)
    assert report.streams == 3
    assert len(report.refusals) == 9
    assert report.heard == report.pushed == 3 * 20 * CHUNK


def test_first_come_batches_wait_for_others_within_their_window() -> None:
    together = service(4, 0.01, Way(0.05, skips=False), choose=first_come)
    apart = service(4, 0.01, Way(0.0, skips=False), choose=first_come)
    assert together.heard == apart.heard == together.pushed
    assert np.mean(together.waits) > np.mean(apart.waits)
