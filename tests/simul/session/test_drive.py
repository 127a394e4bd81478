"""The loop over a source: when pieces are heard, what is behind, stopping, failures of source and session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from policies import LocalAgreement
from policies.base import Candidate
from simul.backends.scripted import Pass, ScriptedBackend, ScriptedSegment
from simul.clock import VirtualClock
from simul.errors import AudioError
from simul.session import Session, SessionConfig
from simul.session.drive import Step, drive
from tests.policies.scripts import CHUNK

SECONDS = CHUNK / 16_000
TALK = (ScriptedSegment(0, 20 * CHUNK, tuple(Pass(k * CHUNK, Candidate((" a",) * k)) for k in range(1, 21))),)


def pieces(count: int, fail_after: int | None = None) -> Iterator[np.ndarray]:
    for number in range(count):
        if number == fail_after:
            raise AudioError("the file is damaged")
        yield np.zeros(CHUNK, np.float32)


def made(clock: VirtualClock, seconds_per_pass: float = 0.0) -> Session:
    backend = ScriptedBackend(TALK, on_decode=lambda _: clock.advance(seconds_per_pass))
    return Session(LocalAgreement(2), backend, clock, SessionConfig(chunk=CHUNK))


def late(steps: list[Step]) -> list[int]:
    return [event.decisions for step in steps for event in step.events if event.type == "late"]  # type: ignore[attr-defined]


def test_every_piece_is_heard_when_it_is_spoken_on_a_clock_that_does_not_begin_at_nought() -> None:
    clock = VirtualClock(1000.0)
    steps = list(drive(pieces(3), made(clock, 0.2), clock))
    assert [step.ready for step in steps] == pytest.approx([0.5, 1.0, 1.5, 1.7])
    assert [step.compute for step in steps] == pytest.approx([0.2] * 4)
    assert [step.behind for step in steps] == pytest.approx([0.2, 0.2, 0.2, 0.4])
    assert [step.arrived for step in steps] == [CHUNK, 2 * CHUNK, 3 * CHUNK, 3 * CHUNK]
    assert steps[-1].samples is None
    assert clock.now() == pytest.approx(1001.9)


def test_without_coalescing_every_chunk_is_decided_however_late() -> None:
    clock = VirtualClock()
    steps = list(drive(pieces(8), made(clock, 2.0), clock))
    assert len(steps) == 9
    assert late(steps) == []
    assert steps[-1].done == pytest.approx(0.5 + 9 * 2.0)
    lags = [e.seconds for step in steps for e in step.events if e.type == "lag"]  # type: ignore[attr-defined]
    # The first decision is not more than the limit behind; the ninth, at the end, has no new audio.
    assert lags == pytest.approx([0.5 + 2.0 * n - 0.5 * min(n, 8) for n in range(2, 10)])
    assert {e.type for step in steps for e in step.events} == {
        "start",
        "tail",
        "settled",
        "lag",
        "segment",
        "end",
    }


def test_late_streams_take_in_all_that_has_arrived_and_decide_once() -> None:
    clock = VirtualClock()
    steps = list(drive(pieces(13), made(clock, 2.0), clock, coalesce=True))
    heard = [len(step.samples) // CHUNK for step in steps if step.samples is not None]
    assert heard == [1, 4, 4, 4]
    assert late(steps) == [3, 3, 3]
    assert sum(heard) == 13
    assert steps[-1].behind < 4.1
    end = steps[-1].events[-1]
    assert (end.heard, end.late_decisions) == (13 * CHUNK, 9)  # type: ignore[attr-defined]


def test_a_live_source_gives_what_waits_and_its_lag_counts_what_waits() -> None:
    clock, waiting = VirtualClock(), [3 * CHUNK]

    def source() -> Iterator[np.ndarray]:
        for _ in range(4):
            waiting[0] = max(0, waiting[0] - CHUNK)
            yield np.zeros(CHUNK, np.float32)

    steps = list(drive(source(), made(clock), clock, live=True, coalesce=True, waiting=lambda: waiting[0]))
    heard = [len(step.samples) // CHUNK for step in steps if step.samples is not None]
    assert heard == [3, 1]
    waiting[0] = 6 * CHUNK
    first = next(
        drive(iter([np.zeros(CHUNK, np.float32)]), made(clock), clock, live=True, waiting=lambda: 5 * CHUNK)
    )
    assert [e.seconds for e in first.events if e.type == "lag"] == [pytest.approx(5 * SECONDS)]  # type: ignore[attr-defined]


def heard_in(steps: list[Step]) -> list[int]:
    """Chunks of each step, the end left out."""
    return [len(step.samples) // CHUNK for step in steps if step.samples is not None]


def test_two_pieces_that_are_due_are_both_taken_in() -> None:
    clock = VirtualClock()
    steps = list(drive(pieces(5), made(clock, 1.0), clock, coalesce=True))
    assert heard_in(steps) == [1, 2, 2]
    assert steps[-1].arrived == 5 * CHUNK


def test_a_live_source_is_not_piled_up_unasked_and_may_end_while_more_is_said_to_wait() -> None:
    for coalesce, heard in ((False, [1, 1]), (True, [2])):
        clock = VirtualClock()
        live = drive(pieces(2), made(clock), clock, live=True, coalesce=coalesce, waiting=lambda: 9 * CHUNK)
        assert heard_in(list(live)) == heard


def test_a_stop_is_noticed_while_waiting_and_what_was_heard_is_settled() -> None:
    class Napping(VirtualClock):
        naps: list[float]

        def sleep_until(self, t: float) -> None:
            self.naps = [*getattr(self, "naps", []), t - self.now()]
            super().sleep_until(t)

    clock = Napping()
    steps: list[Step] = []
    for step in drive(pieces(9), made(clock), clock, stopped=lambda: clock.now() >= 1.25):
        steps.append(step)
    assert max(clock.naps) <= 0.1 + 1e-9
    assert [step.arrived for step in steps] == [CHUNK, 2 * CHUNK, 2 * CHUNK]
    assert clock.now() < 1.5
    assert steps[-1].events[-1].type == "end"


def test_a_source_that_fails_is_told_after_what_was_heard_is_settled() -> None:
    clock, steps = VirtualClock(), list[Step]()
    for coalesce in (False, True):
        steps.clear()
        with pytest.raises(AudioError, match="damaged"):
            steps.extend(drive(pieces(9, 3), made(clock), clock, coalesce=coalesce))
        kinds = [event.type for step in steps for event in step.events]
        assert kinds[-2:] == ["error", "end"]
        assert steps[-1].events[-2].message == "the file is damaged"  # type: ignore[attr-defined]
        assert steps[-1].events[-1].heard == 3 * CHUNK  # type: ignore[attr-defined]
        text = "".join(e.text for s in steps for e in s.events if e.type == "settled")  # type: ignore[attr-defined]
        assert text == "a" + " a" * 19


def test_a_session_that_fails_gives_its_last_events_and_then_what_was_raised() -> None:
    class Broken(ScriptedBackend):
        def decode(self, requests: Any) -> Any:
            if requests[0].until > 2 * CHUNK:
                raise RuntimeError("no memory left")
            return super().decode(requests)

    clock, steps = VirtualClock(), list[Step]()
    backend = Broken(TALK)
    session = Session(LocalAgreement(2), backend, clock, SessionConfig(chunk=CHUNK))
    with pytest.raises(RuntimeError, match="no memory left"):
        steps.extend(drive(pieces(9), session, clock))
    kinds = [event.type for step in steps for event in step.events]
    assert kinds.count("error") == kinds.count("end") == 1
    assert "settled" in kinds
    assert backend.streams == ()
    assert steps[-1].samples is None
