"""Whisper in causal blocks over minutes without a pause: windows begin anew, a second of sound costs what it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the encoder is computed by onnxruntime")

from policies.local_agreement import LocalAgreement
from simul.backends.base import Backend
from simul.clock import VirtualClock
from simul.models.whisper.causal import CausalEncoder, CausalState
from simul.models.whisper.guard import GuardConfig
from simul.session import Session, SessionConfig
from simul.session.events import Event, SegmentEnd
from tests.simul.tone_speech import audio
from tests.tiny_models import RATE

BLOCK, TAIL_FRAMES = 25, 25
"""Frames of the fixture's blocks, and of the silence behind a window."""
TRUSTING = GuardConfig(repeats=10**6, missing=10.0**6)
"""Of an encoder that was not trained for blocks the decoder makes loops; here they stand."""


def long_speech(seconds: int) -> np.ndarray:
    """Tone words again and again, without a pause that ends a segment."""
    tone = audio(1, 3, 4)[0]
    return np.resize(np.where(np.abs(tone) < 0.06, 0.06, tone), seconds * RATE).astype(np.float32)


def hear(backend: Backend[Any], seconds: int, after: Callable[[int], None]) -> list[Event]:
    """The events of a long speech, decided every second; `after` is told the seconds heard."""
    session = Session(LocalAgreement(2), backend, VirtualClock(), SessionConfig("en", "en", RATE))
    sound, events = long_speech(seconds), []
    for second in range(seconds):
        events += session.feed(sound[second * RATE : (second + 1) * RATE])
        after(second + 1)
    return events + session.finish()


def test_a_second_costs_the_same_after_a_minute(
    causal_whisper: Callable[[], Backend[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    reached: list[int] = []
    per_second: list[int] = []
    real = CausalEncoder._encode

    def counted(self: CausalEncoder, states: Any, count: int) -> Any:
        found = real(self, states, count)
        encoded.append(count)
        reached.append(max(state.frames for state in states))
        return found

    def next_second(heard: int) -> None:
        per_second.append(sum(encoded))
        encoded.clear()

    monkeypatch.setattr(CausalEncoder, "_encode", counted)
    backend = causal_whisper()
    monkeypatch.setattr(backend, "guard", TRUSTING)
    ends = [event for event in hear(backend, 62, next_second) if isinstance(event, SegmentEnd)]
    assert len(ends) >= 3
    assert all(event.end - event.start <= 29 * RATE for event in ends)
    assert max(reached) <= 1500
    # New frames, what is open of a block, and the silence behind it; more only where a window begins anew.
    usual = 50 + BLOCK + TAIL_FRAMES
    assert sum(count > usual for count in per_second) < len(ends)


def test_what_is_heard_anew_after_a_loop_does_not_cost_the_whole_window(
    causal_whisper: Callable[[], Backend[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    heard = [0]
    real = CausalEncoder.push

    def counted(self: CausalEncoder, state: CausalState, samples: np.ndarray) -> None:
        if not state.received:
            begun.append(len(samples))
        real(self, state, samples)

    def next_second(seconds: int) -> None:
        assert seconds == 1 or seconds * RATE not in begun, f"all of it was encoded anew at {seconds} s"
        heard[0] += len(begun)
        begun.clear()

    monkeypatch.setattr(CausalEncoder, "push", counted)
    hear(causal_whisper(), 20, next_second)
    assert heard[0] > 1, "nothing was heard anew; this test asks nothing"
