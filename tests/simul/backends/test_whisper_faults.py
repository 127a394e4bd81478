"""What becomes of loops and of texts that end too early, on a model that hears what a script says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from policies.local_agreement import LocalAgreement
from policies.offline import Offline
from simul.backends.base import StreamSpec
from simul.backends.whisper import WhisperBackend
from simul.clock import VirtualClock
from simul.models.whisper.retry import wide
from simul.session import Session, SessionConfig
from simul.session.events import SegmentEnd
from tests.simul.backends.scripted_whisper import (
    DEAF,
    ECHOES,
    HAUNTED,
    LOOPS,
    MUMBLED,
    NARROW,
    RATE,
    ROUNDS,
    UNIT,
    WIDE,
    Scripted,
    Speech,
    speech,
)
from tests.simul.backends.streams import decode, hear


def candidate(
    words: Sequence[int], end: bool = True, no_speech: float = 0.0, **more: Any
) -> tuple[Any, Scripted, WhisperBackend]:
    model = Scripted()
    model.no_speech = no_speech
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


def test_what_repeats_the_previous_text_is_decoded_without_it() -> None:
    model = Scripted()
    backend = WhisperBackend(model, activity=Speech)
    session = Session(LocalAgreement(2), backend, VirtualClock(), SessionConfig("en", "en", UNIT))
    pause = np.zeros(RATE, np.float32)
    sound = [speech([1, 2, 3]), pause, speech([ECHOES, 4, 5, 9, 10]), pause, speech([11, 12, 13]), pause]
    events = session.feed(np.concatenate(sound)) + session.finish()
    assert [e.text for e in events if isinstance(e, SegmentEnd)] == [
        "w1 w2 w3",
        "w6 w4 w5 w9 w10",
        "w11 w12 w13",
    ]
    # The segment after it has its previous text again.
    assert model.prompts[-1].head[:4] == (model.tokens.previous, 1, 2, 3)


def test_a_sentence_that_is_written_again_is_cut_and_what_follows_is_heard() -> None:
    words = [*range(10, 28), ROUNDS, 30, 31, 32, 33]
    found, model, _ = candidate(words)
    assert list(found.ids) == words
    assert len(model.prompts) == 2


def test_a_sentence_that_is_said_again_is_written_again() -> None:
    words = [*range(10, 28)]
    found, model, _ = candidate([*words, *words])
    assert list(found.ids) == [*words, *words]
    assert model.prompts[1].prefix == ()


@pytest.mark.parametrize(
    ("count", "end", "believed"), [(2, False, False), (2, True, True), (5, False, False), (5, True, False)]
)
def test_an_unlikely_text_is_believed_only_at_the_end_of_a_short_segment(
    count: int, end: bool, believed: bool
) -> None:
    words = [MUMBLED, 1, 2, 3, 4][:count]
    found, model, _ = candidate(words, end, no_speech=0.3)
    assert list(found.ids) == (words if believed else [])
    assert model.beams == [1]


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize(
    ("source", "unlikely", "believed"), [("en", -1.05, False), ("es", -1.05, True), ("es", -1.15, False)]
)
def test_a_translation_may_be_less_likely_than_what_is_written_down(
    source: str, unlikely: float, believed: bool, end: bool
) -> None:
    model = Scripted(frozenset({"en", "es"}))
    model.detects, model.no_speech, model.unlikely = False, 0.2, unlikely
    backend = WhisperBackend(model, activity=Speech)
    stream = backend.open(StreamSpec(source, "en"))
    words = [MUMBLED, 1, 2, 3, 4]
    hear(backend, stream, speech(words), end)
    assert list(decode(backend, stream).ids) == (words if believed else [])


def test_an_unlikely_text_goes_on_from_what_is_committed() -> None:
    _, _, backend = candidate([1, 2, 3], end=False)
    (stream,) = backend.streams
    hear(backend, stream, speech([MUMBLED, 4, 5]))
    assert list(decode(backend, stream, (" w1", " w2"), (1, 2)).ids) == [3, MUMBLED, 4, 5]


def test_what_is_refused_though_somebody_speaks_is_decoded_again_with_a_wider_beam() -> None:
    words = [NARROW, 1, 2, 3, 4]
    found, model, _ = candidate(words)
    assert list(found.ids) == words
    assert found.logprobs.min() > -1
    assert model.beams == [1, WIDE]


def test_a_wider_beam_is_wider_than_the_model_s_own() -> None:
    model = Scripted()
    model.beam = 4
    assert wide(model) == 8


def test_where_somebody_speaks_the_likeliest_text_stands_at_the_end_of_a_segment() -> None:
    words = [MUMBLED, 1, 2, 3, 4]
    found, model, _ = candidate(words)
    assert list(found.ids) == words
    assert model.beams == [1, WIDE]


def test_in_mid_speech_a_text_that_is_refused_twice_is_decoded_again() -> None:
    first, model, backend = candidate([NARROW, 1, 2], end=False)
    assert list(first.ids) == []
    (stream,) = backend.streams
    for number in (3, 4, 9):
        hear(backend, stream, speech([number]))
        last = decode(backend, stream)
    assert list(last.ids) == [NARROW, 1, 2, 3, 4, 9]
    assert model.beams == [1, 1, WIDE, 1, WIDE, 1, WIDE]


def test_in_mid_speech_an_unlikely_text_stays_refused() -> None:
    first, model, backend = candidate([MUMBLED, 1, 2], end=False)
    (stream,) = backend.streams
    hear(backend, stream, speech([3]))
    assert list(first.ids) == list(decode(backend, stream).ids) == []
    assert model.beams == [1, 1, WIDE]


def test_passes_and_attempts_that_find_nothing_become_rare() -> None:
    _, model, backend = candidate([MUMBLED, 1, 2], end=False)
    (stream,) = backend.streams
    for number in range(9, 20):
        hear(backend, stream, speech([number]))
        assert not decode(backend, stream).ids
    # Of twelve all up to the fourth and then every second one; again at the second, fourth and eighth of these.
    passes = "".join("w" if beam == WIDE else "." for beam in model.beams)
    assert passes == "..w..w....w"
    backend.end(stream)
    backend.advance([stream])
    assert len(decode(backend, stream).ids) == 14


def test_what_is_believed_at_the_second_attempt_is_decoded_at_every_pass() -> None:
    _, model, backend = candidate([NARROW, 1, 2], end=False)
    (stream,) = backend.streams
    for number in range(9, 20):
        hear(backend, stream, speech([number]))
        found = decode(backend, stream).ids
    assert len(found) == 14
    assert len(model.beams) == 12 + 11


def test_the_last_attempt_does_not_know_the_previous_text() -> None:
    model = Scripted()
    backend = WhisperBackend(model, activity=Speech)
    session = Session(Offline(), backend, VirtualClock(), SessionConfig("en", "en", UNIT))
    pause = np.zeros(RATE, np.float32)
    sound = [speech([1, 2, 3]), pause, speech([HAUNTED, 4, 5, 9, 10]), pause, speech([11, 12]), pause]
    events = session.feed(np.concatenate(sound)) + session.finish()
    assert [e.text for e in events if isinstance(e, SegmentEnd)] == [
        "w1 w2 w3",
        "w45 w4 w5 w9 w10",
        "w11 w12",
    ]
    assert model.beams == [1, 1, WIDE, WIDE, 1]
    knew = [prompt.head[0] == model.tokens.previous for prompt in model.prompts]
    assert knew == [False, True, True, False, True]


@pytest.mark.parametrize("fault", [LOOPS, DEAF])
def test_what_follows_a_fault_is_heard_with_a_wider_beam(fault: int) -> None:
    words = [1, 2, 3, fault, 4, 5, 6, 9, 10, 11]
    found, model, _ = candidate(words)
    assert list(found.ids) == words
    assert model.beams == [1, WIDE]
