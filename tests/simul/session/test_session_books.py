"""What a session keeps beside its streams: languages, clock, arrival, what was wrong, and going on from its dump."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from policies import LocalAgreement
from policies.base import Candidate, Need
from simul.backends.base import Limits, StreamSpec
from simul.backends.scripted import LANGUAGES, Pass, ScriptedBackend, ScriptedSegment
from simul.clock import VirtualClock, WallClock
from simul.errors import EvidenceError, SimulError, UsageError, failure_message
from simul.session import Session, SessionConfig
from tests.policies.scripts import CHUNK
from tests.simul.session.test_session import TALK, Broken


class Several(ScriptedBackend):
    """Writes into several languages, of which one may be refused; opened: the languages of its streams."""

    def __init__(self, refused: str = "") -> None:
        super().__init__(TALK)
        self.opened: list[tuple[str, str]] = []
        self.first: list[int] = []
        self.refused = refused

    def _start(self, spec: StreamSpec) -> Any:
        if spec.target == self.refused:
            raise UsageError(f"Not into {spec.target}.")
        self.opened.append((spec.source, spec.target))
        return super()._start(spec)

    def beside(self, stream: int, target: str) -> int:
        self.first.append(stream)
        return self.open(StreamSpec("en", target))

    def push(self, stream: int, samples: Any) -> None:
        for number in self.streams:
            super().push(number, samples)

    def end(self, stream: int) -> None:
        for number in self.streams:
            super().end(number)


def several(backend: Several, clock: VirtualClock | None = None) -> Session:
    config = SessionConfig("en", "de", CHUNK)
    return Session(LocalAgreement(2), backend, clock or VirtualClock(), config, ["fr", "es"])


def sound(chunks: float) -> np.ndarray:
    return np.zeros(round(chunks * CHUNK), np.float32)


def test_a_session_says_what_it_is_made_of() -> None:
    policy, backend, clock = LocalAgreement(2), ScriptedBackend(TALK), VirtualClock(7.0)
    one = Session(policy, backend, clock)
    assert (one.policy, one.backend, one.clock, one.config, one.beside) == (
        policy,
        backend,
        clock,
        SessionConfig(),
        (),
    )
    assert isinstance(Session(policy, backend).clock, WallClock)
    clock.advance(1.5)
    assert (one.origin, one.now(), one.heard, one.finished, one.failure) == (7.0, 1.5, 0, False, None)


def test_every_language_is_a_stream_of_its_own_that_is_named_after_it() -> None:
    backend = Several()
    one = several(backend)
    assert backend.opened == [("en", "de"), ("en", "fr"), ("en", "es")]
    assert backend.first == [1, 1]
    events = [*one.feed(sound(3)), *one.finish()]
    starts = [event for event in events if event.type == "start"]
    assert [(event.stream, event.target) for event in starts] == [("de", "de"), ("fr", "fr"), ("es", "es")]  # type: ignore[attr-defined]
    for name in ("de", "fr", "es"):
        mine = [event for event in events if event.stream == name]
        assert "".join(e.text for e in mine if e.type == "settled") == "one two three four"  # type: ignore[attr-defined]
        assert mine[-1].type == "end"
    assert backend.streams == ()


def test_no_stream_stays_open_where_a_language_is_refused() -> None:
    backend = Several(refused="es")
    with pytest.raises(UsageError, match=r"Not into es\."):
        several(backend)
    assert backend.streams == ()


def test_a_policy_that_needs_more_than_the_backend_shows_opens_no_stream() -> None:
    class Demanding(LocalAgreement):
        needs = frozenset({Need.BEAMS})  # type: ignore[misc]

    class Bare(ScriptedBackend):
        def __init__(self) -> None:
            super().__init__(TALK)
            self.provides = frozenset({Need.TOKENS})

    backend = Bare()
    with pytest.raises(EvidenceError, match="several hypotheses"):
        Session(Demanding(2), backend)
    assert backend.streams == ()


def test_what_was_heard_is_what_was_handed_on_in_whole_chunks_and_the_rest_at_the_end() -> None:
    one = Session(LocalAgreement(2), ScriptedBackend(TALK), VirtualClock(), SessionConfig(chunk=CHUNK))
    one.feed(sound(1.5))
    assert one.heard == CHUNK
    one.feed(sound(0.75))
    assert one.heard == 2 * CHUNK
    end = one.finish()[-1]
    assert one.heard == end.heard == round(2.25 * CHUNK)  # type: ignore[attr-defined]
    assert one.finished


def test_a_reset_begins_a_new_stream() -> None:
    clock, backend = VirtualClock(), ScriptedBackend(TALK)
    one = Session(LocalAgreement(2), backend, clock, SessionConfig(chunk=CHUNK))
    clock.advance(2.0)
    one.reset()
    assert (backend.streams, one.origin) == ((2,), 2.0)
    spoilt = sound(1.5)
    spoilt[0] = np.nan
    one.feed(spoilt, arrived=9.0)
    clock.advance(3.0)
    one.reset()
    assert (backend.streams, one.origin, one.heard) == ((3,), 5.0, 0)
    clock.advance(0.5)
    events = [*one.feed(sound(1)), *one.finish()]
    assert [event.type for event in events].count("start") == 1
    assert "lag" not in [event.type for event in events]
    end = events[-1]
    assert (end.heard, end.bad_samples) == (CHUNK, 0)  # type: ignore[attr-defined]
    one.close()
    one.reset()
    assert backend.streams == (4,)


def test_audio_of_which_no_arrival_is_told_came_in_real_time_from_the_beginning() -> None:
    clock = VirtualClock()
    one = Session(LocalAgreement(2), ScriptedBackend(TALK), clock, SessionConfig(chunk=CHUNK))
    clock.advance(4.5)
    assert [e.seconds for e in one.feed(sound(1)) if e.type == "lag"] == [4.0]  # type: ignore[attr-defined]


def test_decisions_passed_over_are_told_with_the_place_of_the_next_and_when() -> None:
    clock = VirtualClock()
    one = Session(LocalAgreement(2), ScriptedBackend(TALK), clock, SessionConfig(chunk=CHUNK))
    clock.advance(4.5)
    (late,) = [event for event in one.feed(sound(3.5), coalesce=True) if event.type == "late"]
    assert (late.decisions, late.heard, late.time) == (2, 3 * CHUNK, 4.5)  # type: ignore[attr-defined]


@pytest.mark.parametrize("pieces", [(1,), (0.25, 0.75), (0.5, 0.5)])
def test_lag_counts_from_the_arrival_of_the_last_sample_that_was_fed(pieces: tuple[float, ...]) -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(TALK, on_decode=lambda _: clock.advance(4.0))
    one = Session(LocalAgreement(2), backend, clock, SessionConfig(chunk=CHUNK))
    clock.advance(60.0)
    events: list[Any] = []
    for place, piece in enumerate(pieces):
        events += one.feed(sound(piece), arrived=60.0 - 0.5 * (sum(pieces[place + 1 :])))
    assert [e.seconds for e in events if e.type == "lag"] == [4.0]


def test_bad_samples_are_told_also_where_the_audio_or_the_computing_broke_off() -> None:
    spoilt = sound(1)
    spoilt[:5] = np.inf
    one = Session(LocalAgreement(2), ScriptedBackend(TALK), VirtualClock(), SessionConfig(chunk=CHUNK))
    one.feed(spoilt)
    one.feed(spoilt)
    error, end = one.finish("The line was cut.")[-2:]
    assert (error.message, error.time, end.bad_samples) == ("The line was cut.", 0.0, 10)  # type: ignore[attr-defined]
    broken = Session(LocalAgreement(2), Broken("advance", 2), VirtualClock(), SessionConfig(chunk=CHUNK))
    broken.feed(spoilt)
    assert broken.feed(spoilt)[-1].bad_samples == 10  # type: ignore[attr-defined]
    assert broken.finish() == []


def test_a_closed_session_takes_nothing_in_and_stores_nothing() -> None:
    one = Session(LocalAgreement(2), ScriptedBackend(TALK), VirtualClock(), SessionConfig(chunk=CHUNK))
    one.close()
    with pytest.raises(
        SimulError, match=r"^The session has ended; call reset\(\) before feeding another stream\.$"
    ):
        one.feed(sound(1))
    with pytest.raises(SimulError, match=r"^The session is closed; there is nothing to store\.$"):
        one.dump()
    assert one.finish() == []


def test_a_stored_session_goes_on_in_another_with_all_that_was_wrong_late_and_waiting() -> None:
    clock, other_clock = VirtualClock(), VirtualClock(100.0)
    one, two = several(Several(), clock), several(Several(), other_clock)
    spoilt = sound(2.5)
    spoilt[:3] = np.nan
    clock.advance(10.0)
    one.feed(spoilt, arrived=3.0)
    stored = one.dump()
    two.failure = ValueError("of the stream before")
    two.load(stored)
    assert two.failure is None
    assert two.backend.streams == (4, 5, 6)
    assert (two.heard, two.now(), two.origin) == (2 * CHUNK, 10.0, 90.0)
    assert two.dump() == stored == one.dump()
    for session in (one, two):
        session.clock.advance(1.0)  # type: ignore[attr-defined]
    expected, found = ([*session.feed(sound(1.5)), *session.finish()] for session in (one, two))
    assert found == expected
    assert {event.bad_samples for event in found if event.type == "end"} == {3}  # type: ignore[attr-defined]
    assert [event.seconds for event in found if event.type == "lag"]  # type: ignore[attr-defined]


def test_a_session_that_cannot_take_a_stored_one_is_closed_and_holds_nothing() -> None:
    class Refuses(Several):
        def import_state(self, exported: Any, beside: int | None = None) -> int:
            if len(self.streams) == 2:
                raise UsageError("Of another model.")
            return super().import_state(exported, beside)

    stored, one = several(Several()).dump(), several(Refuses())
    with pytest.raises(UsageError, match="another model"):
        one.load(stored)
    assert one.backend.streams == ()
    with pytest.raises(SimulError, match="ended"):
        one.feed(sound(1))


def test_a_trim_reaches_the_backend() -> None:
    class Trimmed(ScriptedBackend):
        def __init__(self) -> None:
            spans = np.array([(0, CHUNK), (CHUNK, 2 * CHUNK)], np.int64)
            passes = [Pass(k * CHUNK, Candidate((" a", " b"), spans=spans)) for k in range(1, 9)]
            super().__init__([ScriptedSegment(0, 9 * CHUNK, tuple(passes))])
            self.limits = Limits(LANGUAGES, LANGUAGES, 3 * CHUNK, 8 * CHUNK, trims=True)
            self.trims: list[tuple[int, int]] = []

        def trim(self, stream: int, before: int) -> None:
            self.trims.append((stream, before))
            super().trim(stream, before)

    backend = Trimmed()
    Session(LocalAgreement(2), backend, VirtualClock(), SessionConfig(chunk=CHUNK)).feed(sound(4))
    assert backend.trims == [(1, CHUNK)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("Not so."), "Not so."),
        (
            RuntimeError("no memory\nleft"),
            "Computing failed (RuntimeError: no memory); what was settled before stays valid.",
        ),
        (
            ValueError("  "),
            "Computing failed (ValueError: no further message); what was settled before stays valid.",
        ),
    ],
)
def test_a_failure_is_told_in_a_sentence(error: Exception, said: str) -> None:
    assert failure_message(error) == said
