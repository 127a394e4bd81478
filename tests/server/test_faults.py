"""Faults of every kind at random places: the text is what was said, to the word, or the gap is the one that was made.

Workers compute a text that is a function of the samples (`proof`), time is virtual, and every run is repeatable by its
seed. Segments begin anew where the stream is cut by a flush or a gap.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from server import protocol as p
from server.codec import CloseCode
from tests.server.proof import expected
from tests.server.rig import MemoryClient, Rig, noise

SECONDS = 9.0


@dataclass
class Scenario:
    """A client that plays a recording and comes back when it is thrown out, whatever happens."""

    seed: int
    targets: tuple[str, ...] = ()
    ready: bool = True
    at: int = 0
    token: str = ""
    session: str = ""
    cuts: list[int] = field(default_factory=list)
    missing: list[tuple[int, int]] = field(default_factory=list)
    messages: list[p.ServerMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.rig = Rig(workers=2, ready=self.ready)
        self.audio = noise(SECONDS, self.seed)
        self.pcm = np.rint(self.audio * 32768).astype("<i2").tobytes()
        self.client: MemoryClient = self.rig.connect()
        self.client.say(p.SessionStart(targets=self.targets))
        self.hear()

    def hear(self) -> None:
        """Keep what was heard; by its numbers nothing is missed or heard twice."""
        for message in self.client.messages:
            if isinstance(message, (p.SessionReady, p.SessionResumed)):
                self.session, self.token = message.session, message.resume_token
            if message.numbered:
                assert message.seq == self.last + 1
            self.messages.append(message)
        self.client.messages.clear()

    @property
    def last(self) -> int:
        """The last number heard."""
        return max((m.seq for m in self.messages if m.numbered), default=0)

    def play(self, until: float, piece: int = 1600) -> None:
        """Play up to a second of the recording."""
        end = min(len(self.audio), round(until * 16_000))
        while self.at < end:
            step = min(piece, end - self.at)
            self.rig.pass_time(step / 16_000)
            self.client.send(self.pcm[2 * self.at : 2 * (self.at + step)])
            self.at += step
        self.hear()

    def drop(self, seconds: float) -> None:
        """The connection breaks for a while."""
        self.client.vanish()
        self.rig.pass_time(seconds)

    def resume(self, next_sample: int = 0) -> p.SessionResumed:
        """Come back, and go on at the sample that the server wants."""
        self.client = self.rig.connect().say(
            p.SessionResume(self.session, self.token, self.last, next_sample)
        )
        resumed = next(m for m in self.client.messages if isinstance(m, p.SessionResumed))
        self.hear()
        self.at = resumed.next_sample
        return resumed

    def moment(self, after: float = 0.3) -> float:
        """A random second of what is left of the recording, to the millisecond."""
        return round(self.random.uniform(self.at / 16_000 + after, SECONDS - 0.5), 3)

    def worker(self) -> int:
        """The worker that has the session."""
        return self.rig.host.sessions[self.session].worker

    def finish(self) -> None:
        """Play the rest, end, and compare."""
        self.play(SECONDS)
        self.client.say(p.SessionClose())
        self.hear()
        assert self.client.closed == (CloseCode.DONE, "")
        end = self.messages[-1]
        assert isinstance(end, p.SessionEnd)
        assert end.lost == 0
        for target in self.targets or ("",):
            said = "".join(
                m.text
                for m in self.messages
                if isinstance(m, p.SettledText) and m.stream == (target or p.SOURCE)
            )
            assert said == self.wanted(target), self.seed
        gaps = [(m.t0 * 16, m.t1 * 16) for m in self.messages if isinstance(m, p.AudioLost)]
        assert gaps == self.missing
        assert self.rig.host.active == 0

    def wanted(self, target: str) -> str:
        """What is to be said, by the cuts and gaps that were made."""
        borders = sorted([0, *self.cuts, *(b for _, b in self.missing), len(self.audio)])
        parts = []
        for begin, end in pairwise(borders):
            stop = next((a for a, b in self.missing if begin <= a < end), end)
            parts.append(expected(self.audio[begin:stop], target))
        return " ".join(part for part in parts if part)


def drop_and_resume(s: Scenario) -> None:
    for _ in range(2):
        s.play(s.moment())
        s.drop(s.random.choice([0.2, 2.0, 10.0, 50.0]))
        s.resume()


def drop_in_the_middle_of_sending(s: Scenario) -> None:
    """What was on its way is lost; the client sends it again from where the server stands."""
    s.play(s.moment())
    s.client.vanish()
    s.play(min(SECONDS, s.at / 16_000 + 0.7))
    s.resume()


def come_back_without_the_audio(s: Scenario) -> None:
    s.play(s.moment())
    begin = s.at
    s.drop(5.0)
    end = min(len(s.audio) - 1600, begin + s.random.randrange(17_600, 40_000))
    end -= (end - begin) % 16
    if end <= begin + 16_000:
        s.resume()
        return
    resumed = s.resume(end)
    assert resumed.gap is not None
    assert s.at == end
    s.missing.append((begin, end))


def worker_dies(s: Scenario) -> None:
    for _ in range(3):
        s.play(s.moment(0.1))
        s.rig.workers.kill(s.worker())
        s.rig.workers.load()


def every_worker_dies_at_once(s: Scenario) -> None:
    s.play(s.moment())
    for number in range(s.rig.workers.count):
        s.rig.workers.kill(number)
    s.play(min(SECONDS, s.at / 16_000 + 1.5))
    s.rig.workers.load()


def worker_dies_while_nobody_listens(s: Scenario) -> None:
    s.play(s.moment())
    s.client.vanish()
    s.rig.workers.kill(s.worker())
    s.rig.pass_time(3.0)
    s.rig.workers.load()
    s.rig.pass_time(3.0)
    s.resume()


def connection_is_taken_over(s: Scenario) -> None:
    s.play(s.moment())
    former = s.client
    s.resume()
    assert former.closed is not None
    assert former.closed[0] == CloseCode.TAKEN_OVER


def old_token_is_tried(s: Scenario) -> None:
    s.play(s.moment())
    old = s.token
    s.drop(1.0)
    s.resume()
    thief = s.rig.connect().say(p.SessionResume(s.session, old, 0, 0))
    assert thief.closed is not None
    assert thief.closed[0] == CloseCode.UNAUTHORIZED


def storm_of_strangers(s: Scenario) -> None:
    s.play(s.moment())
    for number in range(20):
        stranger = s.rig.connect().say(p.SessionResume(s.session, f"guess {number}", 0, 0))
        assert stranger.closed is not None


def flush(s: Scenario) -> None:
    s.play(s.moment())
    s.client.say(p.Flush("f"))
    s.cuts.append(s.at)
    s.hear()
    assert any(isinstance(m, p.Flushed) for m in s.messages)


def flush_then_the_worker_dies(s: Scenario) -> None:
    flush(s)
    s.play(s.moment(0.1))
    s.rig.workers.kill(s.worker())
    s.rig.workers.load()


def slow_reader(s: Scenario) -> None:
    """The client hears nothing for a while, then everything that matters."""
    hear, s.client.hear = s.client.hear, lambda: None  # type: ignore[method-assign]
    s.play(s.moment(2.0))
    s.client.hear = hear  # type: ignore[method-assign]


def tiny_pieces(s: Scenario) -> None:
    s.play(s.moment(), piece=s.random.choice([37, 101, 333]))


def burst(s: Scenario) -> None:
    s.play(s.moment())
    s.client.send(s.pcm[2 * s.at : 2 * (s.at + 32_000)])
    s.at = min(len(s.audio), s.at + 32_000)


def models_come_late(s: Scenario) -> None:
    for number in range(s.rig.workers.count):
        s.rig.workers.kill(number)
    s.play(s.moment(1.0))
    s.rig.workers.load()
    s.rig.settle()


def marks_and_pings(s: Scenario) -> None:
    for number in range(5):
        s.play(s.moment(0.05))
        s.client.say(p.Ping(float(number))).say(p.Mark(str(number)))


def neighbours_come_and_go(s: Scenario) -> None:
    for number in range(4):
        other = s.rig.connect().say(p.SessionStart(targets=("fr",)))
        other.send(noise(0.1, number).tobytes()[:3200])
        s.play(s.moment(0.05))
        if number % 2:
            other.say(p.SessionClose())
        else:
            other.vanish()
            s.rig.host.drop(other.port.live)  # type: ignore[arg-type]
    for hosted in [h for name, h in s.rig.host.sessions.items() if name != s.session]:
        s.rig.host.drop(hosted.live)


def garbage_in_between(s: Scenario) -> None:
    s.play(s.moment())
    for frame in ("{", "[]", '{"type": "gap", "ms": -1}', b"\0"):
        s.client.send(frame)
    s.hear()


FAULTS: list[Callable[[Scenario], None]] = [
    drop_and_resume,
    drop_in_the_middle_of_sending,
    come_back_without_the_audio,
    worker_dies,
    every_worker_dies_at_once,
    worker_dies_while_nobody_listens,
    connection_is_taken_over,
    old_token_is_tried,
    storm_of_strangers,
    flush,
    flush_then_the_worker_dies,
    slow_reader,
    tiny_pieces,
    burst,
    models_come_late,
    marks_and_pings,
    neighbours_come_and_go,
    garbage_in_between,
]


def run(fault: Callable[[Scenario], None], seed: int) -> None:
    scenario = Scenario(seed, targets=((), ("de",), ("de", "fr"))[seed % 3])
    fault(scenario)
    scenario.finish()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_costs_no_word(fault: Callable[[Scenario], None]) -> None:
    for seed in range(3):
        run(fault, seed)


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_costs_no_word_wherever_it_falls(fault: Callable[[Scenario], None]) -> None:
    """At more moments; `benchmarks/reliability/faults.py` has fifty of them on real sockets."""
    for seed in range(3, 15):
        run(fault, seed)
