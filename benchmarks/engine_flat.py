"""Whether what a stream takes grows with it: computing and state of each, memory of the process, quarter by quarter.

Streams hear recordings over and over, in real time on a clock that counts computing; a batch's computing is shared
among those in it, and a stream's state is what it would take along to another engine. Prints JSON.

    python -m benchmarks.engine_flat AUDIO... [--streams 16] [--seconds 600] [--window live] [--chunk-ms 500] [--beam 5]
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.machine import describe
from simul.audio.files import FileSource
from simul.audio.intake import to_samples
from simul.clock import MeteredClock
from simul.config import ModelConfig, StreamOptions
from simul.engine import Decided, StreamEngine, Terms
from simul.evaluation.capacity.measure import resident
from simul.evaluation.capacity.service import Talk
from simul.session.factory import SessionFactory
from simul.session.stream import SessionConfig
from simul.units import SAMPLE_RATE

QUARTERS = 4
WEIGHED = 5
"""Chunks from one look at the memory to the next."""


class QuarterBook:
    """What was computed and held in a quarter, by stream."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.seconds = dict.fromkeys(numbers, 0.0)
        self.decisions = dict.fromkeys(numbers, 0)
        self.state = dict.fromkeys(numbers, 0)
        self.memory = 0

    def note(self, seconds: float, decided: Sequence[Decided]) -> None:
        """A step took so long and brought these decisions."""
        for each in decided:
            self.seconds[each.number] += seconds / len(decided)
            self.decisions[each.number] += 1

    def weigh(self, engine: StreamEngine, at: float) -> None:
        """How much every stream and the process hold now."""
        self.memory = max(self.memory, resident() or 0)
        for number in self.state:
            size = len(pickle.dumps(engine.dump(number, at), pickle.HIGHEST_PROTOCOL))
            self.state[number] = max(self.state[number], size)

    def row(self) -> dict[str, Any]:
        """The quarter: means and most of all, and by stream."""
        each = [self.seconds[number] / max(1, self.decisions[number]) for number in self.seconds]
        return {
            "seconds_per_decision": round(sum(self.seconds.values()) / sum(self.decisions.values()), 4),
            "memory_mib": round(self.memory / 2**20, 1),
            "decisions": sum(self.decisions.values()),
            "stream_seconds_per_decision": [round(one, 4) for one in each],
            "stream_state_kib": [round(size / 2**10) for size in self.state.values()],
        }


def growth(quarters: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    """The last quarter as a multiple of the second, since the first holds what a model does once: median and most."""
    found = np.array(quarters[-1][name]) / np.array(quarters[1][name])
    return {"median": round(float(np.median(found)), 3), "most": round(float(found.max()), 3)}


def measure(factory: SessionFactory, talk: Talk, streams: int) -> list[dict[str, Any]]:
    """The quarters of so many streams that hear a talk to its end."""
    backend = factory.loaded.backend
    decided: list[Decided] = []
    clock, engine = MeteredClock(backend.meter), StreamEngine(backend, on_decision=decided.append)
    numbers = [engine.open(factory.policy(), talk.config, terms=Terms(live=False)) for _ in range(streams)]
    every = [talk.audio(stream) for stream in range(streams)]
    steps = round(talk.seconds * SAMPLE_RATE) // talk.config.chunk
    quarters: list[dict[str, Any]] = []
    book = QuarterBook(numbers)
    for step in range(1, steps + 1):
        for number, chunks in zip(numbers, every, strict=True):
            engine.push(number, next(chunks), clock.now())
        while engine.ready:
            start = clock.now()
            engine.step(clock.now)
            book.note(clock.now() - start, decided)
            decided.clear()
        if step % WEIGHED == 0:
            book.weigh(engine, clock.now())
        if step * QUARTERS // steps > len(quarters):
            quarters.append(book.row())
            print(f"{step} of {steps} chunks: {quarters[-1]}", flush=True, file=sys.stderr)
            book = QuarterBook(numbers)
    return quarters


def main() -> None:
    """Print the quarters as JSON."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("audio", nargs="+")
    p.add_argument("--streams", type=int, default=16)
    p.add_argument("--seconds", type=int, default=600)
    p.add_argument("--window", default="live")
    p.add_argument("--chunk-ms", type=int, default=500)
    p.add_argument("--beam", type=int, default=5)
    given = p.parse_args()
    options = StreamOptions(target="en", chunk_ms=given.chunk_ms)
    model = ModelConfig(model="whisper-base", threads=1, window=given.window, beam=given.beam)
    config = SessionConfig(target="en", chunk=to_samples(given.chunk_ms))
    talk = Talk([np.concatenate([*FileSource(path)]) for path in given.audio], given.seconds, config)
    begun = time.monotonic()
    quarters = measure(SessionFactory(options, model), talk, given.streams)
    found = {
        "machine": describe(("onnxruntime",)),
        "recordings": len(talk.recordings),
        **{name: getattr(given, name) for name in ("streams", "seconds", "window", "chunk_ms", "beam")},
        "quarters": quarters,
        "growth": {
            name: growth(quarters, f"stream_{name}") for name in ("seconds_per_decision", "state_kib")
        },
        "wall_seconds": round(time.monotonic() - begun),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
