"""One recording on an engine: when its decisions are to be out, what it passes over, and what it takes along."""

from __future__ import annotations

import numpy as np
import pytest

from policies import LocalAgreement
from simul.backends.scripted import ScriptedBackend
from simul.engine.inbox import Inbox
from simul.engine.recording import BEHIND, SPARING, OpenRecording
from simul.engine.terms import Terms
from simul.session import SessionConfig
from simul.session.streams import Streams
from tests.policies.scripts import CHUNK
from tests.simul.session.test_session import TALK

CONFIG = SessionConfig(chunk=CHUNK)
HALF = CHUNK / 16_000
OPENED = 100.0


def recording(chunks: int, live: bool = True, slack: float = 0.125) -> OpenRecording:
    """A recording that was opened at 100 s, of which so many chunks came in real time."""
    streams = Streams.begin(LocalAgreement(2), ScriptedBackend(TALK), CONFIG, ())
    one = OpenRecording(7, Terms(live=live, slack=slack), CHUNK, OPENED, Inbox(CHUNK), streams)
    for k in range(1, chunks + 1):
        one.inbox.push(np.zeros(CHUNK, np.float32), k * HALF)
    return one


def test_a_decision_is_to_be_out_a_chunk_and_its_slack_after_its_audio_was_there() -> None:
    one = recording(3)
    assert (one.patience(1), one.patience(2)) == (HALF + 0.125, 2 * HALF + 0.125)
    assert (one.ready(1), one.ready(2), one.ready(4)) == (OPENED + HALF, OPENED + 2 * HALF, None)
    assert one.next_deadline(OPENED + HALF, 1, OPENED + HALF) == OPENED + 2 * HALF + 0.125


def test_a_decision_that_comes_too_late_is_put_off_to_the_newest_audio_of_what_is_live() -> None:
    deadline, newest = OPENED + 2 * HALF + 0.125, OPENED + 4 * HALF + 0.125
    for live, now, wanted in (
        (True, deadline, deadline),
        (True, deadline + 0.01, newest),
        (False, deadline + 0.01, deadline),
    ):
        assert recording(3, live).next_deadline(OPENED + HALF, 1, now) == wanted
    assert recording(0).next_deadline(OPENED + HALF, 1, deadline + 1) == deadline, (
        "nothing is there to put off"
    )


@pytest.mark.parametrize(
    ("live", "now", "stride", "taken", "passed", "late"),
    [
        (True, 2 * HALF + 0.125, 1, 1, 0, 0),
        (True, 2 * HALF + 0.25, 1, 3, 2, 2),
        (True, 2 * HALF, 2, 2, 1, 0),
        (False, 60.0, 1, 1, 0, 0),
    ],
)
def test_what_is_live_passes_over_what_would_come_too_late_and_says_why(
    live: bool, now: float, stride: int, taken: int, passed: int, late: int
) -> None:
    one = recording(3, live)
    portion = one.take(OPENED + now, stride)
    assert (len(portion.samples), portion.passed_over, one.passed_over) == (taken * CHUNK, passed, late)
    assert (one.begun, one.deadline) == (taken * HALF, taken * HALF + one.patience(stride))
    assert (one.deciding, one.final, one.busy) == (True, False, True)
    told = [event for event in one.streams.events() if event.type == "late"]
    reasons = [(event.decisions, event.heard, event.reason, event.time) for event in told]  # type: ignore[attr-defined]
    assert reasons == [(passed, taken * CHUNK, BEHIND if late else SPARING, now)] * bool(passed)


def test_a_decision_that_is_out_says_when_its_audio_was_there_and_whether_it_was_in_time() -> None:
    one = recording(1)
    one.take(OPENED + HALF, 1)
    decided = one.decided(OPENED + HALF + one.patience(1))
    assert (decided.number, decided.ready, decided.passed_over) == (7, OPENED + HALF, 0)
    assert decided.deadline == decided.done == OPENED + HALF + one.patience(1)
    assert (decided.in_time, one.deciding) == (True, False)
    assert not one.decided(decided.done + 0.001).in_time


def test_audio_that_came_late_arrived_when_it_came() -> None:
    one = recording(0)
    one.inbox.push(np.zeros(CHUNK, np.float32), 3.0)
    one.take(OPENED + 3.0, 1)
    assert one.arrived() == 3.0


def test_a_recording_takes_all_that_is_its_own_along() -> None:
    one, other = recording(2), recording(0)
    one.inbox.push(np.zeros(10, np.float32), 2 * HALF + 0.25)
    one.inbox.end(3 * HALF)
    one.take(OPENED + 60.0, 1)
    one.error = "The line is dead."
    dumped = one.dump(OPENED + 60.0)
    assert dumped["time"] == 60.0
    other.load(dumped)
    for name in ("shift", "deadline", "begun", "passed_over", "deciding", "final", "error"):
        assert getattr(other, name) == getattr(one, name) != getattr(recording(0), name), name
    assert (other.inbox.taken, other.inbox.ended, other.inbox.closed) == (2 * CHUNK + 10, 3 * HALF, True)
