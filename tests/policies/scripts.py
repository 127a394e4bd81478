"""Random scripts for the scripted backend: hypotheses that grow, flicker and shrink, with every kind of evidence."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from policies.base import Activity, Alignment, Candidate, Need, Policy, Segment
from simul.backends.base import DecodeRequest, Limits
from simul.backends.scripted import LANGUAGES, Pass, ScriptedBackend, ScriptedSegment
from simul.clock import VirtualClock
from simul.session import Session, SessionConfig
from simul.session.events import Event

CHUNK = 8000
FRAME = 640
WORDS = (
    " das",
    " Haus",
    "haus",
    " ist",
    ".",
    ",",
    " groß",
    "es",
    " und",
    " nicht",
    "家",
    "が",
    " ja",
    "!",
    " A",
)
BROKEN = ("\udcf0\udc9f", "\udc98\udc80")
"""An emoji whose bytes are split over two tokens."""


def hypothesis_of(rng: random.Random, length: int) -> list[str]:
    """`length` tokens or one more."""
    tokens: list[str] = []
    while len(tokens) < length:
        tokens += BROKEN if rng.random() < 0.1 else (rng.choice(WORDS),)
    return tokens


def candidate_of(
    rng: random.Random, tokens: Sequence[str], times: Sequence[int], start: int, heard: int
) -> Candidate:
    """A candidate of a segment that began at `start`, with evidence of every kind; `times`: where tokens end."""
    n = len(tokens)
    ends = np.array(times[:n], dtype=np.int64)
    starts = np.concatenate([[start], ends[:-1]]).astype(np.int64)[:n]
    frames = max(1, (heard - start) // FRAME)
    weights = np.array([[rng.random() for _ in range(frames)] for _ in tokens], dtype=np.float32)
    weights = weights.reshape(n, frames)
    for i, end in enumerate(ends):
        weights[i, min(frames - 1, (int(end) - start - 1) // FRAME)] += 3
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    segments = []
    at = 0
    while at < n:
        size = min(n - at, rng.randint(1, 5))
        text = "".join(tokens[at : at + size]).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        span = int(starts[at]), int(ends[at + size - 1])
        segments.append(Segment(*span, text, rng.choice((0.01, 0.3, 0.6, 0.95)), size))
        at += size
    other = [*tokens[: rng.randint(0, n)], *hypothesis_of(rng, 2)]
    return Candidate(
        tokens=tuple(tokens),
        ids=tuple(range(n)),
        logprobs=np.array([-rng.random() * 2 for _ in tokens]),
        spans=np.stack([starts, ends], axis=1).reshape(n, 2),
        segments=tuple(segments),
        alignment=Alignment(weights, FRAME, start),
        beams=(tuple(other),),
        committable=rng.randint(0, n) if rng.random() < 0.3 else None,
        source_text="source",
    )


def script(seed: int, words: bool = False) -> tuple[list[ScriptedSegment], int]:
    """Segments, and how many samples the stream has; `words`: whole words of one language only."""
    rng = random.Random(seed)
    segments, start = [], 0
    for _ in range(rng.randint(1, 3)):
        chunks = rng.randint(1, 8)
        end = start + chunks * CHUNK - rng.choice((0, 0, 1234))
        final = hypothesis_of(rng, rng.randint(0, 3 * chunks))
        if words:
            final = [f" w{rng.randint(0, 9)}" for _ in final]
        times = [start + (i + 1) * (end - start) // max(1, len(final)) for i in range(len(final))]
        passes = []
        for k in range(1, chunks + 1):
            heard = min(end, start + k * CHUNK)
            tokens = final[: max(0, len(final) * k // chunks + rng.randint(-1, 1))]
            if k < chunks and tokens and rng.random() < 0.5:
                tokens = tokens[: -rng.randint(1, 3)] + hypothesis_of(rng, 1)
            tokens = tokens[: sum(end <= heard for end in times)]
            silence = rng.choice((0, 0, 4000, 9000))
            activity = Activity(min(silence, heard - start), rng.choice((0.0, 0.5, 1.0)))
            units = {"word": k, "ctc-word": k, "token": k}
            passes.append(Pass(heard, candidate_of(rng, tokens, times, start, heard), units, activity))
        segments.append(ScriptedSegment(start, end, tuple(passes)))
        start = end
    return segments, start


@dataclass
class Record:
    """One decoding pass."""

    request: DecodeRequest
    candidate: Candidate


@dataclass
class RecordingBackend(ScriptedBackend):
    """A scripted backend that keeps its requests and candidates."""

    script: Sequence[ScriptedSegment]
    limits: Limits = field(default_factory=lambda: Limits(LANGUAGES, LANGUAGES, trims=True))
    on_decode: Callable[[int], None] | None = None
    provided: frozenset[Need] = frozenset(Need)
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.script, self.provided, self.on_decode, self.limits)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        candidates = super().decode(requests)
        self.records += [Record(r, c) for r, c in zip(requests, candidates, strict=True)]
        return candidates


def run(
    policy: Policy, backend: ScriptedBackend, samples: int, feeds: Sequence[int] = (), slow: float = 0
) -> list[Event]:
    """The events of a stream whose audio arrives in real time; each pass takes `slow` seconds.

    `feeds`: sizes of the pieces that the audio comes in, over and over; by default whole chunks.
    """
    clock = VirtualClock()
    if slow:
        backend._on_decode = lambda _: clock.advance(slow)
    session = Session(policy, backend, clock, SessionConfig(chunk=CHUNK))
    events: list[Event] = []
    at = turn = 0
    while at < samples:
        size = min(feeds[turn % len(feeds)] if feeds else CHUNK, samples - at)
        at, turn = at + size, turn + 1
        clock.sleep_until(at / 16000)
        events += session.feed(np.zeros(size, dtype=np.float32))
        if session.failure is not None:
            raise session.failure
    events += session.finish()
    if session.failure is not None:
        raise session.failure
    return events
