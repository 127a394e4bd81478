"""Text read word by word: when what is written, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import LocalAgreement, Offline, WaitK
from policies.base import Policy
from simul.errors import EvidenceError
from simul.evaluation.reading import ReadingStep, TextRecognizer, read_text
from simul.models.translation.interface import TextRequest, TextResult
from simul.units import SAMPLE_RATE


class Upper:
    """Writes each word in capitals; `last` is what it says of the newest word until the next one comes."""

    name = "upper"
    sources, targets = frozenset({"en"}), frozenset({"de", "ja"})

    def __init__(self, last: str = "") -> None:
        self.last = last

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        return [self._result(request) for request in requests]

    def _result(self, request: TextRequest) -> TextResult:
        words = request.source.upper().split()
        if self.last and not request.complete and words:
            words[-1] = self.last
        skip = len(request.prefix_ids)
        tokens = tuple((" " + word if request.target == "de" else word) for word in words)[skip:]
        if request.max_new_tokens is not None:
            tokens = tokens[: request.max_new_tokens]
        index = np.arange(skip, skip + len(tokens))
        shares = np.eye(len(words), dtype=np.float32)[index]
        return TextResult(tokens, tuple(index.tolist()), -np.ones(len(tokens)), index, True, shares)


TEXT = "we leave early tomorrow and come back"


def test_wait_k_writes_a_word_for_each_word_read() -> None:
    reading = read_text(TEXT, WaitK(k=3, unit="word"), Upper(), "en", "de")
    assert reading.target == TEXT.upper()
    assert reading.source == tuple(TEXT.split())
    assert reading.delays == (3, 4, 5, 6, 7, 7, 7)
    assert reading.steps[0] == ReadingStep(3, "WE")
    assert reading.laal == pytest.approx(3 * 5 / 5)


def test_waiting_for_the_end_writes_all_at_the_end() -> None:
    reading = read_text(TEXT, Offline(), Upper(), "en", "de")
    assert reading.steps == (ReadingStep(7, TEXT.upper()),)
    assert reading.delays == (7,) * 7
    assert reading.laal == 7


def test_local_agreement_writes_what_two_passes_agree_on() -> None:
    reading = read_text(TEXT, LocalAgreement(2), Upper("…"), "en", "de")
    assert reading.target == TEXT.upper()
    assert reading.delays == (3, 4, 5, 6, 7, 7, 7)


def test_a_language_without_spaces_has_a_delay_for_each_character() -> None:
    reading = read_text("ab c", WaitK(k=1, unit="word", target="token"), Upper(), "en", "ja")
    assert (reading.target, reading.delays) == ("ABC", (1, 1, 2))


@pytest.mark.parametrize("policy", [Offline(), WaitK(k=2, unit="word")])
def test_nothing_is_read_of_nothing(policy: Policy) -> None:
    reading = read_text("  ", policy, Upper(), "en", "de")
    assert (reading.target, reading.steps, reading.delays, reading.laal) == ("", (), (), None)


def test_a_policy_that_needs_audio_is_refused() -> None:
    with pytest.raises(EvidenceError):
        read_text(TEXT, WaitK(k=2, unit="ctc-word"), Upper(), "en", "de")


def test_a_failing_translator_is_not_silent() -> None:
    class Broken(Upper):
        def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
            raise RuntimeError("no memory left")

    with pytest.raises(RuntimeError, match="no memory left"):
        read_text(TEXT, Offline(), Broken(), "en", "de")


@given(st.lists(st.integers(0, SAMPLE_RATE), max_size=12))
def test_words_are_heard_one_after_the_other(pieces: list[int]) -> None:
    recognizer = TextRecognizer(["a", "b", "c", "d", "e"])
    for count in pieces:
        recognizer.push(np.zeros(count, np.float32))
    words = recognizer.hypothesis()
    assert len(words) == min(5, sum(pieces) // (SAMPLE_RATE * 2 // 5))
    assert all(a.end_sample == b.start_sample for a, b in pairwise(words))
    assert [u.words for u in recognizer.finish()] == [words]
    assert recognizer.finish() == []
