"""Echoes of the previous text, and texts that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from simul.decoding.interface import Hypothesis
from simul.models.whisper.guard import GuardConfig
from simul.units import SAMPLE_RATE


@pytest.mark.parametrize(
    ("previous", "text", "final", "echo"),
    [
        ("and so on. Chapter 27.", " Chapter 27", False, True),
        ("and so on. Chapter 27.", " chapter 27, but we must", False, False),
        ("Chapter 27.", " Chapter 27. But we", False, True),
        ("the last word", " word", False, False),
        ("the last word", " Word.", True, True),
        ("", " word", True, False),
        ("Chapter 26", " Chapter 27", True, False),
    ],
)
def test_a_text_that_says_the_end_of_the_previous_one_again(
    previous: str, text: str, final: bool, echo: bool
) -> None:
    assert GuardConfig.echoes(previous, text, final) is echo


@pytest.mark.parametrize(
    ("ids", "unlikely", "invented"),
    [
        ([1, 2, 3, 4], 4, True),
        ([1, 2, 3, 4], 1, False),
        # A likely repetition makes a text no likelier, whole or begun.
        ([1, 2, 3, 4, 1, 2, 3, 4], 4, True),
        ([1, 2, 3, 4, 5, 1, 2, 3], 5, True),
        ([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], 4, True),
        ([1, 2, 3, 4, 5, 6, 7, 8], 4, False),
        ([], 0, False),
    ],
)
def test_unlikely_texts_are_invented(ids: list[int], unlikely: int, invented: bool) -> None:
    logprobs = np.full(len(ids), -0.1)
    logprobs[:unlikely] = -1.5
    assert (
        GuardConfig().is_invented(Hypothesis(tuple(ids), logprobs, True), 5 * SAMPLE_RATE, True) is invented
    )


@pytest.mark.parametrize(
    ("no_speech", "seconds", "final", "invented"),
    [
        (0.1, 1.0, True, False),
        (0.1, 1.0, False, True),
        (0.7, 1.0, True, True),
        (0.1, 2.0, True, True),
    ],
)
def test_an_unlikely_text_of_a_short_segment_is_believed_at_its_end(
    no_speech: float, seconds: float, final: bool, invented: bool
) -> None:
    samples = round(seconds * SAMPLE_RATE)
    found = Hypothesis((1,), np.array([-1.5]), True, no_speech_prob=no_speech)
    assert GuardConfig().is_invented(found, samples, final) is invented


@pytest.mark.parametrize(
    ("no_speech", "logprob", "invented"),
    [(0.0, -0.95, False), (0.5, -0.65, True), (0.5, -0.55, False), (0.1, -0.95, True), (0.1, -0.9, False)],
)
def test_the_less_sure_it_is_that_somebody_speaks_the_likelier_a_text_must_be(
    no_speech: float, logprob: float, invented: bool
) -> None:
    found = Hypothesis((1, 2, 3), np.full(3, logprob, np.float32), True, no_speech_prob=no_speech)
    assert GuardConfig().is_invented(found, 3 * SAMPLE_RATE, final=True) is invented


@pytest.mark.parametrize(
    ("no_speech", "logprob", "written", "translated"),
    [
        (0.0, -0.95, False, False),
        (0.0, -1.15, True, False),
        (0.5, -0.95, True, False),
        (0.5, -1.05, True, True),
    ],
)
def test_of_a_translation_less_is_asked(
    no_speech: float, logprob: float, written: bool, translated: bool
) -> None:
    found = Hypothesis((1, 2, 3), np.full(3, logprob, np.float32), True, no_speech_prob=no_speech)
    guard = GuardConfig()
    assert guard.is_invented(found, 3 * SAMPLE_RATE, final=False) is written
    assert guard.is_invented(found, 3 * SAMPLE_RATE, final=False, translated=True) is translated


def test_a_translation_of_little_audio_is_judged_like_what_is_written_down() -> None:
    found, guard = Hypothesis((1, 2, 3), np.full(3, -1.1, np.float32), True), GuardConfig()
    assert guard.is_invented(found, SAMPLE_RATE, final=False, translated=True)
    assert not guard.is_invented(found, 2 * SAMPLE_RATE, final=False, translated=True)
