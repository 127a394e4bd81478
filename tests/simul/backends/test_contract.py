"""What every backend owes: requests are values, batches equal single calls, streams do not mix, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import make_policy
from policies.base import Candidate
from simul.backends.base import Backend, StreamSpec
from simul.clock import VirtualClock
from simul.errors import EvidenceError, SimulError, UsageError
from simul.session import Session, SessionConfig
from simul.session.events import Event
from simul.units import SAMPLE_RATE
from tests.simul.backends.streams import hear, moved, request, through_files

SECOND = SAMPLE_RATE
quick = settings(max_examples=15, suppress_health_check=list(HealthCheck))


def opened(backend: Backend[Any]) -> int:
    """A stream into German, or into English where a backend writes nothing else."""
    return backend.open(StreamSpec("en", "en" if backend.name == "whisper" else "de"))


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise that is loud but for a pause of 0.8 s from 2 s on."""
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * SECOND)).astype(np.float32)
    samples[2 * SECOND : round(2.8 * SECOND)] *= 0.01
    return samples


def same(a: Candidate, b: Candidate) -> None:
    assert (a.tokens, a.ids, a.ended, a.limit, a.source_text) == (
        b.tokens,
        b.ids,
        b.ended,
        b.limit,
        b.source_text,
    )
    for x, y in ((a.spans, b.spans), (a.logprobs, b.logprobs)):
        assert (x is None) == (y is None)
        if x is not None and y is not None:
            np.testing.assert_allclose(x, y, atol=1e-3)


@quick
@given(heard=st.sampled_from([0.7, 1.5, 2.4]), later=st.sampled_from([0.1, 0.9, 1.6]), seed=st.integers(0, 3))
def test_audio_that_comes_while_a_request_waits_changes_no_answer(
    make: Callable[[], Backend[Any]], heard: float, later: float, seed: int
) -> None:
    samples = sound(heard + later, seed)
    cut = round(heard * SECOND)
    answers = []
    for more in (False, True):
        backend = make()
        stream = opened(backend)
        hear(backend, stream, samples[:cut])
        asked = request(backend, stream)
        if more:
            hear(backend, stream, samples[cut:], end=True)
        answers.append(backend.decode([asked])[0])
        backend.release(stream)
    same(*answers)


def test_a_view_changes_nothing_and_pushing_computes_nothing(make: Callable[[], Backend[Any]]) -> None:
    backend = make()
    stream = opened(backend)
    hear(backend, stream, sound(1.0))
    before = backend.view(stream)
    assert before.heard == SECOND
    backend.push(stream, sound(1.0, 1))
    assert backend.view(stream) == before
    backend.advance([stream])
    assert backend.view(stream).heard == 2 * SECOND
    assert backend.view(stream) == backend.view(stream)


def test_pushing_copies(make: Callable[[], Backend[Any]]) -> None:
    answers = []
    for spoil in (False, True):
        backend = make()
        stream = opened(backend)
        samples = sound(1.5)
        backend.push(stream, samples)
        if spoil:
            samples[:] = 0
        backend.advance([stream])
        answers.append(backend.decode([request(backend, stream)])[0])
    same(*answers)


def test_a_batch_of_streams_gives_what_each_gives_alone(make: Callable[[], Backend[Any]]) -> None:
    lengths = (0.6, 1.7, 1.1)
    alone = []
    for number, length in enumerate(lengths):
        backend = make()
        stream = opened(backend)
        hear(backend, stream, sound(length, number))
        alone.append(backend.decode([request(backend, stream)])[0])
    shared = make()
    streams = [opened(shared) for _ in lengths]
    for number, (stream, length) in enumerate(zip(streams, lengths, strict=True)):
        shared.push(stream, sound(length, number))
    shared.advance(streams)
    together = shared.decode([request(shared, stream) for stream in streams])
    for one, other in zip(together, alone, strict=True):
        same(one, other)


def test_a_stream_that_is_over_is_final_and_finished_and_says_why(make: Callable[[], Backend[Any]]) -> None:
    backend = make()
    stream = opened(backend)
    hear(backend, stream, sound(1.5), end=True)
    for _ in range(9):
        view = backend.view(stream)
        assert view.segment_final
        assert view.closed_by in ("pause", "limit", "end")
        backend.decode([request(backend, stream)])
        if view.finished:
            break
        backend.next_segment(stream)
    assert backend.view(stream).finished


def test_a_released_stream_is_gone_and_its_neighbour_stays(make: Callable[[], Backend[Any]]) -> None:
    backend = make()
    one, two = opened(backend), opened(backend)
    assert backend.streams == (one, two)
    hear(backend, two, sound(1.0))
    backend.release(one)
    backend.release(one)
    assert backend.streams == (two,)
    with pytest.raises(SimulError, match="no open stream"):
        backend.view(one)
    assert backend.view(two).heard == SECOND
    backend.release(two)
    assert backend.streams == ()


def test_a_stream_goes_on_from_its_exported_state_where_that_is_offered(
    make: Callable[[], Backend[Any]],
) -> None:
    backend = make()
    stream = opened(backend)
    hear(backend, stream, sound(1.0))
    if not backend.limits.exports:
        with pytest.raises(UsageError, match="cannot export"):
            backend.export_state(stream)
        return
    twin = backend.import_state(through_files(backend.export_state(stream)))
    for number in (stream, twin):
        hear(backend, number, sound(1.4)[SECOND:])
    same(*backend.decode([request(backend, number) for number in (stream, twin)]))


@pytest.mark.parametrize("beside", [(), ("en",)])
@pytest.mark.parametrize("policy", ["local-agreement(n=2)", "stream-att(align-att, keep=1)"])
def test_a_stream_that_moves_after_a_decision_goes_on_to_the_same_events(
    make: Callable[[], Backend[Any]], policy: str, beside: tuple[str, ...]
) -> None:
    if beside and not make().limits.shares:
        return
    pieces = [sound(4.0)[begin : begin + SECOND // 2] for begin in range(0, 4 * SECOND, SECOND // 2)]

    def events(moves: Collection[int]) -> list[Event]:
        backend = make()
        config = SessionConfig(target="en" if backend.name == "whisper" else "de", chunk=SECOND // 2)
        session = Session(make_policy(policy), backend, VirtualClock(), config, beside)
        found = []
        for number, piece in enumerate(pieces):
            found += session.feed(piece)
            if number in moves:
                session = moved(session, make)
        return found + session.finish()

    try:
        expected = events(())
    except EvidenceError:
        return
    if make().limits.exports:
        assert events(range(len(pieces))) == expected
        for number in range(len(pieces)):
            assert events([number]) == expected


def test_languages_that_are_not_served_are_refused_with_those_that_are(
    make: Callable[[], Backend[Any]],
) -> None:
    backend = make()
    with pytest.raises(UsageError, match=r"'xx' is not served by .*en"):
        backend.open(StreamSpec("xx", "de"))
    assert backend.streams == ()
