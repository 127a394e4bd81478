"""A backend, its model or the policy that fails at any call harms neither settled text nor neighbours."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import make_policy
from simul.backends.base import Backend
from simul.clock import VirtualClock
from simul.errors import EvidenceError
from simul.session import Session, SessionConfig
from simul.session.events import Event
from simul.units import SAMPLE_RATE
from tests.tiny_models import tones

CHUNK = SAMPLE_RATE // 2
CALLS = {
    "backend": ("push", "advance", "view", "decode", "end", "next_segment", "trim"),
    "policy": ("plan", "judge", "next_segment"),
    "model": ("encode", "generate", "align"),
    "translator": ("translate",),
    "recognizer": ("push", "hypothesis", "events", "finish"),
}
POLICIES = ("local-agreement(n=2)", "stream-att(align-att, keep=1)")
MESSAGE = "no memory left"


class Fault:
    """Within, the `count`-th call of `part.name` raises; calls count while it is armed."""

    def __init__(self, part: Any, name: str, count: int) -> None:
        self.armed, self.left = False, count
        self._part, self._name, self._call = part, name, getattr(part, name)

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.left -= self.armed
        if self.armed and self.left == 0:
            raise RuntimeError(MESSAGE)
        return self._call(*args, **more)

    def __enter__(self) -> Fault:
        object.__setattr__(self._part, self._name, self)
        return self

    def __exit__(self, *error: object) -> None:
        object.__delattr__(self._part, self._name)


@lru_cache
def speech() -> np.ndarray:
    """Four tone words with a pause of 0.9 s in the middle, 2.7 s."""
    samples, _ = tones((0, 3, 1, 5), (1600, 1600, round(0.9 * SAMPLE_RATE), 1600), tail=2400)
    return samples


def opened(backend: Backend[Any], policy: str) -> Session:
    target = "en" if backend.name == "whisper" else "de"
    return Session(make_policy(policy), backend, VirtualClock(), SessionConfig(target=target, chunk=CHUNK))


def parts(backend: Backend[Any], session: Session) -> dict[str, Any]:
    """What a stream's computing goes through, by the names in `CALLS`."""
    (number, *_) = backend.streams
    found = {"backend": backend, "policy": session.policy, "model": getattr(backend, "model", None)}
    found["translator"] = getattr(backend, "translator", None)
    recognizer = getattr(backend.state(number), "recognizer", None)
    found["recognizer"], found["model"] = recognizer, getattr(recognizer, "model", found["model"])
    return found


def hear(session: Session, samples: np.ndarray | None) -> list[Event]:
    """The events of a piece, None for the end; nothing once the stream has ended."""
    if session.finished:
        return []
    return session.finish() if samples is None else session.feed(samples)


def pieces() -> list[np.ndarray | None]:
    samples = speech()
    return [*(samples[begin : begin + CHUNK] for begin in range(0, len(samples), CHUNK)), None]


Undisturbed = Callable[[Callable[[], Backend[Any]], str], list[Event]]


@pytest.fixture(scope="module")
def undisturbed() -> Undisturbed:
    """The events of a stream that is alone on its backend and in which nothing fails, by backend and policy."""

    @lru_cache(None)
    def events(make: Callable[[], Backend[Any]], policy: str) -> list[Event]:
        session = opened(make(), policy)
        return [event for piece in pieces() for event in hear(session, piece)]

    return events


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def disturbed(
    make: Callable[[], Backend[Any]], expected: list[Event], policy: str, part: str, name: str, count: int
) -> bool:
    """Run a stream in which the `count`-th call of `part.name` fails beside one that is left alone; whether it came."""
    backend = make()
    session, neighbour = opened(backend, policy), opened(backend, policy)
    events: list[Event] = []
    beside: list[Event] = []
    with Fault(parts(backend, session)[part], name, count) as fault:
        for piece in pieces():
            fault.armed = True
            events += hear(session, piece)
            fault.armed = False
            beside += hear(neighbour, piece)
    assert beside == expected
    assert backend.streams == ()
    if fault.left > 0:
        assert events == expected
        return False
    of_policy = f"The policy {policy.partition('(')[0]} failed in {name} (RuntimeError: {MESSAGE})."
    assert str(session.failure) == (of_policy if part == "policy" else MESSAGE)
    assert kinds(events)[-2:] == ["error", "end"]
    assert kinds(events).count("error") == kinds(events).count("end") == 1
    told = len(events) - 2
    assert kinds(events[:told]) == kinds(expected[:told])
    # How far a segment lasts that has just been left is known only when the next one is seen.
    known = told - 1 if told and events[told - 1].type == "segment" else told
    assert events[:known] == expected[:known]
    return True


def calls_of(make: Callable[[], Backend[Any]], policy: str) -> list[tuple[str, str]]:
    """The calls that may fail on a backend; none where it does not show what the policy needs."""
    backend = make()
    try:
        found = parts(backend, opened(backend, policy))
    except EvidenceError:
        return []
    return [(part, name) for part, names in CALLS.items() for name in names if hasattr(found[part], name)]


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_fails_the_text_before_stands_and_the_neighbour_goes_on(
    make: Callable[[], Backend[Any]], undisturbed: Undisturbed, data: st.DataObject
) -> None:
    policy = data.draw(st.sampled_from(POLICIES))
    calls = calls_of(make, policy)
    if calls:
        part, name = data.draw(st.sampled_from(calls))
        disturbed(make, undisturbed(make, policy), policy, part, name, data.draw(st.integers(1, 7)))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("make", ["scripted", "cascade"], indirect=True)
def test_every_call_may_fail_at_any_time_on_backends_that_cost_nothing(
    make: Callable[[], Backend[Any]], undisturbed: Undisturbed, policy: str
) -> None:
    failed = set()
    for part, name in calls_of(make, policy):
        for count in range(1, 8):
            if not disturbed(make, undisturbed(make, policy), policy, part, name, count):
                break
            failed.add(name)
    assert failed >= {"push", "advance", "view", "decode", "end", "next_segment", "plan", "judge"}
    assert ("trim" in failed) == (make().limits.trims and policy == POLICIES[1])


def test_the_undisturbed_stream_says_something(
    make: Callable[[], Backend[Any]], undisturbed: Undisturbed
) -> None:
    said = kinds(undisturbed(make, POLICIES[0]))
    assert "settled" in said
    assert "segment" in said
