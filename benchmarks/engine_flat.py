"""Whether what a stream takes grows with it: computing of each decision and memory of the process, quarter by quarter.

Streams hear recordings over and over, in real time on a clock that counts computing. Prints JSON.

    python -m benchmarks.engine_flat AUDIO... [--streams 16] [--seconds 600] [--window live] [--chunk-ms 500] [--beam 5]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import numpy as np

from benchmarks.machine import describe
from simul.audio.files import FileSource
from simul.audio.intake import to_samples
from simul.clock import MeteredClock
from simul.config import ModelConfig, StreamOptions
from simul.engine import StreamEngine, Terms
from simul.evaluation.capacity.measure import resident
from simul.evaluation.capacity.service import Talk
from simul.session.factory import SessionFactory
from simul.session.stream import SessionConfig

QUARTERS = 4


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
    factory = SessionFactory(options, model)
    backend = factory.loaded.backend
    config = SessionConfig(target="en", chunk=to_samples(given.chunk_ms))
    recordings = [np.concatenate([*FileSource(path)]) for path in given.audio]
    talk = Talk(recordings, given.seconds, config)
    clock, engine = MeteredClock(backend.meter), StreamEngine(backend)
    numbers = [engine.open(factory.policy(), config, terms=Terms(live=False)) for _ in range(given.streams)]
    every = [talk.audio(stream) for stream in range(given.streams)]
    steps = given.seconds * 16_000 // config.chunk
    costs, memory, begun = [], [], time.monotonic()
    quarters: list[dict[str, Any]] = []
    for step in range(steps):
        for number, chunks in zip(numbers, every, strict=True):
            engine.push(number, next(chunks), clock.now())
        start = clock.now()
        while engine.ready:
            engine.step(clock.now)
        costs.append((clock.now() - start) / given.streams)
        memory.append((resident() or 0) / 2**20)
        if (step + 1) % max(1, steps // QUARTERS) == 0:
            newest = slice(len(quarters) * steps // QUARTERS, step + 1)
            quarters.append(
                {
                    "seconds_per_decision": round(float(np.mean(costs[newest])), 4),
                    "memory_mib": round(float(np.max(memory[newest])), 1),
                }
            )
            print(f"{step + 1} of {steps} chunks: {quarters[-1]}", flush=True, file=sys.stderr)
    found = {
        "machine": describe(("onnxruntime",)),
        "streams": given.streams,
        "seconds": given.seconds,
        "window": given.window,
        "chunk_ms": given.chunk_ms,
        "beam": given.beam,
        "quarters": quarters,
        "wall_seconds": round(time.monotonic() - begun),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
