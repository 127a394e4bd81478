"""Searching: forced beginnings are kept, a cut continued is a fresh search, a batch is its single calls, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.models.marian.binary import read_binary
from simul.models.marian.network import Decoder, Encoder
from simul.models.marian.search import Search, Task, Track
from tests.simul.models.marian import tiny

PIECES, END, UNKNOWN, ROOM = 30, 0, 1, 12
Network = tuple[Encoder, Decoder]
pieces = st.lists(st.integers(2, PIECES - 1), max_size=8)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = tmp_path_factory.mktemp("student") / "model.bin"
    tiny.write_binary(path, tiny.weights(PIECES, seed=5))
    arrays, config = read_binary(path)
    return Encoder(arrays, config, "m"), Decoder(arrays, config, "m")


def task(network: Network, source: list[int], forced: list[int], known: Track | None = None) -> Task:
    return Task(network[0]([*source, END]), ROOM, tuple(forced), known=known)


def assert_same(a: list[Track], b: list[Track], skip: int) -> None:
    assert [t.pieces for t in a] == [t.pieces for t in b]
    for one, other in zip(a, b, strict=True):
        assert one.ending == other.ending
        assert one.logprobs[skip:] == other.logprobs[skip:]
        np.testing.assert_array_equal(np.array(one.attention), np.array(other.attention))
        np.testing.assert_array_equal(np.array(one.states), np.array(other.states))


@settings(max_examples=40)
@given(source=pieces, forced=pieces, beam=st.sampled_from([1, 3]), data=st.data())
def test_a_cut_continued_is_a_fresh_search(
    network: Network, source: list[int], forced: list[int], beam: int, data: st.DataObject
) -> None:
    search = Search(network[1], END, [UNKNOWN], beam)
    known = search([task(network, source, forced)])[0][0]
    cut = data.draw(st.integers(0, len(known.pieces)))
    other = [*known.pieces[:cut], *data.draw(pieces)]
    again = search([task(network, source, other, known)])[0]
    assert_same(again, search([task(network, source, other)])[0], len(other))


@settings(max_examples=40)
@given(asked=st.lists(st.tuples(pieces, pieces), min_size=2, max_size=5), beam=st.sampled_from([1, 3]))
def test_a_batch_is_its_single_calls(
    network: Network, asked: list[tuple[list[int], list[int]]], beam: int
) -> None:
    search = Search(network[1], END, [UNKNOWN], beam)
    together = search([task(network, source, forced) for source, forced in asked])
    for (source, forced), found in zip(asked, together, strict=True):
        assert_same(found, search([task(network, source, forced)])[0], len(forced))
        assert all(track.pieces[: len(forced)] == forced for track in found)


def test_a_wide_beam_finds_the_best_of_all_texts(network: Network) -> None:
    source, room = [4, 11, 25], 2
    memory = network[0]([*source, END])
    found = Search(network[1], END, [UNKNOWN], PIECES**room, normalise=0)([Task(memory, room)])[0]
    every = {}
    for first in [*range(2, PIECES), END]:
        step = Search(network[1], END, [UNKNOWN], PIECES)([Task(memory, 1)])[0]
        scores = {(t.pieces or [END])[0]: (t.logprobs or [t.ending])[0] for t in step}
        if first == END:
            every[()] = scores[END]
            continue
        for track in Search(network[1], END, [UNKNOWN], PIECES)([Task(memory, 1, (first,))])[0]:
            last = (track.logprobs[1:] or [track.ending])[0]
            assert scores[first] is not None
            assert last is not None
            every[tuple(track.pieces)] = scores[first] + last
    best = max(every, key=lambda text: every[text] or 0)
    assert tuple(found[0].pieces) == best
    assert len(found) == len(every)


def test_greedy_takes_the_likeliest_piece_each_time(network: Network) -> None:
    search = Search(network[1], END, [UNKNOWN], 1)
    track = search([task(network, [4, 11, 25], [])])[0][0]
    assert track.pieces
    for at, piece in enumerate(track.pieces):
        (rival,) = Search(network[1], END, [UNKNOWN], 1)(
            [Task(network[0]([4, 11, 25, END]), 1, track.pieces[:at])]
        )[0]
        assert rival.pieces[at] == piece


def test_only_candidates_come_and_only_the_allowed_come_first(network: Network) -> None:
    candidates = np.array([END, UNKNOWN, 3, 7, 12, 20])
    first = np.array([True, True, False, False, True, False])
    memory = network[0]([6, 9, END])
    found = Search(network[1], END, [UNKNOWN], 3)([Task(memory, ROOM, (8,), candidates, first)])[0]
    assert found
    for track in found:
        assert set(track.pieces[1:]) <= {3, 7, 12, 20}
        assert track.pieces[1:2] in ([], [12])


def test_the_room_is_kept(network: Network) -> None:
    for room in (1, 4):
        for track in Search(network[1], END, [UNKNOWN], 2)([Task(network[0]([6, 9, END]), room, (8, 8))])[0]:
            assert len(track.pieces) <= 2 + room
            assert track.ending is not None or len(track.pieces) == 2 + room


def test_no_tasks_no_texts(network: Network) -> None:
    assert Search(network[1], END)([]) == []
