"""The streams of one recording: opened, heard, failed, ended, let go of and stored together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from policies import LocalAgreement
from policies.base import Need
from simul.backends.scripted import ScriptedBackend
from simul.errors import EvidenceError, UsageError
from simul.session import SessionConfig
from simul.session.streams import Streams
from tests.policies.scripts import CHUNK
from tests.simul.session.test_session import TALK
from tests.simul.session.test_session_books import Several

CONFIG = SessionConfig("en", "de", CHUNK)


class Moves(Several):
    """Streams of several languages that can be stored; beside: what each was told to stand beside."""

    def __init__(self, most: int = 9) -> None:
        super().__init__()
        self.most, self.taken = most, list[int | None]()

    def import_state(self, exported: Mapping[str, Any], beside: int | None = None) -> int:
        if len(self.taken) == self.most:
            raise UsageError("No further stream.")
        self.taken.append(beside)
        return super().import_state(exported)


def heard(streams: Streams, chunks: int, final: bool = False) -> None:
    """So much more audio, with the decision on it."""
    streams.hear(np.zeros(chunks * CHUNK, np.float32), final)
    backend = streams._backend
    backend.advance(streams.numbers)
    streams.wake()
    while streams.waking:
        streams.look(lambda: 2.0, 1.0)
        for stream, request in streams.asked:
            streams.answer(stream, backend.decode([request])[0], 2.0)


def test_each_language_is_a_stream_and_all_are_awake_at_a_decision_point() -> None:
    backend = Several()
    streams = Streams.begin(LocalAgreement(2), backend, CONFIG, ("fr", "es"))
    assert (streams.numbers, backend.opened) == ([1, 2, 3], [("en", "de"), ("en", "fr"), ("en", "es")])
    assert (streams.open, streams.ended, streams.bad, streams.waking, streams.asked) == (
        True,
        False,
        0,
        [],
        [],
    )
    streams.wake()
    assert [stream.config.name for stream in streams.waking] == ["de", "fr", "es"]
    assert [(event.type, event.stream) for event in streams.events()] == [
        ("start", n) for n in ("de", "fr", "es")
    ]
    assert streams.events() == []


def test_what_the_policy_needs_is_looked_at_before_anything_is_opened() -> None:
    backend = ScriptedBackend(TALK, provides=frozenset({Need.TOKENS}))

    class Needy(LocalAgreement):
        @property
        def needs(self) -> frozenset[Need]:
            return frozenset({Need.BEAMS})

    with pytest.raises(EvidenceError):
        Streams.begin(Needy(2), backend, CONFIG, ())
    with pytest.raises(EvidenceError):
        Streams.load({"streams": [], "backend": [], "waking": [], "bad": 0}, Needy(2), backend, CONFIG, ())
    assert backend.streams == ()


def test_they_ask_are_answered_and_end_one_after_the_other() -> None:
    streams = Streams.begin(LocalAgreement(2), Several(), CONFIG, ("fr",))
    streams.hear(np.zeros(CHUNK, np.float32))
    streams._backend.advance(streams.numbers)
    streams.wake()
    streams.look(lambda: 2.0, 1.0)
    assert streams.waking == []
    (one, request), (two, _) = streams.asked
    assert (one.number, two.number, request.stream) == (1, 2, 1)
    streams.answer(one, streams._backend.decode([request])[0], 2.0)
    assert [stream for stream, _ in streams.asked] == [two]
    streams.fail(RuntimeError("no memory"), 3.0)
    assert (streams.waking, streams.asked, streams.open, streams.ended) == ([], [], False, True)
    assert streams._backend.streams == ()
    errors = [event for event in streams.events() if event.type == "error"]
    assert [(event.stream, event.time) for event in errors] == [("de", 3.0), ("fr", 3.0)]  # type: ignore[attr-defined]
    assert all("no memory" in event.message for event in errors)  # type: ignore[attr-defined]


def test_the_end_comes_once_with_what_was_wrong_and_holds_the_backend_until_it_is_let_go_of() -> None:
    streams = Streams.begin(LocalAgreement(2), Several(), CONFIG, ("fr",))
    streams.bad = 5
    streams.pass_over(2, CHUNK, 1.5)
    streams.pass_over(1, CHUNK, 1.75, "to spare it")
    streams.end(2.0, "The line is dead.")
    said = [event for event in streams.events() if event.type not in ("start", "tail")]
    assert [event.type for event in said] == ["late", "late", "error", "end"] * 2
    late, spared, error, end = said[4:]
    assert (late.decisions, late.reason, late.time) == (2, "computing is behind", 1.5)  # type: ignore[attr-defined]
    assert (spared.decisions, spared.reason) == (1, "to spare it")  # type: ignore[attr-defined]
    assert (error.message, error.time) == ("The line is dead.", 2.0)  # type: ignore[attr-defined]
    assert (end.bad_samples, end.time, end.late_decisions) == (5, 2.0, 3)  # type: ignore[attr-defined]
    assert (streams.ended, streams.open) == (True, True)
    streams.release()
    streams.release()
    assert (streams.open, streams._backend.streams) == (False, ())


def test_stored_in_mid_sentence_they_go_on_on_another_backend_beside_the_first() -> None:
    whole = Streams.begin(LocalAgreement(2), Several(), CONFIG, ("fr", "es"))
    heard(whole, 3)
    expected = whole.events()
    heard(whole, 2, final=True)
    first = Streams.begin(LocalAgreement(2), Several(), CONFIG, ("fr", "es"))
    heard(first, 3)
    assert first.events() == expected
    first.bad = 3
    first.wake()
    del first.waking[0]
    dumped = first.dump()
    backend = Moves()
    again = Streams.load(dumped, LocalAgreement(2), backend, CONFIG, ("fr", "es"))
    assert (backend.taken, again.numbers) == ([None, 1, 1], [1, 2, 3])
    assert (again.bad, [stream.config.name for stream in again.waking]) == (3, ["fr", "es"])
    again.waking = []
    heard(again, 2, final=True)
    assert again.events() == whole.events()


def test_where_one_cannot_go_on_none_stays_open() -> None:
    dumped = Streams.begin(LocalAgreement(2), Several(), CONFIG, ("fr", "es")).dump()
    backend = Moves(most=2)
    with pytest.raises(UsageError, match="No further stream"):
        Streams.load(dumped, LocalAgreement(2), backend, CONFIG, ("fr", "es"))
    assert backend.streams == ()
