"""What each policy costs per chunk, without any model: plan and judge on a candidate of 200 tokens, as JSON.

The candidate carries every kind of evidence; its attention covers a window of frames of 20 ms
(15 s, the length at which a session begins to cut audio). Two hypotheses that
differ near their ends alternate, so that agreement has something to compare. A figure is processor time in
microseconds: the mean over a round's chunks, of the quickest round, since other processes can only slow a round.

    python -m benchmarks.policy_cost [--tokens 200] [--window-s 15] [--rounds 40]
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.machine import describe as describe_machine
from policies import (
    Activity,
    Alignment,
    Candidate,
    Evidence,
    Policy,
    Segment,
    SourceView,
    describe,
    make_policy,
)
from policies.base import SAMPLES_PER_MS

RATE = 1000 * SAMPLES_PER_MS
FRAME = 320
CHUNKS = 20
LIMIT = 200.0

VARIANTS = (
    "local-agreement(unit=word, compare=normalized)",
    "local-agreement(n=3, compare=normalized)",
    "align-att(normalize=none)",
    "confidence-aware(profile=faithful)",
    "consensus(profile=faithful)",
    "stream-att(align-bridge, audio=times)",
    "timeout(gate(local-agreement(n=2)), after_ms=4000)",
)
FURTHER = {"sliding-window": "sliding-window(window_ms=10000)"}


def candidate(tokens: int, frames: int, seed: int) -> Candidate:
    """A candidate of German-like words, in segments of twenty tokens, whose attention moves along the window."""
    rng = np.random.default_rng(seed)
    words = random.Random(0)
    pieces = [f" {words.choice('aeiou')}{words.randint(0, 400)}" for _ in range(tokens)]
    pieces[-10:] = [f" z{seed}{i}" for i in range(min(10, tokens))]
    pieces[4::9] = ["."] * len(pieces[4::9])
    ends = np.linspace(0.02, 0.97, tokens) * frames * FRAME
    weights = rng.random((tokens, frames), dtype=np.float32) * np.float32(0.01)
    weights[np.arange(tokens), (ends // FRAME).astype(int)] += 1
    spans = np.stack([ends - 2 * FRAME, ends], axis=1).astype(np.int64)
    segments = tuple(
        Segment(
            int(spans[i, 0]), int(spans[min(i + 19, tokens - 1), 1]), "".join(pieces[i : i + 20]), 0.05, 20
        )
        for i in range(0, tokens - tokens % 20, 20)
    )
    return Candidate(
        tuple(pieces),
        ids=tuple(range(tokens)),
        logprobs=np.full(tokens, -0.05),
        spans=spans,
        segments=segments,
        alignment=Alignment(weights, FRAME, 0),
        beams=(tuple(pieces[:-3]), tuple(pieces[:-5])),
    )


def stream(pair: list[Candidate], counter: Iterator[int]) -> list[Evidence]:
    """A few chunks, each with a new candidate that ends in a new token and of which nothing was committed."""
    given = []
    for number in range(CHUNKS):
        one = pair[number % len(pair)]
        assert one.alignment is not None
        frames = one.alignment.weights.shape[1]
        units = {"word": 40, "ctc-word": 40, "token": 40}
        source = SourceView(frames * FRAME, RATE, units=units, activity=Activity(0, 1.0))
        tokens = (*one.tokens[:-1], f" {next(counter)}")
        fresh = replace(one, tokens=tokens, alignment=Alignment(one.alignment.weights, FRAME, 0))
        given.append(Evidence(source, (), fresh))
    return given


def cost(policy: Policy, pair: list[Candidate], rounds: int) -> float:
    """Microseconds of processor time per chunk."""
    times, counter = [], itertools.count()
    for _ in range(rounds):
        given = stream(pair, counter)
        state = policy.start()
        begin = time.process_time_ns()
        for evidence in given:
            policy.plan(state, evidence.source)
            state, _ = policy.judge(state, evidence)
        times.append((time.process_time_ns() - begin) / 1000 / len(given))
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--window-s", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    frames = int(options.window_s * RATE / FRAME)
    pair = [candidate(options.tokens, frames, seed) for seed in (0, 1)]
    names = [FURTHER.get(info.name, info.example) for info in describe()] + list(VARIANTS)
    costs = {name: round(cost(make_policy(name), pair, options.rounds), 1) for name in names}
    dearest = max(costs, key=lambda name: costs[name])
    result = {
        "machine": describe_machine(("numpy",)),
        "tokens": options.tokens,
        "frames": frames,
        "limit_us": LIMIT,
        "within_limit": costs[dearest] <= LIMIT,
        "dearest": dearest,
        "us_per_chunk": costs,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
