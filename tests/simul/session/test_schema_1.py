"""The example talks give today the events that they gave under schema 1, seen as schema 1 had them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policies import make_policy
from simul.backends.cascade import CascadeBackend
from simul.clock import VirtualClock
from simul.evaluation.trace.recognizer import RecognizerTrace, ReplayRecognizer
from simul.models.translation.interface import TextRequest, TextResult
from simul.session import Session, SessionConfig
from simul.units import SAMPLE_RATE
from tests.vectors import VECTORS

CHUNK = SAMPLE_RATE // 2


class Halves:
    """Turns a word into one token or two, and ends a text that is complete with a full stop."""

    name = "halves"
    sources = frozenset({"en"})
    targets = frozenset({"de"})

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        return [self._result(request) for request in requests]

    def _result(self, request: TextRequest) -> TextResult:
        words = request.source.split()
        pieces = [
            (piece, place)
            for place, word in enumerate(words)
            for piece in (" " + word[:3].upper(), word[3:].upper())
            if piece
        ]
        if request.complete and words:
            pieces.append((".", len(words) - 1))
        begin = len(request.prefix)
        end = None if request.max_new_tokens is None else begin + request.max_new_tokens
        tokens = tuple(piece for piece, _ in pieces[begin:end])
        places = np.array([place for _, place in pieces[begin:end]], np.int64)
        chances = np.array([-0.25 * len(token) for token in tokens])
        return TextResult(tokens, tuple(range(begin, begin + len(tokens))), chances, places)


def said(trace: RecognizerTrace, policy: str, target: str) -> list[dict[str, Any]]:
    """The events of a talk that a recogniser heard as `trace` tells, in real time, with nothing taking any."""
    clock, length = VirtualClock(), max(step.heard for step in trace.steps)
    backend = CascadeBackend(lambda: ReplayRecognizer(trace), Halves())
    session = Session(make_policy(policy), backend, clock, SessionConfig("en", target, CHUNK))
    events = []
    for start in range(0, length, CHUNK):
        piece = np.zeros(min(CHUNK, length - start), np.float32)
        clock.sleep_until((start + len(piece)) / SAMPLE_RATE)
        events += session.feed(piece)
    return [json.loads(event.to_json()) for event in events + session.finish()]


@pytest.mark.parametrize("talk", ["cooking", "family", "travel", "printing-en"])
def test_every_policy_says_what_it_said(talk: str, tmp_path: Path) -> None:
    stored = json.loads(gzip.decompress((VECTORS / "schema-1" / f"{talk}.json.gz").read_bytes()))
    recorded = tmp_path / "trace.jsonl"
    recorded.write_text("".join(json.dumps(line) + "\n" for line in stored["trace"]), "utf-8")
    trace = RecognizerTrace.read(recorded)
    assert len(stored["events"]) == 21
    for policy, targets in stored["events"].items():
        for target, expected in targets.items():
            found = said(trace, policy, target)
            assert len(found) == len(expected), (policy, target)
            for new, old in zip(found, expected, strict=True):
                assert {name: new[name] for name in old} == old, (policy, target)
