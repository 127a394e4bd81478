"""A stream goes on from its dump as if nothing had been, with something in every part of its books."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from policies.base import Activity, Decision, SourceView, Word
from simul.session import SessionConfig, Stream
from simul.session.events import Event
from tests.simul.session.test_stream_books import FREE, Scripted, candidate, made, replica, step


def rich() -> Stream:
    """A stream of which every part of the books has something in it."""
    decisions = [
        Decision(2, cut=150, forget=1),
        Decision(1, accept=(False,)),
        Decision(0),
        Decision(1),
        Decision(0),
    ]
    core = made(*decisions)
    core.pass_over(2, 100, 0.1)
    view: dict[str, Any] = {"words": (Word("one", 0, 90), Word("two", 90, 7000)), "units": {"word": 2}}
    step(core, 8000, candidate(" a", " b", " c", source_text="one"), activity=Activity(3, 0.5), **view)
    step(core, 16_000, candidate(" x", " y", spoken="fr"), segment_start=150, **view)
    return core


def test_a_stream_goes_on_from_its_dump_at_any_moment() -> None:
    one = rich()
    other = replica(one)

    def both(*calls: tuple[str, tuple[Any, ...]]) -> None:
        nonlocal other
        for name, given in calls:
            if name == "answer":
                # A request that was open is given again.
                assert other.request(9.0) == one.request(9.0)
            assert getattr(one, name)(*given) == getattr(other, name)(*given)
            assert one.dump() == other.dump()
            other = replica(one)

    both(
        ("receive", (SourceView(24_000, 8000, segment_start=150), 1.5, 1.4)),
        ("request", (1.5,)),
        ("answer", (candidate(" z", " y"), 1.6)),
        ("receive", (SourceView(32_000, 8000, 150, True, closed_by="pause"), 2.0)),
        ("request", (2.0,)),
        ("answer", (candidate(" z"), 9.0)),
        ("receive", (SourceView(32_000, 0, 30_000), 9.1)),
        ("request", (9.1,)),
    )
    both(("orders", ()), ("events", ()))
    both(
        ("answer", (candidate(" e"), 9.2)),
        ("fail", ("It broke.", 9.3, 2)),
        ("events", ()),
        ("request", (9.4,)),
    )
    assert one.ended
    assert other.ended


def test_a_dump_does_not_change_with_the_stream() -> None:
    core = rich()
    stored = core.dump()
    before = json.dumps(stored)
    step(core, 24_000, candidate(" z", " y"), segment_start=150)
    step(core, 32_000, candidate(" z"), segment_start=150, segment_final=True)
    core.end(3.0)
    assert json.dumps(stored) == before


def kinds(events: Sequence[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_stored_stream_tells_its_start_no_second_time() -> None:
    core = Stream(Scripted([Decision(0)]), FREE, "model", 7, SessionConfig(name="hall"))
    other = replica(core)
    assert kinds(other.events()) == ["start"]
    assert kinds(replica(other).events()) == []
