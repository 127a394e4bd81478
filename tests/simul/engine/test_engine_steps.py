"""What a step asks the scheduler, what it learns of the cost, and how a recording that fails in it ends alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from policies import LocalAgreement
from policies.base import Candidate, Plan, SourceView
from simul.backends.base import DecodeRequest
from simul.backends.scripted import ScriptedBackend
from simul.clock import VirtualClock
from simul.engine import Ladder, StreamEngine, Terms
from simul.engine.cost import Costs, CostTable, LoadMeter
from simul.engine.scheduler import NOBODY, Due, Served, choose
from simul.errors import SimulError
from simul.session import SessionConfig
from simul.session.events import Event
from tests.policies.scripts import CHUNK
from tests.simul.session.test_session import TALK
from tests.simul.session.test_streams import Moves

CONFIG = SessionConfig(chunk=CHUNK)
HALF = CHUNK / 16_000
FILE = Terms(live=False, owner="archive", weight=4.0)
HALL = Terms(slack=0.25, owner="hall", weight=2.0)


def sound(chunks: float = 1) -> np.ndarray:
    return np.zeros(round(chunks * CHUNK), np.float32)


class Watched:
    """Chooses as `choose` does, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[Due], float, Costs, Served, int]] = []

    def __call__(
        self, due: Sequence[Due], now: float, costs: Costs, served: Served = NOBODY, most: int = 64
    ) -> list[Due]:
        self.asked.append((list(due), now, costs, served, most))
        return choose(due, now, costs, served, most)


class WatchedCosts(CostTable):
    """Keeps the batches that it was told of."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[int, int, float]] = []

    def note(self, batch: int, length: int, seconds: float) -> None:
        self.told.append((batch, length, seconds))
        super().note(batch, length, seconds)


class WatchedMeter(LoadMeter):
    """Keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[float, float, float, float, float]] = []

    def note(self, computed: float, asked: float, decisions: int, late: int, audio: float = 0.0) -> None:
        self.told.append((computed, asked, decisions, late, audio))
        super().note(computed, asked, decisions, late, audio)


class Silent(ScriptedBackend):
    """Nobody speaks."""

    def view(self, stream: int) -> SourceView:
        return replace(super().view(stream), speech=False)


def test_the_scheduler_is_told_whose_each_decision_is_on_how_much_audio_and_when_it_is_to_be_out() -> None:
    watched, ladder = Watched(), Ladder()
    engine = StreamEngine(ScriptedBackend(TALK), ladder=ladder, most=3, choose=watched)
    live, file = (
        engine.open(LocalAgreement(2), CONFIG, 1.0, terms=HALL),
        engine.open(LocalAgreement(2), CONFIG, 2.0, terms=FILE),
    )
    for number, opened in ((live, 1.0), (file, 2.0)):
        engine.push(number, sound(1.5), opened + HALF)
    engine.step(lambda: 3.0)
    ((due, now, costs, served, most),) = watched.asked
    assert due == [
        Due(live, 1.0 + 2 * HALF + 0.25, 1.0 + HALF, 12_000, True, "hall"),
        Due(file, 2.0 + 2 * HALF, 2.0 + HALF, 12_000, False, "archive"),
    ]
    assert (now, most, served.patience) == (3.0, 3, HALF + 0.25)
    assert costs is engine.costs
    ladder.level = 2
    for number in (live, file):
        engine.push(number, sound(), 3.0)
    engine.step(lambda: 3.0)
    due, _, _, served, _ = watched.asked[-1]
    assert [each.number for each in due] == [file], (
        "what is live waits for two chunks now, and had one and a half"
    )
    assert served.patience == 2 * HALF + 0.25
    engine.push(live, sound(), 3.5)
    engine.step(lambda: 3.5)
    assert engine.taken(live) == 3 * CHUNK
    engine.close(live)
    engine.step(lambda: 4.0)
    assert watched.asked[-1][3].patience == math.inf, "nobody is live"


def test_a_window_is_what_was_heard_of_the_segment_and_waits_and_nothing_where_nobody_speaks() -> None:
    for backend, wanted in ((ScriptedBackend(TALK), [12_000, 12_000 + CHUNK]), (Silent(TALK), [0, 0])):
        watched = Watched()
        engine = StreamEngine(backend, choose=watched)
        number = engine.open(LocalAgreement(2), CONFIG, terms=FILE)
        engine.push(number, sound(1.5), 1.0)
        engine.step(lambda: 1.0)
        engine.push(number, sound(), 2.0)
        engine.step(lambda: 2.0)
        assert [asked[0][0].length for asked in watched.asked] == wanted
    later = StreamEngine(ScriptedBackend(TALK), choose=watched)
    number = later.open(LocalAgreement(2), CONFIG, terms=FILE)
    later.push(number, sound(5.25), 3.0)
    while later.taken(number) < 5 * CHUNK:
        later.step(lambda: 3.0)
    later.push(number, sound(), 3.5)
    later.step(lambda: 3.5)
    assert watched.asked[-1][0][0].length == round(2.25 * CHUNK), (
        "the second segment began at the fourth chunk"
    )


def test_a_recording_that_is_being_decided_is_not_offered_and_its_time_is_no_batchs_cost() -> None:
    clock, watched, costs = VirtualClock(), Watched(), WatchedCosts()
    backend = ScriptedBackend(TALK, on_decode=lambda size: clock.advance(0.5 * size))
    engine = StreamEngine(backend, costs, choose=watched)
    number = engine.open(LocalAgreement(2), CONFIG, terms=FILE)
    engine.push(number, sound(8), 0.0)
    engine.end(number, 0.0)
    other, offered = 0, []
    while number in engine.open_numbers:
        going_on = engine._recordings[number].busy
        if going_on and not other:
            other = engine.open(LocalAgreement(2), CONFIG, clock.now(), terms=FILE)
            engine.push(other, sound(), clock.now())
        engine.step(clock.now)
        offered.append((going_on, [due.number for due in watched.asked[-1][0]]))
    assert next(found for going_on, found in offered if going_on) == [other]
    assert all(number not in found for going_on, found in offered if going_on)
    assert all(number in found for going_on, found in offered if not going_on)
    alone = [found for going_on, found in offered if found and not going_on]
    assert [batch for batch, _, _ in costs.told] == [1] * len(alone), (
        "a step in which something goes on is not told"
    )


def test_what_owners_got_is_counted_by_their_weight_and_forgotten() -> None:
    clock, watched = VirtualClock(), Watched()
    engine = StreamEngine(ScriptedBackend(TALK, on_decode=lambda _: clock.advance(0.5)), choose=watched)
    hall = engine.open(LocalAgreement(2), CONFIG, terms=HALL)
    file = engine.open(LocalAgreement(2), CONFIG, terms=FILE)
    engine.push(hall, sound(), 0.0)
    engine.step(clock.now)
    clock.advance(29.5)
    engine.push(file, sound(), 30.0)
    engine.step(clock.now)
    engine.push(file, sound(), 31.0)
    engine.step(clock.now)
    first, second, third = (asked[3] for asked in watched.asked)
    assert (first.by_owner, first.files) == ({}, 1.0)
    assert second.files == 0.0
    assert third.by_owner == {
        "hall": pytest.approx(0.25 * math.exp(-30 / 60)),
        "archive": pytest.approx(0.125),
    }


def test_the_load_is_told_with_what_was_passed_over_and_what_came_late() -> None:
    clock = VirtualClock(0.9375)
    engine = StreamEngine(ScriptedBackend(TALK, on_decode=lambda _: clock.advance(0.125)), most=2)
    engine.meter = told = WatchedMeter()
    one, two = (engine.open(LocalAgreement(2), CONFIG, terms=Terms()) for _ in range(2))
    engine.open(LocalAgreement(2), CONFIG, terms=FILE)
    for number in (one, two):
        engine.push(number, sound(), HALF)
    engine.step(clock.now)
    assert engine.costs.predict(2, CHUNK) == 0.125
    assert told.told == [(0.125, 0.125, 2, 2, 2 * HALF)], "both were out a sixteenth of a second too late"
    for number in (one, two):
        engine.push(number, sound(), 2 * HALF)
        engine.push(number, sound(), 3 * HALF)
    clock.sleep_until(1.625)
    engine.step(clock.now)
    assert told.told[-1] == (0.125, 0.125 * (1 + 2 / 2), 2 + 2, 2, 4 * HALF), "each passed one over"


def test_files_ask_for_nothing_of_the_load_and_are_never_late() -> None:
    clock = VirtualClock(60.0)
    engine = StreamEngine(ScriptedBackend(TALK, on_decode=lambda _: clock.advance(0.5)))
    engine.meter = told = WatchedMeter()
    number = engine.open(LocalAgreement(2), CONFIG, terms=FILE)
    engine.push(number, sound(2), 1.0)
    engine.step(clock.now)
    engine.step(clock.now)
    assert told.told == [(0.5, 0, 1, 0, HALF)] * 2
    engine.step(clock.now)
    assert len(told.told) == 2, "nothing was due"


def test_the_ladder_follows_the_load_where_the_meter_has_something_new() -> None:
    followed: list[tuple[LoadMeter, float]] = []

    class Follows(Ladder):
        def follow(self, meter: LoadMeter, at: float) -> bool:
            followed.append((meter, at))
            return False

    engine = StreamEngine(ScriptedBackend(TALK), ladder=Follows())
    for at in (1.0, 1.125, 1.25, 1.5):
        engine.look(at)
    assert followed == [(engine.meter, 1.25), (engine.meter, 1.5)]
    without = StreamEngine(ScriptedBackend(TALK))
    without.look(1.0)
    without.look(2.0)


class Fails(ScriptedBackend):
    """Calls of one kind raise that one stream is part of."""

    def __init__(self, call: str, victim: int) -> None:
        super().__init__(TALK)
        self.call, self.victim, self.sizes = call, victim, list[int]()

    def hurt(self, call: str, streams: Sequence[int]) -> None:
        if call == self.call:
            self.sizes.append(len(streams))
            if self.victim in streams:
                raise RuntimeError("this one is broken")

    def push(self, stream: int, samples: Any) -> None:
        self.hurt("push", [stream])
        super().push(stream, samples)

    def advance(self, streams: Sequence[int]) -> None:
        self.hurt("advance", streams)
        super().advance(streams)

    def view(self, stream: int) -> Any:
        self.hurt("view", [stream])
        return super().view(stream)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        self.hurt("decode", [request.stream for request in requests])
        return super().decode(requests)

    def trim(self, stream: int, before: int) -> None:
        self.hurt("trim", [stream])
        super().trim(stream, before)


@pytest.mark.parametrize("victim", [1, 2, 3])
@pytest.mark.parametrize("call", ["push", "advance", "view", "decode"])
def test_a_call_that_fails_for_one_ends_that_one_and_is_made_again_for_each_of_the_others(
    call: str, victim: int
) -> None:
    failures: list[tuple[int, str]] = []
    backend = Fails(call, victim)
    engine = StreamEngine(backend, on_failure=lambda number, error: failures.append((number, str(error))))
    numbers = [engine.open(LocalAgreement(2), CONFIG, 10.0) for _ in range(3)]
    for number in numbers:
        engine.push(number, sound(), 10.5)
    events = engine.step(lambda: 10.75)
    for number in numbers:
        said = [event.type for event in events[number]]
        assert said == (["start", "error", "end"] if number == victim else ["start", "tail"])
    error, end = events[victim][-2:]
    assert (error.time, end.time) == (0.75, 0.75)  # type: ignore[attr-defined]
    assert failures == [(victim, "this one is broken")]
    assert engine.open_numbers == tuple(number for number in numbers if number != victim)
    assert backend.streams == engine.open_numbers
    if call in ("advance", "decode"):
        assert backend.sizes == [3, 1, 1, 1]


def test_a_policy_that_cannot_plan_ends_its_recording_alone() -> None:
    class Lost(LocalAgreement):
        def plan(self, state: Any, source: SourceView) -> Plan:
            raise RuntimeError("no plan")

    failures: list[tuple[int, str]] = []
    engine = StreamEngine(
        ScriptedBackend(TALK), on_failure=lambda number, error: failures.append((number, str(error)))
    )
    lost, other = engine.open(Lost(2), CONFIG, 10.0), engine.open(LocalAgreement(2), CONFIG, 10.0)
    for number in (lost, other):
        engine.push(number, sound(), 10.5)
    events = engine.step(lambda: 10.75)
    assert [event.type for event in events[lost]] == ["start", "error", "end"]
    assert [event.type for event in events[other]] == ["start", "tail"]
    said = "The policy local-agreement failed in plan (RuntimeError: no plan)."
    assert (events[lost][-1].time, failures) == (0.75, [(lost, said)])  # type: ignore[attr-defined]


def test_a_decision_is_told_once_and_only_of_what_decided() -> None:
    told: list[tuple[int, float]] = []
    costs = CostTable()
    engine = StreamEngine(
        ScriptedBackend(TALK), costs, on_decision=lambda each: told.append((each.number, each.ready))
    )
    one, _ = (engine.open(LocalAgreement(2), CONFIG, terms=FILE) for _ in range(2))
    for chunk in range(1, 7):
        engine.push(one, sound(), chunk * HALF)
    while engine.ready:
        engine.step(lambda: 4.0)
    assert told == [(one, chunk * HALF) for chunk in range(1, 7)]
    assert engine.costs is costs


def test_what_is_no_number_is_counted_over_all_pieces_and_nothing_follows_the_end() -> None:
    engine = StreamEngine(ScriptedBackend(TALK))
    number = engine.open(LocalAgreement(2), CONFIG)
    spoilt = sound(0.5)
    spoilt[:3] = np.nan
    for at in (0.25, 0.5):
        engine.push(number, spoilt, at)
    engine.end(number, 0.5)
    with pytest.raises(SimulError, match=r"^The audio of this stream has ended; open another one\.$"):
        engine.push(number, spoilt, 0.5)
    events: list[Event] = []
    while engine.ready:
        events += engine.step(lambda: 0.5).get(number, [])
    assert events[-1].bad_samples == 6  # type: ignore[attr-defined]


def test_the_languages_of_a_recording_move_together() -> None:
    config = SessionConfig("en", "de", CHUNK)
    engine, other = StreamEngine(Moves()), StreamEngine(Moves())
    number = engine.open(LocalAgreement(2), config, beside=("fr",), terms=FILE)
    engine.push(number, sound(2), 1.0)
    engine.step(lambda: 1.0)
    moved = other.load(engine.dump(number, 1.0), LocalAgreement(2), config, 1.0, beside=("fr",), terms=FILE)
    events = other.step(lambda: 1.0)[moved]
    assert {event.stream for event in events if event.type in ("settled", "tail")} == {"de", "fr"}


def test_two_that_cannot_be_decoded_fail_together_and_a_wrong_count_of_candidates_is_a_failure() -> None:
    class Short(ScriptedBackend):
        def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
            return []

    engine = StreamEngine(Short(TALK))
    numbers = [engine.open(LocalAgreement(2), CONFIG) for _ in range(2)]
    for number in numbers:
        engine.push(number, sound(), 0.5)
    events = engine.step(lambda: 0.5)
    assert [[event.type for event in events[n]] for n in numbers] == [["start", "error", "end"]] * 2
    assert engine.step(lambda: 1.0) == {}
    assert not engine.ready


def test_a_recording_that_is_over_ends_at_its_time_also_where_it_cannot_be_let_go_of() -> None:
    class Clings(ScriptedBackend):
        def release(self, stream: int) -> None:
            super().release(stream)
            raise RuntimeError("It cannot be let go of.")

    engine = StreamEngine(Clings(TALK))
    number = engine.open(LocalAgreement(2), CONFIG, 10.0)
    engine.push(number, sound(), 10.5)
    engine.end(number, 10.5)
    events: list[Event] = []
    while engine.ready:
        events += engine.step(lambda: 11.25).get(number, [])
    assert (events[-1].type, events[-1].time, engine.open_numbers) == ("end", 1.25, ())  # type: ignore[attr-defined]


def test_lag_counts_from_the_arrival_of_what_was_taken() -> None:
    engine = StreamEngine(ScriptedBackend(TALK))
    number = engine.open(LocalAgreement(2), SessionConfig(chunk=CHUNK, lag_limit=1.0), 10.0, terms=FILE)
    engine.push(number, sound(), 13.0)
    events = engine.step(lambda: 14.5)[number]
    assert [event.seconds for event in events if event.type == "lag"] == [1.5]  # type: ignore[attr-defined]


def test_a_recording_moves_without_settings_where_it_had_none() -> None:
    engine, other = StreamEngine(ScriptedBackend(TALK)), StreamEngine(ScriptedBackend(TALK))
    number = engine.open(LocalAgreement(2))
    engine.push(number, sound(2), 1.0)
    moved = other.load(engine.dump(number, 1.0), LocalAgreement(2))
    assert other.open_numbers == (moved,)
    assert (other.live, other.waiting(moved)) == (1, 2 * CHUNK)
    events = other.step(lambda: 0.0)[moved]
    assert (events[0].type, events[0].chunk) == ("start", SessionConfig().chunk)  # type: ignore[attr-defined]
