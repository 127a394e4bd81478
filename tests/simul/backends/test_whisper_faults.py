"""What becomes of loops and of texts that end too early, on a model that hears what a script says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policies.local_agreement import LocalAgreement
from policies.offline import Offline
from simul.backends.base import StreamSpec
from simul.backends.whisper import WhisperBackend
from simul.clock import VirtualClock
from simul.decoding.interface import Hypothesis, Prompt
from simul.models.whisper.interface import MAX_POSITIONS
from simul.session import Session, SessionConfig
from simul.session.events import SegmentEnd
from tests.simul.backends.streams import decode, hear

RATE = 16_000
UNIT = RATE // 2
"""A word lasts half a second; its samples say its number."""
LOOPS, DEAF = 7, 8
"""The word that is written over and over, and the one after which nothing is heard, but at a window's beginning."""


class Tokens:
    """A vocabulary of words " w0" to " w99"."""

    end, start, previous, no_timestamps, first_timestamp = 100, 101, 102, 103, 104
    languages = frozenset({"en"})
    grows = np.zeros(100, bool)

    def task(self, source: str, target: str) -> tuple[int, ...]:
        return (self.start,)

    def is_text(self, token: int) -> bool:
        return token < self.end

    def surfaces(self, tokens: Sequence[int]) -> tuple[str, ...]:
        return tuple(f" w{token}" for token in tokens)


class Scripted:
    """Writes the numbers that it hears, and gives each its place."""

    folder, tokens = Path("scripted"), Tokens()
    aligns, attends, grows, offers = True, True, False, 1

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    def check_source(self, source: str) -> None: ...

    def encode(self, windows: Sequence[np.ndarray]) -> list[Any]:
        heard = [np.rint(samples[UNIT // 2 :: UNIT] * 100).astype(int).tolist() for samples in windows]
        return [[word for word in words if word] for words in heard]

    def generate(self, encoded: Sequence[list[int]], prompts: Sequence[Prompt]) -> list[Hypothesis]:
        self.prompts += prompts
        return [self._write(words, prompt) for words, prompt in zip(encoded, prompts, strict=True)]

    def _write(self, words: list[int], prompt: Prompt) -> Hypothesis:
        written, ended = [], True
        for place, word in enumerate(words):
            if word == DEAF and place:
                break
            written.append(word)
            if word == LOOPS and place:
                written += [word] * prompt.room(MAX_POSITIONS)
                break
        new = written[len(prompt.prefix) :]
        ended = len(new) <= prompt.room(MAX_POSITIONS)
        new = new[: prompt.room(MAX_POSITIONS)]
        frames = len(words) * 25
        return Hypothesis(
            tuple(new), np.full(len(new), -0.1), ended, attention=self._rows(new, words, frames)
        )

    def _rows(self, new: list[int], words: list[int], frames: int) -> np.ndarray:
        rows = np.zeros((len(new), frames), np.float32)
        for row, word in zip(rows, new, strict=True):
            row[words.index(word) * 25 + 12] = 1
        return rows

    def align(
        self, encoded: Sequence[list[int]], head: Any, texts: Sequence[Sequence[int]], samples: Any
    ) -> list[np.ndarray]:
        """Each word lies where it was heard; all rounds of a loop in the same place."""
        found = []
        for words, text in zip(encoded, texts, strict=True):
            places = [words.index(word) for word in text]
            found.append(np.array([(p * UNIT, (p + 1) * UNIT) for p in places], np.int64).reshape(-1, 2))
        return found


class Speech:
    """Every frame is speech that says something."""

    def __call__(self, frames: np.ndarray) -> list[bool]:
        return [bool(np.abs(frame).max() > 0.005) for frame in frames]


def speech(words: Sequence[int]) -> np.ndarray:
    return np.repeat(np.array(words) / 100, UNIT).astype(np.float32)


def candidate(words: Sequence[int], end: bool = True, **more: Any) -> tuple[Any, Scripted, WhisperBackend]:
    model = Scripted()
    backend = WhisperBackend(model, activity=Speech)
    stream = backend.open(StreamSpec("en", "en"))
    hear(backend, stream, speech(words), end)
    return decode(backend, stream, **more), model, backend


@pytest.mark.parametrize("fault", [LOOPS, DEAF])
def test_what_follows_a_fault_is_heard_at_the_end_of_a_segment(fault: int) -> None:
    words = [1, 2, 3, fault, 4, 5, 6, 9, 10, 11]
    found, model, _ = candidate(words)
    assert list(found.ids) == words
    assert len(model.prompts) == 2
    assert model.prompts[1].prefix == ()
    np.testing.assert_array_equal(found.spans[:, 0], UNIT * np.arange(len(words)))
    np.testing.assert_array_equal(found.alignment.weights.argmax(1), 25 * np.arange(len(words)) + 12)
    assert len(found.logprobs) == len(words)


def test_several_faults_in_one_segment() -> None:
    words = [1, 2, LOOPS, 3, 4, 5, 6, DEAF, 9, 10, 11, 12, 13, 14]
    assert list(candidate(words)[0].ids) == words


def test_a_short_rest_after_an_early_end_is_left_alone() -> None:
    found, model, _ = candidate([1, 2, 3, DEAF, 4])
    assert list(found.ids) == [1, 2, 3]
    assert len(model.prompts) == 1


def test_a_fault_in_mid_speech_is_taken_seriously_when_it_lasts() -> None:
    words = [1, 2, 3, LOOPS, 4, 5, 6, 9]
    first, model, backend = candidate(words, end=False)
    assert list(first.ids) == [1, 2, 3, LOOPS]
    assert not first.ended
    assert len(model.prompts) == 1
    (stream,) = backend.streams
    hear(backend, stream, speech([10, 11]))
    assert list(decode(backend, stream).ids) == [*words, 10, 11]
    model.prompts.clear()
    hear(backend, stream, speech([12, 13]))
    # What was said up to the loop is known; only the rest is heard again.
    again = decode(backend, stream, (" w1", " w2"), (1, 2))
    assert list(again.ids) == [3, LOOPS, 4, 5, 6, 9, 10, 11, 12, 13]
    assert [prompt.prefix for prompt in model.prompts] == [()]
    later = decode(backend, stream, (" w1", " w2", " w3", f" w{LOOPS}", " w4"), (1, 2, 3, LOOPS, 4))
    assert list(later.ids) == [5, 6, 9, 10, 11, 12, 13]
    assert model.prompts[-1].prefix == (4,)
    np.testing.assert_array_equal(later.spans[0], [5 * UNIT, 6 * UNIT])


@pytest.mark.parametrize("policy", [Offline(), LocalAgreement(2)])
@pytest.mark.parametrize("chunk", [UNIT, 3 * UNIT])
def test_a_session_loses_nothing_behind_a_fault(policy: Any, chunk: int) -> None:
    words = [1, 2, 3, LOOPS, 4, 5, 6, 9, 10, 11, DEAF, 12, 13, 14, 15, 16]
    backend = WhisperBackend(Scripted(), activity=Speech)
    session = Session(policy, backend, VirtualClock(), SessionConfig("en", "en", chunk))
    events = session.feed(np.concatenate([speech(words), np.zeros(RATE, np.float32)])) + session.finish()
    text = " ".join(e.text for e in events if isinstance(e, SegmentEnd))
    assert text.split() == [f"w{word}" for word in words]
